//! Locks and once cells of the trusted half.
//!
//! A lock spins for a moment and then waits through the [`Hooks`] that the platform installs at
//! boot. Waiting blocks the whole vCPU, not the task: kernel code holds a lock for microseconds and
//! never while it parks, so this happens only where the host took the holder off its CPU.
//!
//! All state is plain words without an address in it: locks work between the processes that share
//! the trusted region.
#![no_std]

#[cfg(loom)]
extern crate std;

mod hooks;
mod mutex;
mod once;
#[cfg(not(loom))]
mod rwlock;

pub use hooks::{Hooks, install};
pub use mutex::RawLock;
#[cfg(not(loom))]
pub use mutex::{Mutex, MutexGuard, SpinLock};
pub use once::{Once, OnceCell};
#[cfg(not(loom))]
pub use rwlock::{RawRwLock, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[cfg(not(loom))]
pub(crate) use core::sync::atomic;
#[cfg(loom)]
pub(crate) use loom::sync::atomic;

/// A `const fn`, except under loom, whose atomics have no const constructor.
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* pub fn $name:ident() -> Self $body:block) => {
        #[cfg(not(loom))]
        $(#[$meta])*
        pub const fn $name() -> Self $body
        #[cfg(loom)]
        $(#[$meta])*
        pub fn $name() -> Self $body
    };
}
pub(crate) use const_unless_loom;

/// Rounds of `pause` before a lock waits: a few microseconds, longer than locks are held.
pub(crate) const SPINS: u32 = if cfg!(loom) { 1 } else { 100 };
