//! Signals that were sent and not yet taken.

use super::info::Info;
use super::set::{REALTIME_MIN, SigSet};
use alloc::collections::VecDeque;
use rkt_linux_abi::general::SI_TIMER;
use rkt_linux_abi::{Errno, Result};

/// Pending signals of a task or of a process. An ordinary signal is pending once at most; a
/// realtime signal is queued as often as it is sent (signal(7)).
#[derive(Default)]
pub struct Pending {
    set: SigSet,
    queue: VecDeque<Info>,
}

impl Pending {
    /// The signals that are pending.
    pub fn set(&self) -> SigSet {
        self.set
    }

    /// Adds a signal; `limit` is RLIMIT_SIGPENDING. False if it is the signal of a timer that has
    /// one pending already.
    ///
    /// # Errors
    /// `EAGAIN` if the queue is full and the sender's data would be lost. Signals of kill(2) and
    /// of the kernel are never lost, only what is known of them.
    pub fn push(&mut self, info: Info, limit: u64) -> Result<bool> {
        let signal = info.signal;
        let realtime = signal >= REALTIME_MIN;
        if info.code == SI_TIMER {
            if self.timer_at(info.pid()).is_some() {
                return Ok(false);
            }
        } else if !realtime && self.set.contains(signal) {
            return Ok(true);
        }
        let full = self.queue.len() as u64 >= limit && (realtime || info.code < 0) && info.code != SI_TIMER;
        if full || self.queue.try_reserve(1).is_err() {
            if realtime && info.code < 0 {
                return Err(Errno::EAGAIN);
            }
        } else {
            self.queue.push_back(info);
        }
        self.set = self.set.with(signal);
        Ok(true)
    }

    /// Takes the first signal of those that `wanted` allows.
    pub fn take(&mut self, wanted: SigSet) -> Option<Info> {
        let signal = self.set.and(wanted).first()?;
        let found = self.queue.iter().position(|info| info.signal == signal).and_then(|at| self.queue.remove(at));
        self.settle(signal);
        // Without an entry only the signal itself is known, as if user 0 of process 0 had sent it.
        Some(found.unwrap_or(Info::kill(signal, 0, 0)))
    }

    /// Forgets signals.
    pub fn discard(&mut self, signals: SigSet) {
        if !self.set.and(signals).is_empty() {
            self.queue.retain(|info| !signals.contains(info.signal));
            self.set = self.set.minus(signals);
        }
    }

    /// Forgets the signal of a timer of timer_create(2), which has one queued at most.
    pub fn discard_timer(&mut self, id: i32) {
        if let Some(info) = self.timer_at(id).and_then(|at| self.queue.remove(at)) {
            self.settle(info.signal);
        }
    }

    fn timer_at(&self, id: i32) -> Option<usize> {
        self.queue.iter().position(|info| info.code == SI_TIMER && info.pid() == id)
    }

    /// Takes a signal out of the set if the queue has no more of it.
    fn settle(&mut self, signal: u32) {
        if !self.queue.iter().any(|info| info.signal == signal) {
            self.set = self.set.without(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rkt_linux_abi::general::{SI_QUEUE, SIGSEGV, SIGTERM};

    const ALL: SigSet = SigSet(u64::MAX);
    const LIMIT: u64 = 4;

    fn queued(signal: u32, value: u64) -> Info {
        Info { code: SI_QUEUE, fields: [0, value, 0, 0], ..Info::kernel(signal) }
    }

    #[test]
    fn ordinary_signals_are_pending_once() {
        let mut pending = Pending::default();
        pending.push(Info::kill(SIGTERM, 1, 0), LIMIT).unwrap();
        pending.push(Info::kill(SIGTERM, 2, 0), LIMIT).unwrap();
        assert_eq!(pending.take(ALL).map(|info| info.pid()), Some(1));
        assert_eq!(pending.take(ALL), None);
    }

    #[test]
    fn realtime_signals_queue_in_order_and_low_numbers_first() {
        let mut pending = Pending::default();
        for (signal, value) in [(40, 1), (35, 2), (40, 3)] {
            pending.push(queued(signal, value), LIMIT).unwrap();
        }
        pending.push(Info::kernel(SIGSEGV), LIMIT).unwrap();
        let order: [_; 4] = core::array::from_fn(|_| pending.take(ALL).map(|info| (info.signal, info.value())));
        assert_eq!(order, [Some((SIGSEGV, 0)), Some((35, 2)), Some((40, 1)), Some((40, 3))]);
        assert!(pending.set().is_empty());
    }

    #[test]
    fn blocked_signals_stay() {
        let mut pending = Pending::default();
        pending.push(Info::kernel(SIGTERM), LIMIT).unwrap();
        assert_eq!(pending.take(ALL.without(SIGTERM)), None);
        assert!(pending.set().contains(SIGTERM));
    }

    #[test]
    fn the_limit_is_for_queued_data() {
        let mut pending = Pending::default();
        for value in 0..LIMIT {
            pending.push(queued(40, value), LIMIT).unwrap();
        }
        assert_eq!(pending.push(queued(40, 9), LIMIT), Err(Errno::EAGAIN));
        pending.push(Info::kill(41, 7, 0), LIMIT).unwrap();
        pending.push(Info::kernel(SIGTERM), LIMIT).unwrap();
        assert_eq!(pending.take(SigSet::of(&[41])).map(|info| info.pid()), Some(0));
        assert_eq!(pending.take(SigSet::of(&[SIGTERM])), Some(Info::kernel(SIGTERM)));
    }

    #[test]
    fn discarding() {
        let mut pending = Pending::default();
        pending.push(queued(40, 1), LIMIT).unwrap();
        assert_eq!(pending.push(Info::timer(40, 3, 0, 0), LIMIT), Ok(true));
        assert_eq!(pending.push(Info::timer(40, 3, 0, 0), LIMIT), Ok(false));
        pending.push(Info::kernel(SIGTERM), LIMIT).unwrap();
        pending.discard_timer(3);
        assert_eq!(pending.set(), SigSet::of(&[40, SIGTERM]));
        pending.discard(SigSet::of(&[40]));
        assert_eq!(pending.take(ALL), Some(Info::kernel(SIGTERM)));
        assert_eq!(pending.take(ALL), None);
    }
}
