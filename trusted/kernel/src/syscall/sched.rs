//! Scheduling: yield, affinity, policies and priorities.

use super::Call;
use crate::process;
use crate::task::Task;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    PRIO_PGRP, PRIO_PROCESS, PRIO_USER, SCHED_BATCH, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL, SCHED_RR,
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

/// sched_getscheduler(2): everything runs under SCHED_OTHER.
pub fn sched_getscheduler(call: &mut Call<'_>, tid: i32) -> Result<u64> {
    named(call, tid)?;
    Ok(u64::from(SCHED_NORMAL))
}

/// sched_setscheduler(2): real-time policies are not permitted, the others are one.
pub fn sched_setscheduler(call: &mut Call<'_>, tid: i32, policy: u32, param: u64) -> Result<u64> {
    named(call, tid)?;
    let priority = UserPtr::<i32>::new(param).read().map_err(|_| Errno::EINVAL)?;
    match policy & !0x4000_0000 {
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE if priority == 0 => Ok(0),
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
    sched_setscheduler(call, tid, SCHED_NORMAL, param)
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

fn check_priority_target(call: &Call<'_>, which: u32, who: i32) -> Result<Arc<process::Process>> {
    match which {
        PRIO_PROCESS if who == 0 => Ok(call.task.process.clone()),
        PRIO_PROCESS => process::find_task(who).map(|task| task.process.clone()).ok_or(Errno::ESRCH),
        PRIO_PGRP | PRIO_USER if who == 0 => Ok(call.task.process.clone()),
        PRIO_PGRP | PRIO_USER => Err(Errno::ESRCH),
        _ => Err(Errno::EINVAL),
    }
}

/// getpriority(2): 20 minus the nice value.
pub fn getpriority(call: &mut Call<'_>, which: u32, who: i32) -> Result<u64> {
    let process = check_priority_target(call, which, who)?;
    Ok((20 - process.nice.load(Ordering::Relaxed)) as u64)
}

/// setpriority(2).
pub fn setpriority(call: &mut Call<'_>, which: u32, who: i32, nice: i32) -> Result<u64> {
    let process = check_priority_target(call, which, who)?;
    let nice = nice.clamp(-20, 19);
    if nice < process.nice.load(Ordering::Relaxed) && call.task.process.credentials().uid != 0 {
        return Err(Errno::EACCES);
    }
    process.nice.store(nice, Ordering::Relaxed);
    Ok(0)
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
    // size, policy, flags (two words), nice, and zeroes: SCHED_OTHER has nothing more.
    UserPtr::<u32>::new(attr).write_array(&[ATTR_LEN as u32, SCHED_NORMAL, 0, 0, nice, 0, 0, 0, 0, 0, 0, 0])?;
    Ok(0)
}
