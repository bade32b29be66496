//! The `process` platform: an ordinary Linux process that the supervisor executes, under a
//! seccomp filter that leaves it a dozen calls, none of which does I/O (DESIGN §4, §3.4).
//!
//! It protects nothing from the host (there is no TEE); it keeps the program from the host's
//! kernel, and has the same shape as the platforms that do protect.
//!
//! The application shares the address space: its system calls reach the kernel through a
//! rewritten instruction (`entry`, `patch`) or, the first time, through a trap (`trap`). The
//! application owns FS, the kernel owns GS.
#![no_std]
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

extern crate alloc;

mod boot;
mod carrier;
mod entry;
mod futex;
mod host;
mod large_text;
mod lockdown;
mod patch;
mod platform;
mod random;
mod shared_data;
mod space;
mod time;
mod trap;
mod user_copy;
mod vdso;
mod vector;

pub use boot::{Boot, Failure, start};
pub use platform::Process;

/// The address map above [`rkt_platform::USER_END`].
pub mod map {
    /// The root image, as the host offers it: untrusted, read-only.
    pub const IMAGE: usize = 0x5d00_0000_0000;
    /// The DMA window: untrusted.
    pub const WINDOW: usize = 0x5f00_0000_0000;
    /// The trusted region: kernel state, page cache, stacks.
    pub const REGION: usize = 0x6000_0000_0000;
    /// Largest trusted region.
    pub const REGION_MAX: usize = 0x1000_0000_0000;
}
