//! The host's signals: system calls that trap (SIGSYS), faults, and the tick.
//!
//! A handler runs on the carrier's alternate stack. If the application was hit, its state is
//! copied to where a system call would have left it, and the kernel goes on on the thread's own
//! kernel stack: so the alternate stack is free again, and the thread may park. If our own text
//! was hit, the tick is noted for later, a fault in a user copy is repaired, and any other fault
//! is the end.

use crate::carrier::{self, Carrier};
use crate::host::{self, HostError, nr};
use crate::shared_data::ImageRange;
use crate::{boot, entry, patch, user_copy, vector};
use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use rkt_platform::{Fault, FaultKind, Registers, UserState};

const SIGILL: i32 = 4;
const SIGTRAP: i32 = 5;
const SIGBUS: i32 = 7;
const SIGFPE: i32 = 8;
const SIGSEGV: i32 = 11;
const SIGALRM: i32 = 14;
const SIGSYS: i32 = 31;
/// What the tick timer sends.
pub const TICK_SIGNAL: i32 = SIGALRM;

const SA_SIGINFO: u64 = 4;
const SA_RESTORER: u64 = 0x0400_0000;
const SA_ONSTACK: u64 = 0x0800_0000;
const SA_NODEFER: u64 = 0x4000_0000;
const SYS_SECCOMP: i32 = 1;
const VSYSCALL_PAGE: u64 = 0xffff_ffff_ff60_0000;

/// `siginfo_t`: the fields that we look at.
#[repr(C)]
struct SigInfo {
    signo: i32,
    errno: i32,
    code: i32,
    pad: i32,
    /// `si_addr`, or `si_call_addr` of a SIGSYS.
    addr: u64,
    /// `si_syscall` and `si_arch` of a SIGSYS.
    syscall: i32,
    arch: u32,
}

/// `ucontext_t` with `struct sigcontext` (asm/sigcontext.h).
#[repr(C)]
struct Context {
    flags: u64,
    link: u64,
    stack: [u64; 3],
    r8: u64,
    r9: u64,
    r10: u64,
    r11: u64,
    r12: u64,
    r13: u64,
    r14: u64,
    r15: u64,
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rax: u64,
    rcx: u64,
    rsp: u64,
    rip: u64,
    rflags: u64,
    segments: u64,
    error: u64,
    trap: u64,
    old_mask: u64,
    cr2: u64,
    fpstate: *const u8,
}

/// `struct kernel_sigaction`.
#[repr(C)]
struct SigAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

static TEXT: AtomicUsize = AtomicUsize::new(0);
static TEXT_END: AtomicUsize = AtomicUsize::new(0);
static TRAPS: AtomicU64 = AtomicU64::new(0);
static TICKS: AtomicU64 = AtomicU64::new(0);

/// Traps and ticks so far.
pub fn counters() -> (u64, u64) {
    (TRAPS.load(Ordering::Relaxed), TICKS.load(Ordering::Relaxed))
}

/// Installs the handlers. Before lockdown, which forbids `rt_sigaction`.
///
/// # Errors
/// What the host said.
pub fn install(image: ImageRange) -> Result<(), HostError> {
    TEXT.store(image.text, Ordering::Relaxed);
    TEXT_END.store(image.text_end, Ordering::Relaxed);
    let action = SigAction {
        handler: handler as *const () as usize,
        flags: SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER,
        restorer: restorer as *const () as usize,
        mask: 0,
    };
    for signal in [SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, TICK_SIGNAL, SIGSYS] {
        // SAFETY: the handler and the structure are valid.
        unsafe { host::call(nr::RT_SIGACTION, [signal as usize, &raw const action as usize, 0, 8, 0, 0])? };
    }
    // A terminal's stop and hang-up signals must not reach us: the supervisor sends requests.
    const IGNORE: usize = 1;
    let ignore = SigAction { handler: IGNORE, flags: SA_RESTORER, restorer: action.restorer, mask: 0 };
    for signal in [1, 2, 3, 10, 12, 13, 15, 17, 20, 21, 22, 28] {
        // SAFETY: as above.
        unsafe { host::call(nr::RT_SIGACTION, [signal, &raw const ignore as usize, 0, 8, 0, 0])? };
    }
    Ok(())
}

#[unsafe(naked)]
unsafe extern "C" fn restorer() {
    naked_asm!("mov eax, {n}", "syscall", "ud2", n = const nr::RT_SIGRETURN)
}

fn in_image(rip: u64) -> bool {
    (TEXT.load(Ordering::Relaxed) as u64..TEXT_END.load(Ordering::Relaxed) as u64).contains(&rip)
}

