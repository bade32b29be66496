//! Timers: what is to be notified when.

use crate::Notify;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use rkt_sync::Mutex;

struct Timers {
    /// By deadline, then by order of arming.
    armed: BTreeMap<(u64, u64), Arc<dyn Notify>>,
    sequence: u64,
}

static TIMERS: Mutex<Timers> = Mutex::new(Timers { armed: BTreeMap::new(), sequence: 0 });
static NEXT: AtomicU64 = AtomicU64::new(u64::MAX);

/// An armed timer; disarmed on drop.
pub struct Timer {
    key: (u64, u64),
}

impl Timer {
    /// Notifies `target` once the monotonic clock reaches `deadline` (nanoseconds).
    pub fn arm(deadline: u64, target: Arc<dyn Notify>) -> Timer {
        let mut timers = TIMERS.lock();
        timers.sequence += 1;
        let key = (deadline, timers.sequence);
        timers.armed.insert(key, target);
        NEXT.fetch_min(deadline, Ordering::SeqCst);
        Timer { key }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let target = {
            let mut timers = TIMERS.lock();
            let target = timers.armed.remove(&self.key);
            publish(&timers);
            target
        };
        // Outside of the lock: the last reference may free much.
        drop(target);
    }
}

fn publish(timers: &Timers) {
    let next = timers.armed.first_key_value().map_or(u64::MAX, |((deadline, _), _)| *deadline);
    NEXT.store(next, Ordering::SeqCst);
}

/// When the next timer fires, monotonic nanoseconds; `u64::MAX` if none is armed.
pub fn next_deadline() -> u64 {
    NEXT.load(Ordering::Relaxed)
}

/// Notifies the targets of all timers that are due; true if there were any.
pub fn expire() -> bool {
    if next_deadline() == u64::MAX {
        return false;
    }
    let now = rkt_platform::now();
    let mut any = false;
    while next_deadline() <= now {
        let due = {
            let mut timers = TIMERS.lock();
            let due = match timers.armed.first_entry() {
                Some(first) if first.key().0 <= now => Some(first.remove()),
                _ => None,
            };
            publish(&timers);
            due
        };
        let Some(target) = due else { break };
        target.notify(0);
        any = true;
    }
    any
}

/// Drops every timer.
#[cfg(feature = "simulation")]
pub(crate) fn reset() {
    let armed = TIMERS.try_lock().map(|mut timers| core::mem::take(&mut timers.armed));
    NEXT.store(u64::MAX, Ordering::SeqCst);
    drop(armed);
}
