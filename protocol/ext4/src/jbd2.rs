//! The journal ("Journal (jbd2)"): a superblock, then a ring of transactions, each of descriptor
//! blocks with the data blocks that they describe, revocation blocks, and a commit block.
//! All is big-endian.

use crate::checksum::{Seed, crc32c};
use bitflags::bitflags;
use core::mem::offset_of;
use zerocopy::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First bytes of every block that the journal itself wrote.
pub const MAGIC: u32 = 0xc03b_3998;
/// Fewest blocks of a journal (`JBD2_MIN_JOURNAL_BLOCKS`).
pub const MIN_BLOCKS: u32 = 1024;
/// `s_checksum_type`: CRC-32C.
pub const CHECKSUM_CRC32C: u8 = 4;
/// Bytes at the end of descriptor and revocation blocks for the checksum.
pub const TAIL_LEN: usize = 4;
/// Bytes of [`BlockHeader`].
pub const HEAD_LEN: usize = 12;
/// Bytes of a revocation block before the first block number.
pub const REVOKE_HEAD: usize = 16;

/// Kinds of blocks (`h_blocktype`).
pub mod kind {
    /// Describes the data blocks behind it.
    pub const DESCRIPTOR: u32 = 1;
    /// Ends a transaction.
    pub const COMMIT: u32 = 2;
    /// Superblock of the first version, without features.
    pub const SUPERBLOCK_1: u32 = 3;
    /// Superblock.
    pub const SUPERBLOCK_2: u32 = 4;
    /// Lists blocks whose older copies must not be replayed.
    pub const REVOKE: u32 = 5;
}

bitflags! {
    /// `s_feature_incompat`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Features: u32 {
        /// Revocation blocks.
        const REVOKE = 0x1;
        /// Block numbers of 64 bits.
        const BIT64 = 0x2;
        /// Commit blocks are written without waiting for the blocks before them.
        const ASYNC_COMMIT = 0x4;
        /// Checksums, in tags 16 bits.
        const CSUM_V2 = 0x8;
        /// Checksums, in tags 32 bits.
        const CSUM_V3 = 0x10;
        /// Fast commits behind the ring.
        const FAST_COMMIT = 0x20;
    }
}

impl Features {
    /// Whether blocks of the journal have checksums.
    pub fn checksums(self) -> bool {
        self.intersects(Self::CSUM_V2.union(Self::CSUM_V3))
    }

    /// Bytes of a tag, without the UUID that may follow it.
    pub fn tag_len(self) -> usize {
        if self.contains(Self::CSUM_V3) {
            return 16;
        }
        8 + if self.contains(Self::CSUM_V2) { 2 } else { 0 } + if self.contains(Self::BIT64) { 4 } else { 0 }
    }

    /// Bytes of a block number in a revocation block.
    pub fn revoke_len(self) -> usize {
        if self.contains(Self::BIT64) { 8 } else { 4 }
    }

    /// Bytes that a descriptor or revocation block keeps for its checksum.
    pub fn tail_len(self) -> usize {
        if self.checksums() { TAIL_LEN } else { 0 }
    }
}

/// What every block that the journal wrote begins with.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct BlockHeader {
    /// [`MAGIC`].
    pub magic: U32,
    /// See [`kind`].
    pub kind: U32,
    /// Number of the transaction.
    pub sequence: U32,
}

impl BlockHeader {
    /// Of a block of that kind in that transaction.
    pub fn new(kind: u32, sequence: u32) -> Self {
        Self { magic: U32::new(MAGIC), kind: U32::new(kind), sequence: U32::new(sequence) }
    }

    /// Reads it; `None` if the block is not one that the journal wrote.
    pub fn parse(block: &[u8]) -> Option<Self> {
        Self::read_from_prefix(block).ok().map(|(header, _)| header).filter(|header| header.magic.get() == MAGIC)
    }
}

/// The superblock; it takes the first 1024 bytes of the journal's first block.
#[derive(Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Superblock {
    pub header: BlockHeader,
    pub blocksize: U32,
    pub maxlen: U32,
    pub first: U32,
    pub sequence: U32,
    pub start: U32,
    pub errno: U32,
    pub feature_compat: U32,
    pub feature_incompat: U32,
    pub feature_ro_compat: U32,
    pub uuid: [u8; 16],
    pub nr_users: U32,
    pub dynsuper: U32,
    pub max_transaction: U32,
    pub max_trans_data: U32,
    pub checksum_type: u8,
    pub padding2: [u8; 3],
    pub num_fc_blocks: U32,
    pub head: U32,
    pub padding: [U32; 40],
    pub checksum: U32,
    pub users: [[u8; 16]; 48],
}

const _: () = assert!(size_of::<Superblock>() == 1024);

impl Superblock {
    /// Features; none in a superblock of the first version.
    pub fn features(&self) -> Features {
        let old = self.header.kind.get() == kind::SUPERBLOCK_1;
        Features::from_bits_retain(if old { 0 } else { self.feature_incompat.get() })
    }

