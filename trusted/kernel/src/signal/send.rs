//! Sending: from whatever causes a signal to the queue of a task or a process.

use super::info::Info;
use super::set::SigSet;
use super::state::CONTINUED;
use crate::mm::{FaultCause, classify};
use crate::process::{Ended, Process};
use crate::task::Task;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::Result;
use rkt_linux_abi::general::{
    BUS_ADRERR, CLD_CONTINUED, POLLIN, SA_NOCLDSTOP, SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGCHLD, SIGCONT, SIGFPE,
    SIGILL, SIGKILL, SIGSEGV, SIGTRAP,
};
use rkt_platform::{Fault, FaultKind};

/// RLIMIT_SIGPENDING.
pub(super) const RLIMIT_SIGPENDING: u32 = 11;
/// Trap number of a page fault (Intel SDM volume 3, §6.3.1).
const PAGE_FAULT: u64 = 14;
/// A fault without a reason is retried so often in a row.
const RETRIES: u32 = 16;
/// Retries of one address that lie further apart than this (nanoseconds) are not in a row.
const RETRY_SPAN: u64 = 100_000_000;

/// Sends a signal to a process: the first task that does not block it takes it.
pub fn send_to_process(process: &Arc<Process>, info: Info) {
    // What can fail is only the queueing of data, and the kernel's signals do not depend on it.
    let _ = queue_to_process(process, info);
}

/// Sends a signal to one task.
pub fn send_to_task(task: &Arc<Task>, info: Info) {
    let _ = queue_to_task(task, info);
}

/// As [`send_to_process`]; says whether the signal was queued (and neither ignored nor, of a
/// timer, pending already).
///
/// # Errors
/// `EAGAIN` if RLIMIT_SIGPENDING is reached and data of sigqueue(3) would be lost.
pub fn queue_to_process(process: &Arc<Process>, info: Info) -> Result<bool> {
    let signal = info.signal;
    if process.zombie.load(Ordering::SeqCst) {
        return Ok(false);
    }
    settle_jobs(process, signal);
    if signal == SIGKILL {
        process.end(Ended::Signal(SIGKILL as u8, false));
        return Ok(true);
    }
    let tasks = process.tasks();
    let blocked = tasks.first().is_some_and(|task| task.signals.blocked().contains(signal));
    if !blocked && process.signals.action(signal).ignores(signal) {
        return Ok(false);
    }
    let (user, limit) = charged_to(process);
    let queued = process.signals.pending.lock().push(info, user, limit)?;
    if let Some(task) = tasks.iter().find(|task| !task.is_dying() && task.signals.wants(signal)) {
        task.kick();
    }
    process.signals.arrivals.wake_all(POLLIN);
    Ok(queued)
}

/// As [`queue_to_process`], for one task.
///
/// # Errors
/// `EAGAIN`.
pub fn queue_to_task(task: &Arc<Task>, info: Info) -> Result<bool> {
    let (process, signal) = (&task.process, info.signal);
    settle_jobs(process, signal);
    if signal == SIGKILL {
        process.end(Ended::Signal(SIGKILL as u8, false));
        return Ok(true);
    }
    if !task.signals.blocked().contains(signal) && process.signals.action(signal).ignores(signal) {
        return Ok(false);
    }
    queue_anyway(task, info)
}

/// Who pays for a signal to a process with a place in the queue, and how many places there are.
fn charged_to(process: &Process) -> (u32, u64) {
    (process.ids().user.real, process.limit(RLIMIT_SIGPENDING))
}

fn queue_anyway(task: &Arc<Task>, info: Info) -> Result<bool> {
    let (user, limit) = charged_to(&task.process);
    let queued = task.signals.own.lock().pending.push(info, user, limit)?;
    if task.signals.wants(info.signal) {
        task.kick();
    }
    task.process.signals.arrivals.wake_all(POLLIN);
    Ok(queued)
}

/// Sends a signal that the task cannot escape: if it blocks or ignores it, the default action
/// takes place.
pub fn force(task: &Arc<Task>, info: Info) {
    let (signal, signals) = (info.signal, &task.process.signals);
    let blocked = task.signals.blocked();
    let action = signals.action(signal);
    if blocked.contains(signal) || action.ignores(signal) {
        force_default(task, info);
    } else {
        let _ = queue_anyway(task, info);
    }
}

