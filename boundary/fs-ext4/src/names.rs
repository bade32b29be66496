//! Making, linking, moving and removing names. Callers hold whatever keeps two changes of one
//! directory apart, and have checked permissions.

use crate::core::Core;
use crate::dir::{Found, check_name};
use crate::error::{Error, Result, bad_inode};
use crate::inodes::{NewInode, changeable, mode};
use rkt_ext4_format::extent::Extent;
use rkt_ext4_format::features::RoCompat;
use rkt_ext4_format::inode::{BLOCK_LEN, Block, Flags, LINK_MAX};

/// Blocks that a change of a directory may touch: two leaves, the nodes above them and their
/// siblings, the extent tree, bitmaps, descriptors, inodes.
pub(crate) const CHANGE: usize = 40;
/// Blocks that a change of a directory may allocate.
const ALLOCATED: u64 = 12;

/// What a new inode holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    /// Nothing, a directory, or whatever the mode says.
    Empty,
    /// A device number, as Linux has it in `stx_rdev_major` and `stx_rdev_minor`.
    Device(u32, u32),
    /// The target of a symbolic link.
    Target(&'a [u8]),
}

impl Core {
    /// Where to look for blocks for a file that has none: in its group.
    pub fn goal_of(&mut self, ino: u32) -> Result<u64> {
        let group = self.shape.group_of_inode(ino);
        Ok(self.shape.group_start(group) + u64::from(self.groups.get(group)?.cursor))
    }

    fn check_mutable(&mut self, ino: u32, forbidden: Flags) -> Result<()> {
        if self.inode(ino)?.flags.intersects(forbidden) { Err(Error::NotPermitted) } else { Ok(()) }
    }

    /// A directory is to get another name.
    fn prepare(&mut self, dir: u32, name: &[u8]) -> Result<()> {
        check_name(name)?;
        self.check_mutable(dir, Flags::IMMUTABLE)?;
        self.require(ALLOCATED)?;
        if self.live_inode(dir)?.links == 0 {
            return Err(Error::NotFound);
        }
        self.make_dir_block(dir)?;
        if self.find(dir, name)?.is_some() { Err(Error::Exists) } else { Ok(()) }
    }

    fn touch_dir(&mut self, dir: u32) -> Result<()> {
        let now = self.now();
        let found = self.inode_data_mut(dir)?;
        (found.mtime, found.ctime) = (now, now);
        found.version = found.version.wrapping_add(1);
        Ok(())
    }

    /// Makes an inode with a name.
    pub fn create(&mut self, dir: u32, name: &[u8], new: &NewInode, content: Content<'_>) -> Result<u32> {
        self.prepare(dir, name)?;
        let directory = new.mode & mode::FORMAT == mode::DIRECTORY;
        if directory {
            self.check_links(dir)?;
        }
        let ino = self.make_inode(dir, new, content)?;
        if let Err(error) = self.add_entry(dir, name, ino, new.mode) {
            self.inode_mut(ino)?.links = 0;
            self.delete_inode(ino)?;
            return Err(error);
        }
        if directory {
            self.add_dir_link(dir)?;
        }
        self.touch_dir(dir)?;
        Ok(ino)
    }

    /// Makes an inode without a name, which is deleted when nobody holds it unless it gets one.
    pub fn create_unnamed(&mut self, near: u32, new: &NewInode) -> Result<u32> {
        self.require(ALLOCATED)?;
        if self.live_inode(near)?.links == 0 {
            return Err(Error::NotPermitted);
        }
        let ino = self.make_inode(near, new, Content::Empty)?;
        self.inode_mut(ino)?.links = 0;
        self.add_orphan(ino)?;
        Ok(ino)
    }