    /// The checksum that the superblock should have.
    pub fn sum(&self) -> u32 {
        const AT: usize = offset_of!(Superblock, checksum);
        let bytes = self.as_bytes();
        let (before, behind) = (bytes.get(..AT).unwrap_or_default(), bytes.get(AT + 4..).unwrap_or_default());
        Seed(!0).sum_of(&[before, &[0; 4], behind])
    }
}

/// The commit block's fields.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Commit {
    pub header: BlockHeader,
    pub checksum_type: u8,
    pub checksum_size: u8,
    pub padding: [u8; 2],
    pub checksum: [U32; 8],
    pub seconds: U64,
    pub nanoseconds: U32,
}

bitflags! {
    /// Flags of a tag.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct TagFlags: u32 {
        /// The data began with the magic number, which is stored as zeroes.
        const ESCAPED = 1;
        /// No UUID follows.
        const SAME_UUID = 2;
        /// The block was deleted.
        const DELETED = 4;
        /// The last tag of the descriptor block.
        const LAST = 8;
    }
}

/// Describes a data block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Where it belongs on the disk.
    pub block: u64,
    /// Flags.
    pub flags: TagFlags,
    /// Checksum, its low 16 bits with `CSUM_V2`.
    pub checksum: u32,
}

/// Reads a tag from the front of `bytes`; gives it and how many bytes it and its UUID take.
pub fn parse_tag(bytes: &[u8], features: Features) -> Option<(Tag, usize)> {
    let len = features.tag_len();
    let bytes = bytes.get(..len)?;
    let word = |at: usize| bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word));
    let half = |at: usize| bytes.get(at..)?.first_chunk().map(|half| u16::from_be_bytes(*half));
    let high = if features.contains(Features::BIT64) { word(8)? } else { 0 };
    let (flags, checksum) =
        if features.contains(Features::CSUM_V3) { (word(4)?, word(12)?) } else { (half(6)?.into(), half(4)?.into()) };
    let flags = TagFlags::from_bits_retain(flags);
    let uuid = if flags.contains(TagFlags::SAME_UUID) { 0 } else { 16 };
    Some((Tag { block: u64::from(high) << 32 | u64::from(word(0)?), flags, checksum }, len + uuid))
}

/// Writes a tag to the front of `bytes`; gives its length, or `None` if
/// there is no room.
pub fn write_tag(bytes: &mut [u8], tag: &Tag, uuid: &[u8; 16], features: Features) -> Option<usize> {
    let len = features.tag_len();
    let with_uuid = !tag.flags.contains(TagFlags::SAME_UUID);
    let place = bytes.get_mut(..len + if with_uuid { 16 } else { 0 })?;
    let mut put = |at: usize, value: &[u8]| {
        if let Some(place) = place.get_mut(at..at + value.len()) {
            place.copy_from_slice(value);
        }
    };
    put(0, &(tag.block as u32).to_be_bytes());
    if features.contains(Features::CSUM_V3) {
        put(4, &tag.flags.bits().to_be_bytes());
        put(8, &[0; 4]);
        put(12, &tag.checksum.to_be_bytes());
    } else {
        put(4, &(tag.checksum as u16).to_be_bytes());
        put(6, &(tag.flags.bits() as u16).to_be_bytes());
    }
    if features.contains(Features::BIT64) {
        put(8, &((tag.block >> 32) as u32).to_be_bytes());
    }
    if with_uuid {
        put(len, uuid);
    }
    Some(place.len())
}

/// Checksum of a data block, for its tag: `data` as it stands in the journal.
pub fn data_sum(seed: Seed, sequence: u32, data: &[u8]) -> u32 {
    crc32c(seed.sum(&sequence.to_be_bytes()), data)
}

/// Whether a descriptor or revocation block has the right checksum in its last bytes.
pub fn verify_tail(seed: Seed, block: &[u8]) -> bool {
    let Some((body, tail)) = block.split_last_chunk::<TAIL_LEN>() else { return false };
    seed.sum_of(&[body, &[0; TAIL_LEN]]) == u32::from_be_bytes(*tail)
}

/// Gives a descriptor or revocation block its checksum.
pub fn seal_tail(seed: Seed, block: &mut [u8]) {
    let Some((body, tail)) = block.split_last_chunk_mut::<TAIL_LEN>() else { return };
    *tail = seed.sum_of(&[body, &[0; TAIL_LEN]]).to_be_bytes();
}

const COMMIT_SUM: usize = offset_of!(Commit, checksum);

fn commit_sum(seed: Seed, block: &[u8]) -> Option<u32> {
    Some(seed.sum_of(&[block.get(..COMMIT_SUM)?, &[0; 4], block.get(COMMIT_SUM + 4..)?]))
}

/// Whether a commit block has the right checksum.
pub fn verify_commit(seed: Seed, block: &[u8]) -> bool {
    let stored = block.get(COMMIT_SUM..COMMIT_SUM + 4);
    commit_sum(seed, block).is_some_and(|sum| stored == Some(&sum.to_be_bytes()))
}

/// Gives a commit block its checksum.
pub fn seal_commit(seed: Seed, block: &mut [u8]) {
    if let Some(sum) = commit_sum(seed, block)
        && let Some(place) = block.get_mut(COMMIT_SUM..COMMIT_SUM + 4)
    {
        place.copy_from_slice(&sum.to_be_bytes());
    }
}
