//! Datagrams on their way to be whole (RFC 791 §3.2, RFC 8200 §4.5).

use super::datagram::{Added, Datagram, Fragment, Whole};
use crate::time::{SECOND, after};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use hashbrown::HashMap;
use rkt_wire::ip::Addresses;
use rkt_wire::ipv6;

/// Most datagrams at a time.
pub const MAX_DATAGRAMS: usize = 1024;
/// Most datagrams of a source at a time: one alone cannot push out those of all others.
pub const MAX_PER_SOURCE: usize = 128;
/// Most bytes at a time, as Linux's `ipfrag_high_thresh`.
pub const MAX_MEMORY: usize = 4 << 20;
/// How long a datagram of IPv4 may take, as Linux's `ipfrag_time`.
const TIMEOUT_V4: u64 = 30 * SECOND;
/// How long a datagram of IPv6 may take (RFC 8200 §4.5).
const TIMEOUT_V6: u64 = 60 * SECOND;
/// No error quotes more than this.
const MAX_QUOTE: usize = ipv6::MIN_MTU as usize;

/// Which datagram a fragment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Source and destination.
    pub addresses: Addresses,
    /// Identification.
    pub id: u32,
    /// Protocol of IPv4; 0 with IPv6, where it does not matter (RFC 8200 §4.5).
    pub protocol: u8,
}

/// What became of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It waits for others.
    Pending,
    /// It was the last that was missing.
    Whole(Whole),
    /// It was dropped: a duplicate, or it and all of its datagram because they contradict each other.
    Dropped,
}

/// A datagram that took too long, but whose first fragment is there: its source is told with a time exceeded
/// (RFC 792, RFC 4443 §3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Which.
    pub key: Key,
    /// The first packet, to be quoted.
    pub quote: Vec<u8>,
}

struct Pending {
    key: Key,
    deadline: u64,
    datagram: Datagram,
}

/// Datagrams of one version of the protocol.
pub struct Reassembler {
    timeout: u64,
    /// By age: the oldest, which ends first, has the least number.
    pending: BTreeMap<u64, Pending>,
    by_key: HashMap<Key, u64>,
    by_source: HashMap<IpAddr, usize>,
    next_number: u64,
    memory: usize,
}

impl Reassembler {
    /// For IPv4.
    pub fn v4() -> Self {
        Self::new(TIMEOUT_V4)
    }

    /// For IPv6.
    pub fn v6() -> Self {
        Self::new(TIMEOUT_V6)
    }

    fn new(timeout: u64) -> Self {
        Self {
            timeout,
            pending: BTreeMap::new(),
            by_key: HashMap::new(),
            by_source: HashMap::new(),
            next_number: 0,
            memory: 0,
        }
    }

    /// Takes a fragment.
    pub fn on_fragment(&mut self, key: Key, fragment: &Fragment<'_>, now: u64) -> Outcome {
        let Some(number) = self.find_or_begin(key, now) else { return Outcome::Dropped };
        // The oldest make room; a datagram that is the oldest itself goes.
        while self.memory + fragment.cost() > MAX_MEMORY {
            match self.pending.first_key_value().map(|(oldest, _)| *oldest) {
                Some(oldest) if oldest != number => _ = self.remove(oldest),
                _ => {
                    self.remove(number);
                    return Outcome::Dropped;
                }
            }
        }
        let Some(pending) = self.pending.get_mut(&number) else { return Outcome::Dropped };
        let before = pending.datagram.cost;
        let added = pending.datagram.add(fragment);
        self.memory += pending.datagram.cost - before;
        match added {
            Added::Kept => Outcome::Pending,
            Added::Duplicate => Outcome::Dropped,
            Added::Complete => {
                let whole = self.remove(number).and_then(|pending| pending.datagram.assemble());
                whole.map_or(Outcome::Dropped, Outcome::Whole)
            }
            Added::Contradiction => {
                self.remove(number);
                Outcome::Dropped
            }
        }
    }

    /// When [`on_timer`](Self::on_timer) has something to do.
    pub fn deadline(&self) -> Option<u64> {
        self.pending.first_key_value().map(|(_, pending)| pending.deadline)
    }

    /// Gives up what took too long.
    pub fn on_timer(&mut self, now: u64, expired: &mut Vec<Expired>) {
        while let Some((number, pending)) = self.pending.first_key_value()
            && pending.deadline <= now
        {
            let number = *number;
            if let Some(Pending { key, datagram, .. }) = self.remove(number)
                && let Some(quote) = datagram.quote(MAX_QUOTE)
            {
                expired.push(Expired { key, quote });
            }
        }
    }

    /// Datagrams on their way.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Bytes that they take.
    pub const fn memory(&self) -> usize {
        self.memory
    }

    fn find_or_begin(&mut self, key: Key, now: u64) -> Option<u64> {
        if let Some(number) = self.by_key.get(&key) {
            return Some(*number);
        }
        let of_source = self.by_source.get(&key.addresses.source()).copied().unwrap_or(0);
        if of_source >= MAX_PER_SOURCE {
            return None;
        }
        if self.pending.len() >= MAX_DATAGRAMS
            && let Some(oldest) = self.pending.first_key_value().map(|(oldest, _)| *oldest)
        {
            self.remove(oldest);
        }
        let number = self.next_number;
        self.next_number += 1;
        let pending = Pending { key, deadline: after(now, self.timeout), datagram: Datagram::default() };
        self.pending.insert(number, pending);
        self.by_key.insert(key, number);
        *self.by_source.entry(key.addresses.source()).or_insert(0) += 1;
        Some(number)
    }

    fn remove(&mut self, number: u64) -> Option<Pending> {
        let pending = self.pending.remove(&number)?;
        self.by_key.remove(&pending.key);
        self.memory -= pending.datagram.cost;
        let source = pending.key.addresses.source();
        if let Some(count) = self.by_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
        Some(pending)
    }
}
