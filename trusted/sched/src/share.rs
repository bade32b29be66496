//! Who runs next: real-time priorities first, everybody else by weight.
//!
//! A thread has a virtual time, which passes the faster the smaller its weight is; whoever has
//! had the least is next. A thread that waited is not owed all that it missed: it comes back at
//! most a little ahead of those that ran meanwhile.

use core::cmp::Ordering as Order;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Weight of nice 0.
pub const WEIGHT_NORMAL: u32 = 1024;
/// Rank of threads that share by weight; those of real-time threads are below.
const RANK_SHARED: u32 = 100;

/// How a thread is scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// By weight; twice the weight is twice the time.
    Weight(u32),
    /// Before all that share by weight; 1 to 99, 99 comes first. With `turns`, those of the same
    /// priority take turns (SCHED_RR).
    Realtime {
        /// 1 to 99.
        priority: u32,
        /// Makes place for its equals at the tick.
        turns: bool,
    },
}

/// The weight of a nice value, -20 to 19: each step is a tenth of the processor between two
/// threads, hence a factor of 1.25 (sched(7)).
pub fn weight_of_nice(nice: i32) -> u32 {
    let step = |weight: u64, _| if nice < 0 { weight * 5 / 4 } else { weight * 4 / 5 };
    // With 16 more bits, so that rounding does not add up.
    ((0..nice.unsigned_abs().min(20)).fold(u64::from(WEIGHT_NORMAL) << 16, step) >> 16) as u32
}

/// A thread's share.
pub struct Share {
    /// Rank, or [`RANK_SHARED`].
    rank: AtomicU32,
    /// Weight; 0 for a real-time thread that takes turns, 1 for one that does not.
    weight: AtomicU32,
    /// Virtual time, in ticks of the time-stamp counter.
    time: AtomicU64,
}

impl Default for Share {
    fn default() -> Self {
        Self { rank: AtomicU32::new(RANK_SHARED), weight: AtomicU32::new(WEIGHT_NORMAL), time: AtomicU64::new(0) }
    }
}

/// Place in a run queue: the least comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    rank: u32,
    time: u64,
}

impl Place {
    pub(crate) fn is_realtime(self) -> bool {
        self.rank < RANK_SHARED
    }

    /// Virtual time behind (or ahead, negative) of a queue's.
    pub(crate) fn lag(self, floor: u64) -> i64 {
        self.time.wrapping_sub(floor) as i64
    }

    /// Virtual time.
    pub(crate) fn time(self) -> u64 {
        self.time
    }

    /// Whether somebody in this place has to make way at the tick for somebody in the other.
    pub(crate) fn makes_way_for(self, other: Place, turns: bool) -> bool {
        match other.rank.cmp(&self.rank) {
            Order::Less => true,
            Order::Equal if self.is_realtime() => turns,
            Order::Equal => other.time < self.time,
            Order::Greater => false,
        }
    }
}

/// Raises a counter that nobody else writes meanwhile: cheaper than `fetch_max`.
pub(crate) fn raise(counter: &AtomicU64, to: u64) {
    if counter.load(Ordering::Relaxed) < to {
        counter.store(to, Ordering::Relaxed);
    }
}

impl Share {
    /// That of a thread which begins at this virtual time.
    pub(crate) fn starting_at(time: u64) -> Self {
        Self { time: AtomicU64::new(time), ..Self::default() }
    }

    /// Sets how the thread is scheduled from its next turn on.
    pub(crate) fn set(&self, urgency: Urgency) {
        let (rank, weight) = match urgency {
            Urgency::Weight(weight) => (RANK_SHARED, weight.max(1)),
            Urgency::Realtime { priority, turns } => (99 - priority.clamp(1, 99), u32::from(!turns)),
        };
        self.rank.store(rank, Ordering::Relaxed);
        self.weight.store(weight, Ordering::Relaxed);
    }

