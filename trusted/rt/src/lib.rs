//! What a static PIE without libc needs before and below all other code: the memory routines that
//! the compiler calls by name (feature `mem`), and the relocation of the image by itself.
//!
//! `no_builtins` keeps the compiler from recognising a copy loop in here and replacing it by a call
//! of the very function that contains it; it also keeps the crate out of link-time optimisation,
//! which could drop the symbols before the last call of them is generated. There is no AVX in this
//! crate: the kernel relies on its own code leaving the upper halves of the ymm registers alone.
#![no_std]
#![no_builtins]
#![cfg(target_arch = "x86_64")]

#[cfg(test)]
extern crate std;

pub mod mem;
mod relocate;
#[cfg(feature = "mem")]
mod symbols;

pub use relocate::{Dyn, Unsupported, relocate};
