//! Copies to and from the application that end, rather than fault, where memory is missing.
//!
//! The handler for SIGSEGV and SIGBUS finds the instruction that touched user memory in the table
//! and goes on where that says: a word that cannot be copied whole is copied by bytes, up to the
//! one that is missing; rcx holds what is left, in bytes or in the words that are being copied.

use core::arch::global_asm;

global_asm!(
    // Short copies go by words: `rep` takes as long to start as to copy a hundred bytes.
    ".global rkt_user_copy, rkt_user_copy_rep, rkt_user_copy_load8, rkt_user_copy_store8",
    ".global rkt_user_copy_words, rkt_user_copy_words_left",
    ".global rkt_user_copy_load1, rkt_user_copy_store1, rkt_user_copy_bytes, rkt_user_copy_out",
    "rkt_user_copy:",
    "mov rcx, rdx",
    "cmp rcx, 96",
    "ja 3f",
    "2:",
    "cmp rcx, 8",
    "jb rkt_user_copy_bytes",
    "rkt_user_copy_load8:",
    "mov rax, qword ptr [rsi]",
    "rkt_user_copy_store8:",
    "mov qword ptr [rdi], rax",
    "add rsi, 8",
    "add rdi, 8",
    "sub rcx, 8",
    "jmp 2b",
    "rkt_user_copy_bytes:",
    "test rcx, rcx",
    "jz rkt_user_copy_out",
    "rkt_user_copy_load1:",
    "mov al, byte ptr [rsi]",
    "rkt_user_copy_store1:",
    "mov byte ptr [rdi], al",
    "inc rsi",
    "inc rdi",
    "dec rcx",
    "jmp rkt_user_copy_bytes",
    // AMD's Zen 3 and 4 copy by bytes at a fifteenth of the speed where the target lies, pages left out, a few
    // bytes ahead of the source: each load waits for a store that it seems to depend on. Words do not.
    "3:",
    "mov eax, edi",
    "sub eax, esi",
    "dec eax",
    "and eax, 0xfff",
    "cmp eax, 63",
    "jae rkt_user_copy_rep",
    "shr rcx, 3",
    "rkt_user_copy_words:",
    "rep movsq",
    "rkt_user_copy_words_left:",
    "and edx, 7",
    "lea rcx, [rcx * 8 + rdx]",
    "jmp rkt_user_copy_bytes",
    "rkt_user_copy_rep:",
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
    /// Copies; returns the number of bytes that were not copied. The kernel's side must be
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

    static rkt_user_copy_load8: u8;
    static rkt_user_copy_store8: u8;
    static rkt_user_copy_load1: u8;
    static rkt_user_copy_store1: u8;
    static rkt_user_copy_words: u8;
    static rkt_user_copy_words_left: u8;
    static rkt_user_copy_rep: u8;
    static rkt_user_copy_bytes: u8;
    static rkt_user_copy_out: u8;
    static rkt_user_clear_at: u8;
    static rkt_user_clear_out: u8;
    static rkt_user_exchange_at: u8;
    static rkt_user_word_fail: u8;
}

/// Where to go on after a fault at this instruction; none if it is not one of ours.
pub fn fixup(rip: usize) -> Option<usize> {
    let fail = &raw const rkt_user_word_fail;
    let out = &raw const rkt_user_copy_out;
    let table = [
        (&raw const rkt_user_copy_load8, &raw const rkt_user_copy_bytes),
        (&raw const rkt_user_copy_store8, &raw const rkt_user_copy_bytes),
        (&raw const rkt_user_copy_load1, out),
        (&raw const rkt_user_copy_store1, out),
        (&raw const rkt_user_copy_words, &raw const rkt_user_copy_words_left),
        (&raw const rkt_user_copy_rep, out),
        (&raw const rkt_user_clear_at, &raw const rkt_user_clear_out),
        (load as *const u8, fail),
        (&raw const rkt_user_exchange_at, fail),
    ];
    table.iter().find(|(at, _)| *at as usize == rip).map(|(_, to)| *to as usize)
}
