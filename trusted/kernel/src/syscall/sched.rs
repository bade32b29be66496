//! Scheduling: yield, affinity, policies and priorities.

use super::Call;
use super::abi::Timespec;
use crate::process;
use crate::scheduling::{PRIORITY_MAX, Scheduling};
use crate::task::Task;
use alloc::sync::Arc;
use rkt_linux_abi::general::{
    CAP_SYS_NICE, SCHED_BATCH, SCHED_DEADLINE, SCHED_EXT, SCHED_FIFO, SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_KEEP_POLICY,
    SCHED_FLAG_RESET_ON_FORK, SCHED_IDLE, SCHED_NORMAL, SCHED_RESET_ON_FORK, SCHED_RR,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserSlice};

/// RLIMIT_RTPRIO.
const RLIMIT_RTPRIO: u32 = 14;
/// Time slice of SCHED_RR, nanoseconds (sched_rr_timeslice_ms).
const ROUND: u64 = 100_000_000;
/// Time slice of the others: a tick.
const SLICE: u64 = 4_000_000;

/// sched_yield(2).
pub fn sched_yield(_: &mut Call<'_>) -> Result<u64> {
    rkt_sched::yield_now();
    Ok(0)
}

fn find(call: &Call<'_>, tid: i32) -> Result<Arc<Task>> {
    if tid == 0 { Ok(call.task.clone()) } else { process::find_task(tid).ok_or(Errno::ESRCH) }
}

fn all_cpus() -> u64 {
    match rkt_platform::cpus() {
        n if n >= 64 => u64::MAX,
        n => (1 << n) - 1,
    }
}

/// Whether the caller's effective user is the real or effective one of the task's.
fn owns(call: &Call<'_>, task: &Task) -> bool {
    let mine = call.task.process.ids().user.effective;
    let theirs = task.process.ids().user;
    mine == theirs.real || mine == theirs.effective
}

fn is_privileged(call: &Call<'_>) -> bool {
    call.task.process.credentials().capable(CAP_SYS_NICE)
}

/// sched_getaffinity(2): gives the bytes of the mask.
pub fn sched_getaffinity(call: &mut Call<'_>, tid: i32, len: usize, mask: u64) -> Result<u64> {
    if len < 8 || !len.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let affinity = find(call, tid)?.thread().map_or(u64::MAX, |thread| thread.affinity());
    UserPtr::<u64>::new(mask).write(&(affinity & all_cpus()))?;
    Ok(8)
}

/// sched_setaffinity(2).
pub fn sched_setaffinity(call: &mut Call<'_>, tid: i32, len: usize, mask: u64) -> Result<u64> {
    let mut bytes = [0; 8];
    let len = len.min(8);
    if UserSlice::new(mask, len)?.read(&mut bytes) < len {
        return Err(Errno::EFAULT);
    }
    let task = find(call, tid)?;
    if !owns(call, &task) && !is_privileged(call) {
        return Err(Errno::EPERM);
    }
    let wanted = u64::from_ne_bytes(bytes) & all_cpus();
    if wanted == 0 {
        return Err(Errno::EINVAL);
    }
    if let Some(thread) = task.thread() {
        thread.set_affinity(wanted);
    }
    if task.tid == call.task.tid && wanted & (1 << rkt_platform::cpu()) == 0 {
        rkt_sched::move_to(call.thread.space());
    }
    Ok(0)
}

/// getcpu(2).
pub fn getcpu(_: &mut Call<'_>, cpu: u64, node: u64, _cache: u64) -> Result<u64> {
    UserPtr::<u32>::new(cpu).write_nullable(&(rkt_platform::cpu() as u32))?;
    UserPtr::<u32>::new(node).write_nullable(&0)?;
    Ok(0)
}

fn named(call: &Call<'_>, tid: i32) -> Result<Arc<Task>> {
    if tid < 0 { Err(Errno::EINVAL) } else { find(call, tid) }
}

