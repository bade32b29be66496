//! A deterministic platform for tests of the kernel crates.
//!
//! [`simulate`] boots the real scheduler on simulated vCPUs, runs a closure as a kernel thread,
//! and ends when it and all threads made by [`spawn`] have ended. Everything happens on the host
//! thread that called: a vCPU is a stack, and goes on to another one only within calls of the
//! door. Which one, how the time passes, what fails and what is random all come from one seed,
//! so a failure is repeated by its number (`RKT_SEED=n`, see [`each_seed`]).
//!
//! User memory is real in all that Linux promises about mappings, processor state is bytes, and
//! the application is a closure that makes system calls ([`set_application`]). Misuse of the door
//! by the kernel is a panic.
//!
//! Test support: the enclave's image never links this crate, which alone under `trusted/` uses
//! `std` (to catch panics and to name the failing seed).
#![no_std]

extern crate alloc;
extern crate std;

mod application;
mod counting;
mod machine;
mod memory;
mod platform;
mod rng;
mod simulate;

pub use application::{Application, UserContext, set_application};
pub use counting::Counting;
pub use platform::Mock;
pub use simulate::{Config, Report, advance, chance, each_seed, pick, simulate, spawn};
