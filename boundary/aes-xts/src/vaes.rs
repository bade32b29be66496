//! Sixteen blocks at once, two in each 256-bit register (VAES). Only this module of the image has
//! VEX-encoded instructions of its own; each runs under [`guard::keep`](crate::guard::keep).

use crate::guard;
use crate::hardware::{Keys, RoundKeys, TWEAKS, first_tweaks, rest, series};
use crate::job::{BLOCK, Job};
use core::arch::asm;
use core::arch::x86_64::*;

/// Registers of data at once. No more than rounds but one, each of which has time for one tweak.
const WIDTH: usize = 8;
/// Bytes of a register.
const WIDE: usize = 2 * BLOCK;

/// Does the job.
///
/// # Safety
/// The processor must have AVX2, VAES, VPCLMULQDQ and what the guard needs, and the ranges of the
/// job must be valid.
pub(crate) unsafe fn crypt<const ENCRYPT: bool>(keys: &Keys, job: &Job) {
    // SAFETY: the caller's contract.
    unsafe {
        guard::keep(|| if keys.rounds == 10 { run::<ENCRYPT, 10>(keys, job) } else { run::<ENCRYPT, 14>(keys, job) });
    }
}

/// # Safety
/// As above, and `ROUNDS` must be those of the keys.
#[inline(never)]
#[target_feature(enable = "aes,pclmulqdq,avx2,vaes,vpclmulqdq")]
unsafe fn run<const ENCRYPT: bool, const ROUNDS: usize>(keys: &Keys, job: &Job) {
    let data = if ENCRYPT { &keys.encrypt } else { &keys.decrypt };
    for group in (0..job.sectors()).step_by(TWEAKS) {
        let firsts = first_tweaks::<ROUNDS>(keys, job, group);
        for (sector, first) in (group..job.sectors()).zip(firsts) {
            // SAFETY: the sector lies within the ranges of the job.
            unsafe { run_sector::<ENCRYPT, ROUNDS>(data, first, job, sector * job.sector_len) };
        }
    }
}

/// # Safety
/// The sector at `start` must lie within the ranges of the job.
#[inline]
#[target_feature(enable = "aes,pclmulqdq,avx2,vaes,vpclmulqdq")]
unsafe fn run_sector<const ENCRYPT: bool, const ROUNDS: usize>(
    keys: &RoundKeys,
    first: __m128i,
    job: &Job,
    start: usize,
) {
    let low = series::<WIDTH>(first);
    let mut tweaks = [_mm256_setzero_si256(); WIDTH];
    for (i, pair) in low.as_chunks::<2>().0.iter().enumerate() {
        tweaks[i] = _mm256_set_m128i(pair[1], pair[0]);
        tweaks[i + WIDTH / 2] = times_alpha_8(tweaks[i]);
    }
    let (white, last) = (keys[0].both(), keys[ROUNDS].both());
    let mut blocks = [_mm256_setzero_si256(); WIDTH];
    let mut ends = [last; WIDTH];
    let (mut at, end) = (start, start + job.sector_len);
    while end - at >= WIDTH * WIDE {
        for (i, block) in blocks.iter_mut().enumerate() {
            // SAFETY: within the sector.
            *block = _mm256_xor_si256(unsafe { load(job.from.add(at + i * WIDE)) }, _mm256_xor_si256(tweaks[i], white));
        }
        for (round, key) in (0..).zip(&keys[1..ROUNDS]) {
            let key = key.both();
            for block in blocks.iter_mut() {
                *block = if ENCRYPT { _mm256_aesenc_epi128(*block, key) } else { _mm256_aesdec_epi128(*block, key) };
            }
            // One of the tweaks, while the processor waits for this round: their arithmetic costs nothing here.
            if round < WIDTH {
                ends[round] = _mm256_xor_si256(tweaks[round], last);
                tweaks[round] = times_alpha_16(tweaks[round]);
            }
        }
        for (i, (block, key)) in blocks.iter().zip(&ends).enumerate() {
            let done =
                if ENCRYPT { _mm256_aesenclast_epi128(*block, *key) } else { _mm256_aesdeclast_epi128(*block, *key) };
            // SAFETY: within the sector.
            unsafe { store(job.to.add(at + i * WIDE), done) };
        }
        at += WIDTH * WIDE;
    }
    // SAFETY: eight vectors are sixteen halves.
    let tweaks: [__m128i; 2 * WIDTH] = unsafe { core::mem::transmute(tweaks) };
    // SAFETY: within the sector.
    unsafe { rest::<ENCRYPT, ROUNDS>(keys, &tweaks, job, at, end) };
}

/// 0x87, the polynomial without its highest term, in both halves.
#[inline]
#[target_feature(enable = "avx2")]
fn polynomial() -> __m256i {
    _mm256_set_epi64x(0, 0x87, 0, 0x87)
}

/// Two tweaks times α^8: a byte further, and the byte that falls out times the polynomial.
#[inline]
#[target_feature(enable = "avx2,vpclmulqdq")]
fn times_alpha_8(tweaks: __m256i) -> __m256i {
    let out = _mm256_clmulepi64_epi128(_mm256_srli_si256(tweaks, 15), polynomial(), 0);
    _mm256_xor_si256(_mm256_slli_si256(tweaks, 1), out)
}

/// Two tweaks times α^16.
#[inline]
#[target_feature(enable = "avx2,vpclmulqdq")]
fn times_alpha_16(tweaks: __m256i) -> __m256i {
    let out = _mm256_clmulepi64_epi128(_mm256_srli_si256(tweaks, 14), polynomial(), 0);
    _mm256_xor_si256(_mm256_slli_si256(tweaks, 2), out)
}

/// Loads two blocks, once; see [`crate::job::load`].
///
/// # Safety
/// 32 bytes must be readable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load(from: *const u8) -> __m256i {
    let blocks;
    // SAFETY: the caller's contract.
    unsafe {
        asm!("vmovdqu {}, [{}]", out(ymm_reg) blocks, in(reg) from, options(nostack, preserves_flags, readonly));
    }
    blocks
}

/// Stores two blocks, once.
///
/// # Safety
/// 32 bytes must be writable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store(to: *mut u8, blocks: __m256i) {
    // SAFETY: the caller's contract.
    unsafe { asm!("vmovdqu [{}], {}", in(reg) to, in(ymm_reg) blocks, options(nostack, preserves_flags)) };
}
