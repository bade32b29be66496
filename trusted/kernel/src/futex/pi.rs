//! Locks whose word holds the owner's thread id (futex(2), "Priority-inheritance futexes").
//! Priorities are not passed on here; what is kept is the protocol of the word, and that
//! unlocking passes the lock on to the first waiter.

use super::{Bucket, Key, Kind, NOWHERE, Pair, Woken, bucket, enter, stay, wake_all};
use crate::process;
use crate::task::Task;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{FUTEX_BITSET_MATCH_ANY, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{CurrentThread, WaitError};
use rkt_user::UserWord;

fn wait_errno(error: WaitError) -> Errno {
    match error {
        WaitError::Interrupted => Errno::EINTR,
        WaitError::TimedOut => Errno::ETIMEDOUT,
    }
}

/// Tries to take a lock for a task; says whether it has it now. If not, the owner knows of waiters
/// from then on if there are to be any (`waits`).
fn try_lock(word: UserWord, tid: u32, waits: bool) -> Result<bool> {
    loop {
        let found = word.load()?;
        let owner = found & FUTEX_TID_MASK;
        if owner == 0 {
            // Free, or its owner died: the bits beside the owner stay.
            if word.compare_exchange(found, found | tid)? == found {
                return Ok(true);
            }
            continue;
        }
        if owner == tid {
            return Err(Errno::EDEADLK);
        }
        if process::find_task(owner as i32).is_none() {
            return Err(Errno::ESRCH);
        }
        if !waits || word.compare_exchange(found, found | FUTEX_WAITERS)? == found {
            return Ok(false);
        }
    }
}

/// FUTEX_LOCK_PI, and with `wait` unset FUTEX_TRYLOCK_PI.
///
/// # Errors
/// `EDEADLK` if the task has the lock already, `ESRCH` if its owner is gone, `EAGAIN` (only
/// without `wait`), `ETIMEDOUT`, `EFAULT`, `EINTR` if a signal is pending.
pub fn lock_pi(
    task: &Arc<Task>,
    thread: &CurrentThread,
    key: Key,
    word: UserWord,
    wait: bool,
    deadline: Option<u64>,
) -> Result<()> {
    let me = task.tid as u32;
    let index = key.bucket();
    loop {
        {
            let mut bucket = bucket(index);
            if try_lock(word, me, wait)? {
                return Ok(());
            }
            if !wait {
                return Err(Errno::EAGAIN);
            }
            enter(&mut bucket, index, key, FUTEX_BITSET_MATCH_ANY, task, Kind::Lock(key))?;
        }
        stay(task, thread, deadline).map_err(wait_errno)?;
        // Woken by the owner that passed the lock on, or by one that died.
        if word.shown().load()? & FUTEX_TID_MASK == me {
            return Ok(());
        }
    }
}

/// The first waiter for a lock, if any; the lock's word has to name it before [`take_heir`].
fn heir(bucket: &Bucket, key: Key) -> u32 {
    bucket.iter().find(|entry| entry.key == key).map_or(0, |entry| entry.task.tid as u32 | FUTEX_WAITERS)
}

fn take_heir(bucket: &mut Bucket, key: Key) -> Woken {
    let first = bucket.iter().position(|entry| entry.key == key).and_then(|at| bucket.remove(at));
    let woken: Woken = first.into_iter().map(|entry| entry.task).collect();
    woken.iter().for_each(|task| task.futex.place.store(NOWHERE, Ordering::Release));
    woken
}

/// FUTEX_UNLOCK_PI.
///
/// # Errors
/// `EPERM` if the task has not the lock, `EFAULT`.
pub fn unlock_pi(task: &Task, key: Key, word: UserWord) -> Result<()> {
    let next = {
        let mut bucket = bucket(key.bucket());
        let mut found = word.load()?;
        loop {
            if found & FUTEX_TID_MASK != task.tid as u32 {
                return Err(Errno::EPERM);
            }
            let seen = word.compare_exchange(found, heir(&bucket, key))?;
            if seen == found {
                break;
            }
            found = seen;
        }
        take_heir(&mut bucket, key)
    };
    wake_all(next);
    Ok(())
}

/// The owner of a lock died: the first waiter gets it, with the news.
pub(super) fn owner_died(key: Key, word: UserWord, found: u32) -> Result<()> {
    let next = {
        let mut bucket = bucket(key.bucket());
        if word.compare_exchange(found, heir(&bucket, key) | FUTEX_OWNER_DIED)? != found {
            return Err(Errno::EAGAIN);
        }
        take_heir(&mut bucket, key)
    };
    wake_all(next);
    Ok(())
}

/// FUTEX_WAIT_REQUEUE_PI: waits on a word until it is requeued to a lock, and has the lock then.
///
/// # Errors
/// `EAGAIN` if the word has another value, `EINTR` if a signal is pending, `ETIMEDOUT`, `EFAULT`, and
/// those of [`lock_pi`].
pub fn wait_requeue_pi(
    task: &Arc<Task>,
    thread: &CurrentThread,
    (from, word, expected): (Key, UserWord, u32),
    (to, lock): (Key, UserWord),
    bitset: u32,
    deadline: Option<u64>,
) -> Result<()> {
    let index = from.bucket();
    {
        let mut bucket = bucket(index);
        if word.load()? != expected {
            return Err(Errno::EAGAIN);
        }
        enter(&mut bucket, index, from, bitset, task, Kind::Lock(to))?;
    }
    let waited = stay(task, thread, deadline);
    let has_lock = lock.shown().load()? & FUTEX_TID_MASK == task.tid as u32;
    match waited {
        Ok(()) if has_lock => Ok(()),
        Ok(()) => lock_pi(task, thread, to, lock, true, deadline),
        Err(error) => Err(wait_errno(error)),
    }
}

/// FUTEX_CMP_REQUEUE_PI: the first waiter gets the lock if it is free, the others, up to `move_`,
/// wait for it. Gives the number of all.
///
/// # Errors
/// `EAGAIN` if the word has not the expected value, `EINVAL` if a waiter does not wait for this,
/// `EFAULT`, `ENOMEM`, and those of [`lock_pi`].
pub fn requeue_pi(
    (from, word, expected): (Key, UserWord, u32),
    (to, lock): (Key, UserWord),
    move_: usize,
) -> Result<usize> {
    let (from_index, to_index) = (from.bucket(), to.bucket());
    let mut moved = 0;
    let mut woken = Woken::new();
    {
        let mut pair = Pair::lock(from_index, to_index);
        if word.load()? != expected {
            return Err(Errno::EAGAIN);
        }
        let limit = move_.saturating_add(1);
        let mut waiters = pair.from().iter().filter(|entry| entry.key == from).take(limit).peekable();
        let Some(first) = waiters.peek().map(|entry| entry.task.tid as u32) else { return Ok(0) };
        if waiters.any(|entry| entry.kind != Kind::Lock(to)) {
            return Err(Errno::EINVAL);
        }
        if try_lock(lock, first, true)? {
            mark_waiters(lock)?;
            woken = take_heir(pair.from(), from);
        }
        let mut at = 0;
        while moved + woken.len() < limit
            && let Some(entry) = pair.from().get_mut(at)
        {
            if entry.key != from {
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

/// The new owner has to unlock through the kernel: others may be waiting.
fn mark_waiters(word: UserWord) -> Result<()> {
    let mut found = word.load()?;
    loop {
        let seen = word.compare_exchange(found, found | FUTEX_WAITERS)?;
        if seen == found {
            return Ok(());
        }
        found = seen;
    }
}
