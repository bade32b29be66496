//! Writing transactions to the ring, and from there to their places.

use super::{Log, own_features};
use crate::cache::Bytes;
use crate::disk::DiskError;
use crate::error::{Error, Result};
use crate::seal::Sealed;
use crate::shape::Shape;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use rkt_ext4_format::jbd2::{
    self, BlockHeader, Commit, HEAD_LEN, MAGIC, REVOKE_HEAD, Tag, TagFlags, kind, seal_commit, seal_tail, write_tag,
};
use zerocopy::big_endian::{U32, U64};
use zerocopy::{FromZeros, IntoBytes};

/// A journal that is written.
pub(crate) struct Journal {
    log: Log,
    /// Where the next transaction goes.
    head: u32,
    /// Blocks of the ring that hold transactions not yet checkpointed.
    used: u32,
    /// The next transaction.
    next: u32,
    /// The newest durable content of blocks whose places still have an older one.
    pending: BTreeMap<u64, Bytes>,
    /// Blocks that were checkpointed and not yet reported.
    done: Vec<u64>,
    /// The superblock on the disk says that the ring holds something.
    active: bool,
}

impl Journal {
    /// A journal without transactions whose first will be `next`.
    pub fn new(log: Log, shape: &Shape, next: u32) -> Self {
        let mut log = log;
        let own = own_features(shape.incompat, shape.ro_compat);
        log.features = own | (log.features & jbd2::Features::FAST_COMMIT);
        log.superblock.header.kind = U32::new(kind::SUPERBLOCK_2);
        log.superblock.feature_incompat = U32::new(log.features.bits());
        // CRC32 over whole transactions, which the others replace.
        log.superblock.feature_compat = U32::ZERO;
        log.superblock.checksum_type = if log.features.checksums() { jbd2::CHECKSUM_CRC32C } else { 0 };
        let head = log.first;
        Self { log, head, used: 0, next, pending: BTreeMap::new(), done: Vec::new(), active: false }
    }

    /// Blocks that a transaction should change at most, so that several fit into the ring.
    pub fn largest(&self) -> usize {
        ((self.log.end - self.log.first) / 4) as usize
    }

    fn write_superblock(&mut self, start: u32) -> Result<(), DiskError> {
        self.log.superblock.start = U32::new(start);
        self.log.superblock.sequence = U32::new(self.next);
        self.log.superblock.head = U32::ZERO;
        let sum = if self.log.features.checksums() { self.log.superblock.sum() } else { 0 };
        self.log.superblock.checksum = U32::new(sum);
        let (offset, _) = self.log.place(0).ok_or(DiskError)?;
        let mut block = alloc::vec![0; self.log.block_size];
        let _ = self.log.superblock.write_to_prefix(&mut block);
        self.log.disk.write_durably(offset, &block)
    }

    /// Says on the disk that there is nothing to replay.
    pub fn reset(&mut self) -> Result<(), DiskError> {
        self.active = false;
        self.write_superblock(0)
    }

    /// Records an error, for whoever mounts next.
    pub fn record_error(&mut self, errno: u32) -> Result<(), DiskError> {
        self.log.superblock.errno = U32::new(errno);
        let start = if self.active { self.log.superblock.start.get() } else { 0 };
        let sequence = self.log.superblock.sequence;
        let next = core::mem::replace(&mut self.next, sequence.get());
        let result = self.write_superblock(start);
        self.next = next;
        result
    }

    /// Makes a transaction durable, and with it all data written before.
    ///
    /// # Errors
    /// If the disk fails, or the transaction is larger than the journal.
    pub fn commit(&mut self, sealed: &Sealed, now: i64) -> Result<()> {
        let image = self.image(sealed);
        let needed = (image.len() / self.log.block_size) as u32 + 1;
        let room = self.log.end - self.log.first;
        if needed >= room {
            return Err(Error::TooLarge);
        }
        if self.used + needed >= room {
            self.checkpoint()?;
        }
        if !self.active {
            let head = self.head;
            self.write_superblock(head)?;
            self.active = true;
        }
        self.write_ring(&image)?;
        // Data and the blocks before must be there when the commit block is.
        self.log.disk.flush()?;
        let commit = self.commit_block(sealed.tid, now);
        let (offset, _) = self.log.place(self.head).ok_or(Error::Disk)?;
        self.log.disk.write_durably(offset, &commit)?;
        self.head = self.log.next(self.head);
        self.used += needed;
        self.next = sealed.tid.wrapping_add(1);
        // What was freed must not be written to its place any more: it may belong to another soon.
        for block in &sealed.revoked {
            self.pending.remove(block);
        }
        self.pending.extend(sealed.blocks.iter().cloned());
        Ok(())
    }

