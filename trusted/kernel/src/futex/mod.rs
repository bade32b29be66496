//! Futexes (futex(2)): tasks that wait until others change a word of user memory.
//!
//! Waiters stand in hashed buckets, first come first served. A wait allocates nothing once its
//! bucket has grown: the entry refers to the task, whose [`Waiter`] says in which bucket it
//! stands. The word is compared under the bucket's lock, and who wakes takes that lock after
//! changing the word: no wake is lost.

mod key;
mod multiple;
mod pi;
mod robust;

pub use key::Key;
pub use multiple::{Word, wait_multiple};
pub use pi::{lock_pi, requeue_pi, unlock_pi, wait_requeue_pi};
pub use robust::{HEAD_LEN, exit_robust};

use crate::task::Task;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};
use key::BUCKETS;
use rkt_linux_abi::general::FUTEX_BITSET_MATCH_ANY;
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{CurrentThread, Timer, WaitError};
use rkt_sync::{Mutex, MutexGuard};
use rkt_user::UserWord;
use smallvec::SmallVec;

/// Where a task stands.
pub struct Waiter {
    /// Index of its bucket, or [`NOWHERE`]. Changed under the lock of the bucket it names.
    place: AtomicUsize,
}

/// In no bucket: never waited, or was woken.
const NOWHERE: usize = usize::MAX;

impl Default for Waiter {
    fn default() -> Self {
        Self { place: AtomicUsize::new(NOWHERE) }
    }
}

struct Entry {
    key: Key,
    bitset: u32,
    task: Arc<Task>,
    kind: Kind,
}

/// How an entry may be taken out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// By any wake.
    Plain,
    /// By any wake; one of several of its task, this one by number.
    OneOf(usize),
    /// Only by being given the lock with this key, here or after a requeue to it.
    Lock(Key),
}

type Bucket = VecDeque<Entry>;
/// Tasks that were taken out of a bucket, to be woken without its lock.
type Woken = SmallVec<[Arc<Task>; 4]>;

static TABLE: [Mutex<Bucket>; BUCKETS] = [const { Mutex::new(VecDeque::new()) }; BUCKETS];

fn bucket(index: usize) -> MutexGuard<'static, Bucket> {
    TABLE[index % BUCKETS].lock()
}

/// Takes out up to `n` waiters on a word. One that waits for a lock cannot be woken: `EINVAL`.
fn take(bucket: &mut Bucket, key: Key, bitset: u32, n: usize, woken: &mut Woken) -> Result<()> {
    let mut at = 0;
    let mut left = n;
    let mut result = Ok(());
    while left > 0
        && let Some(entry) = bucket.get(at)
    {
        if entry.key != key || entry.bitset & bitset == 0 && !matches!(entry.kind, Kind::Lock(_)) {
            at += 1;
        } else if matches!(entry.kind, Kind::Lock(_)) {
            result = Err(Errno::EINVAL);
            break;
        } else if let Some(entry) = bucket.remove(at) {
            left -= 1;
            woken.push(entry.task);
        }
    }
    for task in woken.iter() {
        task.futex.place.store(NOWHERE, Ordering::Release);
    }
    result
}

fn wake_all(woken: Woken) -> usize {
    for task in &woken {
        if let Some(thread) = task.thread() {
            thread.wake();
        }
    }
    woken.len()
}

/// Wakes up to `n` of those that wait on a word with a common bit; gives how many.
///
/// # Errors
/// `EINVAL` if one of them waits for a lock that passes on priorities.
pub fn wake(key: Key, n: usize, bitset: u32) -> Result<usize> {
    let mut woken = Woken::new();
    let result = take(&mut bucket(key.bucket()), key, bitset, n, &mut woken);
    let count = wake_all(woken);
    result.map(|()| count)
}

/// Wakes up to `n` of those that wait on a word of the running task's memory.
pub fn wake_address(task: &Task, address: u64, n: usize) {
    if let Ok(key) = Key::shared(task, address) {
        let _ = wake(key, n, FUTEX_BITSET_MATCH_ANY);
    }
}

