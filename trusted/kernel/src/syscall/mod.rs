//! System calls: from the number to the handler and back (DESIGN §5).

pub mod abi;
mod argument;
pub mod strace;
pub mod table;

pub mod adjust;
pub mod aio;
pub mod attributes;
pub mod barrier;
pub mod clone;
pub mod directory;
pub mod events;
pub mod exec;
pub mod fd;
mod fiemap;
pub mod futex;
pub mod handle;
pub mod identity;
pub mod ioctl;
pub mod ipc;
pub mod lock;
pub mod memory;
pub mod memory_policy;
pub mod message;
pub mod mount;
pub mod mq;
pub mod names;
pub mod other_process;
pub mod path;
pub mod pidfd;
pub mod poll;
pub mod prctl;
pub mod priority;
pub mod process;
pub mod read_write;
pub mod refused;
pub mod resource;
pub mod sched;
pub mod seccomp;
pub mod signal;
pub mod socket;
pub mod stat;
pub mod system;
pub mod time;
pub mod timer;
pub mod transfer;
pub mod wait;
pub mod xattr;

pub use argument::Argument;

use crate::seccomp::{self as seccomp_rules, Judged, Verdict};
use crate::task::{self, Task};
use crate::{exit, signal as signals};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::Registers;
use rkt_sched::CurrentThread;

/// A system call that is being served: what handlers get beside their arguments.
pub struct Call<'a> {
    /// The task that makes the call.
    pub task: &'a Arc<Task>,
    /// The thread that runs it.
    pub thread: &'a CurrentThread,
    /// The application's registers: arguments on entry. A handler that changes them itself
    /// (execve, rt_sigreturn) returns [`Outcome::Done`].
    pub registers: &'a mut Registers,
}

/// What a handler says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This goes into `rax`.
    Value(u64),
    /// The registers are as they have to be.
    Done,
}

impl From<u64> for Outcome {
    fn from(value: u64) -> Self {
        Self::Value(value)
    }
}

/// A handler's result.
pub type Answer = Result<Outcome>;

/// Every so many calls of a task, it is time to look whether devices want to be polled.
const CALLS_PER_LOOK: u64 = 32;
/// They are if this time has passed since the last poll, in microseconds.
const POLL_US: u64 = 10;

/// Calls served, in steps of [`CALLS_PER_LOOK`].
static COUNT: AtomicU64 = AtomicU64::new(0);
/// Time-stamp counter at the last poll by a busy vCPU.
static LAST_POLL: AtomicU64 = AtomicU64::new(0);
static UNKNOWN: AtomicU64 = AtomicU64::new(0);

/// Calls served and calls unknown so far.
pub fn counters() -> (u64, u64) {
    (COUNT.load(Ordering::Relaxed), UNKNOWN.load(Ordering::Relaxed))
}

/// The number of no call.
const NO_CALL: u64 = i32::MAX as u64;

/// The platform's upcall for system calls.
pub fn enter(registers: &mut Registers) {
    enter_by(registers, Judged::native);
}

/// Serves a call that a filter sees as `judged` says.
#[inline(always)]
fn enter_by(registers: &mut Registers, judged: impl Fn(u64) -> Judged) {
    let served = task::with_current(|task, thread| {
        serve(&mut Call { task, thread, registers }, judged);
        leave(task, thread, registers);
    });
    if served.is_none() {
        rkt_platform::exit(rkt_platform::Exit::Failed);
    }
}

/// The platform's upcall for `int 0x80`: the calls of the 32-bit ABI that programs for 64 bits
/// are known to make that way, with 32-bit arguments; all others do not exist here.
pub fn enter32(registers: &mut Registers) {
    let saved = *registers;
    let low = |value: u64| value & 0xffff_ffff;
    let asked = low(saved.rax);
    let number = table::from_ia32(asked).unwrap_or(NO_CALL);
    registers.rax = number;
    registers.orig_rax = number;
    [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9] =
        [low(saved.rbx), low(saved.rcx), low(saved.rdx), low(saved.rsi), low(saved.rdi), low(saved.rbp)];
    enter_by(registers, |_| Judged::ia32(asked));
    if registers.orig_rax == u64::MAX {
        return; // a signal handler or another program starts with registers of its own
    }
    [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9] =
        [saved.rdi, saved.rsi, saved.rdx, saved.r10, saved.r8, saved.r9];
}

