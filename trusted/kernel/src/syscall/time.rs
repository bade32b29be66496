//! Clocks, sleeping, and how much processor time was used.

use super::Call;
use super::abi::{Rusage, SECOND, Timespec, Timeval, Tms};
use crate::process::{self, Process};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI, CLOCK_THREAD_CPUTIME_ID, RUSAGE_CHILDREN, RUSAGE_SELF,
    RUSAGE_THREAD, TIMER_ABSTIME,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;

/// Resolution of the coarse clocks: a tick (CONFIG_HZ = 250).
const TICK: u64 = 4_000_000;
/// `USER_HZ` is 100: a tick of times(2) in nanoseconds.
const USER_TICK: u64 = 10_000_000;

/// A clock that sleepers and timers can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Wall time.
    Realtime,
    /// Time since boot.
    Monotonic,
}

impl Clock {
    /// The clock with this number.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for one that can only be read, `EINVAL`.
    pub fn for_timers(id: i32) -> Result<Clock> {
        match id as u32 {
            CLOCK_REALTIME | CLOCK_TAI => Ok(Self::Realtime),
            CLOCK_MONOTONIC | CLOCK_BOOTTIME => Ok(Self::Monotonic),
            CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_REALTIME_COARSE | CLOCK_THREAD_CPUTIME_ID => {
                Err(Errno::EOPNOTSUPP)
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

/// The point of the monotonic clock at which a clock shows this time. Where the wall clock is
/// set meanwhile, a waiter does not notice.
pub fn deadline_at(clock: Clock, time: u64) -> u64 {
    match clock {
        Clock::Monotonic => time,
        Clock::Realtime => {
            let (now, wall) = (rkt_platform::now(), rkt_platform::wall());
            now.saturating_add(time).saturating_sub(wall)
        }
    }
}

/// Processor time of a process; of the running one with its current slice.
fn process_time(call: &Call<'_>, process: &Process) -> u64 {
    let slice = if process.pid == call.task.process.pid { rkt_sched::slice_ns() } else { 0 };
    process.cpu_ns() + slice
}

fn thread_time(call: &Call<'_>) -> u64 {
    call.thread.ran_ns() + rkt_sched::slice_ns()
}

/// Clocks of other processes and threads: their number is `(!id << 3) | kind`, with bit 2 for a
/// thread; kinds 0 to 2 are processor time in three ways (include/linux/posix-timers_types.h).
fn cpu_clock(call: &Call<'_>, clock: i32) -> Result<u64> {
    const THREAD: i32 = 4;
    const DESCRIPTOR: i32 = 3;
    let id = !(clock >> 3);
    if clock & 3 == DESCRIPTOR {
        return Err(Errno::EINVAL);
    }
    let process = &call.task.process;
    if clock & THREAD != 0 {
        if id == 0 || id == call.task.tid {
            return Ok(thread_time(call));
        }
        let task = process::find_task(id).filter(|task| task.process.pid == process.pid).ok_or(Errno::EINVAL)?;
        return Ok(task.thread().map_or(0, |thread| thread.ran_ns()));
    }
    if id == 0 {
        return Ok(process_time(call, process));
    }
    Ok(process_time(call, &*process::find(id).ok_or(Errno::EINVAL)?))
}

fn read_clock(call: &Call<'_>, clock: i32) -> Result<u64> {
    Ok(match clock as u32 {
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => rkt_platform::now(),
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI => rkt_platform::wall(),
        CLOCK_PROCESS_CPUTIME_ID => process_time(call, &call.task.process),
        CLOCK_THREAD_CPUTIME_ID => thread_time(call),
        _ if clock < 0 => cpu_clock(call, clock)?,
        _ => return Err(Errno::EINVAL),
    })
}

/// clock_gettime(2).
#[inline]
pub fn clock_gettime(call: &mut Call<'_>, clock: i32, to: UserPtr<Timespec>) -> Result<u64> {
    to.write(&Timespec::from_ns(read_clock(call, clock)?))?;
    Ok(0)
}

/// clock_getres(2).
pub fn clock_getres(call: &mut Call<'_>, clock: i32, to: UserPtr<Timespec>) -> Result<u64> {
    read_clock(call, clock)?;
    let coarse = matches!(clock as u32, CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE);
    to.write_nullable(&Timespec::from_ns(if coarse { TICK } else { 1 }))?;
    Ok(0)
}

/// clock_settime(2): nobody sets the time here.
pub fn clock_settime(_: &mut Call<'_>, clock: i32, from: UserPtr<Timespec>) -> Result<u64> {
    if clock as u32 != CLOCK_REALTIME {
        return Err(Errno::EINVAL);
    }
    from.read()?.to_ns()?;
    Err(Errno::EPERM)
}

/// gettimeofday(2); the time zone is that of UTC.
#[inline]
pub fn gettimeofday(_: &mut Call<'_>, to: UserPtr<Timeval>, zone: UserPtr<[i32; 2]>) -> Result<u64> {
    to.write_nullable(&Timeval::from_ns(rkt_platform::wall()))?;
    zone.write_nullable(&[0, 0])?;
    Ok(0)
}

/// settimeofday(2): nobody sets the time here.
pub fn settimeofday(_: &mut Call<'_>, from: UserPtr<Timeval>, _zone: u64) -> Result<u64> {
    if let Some(from) = from.nullable() {
        from.read()?.to_ns()?;
    }
    Err(Errno::EPERM)
}

/// time(2).
#[inline]
pub fn time(_: &mut Call<'_>, to: UserPtr<i64>) -> Result<u64> {
    let seconds = rkt_platform::wall() / SECOND;
    to.write_nullable(&(seconds as i64))?;
    Ok(seconds)
}

/// nanosleep(2).
pub fn nanosleep(call: &mut Call<'_>, request: UserPtr<Timespec>, rest: UserPtr<Timespec>) -> Result<u64> {
    let duration = request.read()?.to_ns()?;
    sleep_for(call, duration, rest)
}

/// clock_nanosleep(2).
pub fn clock_nanosleep(
    call: &mut Call<'_>,
    clock: i32,
    flags: u32,
    request: UserPtr<Timespec>,
    rest: UserPtr<Timespec>,
) -> Result<u64> {
    let clock = Clock::for_timers(clock)?;
    let time = request.read()?.to_ns()?;
    if flags & TIMER_ABSTIME == 0 {
        return sleep_for(call, time, rest);
    }
    rkt_sched::sleep_until(deadline_at(clock, time)).map_err(|_| Errno::ERESTARTNOHAND)?;
    Ok(0)
}

fn sleep_for(call: &Call<'_>, duration: u64, rest: UserPtr<Timespec>) -> Result<u64> {
    let deadline = call.task.signals.deadline(duration);
    if rkt_sched::sleep_until(deadline).is_ok() {
        return Ok(0);
    }
    rest.write_nullable(&Timespec::from_ns(deadline.saturating_sub(rkt_platform::now())))?;
    call.task.signals.keep_deadline(deadline);
    Err(Errno::ERESTARTNOHAND)
}

/// times(2). All processor time counts as user time.
pub fn times(call: &mut Call<'_>, to: UserPtr<Tms>) -> Result<u64> {
    let process = &call.task.process;
    let own = process_time(call, process) / USER_TICK;
    let children = process.children_ns.load(Ordering::Relaxed) / USER_TICK;
    to.write_nullable(&Tms { utime: own as i64, cutime: children as i64, ..Tms::default() })?;
    Ok(rkt_platform::now() / USER_TICK)
}

/// getrusage(2).
pub fn getrusage(call: &mut Call<'_>, who: i32, to: UserPtr<Rusage>) -> Result<u64> {
    const SELF: i32 = RUSAGE_SELF as i32;
    const THREAD: i32 = RUSAGE_THREAD as i32;
    let process: &Arc<Process> = &call.task.process;
    let ns = match who {
        SELF => process_time(call, process),
        THREAD => thread_time(call),
        RUSAGE_CHILDREN => process.children_ns.load(Ordering::Relaxed),
        _ => return Err(Errno::EINVAL),
    };
    // Which pages are resident only the host knows: what is mapped is the most that can be.
    let maxrss = if who == RUSAGE_CHILDREN { 0 } else { (process.mm().lock().total >> 10) as i64 };
    to.write(&Rusage { maxrss, ..Rusage::of_ns(ns) })?;
    Ok(0)
}
