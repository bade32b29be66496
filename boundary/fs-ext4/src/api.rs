//! Operations on inodes and names, by inode number.

use crate::attributes::SetMode;
use crate::dir::DirEntry;
use crate::error::{Error, Result};
use crate::fs::Ext4;
use crate::inodes::{NewInode, changeable, mode};
use crate::names::{CHANGE, Content};
use alloc::vec::Vec;
use lock_api::RawMutex;
use rkt_ext4_format::features::RoCompat;
use rkt_ext4_format::inode::{Flags, Inode, Nanos, ROOT};

/// What stat(2) and statx(2) tell of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Inode number.
    pub ino: u32,
    /// Type and permissions.
    pub mode: u16,
    /// Names.
    pub links: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Space taken, in units of 512 bytes.
    pub sectors: u64,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Last access, in nanoseconds since the epoch, as all times.
    pub atime: Nanos,
    /// Last change of the contents.
    pub mtime: Nanos,
    /// Last change of the inode.
    pub ctime: Nanos,
    /// Creation; 0 where the file system does not know.
    pub crtime: Nanos,
    /// Flags, as `FS_IOC_GETFLAGS` gives them.
    pub flags: u32,
    /// Distinguishes inodes that had the same number.
    pub generation: u32,
}

/// What chmod, chown and utimensat change. `ctime` becomes now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Permissions; the type stays.
    pub mode: Option<u16>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Last access.
    pub atime: Option<Nanos>,
    /// Last change of the contents.
    pub mtime: Option<Nanos>,
}

/// What statfs(2) tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes of a block.
    pub block_size: u64,
    /// Blocks that can hold data.
    pub blocks: u64,
    /// Free blocks.
    pub free: u64,
    /// Free blocks but those kept for root.
    pub available: u64,
    /// Inodes.
    pub inodes: u64,
    /// Free inodes.
    pub free_inodes: u64,
    /// UUID.
    pub uuid: [u8; 16],
}

impl<L: RawMutex> Ext4<L> {
    /// The root directory.
    pub fn root(&self) -> u32 {
        ROOT
    }

    /// Bytes of a block.
    pub fn block_size(&self) -> usize {
        self.shape.block_size
    }

    /// Largest length of a file in bytes.
    pub fn max_size(&self) -> u64 {
        self.shape.max_size()
    }

    /// Whether nothing can be written, by wish or after an error.
    pub fn is_read_only(&self) -> bool {
        self.core.lock().read_only
    }