/// sched_getscheduler(2).
pub fn sched_getscheduler(call: &mut Call<'_>, tid: i32) -> Result<u64> {
    let now = named(call, tid)?.scheduling();
    Ok(u64::from(now.policy | if now.reset_on_fork { SCHED_RESET_ON_FORK } else { 0 }))
}

/// What can be taken without CAP_SYS_NICE (sched(7), "Privileges and resource limits").
fn is_allowed(call: &Call<'_>, task: &Task, now: Scheduling, new: Scheduling) -> bool {
    let limit = task.process.limit(RLIMIT_RTPRIO);
    let nice_rises = new.nice >= now.nice || super::priority::limit_allows(&task.process, new.nice);
    let realtime = match new.is_realtime() {
        true if new.policy != now.policy && limit == 0 => false,
        true => new.priority <= now.priority || u64::from(new.priority) <= limit,
        false => nice_rises,
    };
    let leaves_idle = now.policy == SCHED_IDLE && new.policy != SCHED_IDLE;
    realtime
        && (!leaves_idle || super::priority::limit_allows(&task.process, now.nice))
        && owns(call, task)
        && (new.reset_on_fork || !now.reset_on_fork)
}

fn set(call: &Call<'_>, task: &Task, new: Scheduling) -> Result<u64> {
    new.check()?;
    let now = task.scheduling();
    if !is_allowed(call, task, now, new) && !is_privileged(call) {
        return Err(Errno::EPERM);
    }
    task.set_scheduling(new);
    Ok(0)
}

/// Reads `struct sched_param`.
fn read_priority(tid: i32, param: u64) -> Result<u32> {
    if param == 0 || tid < 0 {
        return Err(Errno::EINVAL);
    }
    UserPtr::<u32>::new(param).read()
}

/// sched_setscheduler(2).
pub fn sched_setscheduler(call: &mut Call<'_>, tid: i32, policy: i32, param: u64) -> Result<u64> {
    let policy = u32::try_from(policy).map_err(|_| Errno::EINVAL)?;
    let priority = read_priority(tid, param)?;
    let task = named(call, tid)?;
    let reset_on_fork = policy & SCHED_RESET_ON_FORK != 0;
    let new = Scheduling { policy: policy & !SCHED_RESET_ON_FORK, priority, reset_on_fork, ..task.scheduling() };
    set(call, &task, new)
}

/// sched_getparam(2).
pub fn sched_getparam(call: &mut Call<'_>, tid: i32, param: u64) -> Result<u64> {
    if param == 0 {
        return Err(Errno::EINVAL);
    }
    let priority = named(call, tid)?.scheduling().priority;
    UserPtr::<u32>::new(param).write(&priority)?;
    Ok(0)
}

/// sched_setparam(2).
pub fn sched_setparam(call: &mut Call<'_>, tid: i32, param: u64) -> Result<u64> {
    let priority = read_priority(tid, param)?;
    let task = named(call, tid)?;
    set(call, &task, Scheduling { priority, ..task.scheduling() })
}

