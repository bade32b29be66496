//! Extent trees ("Extent Tree"): nodes of a header and entries of 12 bytes, sorted.

use crate::checksum::Seed;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `eh_magic`.
pub const MAGIC: u16 = 0xf30a;
/// Deepest tree; what 2^32 blocks need at most.
pub const MAX_DEPTH: u16 = 5;
/// Most blocks of an extent.
pub const MAX_LEN: u32 = 0x8000;
/// Most blocks of an unwritten one, whose length is stored plus [`MAX_LEN`].
pub const MAX_UNWRITTEN_LEN: u32 = 0x7fff;
/// Bytes of a header and of an entry.
pub const ENTRY_LEN: usize = 12;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawHeader {
    magic: U16,
    entries: U16,
    max: U16,
    depth: U16,
    generation: U32,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawExtent {
    block: U32,
    len: U16,
    start_hi: U16,
    start_lo: U32,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawIndex {
    block: U32,
    leaf_lo: U32,
    leaf_hi: U16,
    unused: U16,
}

/// What the header of a node says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Entries in use.
    pub entries: u16,
    /// Entries that there is room for.
    pub max: u16,
    /// 0 for a leaf, else distance from the leaves.
    pub depth: u16,
}

/// An entry of a leaf: blocks of a file in a row on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First block of the file.
    pub logical: u32,
    /// Blocks: 1 to [`MAX_LEN`].
    pub len: u32,
    /// First block on the disk.
    pub physical: u64,
    /// Allocated, but reads as zeroes.
    pub unwritten: bool,
}

/// An entry of an inner node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    /// First block of the file that the child covers.
    pub logical: u32,
    /// Block of the child.
    pub child: u64,
}

/// An entry of either kind of node.
pub trait Entry: Copy {
    /// First block of the file.
    fn logical(&self) -> u32;
    /// From its bytes.
    fn decode(bytes: &[u8; ENTRY_LEN]) -> Self;
    /// To its bytes.
    fn encode(&self) -> [u8; ENTRY_LEN];
}

impl Extent {
    /// The block of the file behind the extent; may be 2^32.
    pub fn end(&self) -> u64 {
        u64::from(self.logical) + u64::from(self.len)
    }

    /// Whether `next` goes on where this one ends, on the disk, too, and both fit into one.
    pub fn joins(&self, next: &Self) -> bool {
        let longest = if self.unwritten { MAX_UNWRITTEN_LEN } else { MAX_LEN };
        self.end() == u64::from(next.logical)
            && self.physical + u64::from(self.len) == next.physical
            && self.unwritten == next.unwritten
            && self.len + next.len <= longest
    }
}

impl Entry for Extent {
    fn logical(&self) -> u32 {
        self.logical
    }

    fn decode(bytes: &[u8; ENTRY_LEN]) -> Self {
        let raw: RawExtent = zerocopy::transmute!(*bytes);
        let len = u32::from(raw.len.get());
        let unwritten = len > MAX_LEN;
        Self {
            logical: raw.block.get(),
            len: if unwritten { len - MAX_LEN } else { len },
            physical: u64::from(raw.start_hi.get()) << 32 | u64::from(raw.start_lo.get()),
            unwritten,
        }
    }

    fn encode(&self) -> [u8; ENTRY_LEN] {
        let len = self.len + if self.unwritten { MAX_LEN } else { 0 };
        zerocopy::transmute!(RawExtent {
            block: U32::new(self.logical),
            len: U16::new(len as u16),
            start_hi: U16::new((self.physical >> 32) as u16),
            start_lo: U32::new(self.physical as u32),
        })
    }
}

impl Entry for Index {
    fn logical(&self) -> u32 {
        self.logical
    }

    fn decode(bytes: &[u8; ENTRY_LEN]) -> Self {
        let raw: RawIndex = zerocopy::transmute!(*bytes);
        let child = u64::from(raw.leaf_hi.get()) << 32 | u64::from(raw.leaf_lo.get());
        Self { logical: raw.block.get(), child }
    }

    fn encode(&self) -> [u8; ENTRY_LEN] {
        zerocopy::transmute!(RawIndex {
            block: U32::new(self.logical),
            leaf_lo: U32::new(self.child as u32),
            leaf_hi: U16::new((self.child >> 32) as u16),
            unused: U16::ZERO,
        })
    }
}

/// What is wrong with a node.
pub type Flaw = &'static str;

/// Reads the header of a node.
///
/// # Errors
/// If the magic number is wrong or the node is too small for what the header says.
pub fn header(node: &[u8]) -> Result<Header, Flaw> {
    let (raw, rest) = RawHeader::read_from_prefix(node).map_err(|_| "extent node is too small")?;
    if raw.magic.get() != MAGIC {
        return Err("extent node has a wrong magic number");
    }
    let header = Header { entries: raw.entries.get(), max: raw.max.get(), depth: raw.depth.get() };
    if header.entries > header.max || usize::from(header.max) > rest.len() / ENTRY_LEN {
        return Err("extent node has more entries than room");
    }
    if header.depth > MAX_DEPTH {
        return Err("extent tree is too deep");
    }
    Ok(header)
}

