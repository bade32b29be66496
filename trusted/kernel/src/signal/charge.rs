//! How many signals wait on behalf of each user: what RLIMIT_SIGPENDING limits.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use rkt_sync::Mutex;

type Count = Arc<AtomicU64>;

static USERS: Mutex<BTreeMap<u32, Count>> = Mutex::new(BTreeMap::new());

/// Users that are remembered although nothing waits for them.
const IDLE_USERS: usize = 64;

/// One signal's place; given back when it is dropped.
pub struct Ticket(Count);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn count(user: u32) -> Count {
    let mut users = USERS.lock();
    if let Some(count) = users.get(&user) {
        return count.clone();
    }
    if users.len() >= IDLE_USERS {
        users.retain(|_, count| Arc::strong_count(count) > 1);
    }
    users.entry(user).or_default().clone()
}

/// Takes a place; none if the user has `limit` of them already.
pub fn charge(user: u32, limit: u64) -> Option<Ticket> {
    let count = count(user);
    let before = count.fetch_add(1, Ordering::Relaxed);
    let ticket = Ticket(count);
    (before < limit).then_some(ticket)
}

/// Places that a user has taken.
pub fn charged(user: u32) -> u64 {
    USERS.lock().get(&user).map_or(0, |count| count.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let held = (charge(900, 2), charge(900, 2));
        assert!(held.0.is_some() && held.1.is_some() && charge(900, 2).is_none());
        assert_eq!((charged(900), charged(901)), (2, 0));
        drop(held);
        assert!(charge(900, 1).is_some());
    }
}
