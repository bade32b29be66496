//! Threads, run queues, wait queues and timers (DESIGN §6).
//!
//! M user-level threads on N vCPU slots. A thread is stackful, so that kernel code is plain
//! blocking Rust: look at the condition, park, be woken. Kernel code is preempted only where it
//! parks; no lock of `rkt-sync` may be held there. The idle loop is the poller.
//!
//! `unsafe` lives in `context` (the switch itself), `cpu` (what belongs to the slot's holder)
//! and `thread` (the saved processor state).
#![no_std]

extern crate alloc;

mod context;
mod cpu;
mod idle;
mod thread;
mod timer;
mod token;
mod wait;

pub use cpu::{RunCounters, counters, kick_idle, ready_count, schedule, set_poller, yield_now};
pub use idle::{Poller, idle_loop, set_spin};
pub use thread::{CurrentThread, KERNEL_STACK_LEN, Thread, current, exit_current, in_thread, spawn};
pub use timer::{Timer, expire as expire_timers, next_deadline};
pub use wait::{Interrupted, Notify, Registration, WaitError, WaitQueue, sleep_until};

#[cfg(feature = "simulation")]
pub use context::{prepare, switch};

/// Forgets all ready threads and timers after a simulation that was cut short.
#[cfg(feature = "simulation")]
pub fn reset() {
    cpu::reset();
    timer::reset();
}
