//! Copy, fill and compare for baseline x86-64.
//!
//! Up to 128 bytes everything is loaded before anything is stored, by loads that overlap in the
//! middle: no loop, and overlapping operands need no care. Then a loop of 64 bytes, then the
//! string instructions, whose start-up cost has been paid back by then (ERMS, FSRM).
//!
//! No value here is larger than a register: the unoptimised copy of one could be a call of memcpy.

use core::arch::asm;
use core::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8, _mm_store_si128, _mm_storeu_si128,
};

/// From this length on, `rep movsb` and `rep stosb` beat the loops.
const STRING_OP_MIN: usize = 4096;

/// AMD's Zen 3 and 4 execute `rep movsb` at a fifteenth of its speed where the target lies, pages left out, less
/// than this ahead of the source: each load waits for a store that it seems to depend on.
const TOO_NEAR: usize = 64;
const PAGE: usize = 4096;

/// Whether the string instructions are the fastest copy.
#[inline(always)]
fn suits_strings(to: *const u8, from: *const u8, len: usize) -> bool {
    let ahead = to.addr().wrapping_sub(from.addr()) % PAGE;
    len >= STRING_OP_MIN && !(1..TOO_NEAR).contains(&ahead)
}

/// Copies `len` bytes.
///
/// # Safety
/// `from` is valid for reads and `to` for writes of `len` bytes, and they do not overlap.
#[inline]
pub unsafe fn copy(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the caller's promise, and the length chosen for each callee.
    unsafe {
        if len <= 128 {
            copy_small(to, from, len);
        } else if suits_strings(to, from, len) {
            copy_string(to, from, len);
        } else {
            copy_up(to, from, len);
        }
    }
}

/// Copies `len` bytes between areas that may overlap.
///
/// # Safety
/// `from` is valid for reads and `to` for writes of `len` bytes.
#[inline]
pub unsafe fn copy_overlapping(to: *mut u8, from: *const u8, len: usize) {
    let ahead = to.addr().wrapping_sub(from.addr());
    let behind = ahead.wrapping_neg();
    // SAFETY: the caller's promise; upwards is right unless `to` starts inside `from`.
    unsafe {
        if len <= 128 {
            copy_small(to, from, len);
        } else if ahead < len {
            copy_down(to, from, len);
        } else if behind >= len && suits_strings(to, from, len) {
            copy_string(to, from, len);
        } else {
            copy_up(to, from, len);
        }
    }
}

/// Sets `len` bytes to `byte`.
///
/// # Safety
/// `to` is valid for writes of `len` bytes.
#[inline]
pub unsafe fn fill(to: *mut u8, byte: u8, len: usize) {
    // SAFETY: every store lies in 0..len by the length tests; the caller owns those bytes.
    unsafe {
        if len < 16 {
            fill_tiny(to, byte, len);
            return;
        }
        if len >= STRING_OP_MIN {
            asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") byte,
                options(nostack, preserves_flags));
            return;
        }
        let value = _mm_set1_epi8(byte.cast_signed());
        let end = to.add(len);
        store(to, value);
        store(end.sub(16), value);
        if len <= 32 {
            return;
        }
        store(to.add(16), value);
        store(end.sub(32), value);
        if len <= 64 {
            return;
        }
        store(to.add(32), value);
        store(to.add(48), value);
        store(end.sub(48), value);
        store(end.sub(64), value);
        // The last 64 bytes are done, and the first: aligned blocks between them.
        let last = end.sub(64);
        let mut at = to.add(64 - to.addr() % 16);
        while at < last {
            let block = at.cast::<__m128i>();
            _mm_store_si128(block, value);
            _mm_store_si128(block.add(1), value);
            _mm_store_si128(block.add(2), value);
            _mm_store_si128(block.add(3), value);
            at = at.add(64);
        }
    }
}

/// Compares as unsigned bytes: negative, zero or positive as `a` is less than, equal to or greater
/// than `b`.
///
/// # Safety
/// Both are valid for reads of `len` bytes.
#[inline]
pub unsafe fn compare(a: *const u8, b: *const u8, len: usize) -> i32 {
    // SAFETY: every load lies in 0..len by the length tests; the caller promised those bytes.
    unsafe {
        if len < 16 {
            return compare_tiny(a, b, len);
        }
        let mut at = 0;
        while at < len - 16 {
            let difference = compare_16(a.add(at), b.add(at));
            if difference != 0 {
                return difference;
            }
            at += 16;
        }
        compare_16(a.add(len - 16), b.add(len - 16))
    }
}

