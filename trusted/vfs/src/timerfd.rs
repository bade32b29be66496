//! timerfd_create(2).

use crate::anon::AnonInode;
use crate::file::{FileOps, OpenFile};
use crate::poll::{PollTable, READABLE};
use alloc::sync::{Arc, Weak};
use rkt_linux_abi::general::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, O_NONBLOCK, O_RDWR,
    TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET,
};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{Notify, Timer, WaitQueue};
use rkt_sync::Mutex;
use rkt_user::IoSink;

/// When a timer fires: nanoseconds until the first time (0 = never), and from then on every
/// `interval` (0 = once).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimerSetting {
    /// Nanoseconds, or for `TFD_TIMER_ABSTIME` nanoseconds on the timer's clock.
    pub value: u64,
    /// Nanoseconds.
    pub interval: u64,
}

#[derive(Default)]
struct State {
    /// Monotonic time of the next expiration that was not read yet.
    next: Option<u64>,
    interval: u64,
    /// Wakes those who wait at the next expiration. Expirations that nobody has read are counted
    /// when somebody does: until then there is nothing more to tell.
    timer: Option<Timer>,
}

impl State {
    /// Expirations that were not read yet.
    fn expirations(&self, now: u64) -> u64 {
        match self.next {
            Some(next) if next <= now => 1 + (now - next).checked_div(self.interval).unwrap_or(0),
            _ => 0,
        }
    }

    /// The first expiration after `now`.
    fn upcoming(&self, now: u64) -> Option<u64> {
        let next = self.next?;
        if next > now {
            return Some(next);
        }
        let passed = self.expirations(now);
        (self.interval > 0).then(|| next.saturating_add(passed.saturating_mul(self.interval)))
    }

    fn setting(&self, now: u64) -> TimerSetting {
        let value = self.upcoming(now).map_or(0, |next| next - now);
        TimerSetting { value, interval: self.interval }
    }
}

/// A timer that can be read and polled.
pub struct TimerFd {
    me: Weak<TimerFd>,
    realtime: bool,
    state: Mutex<State>,
    readers: Arc<WaitQueue>,
}

impl TimerFd {
    /// timerfd_create(2); `flags` is `TFD_NONBLOCK` or nothing. The caller handles `TFD_CLOEXEC`.
    ///
    /// # Errors
    /// `EINVAL` for an unknown clock.
    pub fn create(clock: u32, flags: u32) -> Result<Arc<OpenFile>> {
        let realtime = match clock {
            CLOCK_REALTIME | CLOCK_REALTIME_ALARM => true,
            CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => false,
            _ => return Err(Errno::EINVAL),
        };
        let timer =
            Arc::new_cyclic(|me| Self { me: me.clone(), realtime, state: Mutex::default(), readers: Arc::default() });
        let inode = Arc::new(AnonInode::new(0o600));
        Ok(OpenFile::anonymous(inode, b"anon_inode:[timerfd]", timer, O_RDWR | flags & O_NONBLOCK))
    }

    /// The timer behind an open file.
    ///
    /// # Errors
    /// `EINVAL` if it is none.
    pub fn of(file: &OpenFile) -> Result<&TimerFd> {
        file.ops_as().ok_or(Errno::EINVAL)
    }

    /// timerfd_gettime(2).
    pub fn get(&self) -> TimerSetting {
        self.state.lock().setting(rkt_platform::now())
    }

    /// timerfd_settime(2): gives the setting before.
    ///
    /// # Errors
    /// `EINVAL` for unknown flags.
    pub fn set(&self, flags: u32, new: TimerSetting) -> Result<TimerSetting> {
        if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
            return Err(Errno::EINVAL);
        }
        let now = rkt_platform::now();
        let first = match (new.value, flags & TFD_TIMER_ABSTIME != 0) {
            (0, _) => None,
            (value, false) => Some(now.saturating_add(value)),
            (value, true) if self.realtime => Some(now.saturating_add(value.saturating_sub(rkt_platform::wall()))),
            (value, true) => Some(value),
        };
        let (before, old_timer) = {
            let mut state = self.state.lock();
            let before = state.setting(now);
            let old_timer = state.timer.take();
            state.next = first;
            state.interval = new.interval;
            (before, old_timer)
        };
        drop(old_timer);
        self.arm();
        Ok(before)
    }

    /// Has the waiters woken at the next expiration, at once if there is one already.
    fn arm(&self) {
        let now = rkt_platform::now();
        let (due, old) = {
            let mut state = self.state.lock();
            let due = state.expirations(now) > 0;
            let upcoming = state.upcoming(now).filter(|_| !due).zip(self.me.upgrade());
            let timer = upcoming.map(|(deadline, me)| Timer::arm(deadline, me));
            (due, core::mem::replace(&mut state.timer, timer))
        };
        drop(old);
        if due {
            self.readers.wake_all(READABLE);
        }
    }

    fn take(&self) -> Option<u64> {
        let now = rkt_platform::now();
        let mut state = self.state.lock();
        let expirations = state.expirations(now);
        if expirations == 0 {
            return None;
        }
        state.next = state.upcoming(now);
        Some(expirations)
    }
}

impl Notify for TimerFd {
    fn notify(self: Arc<Self>, _events: u32) {
        self.arm();
    }
}

impl FileOps for TimerFd {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        if into.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let expirations = match self.take() {
            Some(expirations) => expirations,
            None if file.nonblocking() => return Err(Errno::EAGAIN),
            None => self.readers.wait(None, || self.take()).map_err(|_| Errno::ERESTARTSYS)?,
        };
        self.arm();
        into.put(&expirations.to_ne_bytes())
    }

    fn seek(&self, _: &OpenFile, position: u64, _: i64, _: u32) -> Result<u64> {
        Ok(position) // noop_llseek of the kernel: lseek succeeds without a position
    }

    fn pollable(&self) -> bool {
        true
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        if let Some(table) = table {
            table.watch(&self.readers);
        }
        if self.state.lock().expirations(rkt_platform::now()) > 0 { READABLE } else { 0 }
    }

    fn release(&self, _: &OpenFile) {
        // An armed timer holds its target: this ends the cycle.
        let timer = {
            let mut state = self.state.lock();
            state.next = None;
            state.timer.take()
        };
        drop(timer);
    }
}
