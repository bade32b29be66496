//! The decorator: a read is returned when all of its blocks were checked.
//!
//! A read of data goes to the disk at once. When it has come, its blocks are checked one after the
//! other; where a hash block is missing for that, the first missing one below a trusted one is read,
//! checked against what its parent said when it was asked for, and kept; then the check goes on.

use crate::cache::{Cache, Id};
use crate::{Corruption, OpenError};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use rkt_block::{Shift, Slice, delegate};
use rkt_blockdev::{BlockDevice, BlockError, Completion, Geometry, Rejected, Request, SubmitError, Token};
use rkt_verity_format::{Hash, Place, Superblock, Tree, Voucher, hash};

/// What a block is to be, or what has to be known first.
enum Known {
    Hash(Hash),
    /// This hash block is missing, and is to have this hash.
    Missing(Id, Hash),
}

/// A read whose data has come.
struct Waiting {
    token: Token,
    offset: u64,
    data: Vec<u8>,
    /// Blocks of it that were checked.
    checked: usize,
}

/// The state of a read after as many blocks as possible were checked.
enum Step {
    Done(Result<(), BlockError>),
    Needs(Id, Hash),
}

/// Checked data of a verity disk.
pub struct VerityDevice<D> {
    inner: D,
    shift: Shift,
    tree: Tree,
    tree_offset: u64,
    salt: Vec<u8>,
    data_block_len: usize,
    hash_block_len: usize,
    root: Hash,
    cache: Cache,
    waiting: Vec<Waiting>,
    /// Hash blocks being read.
    fetching: BTreeMap<Token, (Id, Hash)>,
    /// Hash blocks that the disk had no room to read.
    stalled: VecDeque<(Id, Hash)>,
    /// Hash blocks that are here and checked, or will never be; reads that wait for them go on next.
    arrived: VecDeque<(Id, Result<(), BlockError>)>,
    done: VecDeque<Completion>,
    /// Requests accepted and not yet returned.
    open: usize,
    corruption: Option<Corruption>,
}

impl<D: BlockDevice> VerityDevice<D> {
    /// The data that `superblock`, which lies at `tree_offset`, and the root hash vouch for. Both must come
    /// from whom the caller trusts, not from the disk.
    ///
    /// # Errors
    /// `Place`.
    pub fn new(
        disk: D,
        tree_offset: u64,
        superblock: &Superblock,
        root: Hash,
        cached: usize,
    ) -> Result<Self, OpenError> {
        let (geometry, tree) = (disk.geometry(), Tree::new(superblock));
        let (data_block_len, hash_block_len) = (superblock.data_block_len(), superblock.hash_block_len());
        let len = superblock.data_blocks().saturating_mul(data_block_len.into());
        let tree_end = tree_offset.checked_add(tree.len());
        let fits = tree_end.is_some_and(|end| end <= geometry.len)
            && tree_offset >= len
            && tree_offset.is_multiple_of(hash_block_len.into())
            && hash_block_len.is_multiple_of(geometry.block_len)
            && hash_block_len as usize <= geometry.max_transfer;
        let shift = Shift::new(&geometry, Slice { offset: 0, len }, data_block_len);
        let shift = shift.filter(|_| fits).ok_or(OpenError::Place)?.restricted(|geometry| geometry.read_only = true);
        Ok(Self {
            inner: disk,
            shift,
            tree,
            tree_offset,
            salt: superblock.salt().to_vec(),
            data_block_len: data_block_len as usize,
            hash_block_len: hash_block_len as usize,
            root,
            cache: Cache::new(cached),
            waiting: Vec::new(),
            fetching: BTreeMap::new(),
            stalled: VecDeque::new(),
            arrived: VecDeque::new(),
            done: VecDeque::new(),
            open: 0,
            corruption: None,
        })
    }

    /// The last block found that is not the one that was hashed.
    pub fn corruption(&self) -> Option<Corruption> {
        self.corruption
    }

    /// The hash that vouches for a block, or what is missing to know it. `None` if there is no such block.
    fn known(&mut self, place: Place) -> Option<Known> {
        let mut place = place;
        let mut missing = None;
        // Up to a block that is here, or the root: a bounded number of levels.
        for _ in 0..=self.tree.levels() {
            let found = match self.tree.voucher(place)? {
                Voucher::Root => Ok(self.root),
                Voucher::Entry { level, block, at } => self.cache.hash((level, block), at).ok_or((level, block)),
            };
            match (found, missing) {
                (Ok(hash), None) => return Some(Known::Hash(hash)),
                (Ok(hash), Some(id)) => return Some(Known::Missing(id, hash)),
                (Err((level, block)), _) => {
                    missing = Some((level, block));
                    place = Place::Hash(level, block);
                }
            }
        }
        None
    }

