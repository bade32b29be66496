//! Clocks of processor time (clock_getcpuclockid(3)).

use crate::process::{self, Process};
use crate::task::Task;
use alloc::sync::{Arc, Weak};
use rkt_linux_abi::general::{CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
use rkt_linux_abi::{Errno, Result};

/// Whose time.
#[derive(Clone)]
enum Whose {
    Process(Weak<Process>),
    Task(Weak<Task>),
}

/// A clock of processor time.
#[derive(Clone)]
pub struct CpuClock {
    whose: Whose,
    /// Counts time in the application only.
    user_only: bool,
}

/// Bits of the numbers of such clocks: `(!id << 3) | bits` (include/linux/posix-timers_types.h).
const KIND: i32 = 3;
const KIND_USER: i32 = 1;
const KIND_SCHED: i32 = 2;
const OF_TASK: i32 = 4;

/// Whether a clock's number is of this sort.
pub fn is_cpu_clock(clock: i32) -> bool {
    clock < 0 || matches!(clock as u32, CLOCK_PROCESS_CPUTIME_ID | CLOCK_THREAD_CPUTIME_ID)
}

/// Whether it counts in ticks only, and not exactly.
pub fn is_coarse(clock: i32) -> bool {
    clock < 0 && clock & KIND != KIND_SCHED
}

/// The id that a clock's number names, and whether it is that of a task; 0 is the caller.
fn parse(clock: i32) -> Result<(i32, bool)> {
    match clock as u32 {
        CLOCK_PROCESS_CPUTIME_ID => Ok((0, false)),
        CLOCK_THREAD_CPUTIME_ID => Ok((0, true)),
        _ if clock < 0 && clock & KIND <= KIND_SCHED => Ok((!(clock >> 3), clock & OF_TASK != 0)),
        _ => Err(Errno::EINVAL),
    }
}

/// Whether the number names the calling task's own clock.
pub fn is_own_task(task: &Task, clock: i32) -> bool {
    parse(clock).is_ok_and(|(id, of_task)| of_task && (id == 0 || id == task.tid))
}

impl CpuClock {
    /// The clock with this number as a task sees it. Of tasks, only those of its own process have one.
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn find(task: &Arc<Task>, clock: i32) -> Result<Self> {
        let (id, of_task) = parse(clock)?;
        let user_only = clock < 0 && clock & KIND == KIND_USER;
        let whose = match (id, of_task) {
            (0, true) => Whose::Task(Arc::downgrade(task)),
            (0, false) => Whose::Process(Arc::downgrade(&task.process)),
            (id, true) => {
                let other = process::find_task(id).filter(|other| other.process.pid == task.process.pid);
                Whose::Task(Arc::downgrade(&other.ok_or(Errno::EINVAL)?))
            }
            (id, false) => Whose::Process(Arc::downgrade(&process::find(id).ok_or(Errno::EINVAL)?)),
        };
        Ok(Self { whose, user_only })
    }

    /// What it shows; none once its task or process is gone.
    pub fn now(&self) -> Option<u64> {
        Some(match &self.whose {
            Whose::Task(task) if self.user_only => task.upgrade()?.usage().user,
            Whose::Task(task) => task.upgrade()?.thread()?.ran_ns(),
            Whose::Process(process) if self.user_only => process.upgrade()?.usage().user,
            Whose::Process(process) => process.upgrade()?.cpu_ns(),
        })
    }

    /// The process whose ticks move it on.
    pub fn process(&self) -> Option<Arc<Process>> {
        match &self.whose {
            Whose::Task(task) => Some(task.upgrade()?.process.clone()),
            Whose::Process(process) => process.upgrade(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(parse(CLOCK_PROCESS_CPUTIME_ID as i32), Ok((0, false)));
        assert_eq!(parse((!77 << 3) | KIND_SCHED | OF_TASK), Ok((77, true)));
        assert_eq!(parse((!77 << 3) | KIND), Err(Errno::EINVAL));
        assert_eq!(parse(1), Err(Errno::EINVAL));
        assert!(is_coarse((!0 << 3) | KIND_USER) && !is_coarse(CLOCK_PROCESS_CPUTIME_ID as i32));
    }
}
