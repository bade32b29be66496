//! Filling a tmpfs from an archive, before anybody looks at it.

use super::TmpFs;
use super::inode::TmpInode;
use super::pages::Backing;
use crate::acl::Acls;
use crate::attr::{FileType, Time};
use crate::inode::{Inode, NewInode};
use alloc::sync::Arc;
use rkt_linux_abi::general::S_IFDIR;
use rkt_linux_abi::{Errno, Result};

/// Attributes as archives have them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    /// Type and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change of the content.
    pub mtime: Time,
    /// Device number of a device node.
    pub rdev: u64,
    /// Target of a symbolic link.
    pub target: &'a [u8],
}

/// An inode that was entered, for further names of it.
#[derive(Clone)]
pub struct Node(Arc<TmpInode>);

impl Node {
    /// Gives it an extended attribute.
    ///
    /// # Errors
    /// `E2BIG`, `ENOSPC`.
    pub fn set_xattr(&self, name: &[u8], value: &[u8]) -> Result<()> {
        self.0.set_xattr(name, value, 0)
    }
}

impl TmpFs {
    /// The directory that a path's last name is in, made with mode 0755 where it is missing.
    fn directory_of<'p>(&self, path: &'p [u8], now: Time) -> Result<(Arc<TmpInode>, &'p [u8])> {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let end = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let (parents, name) = path.split_at_checked(end).ok_or(Errno::EINVAL)?;
        if name.is_empty() || name == b"." || name == b".." {
            return Err(Errno::EINVAL);
        }
        if name.len() > crate::walk::NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let mut at = self.root.clone();
        for part in parents.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
            let found = at.names()?.read().get(part).cloned();
            at = match found {
                Some(next) => next,
                None => {
                    let new =
                        NewInode { mode: S_IFDIR | 0o755, uid: 0, gid: 0, rdev: 0, target: &[], acls: Acls::default() };
                    let made = TmpInode::new(&self.shared, &new, None, now)?;
                    at.add_name(part, &made)?;
                    made
                }
            };
        }
        Ok((at, name))
    }

    /// Enters an inode under a path from the root, making the directories above it. A directory
    /// that is there already, and the root ("" or "."), gets the attributes.
    ///
    /// # Errors
    /// `EEXIST`, `ENOTDIR`, `EINVAL` for a bad name or mode, `ENOSPC`.
    pub fn insert(&self, path: &[u8], with: &Attributes<'_>, content: Option<Arc<dyn Backing>>) -> Result<Node> {
        let root = matches!(path, b"" | b"." | b"/" | b"./");
        if root {
            return Self::describe(self.root.clone(), with);
        }
        let (dir, name) = self.directory_of(path, with.mtime)?;
        let existing = dir.names()?.read().get(name).cloned();
        if let Some(inode) = existing {
            return Self::describe(inode, with);
        }
        let new = NewInode {
            mode: with.mode,
            uid: with.uid,
            gid: with.gid,
            rdev: with.rdev,
            target: with.target,
            acls: Acls::default(),
        };
        let inode = TmpInode::new(&self.shared, &new, content, with.mtime)?;
        dir.add_name(name, &inode)?;
        Ok(Node(inode))
    }

    fn describe(inode: Arc<TmpInode>, with: &Attributes<'_>) -> Result<Node> {
        if inode.kind() != FileType::Directory || FileType::from_mode(with.mode) != Some(FileType::Directory) {
            return Err(Errno::EEXIST);
        }
        let change = crate::SetAttributes {
            mode: Some(with.mode & 0o7777),
            uid: Some(with.uid),
            gid: Some(with.gid),
            ..crate::SetAttributes::default()
        };
        inode.set_attributes(&change)?;
        inode.set_time(with.mtime);
        Ok(Node(inode))
    }

    /// Gives a further name to an inode that was entered.
    ///
    /// # Errors
    /// `EEXIST`, `EPERM` for directories.
    pub fn insert_link(&self, path: &[u8], node: &Node) -> Result<()> {
        if node.0.kind() == FileType::Directory {
            return Err(Errno::EPERM);
        }
        let (dir, name) = self.directory_of(path, Time::now())?;
        dir.add_link(name, &node.0)
    }
}