/// Number of bytes before the first zero byte.
///
/// # Safety
/// `text` is valid for reads up to and including a zero byte.
#[inline]
pub unsafe fn string_len(text: *const u8) -> usize {
    let mut len = 0;
    // SAFETY: no byte after the first zero is read.
    while unsafe { text.add(len).read() } != 0 {
        len += 1;
    }
    len
}

#[inline(always)]
unsafe fn load(from: *const u8) -> __m128i {
    // SAFETY: the caller's 16 readable bytes; the instruction needs no alignment.
    unsafe { _mm_loadu_si128(from.cast()) }
}

#[inline(always)]
unsafe fn store(to: *mut u8, value: __m128i) {
    // SAFETY: the caller's 16 writable bytes; the instruction needs no alignment.
    unsafe { _mm_storeu_si128(to.cast(), value) }
}

/// Copies twice the size of `T`, less an overlap in the middle.
///
/// # Safety
/// As [`copy_overlapping`], and `len` is from the size of `T` to twice that.
#[inline(always)]
unsafe fn copy_ends<T: Copy>(to: *mut u8, from: *const u8, len: usize) {
    let back = len - size_of::<T>();
    // SAFETY: 0..size and back..len lie in 0..len.
    unsafe {
        let first = from.cast::<T>().read_unaligned();
        let last = from.add(back).cast::<T>().read_unaligned();
        to.cast::<T>().write_unaligned(first);
        to.add(back).cast::<T>().write_unaligned(last);
    }
}

/// # Safety
/// As [`copy_overlapping`], and `len` is at most 128.
#[inline(always)]
unsafe fn copy_small(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the length tests are the conditions of `copy_ends`.
    unsafe {
        if len >= 16 {
            if len <= 32 {
                copy_ends::<__m128i>(to, from, len);
            } else if len <= 64 {
                copy_4(to, from, to.add(len - 32), from.add(len - 32));
            } else {
                copy_8(to, from, to.add(len - 64), from.add(len - 64));
            }
        } else if len >= 8 {
            copy_ends::<u64>(to, from, len);
        } else if len >= 4 {
            copy_ends::<u32>(to, from, len);
        } else if len >= 2 {
            copy_ends::<u16>(to, from, len);
        } else if len == 1 {
            to.write(from.read());
        }
    }
}

/// Copies two times 32 bytes.
///
/// # Safety
/// As [`copy_overlapping`], for both.
#[inline(always)]
unsafe fn copy_4(to: *mut u8, from: *const u8, to_last: *mut u8, from_last: *const u8) {
    // SAFETY: 0..32 of each.
    unsafe {
        let (a, b) = (load(from), load(from.add(16)));
        let (c, d) = (load(from_last), load(from_last.add(16)));
        store(to, a);
        store(to.add(16), b);
        store(to_last, c);
        store(to_last.add(16), d);
    }
}

/// Copies two times 64 bytes.
///
/// # Safety
/// As [`copy_overlapping`], for both.
#[inline(always)]
unsafe fn copy_8(to: *mut u8, from: *const u8, to_last: *mut u8, from_last: *const u8) {
    // SAFETY: 0..64 of each.
    unsafe {
        let (a, b) = (load(from), load(from.add(16)));
        let (c, d) = (load(from.add(32)), load(from.add(48)));
        let (e, f) = (load(from_last), load(from_last.add(16)));
        let (g, h) = (load(from_last.add(32)), load(from_last.add(48)));
        store(to, a);
        store(to.add(16), b);
        store(to.add(32), c);
        store(to.add(48), d);
        store(to_last, e);
        store(to_last.add(16), f);
        store(to_last.add(32), g);
        store(to_last.add(48), h);
    }
}

/// Copies from low to high addresses: also right where `to` lies below `from` and they overlap,
/// because both ends are loaded first and stored last.
///
/// # Safety
/// As [`copy_overlapping`], `len` is more than 64, and `to` does not start inside `from`.
#[inline]
unsafe fn copy_up(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the loop stops where the last 64 bytes, which are held in registers, take over.
    unsafe {
        let (from_last, to_last) = (from.add(len - 64), to.add(len - 64));
        let head = load(from);
        let (a, b) = (load(from_last), load(from_last.add(16)));
        let (c, d) = (load(from_last.add(32)), load(from_last.add(48)));
        let mut at = 16 - to.addr() % 16;
        while at < len - 64 {
            copy_block(to.add(at), from.add(at));
            at += 64;
        }
        store(to, head);
        store(to_last, a);
        store(to_last.add(16), b);
        store(to_last.add(32), c);
        store(to_last.add(48), d);
    }
}

