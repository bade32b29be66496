//! Clocks, sleeping, and how much processor time was used.

use super::Call;
use super::abi::{Rusage, SECOND, Timespec, Timeval, Tms};
use crate::cpu_clock::{CpuClock, is_coarse, is_cpu_clock, is_own_task};
use crate::process::Process;
use alloc::sync::Arc;
use rkt_linux_abi::general::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD, TIMER_ABSTIME,
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
            CLOCK_MONOTONIC_RAW
            | CLOCK_MONOTONIC_COARSE
            | CLOCK_REALTIME_COARSE
            | CLOCK_REALTIME_ALARM
            | CLOCK_BOOTTIME_ALARM => Err(Errno::EOPNOTSUPP),
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

fn read_clock(call: &Call<'_>, clock: i32) -> Result<u64> {
    Ok(match clock as u32 {
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => rkt_platform::now(),
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI => rkt_platform::wall(),
        CLOCK_PROCESS_CPUTIME_ID => call.task.process.cpu_ns(),
        CLOCK_THREAD_CPUTIME_ID => call.thread.ran_ns(),
        _ if clock < 0 => CpuClock::find(call.task, clock)?.now().ok_or(Errno::EINVAL)?,
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
    let coarse = matches!(clock as u32, CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE) || is_coarse(clock);
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
pub fn settimeofday(_: &mut Call<'_>, from: UserPtr<Timeval>, zone: UserPtr<[i32; 2]>) -> Result<u64> {
    if let Some(from) = from.nullable() {
        from.read()?.to_ns()?;
    }
    zone.nullable().map(|zone| zone.read()).transpose()?;
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
    let absolute = flags & TIMER_ABSTIME != 0;
    if is_cpu_clock(clock) {
        return sleep_by_cpu_clock(call, clock, absolute, request, rest);
    }
    if matches!(clock as u32, CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM) {
        request.read()?.to_ns()?;
        return Err(Errno::EOPNOTSUPP); // there is no clock that wakes the machine
    }
    let clock = Clock::for_timers(clock)?;
    let time = request.read()?.to_ns()?;
    if !absolute {
        return sleep_for(call, time, rest);
    }
    rkt_sched::sleep_until(deadline_at(clock, time)).map_err(|_| Errno::ERESTARTNOHAND)?;
    Ok(0)
}

/// Sleeps until others have used processor time. Nothing tells when that is: the sleeper looks
/// again as soon as it could be, if all vCPUs worked for it.
fn sleep_by_cpu_clock(
    call: &Call<'_>,
    id: i32,
    absolute: bool,
    request: UserPtr<Timespec>,
    rest: UserPtr<Timespec>,
) -> Result<u64> {
    if id as u32 == CLOCK_THREAD_CPUTIME_ID {
        return Err(Errno::EOPNOTSUPP);
    }
    let time = request.read()?.to_ns()?;
    if is_own_task(call.task, id) {
        return Err(Errno::EINVAL);
    }
    let clock = CpuClock::find(call.task, id)?;
    let end = if absolute { time } else { clock.now().unwrap_or(0).saturating_add(time) };
    loop {
        let left = clock.now().map_or(u64::MAX, |now| end.saturating_sub(now));
        if left == 0 {
            return Ok(0);
        }
        let span = (left / rkt_platform::cpus().max(1) as u64).max(TICK);
        if rkt_sched::sleep_until(rkt_platform::now().saturating_add(span)).is_err() {
            if !absolute {
                rest.write_nullable(&Timespec::from_ns(left))?;
            }
            return Err(if absolute { Errno::ERESTARTNOHAND } else { Errno::EINTR });
        }
    }
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

/// times(2).
pub fn times(call: &mut Call<'_>, to: UserPtr<Tms>) -> Result<u64> {
    let process = &call.task.process;
    let ((own, (children, _)), ticks) =
        ((process.usage(), *process.children_usage.lock()), |ns| (ns / USER_TICK) as i64);
    to.write_nullable(&Tms {
        utime: ticks(own.user),
        stime: ticks(own.system),
        cutime: ticks(children.user),
        cstime: ticks(children.system),
    })?;
    Ok(rkt_platform::now() / USER_TICK)
}

/// getrusage(2).
pub fn getrusage(call: &mut Call<'_>, who: i32, to: UserPtr<Rusage>) -> Result<u64> {
    const SELF: i32 = RUSAGE_SELF as i32;
    const THREAD: i32 = RUSAGE_THREAD as i32;
    let process: &Arc<Process> = &call.task.process;
    let (usage, peak) = match who {
        SELF => (process.usage(), process.peak()),
        THREAD => (call.task.usage(), process.peak()),
        RUSAGE_CHILDREN => *process.children_usage.lock(),
        _ => return Err(Errno::EINVAL),
    };
    to.write(&Rusage::new(&usage, peak))?;
    Ok(0)
}