    fn make_inode(&mut self, dir: u32, new: &NewInode, content: Content<'_>) -> Result<u32> {
        let target_blocks = match content {
            Content::Target(target) if target.len() >= self.block_size() => return Err(Error::NameTooLong),
            Content::Target([]) => return Err(Error::Invalid),
            _ => 1,
        };
        self.require(target_blocks)?;
        let parent = self.inode(dir)?;
        let (inherited, projid) = (parent.flags & Flags::INHERITED, parent.projid);
        let ino = self.allocate_inode(dir, new)?;
        let format = new.mode & mode::FORMAT;
        let found = self.inode_mut(ino)?;
        found.links = if format == mode::DIRECTORY { 2 } else { 1 };
        found.flags |= inherited & changeable(new.mode);
        if inherited.contains(Flags::PROJINHERIT) {
            found.projid = projid;
        }
        match content {
            Content::Empty if format == mode::DIRECTORY => self.init_dir(ino, dir)?,
            Content::Empty => (),
            Content::Device(major, minor) => self.set_device(ino, major, minor)?,
            Content::Target(target) => self.set_target(ino, target)?,
        }
        Ok(ino)
    }

    /// Device numbers: 16 bits in the first word, or 32 in the second ("i_block").
    fn set_device(&mut self, ino: u32, major: u32, minor: u32) -> Result<()> {
        let found = self.inode_mut(ino)?;
        let (old, new) = if major < 256 && minor < 256 {
            (major << 8 | minor, 0)
        } else {
            (0, (minor & 0xff) | major << 8 | (minor & !0xff) << 12)
        };
        found.block = Block::default();
        for (place, word) in found.block.0.as_chunks_mut::<4>().0.iter_mut().zip([old, new]) {
            *place = u32::to_le_bytes(word);
        }
        Ok(())
    }

    /// Major and minor number of a device.
    pub fn device(&mut self, ino: u32) -> Result<(u32, u32)> {
        let words = self.inode(ino)?.block.0;
        let word = |at: usize| words.as_chunks::<4>().0.get(at).map_or(0, |word| u32::from_le_bytes(*word));
        Ok(match word(0) {
            0 => (word(1) >> 8 & 0xfff, (word(1) & 0xff) | (word(1) >> 12 & !0xff)),
            old => (old >> 8 & 0xff, old & 0xff),
        })
    }

    fn set_target(&mut self, ino: u32, target: &[u8]) -> Result<()> {
        if target.len() < BLOCK_LEN {
            let found = self.inode_mut(ino)?;
            found.flags.remove(Flags::EXTENTS);
            found.block = Block::default();
            found.block.0.iter_mut().zip(target).for_each(|(place, byte)| *place = *byte);
        } else {
            let goal = self.goal_of(ino)?;
            let block = self.allocate_block(goal)?;
            let bytes = self.cache.create(block, crate::cache::Role::Parts)?;
            bytes.iter_mut().zip(target).for_each(|(place, byte)| *place = *byte);
            self.insert_extent(ino, Extent { logical: 0, len: 1, physical: block, unwritten: false })?;
            self.count_blocks(ino, 1)?;
        }
        self.inode_mut(ino)?.size = target.len() as u64;
        Ok(())
    }

    /// Target of a symbolic link.
    pub fn target(&mut self, ino: u32) -> Result<alloc::vec::Vec<u8>> {
        let found = self.live_inode(ino)?;
        if found.mode & mode::FORMAT != mode::SYMLINK {
            return Err(Error::Invalid);
        }
        let (size, flags) = (found.size, found.flags);
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        if flags.contains(Flags::INLINE_DATA) {
            return self.inline_data(ino);
        }
        if self.is_fast_symlink(ino)? {
            let target = self.inode(ino)?.block.0;
            return target.get(..len).map(<[u8]>::to_vec).ok_or(bad_inode("symbolic link is too long", ino));
        }
        let run = self.map(ino, 0, 1)?.run().ok_or(bad_inode("symbolic link without a target", ino))?;
        let bytes = self.block(run.start)?;
        bytes.get(..len).map(<[u8]>::to_vec).ok_or(bad_inode("symbolic link is too long", ino))
    }

