//! Signals (signal(7)): sending, pending, masks, and delivery to handlers.
//!
//! A signal is queued by [`send_to_process`] or [`send_to_task`], which wake a task that does not
//! block it; that task finds it in [`before_return`], on its way back to the application. The
//! thread's interrupt flag says that there may be something to find, and ends waits.
//!
//! Order without a lock over it all: a sender queues first and reads masks then; a task changes
//! its mask first and looks at the queues then. So one of both sees the other.

mod altstack;
mod charge;
mod deliver;
mod fd;
mod file;
mod frame;
mod info;
mod posix_timer;
mod queue;
mod send;
mod set;
mod state;
mod timer;

pub use charge::charged;
pub use deliver::before_return;
pub use fd::SignalFd;
pub use file::tell_owner;
pub use info::{Info, SIGINFO_LEN};
pub use posix_timer::{PosixTimer, PosixTimers, Target, TimerClock, Watched};
pub use send::{
    discard, force, force_default, queue_to_process, queue_to_task, raise_fault, send_to_process, send_to_task,
};
pub use set::{DefaultAction, SIGNAL_MAX, SigSet, default_action};
pub use state::{DEFAULT, IGNORE, ProcessSignals, TaskSignals};
pub use timer::{RealTimer, Setting, tick};

use crate::syscall::abi::{Sigaction, Stack};
use crate::task::Task;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::SIGSEGV;
use rkt_linux_abi::{Errno, Result};
use rkt_platform::Registers;
use rkt_sched::{CurrentThread, WaitError};

/// Signals that the running task can take now.
fn deliverable(task: &Task) -> SigSet {
    let pending = task.signals.pending().union(task.process.signals.pending());
    pending.minus(task.signals.blocked())
}

/// Makes the running thread's interrupt flag say what is the case.
fn refresh(task: &Task, thread: &CurrentThread) {
    thread.clear_interrupt();
    let stands = task.process.signals.is_stopped() || task.process.is_dumping();
    if task.is_dying() || stands || !deliverable(task).is_empty() {
        thread.to_arc().interrupt();
    }
}

/// Changes the mask of the running task.
pub fn set_mask(task: &Task, mask: SigSet) {
    task.signals.store_blocked(mask);
    refresh(task, &rkt_sched::current());
}

/// Runs a call of the running task under another mask (ppoll(2), pselect(2), epoll_pwait(2)). If
/// a signal ends the call, the old mask comes back only after its handler.
///
/// # Errors
/// Those of the call.
pub fn with_mask<T>(task: &Task, mask: Option<SigSet>, call: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(mask) = mask else { return call() };
    suspend_mask(task, mask);
    let result = call();
    if !matches!(result, Err(Errno::EINTR | Errno::ERESTARTSYS | Errno::ERESTARTNOHAND)) {
        deliver::restore_mask(task);
        refresh(task, &rkt_sched::current());
    }
    result
}

fn suspend_mask(task: &Task, mask: SigSet) {
    task.signals.own.lock().saved = Some(task.signals.blocked());
    set_mask(task, mask);
}

/// sigsuspend(2), and pause(2) without a mask: waits for a handler to run.
///
/// # Errors
/// Always `ERESTARTNOHAND`.
pub fn suspend(task: &Task, mask: Option<SigSet>) -> Errno {
    if let Some(mask) = mask {
        suspend_mask(task, mask);
    }
    let _ = rkt_sched::sleep_until(u64::MAX);
    Errno::ERESTARTNOHAND
}

/// sigaction(2): sets the action of a signal; gives the old one. What is pending is forgotten if
/// the signal is ignored now.
pub fn set_action(task: &Task, signal: u32, action: Sigaction) -> Sigaction {
    let old = task.process.signals.set_action(signal, action.cleaned());
    if action.ignores(signal) {
        discard(&task.process, SigSet::EMPTY.with(signal));
    }
    old
}

/// sigtimedwait(2): takes one of these signals, waiting for it until `deadline` (monotonic
/// nanoseconds).
///
/// # Errors
/// `EAGAIN` after the deadline, `EINTR` if another signal is to be handled.
pub fn wait_for(task: &Task, signals: SigSet, deadline: Option<u64>) -> Result<Info> {
    let signals = signals.minus(SigSet::UNMASKABLE);
    let thread = rkt_sched::current();
    task.signals.awaited.store(signals.0, Ordering::SeqCst);
    let result = loop {
        if let Some(info) = deliver::take(task, signals) {
            break Ok(info);
        }
        // The interrupt flag may speak of an awaited signal: only others end the wait.
        refresh(task, &thread);
        match task.process.signals.arrivals.wait(deadline, || deliver::take(task, signals)) {
            Ok(info) => break Ok(info),
            Err(WaitError::TimedOut) => break Err(Errno::EAGAIN),
            Err(WaitError::Interrupted) => {
                if let Some(info) = deliver::take(task, signals) {
                    break Ok(info);
                }
                if task.is_dying() || task.process.signals.is_stopped() || !deliverable(task).is_empty() {
                    break Err(Errno::EINTR);
                }
            }
        }
    };
    task.signals.awaited.store(0, Ordering::SeqCst);
    refresh(task, &thread);
    result
}

/// sigaltstack(2): shows the alternate stack, and replaces it.
///
/// # Errors
/// As sigaltstack(2).
pub fn alternate_stack(task: &Task, new: Option<Stack>, sp: u64) -> Result<Stack> {
    let mut own = task.signals.own.lock();
    let old = own.stack.shown(sp);
    if let Some(new) = new {
        own.stack.replace(new, sp)?;
    }
    Ok(old)
}

/// rt_sigreturn(2): goes back to what a handler interrupted. A damaged frame is a SIGSEGV.
pub fn return_from_handler(task: &Arc<Task>, thread: &CurrentThread, registers: &mut Registers) {
    match frame::pop(thread, registers) {
        Ok(restored) => {
            task.signals.store_blocked(restored.mask);
            // Linux ignores errors here: the stack may be in use, or never have been valid.
            let _ = task.signals.own.lock().stack.replace(restored.stack, registers.rsp);
        }
        Err(_) => {
            registers.orig_rax = u64::MAX;
            registers.full = 1;
            send::force(task, Info::kernel(SIGSEGV));
        }
    }
    refresh(task, thread);
}

/// Arms or disarms ITIMER_VIRTUAL (0) or ITIMER_PROF (1); gives what was set before.
pub fn set_cpu_timer(task: &Task, which: usize, setting: Setting) -> Setting {
    task.process.signals.cpu_timers.set(which, setting)
}

/// What is set of these.
pub fn cpu_timer(task: &Task, which: usize) -> Setting {
    task.process.signals.cpu_timers.get(which)
}

/// The timers of timer_create(2) of the running task's process.
pub fn timers(task: &Task) -> &PosixTimers {
    &task.process.signals.timers
}
