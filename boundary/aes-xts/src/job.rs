//! What a kernel is asked to do, and the arithmetic of tweaks (IEEE 1619-2018 §5).

use core::arch::asm;
use core::arch::x86_64::__m128i;

/// Bytes of an AES block.
pub(crate) const BLOCK: usize = 16;
/// Bytes that one step of the tweak stands for, whatever the length of a sector: dm-crypt counts so
/// (`plain64` without `iv_large_sectors`).
pub(crate) const TWEAK_UNIT: usize = 512;

/// Sectors to encrypt or decrypt. The two ranges have the same length, which is a multiple of
/// `sector_len`, which is a multiple of 16. They are the same range or do not overlap; either may be
/// shared with the host. A kernel loads each byte once and stores each byte once, by [`load`] and
/// [`store`] or instructions like theirs.
pub(crate) struct Job {
    pub(crate) tweak: u64,
    pub(crate) sector_len: usize,
    pub(crate) from: *const u8,
    pub(crate) to: *mut u8,
    pub(crate) len: usize,
}

impl Job {
    /// The number that is encrypted to the first tweak of sector `index`.
    pub(crate) fn number(&self, index: usize) -> u64 {
        self.tweak.wrapping_add((index * self.sector_len.div_ceil(TWEAK_UNIT)) as u64)
    }

    pub(crate) fn sectors(&self) -> usize {
        self.len / self.sector_len
    }
}

/// A tweak times α (§5.2): x in the field of 2^128 elements, modulo x^128 + x^7 + x^2 + x + 1.
pub(crate) fn times_alpha(tweak: u128) -> u128 {
    (tweak << 1) ^ (0x87 & (tweak >> 127).wrapping_neg())
}

/// Loads a block, once: in assembly, so that the compiler can neither repeat nor split it.
///
/// # Safety
/// 16 bytes must be readable.
#[inline(always)]
pub(crate) unsafe fn load(from: *const u8) -> __m128i {
    let block;
    // SAFETY: the caller's contract.
    unsafe {
        asm!("movdqu {}, [{}]", out(xmm_reg) block, in(reg) from, options(nostack, preserves_flags, readonly));
    }
    block
}

/// Stores a block, once.
///
/// # Safety
/// 16 bytes must be writable.
#[inline(always)]
pub(crate) unsafe fn store(to: *mut u8, block: __m128i) {
    // SAFETY: the caller's contract.
    unsafe { asm!("movdqu [{}], {}", in(reg) to, in(xmm_reg) block, options(nostack, preserves_flags)) };
}
