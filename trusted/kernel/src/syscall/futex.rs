//! futex and the lists of robust futexes.

use super::time::{Clock, deadline_at};
use super::{Call, abi::Timespec};
use crate::futex::{self, HEAD_LEN, Key, WakeOp};
use crate::process;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    CAP_SYS_PTRACE, FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_LOCK_PI, FUTEX_LOCK_PI2,
    FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE,
    FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;

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
    if clock == Clock::Realtime && !matches!(command, FUTEX_WAIT_BITSET | FUTEX_LOCK_PI2) {
        return Err(Errno::ENOSYS);
    }
    let arguments = Arguments { address, value, fourth, address2, value3, private };
    match command {
        FUTEX_WAIT => wait(call, &arguments),
        FUTEX_WAIT_BITSET => wait_bitset(call, &arguments, clock),
        FUTEX_WAKE => wake(call, &arguments, FUTEX_BITSET_MATCH_ANY),
        FUTEX_WAKE_BITSET => wake(call, &arguments, value3),
        FUTEX_REQUEUE => requeue(call, &arguments, None),
        FUTEX_CMP_REQUEUE => requeue(call, &arguments, Some(value3)),
        FUTEX_WAKE_OP => wake_op(call, &arguments),
        // The older call counts in wall time without saying so (futex(2)).
        FUTEX_LOCK_PI => lock_pi(call, &arguments, true, Clock::Realtime),
        FUTEX_LOCK_PI2 => lock_pi(call, &arguments, true, clock),
        FUTEX_TRYLOCK_PI => lock_pi(call, &arguments, false, clock),
        FUTEX_UNLOCK_PI => {
            let key = arguments.key(call, address)?;
            futex::unlock_pi(call.task, key, UserPtr::new(address))?;
            Ok(0)
        }
        _ => Err(Errno::ENOSYS),
    }
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
    let word = UserPtr::new(arguments.address);
    futex::wait(call.task, call.thread, key, word, arguments.value, bitset, deadline)?;
    Ok(0)
}

fn wake(call: &Call<'_>, arguments: &Arguments, bitset: u32) -> Result<u64> {
    if bitset == 0 {
        return Err(Errno::EINVAL);
    }
    let key = arguments.key(call, arguments.address)?;
    Ok(futex::wake(key, count(arguments.value), bitset) as u64)
}

fn requeue(call: &Call<'_>, arguments: &Arguments, expected: Option<u32>) -> Result<u64> {
    let (wake, moved) = (arguments.value as i32, arguments.fourth as i32);
    let (Ok(wake), Ok(moved)) = (usize::try_from(wake), usize::try_from(moved)) else { return Err(Errno::EINVAL) };
    let (from, to) = arguments.both(call)?;
    let word = UserPtr::new(arguments.address);
    Ok(futex::requeue((from, word), to, wake, moved, expected)? as u64)
}

fn wake_op(call: &Call<'_>, arguments: &Arguments) -> Result<u64> {
    let (first, second) = arguments.both(call)?;
    let word = UserPtr::new(arguments.address2);
    let (n1, n2) = (count(arguments.value), count(arguments.fourth as u32));
    Ok(futex::wake_op(first, (second, word), n1, n2, WakeOp(arguments.value3))? as u64)
}

fn lock_pi(call: &Call<'_>, arguments: &Arguments, wait: bool, clock: Clock) -> Result<u64> {
    let deadline = if wait { timeout(arguments)?.map(|time| deadline_at(clock, time)) } else { None };
    let key = arguments.key(call, arguments.address)?;
    let word = UserPtr::new(arguments.address);
    futex::lock_pi(call.task, call.thread, key, word, wait, deadline).map_err(|error| match error {
        Errno::EINTR => Errno::ERESTARTSYS,
        error => error,
    })?;
    Ok(0)
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