/// Writes the header of a node.
pub fn set_header(node: &mut [u8], header: Header) {
    let raw = RawHeader {
        magic: U16::new(MAGIC),
        entries: U16::new(header.entries),
        max: U16::new(header.max),
        depth: U16::new(header.depth),
        generation: U32::ZERO,
    };
    if let Some(place) = node.get_mut(..ENTRY_LEN) {
        place.copy_from_slice(raw.as_bytes());
    }
}

/// Entries that fit into a node of so many bytes; blocks keep 4 for the checksum.
pub fn capacity(len: usize) -> u16 {
    u16::try_from(len.saturating_sub(ENTRY_LEN) / ENTRY_LEN).unwrap_or(u16::MAX)
}

/// The entry at a position, if there is one.
pub fn entry<E: Entry>(node: &[u8], at: usize) -> Option<E> {
    let count = header(node).ok()?.entries;
    let start = ENTRY_LEN * (at + 1);
    let bytes = node.get(start..start + ENTRY_LEN).filter(|_| at < usize::from(count))?;
    bytes.try_into().ok().map(E::decode)
}

/// All entries.
pub fn entries<E: Entry>(node: &[u8]) -> impl Iterator<Item = E> {
    let count = header(node).map_or(0, |header| header.entries);
    let (chunks, _) = node.get(ENTRY_LEN..).unwrap_or_default().as_chunks::<ENTRY_LEN>();
    chunks.iter().take(count.into()).map(E::decode)
}

/// Replaces all entries; those that do not fit are dropped, which the caller has to prevent.
pub fn set_entries<E: Entry>(node: &mut [u8], header: Header, all: &[E]) {
    let (chunks, _) = node.get_mut(ENTRY_LEN..).unwrap_or_default().as_chunks_mut::<ENTRY_LEN>();
    let mut entries = 0;
    for (place, entry) in chunks.iter_mut().take(header.max.into()).zip(all) {
        *place = entry.encode();
        entries += 1;
    }
    set_header(node, Header { entries, ..header });
}

/// Position of the last entry that begins at or before `logical`; `None` if there is none.
pub fn find<E: Entry>(node: &[u8], logical: u32) -> Option<usize> {
    let (mut low, mut high) = (0, usize::from(header(node).ok()?.entries));
    while low < high {
        let middle = low.midpoint(high);
        if entry::<E>(node, middle)?.logical() <= logical { low = middle + 1 } else { high = middle }
    }
    low.checked_sub(1)
}

/// Checks all of a node: the header, that it is `depth` from the leaves, that entries are in order
/// and do not overlap, and that blocks lie below `blocks`.
///
/// # Errors
/// What is wrong.
pub fn check(node: &[u8], depth: u16, blocks: u64) -> Result<(), Flaw> {
    if header(node)?.depth != depth {
        return Err("extent node has a wrong depth");
    }
    let mut next = 0;
    if depth == 0 {
        for extent in entries::<Extent>(node) {
            if extent.len == 0 || u64::from(extent.logical) < next || extent.end() > 1 << 32 {
                return Err("extents overlap or are empty");
            }
            if extent.physical == 0 || extent.physical + u64::from(extent.len) > blocks {
                return Err("extent lies outside of the disk");
            }
            next = extent.end();
        }
        return Ok(());
    }
    if header(node)?.entries == 0 {
        return Err("inner extent node is empty");
    }
    for index in entries::<Index>(node) {
        if u64::from(index.logical) < next {
            return Err("extent indices are out of order");
        }
        if index.child == 0 || index.child >= blocks {
            return Err("extent node lies outside of the disk");
        }
        next = u64::from(index.logical) + 1;
    }
    Ok(())
}

/// The checksum of a block that is a node, and where it lies: behind the last entry that there is
/// room for.
fn sum(seed: Seed, block: &[u8]) -> Option<(u32, usize)> {
    let at = ENTRY_LEN * (usize::from(header(block).ok()?.max) + 1);
    block.get(..at).map(|body| (seed.sum(body), at))
}

/// Whether a block that is a node has the right checksum; `seed` is that of the inode.
pub fn verify(seed: Seed, block: &[u8]) -> bool {
    sum(seed, block).is_some_and(|(sum, at)| block.get(at..at + 4) == Some(&sum.to_le_bytes()))
}

/// Gives a block that is a node its checksum.
pub fn seal(seed: Seed, block: &mut [u8]) {
    if let Some((sum, at)) = sum(seed, block)
        && let Some(place) = block.get_mut(at..at + 4)
    {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}
