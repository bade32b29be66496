//! Scheduling: yield, affinity, policies and priorities.

use super::Call;
use crate::jobs;
use crate::process::{self, Process};
use crate::task::Task;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    CAP_SYS_NICE, PRIO_PGRP, PRIO_PROCESS, PRIO_USER, SCHED_BATCH, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL, SCHED_RR,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserSlice};

/// sched_yield(2).
pub fn sched_yield(_: &mut Call<'_>) -> Result<u64> {
    rkt_sched::yield_now();
    Ok(0)
}

fn named(call: &Call<'_>, tid: i32) -> Result<Arc<Task>> {
    match tid {
        0 => Ok(call.task.clone()),
        tid if tid < 0 => Err(Errno::EINVAL),
        tid => process::find_task(tid).ok_or(Errno::ESRCH),
    }
}

fn all_cpus() -> u64 {
    match rkt_platform::cpus() {
        n if n >= 64 => u64::MAX,
        n => (1 << n) - 1,
    }
}

/// sched_getaffinity(2): gives the bytes of the mask.
pub fn sched_getaffinity(call: &mut Call<'_>, tid: i32, len: usize, mask: u64) -> Result<u64> {
    let task = named(call, tid)?;
    if len < 8 || !len.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let affinity = task.thread().map_or(u64::MAX, |thread| thread.affinity());
    UserPtr::<u64>::new(mask).write(&(affinity & all_cpus()))?;
    Ok(8)
}

/// sched_setaffinity(2).
pub fn sched_setaffinity(call: &mut Call<'_>, tid: i32, len: usize, mask: u64) -> Result<u64> {
    let task = named(call, tid)?;
    let mut bytes = [0; 8];
    let len = len.min(8);
    if UserSlice::new(mask, len)?.read(&mut bytes) < len {
        return Err(Errno::EFAULT);
    }
    let wanted = u64::from_ne_bytes(bytes) & all_cpus();
    if wanted == 0 {
        return Err(Errno::EINVAL);
    }
    if let Some(thread) = task.thread() {
        thread.set_affinity(wanted);
    }
    if task.tid == call.task.tid && wanted & (1 << rkt_platform::cpu()) == 0 {
        rkt_sched::yield_now();
    }
    Ok(0)
}

/// getcpu(2).
pub fn getcpu(_: &mut Call<'_>, cpu: u64, node: u64, _cache: u64) -> Result<u64> {
    UserPtr::<u32>::new(cpu).write_nullable(&(rkt_platform::cpu() as u32))?;
    UserPtr::<u32>::new(node).write_nullable(&0)?;
    Ok(0)
}

/// sched_getscheduler(2).
pub fn sched_getscheduler(call: &mut Call<'_>, tid: i32) -> Result<u64> {
    Ok(named(call, tid)?.policy.load(Ordering::Relaxed).into())
}

