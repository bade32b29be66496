//! Extended attributes: as many as fit in the inode, the others in one block.

use crate::cache::Role;
use crate::core::Core;
use crate::error::{Error, Result, bad_block, bad_inode};
use alloc::vec::Vec;
use rkt_ext4_format::acl;
use rkt_ext4_format::inode::BASE_LEN;
use rkt_ext4_format::xattr::{self, Attribute, BLOCK_HEAD, INLINE_DATA, INODE_HEAD, PREFIXES};

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    index: u8,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Owned {
    fn of(attribute: Attribute<'_>) -> Self {
        Self { index: attribute.index, name: attribute.name.to_vec(), value: attribute.value.to_vec() }
    }

    fn view(&self) -> Attribute<'_> {
        Attribute { index: self.index, name: &self.name, value: &self.value }
    }

    fn is(&self, index: u8, name: &[u8]) -> bool {
        self.index == index && self.name == name
    }

    /// The value as getxattr(2) gives it.
    fn into_value(self, ino: u32) -> Result<Vec<u8>> {
        match ACLS.contains(&self.index) {
            true => acl::load(&self.value).ok_or(bad_inode("damaged access control list", ino)),
            false => Ok(self.value),
        }
    }

    fn is_inline_data(&self) -> bool {
        let (index, name) = INLINE_DATA;
        self.is(index, name)
    }
}

/// How [`crate::Ext4::set_xattr`] treats an attribute that is or is not there, as setxattr(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetMode {
    /// Either.
    Any,
    /// It must not be there (`XATTR_CREATE`).
    Create,
    /// It must be there (`XATTR_REPLACE`).
    Replace,
    /// It must be there and not be there (both flags): never done.
    Never,
}

/// Numbers of the names of access control lists, which are stored in a form of their own.
const ACLS: [u8; 2] = [2, 3];

/// The number of the prefix of a full name, and the rest.
fn split(name: &[u8]) -> Result<(u8, &[u8])> {
    for (index, prefix) in PREFIXES {
        let Some(rest) = name.strip_prefix(prefix.as_bytes()) else { continue };
        // ACLs are whole names, the others need a rest.
        if prefix.ends_with('.') != rest.is_empty() {
            return Ok((index, rest));
        }
    }
    Err(Error::Unsupported)
}

fn full_name(attribute: &Owned) -> Option<Vec<u8>> {
    let (_, prefix) = PREFIXES.iter().find(|(index, _)| *index == attribute.index)?;
    Some([prefix.as_bytes(), &attribute.name].concat())
}

impl Core {
    /// The part of the inode behind its fields: block, and from where to where.
    fn attribute_area(&mut self, ino: u32) -> Result<(u64, usize, usize)> {
        let (block, offset) = self.inode_place(ino)?;
        let extra = usize::from(self.inode(ino)?.extra_isize);
        let size = self.shape.inode_size;
        // Inodes whose fields have no length have no attributes.
        let start = if extra == 0 { size } else { (BASE_LEN + extra).min(size) };
        Ok((block, offset + start, offset + size))
    }

    fn inode_attributes(&mut self, ino: u32) -> Result<Vec<Owned>> {
        let (block, from, to) = self.attribute_area(ino)?;
        let bytes = self.block(block)?;
        let area = bytes.get(from..to).unwrap_or_default();
        if area.first_chunk().map(|magic| u32::from_le_bytes(*magic)) != Some(xattr::MAGIC) {
            return Ok(Vec::new());
        }
        let all = xattr::attributes(area, INODE_HEAD, INODE_HEAD);
        all.map(|found| found.map(Owned::of).map_err(|what| bad_inode(what, ino))).collect()
    }

    fn block_attributes(&mut self, ino: u32) -> Result<Vec<Owned>> {
        let block = self.inode(ino)?.file_acl;
        if block == 0 {
            return Ok(Vec::new());
        }
        let bytes = self.attribute_block(block)?;
        let all = xattr::attributes(&bytes, BLOCK_HEAD, 0);
        all.map(|found| found.map(Owned::of).map_err(|what| bad_block(what, block))).collect()
    }

    fn attribute_block(&mut self, block: u64) -> Result<crate::cache::Bytes> {
        if !self.shape.contains(block, 1) {
            return Err(bad_block("attribute block lies outside of the disk", block));
        }
        self.cache.get(block, Role::Attributes(self.shape.seed))
    }

    fn attributes(&mut self, ino: u32) -> Result<Vec<Owned>> {
        self.live_inode(ino)?;
        let mut all = self.inode_attributes(ino)?;
        all.extend(self.block_attributes(ino)?);
        Ok(all)
    }

    /// The value of an attribute.
    pub fn attribute(&mut self, ino: u32, name: &[u8]) -> Result<Vec<u8>> {
        let (index, rest) = split(name)?;
        let found = self.attributes(ino)?.into_iter().find(|attribute| attribute.is(index, rest));
        found.filter(|found| !found.is_inline_data()).ok_or(Error::NoData)?.into_value(ino)
    }

    /// Names of all attributes, each ended by a NUL.
    pub fn attribute_names(&mut self, ino: u32) -> Result<Vec<u8>> {
        let mut names = Vec::new();
        for name in self.attributes(ino)?.iter().filter(|found| !found.is_inline_data()).filter_map(full_name) {
            names.extend(name);
            names.push(0);
        }
        Ok(names)
    }

