//! pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).

use super::{Call, path, signal as sending};
use crate::pidfd::PidFd;
use crate::process;
use crate::signal::{self, Info};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{CAP_SYS_PTRACE, O_EXCL, O_NONBLOCK, SI_TKILL};
use rkt_linux_abi::{Errno, Result};

/// PIDFD_THREAD and PIDFD_NONBLOCK are flags of open(2) (linux/pidfd.h).
const PIDFD_THREAD: u32 = O_EXCL;
const PIDFD_NONBLOCK: u32 = O_NONBLOCK;
/// Scopes of pidfd_send_signal(2) (linux/pidfd.h).
const PIDFD_SIGNAL_THREAD: u32 = 1;
const PIDFD_SIGNAL_THREAD_GROUP: u32 = 2;
const PIDFD_SIGNAL_PROCESS_GROUP: u32 = 4;

/// pidfd_open(2).
pub fn pidfd_open(call: &mut Call<'_>, pid: i32, flags: u32) -> Result<u64> {
    if flags & !(PIDFD_THREAD | PIDFD_NONBLOCK) != 0 || pid <= 0 {
        return Err(Errno::EINVAL);
    }
    let pidfd = match (process::find(pid), process::find_task(pid)) {
        (_, Some(task)) if flags & PIDFD_THREAD != 0 => PidFd::of_new(&task, true),
        (Some(process), _) => PidFd::of_process(&process),
        (None, Some(_)) => return Err(Errno::ENOENT),
        (None, None) => return Err(Errno::ESRCH),
    };
    path::install(call, pidfd.open(flags & PIDFD_NONBLOCK), true)
}

/// pidfd_send_signal(2).
pub fn pidfd_send_signal(call: &mut Call<'_>, fd: i32, number: u32, info: u64, flags: u32) -> Result<u64> {
    let scopes = PIDFD_SIGNAL_THREAD | PIDFD_SIGNAL_THREAD_GROUP | PIDFD_SIGNAL_PROCESS_GROUP;
    if flags & !scopes != 0 || flags.count_ones() > 1 {
        return Err(Errno::EINVAL);
    }
    let file = super::fd::usable(call, fd)?;
    // A directory of /proc names a process as well (pidfd_send_signal(2)).
    let in_proc = crate::procfs::of_directory(&file).transpose()?.map(|process| PidFd::of_process(&process));
    let pidfd = file.ops_as::<PidFd>().or(in_proc.as_ref()).ok_or(Errno::EBADF)?;
    let target = pidfd.process();
    let one_task = flags == PIDFD_SIGNAL_THREAD || flags == 0 && pidfd.is_of_task();
    let (pid, uid) = sending::sender(call);
    let info = match info {
        0 if one_task => Info::tkill(number, pid, uid),
        0 => Info::kill(number, pid, uid),
        from => {
            let given = Info::read(from, number)?;
            if Info::claimed(from)? != number {
                return Err(Errno::EINVAL);
            }
            let itself = target.as_ref().is_some_and(|target| target.pid == pid);
            if (given.code >= 0 || given.code == SI_TKILL) && !itself {
                return Err(Errno::EPERM);
            }
            given
        }
    };
    let target = target.ok_or(Errno::ESRCH)?;
    match flags {
        PIDFD_SIGNAL_PROCESS_GROUP => sending::send_to_group(call, target.group.load(Ordering::Relaxed), info),
        _ if one_task => {
            let task = pidfd.task().ok_or(Errno::ESRCH)?;
            sending::may_signal(call, &target, number)?;
            if number != 0 {
                signal::queue_to_task(&task, info)?;
            }
            Ok(0)
        }
        _ => sending::send(call, &target, info).map(|()| 0),
    }
}

/// pidfd_getfd(2).
pub fn pidfd_getfd(call: &mut Call<'_>, fd: i32, wanted: i32, flags: u32) -> Result<u64> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let file = super::fd::usable(call, fd)?;
    let target = file.ops_as::<PidFd>().ok_or(Errno::EBADF)?.process().ok_or(Errno::ESRCH)?;
    if target.zombie.load(Ordering::SeqCst) {
        return Err(Errno::ESRCH);
    }
    let (mine, theirs) = (call.task.process.credentials(), target.credentials());
    let may = Arc::ptr_eq(&target, &call.task.process) || mine.uid == theirs.uid || mine.capable(CAP_SYS_PTRACE);
    if !may {
        return Err(Errno::EPERM);
    }
    path::install(call, target.file(wanted)?, true)
}
