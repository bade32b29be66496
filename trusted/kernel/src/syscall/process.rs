//! The end of tasks and processes, and what a process stops to share.

use super::{Answer, Call};
use crate::exit;
use crate::process::Ended;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    CLONE_FILES, CLONE_FS, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER,
    CLONE_NEWUTS, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD, CLONE_VM,
};
use rkt_linux_abi::{Errno, Result};

/// set_tid_address(2).
pub fn set_tid_address(call: &mut Call<'_>, address: u64) -> Result<u64> {
    call.task.clear_child_tid.store(address, Ordering::Relaxed);
    Ok(call.task.tid as u64)
}

/// exit(2): ends the calling task.
pub fn exit(call: &mut Call<'_>, status: i32) -> Answer {
    if call.task.process.task_count() == 1 {
        call.task.process.ended.lock().get_or_insert(Ended::Code(status as u8));
    }
    exit::end_current(call.task)
}

/// exit_group(2): ends the process.
pub fn exit_group(call: &mut Call<'_>, status: i32) -> Answer {
    call.task.process.end(Ended::Code(status as u8));
    exit::end_current(call.task)
}

/// CLONE_NEWTIME of linux/sched.h.
const CLONE_NEWTIME: u32 = 0x80;
const NAMESPACES: u32 = CLONE_NEWNS
    | CLONE_NEWCGROUP
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET
    | CLONE_NEWTIME;

/// unshare(2). What tasks of one process share they cannot stop to share; namespaces do not exist.
pub fn unshare(call: &mut Call<'_>, flags: u32) -> Result<u64> {
    let threads = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    if flags & !(threads | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | NAMESPACES) != 0 {
        return Err(Errno::EINVAL);
    }
    let process = &call.task.process;
    if flags & threads != 0 && process.task_count() > 1 {
        return Err(Errno::EINVAL);
    }
    if flags & NAMESPACES != 0 {
        return Err(Errno::EPERM);
    }
    if flags & CLONE_FS != 0 {
        process.unshare_place();
    }
    if flags & CLONE_FILES != 0 {
        process.unshare_files();
    }
    Ok(0)
}
