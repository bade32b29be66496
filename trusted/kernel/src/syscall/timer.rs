//! Timers that send signals.

use super::Call;
use super::abi::{Itimerspec, Itimerval, SECOND, Sigevent, Timespec, Timeval};
use super::time::Clock;
use crate::cpu_clock::{CpuClock, is_cpu_clock};
use crate::process;
use crate::signal::{self, PosixTimer, PosixTimers, RealTimer, SIGNAL_MAX, Setting, Target, TimerClock};
use alloc::sync::Arc;
use rkt_linux_abi::general::{
    ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID, TIMER_ABSTIME,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;

/// alarm(2): the rest of the old alarm is rounded to seconds, but never to nothing.
pub fn alarm(call: &mut Call<'_>, seconds: u32) -> Result<u64> {
    let now = rkt_platform::now();
    let deadline = if seconds == 0 { 0 } else { now.saturating_add(u64::from(seconds) * SECOND) };
    let old = RealTimer::set(&call.task.process, Setting { deadline, interval: 0 }).remaining(now);
    let rounded = old.saturating_add(SECOND / 2) / SECOND;
    Ok(if old > 0 { rounded.max(1) } else { 0 })
}

/// Now, by the clock of an interval timer.
fn itimer_now(call: &Call<'_>, which: u32) -> u64 {
    let process = &call.task.process;
    match which {
        ITIMER_REAL => rkt_platform::now(),
        ITIMER_VIRTUAL => process.usage().user,
        _ => process.cpu_ns(),
    }
}

fn itimer_index(which: u32) -> Result<usize> {
    match which {
        ITIMER_VIRTUAL => Ok(0),
        ITIMER_PROF => Ok(1),
        _ => Err(Errno::EINVAL),
    }
}

fn shown(setting: Setting, now: u64) -> Itimerval {
    Itimerval { interval: Timeval::from_ns(setting.interval), value: Timeval::from_ns_up(setting.remaining(now)) }
}

/// getitimer(2).
pub fn getitimer(call: &mut Call<'_>, which: u32, to: UserPtr<Itimerval>) -> Result<u64> {
    let setting = match which {
        ITIMER_REAL => RealTimer::get(&call.task.process),
        _ => signal::cpu_timer(call.task, itimer_index(which)?),
    };
    to.write(&shown(setting, itimer_now(call, which)))?;
    Ok(0)
}

/// setitimer(2); without a value it is disarmed, as Linux does it.
pub fn setitimer(call: &mut Call<'_>, which: u32, new: UserPtr<Itimerval>, old: UserPtr<Itimerval>) -> Result<u64> {
    let new = new.nullable().map(|new| new.read()).transpose()?.unwrap_or_default();
    let (value, interval) = (new.value.to_ns()?, new.interval.to_ns()?);
    let now = itimer_now(call, which);
    let deadline = if value == 0 { 0 } else { now.saturating_add(value) };
    let setting = Setting { deadline, interval };
    let before = match which {
        ITIMER_REAL => RealTimer::set(&call.task.process, setting),
        _ => signal::set_cpu_timer(call.task, itimer_index(which)?, setting),
    };
    old.write_nullable(&shown(before, now))?;
    Ok(0)
}

/// timer_create(2).
pub fn timer_create(call: &mut Call<'_>, clock: i32, event: UserPtr<Sigevent>, id: UserPtr<i32>) -> Result<u64> {
    let clock = match is_cpu_clock(clock) {
        true => TimerClock::Cpu(CpuClock::find(call.task, clock)?),
        false => TimerClock::Time(Clock::for_timers(clock)?),
    };
    let event = event.nullable().map(|event| event.read()).transpose()?;
    let process = &call.task.process;
    let signal = event.map(|event| (event.signo as u32, event.value));
    let target = match event {
        None => Target::Process,
        Some(event) => target(call, &event)?,
    };
    let number = PosixTimers::create(process, clock, target, signal)?;
    id.write(&number).inspect_err(|_| {
        let _ = signal::timers(call.task).remove(process, number);
    })?;
    Ok(0)
}

fn target(call: &Call<'_>, event: &Sigevent) -> Result<Target> {
    let sends = matches!(event.notify, SIGEV_SIGNAL | SIGEV_THREAD | SIGEV_THREAD_ID);
    if sends && !(1..=SIGNAL_MAX as i32).contains(&event.signo) {
        return Err(Errno::EINVAL);
    }
    match event.notify {
        SIGEV_NONE => Ok(Target::Nobody),
        SIGEV_SIGNAL | SIGEV_THREAD => Ok(Target::Process),
        SIGEV_THREAD_ID => {
            let task = process::find_task(event.tid).filter(|task| task.process.pid == call.task.process.pid);
            Ok(Target::Task(Arc::downgrade(&task.ok_or(Errno::EINVAL)?)))
        }
        _ => Err(Errno::EINVAL),
    }
}

fn shown_spec(timer: &PosixTimer, setting: Setting) -> Itimerspec {
    let value = setting.remaining(timer.now());
    Itimerspec { interval: Timespec::from_ns(setting.interval), value: Timespec::from_ns(value) }
}

/// timer_settime(2).
pub fn timer_settime(
    call: &mut Call<'_>,
    id: i32,
    flags: u32,
    new: UserPtr<Itimerspec>,
    old: UserPtr<Itimerspec>,
) -> Result<u64> {
    let new = new.nullable().ok_or(Errno::EINVAL)?.read()?;
    let (value, interval) = (new.value.to_ns()?, new.interval.to_ns()?);
    let timer = signal::timers(call.task).find(id)?;
    let deadline = match value {
        0 => 0,
        time if flags & TIMER_ABSTIME != 0 => timer.deadline_at(time).max(1),
        duration => timer.now().saturating_add(duration),
    };
    let before = timer.set(Setting { deadline, interval });
    old.write_nullable(&shown_spec(&timer, before))?;
    Ok(0)
}

/// timer_gettime(2).
pub fn timer_gettime(call: &mut Call<'_>, id: i32, to: UserPtr<Itimerspec>) -> Result<u64> {
    let timer = signal::timers(call.task).find(id)?;
    to.write(&shown_spec(&timer, timer.setting()))?;
    Ok(0)
}

/// timer_getoverrun(2).
pub fn timer_getoverrun(call: &mut Call<'_>, id: i32) -> Result<u64> {
    Ok(signal::timers(call.task).find(id)?.overrun() as u64)
}

/// timer_delete(2).
pub fn timer_delete(call: &mut Call<'_>, id: i32) -> Result<u64> {
    signal::timers(call.task).remove(&call.task.process, id)?;
    Ok(0)
}
