//! Timers of timer_create(2), on clocks of time and of processor time.

use super::charge::{Ticket, charge};
use super::info::Info;
use super::send::{RLIMIT_SIGPENDING, queue_to_process, queue_to_task};
use super::timer::Setting;
use crate::cpu_clock::CpuClock;
use crate::process::Process;
use crate::syscall::time::{Clock, deadline_at};
use crate::task::Task;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use rkt_linux_abi::general::SIGALRM;
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{Notify, Timer};
use rkt_sync::Mutex;

/// `DELAYTIMER_MAX`: overruns are not counted further.
const OVERRUN_MAX: u64 = i32::MAX as u64;

/// How soon a timer whose signal is ignored fires again at most, nanoseconds: a tick.
const UNHEARD: u64 = 4_000_000;

/// Whom a timer of timer_create(2) notifies.
pub enum Target {
    /// Nobody (`SIGEV_NONE`).
    Nobody,
    /// The process (`SIGEV_SIGNAL`).
    Process,
    /// One of its tasks (`SIGEV_THREAD_ID`).
    Task(Weak<Task>),
}

/// What a timer goes by.
pub enum TimerClock {
    /// Time; settings are in terms of the monotonic clock.
    Time(Clock),
    /// Processor time.
    Cpu(CpuClock),
}

/// A timer of timer_create(2).
pub struct PosixTimer {
    id: i32,
    clock: TimerClock,
    process: Weak<Process>,
    target: Target,
    signal: u32,
    value: u64,
    state: Mutex<State>,
    /// Its signal always has a place in the queue.
    _place: Ticket,
}

#[derive(Default)]
struct State {
    setting: Setting,
    /// Not while its signal is pending: what expires meanwhile is counted when that is taken.
    armed: Option<Timer>,
    /// Expirations since the pending signal was sent, as far as they were looked at.
    overrun: u64,
    /// The same of the signal taken last.
    reported: i32,
}

impl PosixTimer {
    /// Now, in terms of its settings.
    pub fn now(&self) -> u64 {
        match &self.clock {
            TimerClock::Time(_) => rkt_platform::now(),
            TimerClock::Cpu(clock) => clock.now().unwrap_or(0),
        }
    }

    /// When its clock shows this time, in terms of its settings.
    pub fn deadline_at(&self, time: u64) -> u64 {
        match &self.clock {
            TimerClock::Time(clock) => deadline_at(*clock, time),
            TimerClock::Cpu(_) => time,
        }
    }

    /// What is set.
    pub fn setting(&self) -> Setting {
        let mut state = self.state.lock();
        let silent = matches!(self.target, Target::Nobody);
        if silent || state.setting.interval != 0 {
            let times = state.setting.advance(self.now());
            if !silent {
                state.overrun = state.overrun.saturating_add(times);
            }
        }
        state.setting
    }

    /// Arms or disarms. Gives what was set before.
    pub fn set(self: &Arc<Self>, setting: Setting) -> Setting {
        let silent = matches!(self.target, Target::Nobody) || setting.deadline == 0;
        let armed = match &self.clock {
            TimerClock::Time(_) => (!silent).then(|| Timer::arm(setting.deadline, self.clone())),
            TimerClock::Cpu(_) => None,
        };
        let mut state = self.state.lock();
        state.overrun = 0;
        let old = (core::mem::replace(&mut state.setting, setting), core::mem::replace(&mut state.armed, armed));
        drop(state);
        if let TimerClock::Cpu(clock) = &self.clock
            && let Some(process) = clock.process()
        {
            process.signals.watched.watch(self, !silent);
            self.look();
        }
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

    /// Sends the signal, or counts if it is pending. Says whether it was sent.
    fn expired(&self, state: &mut State, times: u64) -> bool {
        let sent = self.send();
        state.overrun = if sent { times - 1 } else { state.overrun.saturating_add(times) };
        sent
    }

    /// Goes on after its signal was taken. Gives what was armed, to be dropped without the lock.
    fn rearm(self: &Arc<Self>, state: &mut State) -> Option<Timer> {
        let deadline = state.setting.deadline;
        let armed =
            (deadline != 0 && matches!(self.clock, TimerClock::Time(_))).then(|| Timer::arm(deadline, self.clone()));
        core::mem::replace(&mut state.armed, armed)
    }

    /// Its processor time may have passed.
    fn look(&self) {
        let now = self.now();
        let mut state = self.state.lock();
        let times = state.setting.advance(now);
        if times > 0 && !matches!(self.target, Target::Nobody) {
            self.expired(&mut state, times);
        }
    }
}

impl Notify for PosixTimer {
    fn notify(self: Arc<Self>, _: u32) {
        let mut state = self.state.lock();
        let times = state.setting.advance(rkt_platform::now());
        if times == 0 {
            return; // set anew meanwhile
        }
        let again = match self.expired(&mut state, times) {
            true => 0,
            // Nobody will take it (it is ignored): look again now and then.
            false if state.setting.deadline != 0 => state.setting.deadline.max(rkt_platform::now() + UNHEARD),
            false => 0,
        };
        let armed = (again != 0).then(|| Timer::arm(again, self.clone()));
        let old = core::mem::replace(&mut state.armed, armed);
        drop(state);
        drop(old);
    }
}

/// Armed timers that go by the processor time of a process or its tasks: looked at in each tick
/// that hits one of these.
#[derive(Default)]
pub struct Watched {
    any: AtomicBool,
    timers: Mutex<Vec<Weak<PosixTimer>>>,
}

impl Watched {
    fn watch(&self, timer: &Arc<PosixTimer>, on: bool) {
        let mut timers = self.timers.lock();
        timers.retain(|other| other.strong_count() > 0 && other.as_ptr() != Arc::as_ptr(timer));
        if on {
            timers.push(Arc::downgrade(timer));
        }
        self.any.store(!timers.is_empty(), Ordering::Relaxed);
    }

    /// A tick hit the process.
    pub(super) fn tick(&self) {
        if self.any.load(Ordering::Relaxed) {
            let timers = self.timers.lock().clone();
            timers.iter().filter_map(Weak::upgrade).for_each(|timer| timer.look());
        }
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
    /// `EAGAIN` if the user has too many.
    pub fn create(
        process: &Arc<Process>,
        clock: TimerClock,
        target: Target,
        signal: Option<(u32, u64)>,
    ) -> Result<i32> {
        let user = process.ids().user.real;
        let place = charge(user, process.limit(RLIMIT_SIGPENDING)).ok_or(Errno::EAGAIN)?;
        let mut timers = process.signals.timers.timers.lock();
        let id = (0..=i32::MAX).find(|id| !timers.contains_key(id)).ok_or(Errno::EAGAIN)?;
        let (signal, value) = signal.unwrap_or((SIGALRM, id as u64));
        let process = Arc::downgrade(process);
        let state = Mutex::default();
        timers.insert(id, Arc::new(PosixTimer { id, clock, process, target, signal, value, state, _place: place }));
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
        let old = {
            let mut state = timer.state.lock();
            let late = if state.setting.interval != 0 { state.setting.advance(timer.now()) } else { 0 };
            let overrun = core::mem::take(&mut state.overrun).saturating_add(late);
            state.reported = overrun.min(OVERRUN_MAX) as i32;
            *info = Info::timer(info.signal, timer.id, state.reported, info.value());
            timer.rearm(&mut state)
        };
        drop(old);
    }
}
