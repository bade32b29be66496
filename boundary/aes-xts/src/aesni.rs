//! Eight blocks at once with AES-NI. All instructions leave the upper halves of vector registers
//! alone, so this kernel needs no guard.

use crate::hardware::{Keys, RoundKeys, TWEAKS, cipher, first_tweaks, rest, series};
use crate::job::{BLOCK, Job, load, store};
use core::arch::x86_64::*;

/// Blocks at once.
const WIDTH: usize = 8;

/// Does the job.
///
/// # Safety
/// The processor must have AES and PCLMULQDQ, and the ranges of the job must be valid.
pub(crate) unsafe fn crypt<const ENCRYPT: bool>(keys: &Keys, job: &Job) {
    // SAFETY: the caller's contract.
    unsafe { if keys.rounds == 10 { run::<ENCRYPT, 10>(keys, job) } else { run::<ENCRYPT, 14>(keys, job) } }
}

/// # Safety
/// As above, and `ROUNDS` must be those of the keys.
#[inline(never)]
#[target_feature(enable = "aes,pclmulqdq")]
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
#[target_feature(enable = "aes,pclmulqdq")]
unsafe fn run_sector<const ENCRYPT: bool, const ROUNDS: usize>(
    keys: &RoundKeys,
    first: __m128i,
    job: &Job,
    start: usize,
) {
    let mut tweaks = series::<WIDTH>(first);
    let mut blocks = [_mm_setzero_si128(); WIDTH];
    let (mut at, end) = (start, start + job.sector_len);
    while end - at >= WIDTH * BLOCK {
        for (i, block) in blocks.iter_mut().enumerate() {
            // SAFETY: within the sector.
            *block = _mm_xor_si128(unsafe { load(job.from.add(at + i * BLOCK)) }, tweaks[i]);
        }
        cipher::<ENCRYPT, ROUNDS, WIDTH>(keys, &mut blocks);
        for (i, block) in blocks.iter().enumerate() {
            // SAFETY: within the sector.
            unsafe { store(job.to.add(at + i * BLOCK), _mm_xor_si128(*block, tweaks[i])) };
            tweaks[i] = times_alpha_8(tweaks[i]);
        }
        at += WIDTH * BLOCK;
    }
    // SAFETY: within the sector.
    unsafe { rest::<ENCRYPT, ROUNDS>(keys, &tweaks, job, at, end) };
}

/// A tweak times α^8: a byte further, and the byte that falls out times 0x87.
#[inline]
#[target_feature(enable = "pclmulqdq")]
fn times_alpha_8(tweak: __m128i) -> __m128i {
    let out = _mm_clmulepi64_si128(_mm_srli_si128(tweak, 15), _mm_cvtsi32_si128(0x87), 0);
    _mm_xor_si128(_mm_slli_si128(tweak, 1), out)
}