/// Waits on a word while it has the expected value, until a wake with a common bit or until
/// the monotonic clock reaches `deadline` (nanoseconds).
///
/// # Errors
/// `EAGAIN` if the word has another value, `ETIMEDOUT`, `EFAULT`; `EINTR` if a signal is
/// pending: the caller knows how its call restarts.
pub fn wait(
    task: &Arc<Task>,
    thread: &CurrentThread,
    key: Key,
    word: UserWord,
    expected: u32,
    bitset: u32,
    deadline: Option<u64>,
) -> Result<()> {
    let index = key.bucket();
    {
        let mut bucket = bucket(index);
        if word.load()? != expected {
            return Err(Errno::EAGAIN);
        }
        enter(&mut bucket, index, key, bitset, task, Kind::Plain)?;
    }
    stay(task, thread, deadline).map_err(|error| match error {
        WaitError::Interrupted => Errno::EINTR,
        WaitError::TimedOut => Errno::ETIMEDOUT,
    })
}

fn enter(bucket: &mut Bucket, index: usize, key: Key, bitset: u32, task: &Arc<Task>, kind: Kind) -> Result<()> {
    bucket.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    bucket.push_back(Entry { key, bitset, task: task.clone(), kind });
    task.futex.place.store(index, Ordering::Relaxed);
    Ok(())
}

/// Parks until somebody took the task's entry out.
fn stay(task: &Task, thread: &CurrentThread, deadline: Option<u64>) -> Result<(), WaitError> {
    let timer = deadline.map(|deadline| Timer::arm(deadline, thread.to_arc()));
    let result = loop {
        if task.futex.place.load(Ordering::Acquire) == NOWHERE {
            break Ok(());
        }
        if thread.interrupted() {
            break cancel(task, WaitError::Interrupted);
        }
        if deadline.is_some_and(|deadline| rkt_platform::now() >= deadline) {
            break cancel(task, WaitError::TimedOut);
        }
        rkt_sched::schedule();
    };
    drop(timer);
    result
}

/// Leaves the bucket for this reason, unless a wake came first.
fn cancel(task: &Task, reason: WaitError) -> Result<(), WaitError> {
    loop {
        let index = task.futex.place.load(Ordering::Acquire);
        if index == NOWHERE {
            return Ok(());
        }
        let mut bucket = bucket(index);
        // A requeue may have moved the entry before the lock was taken.
        if task.futex.place.load(Ordering::Acquire) == index {
            let entry = bucket.iter().position(|entry| entry.task.tid == task.tid).and_then(|at| bucket.remove(at));
            task.futex.place.store(NOWHERE, Ordering::Relaxed);
            drop(bucket);
            drop(entry);
            return Err(reason);
        }
    }
}

/// The buckets of two words, locked in the order of their indices.
struct Pair {
    first: MutexGuard<'static, Bucket>,
    /// None if both words have the same bucket.
    second: Option<MutexGuard<'static, Bucket>>,
    swapped: bool,
}

impl Pair {
    fn lock(from: usize, to: usize) -> Pair {
        let first = bucket(from.min(to));
        let second = (from != to).then(|| bucket(from.max(to)));
        Pair { first, second, swapped: from > to }
    }

    fn from(&mut self) -> &mut Bucket {
        match (&mut self.second, self.swapped) {
            (Some(second), true) => second,
            _ => &mut self.first,
        }
    }

    fn to(&mut self) -> &mut Bucket {
        match (&mut self.second, self.swapped) {
            (Some(second), false) => second,
            _ => &mut self.first,
        }
    }
}

/// FUTEX_REQUEUE and FUTEX_CMP_REQUEUE: wakes up to `wake` waiters of a word, and lets up to
/// `move_` others wait on another one. Gives the number of both.
///
/// # Errors
/// `EAGAIN` if the word has not the expected value, `EFAULT`, `ENOMEM`.
pub fn requeue(
    (from, word): (Key, UserWord),
    to: Key,
    wake: usize,
    move_: usize,
    expected: Option<u32>,
) -> Result<usize> {
    let (from_index, to_index) = (from.bucket(), to.bucket());
    let mut woken = Woken::new();
    let mut moved = 0;
    {
        let mut pair = Pair::lock(from_index, to_index);
        if let Some(expected) = expected
            && word.load()? != expected
        {
            return Err(Errno::EAGAIN);
        }
        let mine = |entry: &&Entry| entry.key == from;
        if pair
            .from()
            .iter()
            .filter(mine)
            .take(wake.saturating_add(move_))
            .any(|entry| matches!(entry.kind, Kind::Lock(_)))
        {
            return Err(Errno::EINVAL);
        }
        take(pair.from(), from, FUTEX_BITSET_MATCH_ANY, wake, &mut woken)?;
        let mut at = 0;
        while moved < move_
            && let Some(entry) = pair.from().get_mut(at)
        {
            // One that waits on several words is found where it entered.
            if entry.key != from || entry.kind != Kind::Plain {
                at += 1;
                continue;
            }
            moved += 1;
            entry.key = to;
            if from_index == to_index {
                at += 1;
            } else if let Some(entry) = pair.from().remove(at) {
                entry.task.futex.place.store(to_index, Ordering::Release);
                pair.to().push_back(entry);
            }
        }
    }
    Ok(wake_all(woken) + moved)
}

