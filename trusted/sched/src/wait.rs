//! Wait queues: how a thread waits for a condition that others make true.

use crate::occupancy::Occupancy;
use crate::{Timer, current, schedule};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use rkt_sync::Mutex;

/// Told when something happened.
pub trait Notify: Send + Sync {
    /// Something happened; `events` are poll(2) bits, 0 if unknown. Called with the wait
    /// queue locked: must not park, nor register or unregister with a wait queue that could
    /// be the same.
    fn notify(self: Arc<Self>, events: u32);
}

impl Notify for crate::Thread {
    fn notify(self: Arc<Self>, _events: u32) {
        self.wake();
    }
}

/// A signal is pending: the wait was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

/// Why a wait ended without its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitError {
    /// A signal is pending.
    Interrupted,
    /// The deadline passed.
    TimedOut,
}

impl From<Interrupted> for WaitError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

struct Entry {
    id: u64,
    target: Arc<dyn Notify>,
    exclusive: bool,
}

/// A queue of those who wait for one kind of event. Whoever makes the condition true calls a
/// `wake` function *after* that; there are no lost wake-ups, since waiters enter the queue
/// before they look at the condition for the last time.
pub struct WaitQueue {
    entries: Mutex<VecDeque<Entry>>,
    occupancy: Occupancy,
}

static NEXT_ENTRY: AtomicU64 = AtomicU64::new(1);

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl WaitQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { entries: Mutex::new(VecDeque::new()), occupancy: Occupancy::new() }
    }

    fn add(&self, target: Arc<dyn Notify>, exclusive: bool) -> u64 {
        let id = NEXT_ENTRY.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries.lock();
        entries.push_back(Entry { id, target, exclusive });
        self.occupancy.publish(entries.len());
        id
    }

    /// Removes an entry; false if it was already taken by an exclusive wake.
    fn remove(&self, id: u64) -> bool {
        let mut entries = self.entries.lock();
        let Some(at) = entries.iter().position(|entry| entry.id == id) else { return false };
        let removed = entries.remove(at);
        self.occupancy.publish(entries.len());
        drop(entries);
        drop(removed);
        true
    }

    /// Whether anybody waits. A hint.
    pub fn is_empty(&self) -> bool {
        self.occupancy.is_empty()
    }

    /// Notifies every waiter; `events` are the poll(2) bits that became true, 0 if unknown.
    pub fn wake_all(&self, events: u32) {
        if !self.occupancy.any() {
            return;
        }
        for entry in self.entries.lock().iter() {
            entry.target.clone().notify(events);
        }
    }

    /// Notifies every shared waiter and up to `n` exclusive ones, which leave the queue, first
    /// come first served. Gives the number of exclusive waiters notified.
    pub fn wake(&self, n: usize, events: u32) -> usize {
        if !self.occupancy.any() {
            return 0;
        }
        let mut taken = VecDeque::new();
        let mut entries = self.entries.lock();
        for _ in 0..entries.len() {
            let Some(entry) = entries.pop_front() else { break };
            let wanted = !entry.exclusive || taken.len() < n;
            if wanted {
                entry.target.clone().notify(events);
            }
            if wanted && entry.exclusive {
                taken.push_back(entry);
            } else {
                entries.push_back(entry);
            }
        }
        self.occupancy.publish(entries.len());
        drop(entries);
        // What is taken is dropped without the lock: a target may hold a registration of this queue.
        taken.len()
    }

    /// Stays registered for notifications until the result is dropped: poll, select, epoll.
    pub fn register(self: &Arc<Self>, target: Arc<dyn Notify>, exclusive: bool) -> Registration {
        let id = self.add(target, exclusive);
        Registration { queue: self.clone(), id }
    }

    /// Waits until `condition` gives a value, a signal is pending, or the monotonic clock
    /// reaches `deadline` (nanoseconds). No lock may be held.
    ///
    /// # Errors
    /// `Interrupted`, `TimedOut`.
    pub fn wait<T>(&self, deadline: Option<u64>, condition: impl FnMut() -> Option<T>) -> Result<T, WaitError> {
        self.wait_inner(deadline, true, condition)
    }

    /// As [`WaitQueue::wait`], but signals do not end it: for waits that are short by nature.
    pub fn wait_uninterruptible<T>(&self, condition: impl FnMut() -> Option<T>) -> T {
        let mut condition = condition;
        loop {
            if let Ok(value) = self.wait_inner(None, false, &mut condition) {
                return value;
            }
        }
    }

    /// As [`WaitQueue::wait`], but signals do not end it; `None` at `deadline`.
    pub fn wait_uninterruptible_until<T>(&self, deadline: u64, condition: impl FnMut() -> Option<T>) -> Option<T> {
        self.wait_inner(Some(deadline), false, condition).ok()
    }

    fn wait_inner<T>(
        &self,
        deadline: Option<u64>,
        interruptible: bool,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Result<T, WaitError> {
        if let Some(value) = condition() {
            return Ok(value);
        }
        let me = current().to_arc();
        let id = self.add(me.clone(), false);
        let timer = deadline.map(|deadline| Timer::arm(deadline, me.clone()));
        let result = loop {
            if let Some(value) = condition() {
                break Ok(value);
            }
            if interruptible && me.interrupted() {
                break Err(WaitError::Interrupted);
            }
            if deadline.is_some_and(|deadline| rkt_platform::now() >= deadline) {
                break Err(WaitError::TimedOut);
            }
            schedule();
        };
        drop(timer);
        self.remove(id);
        result
    }
}

/// Membership in a wait queue; ends on drop.
pub struct Registration {
    queue: Arc<WaitQueue>,
    id: u64,
}

impl Registration {
    /// Leaves the queue; false if an exclusive wake had already taken the entry.
    pub fn leave(&self) -> bool {
        self.queue.remove(self.id)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.queue.remove(self.id);
    }
}

/// Sleeps until the monotonic clock reaches `deadline` (nanoseconds; `u64::MAX` = for ever).
///
/// # Errors
/// `Interrupted` if a signal is pending before that.
pub fn sleep_until(deadline: u64) -> Result<(), Interrupted> {
    let nothing = WaitQueue::new();
    match nothing.wait(Some(deadline), || None::<()>) {
        Err(WaitError::Interrupted) => Err(Interrupted),
        _ => Ok(()),
    }
}