    /// Checks as many blocks of a read as is possible now.
    fn check(&mut self, read: &mut Waiting) -> Step {
        let first = read.offset / self.data_block_len as u64;
        let blocks = read.data.chunks_exact(self.data_block_len);
        for block in blocks.skip(read.checked) {
            let place = Place::Data(first.saturating_add(read.checked as u64));
            match self.known(place) {
                Some(Known::Hash(expected)) if hash(&self.salt, block) == expected => {
                    read.checked = read.checked.saturating_add(1);
                }
                Some(Known::Missing(id, expected)) => return Step::Needs(id, expected),
                _ => {
                    self.corruption = Some(Corruption(place));
                    return Step::Done(Err(BlockError::Device));
                }
            }
        }
        Step::Done(Ok(()))
    }

    /// Goes on with a read whose data is there.
    fn advance(&mut self, mut read: Waiting) {
        match self.check(&mut read) {
            Step::Done(result) => self.finish(read, result),
            Step::Needs(id, expected) => {
                self.waiting.push(read);
                self.fetch(id, expected);
            }
        }
    }

    fn finish(&mut self, read: Waiting, result: Result<(), BlockError>) {
        let Waiting { token, offset, mut data, .. } = read;
        if result.is_err() {
            // Nobody sees what was not checked.
            data.fill(0);
        }
        self.done.push_back(Completion { token, request: Request::Read { offset, data }, result });
    }

    /// Asks for a hash block, once.
    fn fetch(&mut self, id: Id, expected: Hash) {
        let asked = self.fetching.values().chain(&self.stalled).any(|(other, _)| *other == id);
        if asked {
            return;
        }
        let offset = self.tree.offset(id.0, id.1).and_then(|at| at.checked_add(self.tree_offset));
        let Some(offset) = offset else { return self.arrived.push_back((id, Err(BlockError::Device))) };
        match self.inner.submit(Request::Read { offset, data: vec![0; self.hash_block_len] }) {
            Ok(token) => {
                self.fetching.insert(token, (id, expected));
                self.inner.kick();
            }
            Err(Rejected { error: SubmitError::Full, .. }) if self.inner.in_flight() > 0 => {
                self.stalled.push_back((id, expected));
            }
            Err(_) => self.arrived.push_back((id, Err(BlockError::Device))),
        }
    }

    /// All reads that may wait for a hash block go on.
    fn resume(&mut self, id: Id, result: Result<(), BlockError>) {
        for mut read in core::mem::take(&mut self.waiting) {
            match self.check(&mut read) {
                Step::Done(result) => self.finish(read, result),
                Step::Needs(needed, _) if needed == id && result.is_err() => self.finish(read, result),
                Step::Needs(needed, expected) => {
                    self.waiting.push(read);
                    self.fetch(needed, expected);
                }
            }
        }
    }

    /// Handles one completion of the disk below.
    fn handle(&mut self, done: Completion) {
        let Completion { token, request, result } = done;
        if let Some((id, expected)) = self.fetching.remove(&token) {
            let result = match request {
                Request::Read { data, .. } if result.is_ok() => {
                    if hash(&self.salt, &data) == expected {
                        self.cache.insert(id, data);
                        Ok(())
                    } else {
                        self.corruption = Some(Corruption(Place::Hash(id.0, id.1)));
                        Err(BlockError::Device)
                    }
                }
                _ => result.and(Err(BlockError::Device)),
            };
            self.arrived.push_back((id, result));
            return;
        }
        match self.shift.outward(request) {
            Request::Read { offset, data } if result.is_ok() => {
                self.advance(Waiting { token, offset, data, checked: 0 });
            }
            request => self.done.push_back(Completion { token, request, result }),
        }
    }
}

impl<D: BlockDevice> BlockDevice for VerityDevice<D> {
    delegate!(inner: kick, deadline, stats);

    fn geometry(&self) -> Geometry {
        self.shift.geometry()
    }

    fn submit(&mut self, request: Request) -> Result<Token, Rejected> {
        let token = self.shift.submit(&mut self.inner, request)?;
        self.open = self.open.saturating_add(1);
        Ok(token)
    }

    fn poll(&mut self) -> Option<Completion> {
        while self.done.is_empty() {
            let Some(done) = self.inner.poll() else { break };
            self.handle(done);
            while let Some((id, result)) = self.arrived.pop_front() {
                self.resume(id, result);
            }
            if let Some((id, expected)) = self.stalled.pop_front() {
                self.fetch(id, expected);
            }
        }
        let done = self.done.pop_front()?;
        self.open = self.open.saturating_sub(1);
        Some(done)
    }

    fn has_work(&self) -> bool {
        !self.done.is_empty() || self.inner.has_work()
    }

    fn in_flight(&self) -> usize {
        self.open
    }

    fn fault(&self) -> Option<&dyn fmt::Display> {
        self.inner.fault().or(self.corruption.as_ref().map(|corruption| corruption as &dyn fmt::Display))
    }

    fn reset(&mut self, wait: &mut dyn FnMut()) -> Result<(), BlockError> {
        self.inner.reset(wait)?;
        if self.shift.still_fits(&self.inner.geometry()) { Ok(()) } else { Err(BlockError::Device) }
    }
}