/// FUTEX_WAKE_OP: changes the second word, wakes up to `n1` waiters of the first, and up to `n2`
/// of the second if what it held before says so. Gives how many.
///
/// # Errors
/// `EFAULT`; `ENOSYS` for an unknown operation.
pub fn wake_op(first: Key, (second, word): (Key, UserWord), n1: usize, n2: usize, operation: WakeOp) -> Result<usize> {
    let mut woken = Woken::new();
    let mut more = Woken::new();
    let mut result;
    {
        let mut pair = Pair::lock(first.bucket(), second.bucket());
        let mut old = word.load()?;
        loop {
            let found = word.compare_exchange(old, operation.apply(old)?)?;
            if found == old {
                break;
            }
            old = found;
        }
        let wakes_more = operation.compare(old)?;
        result = take(pair.from(), first, FUTEX_BITSET_MATCH_ANY, n1, &mut woken);
        if wakes_more && result.is_ok() {
            result = take(pair.to(), second, FUTEX_BITSET_MATCH_ANY, n2, &mut more);
        }
    }
    let count = wake_all(woken) + wake_all(more);
    result.map(|()| count)
}

/// The encoded operation of FUTEX_WAKE_OP (futex(2)).
#[derive(Clone, Copy, Debug)]
pub struct WakeOp(pub u32);

impl WakeOp {
    /// The 12-bit number whose lowest bit has this number, with its sign.
    fn number(self, shift: u32) -> u32 {
        ((self.0 << (20 - shift)) as i32 >> 20) as u32
    }

    fn apply(self, old: u32) -> Result<u32> {
        const SHIFTED: u32 = 8;
        let operation = self.0 >> 28;
        let argument = self.number(12);
        let argument = if operation & SHIFTED != 0 { 1 << (argument & 31) } else { argument };
        Ok(match operation & !SHIFTED {
            0 => argument,
            1 => old.wrapping_add(argument),
            2 => old | argument,
            3 => old & !argument,
            4 => old ^ argument,
            _ => return Err(Errno::ENOSYS),
        })
    }

    fn compare(self, old: u32) -> Result<bool> {
        let (old, with) = (old as i32, self.number(0) as i32);
        Ok(match self.0 >> 24 & 15 {
            0 => old == with,
            1 => old != with,
            2 => old < with,
            3 => old <= with,
            4 => old > with,
            5 => old >= with,
            _ => return Err(Errno::ENOSYS),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn op(operation: u32, argument: u32, compare: u32, with: u32) -> WakeOp {
        WakeOp(operation << 28 | compare << 24 | (argument & 0xfff) << 12 | with & 0xfff)
    }

    #[test]
    fn wake_op_changes() {
        assert_eq!(op(0, 5, 0, 0).apply(9), Ok(5));
        assert_eq!(op(1, -1i32 as u32, 0, 0).apply(9), Ok(8));
        assert_eq!(op(3, 1, 0, 0).apply(9), Ok(8));
        assert_eq!(op(8 | 2, 4, 0, 0).apply(1), Ok(17));
        assert_eq!(op(5, 4, 0, 0).apply(1), Err(Errno::ENOSYS));
    }

    #[test]
    fn wake_op_compares_signed() {
        assert_eq!(op(0, 0, 2, -1i32 as u32).compare(-2i32 as u32), Ok(true));
        assert_eq!(op(0, 0, 5, 3).compare(3), Ok(true));
        assert_eq!(op(0, 0, 4, 3).compare(3), Ok(false));
        assert_eq!(op(0, 0, 6, 3).compare(3), Err(Errno::ENOSYS));
    }
}
