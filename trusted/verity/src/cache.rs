//! Hash blocks that were checked.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use rkt_verity_format::{HASH_LEN, Hash};

/// Level and number of a hash block.
pub(crate) type Id = (u32, u64);

struct Entry {
    bytes: Vec<u8>,
    used: u64,
}

/// A bounded number of hash blocks; those used last stay.
pub(crate) struct Cache {
    entries: BTreeMap<Id, Entry>,
    by_use: BTreeMap<u64, Id>,
    capacity: usize,
    clock: u64,
}

impl Cache {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: BTreeMap::new(), by_use: BTreeMap::new(), capacity: capacity.max(1), clock: 0 }
    }

    /// The hash at byte `at` of a block, if the block is here.
    pub(crate) fn hash(&mut self, id: Id, at: usize) -> Option<Hash> {
        let entry = self.entries.get_mut(&id)?;
        self.by_use.remove(&entry.used);
        self.clock = self.clock.wrapping_add(1);
        entry.used = self.clock;
        self.by_use.insert(self.clock, id);
        entry.bytes.get(at..)?.first_chunk::<HASH_LEN>().copied()
    }

    /// Keeps a block that was checked.
    pub(crate) fn insert(&mut self, id: Id, bytes: Vec<u8>) {
        if !self.entries.contains_key(&id)
            && self.entries.len() >= self.capacity
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.clock = self.clock.wrapping_add(1);
        if let Some(old) = self.entries.insert(id, Entry { bytes, used: self.clock }) {
            self.by_use.remove(&old.used);
        }
        self.by_use.insert(self.clock, id);
    }
}