    /// All blocks of a transaction but the commit block, as they will stand in the journal.
    fn image(&self, sealed: &Sealed) -> Vec<u8> {
        let size = self.log.block_size;
        let (features, seed) = (self.log.features, self.log.seed());
        let tail = features.tail_len();
        let mut image = Vec::with_capacity((sealed.blocks.len() + 4) * size);
        let per_block = (size - REVOKE_HEAD - tail) / features.revoke_len();
        let revoked: Vec<u64> = sealed.revoked.iter().copied().collect();
        for numbers in revoked.chunks(per_block.max(1)) {
            image.extend(self.revocation_block(sealed.tid, numbers));
        }
        let mut rest = sealed.blocks.as_slice();
        while !rest.is_empty() {
            let start = image.len();
            image.resize(start + size, 0);
            let mut tags = Vec::with_capacity(size);
            tags.extend_from_slice(BlockHeader::new(kind::DESCRIPTOR, sealed.tid).as_bytes());
            tags.resize(size - tail, 0);
            let mut at = HEAD_LEN;
            let mut first = true;
            while let Some(((block, bytes), behind)) = rest.split_first() {
                // Room for another tag behind this one, or it is the last.
                let len = features.tag_len() + if first { 16 } else { 0 };
                let last = behind.is_empty() || at + len + features.tag_len() > tags.len();
                let escaped = bytes.starts_with(&MAGIC.to_be_bytes());
                let data = image.len();
                image.extend_from_slice(bytes);
                if let Some(magic) = image.get_mut(data..data + 4).filter(|_| escaped) {
                    magic.fill(0);
                }
                let stored = image.get(data..).unwrap_or_default();
                let checksum = if features.checksums() { jbd2::data_sum(seed, sealed.tid, stored) } else { 0 };
                let mut flags = TagFlags::empty();
                flags.set(TagFlags::ESCAPED, escaped);
                flags.set(TagFlags::SAME_UUID, !first);
                flags.set(TagFlags::LAST, last);
                let tag = Tag { block: *block, flags, checksum };
                let place = tags.get_mut(at..).unwrap_or_default();
                at += write_tag(place, &tag, &self.log.superblock.uuid, features).unwrap_or(0);
                (rest, first) = (behind, false);
                if last {
                    break;
                }
            }
            tags.resize(size, 0);
            if tail > 0 {
                seal_tail(seed, &mut tags);
            }
            if let Some(place) = image.get_mut(start..start + size) {
                place.copy_from_slice(&tags);
            }
        }
        image
    }

    fn revocation_block(&self, tid: u32, numbers: &[u64]) -> Vec<u8> {
        let width = self.log.features.revoke_len();
        let mut block = Vec::with_capacity(self.log.block_size);
        block.extend_from_slice(BlockHeader::new(kind::REVOKE, tid).as_bytes());
        let end = (REVOKE_HEAD + numbers.len() * width) as u32;
        block.extend_from_slice(&end.to_be_bytes());
        for number in numbers {
            let bytes = number.to_be_bytes();
            block.extend_from_slice(bytes.get(bytes.len() - width..).unwrap_or_default());
        }
        block.resize(self.log.block_size, 0);
        if self.log.features.checksums() {
            seal_tail(self.log.seed(), &mut block);
        }
        block
    }

    fn commit_block(&self, tid: u32, now: i64) -> Vec<u8> {
        let mut commit = Commit::new_zeroed();
        commit.header = BlockHeader::new(kind::COMMIT, tid);
        commit.seconds = U64::new(u64::try_from(now / 1_000_000_000).unwrap_or(0));
        commit.nanoseconds = U32::new(now.rem_euclid(1_000_000_000) as u32);
        let mut block = alloc::vec![0; self.log.block_size];
        let _ = commit.write_to_prefix(&mut block);
        if self.log.features.checksums() {
            seal_commit(self.log.seed(), &mut block);
        }
        block
    }

    /// Writes blocks to the ring from the head on, in as few pieces as the ring and the journal's
    /// extents allow.
    fn write_ring(&mut self, image: &[u8]) -> Result<(), DiskError> {
        let size = self.log.block_size;
        let mut pieces = Vec::new();
        let mut rest = image;
        while !rest.is_empty() {
            let (offset, follow) = self.log.place(self.head).ok_or(DiskError)?;
            let count = follow.min(self.log.end - self.head).min((rest.len() / size) as u32);
            let (piece, behind) = rest.split_at_checked(count as usize * size).ok_or(DiskError)?;
            pieces.push((offset, piece));
            rest = behind;
            self.head = if self.head + count >= self.log.end { self.log.first } else { self.head + count };
        }
        self.log.disk.write_many(&pieces)
    }

    /// Writes all pending blocks to their places and empties the ring.
    pub fn checkpoint(&mut self) -> Result<(), DiskError> {
        let size = self.log.block_size as u64;
        let pieces: Vec<(u64, &[u8])> = self.pending.iter().map(|(block, bytes)| (block * size, &**bytes)).collect();
        self.log.disk.write_many(&pieces)?;
        self.log.disk.flush()?;
        self.done.extend(core::mem::take(&mut self.pending).into_keys());
        self.used = 0;
        let start = if self.active { self.head } else { 0 };
        self.write_superblock(start)
    }

    /// Blocks that checkpoints wrote since this was last called, and the last transaction that
    /// they may belong to.
    pub fn take_done(&mut self) -> (Vec<u64>, u32) {
        (core::mem::take(&mut self.done), self.next.wrapping_sub(1))
    }
}
