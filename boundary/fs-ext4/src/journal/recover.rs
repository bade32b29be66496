//! Replay ("Recovery"): first all complete transactions are found, in order, and what they
//! revoke; then the newest copy of each block that is not revoked goes to its place.

use super::Log;
use crate::error::MountError;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use rkt_ext4_format::jbd2::{self, BlockHeader, Features, HEAD_LEN, MAGIC, REVOKE_HEAD, TagFlags, kind};

/// A copy of a block in the journal.
#[derive(Clone, Copy, Debug)]
struct Copy {
    /// Block of the journal.
    at: u32,
    tid: u32,
    escaped: bool,
    checksum: u32,
}

/// What is to be replayed.
pub(crate) struct Plan {
    copies: BTreeMap<u64, Copy>,
    /// Complete transactions.
    pub transactions: u32,
    /// Number of the transaction that would have come next.
    pub next: u32,
}

/// What a transaction holds, as far as it has been read.
#[derive(Default)]
struct Transaction {
    copies: Vec<(u64, Copy)>,
    revoked: Vec<u64>,
}

/// Whether `a` is the same transaction as `b` or a later one; numbers wrap.
fn not_before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() >= 0
}

impl Plan {
    /// Reads the journal.
    pub fn make(log: &Log) -> Result<Self, MountError> {
        let mut next = log.superblock.sequence.get();
        let mut plan = Self { copies: BTreeMap::new(), transactions: 0, next };
        let mut revoked: BTreeMap<u64, u32> = BTreeMap::new();
        let mut open = Transaction::default();
        let mut at = log.superblock.start.get();
        // No more blocks than the ring has.
        let mut left = log.end - log.first;
        while left > 0 {
            let bytes = log.read(at)?;
            let header = BlockHeader::parse(&bytes).filter(|header| header.sequence.get() == next);
            let Some(header) = header else { break };
            (at, left) = (log.next(at), left - 1);
            match header.kind.get() {
                kind::DESCRIPTOR if log.tail_is_right(&bytes) => {
                    for (block, copy) in log.tags(&bytes, next)? {
                        open.copies.push((block, Copy { at, ..copy }));
                        (at, left) = (log.next(at), left.saturating_sub(1));
                    }
                }
                kind::REVOKE if log.tail_is_right(&bytes) => open.revoked.extend(log.revocations(&bytes)?),
                kind::COMMIT if !log.features.checksums() || jbd2::verify_commit(log.seed(), &bytes) => {
                    let Transaction { copies, revoked: blocks } = core::mem::take(&mut open);
                    plan.copies.extend(copies);
                    revoked.extend(blocks.into_iter().map(|block| (block, next)));
                    next = next.wrapping_add(1);
                    plan.transactions += 1;
                }
                _ => break,
            }
        }
        plan.next = next;
        plan.copies.retain(|block, copy| !revoked.get(block).is_some_and(|tid| not_before(*tid, copy.tid)));
        log.refuse_fast_commits(next)?;
        Ok(plan)
    }

    /// Blocks that will be written.
    pub fn len(&self) -> usize {
        self.copies.len()
    }

    /// Gives every block that is to be replayed to `put`.
    pub fn replay(
        &self,
        log: &Log,
        mut put: impl FnMut(u64, Vec<u8>) -> Result<(), MountError>,
    ) -> Result<(), MountError> {
        for (block, copy) in &self.copies {
            let mut bytes = log.read(copy.at)?;
            let sum = jbd2::data_sum(log.seed(), copy.tid, &bytes);
            let right = match log.features {
                features if features.contains(Features::CSUM_V3) => sum == copy.checksum,
                features if features.contains(Features::CSUM_V2) => sum as u16 == copy.checksum as u16,
                _ => true,
            };
            if !right {
                return Err(MountError::Journal("journal holds a block with a wrong checksum"));
            }
            if copy.escaped
                && let Some(magic) = bytes.first_chunk_mut()
            {
                *magic = MAGIC.to_be_bytes();
            }
            put(*block, bytes)?;
        }
        Ok(())
    }
}

impl Log {
    fn tail_is_right(&self, bytes: &[u8]) -> bool {
        !self.features.checksums() || jbd2::verify_tail(self.seed(), bytes)
    }

    /// The copies that a descriptor block announces; where they lie is still to be filled in.
    fn tags(&self, bytes: &[u8], tid: u32) -> Result<Vec<(u64, Copy)>, MountError> {
        let end = bytes.len().saturating_sub(self.features.tail_len());
        let mut rest = bytes.get(HEAD_LEN..end).unwrap_or_default();
        let mut all = Vec::new();
        while let Some((tag, len)) = jbd2::parse_tag(rest, self.features) {
            if tag.block >= self.fs_blocks {
                return Err(MountError::Journal("journal holds a block from outside of the disk"));
            }
            let escaped = tag.flags.contains(TagFlags::ESCAPED);
            all.push((tag.block, Copy { at: 0, tid, escaped, checksum: tag.checksum }));
            rest = rest.get(len..).unwrap_or_default();
            if tag.flags.contains(TagFlags::LAST) {
                break;
            }
        }
        Ok(all)
    }

    fn revocations(&self, bytes: &[u8]) -> Result<Vec<u64>, MountError> {
        let flaw = MountError::Journal("journal holds a revocation block of a wrong length");
        let count = bytes.get(HEAD_LEN..REVOKE_HEAD).and_then(|count| count.try_into().ok()).map(u32::from_be_bytes);
        let end = count.map(|count| count as usize).filter(|end| *end <= bytes.len() - self.features.tail_len());
        let numbers = end.and_then(|end| bytes.get(REVOKE_HEAD..end)).ok_or(flaw)?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        Ok(numbers.chunks_exact(self.features.revoke_len()).map(number).collect())
    }

    /// Fast commits are not replayed here. They lie behind the ring and begin with a head that
    /// names the transaction that they belong to.
    fn refuse_fast_commits(&self, next: u32) -> Result<(), MountError> {
        /// `EXT4_FC_TAG_HEAD`, little-endian as all of the fast commit area.
        const HEAD: [u8; 2] = [9, 0];
        if !self.features.contains(Features::FAST_COMMIT) || self.superblock.maxlen.get() == self.end {
            return Ok(());
        }
        let bytes = self.read(self.end)?;
        if bytes.starts_with(&HEAD) && bytes.get(8..12) == Some(&next.to_le_bytes()) {
            return Err(MountError::Journal("journal holds fast commits, which must be replayed by e2fsck or Linux"));
        }
        Ok(())
    }
}
