//! Signals that were sent and not yet taken.

use super::charge::{Ticket, charge};
use super::info::Info;
use super::set::{REALTIME_MIN, SigSet};
use alloc::collections::VecDeque;
use rkt_linux_abi::general::{SI_TIMER, SI_USER};
use rkt_linux_abi::{Errno, Result};

/// Pending signals of a task or of a process. An ordinary signal is pending once at most; a
/// realtime signal is queued as often as it is sent (signal(7)).
#[derive(Default)]
pub struct Pending {
    set: SigSet,
    queue: VecDeque<Queued>,
}

struct Queued {
    info: Info,
    /// Signals of timers have their place from the timer.
    _place: Option<Ticket>,
}

impl Pending {
    /// The signals that are pending.
    pub fn set(&self) -> SigSet {
        self.set
    }

    /// Adds a signal, which takes one of the places of `user`; `limit` is RLIMIT_SIGPENDING. False
    /// if it is the signal of a timer that has one pending already.
    ///
    /// # Errors
    /// `EAGAIN` if all places are taken and the sender's data would be lost. Signals of kill(2) and
    /// of the kernel are never lost, only what is known of them.
    pub fn push(&mut self, info: Info, user: u32, limit: u64) -> Result<bool> {
        let signal = info.signal;
        let realtime = signal >= REALTIME_MIN;
        if info.code == SI_TIMER {
            if self.timer_at(info.pid()).is_some() {
                return Ok(false);
            }
        } else if !realtime && self.set.contains(signal) {
            return Ok(true);
        }
        // What the kernel and kill(2) send of ordinary signals has a place beyond the limit.
        let limit = if realtime || info.code < 0 { limit } else { u64::MAX };
        let place = if info.code == SI_TIMER { Some(None) } else { charge(user, limit).map(Some) };
        match place.filter(|_| self.queue.try_reserve(1).is_ok()) {
            Some(place) => self.queue.push_back(Queued { info, _place: place }),
            None if realtime && info.code != SI_USER as i32 => return Err(Errno::EAGAIN),
            None => {}
        }
        self.set = self.set.with(signal);
        Ok(true)
    }

    /// Takes the first signal of those that `wanted` allows.
    pub fn take(&mut self, wanted: SigSet) -> Option<Info> {
        let signal = self.set.and(wanted).first()?;
        let at = self.queue.iter().position(|queued| queued.info.signal == signal);
        let found = at.and_then(|at| self.queue.remove(at)).map(|queued| queued.info);
        self.settle(signal);
        // Without an entry only the signal itself is known, as if user 0 of process 0 had sent it.
        Some(found.unwrap_or(Info::kill(signal, 0, 0)))
    }

    /// Forgets signals.
    pub fn discard(&mut self, signals: SigSet) {
        if !self.set.and(signals).is_empty() {
            self.queue.retain(|queued| !signals.contains(queued.info.signal));
            self.set = self.set.minus(signals);
        }
    }

    /// Forgets the signal of a timer of timer_create(2), which has one queued at most.
    pub fn discard_timer(&mut self, id: i32) {
        if let Some(queued) = self.timer_at(id).and_then(|at| self.queue.remove(at)) {
            self.settle(queued.info.signal);
        }
    }

    fn timer_at(&self, id: i32) -> Option<usize> {
        self.queue.iter().position(|queued| queued.info.code == SI_TIMER && queued.info.pid() == id)
    }

    /// Takes a signal out of the set if the queue has no more of it.
    fn settle(&mut self, signal: u32) {
        if !self.queue.iter().any(|queued| queued.info.signal == signal) {
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
        const USER: u32 = 1000;
        let mut pending = Pending::default();
        pending.push(Info::kill(SIGTERM, 1, 0), USER, LIMIT).unwrap();
        pending.push(Info::kill(SIGTERM, 2, 0), USER, LIMIT).unwrap();
        assert_eq!(pending.take(ALL).map(|info| info.pid()), Some(1));
        assert_eq!(pending.take(ALL), None);
    }

    #[test]
    fn realtime_signals_queue_in_order_and_low_numbers_first() {
        const USER: u32 = 1001;
        let mut pending = Pending::default();
        for (signal, value) in [(40, 1), (35, 2), (40, 3)] {
            pending.push(queued(signal, value), USER, LIMIT).unwrap();
        }
        pending.push(Info::kernel(SIGSEGV), USER, LIMIT).unwrap();
        let order: [_; 4] = core::array::from_fn(|_| pending.take(ALL).map(|info| (info.signal, info.value())));
        assert_eq!(order, [Some((SIGSEGV, 0)), Some((35, 2)), Some((40, 1)), Some((40, 3))]);
        assert!(pending.set().is_empty());
    }

    #[test]
    fn blocked_signals_stay() {
        const USER: u32 = 1002;
        let mut pending = Pending::default();
        pending.push(Info::kernel(SIGTERM), USER, LIMIT).unwrap();
        assert_eq!(pending.take(ALL.without(SIGTERM)), None);
        assert!(pending.set().contains(SIGTERM));
    }

    #[test]
    fn the_limit_is_for_queued_data() {
        const USER: u32 = 1003;
        let mut pending = Pending::default();
        for value in 0..LIMIT {
            pending.push(queued(40, value), USER, LIMIT).unwrap();
        }
        assert_eq!(pending.push(queued(40, 9), USER, LIMIT), Err(Errno::EAGAIN));
        pending.push(Info::kill(41, 7, 0), USER, LIMIT).unwrap();
        pending.push(Info::kernel(SIGTERM), USER, LIMIT).unwrap();
        assert_eq!(pending.take(SigSet::of(&[41])).map(|info| info.pid()), Some(0));
        assert_eq!(pending.take(SigSet::of(&[SIGTERM])), Some(Info::kernel(SIGTERM)));
    }

    #[test]
    fn discarding() {
        const USER: u32 = 1004;
        let mut pending = Pending::default();
        pending.push(queued(40, 1), USER, LIMIT).unwrap();
        assert_eq!(pending.push(Info::timer(40, 3, 0, 0), USER, LIMIT), Ok(true));
        assert_eq!(pending.push(Info::timer(40, 3, 0, 0), USER, LIMIT), Ok(false));
        pending.push(Info::kernel(SIGTERM), USER, LIMIT).unwrap();
        pending.discard_timer(3);
        assert_eq!(pending.set(), SigSet::of(&[40, SIGTERM]));
        pending.discard(SigSet::of(&[40]));
        assert_eq!(pending.take(ALL), Some(Info::kernel(SIGTERM)));
        assert_eq!(pending.take(ALL), None);
    }
}