    /// Gives an inode a further name.
    pub fn link(&mut self, dir: u32, name: &[u8], ino: u32) -> Result<()> {
        self.check_mutable(ino, Flags::IMMUTABLE | Flags::APPEND)?;
        self.prepare(dir, name)?;
        let found = self.live_inode(ino)?;
        let (links, mode) = (found.links, found.mode);
        if mode & mode::FORMAT == mode::DIRECTORY {
            return Err(Error::NotPermitted);
        }
        if links >= LINK_MAX {
            return Err(Error::TooManyLinks);
        }
        if links == 0 && !self.orphans.contains_key(&ino) {
            return Err(Error::NotFound);
        }
        self.add_entry(dir, name, ino, mode)?;
        self.remove_orphan(ino)?;
        let now = self.now();
        let found = self.inode_mut(ino)?;
        (found.links, found.ctime) = (links + 1, now);
        self.touch_dir(dir)
    }

    /// An entry that is to be removed or replaced, and the mode of its inode.
    fn removable(&mut self, dir: u32, name: &[u8]) -> Result<(Found, u16)> {
        self.check_mutable(dir, Flags::IMMUTABLE | Flags::APPEND)?;
        self.make_dir_block(dir)?;
        self.lookup(dir, name)?;
        let found = self.find(dir, name)?.ok_or(Error::NotFound)?;
        self.check_mutable(found.ino, Flags::IMMUTABLE | Flags::APPEND)?;
        let mode = self.live_inode(found.ino)?.mode;
        Ok((found, mode))
    }

    /// Removes the name of something that is no directory. Gives the inode.
    pub fn unlink(&mut self, dir: u32, name: &[u8]) -> Result<u32> {
        let (found, mode) = self.removable(dir, name)?;
        if mode & mode::FORMAT == mode::DIRECTORY {
            return Err(Error::IsDirectory);
        }
        self.remove_entry(&found)?;
        self.touch_dir(dir)?;
        self.drop_link(found.ino)?;
        Ok(found.ino)
    }

    /// Removes an empty directory. Gives the inode.
    pub fn rmdir(&mut self, dir: u32, name: &[u8]) -> Result<u32> {
        let (found, mode) = self.removable(dir, name)?;
        if mode & mode::FORMAT != mode::DIRECTORY {
            return Err(Error::NotDirectory);
        }
        if !self.is_empty_dir(found.ino)? {
            return Err(Error::NotEmpty);
        }
        self.remove_entry(&found)?;
        self.touch_dir(dir)?;
        self.drop_dir(dir, found.ino)?;
        Ok(found.ino)
    }

    fn drop_dir(&mut self, parent: u32, ino: u32) -> Result<()> {
        let now = self.now();
        let found = self.inode_mut(ino)?;
        (found.links, found.ctime) = (0, now);
        self.add_orphan(ino)?;
        self.drop_dir_link(parent)
    }

    /// An inode lost a name; without any it is an orphan until nobody holds it.
    fn drop_link(&mut self, ino: u32) -> Result<()> {
        let now = self.now();
        let found = self.inode_mut(ino)?;
        found.links = found.links.checked_sub(1).ok_or(bad_inode("inode has more names than links", ino))?;
        found.ctime = now;
        if found.links == 0 { self.add_orphan(ino) } else { Ok(()) }
    }

    /// Whether a directory may have another subdirectory.
    fn check_links(&mut self, dir: u32) -> Result<()> {
        let unlimited = self.shape.ro_compat.contains(RoCompat::DIR_NLINK);
        if self.inode(dir)?.links >= LINK_MAX && !unlimited { Err(Error::TooManyLinks) } else { Ok(()) }
    }

