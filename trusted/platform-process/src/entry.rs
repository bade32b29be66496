//! The way from the application into the kernel and back.
//!
//! A rewritten site jumps to its trampoline, which does what the site did (`mov eax, number`),
//! puts the return address into rcx, as the processor would, and jumps here through GS. rcx and
//! r11 are the only registers that a system call may spoil; the application's stack and its red
//! zone are never touched.

use crate::carrier::{self, offset};
use crate::{patch, vector};
use core::arch::naked_asm;
use core::mem::offset_of;
use core::sync::atomic::Ordering;
use rkt_platform::{Registers, UserState};

/// Bytes below the registers where the entry code keeps xmm0 to xmm15.
pub const XMM_LEN: usize = 256;
/// Bytes of `Registers`, as the pushes below make it.
pub const REGISTERS_LEN: usize = size_of::<Registers>();

const _: () = assert!(REGISTERS_LEN == 160);
const _: () = assert!(offset_of!(Registers, rax) == 80);
const _: () = assert!(offset_of!(Registers, rip) == 128);
const _: () = assert!(offset_of!(Registers, rflags) == 136);
const _: () = assert!(offset_of!(Registers, rsp) == 144);
const _: () = assert!(offset_of!(Registers, full) == 152);
const _: () = assert!(offset_of!(UserState, xsave) == 0);

/// Flags that only `popfq` restores: trap, direction, alignment check, identification.
const UNUSUAL_FLAGS: u32 = 0x24_0500;

/// Entry of a system call from a trampoline. Saves what a call must keep: general registers,
/// flags, and the sixteen xmm registers, which our own code uses (the upper halves it does not).
#[unsafe(naked)]
pub unsafe extern "C" fn syscall_entry() {
    naked_asm!(
        "mov gs:[{scratch}], rsp",
        "mov rsp, gs:[{stack}]",
        "push 0",
        "push qword ptr gs:[{scratch}]",
        "pushfq",
        "push rcx",
        "push rax",
        "push rdi", "push rsi", "push rdx", "push rcx", "push rax",
        "push r8", "push r9", "push r10", "push r11",
        "push rbx", "push rbp", "push r12", "push r13", "push r14", "push r15",
        "cld",
        "sub rsp, 256",
        "movups [rsp], xmm0", "movups [rsp+16], xmm1", "movups [rsp+32], xmm2", "movups [rsp+48], xmm3",
        "movups [rsp+64], xmm4", "movups [rsp+80], xmm5", "movups [rsp+96], xmm6", "movups [rsp+112], xmm7",
        "movups [rsp+128], xmm8", "movups [rsp+144], xmm9", "movups [rsp+160], xmm10", "movups [rsp+176], xmm11",
        "movups [rsp+192], xmm12", "movups [rsp+208], xmm13", "movups [rsp+224], xmm14", "movups [rsp+240], xmm15",
        "lea rdi, [rsp+256]",
        "call {dispatch}",
        // The stack may be another carrier's by now, but GS is always the running one's.
        "cmp qword ptr [rsp+256+152], 0",
        "jne {full_return}",
        "movups xmm0, [rsp]", "movups xmm1, [rsp+16]", "movups xmm2, [rsp+32]", "movups xmm3, [rsp+48]",
        "movups xmm4, [rsp+64]", "movups xmm5, [rsp+80]", "movups xmm6, [rsp+96]", "movups xmm7, [rsp+112]",
        "movups xmm8, [rsp+128]", "movups xmm9, [rsp+144]", "movups xmm10, [rsp+160]", "movups xmm11, [rsp+176]",
        "movups xmm12, [rsp+192]", "movups xmm13, [rsp+208]", "movups xmm14, [rsp+224]", "movups xmm15, [rsp+240]",
        "add rsp, 256",
        // rbx, rbp and r12 to r15 came back from the call as they were.
        "mov eax, [rsp+136]",
        "test eax, {unusual}",
        "jnz 3f",
        // The arithmetic flags without `popfq`, which takes as long as all of the above: OF by an
        // addition that overflows if it was set, the others by `sahf`.
        "mov ecx, eax",
        "shr ecx, 11",
        "and ecx, 1",
        "shl eax, 8",
        "mov al, cl",
        "add al, 127",
        "sahf",
        "mov r10, [rsp+56]", "mov r9, [rsp+64]", "mov r8, [rsp+72]",
        "mov rax, [rsp+80]", "mov rdx, [rsp+96]", "mov rsi, [rsp+104]", "mov rdi, [rsp+112]",
        "mov rcx, [rsp+128]", "mov r11, [rsp+136]",
        "mov rsp, [rsp+144]",
        "jmp rcx",
        "3:",
        "mov r10, [rsp+56]", "mov r9, [rsp+64]", "mov r8, [rsp+72]",
        "mov rax, [rsp+80]", "mov rdx, [rsp+96]", "mov rsi, [rsp+104]", "mov rdi, [rsp+112]",
        "mov rcx, [rsp+128]", "mov r11, [rsp+136]",
        "lea rsp, [rsp+136]",
        "popfq",
        "mov rsp, [rsp]",
        "jmp rcx",
        unusual = const UNUSUAL_FLAGS,
        scratch = const offset::SCRATCH,
        stack = const offset::KERNEL_STACK,
        dispatch = sym dispatch,
        full_return = sym full_return,
    )
}

