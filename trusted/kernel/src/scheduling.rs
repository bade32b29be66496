//! How a task is scheduled: its policy, nice value and real-time priority (sched(7)).

use crate::task::Task;
use rkt_linux_abi::general::{SCHED_BATCH, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL, SCHED_RR};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{Urgency, weight_of_nice};

/// Weight of SCHED_IDLE: less than nice 19.
const WEIGHT_IDLE: u32 = 3;
/// Largest real-time priority.
pub const PRIORITY_MAX: u32 = 99;

/// Settings of one task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// `SCHED_` number.
    pub policy: u32,
    /// -20 (most urgent) to 19.
    pub nice: i32,
    /// 1 to 99 with SCHED_FIFO and SCHED_RR, else 0.
    pub priority: u32,
    /// Children start with what a fresh program has (SCHED_RESET_ON_FORK).
    pub reset_on_fork: bool,
}

impl Scheduling {
    /// Whether the policy is one of the two real-time ones.
    pub fn is_realtime(self) -> bool {
        matches!(self.policy, SCHED_FIFO | SCHED_RR)
    }

    /// Whether the policy exists and its priority fits.
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn check(self) -> Result<()> {
        let known = matches!(self.policy, SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE) || self.is_realtime();
        if known && self.priority <= PRIORITY_MAX && self.is_realtime() == (self.priority != 0) {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        }
    }

    /// What a new task starts with that this one makes.
    #[must_use]
    pub fn of_child(self) -> Self {
        match self.reset_on_fork {
            false => self,
            true if self.is_realtime() => Self::default(),
            true => Self { nice: self.nice.max(0), reset_on_fork: false, ..self },
        }
    }

    /// The priority that /proc shows: nice values from 0 to 39, real-time ones below.
    pub fn shown_priority(self) -> i64 {
        if self.is_realtime() { -1 - i64::from(self.priority) } else { i64::from(self.nice) + 20 }
    }

    fn urgency(self) -> Urgency {
        match self.policy {
            SCHED_FIFO => Urgency::Realtime { priority: self.priority, turns: false },
            SCHED_RR => Urgency::Realtime { priority: self.priority, turns: true },
            SCHED_IDLE => Urgency::Weight(WEIGHT_IDLE),
            _ => Urgency::Weight(weight_of_nice(self.nice)),
        }
    }
}

impl Task {
    /// How it is scheduled.
    pub fn scheduling(&self) -> Scheduling {
        *self.scheduling.lock()
    }

    /// Schedules it this way from now on.
    pub fn set_scheduling(&self, new: Scheduling) {
        *self.scheduling.lock() = new;
        if let Some(thread) = self.thread() {
            thread.set_urgency(new.urgency());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_go_with_real_time_policies() {
        let with = |policy, priority| Scheduling { policy, priority, ..Scheduling::default() }.check();
        assert_eq!([with(SCHED_FIFO, 1), with(SCHED_RR, 99), with(SCHED_NORMAL, 0)], [Ok(()); 3]);
        assert_eq!(
            [with(SCHED_FIFO, 0), with(SCHED_RR, 100), with(SCHED_BATCH, 1), with(4, 0)],
            [Err(Errno::EINVAL); 4]
        );
    }

    #[test]
    fn children_start_afresh_if_asked_for() {
        let nice = Scheduling { nice: -5, reset_on_fork: true, ..Scheduling::default() };
        assert_eq!(nice.of_child(), Scheduling::default());
        let kept = Scheduling { nice: 5, policy: SCHED_BATCH, ..Scheduling::default() };
        assert_eq!(kept.of_child(), kept);
        let realtime = Scheduling { policy: SCHED_FIFO, priority: 3, reset_on_fork: true, ..Scheduling::default() };
        assert_eq!(realtime.of_child(), Scheduling::default());
    }
}
