//! futex and the lists of robust futexes.

use super::time::{Clock, deadline_at};
use super::{Call, abi::Timespec};
use crate::futex::{self, HEAD_LEN, Key, WakeOp, Word};
use crate::process;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    CAP_SYS_PTRACE, CLOCK_MONOTONIC, CLOCK_REALTIME, FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE,
    FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE, FUTEX_TID_MASK,
    FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_WAITV_MAX,
    FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP, FUTEX2_PRIVATE, FUTEX2_SIZE_U32,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserWord};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The arguments of futex(2) behind the operation; what each means depends on it.
struct Arguments {
    address: u64,
    value: u32,
    /// `timeout` or `val2`.
    fourth: u64,
    address2: u64,
    value3: u32,
    private: bool,
}

impl Arguments {
    fn key(&self, call: &Call<'_>, address: u64) -> Result<Key> {
        if self.private { Key::private(call.thread.space(), address) } else { Key::shared(call.task, address) }
    }

    /// The two words, the first by its key.
    fn both(&self, call: &Call<'_>) -> Result<(Key, Key)> {
        Ok((self.key(call, self.address)?, self.key(call, self.address2)?))
    }
}

/// futex(2).
pub fn futex(
    call: &mut Call<'_>,
    address: u64,
    operation: u32,
    value: u32,
    fourth: u64,
    address2: u64,
    value3: u32,
) -> Result<u64> {
    let private = operation & FUTEX_PRIVATE_FLAG != 0;
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    let clock = if operation & FUTEX_CLOCK_REALTIME != 0 { Clock::Realtime } else { Clock::Monotonic };
    if clock == Clock::Realtime && !matches!(command, FUTEX_WAIT_BITSET | FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2) {
        return Err(Errno::ENOSYS);
    }
    let arguments = Arguments { address, value, fourth, address2, value3, private };
    // Words are looked at under a lock, where nobody waits for their pages. A mapping that changes just
    // then may hide one: the call shows it anew.
    for _ in 0..SHOWN_ANEW {
        match operate(call, command, clock, &arguments) {
            Err(Errno::EFAULT) => {}
            done => return done,
        }
    }
    operate(call, command, clock, &arguments)
}

/// How often a word that cannot be accessed is shown anew before that is its fault.
const SHOWN_ANEW: usize = 2;

fn operate(call: &mut Call<'_>, command: u32, clock: Clock, arguments: &Arguments) -> Result<u64> {
    let &Arguments { address, value3, .. } = arguments;
    match command {
        FUTEX_WAIT => wait(call, arguments),
        FUTEX_WAIT_BITSET => wait_bitset(call, arguments, clock),
        FUTEX_WAKE => wake(call, arguments, FUTEX_BITSET_MATCH_ANY),
        FUTEX_WAKE_BITSET => wake(call, arguments, value3),
        FUTEX_REQUEUE => requeue(call, arguments, None),
        FUTEX_CMP_REQUEUE => requeue(call, arguments, Some(value3)),
        FUTEX_WAKE_OP => wake_op(call, arguments),
        // The older call counts in wall time without saying so (futex(2)).
        FUTEX_LOCK_PI => lock_pi(call, arguments, true, Clock::Realtime),
        FUTEX_LOCK_PI2 => lock_pi(call, arguments, true, clock),
        FUTEX_TRYLOCK_PI => lock_pi(call, arguments, false, clock),
        FUTEX_WAIT_REQUEUE_PI => wait_requeue_pi(call, arguments, clock),
        FUTEX_CMP_REQUEUE_PI => requeue_pi(call, arguments),
        FUTEX_UNLOCK_PI => {
            // Who has not the lock is told so before the address is looked at any closer.
            if UserPtr::<u32>::new(address).read()? & FUTEX_TID_MASK != call.task.tid as u32 {
                return Err(Errno::EPERM);
            }
            let key = arguments.key(call, address)?;
            futex::unlock_pi(call.task, key, word(address)?)?;
            Ok(0)
        }
        _ => Err(Errno::ENOSYS),
    }
}

fn word(address: u64) -> Result<UserWord> {
    UserPtr::<u32>::new(address).word()
}

