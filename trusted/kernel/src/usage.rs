//! What tasks and processes have used (getrusage(2)).

use crate::process::Process;
use crate::task::Task;
use core::sync::atomic::{AtomicU64, Ordering};

/// What read(2) and write(2) and their kin moved (proc_pid_io(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// Calls that read.
    pub reads: u64,
    /// Calls that wrote.
    pub writes: u64,
}

/// The transfers of a task as it goes on. Only the task itself counts.
#[derive(Default)]
pub struct TransferCounts {
    read: AtomicU64,
    written: AtomicU64,
    reads: AtomicU64,
    writes: AtomicU64,
}

impl TransferCounts {
    /// A call read so much.
    pub fn count_read(&self, bytes: u64) {
        add(&self.read, bytes);
        add(&self.reads, 1);
    }

    /// A call wrote so much.
    pub fn count_written(&self, bytes: u64) {
        add(&self.written, bytes);
        add(&self.writes, 1);
    }

    fn so_far(&self) -> Transfers {
        let [read, written, reads, writes] =
            [&self.read, &self.written, &self.reads, &self.writes].map(|count| count.load(Ordering::Relaxed));
        Transfers { read, written, reads, writes }
    }
}

/// Adds to what one task alone changes.
fn add(to: &AtomicU64, n: u64) {
    to.store(to.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

/// Processor time and counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Nanoseconds in the application.
    pub user: u64,
    /// Nanoseconds in the kernel.
    pub system: u64,
    /// Faults that were served.
    pub faults: u64,
    /// Times that it waited.
    pub waits: u64,
    /// Times that it made place for others.
    pub preemptions: u64,
    /// What it read and wrote.
    pub transfers: Transfers,
}

impl Usage {
    /// Processor time in all.
    pub fn total(&self) -> u64 {
        self.user + self.system
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Usage) -> Usage {
        Usage {
            user: self.user + other.user,
            system: self.system + other.system,
            faults: self.faults + other.faults,
            waits: self.waits + other.waits,
            preemptions: self.preemptions + other.preemptions,
            transfers: Transfers {
                read: self.transfers.read + other.transfers.read,
                written: self.transfers.written + other.transfers.written,
                reads: self.transfers.reads + other.transfers.reads,
                writes: self.transfers.writes + other.transfers.writes,
            },
        }
    }
}

/// Divides processor time as the ticks fell, so that neither part ever goes back: `shown` are the
/// parts as they were shown last.
fn divide(ran: u64, (user_hits, system_hits): (u64, u64), shown: &mut (u64, u64)) -> (u64, u64) {
    let hits = user_hits + system_hits;
    let system = if hits == 0 { 0 } else { (u128::from(ran) * u128::from(system_hits) / u128::from(hits)) as u64 };
    let system = system.max(shown.1).min(ran.saturating_sub(shown.0).max(shown.1));
    *shown = (ran.saturating_sub(system).max(shown.0), system);
    *shown
}

impl Task {
    /// What the task has used.
    pub fn usage(&self) -> Usage {
        let Some(thread) = self.thread() else { return Usage::default() };
        let account = thread.account();
        let (waits, preemptions) = account.switches();
        let (user, system) = divide(thread.ran_ns(), account.hits(), &mut self.shown_time.lock());
        let transfers = self.transfers.so_far();
        Usage { user, system, faults: self.faults.load(Ordering::Relaxed), waits, preemptions, transfers }
    }
}

impl Process {
    /// What all its tasks have used, living and ended.
    pub fn usage(&self) -> Usage {
        let ended = *self.ended_usage.lock();
        self.tasks().iter().fold(ended, |sum, task| sum.plus(task.usage()))
    }

    /// Nanoseconds of processor time of all tasks.
    pub fn cpu_ns(&self) -> u64 {
        let living: u64 = self.tasks().iter().filter_map(|task| task.thread()).map(|thread| thread.ran_ns()).sum();
        living + self.ended_usage.lock().total()
    }

    /// The most memory that it had mapped at once, in bytes: which pages are resident only the
    /// host knows.
    pub fn peak(&self) -> u64 {
        self.mm().peak().max(self.earlier_peak.load(Ordering::Relaxed))
    }

    /// A child was waited for: what it used counts for its parent from now on.
    pub fn take_over_usage(&self, child: &Process) {
        let theirs = child.usage().plus(child.children_usage.lock().0);
        let peak = child.peak().max(child.children_usage.lock().1);
        let mut mine = self.children_usage.lock();
        *mine = (mine.0.plus(theirs), mine.1.max(peak));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_divided_as_the_ticks_fall() {
        let mut shown = (0, 0);
        assert_eq!(divide(100, (0, 0), &mut shown), (100, 0));
        assert_eq!(divide(200, (1, 1), &mut shown), (100, 100));
        // More ticks in the application do not take time from the kernel's part again.
        assert_eq!(divide(300, (8, 1), &mut shown), (200, 100));
        assert_eq!(divide(300, (8, 100), &mut shown), (200, 100));
    }
}