    /// A directory has a subdirectory more; with too many it says 1 for ever.
    fn add_dir_link(&mut self, dir: u32) -> Result<()> {
        let found = self.inode_mut(dir)?;
        if found.links != 1 {
            found.links = if found.links >= LINK_MAX - 1 { 1 } else { found.links + 1 };
        }
        Ok(())
    }

    fn drop_dir_link(&mut self, dir: u32) -> Result<()> {
        let found = self.inode_mut(dir)?;
        if found.links > 2 {
            found.links -= 1;
        }
        Ok(())
    }

    /// Moves a name, replacing what is there. Gives the inode that was replaced. Types and
    /// ancestry have been checked.
    pub fn rename(&mut self, dir: u32, name: &[u8], to: u32, new_name: &[u8]) -> Result<Option<u32>> {
        check_name(new_name)?;
        self.require(ALLOCATED)?;
        let (found, mode) = self.removable(dir, name)?;
        self.make_dir_block(to)?;
        self.check_mutable(to, Flags::IMMUTABLE)?;
        let directory = mode & mode::FORMAT == mode::DIRECTORY;
        let replaced = match self.find(to, new_name)? {
            Some(there) if there.ino == found.ino => return Ok(None),
            Some(_) => Some(self.replace(to, new_name, found.ino, mode)?),
            None => {
                if directory && dir != to {
                    self.check_links(to)?;
                }
                self.add_entry(to, new_name, found.ino, mode)?;
                None
            }
        };
        // Adding may have moved the old entry.
        let old = self.find(dir, name)?.ok_or(bad_inode("name is gone", found.ino))?;
        self.remove_entry(&old)?;
        let now = self.now();
        self.inode_mut(found.ino)?.ctime = now;
        if directory && dir != to {
            self.make_dir_block(found.ino)?;
            let parent = self.find_parent(found.ino)?;
            self.set_entry(&parent, to, mode::DIRECTORY)?;
            self.drop_dir_link(dir)?;
            self.add_dir_link(to)?;
        }
        self.touch_dir(dir)?;
        self.touch_dir(to)?;
        Ok(replaced)
    }

    /// Lets a name that is taken lead to `ino`; what it led to loses it.
    fn replace(&mut self, to: u32, new_name: &[u8], ino: u32, mode: u16) -> Result<u32> {
        let (there, old_mode) = self.removable(to, new_name)?;
        let (was, is) = (old_mode & mode::FORMAT == mode::DIRECTORY, mode & mode::FORMAT == mode::DIRECTORY);
        match (was, is) {
            (true, false) => return Err(Error::IsDirectory),
            (false, true) => return Err(Error::NotDirectory),
            (true, true) if !self.is_empty_dir(there.ino)? => return Err(Error::NotEmpty),
            _ => (),
        }
        self.set_entry(&there, ino, mode)?;
        if was {
            self.drop_dir(to, there.ino)?
        } else {
            self.drop_link(there.ino)?
        }
        Ok(there.ino)
    }

    /// Exchanges what two names lead to.
    pub fn exchange(&mut self, dir: u32, name: &[u8], to: u32, new_name: &[u8]) -> Result<()> {
        self.require(ALLOCATED)?;
        let (first, first_mode) = self.removable(dir, name)?;
        let (second, second_mode) = self.removable(to, new_name)?;
        self.set_entry(&first, second.ino, second_mode)?;
        self.set_entry(&second, first.ino, first_mode)?;
        let now = self.now();
        for (ino, mode, from, to) in [(first.ino, first_mode, dir, to), (second.ino, second_mode, to, dir)] {
            self.inode_mut(ino)?.ctime = now;
            if mode & mode::FORMAT == mode::DIRECTORY && from != to {
                self.make_dir_block(ino)?;
                let parent = self.find_parent(ino)?;
                self.set_entry(&parent, to, mode::DIRECTORY)?;
                self.drop_dir_link(from)?;
                self.add_dir_link(to)?;
            }
        }
        self.touch_dir(dir)?;
        self.touch_dir(to)
    }
}
