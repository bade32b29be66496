//! The journal: transactions go to a ring of blocks first, and to their places when the ring is
//! full (checkpoint). After a crash what is complete in the ring is replayed.

mod recover;
mod write;

pub(crate) use recover::Plan;
pub(crate) use write::Journal;

use crate::core::Core;
use crate::disk::{Disk, read_vec};
use crate::error::MountError;
use crate::shape::Shape;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_ext4_format::Seed;
use rkt_ext4_format::features::{Incompat, RoCompat};
use rkt_ext4_format::jbd2::{self, Features, Superblock, kind};
use zerocopy::FromBytes;

/// Features that are known here.
const KNOWN: Features = Features::REVOKE
    .union(Features::BIT64)
    .union(Features::CSUM_V2)
    .union(Features::CSUM_V3)
    .union(Features::FAST_COMMIT);

/// Where the journal is, and what its superblock says.
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    block_size: usize,
    /// Blocks of the file system, for checking where copies belong.
    fs_blocks: u64,
    /// Runs of the journal's file: first block of the journal, first block of the disk, length.
    runs: Vec<(u32, u64, u32)>,
    superblock: Superblock,
    features: Features,
    /// First block of the ring.
    first: u32,
    /// The block behind the ring.
    end: u32,
}

impl Log {
    /// Finds and checks the journal.
    pub fn open(core: &mut Core, disk: Arc<dyn Disk>) -> Result<Self, MountError> {
        let ino = core.superblock.journal_inum.get();
        if ino == 0 {
            return Err(MountError::Journal("journal is on another device"));
        }
        let shape = core.shape.clone();
        let size = core.inode(ino)?.size;
        let len = u32::try_from(size / shape.block_size as u64).unwrap_or(u32::MAX);
        let mut runs = Vec::new();
        let mut at = 0;
        while at < len {
            let found = core.map(ino, at, len - at)?;
            let run = found.run().ok_or(MountError::Journal("journal has a hole"))?;
            runs.push((at, run.start, found.len));
            at += found.len;
        }
        let (_, start, _) = *runs.first().ok_or(MountError::Journal("journal is empty"))?;
        let bytes = read_vec(&*disk, start * shape.block_size as u64, shape.block_size)?;
        let (superblock, _) =
            Superblock::read_from_prefix(&bytes).map_err(|_| MountError::Journal("journal is empty"))?;
        let features = superblock.features();
        check(&superblock, features, &shape, len)?;
        let fast = if features.contains(Features::FAST_COMMIT) { superblock.num_fc_blocks.get() } else { 0 };
        let (first, maxlen) = (superblock.first.get(), superblock.maxlen.get());
        let end = maxlen.checked_sub(fast).filter(|end| *end > first + 8);
        let end = end.ok_or(MountError::Journal("journal has no room"))?;
        let start = superblock.start.get();
        if start != 0 && !(first..end).contains(&start) {
            return Err(MountError::Journal("journal begins outside of itself"));
        }
        Ok(Self { disk, block_size: shape.block_size, fs_blocks: shape.blocks, runs, superblock, features, first, end })
    }

    /// What checksums begin with.
    fn seed(&self) -> Seed {
        Seed::of_uuid(&self.superblock.uuid)
    }

    /// Where a block of the journal is on the disk, in bytes, and how many blocks follow it there.
    fn place(&self, block: u32) -> Option<(u64, u32)> {
        let at = self.runs.partition_point(|(first, _, _)| *first <= block).checked_sub(1)?;
        let (first, start, len) = self.runs.get(at)?;
        let skipped = block - first;
        (skipped < *len).then(|| ((start + u64::from(skipped)) * self.block_size as u64, len - skipped))
    }

    /// The block of the ring behind `block`.
    fn next(&self, block: u32) -> u32 {
        if block + 1 >= self.end { self.first } else { block + 1 }
    }

    fn read(&self, block: u32) -> Result<Vec<u8>, MountError> {
        let (offset, _) = self.place(block).ok_or(MountError::Journal("journal is too short"))?;
        Ok(read_vec(&*self.disk, offset, self.block_size)?)
    }

    /// Whether the journal holds transactions.
    pub fn is_dirty(&self) -> bool {
        self.superblock.start.get() != 0
    }

    /// The transaction that comes next, if the journal is empty.
    pub fn next_transaction(&self) -> u32 {
        self.superblock.sequence.get()
    }

    /// Bytes of a block.
    pub fn block_size(&self) -> usize {
        self.block_size
    }

    /// The error that somebody recorded; 0 if none.
    pub fn errno(&self) -> u32 {
        self.superblock.errno.get()
    }
}

fn check(superblock: &Superblock, features: Features, shape: &Shape, len: u32) -> Result<(), MountError> {
    let check = |condition: bool, what| if condition { Ok(()) } else { Err(MountError::Journal(what)) };
    let kinds = [kind::SUPERBLOCK_1, kind::SUPERBLOCK_2];
    let header = &superblock.header;
    check(header.magic.get() == jbd2::MAGIC && kinds.contains(&header.kind.get()), "journal has no superblock")?;
    check(superblock.blocksize.get() as usize == shape.block_size, "journal has another block size")?;
    check(superblock.maxlen.get() <= len && superblock.first.get() > 0, "journal is longer than its file")?;
    check(!features.contains(Features::ASYNC_COMMIT), "journal has the unsupported feature async_commit")?;
    check(KNOWN.contains(features), "journal has unknown features")?;
    if features.checksums() {
        check(superblock.checksum_type == jbd2::CHECKSUM_CRC32C, "journal names an unknown checksum")?;
        check(superblock.checksum.get() == superblock.sum(), "journal superblock has a wrong checksum")?;
    }
    Ok(())
}

/// Features that a journal is written with here.
pub(crate) fn own_features(incompat: Incompat, ro_compat: RoCompat) -> Features {
    let mut features = Features::REVOKE;
    features.set(Features::BIT64, incompat.contains(Incompat::BIT64));
    features.set(Features::CSUM_V3, ro_compat.contains(RoCompat::METADATA_CSUM));
    features
}