/// # Safety
/// Called by the host's kernel only.
unsafe extern "C" fn handler(signal: i32, info: *const SigInfo, context: *mut Context) {
    // SAFETY: the kernel built both.
    let (info, context) = unsafe { (&*info, &mut *context) };
    if in_image(context.rip) {
        return in_kernel(signal, info, context);
    }
    let me = carrier::me();
    if me.current == 0 {
        boot::die_of_fault(signal, context.rip, info.addr);
    }
    if signal == TICK_SIGNAL {
        TICKS.fetch_add(1, Ordering::Relaxed);
        take_state(me, context);
        // SAFETY: `take_state` filled the registers.
        unsafe { entry::on_kernel_stack(handle_tick, 0, 0) };
    }
    if info.code <= 0 {
        return; // kill(2) or sigqueue(3) from the host: faults never come from there
    }
    if signal == SIGSYS {
        if info.code != SYS_SECCOMP {
            return;
        }
        TRAPS.fetch_add(1, Ordering::Relaxed);
        take_state(me, context);
        // SAFETY: as above.
        let registers = unsafe { &mut *entry::registers() };
        registers.orig_rax = registers.rax;
        const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
        let native = u64::from(info.arch == AUDIT_ARCH_X86_64);
        let vsyscall = u64::from(info.addr & !0xfff == VSYSCALL_PAGE);
        // SAFETY: as above.
        unsafe { entry::on_kernel_stack(handle_syscall, native, vsyscall) };
    }
    take_state(me, context);
    me.fault = Some(describe(signal, info, context));
    // SAFETY: as above.
    unsafe { entry::on_kernel_stack(handle_fault, 0, 0) };
}

fn describe(signal: i32, info: &SigInfo, context: &Context) -> Fault {
    let kind = match signal {
        SIGSEGV => FaultKind::Segment,
        SIGBUS => FaultKind::Bus,
        SIGFPE => FaultKind::Arithmetic,
        SIGILL => FaultKind::Illegal,
        _ => FaultKind::Trap,
    };
    Fault { kind, address: info.addr, code: info.code, trap: (context.trap, context.error) }
}

fn in_kernel(signal: i32, info: &SigInfo, context: &mut Context) {
    match signal {
        TICK_SIGNAL => carrier::me().pending.store(1, Ordering::Relaxed),
        SIGSEGV | SIGBUS if info.code > 0 => match user_copy::fixup(context.rip as usize) {
            Some(to) => context.rip = to as u64,
            None => boot::die_of_fault(signal, context.rip, info.addr),
        },
        _ if info.code > 0 => boot::die_of_fault(signal, context.rip, info.addr),
        _ => {}
    }
}

/// Copies the application's state from the host's signal frame to the top of the current
/// thread's kernel stack and into its XSAVE area.
fn take_state(me: &Carrier, context: &Context) {
    let registers = Registers {
        r15: context.r15,
        r14: context.r14,
        r13: context.r13,
        r12: context.r12,
        rbp: context.rbp,
        rbx: context.rbx,
        r11: context.r11,
        r10: context.r10,
        r9: context.r9,
        r8: context.r8,
        rax: context.rax,
        rcx: context.rcx,
        rdx: context.rdx,
        rsi: context.rsi,
        rdi: context.rdi,
        orig_rax: u64::MAX,
        rip: context.rip,
        rflags: context.rflags,
        rsp: context.rsp,
        full: 1,
    };
    // SAFETY: the thread was in the application, so its kernel stack is empty.
    unsafe { entry::registers().write(registers) };
    // SAFETY: the state is the current thread's, and the frame is the kernel's.
    unsafe {
        if let Some(state) = (me.state as *mut UserState).as_mut() {
            vector::take_from_frame(state, context.fpstate);
        }
    }
}

extern "C" fn handle_tick(registers: &mut Registers, _: u64, _: u64) {
    carrier::serve_spawn(carrier::me());
    if let Some(upcalls) = carrier::upcalls() {
        (upcalls.tick)(registers, false);
    }
}

extern "C" fn handle_fault(registers: &mut Registers, _: u64, _: u64) {
    if let (Some(upcalls), Some(fault)) = (carrier::upcalls(), carrier::me().fault.take()) {
        (upcalls.fault)(registers, fault);
    }
}

extern "C" fn handle_syscall(registers: &mut Registers, native: u64, vsyscall: u64) {
    let Some(upcalls) = carrier::upcalls() else { return };
    if native == 0 {
        return (upcalls.syscall32)(registers);
    }
    if vsyscall == 0 {
        patch::consider(upcalls, registers.rip);
    }
    (upcalls.syscall)(registers);
}
