//! A disk whose changes are kept in trusted memory, over one that stays as it is.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt;
use hashbrown::HashMap;
use rkt_blockdev::{BlockDevice, BlockError, BlockStats, Completion, Geometry, Rejected, Request, Token};

/// A disk over one that is only read. What is written is gone with it, as in a container without a volume.
pub struct Overlay<D> {
    lower: D,
    /// Blocks that were written.
    upper: HashMap<u64, Box<[u8]>>,
    /// Most blocks that may be written.
    most: usize,
    /// Reads that the lower disk does, by its tokens.
    below: HashMap<Token, Token>,
    done: VecDeque<Completion>,
    next: u64,
    stats: BlockStats,
}

impl<D: BlockDevice> Overlay<D> {
    /// Over `lower`, with room for `room` bytes of changes. A write for which there is none fails.
    pub fn new(lower: D, room: u64) -> Self {
        let most = usize::try_from(room / u64::from(lower.geometry().block_len)).unwrap_or(usize::MAX);
        let stats = BlockStats::default();
        Self { lower, upper: HashMap::new(), most, below: HashMap::new(), done: VecDeque::new(), next: 0, stats }
    }

    fn block_len(&self) -> usize {
        self.lower.geometry().block_len as usize
    }

    fn token(&mut self) -> Token {
        self.next += 1;
        Token(self.next)
    }

    fn finish(&mut self, token: Token, request: Request, result: Result<(), BlockError>) {
        self.stats.count(&request, result);
        self.done.push_back(Completion { token, request, result });
    }

    /// Takes in whole blocks; all of them or none.
    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), BlockError> {
        let len = self.block_len();
        let blocks = || (offset / len as u64..).zip(data.chunks(len));
        let fresh = blocks().filter(|(block, _)| !self.upper.contains_key(block)).count();
        if self.upper.len().saturating_add(fresh) > self.most {
            return Err(BlockError::Io);
        }
        for (block, bytes) in blocks() {
            self.upper.insert(block, bytes.into());
        }
        Ok(())
    }

    /// Puts what was written over what was read.
    fn cover(&self, offset: u64, data: &mut [u8]) {
        let len = self.block_len();
        for (block, place) in (offset / len as u64..).zip(data.chunks_mut(len)) {
            if let Some(bytes) = self.upper.get(&block).filter(|bytes| bytes.len() == place.len()) {
                place.copy_from_slice(bytes);
            }
        }
    }

    fn covers(&self, offset: u64, len: usize) -> bool {
        let block = self.block_len();
        let first = offset / block as u64;
        (first..first + (len / block) as u64).all(|block| self.upper.contains_key(&block))
    }
}

impl<D: BlockDevice> BlockDevice for Overlay<D> {
    crate::delegate!(lower: kick, deadline, fault, reset);

    fn geometry(&self) -> Geometry {
        Geometry { read_only: false, max_discard: 0, max_write_zeroes: 0, ..self.lower.geometry() }
    }

    fn submit(&mut self, mut request: Request) -> Result<Token, Rejected> {
        if let Err(error) = self.geometry().check(&request) {
            return Err(Rejected { error, request });
        }
        match &mut request {
            Request::Read { offset, data } if !self.covers(*offset, data.len()) => {
                let below = self.lower.submit(request)?;
                let token = self.token();
                self.below.insert(below, token);
                Ok(token)
            }
            Request::Read { offset, data } => {
                self.cover(*offset, data);
                let token = self.token();
                self.finish(token, request, Ok(()));
                Ok(token)
            }
            Request::Write { offset, data, .. } => {
                let result = self.write(*offset, data);
                let token = self.token();
                self.finish(token, request, result);
                Ok(token)
            }
            Request::Flush | Request::Discard { .. } | Request::WriteZeroes { .. } => {
                let token = self.token();
                self.finish(token, request, Ok(()));
                Ok(token)
            }
        }
    }

    fn poll(&mut self) -> Option<Completion> {
        if let Some(done) = self.done.pop_front() {
            return Some(done);
        }
        let mut done = self.lower.poll()?;
        if let Request::Read { offset, data } = &mut done.request {
            self.cover(*offset, data);
        }
        let token = self.below.remove(&done.token)?;
        self.stats.count(&done.request, done.result);
        Some(Completion { token, ..done })
    }

    fn has_work(&self) -> bool {
        !self.done.is_empty() || self.lower.has_work()
    }

    fn in_flight(&self) -> usize {
        self.done.len() + self.lower.in_flight()
    }

    fn stats(&self) -> BlockStats {
        self.stats
    }
}

impl<D> fmt::Debug for Overlay<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Overlay({} of {} blocks)", self.upper.len(), self.most)
    }
}
