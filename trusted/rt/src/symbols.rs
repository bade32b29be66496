//! The names under which the compiler calls [`crate::mem`]. The contracts are those of ISO C
//! (7.26.2.1, 7.26.2.2, 7.26.6.1, 7.26.4.1, 7.26.6.3) and, for `bcmp`, of the compiler.

use core::ffi::{c_char, c_int};

use crate::mem;

// SAFETY: the name is free in an image without libc, the only place for the feature `mem`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: passed on from the caller.
    unsafe { mem::copy(to, from, len) };
    to
}

// SAFETY: as for memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: passed on from the caller.
    unsafe { mem::copy_overlapping(to, from, len) };
    to
}

// SAFETY: as for memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: c_int, len: usize) -> *mut u8 {
    // SAFETY: passed on from the caller. C defines the conversion of the byte.
    unsafe { mem::fill(to, byte as u8, len) };
    to
}

// SAFETY: as for memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> c_int {
    // SAFETY: passed on from the caller.
    unsafe { mem::compare(a, b, len) }
}

// SAFETY: as for memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> c_int {
    // SAFETY: passed on from the caller.
    unsafe { mem::compare(a, b, len) }
}

// SAFETY: as for memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const c_char) -> usize {
    // SAFETY: passed on from the caller.
    unsafe { mem::string_len(text.cast()) }
}
