//! Locks whose word holds the owner's thread id (futex(2), "Priority-inheritance futexes").
//! There are no priorities here to inherit; what is kept is the protocol of the word, and that
//! unlocking passes the lock on to the first waiter.

use super::{Key, Woken, bucket, enter, stay, take, wake_all};
use crate::process;
use crate::task::Task;
use alloc::sync::Arc;
use rkt_linux_abi::general::{FUTEX_BITSET_MATCH_ANY, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{CurrentThread, WaitError};
use rkt_user::UserPtr;

/// FUTEX_LOCK_PI, and with `wait` unset FUTEX_TRYLOCK_PI.
///
/// # Errors
/// `EDEADLK` if the task has the lock already, `ESRCH` if its owner is gone, `EAGAIN` (only
/// without `wait`), `ETIMEDOUT`, `EFAULT`, `EINTR` if a signal is pending.
pub fn lock_pi(
    task: &Arc<Task>,
    thread: &CurrentThread,
    key: Key,
    word: UserPtr<u32>,
    wait: bool,
    deadline: Option<u64>,
) -> Result<()> {
    let me = task.tid as u32;
    let index = key.bucket();
    loop {
        {
            let mut bucket = bucket(index);
            let found = word.load()?;
            let owner = found & FUTEX_TID_MASK;
            if owner == 0 {
                // Free, or its owner died: the bits beside the owner stay.
                if word.compare_exchange(found, found | me)? == found {
                    return Ok(());
                }
                continue;
            }
            if owner == me {
                return Err(Errno::EDEADLK);
            }
            if process::find_task(owner as i32).is_none() {
                return Err(Errno::ESRCH);
            }
            if !wait {
                return Err(Errno::EAGAIN);
            }
            if word.compare_exchange(found, found | FUTEX_WAITERS)? != found {
                continue;
            }
            enter(&mut bucket, index, key, FUTEX_BITSET_MATCH_ANY, task)?;
        }
        stay(task, thread, deadline).map_err(|error| match error {
            WaitError::Interrupted => Errno::EINTR,
            WaitError::TimedOut => Errno::ETIMEDOUT,
        })?;
        // Woken by the owner that passed the lock on, or by one that died.
        if word.load()? & FUTEX_TID_MASK == me {
            return Ok(());
        }
    }
}

/// FUTEX_UNLOCK_PI.
///
/// # Errors
/// `EPERM` if the task has not the lock, `EFAULT`.
pub fn unlock_pi(task: &Task, key: Key, word: UserPtr<u32>) -> Result<()> {
    let mut next = Woken::new();
    {
        let mut bucket = bucket(key.bucket());
        let mut found = word.load()?;
        loop {
            if found & FUTEX_TID_MASK != task.tid as u32 {
                return Err(Errno::EPERM);
            }
            let mut waiters = bucket.iter().filter(|entry| entry.key == key);
            let heir = waiters.next().map_or(0, |entry| entry.task.tid as u32);
            let waited = if waiters.next().is_some() { FUTEX_WAITERS } else { 0 };
            let seen = word.compare_exchange(found, heir | waited)?;
            if seen == found {
                break;
            }
            found = seen;
        }
        take(&mut bucket, key, FUTEX_BITSET_MATCH_ANY, 1, &mut next);
    }
    wake_all(next);
    Ok(())
}

/// The owner of a lock died: the first waiter gets it, with the news.
pub(super) fn owner_died(key: Key, word: UserPtr<u32>, found: u32) -> Result<()> {
    let mut next = Woken::new();
    {
        let mut bucket = bucket(key.bucket());
        let mut waiters = bucket.iter().filter(|entry| entry.key == key);
        let heir = waiters.next().map_or(0, |entry| entry.task.tid as u32);
        let waited = if waiters.next().is_some() { FUTEX_WAITERS } else { 0 };
        if word.compare_exchange(found, heir | waited | FUTEX_OWNER_DIED)? != found {
            return Err(Errno::EAGAIN);
        }
        take(&mut bucket, key, FUTEX_BITSET_MATCH_ANY, 1, &mut next);
    }
    wake_all(next);
    Ok(())
}
