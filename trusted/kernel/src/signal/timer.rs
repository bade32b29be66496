//! Timers that send signals: setitimer(2) and timer_create(2).

use super::info::Info;
use super::send::{queue_to_process, queue_to_task, send_to_process};
use crate::process::Process;
use crate::task::Task;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};
use rkt_linux_abi::general::{SIGALRM, SIGPROF, SIGVTALRM};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{Notify, Timer};
use rkt_sync::Mutex;

/// Most timers of timer_create(2) in a process (Linux counts them against RLIMIT_SIGPENDING).
const TIMERS_MAX: usize = 4096;
/// `DELAYTIMER_MAX`: overruns are not counted further.
const OVERRUN_MAX: u64 = i32::MAX as u64;

/// When a timer expires next, and how often after that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Point in time in nanoseconds of the timer's clock; 0 = disarmed.
    pub deadline: u64,
    /// Period in nanoseconds; 0 = once.
    pub interval: u64,
}

impl Setting {
    /// Nanoseconds until it expires, at least 1 while it is armed.
    pub fn remaining(&self, now: u64) -> u64 {
        if self.deadline == 0 { 0 } else { self.deadline.saturating_sub(now).max(1) }
    }

    /// Lets the time pass; gives how often the timer expired.
    fn advance(&mut self, now: u64) -> u64 {
        if self.deadline == 0 || now < self.deadline {
            return 0;
        }
        if self.interval == 0 {
            self.deadline = 0;
            return 1;
        }
        let times = (now - self.deadline) / self.interval + 1;
        self.deadline = self.deadline.saturating_add(self.interval.saturating_mul(times));
        times
    }
}

/// setitimer(2) ITIMER_REAL and alarm(2).
pub struct RealTimer {
    setting: Setting,
    expiry: Arc<RealExpiry>,
    _armed: Timer,
}

struct RealExpiry {
    process: Weak<Process>,
}

impl RealTimer {
    /// Arms the timer of a process, or disarms it; gives what was set before.
    pub fn set(process: &Arc<Process>, setting: Setting) -> Setting {
        let timer = (setting.deadline != 0).then(|| {
            let expiry = Arc::new(RealExpiry { process: Arc::downgrade(process) });
            RealTimer { setting, _armed: Timer::arm(setting.deadline, expiry.clone()), expiry }
        });
        let old = core::mem::replace(&mut *process.real_timer.lock(), timer);
        old.map_or(Setting::default(), |old| old.setting)
    }

    /// What is set.
    pub fn get(process: &Process) -> Setting {
        process.real_timer.lock().as_ref().map_or(Setting::default(), |timer| timer.setting)
    }
}

impl Notify for RealExpiry {
    fn notify(self: Arc<Self>, _: u32) {
        let Some(process) = self.process.upgrade() else { return };
        let mut slot = process.real_timer.lock();
        let Some(timer) = slot.as_mut().filter(|timer| Arc::ptr_eq(&timer.expiry, &self)) else { return };
        timer.setting.advance(rkt_platform::now());
        let old = if timer.setting.deadline == 0 {
            slot.take().map(|timer| timer._armed)
        } else {
            Some(core::mem::replace(&mut timer._armed, Timer::arm(timer.setting.deadline, self)))
        };
        drop(slot);
        drop(old);
        send_to_process(&process, Info::kernel(SIGALRM));
    }
}

/// setitimer(2) ITIMER_VIRTUAL (0) and ITIMER_PROF (1): looked at in each tick. All processor
/// time of a process counts as its own, since time in the kernel is not kept apart.
#[derive(Default)]
pub struct CpuTimers {
    any: AtomicBool,
    settings: Mutex<[Setting; 2]>,
}

/// Signals of the two.
const CPU_SIGNALS: [u32; 2] = [SIGVTALRM, SIGPROF];

impl CpuTimers {
    /// Arms or disarms one; gives what was set before.
    pub fn set(&self, which: usize, setting: Setting) -> Setting {
        let mut settings = self.settings.lock();
        let old = settings.get_mut(which).map(|slot| core::mem::replace(slot, setting)).unwrap_or_default();
        self.any.store(settings.iter().any(|setting| setting.deadline != 0), Ordering::Relaxed);
        old
    }

    /// What is set.
    pub fn get(&self, which: usize) -> Setting {
        self.settings.lock().get(which).copied().unwrap_or_default()
    }
}

/// The tick hit this task: timers of processor time may have expired.
pub fn tick(task: &Task) {
    let timers = &task.process.signals.cpu_timers;
    if !timers.any.load(Ordering::Relaxed) {
        return;
    }
    let now = task.process.cpu_ns() + rkt_sched::slice_ns();
    let expired = {
        let mut settings = timers.settings.lock();
        settings.each_mut().map(|setting| setting.advance(now) > 0)
    };
    for (signal, _) in CPU_SIGNALS.iter().zip(expired).filter(|(_, expired)| *expired) {
        send_to_process(&task.process, Info::kernel(*signal));
    }
}

/// Whom a timer of timer_create(2) notifies.
pub enum Target {
    /// Nobody (`SIGEV_NONE`).
    Nobody,
    /// The process (`SIGEV_SIGNAL`).
    Process,
    /// One of its tasks (`SIGEV_THREAD_ID`).
    Task(Weak<Task>),
}

/// A timer of timer_create(2).
pub struct PosixTimer {
    id: i32,
    /// Its clock (`CLOCK_`).
    pub clock: i32,
    process: Weak<Process>,
    target: Target,
    signal: u32,
    value: u64,
    state: Mutex<PosixState>,
}

