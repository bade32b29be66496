//! Delivery: what the signals of a task do to it on its way back to the application.

use super::info::Info;
use super::send::{force, force_default, tell_parent};
use super::set::{DefaultAction, SigSet, default_action};
use super::state::{DEFAULT, IGNORE};
use super::{frame, refresh};
use crate::core_dump;
use crate::jobs;
use crate::process::Ended;
use crate::syscall::abi::Sigaction;
use crate::task::Task;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::{CLD_STOPPED, SA_NODEFER, SA_RESETHAND, SA_RESTART, SI_TIMER, SIGSEGV, SIGSTOP};
use rkt_platform::Registers;
use rkt_sched::CurrentThread;

/// Bytes of the instruction that entered the kernel: `syscall` and `int 0x80` both have two.
const CALL_LEN: u64 = 2;
/// Flags that a handler starts without: trap, direction, resume.
const TF_DF_RF: u64 = 0x100 | 0x400 | 0x1_0000;

/// Acts on the signals of the running task: stops it, ends its process (the caller looks at
/// `is_dying`), or changes the registers so that a handler runs. Also restarts the interrupted
/// system call where that is due.
pub fn before_return(task: &Arc<Task>, thread: &CurrentThread, registers: &mut Registers) {
    let mut handled = false;
    while !task.is_dying() {
        if task.process.signals.is_stopped() {
            stay_stopped(task);
            continue;
        }
        if task.process.is_dumping() {
            // Whoever writes the core ends the process.
            task.process.changed.wait_uninterruptible(|| task.is_dying().then_some(()));
            continue;
        }
        let Some(info) = take(task, SigSet(!task.signals.blocked().0)) else { break };
        let action = task.process.signals.action(info.signal);
        match action.handler {
            IGNORE => {}
            DEFAULT => act_by_default(task, thread, registers, &info),
            _ => {
                handled = true;
                handle(task, thread, registers, &info, &action);
            }
        }
    }
    if !handled {
        restart(registers);
        restore_mask(task);
    }
    refresh(task, thread);
}

/// Takes the first pending signal of these, the task's own before those of the process.
pub(super) fn take(task: &Task, wanted: SigSet) -> Option<Info> {
    let own = task.signals.own.lock().pending.take(wanted);
    let mut info = own.or_else(|| task.process.signals.pending.lock().take(wanted))?;
    if info.code == SI_TIMER {
        task.process.signals.timers.taken(&mut info);
    }
    Some(info)
}

fn act_by_default(task: &Arc<Task>, thread: &CurrentThread, registers: &Registers, info: &Info) {
    let signal = info.signal;
    match default_action(signal) {
        DefaultAction::Ignore => {}
        DefaultAction::Stop => stop(task, signal),
        DefaultAction::Terminate(core) => {
            let core = core && core_dump::dump(task, thread, registers, info);
            task.process.end(Ended::Signal(signal as u8, core));
        }
    }
}

/// Stops the process of the running task. The terminal's stop signals do not stop a process
/// that nobody could continue (POSIX 2017 XSH §2.4.3).
fn stop(task: &Task, signal: u32) {
    let process = &task.process;
    if signal != SIGSTOP && jobs::is_orphaned(process) {
        return;
    }
    process.signals.stopped.store(signal, Ordering::SeqCst);
    process.signals.report.store(signal, Ordering::SeqCst);
    for other in process.tasks().iter().filter(|other| other.tid != task.tid) {
        other.kick();
    }
    tell_parent(process, CLD_STOPPED as i32, signal);
}

fn stay_stopped(task: &Task) {
    let signals = &task.process.signals;
    signals.continued.wait_uninterruptible(|| (!signals.is_stopped() || task.is_dying()).then_some(()));
}

/// Makes the handler of a signal run next.
fn handle(task: &Arc<Task>, thread: &CurrentThread, registers: &mut Registers, info: &Info, action: &Sigaction) {
    let signal = info.signal;
    if action.has(SA_RESETHAND) {
        task.process.signals.set_action(signal, Sigaction { handler: DEFAULT, ..*action });
    }
    restart_or_fail(registers, action);
    // A wait that was given up for this handler is over.
    task.signals.keep_deadline(0);
    let blocked = task.signals.blocked();
    let (mask, stack, trap) = {
        let own = task.signals.own.lock();
        (own.saved.unwrap_or(blocked), own.stack, own.trap)
    };
    if frame::push(thread, registers, &frame::Delivery { info, action, mask, stack, trap }).is_err() {
        // Linux's signal_setup_done: without a stack for SIGSEGV's handler there is no way on.
        let fault = Info::kernel(SIGSEGV);
        return if signal == SIGSEGV { force_default(task, fault) } else { force(task, fault) };
    }
    {
        let mut own = task.signals.own.lock();
        own.saved = None;
        own.stack = stack.armed_after_delivery();
    }
    let mut now_blocked = blocked.union(SigSet(action.mask));
    if !action.has(SA_NODEFER) {
        now_blocked = now_blocked.with(signal);
    }
    task.signals.store_blocked(now_blocked);
    registers.rflags &= !TF_DF_RF;
}

fn is_call_result(registers: &Registers, error: Errno) -> bool {
    registers.orig_rax != u64::MAX && registers.rax as i64 == error.as_return()
}

/// Before a handler: the call goes on after it, or fails with EINTR.
fn restart_or_fail(registers: &mut Registers, action: &Sigaction) {
    if is_call_result(registers, Errno::ERESTARTSYS) && action.has(SA_RESTART) {
        restart(registers);
    } else if is_call_result(registers, Errno::ERESTARTSYS) || is_call_result(registers, Errno::ERESTARTNOHAND) {
        registers.rax = Errno::EINTR.as_return() as u64;
    }
}

/// Makes the application call again, as if it had not called yet.
fn restart(registers: &mut Registers) {
    if is_call_result(registers, Errno::ERESTARTSYS) || is_call_result(registers, Errno::ERESTARTNOHAND) {
        registers.rax = registers.orig_rax;
        registers.orig_rax = u64::MAX;
        registers.rip = registers.rip.wrapping_sub(CALL_LEN);
        registers.full = 1;
    }
}

/// Goes back to the mask before sigsuspend(2), ppoll(2) and the like.
pub(super) fn restore_mask(task: &Task) {
    if let Some(mask) = task.signals.own.lock().saved.take() {
        task.signals.store_blocked(mask);
    }
}
