//! Extended attributes (xattr(7)).

use crate::attr::FileType;
use crate::cred::{Credentials, MAY_WRITE};
use crate::inode::Inode;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{CAP_SYS_ADMIN, S_ISVTX, XATTR_CREATE, XATTR_NAME_MAX, XATTR_REPLACE, XATTR_SIZE_MAX};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::RwLock;

/// Most bytes of names and values that one inode may have.
const MAX_TOTAL: usize = 256 << 10;

/// Checks name and rights of an access to an extended attribute; `wanted` is `MAY_READ` or
/// `MAY_WRITE`.
///
/// # Errors
/// `ERANGE` for a bad length of the name, `EOPNOTSUPP` for an unknown namespace, `EINVAL` for the
/// bare name of one, `EPERM`, `ENODATA` where the attribute must not even be seen, `EACCES`.
pub(crate) fn check(credentials: &Credentials, inode: &Arc<dyn Inode>, name: &[u8], wanted: u32) -> Result<()> {
    if name.is_empty() || name.len() > XATTR_NAME_MAX as usize {
        return Err(Errno::ERANGE);
    }
    if wanted & MAY_WRITE != 0 {
        inode.access().check_changeable()?;
    }
    permitted(credentials, inode, name, wanted)?;
    let space = SPACES.iter().find(|space| name.starts_with(space)).ok_or(Errno::EOPNOTSUPP)?;
    if name.len() == space.len() { Err(Errno::EINVAL) } else { Ok(()) }
}

/// The namespaces that every file system here has.
const SPACES: [&[u8]; 3] = [b"user.", TRUSTED, b"security."];
/// The namespace that only the administrator sees.
pub(crate) const TRUSTED: &[u8] = b"trusted.";

fn permitted(credentials: &Credentials, inode: &Arc<dyn Inode>, name: &[u8], wanted: u32) -> Result<()> {
    let writing = wanted & MAY_WRITE != 0;
    let administrator = credentials.capable(CAP_SYS_ADMIN);
    if name.starts_with(TRUSTED) {
        let denied = if writing { Errno::EPERM } else { Errno::ENODATA };
        return if administrator { Ok(()) } else { Err(denied) };
    }
    if name.starts_with(b"security.") {
        return if writing && !administrator { Err(Errno::EPERM) } else { Ok(()) };
    }
    if name.starts_with(b"system.") {
        return Ok(());
    }
    let access = inode.access();
    if name.starts_with(b"user.") {
        match inode.kind() {
            FileType::Regular => {}
            FileType::Directory if writing && access.mode & S_ISVTX != 0 && !credentials.owns(&access) => {
                return Err(Errno::EPERM);
            }
            FileType::Directory => {}
            _ => return Err(if writing { Errno::EPERM } else { Errno::ENODATA }),
        }
    }
    credentials.check(&access, wanted)
}

/// The extended attributes of an inode in memory.
#[derive(Default)]
pub struct Xattrs {
    values: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Xattrs {
    /// # Errors
    /// `ENODATA`.
    pub fn get(&self, name: &[u8]) -> Result<Vec<u8>> {
        self.values.read().get(name).cloned().ok_or(Errno::ENODATA)
    }

    /// # Errors
    /// `EEXIST`, `ENODATA` as the flags ask for; `E2BIG`, `ENOSPC`.
    pub fn set(&self, name: &[u8], value: &[u8], flags: u32) -> Result<()> {
        if value.len() > XATTR_SIZE_MAX as usize {
            return Err(Errno::E2BIG);
        }
        let mut values = self.values.write();
        let exists = values.contains_key(name);
        if exists && flags & XATTR_CREATE != 0 {
            return Err(Errno::EEXIST);
        }
        if !exists && flags & XATTR_REPLACE != 0 {
            return Err(Errno::ENODATA);
        }
        let used: usize = values.iter().filter(|(n, _)| *n != name).map(|(n, v)| n.len() + v.len()).sum();
        if used + name.len() + value.len() > MAX_TOTAL {
            return Err(Errno::ENOSPC);
        }
        values.insert(name.to_vec(), value.to_vec());
        Ok(())
    }

    /// # Errors
    /// `ENODATA`.
    pub fn remove(&self, name: &[u8]) -> Result<()> {
        self.values.write().remove(name).map(drop).ok_or(Errno::ENODATA)
    }

    /// All names, each ended by a NUL.
    pub fn list(&self) -> Vec<u8> {
        let values = self.values.read();
        values.keys().flat_map(|name| name.iter().copied().chain([0])).collect()
    }
}