/// sched_get_priority_max(2).
pub fn sched_get_priority_max(_: &mut Call<'_>, policy: u32) -> Result<u64> {
    match policy {
        SCHED_FIFO | SCHED_RR => Ok(PRIORITY_MAX.into()),
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE | SCHED_DEADLINE | SCHED_EXT => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// sched_get_priority_min(2).
pub fn sched_get_priority_min(_: &mut Call<'_>, policy: u32) -> Result<u64> {
    match policy {
        SCHED_FIFO | SCHED_RR => Ok(1),
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE | SCHED_DEADLINE | SCHED_EXT => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// sched_rr_get_interval(2).
pub fn sched_rr_get_interval(call: &mut Call<'_>, tid: i32, to: UserPtr<Timespec>) -> Result<u64> {
    let slice = match named(call, tid)?.scheduling().policy {
        SCHED_FIFO => 0,
        SCHED_RR => ROUND,
        _ => SLICE,
    };
    to.write(&Timespec::from_ns(slice))?;
    Ok(0)
}

/// Bytes of `struct sched_attr` in its first and in its present version.
const ATTR_FIRST: usize = 48;
const ATTR_LEN: usize = 56;
/// SCHED_FLAG_RECLAIM and SCHED_FLAG_DL_OVERRUN say something of SCHED_DEADLINE only; the bits for
/// utilisation clamps (linux/sched.h) are not supported, as without CONFIG_UCLAMP_TASK.
const FLAGS_DEADLINE: u64 = 2 | 4;
const FLAGS_CLAMP: u64 = 0x20 | 0x40;

/// Reads `struct sched_attr` as bytes; tells the caller the size that is known if its is not.
fn read_attr(attr: u64) -> Result<[u8; ATTR_LEN]> {
    let size = UserPtr::<u32>::new(attr).read()? as usize;
    let size = if size == 0 { ATTR_FIRST } else { size };
    let wrong = || UserPtr::<u32>::new(attr).write(&(ATTR_LEN as u32)).map_or_else(|error| error, |()| Errno::E2BIG);
    if !(ATTR_FIRST..=4096).contains(&size) {
        return Err(wrong());
    }
    let given = UserSlice::new(attr, size)?.to_vec()?;
    if given.iter().skip(ATTR_LEN).any(|&byte| byte != 0) {
        return Err(wrong());
    }
    let mut bytes = [0; ATTR_LEN];
    for (to, from) in bytes.iter_mut().zip(&given) {
        *to = *from;
    }
    Ok(bytes)
}

/// sched_setattr(2).
pub fn sched_setattr(call: &mut Call<'_>, tid: i32, attr: u64, flags: u32) -> Result<u64> {
    if attr == 0 || tid < 0 || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let bytes = read_attr(attr)?;
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes);
    let (policy, nice, priority) = (word(4), word(16) as i32, word(20));
    let flags = u64::from(word(8)) | u64::from(word(12)) << 32;
    if policy as i32 <= -1 {
        return Err(Errno::EINVAL);
    }
    let task = find(call, tid)?;
    let now = task.scheduling();
    let has = |flag: u32| flags & u64::from(flag) != 0;
    let known = u64::from(SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_KEEP_POLICY | SCHED_FLAG_KEEP_PARAMS);
    if flags & !(known | FLAGS_DEADLINE | FLAGS_CLAMP) != 0 {
        return Err(Errno::EINVAL);
    }
    let policy = if has(SCHED_FLAG_KEEP_POLICY) { now.policy } else { policy };
    if policy == SCHED_DEADLINE {
        return Err(Errno::EBUSY); // no processor time is set aside for deadlines
    }
    let (nice, priority) = if has(SCHED_FLAG_KEEP_PARAMS) { (now.nice, now.priority) } else { (nice, priority) };
    let reset_on_fork = has(SCHED_FLAG_RESET_ON_FORK);
    let mut new = Scheduling { policy, nice: nice.clamp(-20, 19), priority, reset_on_fork };
    new.check()?;
    if flags & FLAGS_CLAMP != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if new.is_realtime() {
        new.nice = now.nice;
    }
    set(call, &task, new)
}

/// sched_getattr(2).
pub fn sched_getattr(call: &mut Call<'_>, tid: i32, attr: u64, size: u32, flags: u32) -> Result<u64> {
    if attr == 0 || tid < 0 || flags != 0 || (size as usize) < ATTR_FIRST || size > 4096 {
        return Err(Errno::EINVAL);
    }
    let now = named(call, tid)?.scheduling();
    let nice = if now.is_realtime() { 0 } else { now.nice as u32 };
    let flags = if now.reset_on_fork { SCHED_FLAG_RESET_ON_FORK } else { 0 };
    let len = (size as usize).min(ATTR_LEN);
    // size, policy, flags (two words), nice, priority, and zeroes: these policies have nothing more.
    let words = [len as u32, now.policy, flags, 0, nice, now.priority, 0, 0, 0, 0, 0, 0, 0, 0];
    UserPtr::<u32>::new(attr).write_array(words.get(..len / 4).unwrap_or(&words))?;
    Ok(0)
}
