//! Signals: actions, masks, sending, waiting.

use super::abi::{Sigaction, Stack, Timespec};
use super::{Answer, Call, Outcome};
use crate::jobs;
use crate::process::{self, Process};
use crate::signal::{self, Info, SIGNAL_MAX, SigSet, SignalFd};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    CAP_KILL, O_CLOEXEC, O_NONBLOCK, O_RDWR, SI_TKILL, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGCONT,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserSlice};
use rkt_vfs::{AnonInode, OpenFile};

/// Bytes of `sigset_t` in the kernel.
const SET_LEN: usize = 8;
/// `SFD_CLOEXEC` and `SFD_NONBLOCK` are the flags of open(2) (linux/signalfd.h).
const SFD_CLOEXEC: u32 = O_CLOEXEC;
const SFD_NONBLOCK: u32 = O_NONBLOCK;
/// RLIMIT_NOFILE.
const RLIMIT_NOFILE: u32 = 7;

fn check_len(len: usize) -> Result<()> {
    if len == SET_LEN { Ok(()) } else { Err(Errno::EINVAL) }
}

fn read_set(address: u64) -> Result<SigSet> {
    Ok(SigSet(UserPtr::<u64>::new(address).read()?))
}

/// rt_sigaction(2).
pub fn rt_sigaction(call: &mut Call<'_>, signal: u32, new: u64, old: u64, len: usize) -> Result<u64> {
    check_len(len)?;
    let new = UserPtr::<Sigaction>::new(new).nullable().map(|new| new.read()).transpose()?;
    if signal == 0 || signal > SIGNAL_MAX || new.is_some() && SigSet::UNMASKABLE.contains(signal) {
        return Err(Errno::EINVAL);
    }
    let before = match new {
        Some(new) => signal::set_action(call.task, signal, new),
        None => call.task.process.signals.action(signal),
    };
    UserPtr::new(old).write_nullable(&before)?;
    Ok(0)
}

/// rt_sigprocmask(2).
pub fn rt_sigprocmask(call: &mut Call<'_>, how: u32, new: u64, old: u64, len: usize) -> Result<u64> {
    check_len(len)?;
    let before = call.task.signals.blocked();
    if new != 0 {
        let set = read_set(new)?;
        signal::set_mask(
            call.task,
            match how {
                SIG_BLOCK => before.union(set),
                SIG_UNBLOCK => before.minus(set),
                SIG_SETMASK => set,
                _ => return Err(Errno::EINVAL),
            },
        );
    }
    UserPtr::<u64>::new(old).write_nullable(&before.0)?;
    Ok(0)
}

/// rt_sigpending(2): the set may be asked for in part.
pub fn rt_sigpending(call: &mut Call<'_>, to: u64, len: usize) -> Result<u64> {
    if len > SET_LEN {
        return Err(Errno::EINVAL);
    }
    let pending = call.task.signals.pending().union(call.task.process.signals.pending());
    let bytes = pending.and(call.task.signals.blocked()).0.to_le_bytes();
    UserSlice::new(to, len)?.write_all(bytes.get(..len).unwrap_or(&[]))?;
    Ok(0)
}

/// rt_sigsuspend(2).
pub fn rt_sigsuspend(call: &mut Call<'_>, mask: u64, len: usize) -> Result<u64> {
    check_len(len)?;
    Err(signal::suspend(call.task, Some(read_set(mask)?)))
}

/// pause(2).
pub fn pause(call: &mut Call<'_>) -> Result<u64> {
    Err(signal::suspend(call.task, None))
}

/// rt_sigtimedwait(2).
pub fn rt_sigtimedwait(call: &mut Call<'_>, set: u64, info: u64, timeout: u64, len: usize) -> Result<u64> {
    check_len(len)?;
    let set = read_set(set)?;
    let timeout = UserPtr::<Timespec>::new(timeout).nullable().map(|timeout| timeout.read()?.to_ns()).transpose()?;
    let deadline = timeout.map(|timeout| rkt_platform::now().saturating_add(timeout));
    let found = signal::wait_for(call.task, set, deadline)?;
    if info != 0 {
        found.write(info)?;
    }
    Ok(u64::from(found.signal))
}

/// rt_sigreturn(2).
pub fn rt_sigreturn(call: &mut Call<'_>) -> Answer {
    signal::return_from_handler(call.task, call.thread, call.registers);
    Ok(Outcome::Done)
}

/// sigaltstack(2).
pub fn sigaltstack(call: &mut Call<'_>, new: u64, old: u64) -> Result<u64> {
    let new = UserPtr::<Stack>::new(new).nullable().map(|new| new.read()).transpose()?;
    let before = signal::alternate_stack(call.task, new, call.registers.rsp)?;
    UserPtr::new(old).write_nullable(&before)?;
    Ok(0)
}

