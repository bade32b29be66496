//! One request at a time: for headers, partition tables and tests.

use alloc::vec;
use alloc::vec::Vec;
use rkt_blockdev::{BlockDevice, BlockError, Request, SubmitError};

/// A disk that nobody else uses meanwhile, with calls that wait. Offsets and lengths need no alignment: a
/// write to part of a block reads the block first.
pub struct Blocking<'a> {
    disk: &'a mut dyn BlockDevice,
    wait: &'a mut dyn FnMut(),
    patience: u32,
}

impl<'a> Blocking<'a> {
    /// `wait` is called between two looks at the disk, `patience` times at most for each request.
    pub fn new(disk: &'a mut dyn BlockDevice, patience: u32, wait: &'a mut dyn FnMut()) -> Self {
        Self { disk, wait, patience }
    }

    /// Does one request and gives its buffer back.
    fn run(&mut self, request: Request) -> Result<Vec<u8>, BlockError> {
        let token = self.disk.submit(request).map_err(|rejected| match rejected.error {
            SubmitError::Down => BlockError::Device,
            _ => BlockError::Refused,
        })?;
        self.disk.kick();
        for _ in 0..=self.patience {
            while let Some(done) = self.disk.poll() {
                if done.token == token {
                    done.result?;
                    return Ok(match done.request {
                        Request::Read { data, .. } | Request::Write { data, .. } => data,
                        _ => Vec::new(),
                    });
                }
            }
            (self.wait)();
        }
        Err(BlockError::Device)
    }

    /// The whole blocks around `len` bytes at `offset`, at most one transfer: where they start, their
    /// bytes, and how many of the bytes asked for they hold.
    fn cover(&self, offset: u64, len: usize) -> Option<(u64, usize, usize)> {
        let geometry = self.disk.geometry();
        let block = u64::from(geometry.block_len).max(1);
        let start = offset / block * block;
        let inset = (offset - start) as usize;
        let whole = inset.checked_add(len)?.checked_next_multiple_of(block as usize)?.min(geometry.max_transfer);
        Some((start, whole, len.min(whole.checked_sub(inset)?)))
    }

    /// Fills `into` from `offset` on.
    ///
    /// # Errors
    /// Those of the disk; `Refused` past its end; `Device` when patience ends.
    pub fn read(&mut self, mut offset: u64, mut into: &mut [u8]) -> Result<(), BlockError> {
        while !into.is_empty() {
            let (start, whole, now) = self.cover(offset, into.len()).ok_or(BlockError::Refused)?;
            let data = self.run(Request::Read { offset: start, data: vec![0; whole] })?;
            let from = data.get((offset - start) as usize..).and_then(|rest| rest.get(..now));
            let (part, rest) = into.split_at_mut(now);
            part.copy_from_slice(from.filter(|from| !from.is_empty()).ok_or(BlockError::Device)?);
            (into, offset) = (rest, offset.saturating_add(now as u64));
        }
        Ok(())
    }

    /// Writes `from` at `offset`.
    ///
    /// # Errors
    /// As for [`Blocking::read`]; `Refused` if the disk is read-only.
    pub fn write(&mut self, mut offset: u64, mut from: &[u8]) -> Result<(), BlockError> {
        while !from.is_empty() {
            let (start, whole, now) = self.cover(offset, from.len()).ok_or(BlockError::Refused)?;
            let mut data = vec![0; whole];
            if now < whole {
                data = self.run(Request::Read { offset: start, data })?;
            }
            let into = data.get_mut((offset - start) as usize..).and_then(|rest| rest.get_mut(..now));
            let (part, rest) = from.split_at(now);
            into.filter(|into| !into.is_empty()).ok_or(BlockError::Device)?.copy_from_slice(part);
            self.run(Request::Write { offset: start, data, fua: false })?;
            (from, offset) = (rest, offset.saturating_add(now as u64));
        }
        Ok(())
    }

    /// Makes all writes durable.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn flush(&mut self) -> Result<(), BlockError> {
        self.run(Request::Flush).map(drop)
    }
}