    /// Keeps an inode: as long as somebody does, it is not deleted with its last name.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn hold(&self, ino: u32) -> Result<()> {
        self.look(|core| {
            core.live_inode(ino)?;
            core.slot(ino)?.holds += 1;
            Ok(())
        })
    }

    /// Ends what [`Ext4::hold`] began; an inode without names is deleted now.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn release(&self, ino: u32) -> Result<()> {
        let last = self.look(|core| {
            let writable = !core.read_only;
            let slot = core.slot(ino)?;
            slot.holds = slot.holds.saturating_sub(1);
            Ok(writable && slot.holds == 0 && slot.inode.links == 0)
        })?;
        if last { self.delete(ino) } else { Ok(()) }
    }

    /// What stat(2) tells.
    ///
    /// # Errors
    /// If the inode cannot be read or is not in use.
    pub fn stat(&self, ino: u32) -> Result<Stat> {
        let huge = self.shape.ro_compat.contains(RoCompat::HUGE_FILE);
        let sectors_per_block = (self.shape.block_size / 512) as u64;
        self.look(|core| {
            let device = core.device(ino)?;
            let found: &Inode = core.live_inode(ino)?;
            let in_blocks = huge && found.flags.contains(Flags::HUGE_FILE);
            let special = [0o020_000, 0o060_000].contains(&(found.mode & mode::FORMAT));
            Ok(Stat {
                ino,
                mode: found.mode,
                links: found.links,
                uid: found.uid,
                gid: found.gid,
                size: found.size,
                sectors: if in_blocks { found.blocks.saturating_mul(sectors_per_block) } else { found.blocks },
                device: if special { device } else { (0, 0) },
                atime: found.atime,
                mtime: found.mtime,
                ctime: found.ctime,
                crtime: found.crtime,
                flags: (found.flags & Flags::VISIBLE).bits(),
                generation: found.generation,
            })
        })
    }

    /// Changes attributes of an inode.
    ///
    /// # Errors
    /// `NotPermitted` if it is immutable, or if the disk fails.
    pub fn set_attributes(&self, ino: u32, change: &Change) -> Result<()> {
        self.change(4, |core| {
            let now = core.now();
            if core.live_inode(ino)?.flags.contains(Flags::IMMUTABLE) {
                return Err(Error::NotPermitted);
            }
            let found = core.inode_mut(ino)?;
            if let Some(mode) = change.mode {
                found.mode = (found.mode & mode::FORMAT) | (mode & !mode::FORMAT);
            }
            found.uid = change.uid.unwrap_or(found.uid);
            found.gid = change.gid.unwrap_or(found.gid);
            found.atime = change.atime.unwrap_or(found.atime);
            found.mtime = change.mtime.unwrap_or(found.mtime);
            found.ctime = now;
            Ok(())
        })
    }

    /// Changes the flags of `FS_IOC_SETFLAGS`.
    ///
    /// # Errors
    /// `Unsupported` for flags that cannot be changed, `NotPermitted`, or if the disk fails.
    pub fn set_flags(&self, ino: u32, flags: u32) -> Result<()> {
        self.change(4, |core| {
            let now = core.now();
            let found = core.live_inode(ino)?;
            let changeable = changeable(found.mode);
            let asked = Flags::from_bits_retain(flags);
            // What only directories have is refused elsewhere.
            let known = Flags::CHANGEABLE_OF_DIRECTORIES;
            let changed = asked ^ found.flags & Flags::VISIBLE;
            if changed.intersects(!known) || (asked & known).intersects(!changeable) {
                return Err(Error::Unsupported);
            }
            // What is and stays immutable has no other flag changed either.
            if (asked & found.flags).contains(Flags::IMMUTABLE) && !changed.is_empty() {
                return Err(Error::NotPermitted);
            }
            let flags = found.flags & !changeable | asked & changeable;
            let found = core.inode_mut(ino)?;
            (found.flags, found.ctime) = (flags, now);
            Ok(())
        })
    }

    /// Notes an access, without changing `ctime`.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn set_atime(&self, ino: u32, atime: Nanos) -> Result<()> {
        self.change(4, |core| {
            core.live_inode(ino)?;
            core.inode_mut(ino)?.atime = atime;
            Ok(())
        })
    }

    /// Finds a name in a directory; "." and ".." are up to the caller, see [`Ext4::parent`].
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`.
    pub fn lookup(&self, dir: u32, name: &[u8]) -> Result<u32> {
        self.look(|core| core.lookup(dir, name))
    }

    /// The directory above.
    ///
    /// # Errors
    /// `NotDirectory`.
    pub fn parent(&self, dir: u32) -> Result<u32> {
        self.look(|core| {
            if core.live_inode(dir)?.mode & mode::FORMAT != mode::DIRECTORY {
                return Err(Error::NotDirectory);
            }
            core.parent(dir)
        })
    }

    /// Lists a directory, without "." and "..", from a position (0 = start), until `sink` returns
    /// false: that entry was not taken. The file system is locked meanwhile.
    ///
    /// # Errors
    /// `NotDirectory`.
    pub fn read_dir(&self, dir: u32, from: u64, sink: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<()> {
        self.look(|core| core.read_dir(dir, from, sink))
    }

    /// Makes a regular file, directory, pipe or socket, as the mode says.
    ///
    /// # Errors
    /// `Exists`, `NoSpace`, `NameTooLong`, `TooManyLinks`.
    pub fn create(&self, dir: u32, name: &[u8], new: &NewInode) -> Result<u32> {
        let known = [mode::REGULAR, mode::DIRECTORY, 0o010_000, 0o140_000];
        if !known.contains(&(new.mode & mode::FORMAT)) {
            return Err(Error::Invalid);
        }
        self.change(CHANGE, |core| core.create(dir, name, new, Content::Empty))
    }

    /// Makes a device node.
    ///
    /// # Errors
    /// As [`Ext4::create`].
    pub fn create_device(&self, dir: u32, name: &[u8], new: &NewInode, major: u32, minor: u32) -> Result<u32> {
        if ![0o020_000, 0o060_000].contains(&(new.mode & mode::FORMAT)) || major > 0xfff || minor > 0xf_ffff {
            return Err(Error::Invalid);
        }
        self.change(CHANGE, |core| core.create(dir, name, new, Content::Device(major, minor)))
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// As [`Ext4::create`]; `Invalid` if the target is empty.
    pub fn symlink(&self, dir: u32, name: &[u8], new: &NewInode, target: &[u8]) -> Result<u32> {
        let new = NewInode { mode: mode::SYMLINK | 0o777, ..*new };
        self.change(CHANGE, |core| core.create(dir, name, &new, Content::Target(target)))
    }

    /// Makes a regular file without a name (`O_TMPFILE`), held once. It can be given a name with
    /// [`Ext4::link`].
    ///
    /// # Errors
    /// `NoSpace`.
    pub fn create_unnamed(&self, dir: u32, new: &NewInode) -> Result<u32> {
        if new.mode & mode::FORMAT != mode::REGULAR {
            return Err(Error::Invalid);
        }
        self.change(CHANGE, |core| {
            let ino = core.create_unnamed(dir, new)?;
            core.slot(ino)?.holds += 1;
            Ok(ino)
        })
    }

    /// Gives an inode a further name.
    ///
    /// # Errors
    /// `Exists`, `TooManyLinks`, `NotPermitted` for directories, `NoSpace`, `NotFound`.
    pub fn link(&self, dir: u32, name: &[u8], ino: u32) -> Result<()> {
        self.change(CHANGE, |core| core.link(dir, name, ino))
    }

    /// Removes the name of something that is no directory.
    ///
    /// # Errors
    /// `NotFound`, `IsDirectory`, `NotPermitted`.
    pub fn unlink(&self, dir: u32, name: &[u8]) -> Result<()> {
        let ino = self.change(CHANGE, |core| core.unlink(dir, name))?;
        self.forget(ino)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`, `NotEmpty`, `NotPermitted`.
    pub fn rmdir(&self, dir: u32, name: &[u8]) -> Result<()> {
        let ino = self.change(CHANGE, |core| core.rmdir(dir, name))?;
        self.forget(ino)
    }

    /// Moves a name, replacing what is there. That a directory does not move into itself is up to
    /// the caller.
    ///
    /// # Errors
    /// `NotFound`, `NotEmpty`, `IsDirectory`, `NotDirectory`, `NoSpace`, `TooManyLinks`.
    pub fn rename(&self, dir: u32, name: &[u8], to: u32, new_name: &[u8]) -> Result<()> {
        match self.change(2 * CHANGE, |core| core.rename(dir, name, to, new_name))? {
            Some(replaced) => self.forget(replaced),
            None => Ok(()),
        }
    }

    /// Exchanges what two names lead to.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn exchange(&self, dir: u32, name: &[u8], to: u32, new_name: &[u8]) -> Result<()> {
        self.change(2 * CHANGE, |core| core.exchange(dir, name, to, new_name))
    }

    /// An inode lost a name: deletes it if that was the last and nobody holds it.
    fn forget(&self, ino: u32) -> Result<()> {
        let unused = self.look(|core| {
            let slot = core.slot(ino)?;
            Ok(slot.inode.links == 0 && slot.holds == 0)
        })?;
        if unused { self.delete(ino) } else { Ok(()) }
    }

    /// Target of a symbolic link.
    ///
    /// # Errors
    /// `Invalid` if it is none.
    pub fn read_link(&self, ino: u32) -> Result<Vec<u8>> {
        self.look(|core| core.target(ino))
    }

    /// The value of an extended attribute, by its full name (`user.` and so on).
    ///
    /// # Errors
    /// `NoData`, `Unsupported` for an unknown prefix.
    pub fn xattr(&self, ino: u32, name: &[u8]) -> Result<Vec<u8>> {
        self.look(|core| core.attribute(ino, name))
    }

    /// Names of all extended attributes, each ended by a NUL.
    ///
    /// # Errors
    /// If the disk fails or is damaged.
    pub fn list_xattr(&self, ino: u32) -> Result<Vec<u8>> {
        self.look(|core| core.attribute_names(ino))
    }

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// `Exists`, `NoData`, `NoSpace` if all of them do not fit, `Unsupported`, `NameTooLong`.
    pub fn set_xattr(&self, ino: u32, name: &[u8], value: &[u8], how: SetMode) -> Result<()> {
        self.change(CHANGE, |core| {
            core.require(2)?;
            core.set_attribute(ino, name, Some(value), how)
        })
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// `NoData`, `Unsupported`.
    pub fn remove_xattr(&self, ino: u32, name: &[u8]) -> Result<()> {
        self.change(CHANGE, |core| core.set_attribute(ino, name, None, SetMode::Any))
    }

    /// What statfs(2) tells.
    pub fn statistics(&self) -> Statistics {
        let core = self.core.lock();
        let free = core.groups.free_blocks.saturating_sub(core.reserved);
        Statistics {
            block_size: self.shape.block_size as u64,
            blocks: self.shape.blocks.saturating_sub(self.shape.overhead(&core.superblock)),
            free,
            available: free.saturating_sub(core.superblock.reserved_blocks()),
            inodes: self.shape.inodes.into(),
            free_inodes: core.groups.free_inodes,
            uuid: self.shape.uuid,
        }
    }
}
