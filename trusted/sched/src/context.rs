//! The switch between two kernel stacks.

use core::arch::naked_asm;

/// Saves the callee-saved registers on the current stack, stores the stack pointer in `*save`
/// and goes on where the stack `to` was left. System V ABI §3.2.1: rbx, rbp, r12 to r15 are
/// the callee's; vector registers are the caller's, and the application's were saved before.
///
/// # Safety
/// `to` must have been stored by this function or made by [`prepare`], and be used once.
#[unsafe(naked)]
pub unsafe extern "C" fn switch(save: *mut usize, to: usize) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// Makes a fresh stack such that [`switch`] to the result calls `entry`, which never returns.
///
/// # Safety
/// `top` must be 16-byte aligned with at least 128 writable bytes below.
pub unsafe fn prepare(top: usize, entry: extern "C" fn() -> !) -> usize {
    // Return address, six registers, and eight bytes so that the stack is aligned as after a call.
    let sp = top - 8 * 8;
    for i in 0..8 {
        // SAFETY: within the 128 bytes of the contract.
        unsafe { (sp as *mut usize).add(i).write(0) };
    }
    // SAFETY: as above.
    unsafe { (sp as *mut usize).add(6).write(entry as usize) };
    sp
}