    /// Sets an attribute, or removes it if there is no value.
    pub fn set_attribute(&mut self, ino: u32, name: &[u8], value: Option<&[u8]>, mode: SetMode) -> Result<()> {
        let (index, rest) = split(name)?;
        if rest.len() > usize::from(u8::MAX) {
            return Err(Error::NameTooLong);
        }
        let mut all = self.attributes(ino)?;
        let at = all.iter().position(|attribute| attribute.is(index, rest));
        match (at, mode, value) {
            (Some(_), SetMode::Create | SetMode::Never, Some(_)) => return Err(Error::Exists),
            (None, SetMode::Replace | SetMode::Never, _) | (None, _, None) => return Err(Error::NoData),
            _ => (),
        }
        let before = at.map(|at| all.remove(at));
        if let Some(value) = value {
            let value = if ACLS.contains(&index) { acl::store(value).ok_or(Error::Invalid)? } else { value.to_vec() };
            if before.is_some_and(|before| before.value == value) {
                // As Linux, which leaves ctime alone here.
                return Ok(());
            }
            all.push(Owned { index, name: rest.to_vec(), value });
        }
        self.write_attributes(ino, all)?;
        let now = self.now();
        self.inode_mut(ino)?.ctime = now;
        Ok(())
    }

    /// Removes the part of inline data that is an attribute.
    pub fn remove_inline_attribute(&mut self, ino: u32) -> Result<()> {
        let mut all = self.attributes(ino)?;
        all.retain(|attribute| !attribute.is_inline_data());
        self.write_attributes(ino, all)
    }

    fn write_attributes(&mut self, ino: u32, mut all: Vec<Owned>) -> Result<()> {
        // Inline data must stay in the inode; then small ones first.
        all.sort_by_key(|found| (!found.is_inline_data(), xattr::needed(&found.view()), found.index));
        let (block, from, to) = self.attribute_area(ino)?;
        let mut room = (to - from).saturating_sub(INODE_HEAD + size_of::<u32>());
        let mut inside = Vec::new();
        let mut outside = Vec::new();
        for attribute in all {
            let needed = xattr::needed(&attribute.view());
            if needed <= room {
                room -= needed;
                inside.push(attribute);
            } else {
                outside.push(attribute);
            }
        }
        let needed: usize = outside.iter().map(|attribute| xattr::needed(&attribute.view())).sum();
        if BLOCK_HEAD + needed + size_of::<u32>() > self.block_size() {
            return Err(Error::NoSpace);
        }
        let order = |found: &Owned| (found.index, found.name.len(), found.name.clone());
        inside.sort_by_key(order);
        outside.sort_by_key(order);
        self.write_attribute_block(ino, &outside)?;
        self.inode_mut(ino)?;
        let area = self.block_mut(block)?.get_mut(from..to).unwrap_or_default();
        if inside.is_empty() {
            area.fill(0);
            return Ok(());
        }
        if let Some(magic) = area.first_chunk_mut() {
            *magic = xattr::MAGIC.to_le_bytes();
        }
        let written = xattr::write(area, INODE_HEAD, INODE_HEAD, inside.iter().map(Owned::view));
        written.map(|_| ()).ok_or(bad_inode("attributes do not fit the inode", ino))
    }

    /// Writes the attributes that are not in the inode to a block of its own.
    fn write_attribute_block(&mut self, ino: u32, all: &[Owned]) -> Result<()> {
        let old = self.inode(ino)?.file_acl;
        if old == 0 && all.is_empty() {
            return Ok(());
        }
        let role = Role::Attributes(self.shape.seed);
        let shared =
            old != 0 && xattr::header(&self.attribute_block(old)?).is_ok_and(|header| header.refcount.get() > 1);
        if all.is_empty() || shared || old == 0 {
            let goal = self.goal_of(ino)?;
            let new = if all.is_empty() { 0 } else { self.allocate_block(goal)? };
            if old != 0 {
                self.release_attribute_block(ino)?;
            }
            if new == 0 {
                return Ok(());
            }
            self.cache.create(new, role)?;
            self.count_blocks(ino, 1)?;
            self.inode_mut(ino)?.file_acl = new;
        }
        let block = self.inode(ino)?.file_acl;
        let bytes = self.cache.get_mut(block, role)?;
        let hash = xattr::write(bytes, BLOCK_HEAD, 0, all.iter().map(Owned::view));
        let hash = hash.ok_or(bad_block("attributes do not fit the block", block))?;
        xattr::set_header(bytes, 1, hash);
        Ok(())
    }

    /// An inode no longer uses its block of attributes.
    pub fn release_attribute_block(&mut self, ino: u32) -> Result<()> {
        let block = self.inode(ino)?.file_acl;
        if block == 0 {
            return Ok(());
        }
        let bytes = self.attribute_block(block)?;
        let header = xattr::header(&bytes).map_err(|what| bad_block(what, block))?;
        drop(bytes);
        let users = header.refcount.get();
        self.count_blocks(ino, -1)?;
        self.inode_mut(ino)?.file_acl = 0;
        if users > 1 {
            let bytes = self.cache.get_mut(block, Role::Attributes(self.shape.seed))?;
            xattr::set_header(bytes, users - 1, header.hash.get());
            return Ok(());
        }
        self.free_metadata(block)
    }

    /// All data of an inode that is inline, in `i_block` and behind its fields.
    pub fn inline_data(&mut self, ino: u32) -> Result<Vec<u8>> {
        let found = self.inode(ino)?;
        let (mut data, size) = (found.block.0.to_vec(), found.size);
        let rest = self.inode_attributes(ino)?.into_iter().find(Owned::is_inline_data);
        data.extend(rest.map(|rest| rest.value).unwrap_or_default());
        if size > data.len() as u64 {
            return Err(bad_inode("inline file is longer than its data", ino));
        }
        data.truncate(size as usize);
        Ok(data)
    }
}