/// Returns to the application with everything restored. Expects rsp at the xmm area below the
/// registers. `iretq` sets rip, flags and rsp at once, without touching the user's stack.
#[unsafe(naked)]
pub unsafe extern "C" fn full_return() {
    naked_asm!(
        "lea rdi, [rsp+256]",
        "call {prepare}",
        "add rsp, 256",
        // The whole vector state; from here on only general registers are used.
        "mov rdi, gs:[{state}]",
        "mov eax, -1",
        "mov edx, -1",
        "xrstor64 [rdi]",
        "mov rax, [rsp+128]", "mov gs:[{iret}], rax",
        "mov rax, [rsp+136]", "mov gs:[{iret}+16], rax",
        "mov rax, [rsp+144]", "mov gs:[{iret}+24], rax",
        "pop r15", "pop r14", "pop r13", "pop r12", "pop rbp", "pop rbx",
        "pop r11", "pop r10", "pop r9", "pop r8",
        "pop rax", "pop rcx", "pop rdx", "pop rsi", "pop rdi",
        "mov rsp, gs:[{this}]",
        "lea rsp, [rsp+{iret}]",
        "iretq",
        prepare = sym prepare_full_return,
        state = const offset::STATE,
        iret = const offset::IRET,
        this = const offset::THIS,
    )
}

/// Enters the application with the registers at the top of the current thread's kernel stack.
#[unsafe(naked)]
pub unsafe extern "C" fn enter_user() -> ! {
    naked_asm!(
        "mov rsp, gs:[{stack}]",
        "sub rsp, {below}",
        "jmp {full_return}",
        stack = const offset::KERNEL_STACK,
        below = const REGISTERS_LEN + XMM_LEN,
        full_return = sym full_return,
    )
}

/// Leaves the alternate signal stack for the current thread's kernel stack and calls
/// `handle(registers, a, b)` there; then returns to the application.
///
/// # Safety
/// The registers must lie at the top of the current thread's kernel stack.
#[unsafe(naked)]
pub unsafe extern "C" fn on_kernel_stack(handle: extern "C" fn(&mut Registers, u64, u64), a: u64, b: u64) -> ! {
    naked_asm!(
        "mov rax, rdi",
        "mov rsp, gs:[{stack}]",
        "sub rsp, {below}",
        "lea rdi, [rsp+256]",
        "xor ebp, ebp",
        "call rax",
        "jmp {full_return}",
        stack = const offset::KERNEL_STACK,
        below = const REGISTERS_LEN + XMM_LEN,
        full_return = sym full_return,
    )
}

extern "C" fn dispatch(registers: &mut Registers) {
    if let Some(upcalls) = carrier::upcalls() {
        (upcalls.syscall)(registers);
        if carrier::me().pending.load(Ordering::Relaxed) != 0 {
            after_tick(registers);
        }
    }
}

/// A tick that hit the kernel is served on the way out.
#[cold]
fn after_tick(registers: &mut Registers) {
    carrier::me().pending.store(0, Ordering::Relaxed);
    if let Some(upcalls) = carrier::upcalls() {
        (upcalls.tick)(registers, true);
    }
}

extern "C" fn prepare_full_return(registers: &mut Registers) {
    registers.full = 0;
    registers.rip = patch::translate(registers.rip);
    vector::before_full_return();
}

/// Registers at the top of the current thread's kernel stack.
pub fn registers() -> *mut Registers {
    (carrier::me().kernel_stack - REGISTERS_LEN) as *mut Registers
}

/// The xmm registers that the entry code saved.
pub fn saved_xmm() -> *const u8 {
    (carrier::me().kernel_stack - REGISTERS_LEN - XMM_LEN) as *const u8
}