fn timeout(arguments: &Arguments) -> Result<Option<u64>> {
    UserPtr::<Timespec>::new(arguments.fourth).nullable().map(|timeout| timeout.read()?.to_ns()).transpose()
}

/// Numbers of waiters are signed; one is woken in any case, as Linux does.
fn count(n: u32) -> usize {
    (n as i32).max(1) as usize
}

/// FUTEX_WAIT: the timeout is a duration.
fn wait(call: &Call<'_>, arguments: &Arguments) -> Result<u64> {
    let deadline = timeout(arguments)?.map(|duration| call.task.signals.deadline(duration));
    sleep(call, arguments, FUTEX_BITSET_MATCH_ANY, deadline).map_err(|error| match (error, deadline) {
        (Errno::EINTR, None) => Errno::ERESTARTSYS,
        (Errno::EINTR, Some(deadline)) => {
            call.task.signals.keep_deadline(deadline);
            Errno::ERESTARTNOHAND
        }
        (error, _) => error,
    })
}

/// FUTEX_WAIT_BITSET: the timeout is a point in time.
fn wait_bitset(call: &Call<'_>, arguments: &Arguments, clock: Clock) -> Result<u64> {
    let deadline = timeout(arguments)?.map(|time| deadline_at(clock, time));
    sleep(call, arguments, arguments.value3, deadline).map_err(|error| match (error, deadline) {
        (Errno::EINTR, None) => Errno::ERESTARTSYS,
        (Errno::EINTR, Some(_)) => Errno::ERESTARTNOHAND,
        (error, _) => error,
    })
}

fn sleep(call: &Call<'_>, arguments: &Arguments, bitset: u32, deadline: Option<u64>) -> Result<u64> {
    if bitset == 0 {
        return Err(Errno::EINVAL);
    }
    let key = arguments.key(call, arguments.address)?;
    let word = word(arguments.address)?;
    futex::wait(call.task, call.thread, key, word, arguments.value, bitset, deadline)?;
    Ok(0)
}

fn wake(call: &Call<'_>, arguments: &Arguments, bitset: u32) -> Result<u64> {
    if bitset == 0 {
        return Err(Errno::EINVAL);
    }
    let key = arguments.key(call, arguments.address)?;
    Ok(futex::wake(key, count(arguments.value), bitset)? as u64)
}

fn requeue(call: &Call<'_>, arguments: &Arguments, expected: Option<u32>) -> Result<u64> {
    let (wake, moved) = (arguments.value as i32, arguments.fourth as i32);
    let (Ok(wake), Ok(moved)) = (usize::try_from(wake), usize::try_from(moved)) else { return Err(Errno::EINVAL) };
    let (from, to) = arguments.both(call)?;
    let word = word(arguments.address)?;
    Ok(futex::requeue((from, word), to, wake, moved, expected)? as u64)
}

fn wake_op(call: &Call<'_>, arguments: &Arguments) -> Result<u64> {
    let (first, second) = arguments.both(call)?;
    let word = word(arguments.address2)?;
    let (n1, n2) = (count(arguments.value), count(arguments.fourth as u32));
    Ok(futex::wake_op(first, (second, word), n1, n2, WakeOp(arguments.value3))? as u64)
}

fn lock_pi(call: &Call<'_>, arguments: &Arguments, wait: bool, clock: Clock) -> Result<u64> {
    let deadline = if wait { timeout(arguments)?.map(|time| deadline_at(clock, time)) } else { None };
    let key = arguments.key(call, arguments.address)?;
    let word = word(arguments.address)?;
    futex::lock_pi(call.task, call.thread, key, word, wait, deadline).map_err(|error| match error {
        Errno::EINTR => Errno::ERESTARTSYS,
        error => error,
    })?;
    Ok(0)
}

