//! The three timers of setitimer(2).

use super::info::Info;
use super::send::send_to_process;
use crate::process::Process;
use crate::task::Task;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};
use rkt_linux_abi::general::{SIGALRM, SIGPROF, SIGVTALRM};
use rkt_sched::{Notify, Timer};
use rkt_sync::Mutex;

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
    pub(super) fn advance(&mut self, now: u64) -> u64 {
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

/// setitimer(2) ITIMER_VIRTUAL (0), which goes by time in the application, and ITIMER_PROF (1),
/// which goes by all processor time: looked at in each tick.
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
    let process = &task.process;
    process.signals.watched.tick();
    let timers = &process.signals.cpu_timers;
    if !timers.any.load(Ordering::Relaxed) {
        return;
    }
    let (user, all) = (process.usage().user, process.cpu_ns());
    let expired = {
        let [virt, prof] = &mut *timers.settings.lock();
        [virt.advance(user) > 0, prof.advance(all) > 0]
    };
    for (signal, _) in CPU_SIGNALS.iter().zip(expired).filter(|(_, expired)| *expired) {
        send_to_process(&task.process, Info::kernel(*signal));
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