/// Copies from high to low addresses, for `to` inside `from`.
///
/// # Safety
/// As [`copy_overlapping`], and `len` is more than 64.
#[inline]
unsafe fn copy_down(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the loop stops where the first 64 bytes, which are held in registers, take over.
    unsafe {
        let tail = load(from.add(len - 16));
        let (a, b) = (load(from), load(from.add(16)));
        let (c, d) = (load(from.add(32)), load(from.add(48)));
        // The end of the next block, aligned in `to`.
        let mut end = len - to.add(len).addr() % 16;
        while end > 64 {
            end -= 64;
            copy_block(to.add(end), from.add(end));
        }
        store(to.add(len - 16), tail);
        store(to, a);
        store(to.add(16), b);
        store(to.add(32), c);
        store(to.add(48), d);
    }
}

/// Copies 64 bytes to a multiple of 16.
///
/// # Safety
/// As [`copy_overlapping`].
#[inline(always)]
unsafe fn copy_block(to: *mut u8, from: *const u8) {
    // SAFETY: the caller's promise.
    unsafe {
        let (a, b) = (load(from), load(from.add(16)));
        let (c, d) = (load(from.add(32)), load(from.add(48)));
        let to = to.cast::<__m128i>();
        _mm_store_si128(to, a);
        _mm_store_si128(to.add(1), b);
        _mm_store_si128(to.add(2), c);
        _mm_store_si128(to.add(3), d);
    }
}

/// # Safety
/// As [`copy`].
#[inline(always)]
unsafe fn copy_string(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the caller's promise; the direction flag is clear in the C ABI.
    unsafe {
        asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
}

/// # Safety
/// As [`fill`], and `len` is less than 16.
#[inline(always)]
unsafe fn fill_tiny(to: *mut u8, byte: u8, len: usize) {
    let value = u64::from(byte) * 0x0101_0101_0101_0101;
    // SAFETY: both stores of each branch lie in 0..len.
    unsafe {
        if len >= 8 {
            to.cast::<u64>().write_unaligned(value);
            to.add(len - 8).cast::<u64>().write_unaligned(value);
        } else if len >= 4 {
            to.cast::<u32>().write_unaligned(value as u32);
            to.add(len - 4).cast::<u32>().write_unaligned(value as u32);
        } else if len >= 2 {
            to.cast::<u16>().write_unaligned(value as u16);
            to.add(len - 2).cast::<u16>().write_unaligned(value as u16);
        } else if len == 1 {
            to.write(byte);
        }
    }
}

/// # Safety
/// As [`compare`], and `len` is less than 16.
#[inline(always)]
unsafe fn compare_tiny(a: *const u8, b: *const u8, len: usize) -> i32 {
    // Loaded most significant byte first, integers order as the bytes do. The second load overlaps
    // the first only in bytes that are equal when it counts.
    macro_rules! ends {
        ($int:ty) => {{
            let size = size_of::<$int>();
            // SAFETY: `len` is from the size of the integer to twice that.
            let at = |p: *const u8, at| unsafe { <$int>::from_be(p.add(at).cast::<$int>().read_unaligned()) };
            let first = at(a, 0).cmp(&at(b, 0));
            first.then(at(a, len - size).cmp(&at(b, len - size))) as i32
        }};
    }
    if len >= 8 {
        ends!(u64)
    } else if len >= 4 {
        ends!(u32)
    } else if len >= 2 {
        ends!(u16)
    } else if len == 1 {
        // SAFETY: the one byte of each.
        unsafe { i32::from(a.read()) - i32::from(b.read()) }
    } else {
        0
    }
}

/// # Safety
/// As [`compare`], for 16 bytes.
#[inline(always)]
unsafe fn compare_16(a: *const u8, b: *const u8) -> i32 {
    // SAFETY: the first differing byte is one of the 16.
    unsafe {
        let equal = _mm_movemask_epi8(_mm_cmpeq_epi8(load(a), load(b)));
        if equal == 0xffff {
            return 0;
        }
        let at = equal.trailing_ones() as usize;
        i32::from(a.add(at).read()) - i32::from(b.add(at).read())
    }
}

#[cfg(test)]
#[path = "mem_tests.rs"]
mod tests;
