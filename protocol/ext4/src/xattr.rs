//! Extended attributes ("Extended Attributes"), in inodes and in blocks. Entries stand at the
//! front, values at the back.

use crate::checksum::Seed;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `h_magic`.
pub const MAGIC: u32 = 0xea02_0000;
/// Bytes before the first entry of a block.
pub const BLOCK_HEAD: usize = 32;
/// Bytes before the first entry in an inode.
pub const INODE_HEAD: usize = 4;
/// Most inodes that may share a block.
pub const MAX_SHARED: u32 = 1024;
const ENTRY_HEAD: usize = 16;

/// Prefixes of names, which are stored as numbers. The longest that fits is taken.
pub const PREFIXES: [(u8, &str); 6] = [
    (2, "system.posix_acl_access"),
    (3, "system.posix_acl_default"),
    (1, "user."),
    (4, "trusted."),
    (6, "security."),
    (7, "system."),
];
/// Number of the name of inline data, `system.data`, which is no attribute.
pub const INLINE_DATA: (u8, &[u8]) = (7, b"data");

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawEntry {
    name_len: u8,
    name_index: u8,
    value_offs: U16,
    value_inum: U32,
    value_size: U32,
    hash: U32,
}

/// The header of a block.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs)]
pub struct BlockHeader {
    pub magic: U32,
    pub refcount: U32,
    pub blocks: U32,
    pub hash: U32,
    pub checksum: U32,
    pub reserved: [U32; 3],
}

/// An attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Number of the prefix.
    pub index: u8,
    /// Name behind the prefix.
    pub name: &'a [u8],
    /// Value.
    pub value: &'a [u8],
}

/// What is wrong with attributes.
pub type Flaw = &'static str;

/// Attributes that begin `head` bytes into `area`, whose values are addressed from `base` on: 0
/// in a block, behind the header in an inode. An error ends them.
pub fn attributes(area: &[u8], head: usize, base: usize) -> Attributes<'_> {
    Attributes { area, at: head, base }
}

/// See [`attributes`].
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    area: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> Attributes<'a> {
    fn read(&mut self) -> Option<Attribute<'a>> {
        let (raw, rest) = RawEntry::read_from_prefix(self.area.get(self.at..)?).ok()?;
        let len = usize::from(raw.name_len);
        let name = rest.get(..len)?;
        let (size, offset) = (raw.value_size.get() as usize, usize::from(raw.value_offs.get()));
        let value = if size == 0 {
            &[][..]
        } else {
            let start = self.base + offset;
            self.area.get(start..start.checked_add(size)?).filter(|_| raw.value_inum.get() == 0)?
        };
        self.at += (ENTRY_HEAD + len).next_multiple_of(4);
        Some(Attribute { index: raw.name_index, name, value })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        // Four bytes of zero end the entries, as does the end of the area.
        let end = self.area.get(self.at..).and_then(|rest| rest.first_chunk());
        if end.is_none_or(|end| *end == [0; 4]) {
            return None;
        }
        let attribute = self.read();
        if attribute.is_none() {
            self.at = self.area.len();
        }
        Some(attribute.ok_or("extended attribute has a wrong length"))
    }
}

/// Bytes that an attribute needs.
pub fn needed(attribute: &Attribute<'_>) -> usize {
    (ENTRY_HEAD + attribute.name.len()).next_multiple_of(4) + attribute.value.len().next_multiple_of(4)
}

/// Hash of an entry: its name and the words of its value.
fn hash(attribute: &Attribute<'_>) -> u32 {
    let named = attribute.name.iter().fold(0_u32, |hash, byte| hash.rotate_left(5) ^ u32::from(*byte));
    attribute.value.chunks(4).fold(named, |hash, bytes| {
        let mut word = [0; 4];
        word.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        hash.rotate_left(16) ^ u32::from_le_bytes(word)
    })
}

/// Writes attributes, sorted by index, length of name and name, behind `head` bytes of `area`. The
/// rest becomes zero. Gives the hash of all (0 for `base` > 0: inodes have none), or `None` if they
/// do not fit.
pub fn write<'a>(area: &mut [u8], head: usize, base: usize, all: impl Iterator<Item = Attribute<'a>>) -> Option<u32> {
    area.get_mut(head..)?.fill(0);
    let (mut at, mut end, mut total) = (head, area.len(), 0_u32);
    for attribute in all {
        let name_end = at + ENTRY_HEAD + attribute.name.len();
        end = end.checked_sub(attribute.value.len().next_multiple_of(4))?;
        // Four bytes of zero must follow the last entry.
        if end < name_end.next_multiple_of(4) + 4 {
            return None;
        }
        let hash = if base == 0 { hash(&attribute) } else { 0 };
        let offset = if attribute.value.is_empty() { 0 } else { u16::try_from(end - base).ok()? };
        let raw = RawEntry {
            name_len: u8::try_from(attribute.name.len()).ok()?,
            name_index: attribute.index,
            value_offs: U16::new(offset),
            value_inum: U32::ZERO,
            value_size: U32::new(u32::try_from(attribute.value.len()).ok()?),
            hash: U32::new(hash),
        };
        area.get_mut(at..at + ENTRY_HEAD)?.copy_from_slice(raw.as_bytes());
        area.get_mut(at + ENTRY_HEAD..name_end)?.copy_from_slice(attribute.name);
        area.get_mut(end..end + attribute.value.len())?.copy_from_slice(attribute.value);
        at = name_end.next_multiple_of(4);
        total = total.rotate_left(16) ^ hash;
    }
    Some(total)
}

/// The header of a block.
///
/// # Errors
/// If the block is none of attributes.
pub fn header(block: &[u8]) -> Result<BlockHeader, Flaw> {
    let (header, _) = BlockHeader::read_from_prefix(block).map_err(|_| "attribute block is too small")?;
    if header.magic.get() != MAGIC || header.blocks.get() != 1 {
        return Err("attribute block has a wrong header");
    }
    Ok(header)
}

/// Replaces the header of a block.
pub fn set_header(block: &mut [u8], refcount: u32, hash: u32) {
    let header = BlockHeader {
        magic: U32::new(MAGIC),
        refcount: U32::new(refcount),
        blocks: U32::new(1),
        hash: U32::new(hash),
        checksum: U32::ZERO,
        reserved: [U32::ZERO; 3],
    };
    if let Some(place) = block.get_mut(..BLOCK_HEAD) {
        place.copy_from_slice(header.as_bytes());
    }
}

const CHECKSUM: usize = 16;

fn sum(seed: Seed, number: u64, block: &[u8]) -> Option<u32> {
    let (before, behind) = (block.get(..CHECKSUM)?, block.get(CHECKSUM + 4..)?);
    Some(seed.sum_of(&[&number.to_le_bytes(), before, &[0; 4], behind]))
}

/// Whether the block with that number has the right checksum; `seed` is that of the file system.
pub fn verify(seed: Seed, number: u64, block: &[u8]) -> bool {
    let stored = block.get(CHECKSUM..CHECKSUM + 4);
    sum(seed, number, block).is_some_and(|sum| stored == Some(&sum.to_le_bytes()))
}

/// Gives a block its checksum.
pub fn seal(seed: Seed, number: u64, block: &mut [u8]) {
    if let Some(sum) = sum(seed, number, block)
        && let Some(place) = block.get_mut(CHECKSUM..CHECKSUM + 4)
    {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}