#[derive(Default)]
struct PosixState {
    setting: Setting,
    armed: Option<Timer>,
    /// Expirations since the pending signal was sent.
    overrun: u64,
    /// The same of the signal taken last.
    reported: i32,
}

impl PosixTimer {
    /// What is set, in terms of the monotonic clock.
    pub fn setting(&self) -> Setting {
        let mut state = self.state.lock();
        if matches!(self.target, Target::Nobody) {
            state.setting.advance(rkt_platform::now());
        }
        state.setting
    }

    /// Arms or disarms; the deadline is one of the monotonic clock. Gives what was set before.
    pub fn set(self: &Arc<Self>, setting: Setting) -> Setting {
        let silent = matches!(self.target, Target::Nobody) || setting.deadline == 0;
        let armed = (!silent).then(|| Timer::arm(setting.deadline, self.clone()));
        let mut state = self.state.lock();
        state.overrun = 0;
        let old = (core::mem::replace(&mut state.setting, setting), core::mem::replace(&mut state.armed, armed));
        drop(state);
        old.0
    }

    /// timer_getoverrun(2).
    pub fn overrun(&self) -> i32 {
        self.state.lock().reported
    }

    fn send(&self) -> bool {
        let info = Info::timer(self.signal, self.id, 0, self.value);
        let sent = match &self.target {
            Target::Nobody => None,
            Target::Process => self.process.upgrade().map(|process| queue_to_process(&process, info)),
            Target::Task(task) => task.upgrade().map(|task| queue_to_task(&task, info)),
        };
        matches!(sent, Some(Ok(true)))
    }
}

impl Notify for PosixTimer {
    fn notify(self: Arc<Self>, _: u32) {
        let mut state = self.state.lock();
        let times = state.setting.advance(rkt_platform::now());
        if times == 0 {
            return; // set anew meanwhile
        }
        let again = state.setting.deadline;
        let armed = (again != 0).then(|| Timer::arm(again, self.clone()));
        let old = core::mem::replace(&mut state.armed, armed);
        if self.send() {
            state.overrun = times - 1;
        } else {
            state.overrun = state.overrun.saturating_add(times);
        }
        drop(state);
        drop(old);
    }
}

/// The timers of a process.
#[derive(Default)]
pub struct PosixTimers {
    timers: Mutex<BTreeMap<i32, Arc<PosixTimer>>>,
}

impl PosixTimers {
    /// Makes a timer that is not armed; without `signal` it sends SIGALRM with its own number
    /// as value. Gives the number.
    ///
    /// # Errors
    /// `EAGAIN` if there are too many.
    pub fn create(process: &Arc<Process>, clock: i32, target: Target, signal: Option<(u32, u64)>) -> Result<i32> {
        let mut timers = process.signals.timers.timers.lock();
        if timers.len() >= TIMERS_MAX {
            return Err(Errno::EAGAIN);
        }
        let id = (0..=i32::MAX).find(|id| !timers.contains_key(id)).ok_or(Errno::EAGAIN)?;
        let (signal, value) = signal.unwrap_or((SIGALRM, id as u64));
        let process = Arc::downgrade(process);
        timers.insert(id, Arc::new(PosixTimer { id, clock, process, target, signal, value, state: Mutex::default() }));
        Ok(id)
    }

    /// The timer with this number.
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn find(&self, id: i32) -> Result<Arc<PosixTimer>> {
        self.timers.lock().get(&id).cloned().ok_or(Errno::EINVAL)
    }

    /// Ends a timer; its pending signal goes with it.
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn remove(&self, process: &Process, id: i32) -> Result<()> {
        let timer = self.timers.lock().remove(&id).ok_or(Errno::EINVAL)?;
        timer.set(Setting::default());
        process.signals.pending.lock().discard_timer(id);
        for task in process.tasks() {
            task.signals.own.lock().pending.discard_timer(id);
        }
        Ok(())
    }

    /// Ends all timers.
    pub fn clear(&self) {
        let timers = core::mem::take(&mut *self.timers.lock());
        for timer in timers.values() {
            timer.set(Setting::default());
        }
    }

    /// The signal of a timer is being taken: it learns how many expirations it stands for.
    pub(super) fn taken(&self, info: &mut Info) {
        let Ok(timer) = self.find(info.pid()) else { return };
        let mut state = timer.state.lock();
        state.reported = core::mem::take(&mut state.overrun).min(OVERRUN_MAX) as i32;
        *info = Info::timer(info.signal, timer.id, state.reported, info.value());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shot() {
        let mut setting = Setting { deadline: 100, interval: 0 };
        assert_eq!((setting.advance(99), setting.remaining(40)), (0, 60));
        assert_eq!((setting.advance(100), setting), (1, Setting::default()));
        assert_eq!((setting.advance(200), setting.remaining(200)), (0, 0));
    }

    #[test]
    fn periods_keep_their_phase() {
        let mut setting = Setting { deadline: 100, interval: 10 };
        assert_eq!((setting.advance(100), setting.deadline), (1, 110));
        assert_eq!((setting.advance(145), setting.deadline), (4, 150));
        assert_eq!(setting.remaining(160), 1);
    }

    #[test]
    fn periods_at_the_end_of_time() {
        let mut setting = Setting { deadline: 1, interval: u64::MAX };
        assert_eq!((setting.advance(5), setting.deadline), (1, u64::MAX));
    }
}
