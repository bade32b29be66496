//! Copies to and from the application that end, rather than fault, where memory is missing.
//!
//! Each routine has one instruction that touches user memory, between the labels `_at` and
//! `_out` or `_fail`. The handler for SIGSEGV and SIGBUS finds the former in the table and goes
//! on at the latter; `rep` keeps in rcx what is left.

use core::arch::global_asm;

global_asm!(
    ".global rkt_user_copy, rkt_user_copy_at, rkt_user_copy_out",
    "rkt_user_copy:",
    "mov rcx, rdx",
    "rkt_user_copy_at:",
    "rep movsb",
    "rkt_user_copy_out:",
    "mov rax, rcx",
    "ret",
    ".global rkt_user_clear, rkt_user_clear_at, rkt_user_clear_out",
    "rkt_user_clear:",
    "mov rcx, rsi",
    "xor eax, eax",
    "rkt_user_clear_at:",
    "rep stosb",
    "rkt_user_clear_out:",
    "mov rax, rcx",
    "ret",
    ".global rkt_user_load, rkt_user_exchange, rkt_user_exchange_at, rkt_user_word_fail",
    "rkt_user_load:",
    "mov eax, dword ptr [rdi]",
    "ret",
    "rkt_user_exchange:",
    "mov eax, esi",
    "rkt_user_exchange_at:",
    "lock cmpxchg dword ptr [rdi], edx",
    "mov eax, eax",
    "ret",
    "rkt_user_word_fail:",
    "mov rax, -1",
    "ret",
);

unsafe extern "C" {
    /// `rep movsb`; returns the number of bytes that were not copied. The kernel's side must be
    /// valid for `len` bytes; the other side must be a user range.
    #[link_name = "rkt_user_copy"]
    pub fn copy(to: *mut u8, from: *const u8, len: usize) -> usize;
    /// `rep stosb` of zeroes; returns the number of bytes that were not cleared. `to` must be a
    /// user range.
    #[link_name = "rkt_user_clear"]
    pub fn clear(to: *mut u8, len: usize) -> usize;
    /// Loads a word; all ones if it is not readable. `from` must be an aligned user address.
    #[link_name = "rkt_user_load"]
    pub fn load(from: *const u32) -> u64;
    /// Compares and exchanges a word; gives the value found, all ones if it is not accessible.
    /// `at` must be an aligned user address.
    #[link_name = "rkt_user_exchange"]
    pub fn compare_exchange(at: *mut u32, old: u32, new: u32) -> u64;

    static rkt_user_copy_at: u8;
    static rkt_user_copy_out: u8;
    static rkt_user_clear_at: u8;
    static rkt_user_clear_out: u8;
    static rkt_user_exchange_at: u8;
    static rkt_user_word_fail: u8;
}

/// Where to go on after a fault at this instruction; none if it is not one of ours.
pub fn fixup(rip: usize) -> Option<usize> {
    let fail = &raw const rkt_user_word_fail;
    let table = [
        (&raw const rkt_user_copy_at, &raw const rkt_user_copy_out),
        (&raw const rkt_user_clear_at, &raw const rkt_user_clear_out),
        (load as *const u8, fail),
        (&raw const rkt_user_exchange_at, fail),
    ];
    table.iter().find(|(at, _)| *at as usize == rip).map(|(_, to)| *to as usize)
}
