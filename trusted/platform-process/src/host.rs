//! The host's system calls: the only `syscall` instructions of the image.

use core::arch::asm;

/// An error number of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostError(pub u16);

/// Numbers of the calls that this crate makes; those above the line only before lockdown.
pub mod nr {
    #![allow(missing_docs)]
    pub const FSTAT: usize = 5;
    pub const RT_SIGACTION: usize = 13;
    pub const PRCTL: usize = 157;
    pub const GETTID: usize = 186;
    pub const SECCOMP: usize = 317;
    pub const CLOSE_RANGE: usize = 436;

    pub const MMAP: usize = 9;
    pub const MPROTECT: usize = 10;
    pub const MUNMAP: usize = 11;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const RT_SIGRETURN: usize = 15;
    pub const MREMAP: usize = 25;
    pub const MADVISE: usize = 28;
    pub const CLONE: usize = 56;
    pub const EXIT: usize = 60;
    pub const SIGALTSTACK: usize = 131;
    pub const FUTEX: usize = 202;
    /// What the host's kernel makes of a timed futex wait that a stop interrupted.
    pub const RESTART_SYSCALL: usize = 219;
    pub const TIMER_CREATE: usize = 222;
    pub const TIMER_SETTIME: usize = 223;
    pub const TIMER_GETTIME: usize = 224;
    pub const TIMER_GETOVERRUN: usize = 225;
    pub const TIMER_DELETE: usize = 226;
    pub const EXIT_GROUP: usize = 231;
}

/// Makes a call.
///
/// # Safety
/// The call must be sound with these arguments: it may unmap, overwrite or protect memory.
#[inline]
pub unsafe fn call(number: usize, args: [usize; 6]) -> Result<usize, HostError> {
    let result: isize;
    // SAFETY: the caller's contract; the kernel changes rax, rcx and r11 only.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    if (-4095..0).contains(&result) { Err(HostError(-result as u16)) } else { Ok(result as usize) }
}

/// Ends the process with all its threads.
pub fn exit_group(status: i32) -> ! {
    loop {
        // SAFETY: ends everything; nothing is left to be unsound.
        let _ = unsafe { call(nr::EXIT_GROUP, [status as usize, 0, 0, 0, 0, 0]) };
    }
}

/// Flags and rights of mmap and mprotect.
pub mod mm {
    #![allow(missing_docs)]
    pub const PROT_NONE: usize = 0;
    pub const PROT_READ: usize = 1;
    pub const PROT_WRITE: usize = 2;
    pub const PROT_EXEC: usize = 4;
    pub const MAP_SHARED: usize = 1;
    pub const MAP_PRIVATE: usize = 2;
    pub const MAP_FIXED: usize = 0x10;
    pub const MAP_ANONYMOUS: usize = 0x20;
    pub const MAP_NORESERVE: usize = 0x4000;
    pub const MAP_FIXED_NOREPLACE: usize = 0x10_0000;
    pub const MREMAP_MAYMOVE: usize = 1;
    pub const MREMAP_FIXED: usize = 2;
    pub const MADV_DONTNEED: usize = 4;
    pub const MADV_REMOVE: usize = 9;
    pub const MADV_HUGEPAGE: usize = 14;
    pub const MADV_POPULATE_READ: usize = 22;
    pub const MADV_POPULATE_WRITE: usize = 23;
}

/// mmap without a descriptor; checks that the answer is the address asked for (DESIGN §3.5).
///
/// # Safety
/// Nothing that Rust knows of may live in `addr..addr + len`.
pub unsafe fn map_fixed(addr: usize, len: usize, prot: usize, flags: usize) -> Result<(), HostError> {
    let flags = flags | mm::MAP_ANONYMOUS;
    // SAFETY: the caller's contract.
    let at = unsafe { call(nr::MMAP, [addr, len, prot, flags, usize::MAX, 0]) }?;
    if at == addr { Ok(()) } else { Err(HostError(0)) }
}