/// sched_setscheduler(2): real-time policies are not permitted, the others are treated alike.
pub fn sched_setscheduler(call: &mut Call<'_>, tid: i32, policy: u32, param: u64) -> Result<u64> {
    let task = named(call, tid)?;
    let priority = UserPtr::<i32>::new(param).read().map_err(|_| Errno::EINVAL)?;
    match policy & !0x4000_0000 {
        policy @ (SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE) if priority == 0 => {
            task.policy.store(policy, Ordering::Relaxed);
            Ok(0)
        }
        SCHED_FIFO | SCHED_RR if (1..=99).contains(&priority) => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// sched_getparam(2).
pub fn sched_getparam(call: &mut Call<'_>, tid: i32, param: u64) -> Result<u64> {
    named(call, tid)?;
    if param == 0 {
        return Err(Errno::EINVAL);
    }
    UserPtr::<i32>::new(param).write(&0)?;
    Ok(0)
}

/// sched_setparam(2).
pub fn sched_setparam(call: &mut Call<'_>, tid: i32, param: u64) -> Result<u64> {
    let policy = named(call, tid)?.policy.load(Ordering::Relaxed);
    sched_setscheduler(call, tid, policy, param)
}

/// sched_get_priority_max(2).
pub fn sched_get_priority_max(_: &mut Call<'_>, policy: u32) -> Result<u64> {
    match policy {
        SCHED_FIFO | SCHED_RR => Ok(99),
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE | 6 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// sched_get_priority_min(2).
pub fn sched_get_priority_min(_: &mut Call<'_>, policy: u32) -> Result<u64> {
    match policy {
        SCHED_FIFO | SCHED_RR => Ok(1),
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE | 6 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// Whom getpriority(2) and setpriority(2) name.
fn priority_targets(call: &Call<'_>, which: u32, who: i32) -> Result<Vec<Arc<Process>>> {
    let me = &call.task.process;
    let mut all = match which {
        PRIO_PROCESS if who == 0 => alloc::vec![me.clone()],
        PRIO_PROCESS => process::find_task(who).map(|task| task.process.clone()).into_iter().collect(),
        PRIO_PGRP if who == 0 => jobs::members(me.group.load(Ordering::Relaxed)),
        PRIO_PGRP => jobs::members(who),
        PRIO_USER => {
            let user = if who == 0 { me.ids.lock().user.real } else { who as u32 };
            process::all().into_iter().filter(|process| process.ids.lock().user.real == user).collect()
        }
        _ => return Err(Errno::EINVAL),
    };
    all.retain(|process| !process.zombie.load(Ordering::SeqCst));
    if all.is_empty() { Err(Errno::ESRCH) } else { Ok(all) }
}

/// getpriority(2): 20 minus the nice value, of the most urgent.
pub fn getpriority(call: &mut Call<'_>, which: u32, who: i32) -> Result<u64> {
    let targets = priority_targets(call, which, who)?;
    Ok(targets.iter().map(|process| 20 - process.nice.load(Ordering::Relaxed)).max().unwrap_or(20) as u64)
}

/// setpriority(2).
pub fn setpriority(call: &mut Call<'_>, which: u32, who: i32, nice: i32) -> Result<u64> {
    let nice = nice.clamp(-20, 19);
    let credentials = call.task.process.credentials();
    let mut result = Ok(0);
    for process in priority_targets(call, which, who)? {
        let ids = process.ids.lock().user;
        let mine = credentials.uid == ids.real || credentials.uid == ids.effective;
        if !mine && !credentials.capable(CAP_SYS_NICE) {
            result = Err(Errno::EPERM);
        } else if nice < process.nice.load(Ordering::Relaxed) && !credentials.capable(CAP_SYS_NICE) {
            result = Err(Errno::EACCES);
        } else {
            process.nice.store(nice, Ordering::Relaxed);
        }
    }
    result
}

/// Bytes of `struct sched_attr` in its first version.
const ATTR_LEN: usize = 48;

/// sched_setattr(2): as sched_setscheduler(2); the nice value is taken.
pub fn sched_setattr(call: &mut Call<'_>, tid: i32, attr: u64, flags: u32) -> Result<u64> {
    if attr == 0 || tid < 0 || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let size = UserPtr::<u32>::new(attr).read()? as usize;
    if size != 0 && size < ATTR_LEN {
        return Err(Errno::E2BIG);
    }
    let bytes = UserSlice::new(attr, ATTR_LEN)?.to_vec()?;
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes);
    let (policy, nice, priority) = (word(4), word(16) as i32, word(20));
    let task = named(call, tid)?;
    match policy {
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE if priority == 0 => {
            let nice = nice.clamp(-20, 19);
            if nice < task.process.nice.load(Ordering::Relaxed) && call.task.process.credentials().uid != 0 {
                return Err(Errno::EPERM);
            }
            task.process.nice.store(nice, Ordering::Relaxed);
            task.policy.store(policy, Ordering::Relaxed);
            Ok(0)
        }
        SCHED_FIFO | SCHED_RR if (1..=99).contains(&priority) => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// sched_getattr(2).
pub fn sched_getattr(call: &mut Call<'_>, tid: i32, attr: u64, size: u32, flags: u32) -> Result<u64> {
    if attr == 0 || tid < 0 || flags != 0 || (size as usize) < ATTR_LEN || size > 4096 {
        return Err(Errno::EINVAL);
    }
    let task = named(call, tid)?;
    let nice = task.process.nice.load(Ordering::Relaxed) as u32;
    let policy = task.policy.load(Ordering::Relaxed);
    // size, policy, flags (two words), nice, and zeroes: these policies have nothing more.
    UserPtr::<u32>::new(attr).write_array(&[ATTR_LEN as u32, policy, 0, 0, nice, 0, 0, 0, 0, 0, 0, 0])?;
    Ok(0)
}