    /// Whether it makes place for its equals at the tick.
    pub(crate) fn takes_turns(&self) -> bool {
        self.weight.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn place(&self) -> Place {
        let rank = self.rank.load(Ordering::Relaxed);
        Place { rank, time: if rank < RANK_SHARED { 0 } else { self.time.load(Ordering::Relaxed) } }
    }

    /// The place of the thread once it has run for so many ticks.
    pub(crate) fn place_after(&self, ticks: u64) -> Place {
        let place = self.place();
        if place.is_realtime() {
            place
        } else {
            Place { time: place.time.saturating_add(self.in_virtual_time(ticks)), ..place }
        }
    }

    fn in_virtual_time(&self, ticks: u64) -> u64 {
        match self.weight.load(Ordering::Relaxed) {
            WEIGHT_NORMAL => ticks, // spares a division at each switch
            weight => ticks.saturating_mul(u64::from(WEIGHT_NORMAL)) / u64::from(weight.max(1)),
        }
    }

    /// The thread ran for so many ticks.
    pub(crate) fn charge(&self, ticks: u64) {
        let time = self.time.load(Ordering::Relaxed).saturating_add(self.in_virtual_time(ticks));
        self.time.store(time, Ordering::Relaxed);
    }

    /// The thread comes back to a queue whose virtual time is `floor`, at most `ahead` before it. `last` is the
    /// virtual time of the queue that it was in before: each has its own, and the distance between the two is
    /// nothing that the thread has had.
    pub(crate) fn wake(&self, last: u64, floor: u64, ahead: u64) {
        self.migrate(last, floor);
        raise(&self.time, floor.saturating_sub(ahead));
    }

    /// The thread lets all go first that are in the queue, but for those that have had more than
    /// `ahead` beyond their share.
    pub(crate) fn go_behind(&self, last: u64, floor: u64, ahead: u64) {
        raise(&self.time, last.min(floor.saturating_add(ahead)));
    }

    /// The thread changes to a queue with another virtual time, and keeps its distance.
    pub(crate) fn migrate(&self, from: u64, to: u64) {
        let lag = self.time.load(Ordering::Relaxed).wrapping_sub(from) as i64;
        self.time.store(to.saturating_add_signed(lag), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AHEAD: u64 = 4_000_000;

    #[test]
    fn weights_are_tenths_of_a_processor() {
        assert_eq!([-1, 0, 1].map(weight_of_nice), [1280, 1024, 819]);
        assert!((14..=16).contains(&weight_of_nice(19)));
        assert!((87_000..=90_000).contains(&weight_of_nice(-20)));
    }

    #[test]
    fn the_heavier_one_is_charged_less() {
        let (light, heavy) = (Share::default(), Share::default());
        heavy.set(Urgency::Weight(2048));
        light.charge(1000);
        heavy.charge(1500);
        assert!(heavy.place() < light.place());
        assert!(light.place().makes_way_for(heavy.place(), false));
    }

    #[test]
    fn a_sleeper_is_not_owed_its_sleep() {
        let share = Share::default();
        share.wake(AHEAD * 10, AHEAD * 10, AHEAD);
        assert_eq!(share.place().time(), AHEAD * 9);
        share.migrate(AHEAD * 10, 0);
        assert_eq!(share.place().time(), 0);
    }

    /// Woken on one vCPU and taken by the other, again and again: were the distance between the two queues taken
    /// along, it would double each time.
    #[test]
    fn two_queues_do_not_drift_apart() {
        let (here, mut there, share) = (0, AHEAD, Share::starting_at(AHEAD));
        for _ in 0..64 {
            share.wake(there, here, AHEAD);
            share.migrate(here, there);
            share.charge(10);
            there = share.place().time();
        }
        assert_eq!(there, AHEAD + 640);
    }

    #[test]
    fn real_time_comes_first() {
        let (low, high, shared) = (Share::default(), Share::default(), Share::default());
        low.set(Urgency::Realtime { priority: 1, turns: false });
        high.set(Urgency::Realtime { priority: 99, turns: true });
        assert!(high.place() < low.place() && low.place() < shared.place());
        assert!(!high.place().makes_way_for(low.place(), true) && !low.place().makes_way_for(low.place(), false));
        assert!(high.place().makes_way_for(high.place(), high.takes_turns()));
    }
}