/// Whether there is such a signal and the task may send it to the process (kill(2)): its real or
/// effective user is to be the real or saved one of the target.
pub(super) fn may_signal(call: &Call<'_>, target: &Process, signal: u32) -> Result<()> {
    if signal > SIGNAL_MAX {
        return Err(Errno::EINVAL);
    }
    let me = &call.task.process;
    if target.pid == me.pid {
        return Ok(());
    }
    let (mine, theirs) = (me.ids().user, target.ids().user);
    let same = [mine.real, mine.effective].iter().any(|&id| id == theirs.real || id == theirs.saved);
    let session = |process: &Process| process.session.load(Ordering::Relaxed);
    if same || me.credentials().capable(CAP_KILL) || signal == SIGCONT && session(me) == session(target) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

pub(super) fn sender(call: &Call<'_>) -> (i32, u32) {
    (call.task.process.pid, call.task.process.credentials().uid)
}

/// kill(2).
pub fn kill(call: &mut Call<'_>, pid: i32, signal: u32) -> Result<u64> {
    let (my_pid, uid) = sender(call);
    let info = Info::kill(signal, my_pid, uid);
    match pid {
        i32::MIN => Err(Errno::ESRCH),
        1.. => send(call, &find(pid)?, info).map(|()| 0),
        0 => send_to_group(call, call.task.process.group.load(Ordering::Relaxed), info),
        -1 => send_to_everybody(call, info),
        _ => send_to_group(call, -pid, info),
    }
}

/// The process with this id, also if it is the id of another of its tasks than the first.
fn find(pid: i32) -> Result<Arc<Process>> {
    let by_task = || process::find_task(pid).map(|task| task.process.clone());
    process::find(pid).or_else(by_task).ok_or(Errno::ESRCH)
}

/// Sends a signal to all members of a group: one success is enough; otherwise the last error
/// counts, and nobody is ESRCH.
pub(super) fn send_to_group(call: &Call<'_>, group: i32, info: Info) -> Result<u64> {
    let mut result = Err(Errno::ESRCH);
    for target in jobs::members(group) {
        let sent = send(call, &target, info);
        if result.is_err() {
            result = sent.map(|()| 0);
        }
    }
    result
}

/// Sends a signal to all but the first process and the caller's; who may not be signalled does
/// not count (kill(2)).
fn send_to_everybody(call: &Call<'_>, info: Info) -> Result<u64> {
    let me = call.task.process.pid;
    let mut result = Err(Errno::ESRCH);
    for target in process::all().iter().filter(|target| target.pid != crate::boot::FIRST_PID && target.pid != me) {
        match send(call, target, info) {
            Err(Errno::EPERM) if result.is_ok() => {}
            Err(Errno::EPERM) => result = Ok(0),
            sent => result = sent.map(|()| 0),
        }
    }
    result
}

pub(super) fn send(call: &Call<'_>, target: &Arc<Process>, info: Info) -> Result<()> {
    may_signal(call, target, info.signal)?;
    if info.signal == 0 { Ok(()) } else { signal::queue_to_process(target, info).map(drop) }
}

/// Sends a signal to one task, of this process if a group is given. A zombie takes all and does
/// nothing.
fn send_to_task(call: &Call<'_>, group: Option<i32>, tid: i32, info: Info) -> Result<u64> {
    let task = process::find_task(tid);
    let process = task.as_ref().map(|task| task.process.clone()).or_else(|| process::find(tid));
    let process = process.filter(|process| group.is_none_or(|group| group == process.pid)).ok_or(Errno::ESRCH)?;
    may_signal(call, &process, info.signal)?;
    if let Some(task) = task.filter(|_| info.signal != 0) {
        signal::queue_to_task(&task, info)?;
    }
    Ok(0)
}

/// tkill(2).
pub fn tkill(call: &mut Call<'_>, tid: i32, signal: u32) -> Result<u64> {
    if tid <= 0 {
        return Err(Errno::EINVAL);
    }
    let (pid, uid) = sender(call);
    send_to_task(call, None, tid, Info::tkill(signal, pid, uid))
}

/// tgkill(2).
pub fn tgkill(call: &mut Call<'_>, group: i32, tid: i32, signal: u32) -> Result<u64> {
    if group <= 0 || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    let (pid, uid) = sender(call);
    send_to_task(call, Some(group), tid, Info::tkill(signal, pid, uid))
}

/// The data of sigqueue(3): only to oneself may a process say that the kernel or kill(2) sent it.
fn check_info(call: &Call<'_>, pid: i32, info: &Info) -> Result<()> {
    if (info.code >= 0 || info.code == SI_TKILL) && pid != call.task.process.pid { Err(Errno::EPERM) } else { Ok(()) }
}

/// rt_sigqueueinfo(2).
pub fn rt_sigqueueinfo(call: &mut Call<'_>, pid: i32, signal: u32, info: u64) -> Result<u64> {
    let info = Info::read(info, signal)?;
    check_info(call, pid, &info)?;
    send(call, &find(pid)?, info)?;
    Ok(0)
}

/// rt_tgsigqueueinfo(2).
pub fn rt_tgsigqueueinfo(call: &mut Call<'_>, group: i32, tid: i32, signal: u32, info: u64) -> Result<u64> {
    let info = Info::read(info, signal)?;
    if group <= 0 || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    check_info(call, group, &info)?;
    send_to_task(call, Some(group), tid, info)
}

/// signalfd(2) of the first version.
pub fn signalfd(call: &mut Call<'_>, fd: i32, set: u64, len: usize) -> Result<u64> {
    signalfd4(call, fd, set, len, 0)
}

/// signalfd4(2).
pub fn signalfd4(call: &mut Call<'_>, fd: i32, set: u64, len: usize, flags: u32) -> Result<u64> {
    check_len(len)?;
    let set = read_set(set)?;
    if flags & !(SFD_CLOEXEC | SFD_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let process = &call.task.process;
    if fd != -1 {
        let file = super::fd::usable(call, fd)?;
        file.ops_as::<SignalFd>().ok_or(Errno::EINVAL)?.set(set);
        return Ok(fd as u64);
    }
    let inode = Arc::new(AnonInode::new(0o600));
    let ops = Arc::new(SignalFd::new(set));
    let file = OpenFile::anonymous(inode, b"anon_inode:[signalfd]", ops, O_RDWR | flags & O_NONBLOCK);
    let fd = process.files().insert(file, flags & O_CLOEXEC != 0, 0, process.limit(RLIMIT_NOFILE))?;
    Ok(fd as u64)
}