/// Sends a signal whose default action is going to take place, whatever the task has set.
pub fn force_default(task: &Arc<Task>, info: Info) {
    let signals = &task.process.signals;
    let action = signals.action(info.signal);
    signals.set_action(info.signal, crate::syscall::abi::Sigaction { handler: super::state::DEFAULT, ..action });
    task.signals.store_blocked(task.signals.blocked().without(info.signal));
    let _ = queue_anyway(task, info);
}

/// Stop and continue signals cancel each other when they are sent, whether or not they are
/// caught, blocked or ignored; and SIGCONT continues the process then (POSIX 2017 XSH §2.4.1).
fn settle_jobs(process: &Arc<Process>, signal: u32) {
    let cancelled = match signal {
        SIGCONT => SigSet::STOP,
        _ if SigSet::STOP.contains(signal) => SigSet::of(&[SIGCONT]),
        _ => return,
    };
    discard(process, cancelled);
    if signal == SIGCONT && process.signals.stopped.swap(0, Ordering::SeqCst) != 0 {
        process.signals.report.store(CONTINUED, Ordering::SeqCst);
        process.signals.continued.wake_all(0);
        tell_parent(process, CLD_CONTINUED as i32, SIGCONT);
    }
}

/// Forgets pending signals of a process and all its tasks.
pub fn discard(process: &Process, signals: SigSet) {
    process.signals.pending.lock().discard(signals);
    for task in process.tasks() {
        task.signals.own.lock().pending.discard(signals);
    }
}

/// Tells the parent that the process stopped or goes on.
pub(super) fn tell_parent(process: &Process, code: i32, signal: u32) {
    let Some(parent) = process.parent() else { return };
    if !parent.signals.action(SIGCHLD).has(SA_NOCLDSTOP) {
        let uid = process.ids().user.real;
        send_to_process(&parent, Info::child(SIGCHLD, code, process.pid, uid, signal as i32));
    }
    parent.child_changed.wake_all(0);
}

/// Turns a fault of the running task into its signal.
pub fn raise_fault(task: &Arc<Task>, fault: &Fault) {
    if let Some(info) = fault_info(task, fault) {
        task.signals.own.lock().trap = (fault.trap.0, fault.trap.1, fault.address);
        force(task, info);
    }
}

/// The signal of a fault; none if the access is to be tried again.
fn fault_info(task: &Task, fault: &Fault) -> Option<Info> {
    let signal = match fault.kind {
        FaultKind::Segment | FaultKind::Bus => return access_info(task, fault),
        FaultKind::Arithmetic => SIGFPE,
        FaultKind::Illegal => SIGILL,
        FaultKind::Trap => SIGTRAP,
    };
    Some(Info::fault(signal, fault.code, fault.address))
}

fn access_info(task: &Task, fault: &Fault) -> Option<Info> {
    let (trap, error) = fault.trap;
    if trap != PAGE_FAULT {
        let signal = if fault.kind == FaultKind::Bus { SIGBUS } else { SIGSEGV };
        return Some(Info::fault(signal, fault.code, fault.address));
    }
    let (signal, code) = match classify(&task.process.mm(), fault.address, error) {
        FaultCause::NotMapped => (SIGSEGV, SEGV_MAPERR),
        FaultCause::NotAllowed => (SIGSEGV, SEGV_ACCERR),
        FaultCause::BehindEnd => (SIGBUS, BUS_ADRERR),
        FaultCause::Allowed if may_retry(task, fault.address) => return None,
        FaultCause::Allowed => (SIGSEGV, SEGV_ACCERR),
    };
    Some(Info::fault(signal, code as i32, fault.address))
}

/// A fault that nothing explains comes from a race, or from a host that plays tricks: that one
/// must not keep the task busy for ever.
fn may_retry(task: &Task, address: u64) -> bool {
    let now = rkt_platform::now();
    let mut own = task.signals.own.lock();
    let (last, count, when) = own.retries;
    let in_a_row = last == address && now.saturating_sub(when) < RETRY_SPAN;
    let count = if in_a_row { count + 1 } else { 1 };
    own.retries = (address, count, now);
    count <= RETRIES
}
