//! Waiting on several words at once (futex_waitv(2)).

use super::{Entry, Key};
use super::{Kind, NOWHERE, bucket};
use crate::task::Task;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::FUTEX_BITSET_MATCH_ANY;
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{CurrentThread, Timer};
use rkt_user::UserWord;

/// One of the words.
pub struct Word {
    /// Which it is.
    pub key: Key,
    /// Where it is.
    pub address: UserWord,
    /// What it has to hold.
    pub expected: u32,
}

/// The place of a task that stands in several buckets.
const SEVERAL: usize = NOWHERE - 1;

/// Waits until any of the words is woken; gives the number of one that was.
///
/// # Errors
/// `EAGAIN` if a word has another value, `ETIMEDOUT`, `EFAULT`, `ENOMEM`; `EINTR` if a signal is
/// pending.
pub fn wait_multiple(task: &Arc<Task>, thread: &CurrentThread, words: &[Word], deadline: Option<u64>) -> Result<usize> {
    task.futex.place.store(SEVERAL, Ordering::Relaxed);
    let mut result = Ok(());
    let mut entered = 0;
    for (number, word) in words.iter().enumerate() {
        result = enter(task, word, number);
        if result.is_err() {
            break;
        }
        entered += 1;
    }
    if result.is_ok() {
        result = stay(task, thread, deadline);
    }
    let mut woken = None;
    for (number, word) in words.iter().enumerate().take(entered) {
        if !leave(task, word.key, number) {
            woken = Some(number);
        }
    }
    task.futex.place.store(NOWHERE, Ordering::Relaxed);
    // A wake that came counts, whatever else happened.
    woken.map_or_else(|| result.and(Err(Errno::EAGAIN)), Ok)
}

fn enter(task: &Arc<Task>, word: &Word, number: usize) -> Result<()> {
    let mut bucket = bucket(word.key.bucket());
    if word.address.load()? != word.expected {
        return Err(Errno::EAGAIN);
    }
    bucket.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    let (key, bitset, kind) = (word.key, FUTEX_BITSET_MATCH_ANY, Kind::OneOf(number));
    bucket.push_back(Entry { key, bitset, task: task.clone(), kind });
    Ok(())
}

/// Takes an entry out; says whether it was still there.
fn leave(task: &Task, key: Key, number: usize) -> bool {
    let mut bucket = bucket(key.bucket());
    let mine = |entry: &Entry| entry.task.tid == task.tid && entry.kind == Kind::OneOf(number);
    let entry = bucket.iter().position(mine).and_then(|at| bucket.remove(at));
    drop(bucket);
    entry.is_some()
}

/// Parks until somebody took one of the entries out.
fn stay(task: &Task, thread: &CurrentThread, deadline: Option<u64>) -> Result<()> {
    let _timer = deadline.map(|deadline| Timer::arm(deadline, thread.to_arc()));
    while task.futex.place.load(Ordering::Acquire) != NOWHERE {
        if thread.interrupted() {
            return Err(Errno::EINTR);
        }
        if deadline.is_some_and(|deadline| rkt_platform::now() >= deadline) {
            return Err(Errno::ETIMEDOUT);
        }
        rkt_sched::schedule();
    }
    Ok(())
}