#[inline(always)]
fn serve(call: &mut Call<'_>, judged: impl Fn(u64) -> Judged) {
    // The number is an int: its upper half is not looked at (Linux' do_syscall_64).
    let number = call.registers.rax as i32 as u64;
    call.registers.orig_rax = number;
    let traced = strace::enabled();
    if traced {
        strace::before(call);
    }
    let answer = match call.task.seccomp.is_on() {
        true => serve_judged(call, number, judged(number)),
        false => table::dispatch(number, call),
    };
    match answer {
        Ok(Outcome::Value(value)) => call.registers.rax = value,
        Ok(Outcome::Done) => {}
        Err(error) => {
            note_unknown(number, error);
            call.registers.rax = error.as_return() as u64;
        }
    }
    if traced {
        strace::after(call, number, &answer);
    }
}

#[cold]
fn serve_judged(call: &mut Call<'_>, number: u64, judged: Judged) -> Answer {
    match seccomp_rules::judge(call, judged) {
        Verdict::Serve => table::dispatch(number, call),
        Verdict::Answer(value) => Ok(Outcome::Value(value)),
        Verdict::Nothing => Ok(Outcome::Done),
    }
}

#[cold]
fn note_unknown(number: u64, error: Errno) {
    if error == Errno::ENOSYS && table::name(number).is_none() {
        UNKNOWN.fetch_add(1, Ordering::Relaxed);
        crate::log::unknown_syscall(number);
    }
}

/// On the way back to the application: restarts, signals, the end, and the devices' turn.
#[inline(always)]
fn leave(task: &Arc<Task>, thread: &CurrentThread, registers: &mut Registers) {
    let restart = matches!(registers.rax as i64, -514 | -512) && registers.orig_rax != u64::MAX;
    if thread.interrupted() || restart {
        task.process.mm().settle();
        signals::before_return(task, thread, registers);
    }
    if task.is_dying() {
        exit::end_current(task);
    }
    let calls = task.calls.load(Ordering::Relaxed) + 1;
    task.calls.store(calls, Ordering::Relaxed);
    if calls.is_multiple_of(CALLS_PER_LOOK) {
        look_after_devices();
    }
}

/// A busy vCPU polls now and then, so that whoever computes and calls a lot need not wait for
/// the tick to see packets.
fn look_after_devices() {
    COUNT.fetch_add(CALLS_PER_LOOK, Ordering::Relaxed);
    let now = rkt_platform::tsc();
    let last = LAST_POLL.load(Ordering::Relaxed);
    if now.saturating_sub(last) > POLL_US * rkt_platform::tsc_per_us() {
        LAST_POLL.store(now, Ordering::Relaxed);
        crate::boot::poll();
    }
}

/// The platform's upcall for the tick.
pub fn tick(registers: &mut Registers, in_kernel: bool) {
    let _ = task::with_current(|task, thread| {
        crate::boot::poll();
        rkt_sched::kick_idle(rkt_platform::cpu());
        rkt_sched::tick(in_kernel);
        signals::tick(task);
        exit::enforce_cpu_limit(&task.process);
        if thread.interrupted() {
            task.process.mm().settle();
            // A tick on the way out of a system call may find its registers not full.
            signals::before_return(task, thread, registers);
        }
        if task.is_dying() {
            exit::end_current(task);
        }
    });
}

/// The platform's upcall for faults.
pub fn fault(registers: &mut Registers, fault: rkt_platform::Fault) {
    registers.orig_rax = u64::MAX;
    let _ = task::with_current(|task, thread| {
        task.faults.store(task.faults.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        signals::raise_fault(task, &fault);
        signals::before_return(task, thread, registers);
        if task.is_dying() {
            exit::end_current(task);
        }
    });
}
