//! The one door (DESIGN §4): everything that the kernel may ask of the world below it.
//!
//! Kernel crates call the free functions of this crate. Exactly one platform is linked into a
//! program; it implements [`Platform`] and names itself with [`export_platform!`]. The binding
//! is made by the linker, so the calls are direct and the kernel crates need no type parameter.
//!
//! In the other direction the kernel gives the platform a table of [`Upcalls`] at boot.
#![no_std]

mod door;
mod frame;

pub use door::*;
pub use frame::{Fault, FaultKind, Registers, UserState};
pub use rkt_window::Region;

use core::fmt;

/// First address that the application cannot use: the kernel's memory lies above.
pub const USER_END: u64 = 0x5000_0000_0000;
/// Lowest address that the application may map (vm.mmap_min_addr).
pub const USER_START: u64 = 0x1_0000;
/// Bytes of the shared object that reads the clocks ([`vdso`]).
pub const VDSO_LEN: usize = 4096;
/// Most vCPUs.
pub const MAX_CPUS: usize = rkt_window::layout::MAX_VCPUS;

/// Access rights of a mapping of user memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Protection {
    /// May be read.
    pub read: bool,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
}

/// Why the platform did not change a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// No memory, or too many mappings.
    NoMemory,
    /// This platform cannot do it (a second shared mapping or fork under SGX).
    Unsupported,
    /// The host returned an address that was not asked for: a lying host (DESIGN §3.5).
    Host,
    /// The number of the address space is in use, or was and something of it is left.
    Busy,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoMemory => "no memory for the mapping",
            Self::Unsupported => "the platform cannot make this kind of mapping",
            Self::Busy => "the number of the address space is still in use",
            Self::Host => "the host answered a mapping request with something else",
        })
    }
}

impl core::error::Error for MapError {}

/// A user address that cannot be read or written as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserFault;

/// How the whole program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The program called exit with this status (0 to 255).
    Code(u8),
    /// The program died of this signal.
    Signal(u8),
    /// The kernel gave up; the reason was logged.
    Failed,
}

/// An address space of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpaceId(pub u32);

impl SpaceId {
    /// The first program's address space.
    pub const FIRST: SpaceId = SpaceId(0);
    /// Kernel threads have none.
    pub const NONE: SpaceId = SpaceId(u32::MAX);
}

/// What the kernel lets the platform call. Each runs on the current thread's kernel stack and
/// may block, except where said.
#[derive(Clone, Copy)]
pub struct Upcalls {
    /// A system call: number and arguments are in the registers, the result goes into `rax`.
    pub syscall: fn(&mut Registers),
    /// A system call through `int 0x80`: 32-bit numbers and arguments (`rbx`, `rcx`, `rdx`, …).
    pub syscall32: fn(&mut Registers),
    /// A fault of the application.
    pub fault: fn(&mut Registers, Fault),
    /// The tick hit the application, or the kernel a moment ago (then the flag is set): the time
    /// slice may be over.
    pub tick: fn(&mut Registers, bool),
    /// A free, page-aligned range of this many bytes within 1 GiB of an address in the current
    /// address space, reserved from then on for the platform's trampolines. Must not block.
    pub reserve_near: fn(near: u64, len: u64) -> Option<u64>,
    /// Runs `apply` with the mappings of the current address space locked, if the `len` bytes at
    /// the page-aligned address are mapped executable and not writable, so that they may be
    /// replaced by a patched private copy; says whether it did. Must not block otherwise.
    pub patch: fn(page: u64, len: u64, apply: &mut dyn FnMut()) -> bool,
    /// The instruction before `after` is a `syscall`. Fills `others` with the addresses behind further
    /// ones in the same mapping that were proven earlier, in whatever program, and gives their number.
    pub prove: fn(after: u64, others: &mut [u64]) -> usize,
    /// First code of a new vCPU slot's carrier, and of a new carrier for a slot: the idle loop.
    /// Runs on the carrier's own stack and never returns.
    pub idle: fn() -> !,
}