fn wait_requeue_pi(call: &Call<'_>, arguments: &Arguments, clock: Clock) -> Result<u64> {
    let deadline = timeout(arguments)?.map(|time| deadline_at(clock, time));
    let (from, to) = arguments.both(call)?;
    if from == to {
        return Err(Errno::EINVAL);
    }
    let from = (from, word(arguments.address)?, arguments.value);
    let to = (to, word(arguments.address2)?);
    let done = futex::wait_requeue_pi(call.task, call.thread, from, to, FUTEX_BITSET_MATCH_ANY, deadline);
    done.map(|()| 0).map_err(|error| if error == Errno::EINTR { Errno::ERESTARTSYS } else { error })
}

/// FUTEX_CMP_REQUEUE_PI: exactly one is woken (futex(2)).
fn requeue_pi(call: &Call<'_>, arguments: &Arguments) -> Result<u64> {
    let moved = usize::try_from(arguments.fourth as i32).map_err(|_| Errno::EINVAL)?;
    if arguments.value != 1 {
        return Err(Errno::EINVAL);
    }
    let (from, to) = arguments.both(call)?;
    if from == to {
        return Err(Errno::EINVAL);
    }
    let from = (from, word(arguments.address)?, arguments.value3);
    Ok(futex::requeue_pi(from, (to, word(arguments.address2)?), moved)? as u64)
}

/// `struct futex_waitv` (linux/futex.h).
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Waitv {
    expected: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

impl Waitv {
    /// Which word it names: of 32 bits, as all are.
    fn word(&self, call: &Call<'_>) -> Result<Word> {
        if self.flags & !FUTEX2_PRIVATE != FUTEX2_SIZE_U32 || self.reserved != 0 {
            return Err(Errno::EINVAL);
        }
        let expected = u32::try_from(self.expected).map_err(|_| Errno::EINVAL)?;
        let key = match self.flags & FUTEX2_PRIVATE {
            0 => Key::shared(call.task, self.address)?,
            _ => Key::private(call.thread.space(), self.address)?,
        };
        Ok(Word { key, address: UserPtr::new(self.address).word()?, expected })
    }
}

/// futex_waitv(2); the timeout is a point in time.
pub fn futex_waitv(call: &mut Call<'_>, waiters: u64, n: u32, flags: u32, timeout: u64, clock: i32) -> Result<u64> {
    if flags != 0 || n == 0 || n > FUTEX_WAITV_MAX || waiters == 0 {
        return Err(Errno::EINVAL);
    }
    let deadline = match UserPtr::<Timespec>::new(timeout).nullable() {
        None => None,
        Some(timeout) => {
            let clock = match clock as u32 {
                CLOCK_MONOTONIC => Clock::Monotonic,
                CLOCK_REALTIME => Clock::Realtime,
                _ => return Err(Errno::EINVAL),
            };
            Some(deadline_at(clock, timeout.read()?.to_ns()?))
        }
    };
    let given = UserPtr::<Waitv>::new(waiters).read_array(n as usize)?;
    let words = given.iter().map(|one| one.word(call)).collect::<Result<Vec<Word>>>()?;
    match futex::wait_multiple(call.task, call.thread, &words, deadline) {
        Err(Errno::EINTR) => Err(Errno::ERESTARTSYS),
        other => other.map(|number| number as u64),
    }
}

/// set_robust_list(2).
pub fn set_robust_list(call: &mut Call<'_>, head: u64, len: usize) -> Result<u64> {
    if len != HEAD_LEN {
        return Err(Errno::EINVAL);
    }
    call.task.robust_list.store(head, Ordering::Relaxed);
    Ok(0)
}

/// get_robust_list(2).
pub fn get_robust_list(call: &mut Call<'_>, tid: i32, head: u64, len: u64) -> Result<u64> {
    let task = match tid {
        0 => call.task.clone(),
        tid => process::find_task(tid).ok_or(Errno::ESRCH)?,
    };
    let (mine, theirs) = (call.task.process.credentials(), task.process.credentials());
    if task.process.pid != call.task.process.pid && mine.uid != theirs.uid && !mine.capable(CAP_SYS_PTRACE) {
        return Err(Errno::EPERM);
    }
    UserPtr::<u64>::new(len).write(&(HEAD_LEN as u64))?;
    UserPtr::<u64>::new(head).write(&task.robust_list.load(Ordering::Relaxed))?;
    Ok(0)
}
