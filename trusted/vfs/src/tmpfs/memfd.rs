//! memfd_create(2): files of tmpfs without a name, and file sealing (fcntl(2)).

use super::file::TmpFile;
use super::inode::{Shared, TmpInode};
use super::space::Space;
use crate::acl::Acls;
use crate::attr::Time;
use crate::cred::Credentials;
use crate::file::OpenFile;
use crate::inode::{NewInode, new_anonymous_device};
use crate::mount::Path;
use alloc::sync::Arc;
use rkt_linux_abi::general::{
    F_SEAL_EXEC, F_SEAL_SEAL, MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC, MFD_NOEXEC_SEAL, O_LARGEFILE, O_RDWR, S_IFREG,
};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::OnceCell;

/// Longest name: 255 with "memfd:" in front (memfd_create(2)).
const NAME_MAX: usize = 249;

fn shared() -> &'static Arc<Shared> {
    static SHARED: OnceCell<Arc<Shared>> = OnceCell::new();
    SHARED.get_or_init(|| Shared::new(new_anonymous_device(), Space::new(u64::MAX, u64::MAX)))
}

/// memfd_create(2). The caller handles `MFD_CLOEXEC`.
///
/// # Errors
/// `EINVAL` for unknown flags (huge pages among them) or a long name.
pub fn memfd(name: &[u8], flags: u32, credentials: Arc<Credentials>) -> Result<Arc<OpenFile>> {
    let known = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC;
    let both = MFD_EXEC | MFD_NOEXEC_SEAL;
    if flags & !known != 0 || flags & both == both || name.len() > NAME_MAX {
        return Err(Errno::EINVAL);
    }
    let (mode, seals) = if flags & MFD_NOEXEC_SEAL != 0 {
        (0o666, F_SEAL_EXEC)
    } else {
        (0o777, if flags & MFD_ALLOW_SEALING != 0 { 0 } else { F_SEAL_SEAL })
    };
    let Credentials { uid, gid, .. } = *credentials;
    let new = NewInode { mode: S_IFREG | mode, uid, gid, rdev: 0, target: &[], acls: Acls::default() };
    let inode = TmpInode::sealed(shared(), &new, None, Time::now(), seals)?;
    inode.unname();
    let shown = [b"/memfd:", name, b" (deleted)"].concat();
    let path = Path::anonymous(inode.clone(), &shown);
    Ok(OpenFile::new(path, Arc::new(TmpFile::new(inode)), O_RDWR | O_LARGEFILE, credentials))
}

/// `F_GET_SEALS`.
///
/// # Errors
/// `EINVAL` if the file cannot be sealed.
pub fn seals(file: &OpenFile) -> Result<u32> {
    file.ops_as::<TmpFile>().ok_or(Errno::EINVAL)?.inode().seals()
}

/// `F_ADD_SEALS`.
///
/// # Errors
/// `EPERM` if not open for writing or sealed against seals, `EBUSY` with a writable mapping,
/// `EINVAL`.
pub fn add_seals(file: &OpenFile, seals: u32) -> Result<()> {
    if !file.writable() {
        return Err(Errno::EPERM);
    }
    file.ops_as::<TmpFile>().ok_or(Errno::EINVAL)?.inode().add_seals(seals)
}
