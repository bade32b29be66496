//! The application's processor state, as the kernel sees it.

/// General registers of the application on entry to the kernel, and after it. Lies at the top
/// of the thread's kernel stack; the entry code knows the layout.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Registers {
    #[allow(missing_docs)]
    pub r15: u64,
    #[allow(missing_docs)]
    pub r14: u64,
    #[allow(missing_docs)]
    pub r13: u64,
    #[allow(missing_docs)]
    pub r12: u64,
    #[allow(missing_docs)]
    pub rbp: u64,
    #[allow(missing_docs)]
    pub rbx: u64,
    #[allow(missing_docs)]
    pub r11: u64,
    #[allow(missing_docs)]
    pub r10: u64,
    #[allow(missing_docs)]
    pub r9: u64,
    #[allow(missing_docs)]
    pub r8: u64,
    /// Number of the call on entry, its result on return.
    pub rax: u64,
    #[allow(missing_docs)]
    pub rcx: u64,
    #[allow(missing_docs)]
    pub rdx: u64,
    #[allow(missing_docs)]
    pub rsi: u64,
    #[allow(missing_docs)]
    pub rdi: u64,
    /// `rax` on entry; all ones if the kernel was entered by a fault or a tick.
    pub orig_rax: u64,
    /// Where the application goes on. After a system call: the instruction behind it.
    pub rip: u64,
    #[allow(missing_docs)]
    pub rflags: u64,
    #[allow(missing_docs)]
    pub rsp: u64,
    /// Nonzero: every register and the whole vector state have to be restored, not just what
    /// a system call preserves. Set by traps, and by the kernel when it changes the registers
    /// (signal delivery, execve, clone).
    pub full: u64,
}

impl Registers {
    /// The six arguments of a system call.
    pub fn args(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }
}

/// What lives in the processor but not in [`Registers`]: the FS base and the extended (x87,
/// vector) state in the standard XSAVE format. One a thread; the platform fills and loads it.
#[repr(C, align(64))]
pub struct UserState {
    /// XSAVE area: legacy region, header, extended region.
    pub xsave: [u8; UserState::XSAVE_MAX],
    /// The application's FS base.
    pub fs_base: u64,
    /// The application's GS base: kept for `arch_prctl` only, since the kernel owns GS.
    pub gs_base: u64,
    /// Whether `xsave` holds the whole state (else part of it is still in the processor or in
    /// the entry frame).
    pub saved: bool,
    /// Extended components that were in use when the thread was switched out.
    pub in_use: u64,
}

impl UserState {
    /// Room for x87, SSE, AVX, AVX-512, PKRU (2,696 bytes) without AMX.
    pub const XSAVE_MAX: usize = 2752;

    /// The state of a fresh program: x87 and MXCSR at their defaults, all registers zero.
    pub const fn new() -> Self {
        let mut xsave = [0; Self::XSAVE_MAX];
        // FCW = 0x037f, MXCSR = 0x1f80 (all exceptions masked): System V ABI, §3.4.1.
        xsave[0] = 0x7f;
        xsave[1] = 0x03;
        xsave[24] = 0x80;
        xsave[25] = 0x1f;
        Self { xsave, fs_base: 0, gs_base: 0, saved: true, in_use: 0 }
    }
}

impl Default for UserState {
    fn default() -> Self {
        Self::new()
    }
}

/// A synchronous exception of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which exception.
    pub kind: FaultKind,
    /// The address that was accessed, or of the instruction.
    pub address: u64,
    /// `si_code` as Linux would give it.
    pub code: i32,
    /// The processor's trap number and error code, for the signal frame.
    pub trap: (u64, u64),
}

/// Kinds of exceptions, each with the signal it turns into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Access to memory that is not mapped or not permitted: SIGSEGV.
    Segment,
    /// Access beyond the end of a mapped object, or misaligned: SIGBUS.
    Bus,
    /// Arithmetic: SIGFPE.
    Arithmetic,
    /// Illegal instruction: SIGILL.
    Illegal,
    /// Breakpoint or single step: SIGTRAP.
    Trap,
}
