//! How many errors are sent (RFC 1812 §4.3.2.8, RFC 4443 §2.4 f).

use crate::time::{MILLISECOND, SECOND};
use core::net::IpAddr;
use hashbrown::HashMap;

/// Most destinations whose buckets are kept.
const MAX_PEERS: usize = 256;
/// Of all destinations together: as Linux's `icmp_msgs_per_sec` and `icmp_msgs_burst`.
const GLOBAL: Rate = Rate { interval: MILLISECOND, burst: 50 };
/// Of one destination: as Linux's `icmp_ratelimit` and its burst.
const PEER: Rate = Rate { interval: SECOND, burst: 6 };

/// A token every `interval` nanoseconds, of which `burst` are kept.
struct Rate {
    interval: u64,
    burst: u64,
}

/// A bucket of tokens.
#[derive(Debug)]
struct Bucket {
    tokens: u64,
    /// Up to when the tokens are counted.
    since: u64,
}

impl Bucket {
    const fn full(rate: &Rate, now: u64) -> Self {
        Self { tokens: rate.burst, since: now }
    }

    fn refill(&mut self, rate: &Rate, now: u64) {
        let fresh = now.saturating_sub(self.since) / rate.interval;
        self.tokens = self.tokens.saturating_add(fresh).min(rate.burst);
        self.since += fresh * rate.interval;
    }
}

/// Counts errors sent.
#[derive(Debug)]
pub struct Limiter {
    global: Bucket,
    peers: HashMap<IpAddr, Bucket>,
}

impl Limiter {
    /// One that has not seen any.
    pub fn new(now: u64) -> Self {
        Self { global: Bucket::full(&GLOBAL, now), peers: HashMap::new() }
    }

    /// Whether an error may be sent to `destination` now; if so, it counts as sent. Packet too big is not to
    /// be asked for: paths depend on it.
    pub fn allow(&mut self, destination: IpAddr, now: u64) -> bool {
        self.global.refill(&GLOBAL, now);
        if self.global.tokens == 0 || !self.has_room(destination, now) {
            return false;
        }
        let peer = self.peers.entry(destination).or_insert_with(|| Bucket::full(&PEER, now));
        peer.refill(&PEER, now);
        if peer.tokens == 0 {
            return false;
        }
        peer.tokens -= 1;
        self.global.tokens -= 1;
        true
    }

    /// Forgets destinations whose buckets are full again if there are too many.
    fn has_room(&mut self, destination: IpAddr, now: u64) -> bool {
        if self.peers.len() < MAX_PEERS || self.peers.contains_key(&destination) {
            return true;
        }
        self.peers.retain(|_, bucket| {
            bucket.refill(&PEER, now);
            bucket.tokens < PEER.burst
        });
        self.peers.len() < MAX_PEERS
    }
}
