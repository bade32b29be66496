//! Threads, run queues, wait queues and timers (DESIGN §6).
//!
//! M user-level threads on N vCPU slots. A thread is stackful, so that kernel code is plain
//! blocking Rust: look at the condition, park, be woken. Kernel code is preempted only where it
//! parks; no lock of `rkt-sync` may be held there. The idle loop is the poller.
//!
//! `unsafe` lives in `context` (the switch itself), `cpu` (what belongs to the slot's holder)
//! and `thread` (the saved processor state).
#![no_std]

#[cfg(not(loom))]
extern crate alloc;
#[cfg(loom)]
extern crate std;

#[cfg(not(loom))]
mod account;
#[cfg(not(loom))]
mod context;
#[cfg(not(loom))]
mod cpu;
#[cfg(not(loom))]
pub mod debugger;
#[cfg(not(loom))]
mod idle;
mod occupancy;
#[cfg(not(loom))]
mod park_lock;
#[cfg(not(loom))]
mod park_rwlock;
mod share;
#[cfg(not(loom))]
mod thread;
#[cfg(not(loom))]
mod timer;
mod token;
#[cfg(not(loom))]
mod wait;

/// The scheduler proper; the model checker sees only the two protocols under it.
#[cfg(not(loom))]
mod api {
    pub use crate::account::Account;
    pub use crate::cpu::{
        RunCounters, counters, kick_idle, move_to, ready_count, schedule, set_poller, tick, wait_for_others, yield_now,
    };
    pub use crate::idle::{Poller, idle_loop, set_spin};
    pub use crate::park_lock::{ParkGuard, ParkLock};
    pub use crate::park_rwlock::{AloneGuard, ParkRwLock, SharedGuard};
    pub use crate::share::{Urgency, WEIGHT_NORMAL, weight_of_nice};
    pub use crate::thread::{CurrentThread, KERNEL_STACK_LEN, Thread, current, exit_current, in_thread, spawn};
    pub use crate::timer::{Timer, expire as expire_timers, next_deadline};
    pub use crate::wait::{Interrupted, Notify, Registration, WaitError, WaitQueue, sleep_until};

    #[cfg(feature = "simulation")]
    pub use crate::context::{prepare, switch};

    /// Forgets all ready threads and timers after a simulation that was cut short.
    #[cfg(feature = "simulation")]
    pub fn reset() {
        crate::cpu::reset();
        crate::timer::reset();
    }
}

#[cfg(not(loom))]
pub use api::*;
#[cfg(loom)]
pub use {occupancy::Occupancy, token::Token};
