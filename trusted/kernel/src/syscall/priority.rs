//! Priorities of processes, groups and users: for processor time (getpriority(2)) and for I/O
//! (ioprio_get(2)).

use super::Call;
use crate::jobs;
use crate::process::{self, Process};
use crate::scheduling::Scheduling;
use crate::task::Task;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{CAP_SYS_ADMIN, CAP_SYS_NICE, PRIO_PGRP, PRIO_PROCESS, PRIO_USER};
use rkt_linux_abi::{Errno, Result};

/// RLIMIT_NICE.
const RLIMIT_NICE: u32 = 13;

/// Whether RLIMIT_NICE lets a process have this nice value without CAP_SYS_NICE.
pub(super) fn limit_allows(process: &Process, nice: i32) -> bool {
    (20 - nice) as u64 <= process.limit(RLIMIT_NICE)
}

/// The tasks that a kind of target and a number name; none is ESRCH.
fn targets(call: &Call<'_>, which: u32, who: i32) -> Result<Vec<Arc<Task>>> {
    let me = &call.task.process;
    let leaders = |group| jobs::members(group).iter().filter_map(|process| process.tasks().first().cloned()).collect();
    let all: Vec<Arc<Task>> = match which {
        PRIO_PROCESS if who == 0 => alloc::vec![call.task.clone()],
        PRIO_PROCESS => process::find_task(who).into_iter().collect(),
        PRIO_PGRP if who == 0 => leaders(me.group.load(Ordering::Relaxed)),
        PRIO_PGRP => leaders(who),
        PRIO_USER => {
            let user = if who == 0 { me.ids().user.real } else { who as u32 };
            let of_user = |process: &Arc<Process>| process.ids().user.real == user;
            process::all().into_iter().filter(of_user).flat_map(|process| process.tasks()).collect()
        }
        _ => return Err(Errno::EINVAL),
    };
    if all.is_empty() { Err(Errno::ESRCH) } else { Ok(all) }
}

/// getpriority(2): 20 minus the nice value, of the most urgent.
pub fn getpriority(call: &mut Call<'_>, which: u32, who: i32) -> Result<u64> {
    let targets = targets(call, which, who)?;
    Ok(targets.iter().map(|task| 20 - task.scheduling().nice).max().unwrap_or(20) as u64)
}

/// setpriority(2).
pub fn setpriority(call: &mut Call<'_>, which: u32, who: i32, nice: i32) -> Result<u64> {
    let nice = nice.clamp(-20, 19);
    let me = &call.task.process;
    let mine = me.ids().user.effective;
    let privileged = me.credentials().capable(CAP_SYS_NICE);
    let mut result = Ok(0);
    for task in targets(call, which, who)? {
        let theirs = task.process.ids().user;
        let now = task.scheduling();
        if mine != theirs.real && mine != theirs.effective && !privileged {
            result = Err(Errno::EPERM);
        } else if nice < now.nice && !privileged && !limit_allows(&task.process, nice) {
            result = Err(Errno::EACCES);
        } else {
            task.set_scheduling(Scheduling { nice, ..now });
        }
    }
    result
}

/// I/O priorities: a class above 13 bits of data (linux/ioprio.h).
const CLASS_SHIFT: u32 = 13;
const CLASS_NONE: u32 = 0;
const CLASS_REALTIME: u32 = 1;
const CLASS_BEST_EFFORT: u32 = 2;
const CLASS_IDLE: u32 = 3;
/// Levels of a class.
const LEVELS: u32 = 8;

/// ioprio_set(2)'s and ioprio_get(2)'s kinds of targets start at 1.
fn io_targets(call: &Call<'_>, which: u32, who: i32) -> Result<Vec<Arc<Task>>> {
    targets(call, which.checked_sub(1).ok_or(Errno::EINVAL)?, who)
}

/// ioprio_set(2): kept; the queues of the disks know no priorities.
pub fn ioprio_set(call: &mut Call<'_>, which: u32, who: i32, priority: u32) -> Result<u64> {
    let credentials = call.task.process.credentials();
    let (class, level) = (priority >> CLASS_SHIFT & 7, priority & 7);
    match class {
        CLASS_REALTIME if !credentials.capable(CAP_SYS_ADMIN) && !credentials.capable(CAP_SYS_NICE) => {
            return Err(Errno::EPERM);
        }
        CLASS_REALTIME | CLASS_BEST_EFFORT if level < LEVELS => {}
        CLASS_IDLE => {}
        CLASS_NONE if level == 0 => {}
        _ => return Err(Errno::EINVAL),
    }
    let mine = call.task.process.ids().user;
    let privileged = credentials.capable(CAP_SYS_NICE);
    for task in io_targets(call, which, who)? {
        let theirs = task.process.ids().user.real;
        if theirs != mine.effective && theirs != mine.real && !privileged {
            return Err(Errno::EPERM);
        }
        task.io_priority.store(priority, Ordering::Relaxed);
    }
    Ok(0)
}

/// ioprio_get(2): of the most urgent.
pub fn ioprio_get(call: &mut Call<'_>, which: u32, who: i32) -> Result<u64> {
    let raw = io_targets(call, which, who)?.into_iter().map(|task| {
        let own = task.io_priority.load(Ordering::Relaxed);
        // Groups compare what counts: who has set nothing goes by its nice value.
        match own >> CLASS_SHIFT {
            CLASS_NONE if which != 1 => CLASS_BEST_EFFORT << CLASS_SHIFT | ((task.scheduling().nice + 20) / 5) as u32,
            _ => own,
        }
    });
    Ok(raw.min().unwrap_or(0).into())
}
