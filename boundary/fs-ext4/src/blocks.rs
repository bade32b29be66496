//! Allocation of blocks. A run is first claimed, in memory alone, then data is written to it, and
//! then it is taken, in the transaction that makes it reachable.

use crate::bits::{self, Bits};
use crate::core::{Core, Run};
use crate::error::{Error, Result, bad_block};

/// Longest run that is looked for; longer files get several.
const LONGEST: u32 = 2048;

impl Core {
    /// Blocks that may still be promised.
    pub fn available(&self) -> u64 {
        self.groups.free_blocks.saturating_sub(self.reserved + self.pending_free)
    }

    /// An operation will allocate up to so many blocks.
    ///
    /// # Errors
    /// `NoSpace` if there are not that many.
    pub fn require(&self, blocks: u64) -> Result<()> {
        if self.available() < blocks { Err(Error::NoSpace) } else { Ok(()) }
    }

    /// Blocks of a group that must not be allocated.
    pub fn in_use(&mut self, group: u32) -> Result<&mut Bits> {
        if self.groups.get(group)?.in_use.is_none() {
            let len = self.shape.group_len(group);
            let bits = Bits::new(&self.block_bitmap(group)?, len);
            self.groups.get_mut(group)?.in_use = Some(bits);
        }
        let start = self.shape.group_start(group);
        self.groups.get_mut(group)?.in_use.as_mut().ok_or(bad_block("group without a bitmap", start))
    }

    /// Claims up to `want` blocks in a row, at `goal` or as near behind it as may be. The caller
    /// has the blocks reserved or knows that some are available.
    ///
    /// # Errors
    /// `NoSpace` if all that is free was freed by a transaction that is not durable yet.
    pub fn claim(&mut self, goal: u64, want: u32) -> Result<Run> {
        let goal = if self.shape.contains(goal, 1) { goal } else { self.shape.first_data_block + 1 };
        let (first, offset) = self.shape.locate(goal);
        let want = want.clamp(1, LONGEST);
        if let Some(run) = self.claim_at(first, offset, want)? {
            return Ok(run);
        }
        // First a run that is long enough, in any group; then the longest that there is.
        for least in [want, 1] {
            for group in (first..self.shape.groups).chain(0..first) {
                if let Some(run) = self.claim_in(group, least, want)? {
                    return Ok(run);
                }
            }
        }
        Err(Error::NoSpace)
    }

    /// Claims what is free at exactly that place.
    fn claim_at(&mut self, group: u32, offset: u32, want: u32) -> Result<Option<Run>> {
        let bits = self.in_use(group)?;
        if bits.next_clear(offset) != Some(offset) {
            return Ok(None);
        }
        let len = (bits.next_set(offset) - offset).min(want);
        self.mark_claimed(group, offset, len).map(Some)
    }

    fn claim_in(&mut self, group: u32, least: u32, want: u32) -> Result<Option<Run>> {
        let state = self.groups.get(group)?;
        if state.desc.free_blocks < least || state.longest < least {
            return Ok(None);
        }
        let cursor = state.cursor;
        let end = self.shape.group_len(group);
        let bits = self.in_use(group)?;
        let (mut best_start, mut best_len) = (0, 0);
        // From the cursor to the end, then all of it, since a run may lie across the cursor.
        for from in [cursor, 0] {
            let mut at = from;
            while let Some(start) = bits.next_clear(at).filter(|start| *start < end) {
                at = bits.next_set(start);
                if at - start > best_len {
                    (best_start, best_len) = (start, at - start);
                }
                if best_len >= want {
                    return self.mark_claimed(group, best_start, want).map(Some);
                }
            }
            if cursor == 0 {
                break;
            }
        }
        self.groups.get_mut(group)?.longest = best_len;
        if best_len < least {
            return Ok(None);
        }
        self.mark_claimed(group, best_start, best_len.min(want)).map(Some)
    }

    fn mark_claimed(&mut self, group: u32, start: u32, len: u32) -> Result<Run> {
        self.in_use(group)?.set(start, len, true);
        self.groups.get_mut(group)?.cursor = start + len;
        Ok(Run { start: self.shape.group_start(group) + u64::from(start), len })
    }

    /// Gives a claimed run back.
    pub fn unclaim(&mut self, run: Run) -> Result<()> {
        let (group, start) = self.shape.locate(run.start);
        self.in_use(group)?.set(start, run.len, false);
        let state = self.groups.get_mut(group)?;
        state.longest = u32::MAX;
        state.cursor = state.cursor.min(start);
        Ok(())
    }

    /// Takes a claimed run: it is now in use on the disk.
    ///
    /// # Errors
    /// If it was in use already.
    pub fn take(&mut self, run: Run) -> Result<()> {
        let (group, start) = self.shape.locate(run.start);
        let changed = bits::change(self.block_bitmap_mut(group)?, start, run.len, true);
        let state = self.group_mut(group)?;
        let Some(free) = state.desc.free_blocks.checked_sub(run.len).filter(|_| changed) else {
            return Err(bad_block("free block is in use", run.start));
        };
        state.desc.free_blocks = free;
        self.groups.free_blocks = self.groups.free_blocks.saturating_sub(run.len.into());
        Ok(())
    }

    /// Claims and takes a block for metadata.
    pub fn allocate_block(&mut self, goal: u64) -> Result<u64> {
        if self.available() == 0 {
            return Err(Error::NoSpace);
        }
        let run = self.claim(goal, 1)?;
        self.take(run)?;
        Ok(run.start)
    }

    /// Frees a run. It can be used again when the transaction is durable.
    ///
    /// # Errors
    /// If it is not in use or holds metadata of the file system.
    pub fn free(&mut self, run: Run) -> Result<()> {
        let mut rest = run;
        while rest.len > 0 {
            if !self.shape.contains(rest.start, rest.len.into()) {
                return Err(bad_block("freed block lies outside of the disk", rest.start));
            }
            let (group, start) = self.shape.locate(rest.start);
            let len = rest.len.min(self.shape.group_len(group) - start);
            self.in_use(group)?;
            if !bits::change(self.block_bitmap_mut(group)?, start, len, false) {
                return Err(bad_block("freed block is not in use", rest.start));
            }
            self.group_mut(group)?.desc.free_blocks += len;
            self.groups.free_blocks += u64::from(len);
            self.pending_free += u64::from(len);
            self.running.freed.push(Run { start: rest.start, len });
            rest = Run { start: rest.start + u64::from(len), len: rest.len - len };
        }
        Ok(())
    }

    /// A block of metadata is about to be freed: what the journal has of it must not come back.
    pub fn revoke(&mut self, block: u64) {
        self.cache.forget(block);
        self.running.revoked.insert(block);
    }

    /// Frees a block of metadata.
    pub fn free_metadata(&mut self, block: u64) -> Result<()> {
        self.revoke(block);
        self.free(Run { start: block, len: 1 })
    }
}
