//! Round keys as the kernels with instructions for AES load them, and what these kernels share.

use crate::bitslice::MAX_KEYS;
use crate::job::Job;
use crate::schedule::Schedule;
use core::arch::x86_64::*;
use zeroize::Zeroize;

/// A round key twice, for two blocks in one register.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(crate) struct Wide([[u8; 16]; 2]);

pub(crate) type RoundKeys = [Wide; MAX_KEYS];

/// Sectors whose first tweaks are encrypted together.
pub(crate) const TWEAKS: usize = 8;

/// Keys for data, both ways, and for tweaks.
pub(crate) struct Keys {
    pub(crate) encrypt: RoundKeys,
    pub(crate) decrypt: RoundKeys,
    pub(crate) tweak: RoundKeys,
    pub(crate) rounds: usize,
}

impl Keys {
    pub(crate) fn new(data: &Schedule, tweak: &Schedule) -> Self {
        let rounds = data.keys().len().saturating_sub(1);
        Self { encrypt: wide(data), decrypt: wide(&data.inverse()), tweak: wide(tweak), rounds }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        for key in self.encrypt.iter_mut().chain(&mut self.decrypt).chain(&mut self.tweak) {
            key.0.zeroize();
        }
    }
}

fn wide(schedule: &Schedule) -> RoundKeys {
    let mut keys = [Wide([[0; 16]; 2]); MAX_KEYS];
    for (wide, key) in keys.iter_mut().zip(schedule.keys()) {
        wide.0 = [*key; 2];
    }
    keys
}

impl Wide {
    /// For one block.
    #[inline(always)]
    pub(crate) fn narrow(&self) -> __m128i {
        // SAFETY: 16 aligned bytes.
        unsafe { _mm_load_si128(self.0.as_ptr().cast()) }
    }

    /// For two.
    #[inline]
    #[target_feature(enable = "avx")]
    pub(crate) fn both(&self) -> __m256i {
        // SAFETY: 32 aligned bytes.
        unsafe { _mm256_load_si256(self.0.as_ptr().cast()) }
    }
}

/// Encrypts or decrypts `N` blocks, all a round further at a time, so that none waits for itself.
#[inline]
#[target_feature(enable = "aes")]
pub(crate) fn cipher<const ENCRYPT: bool, const ROUNDS: usize, const N: usize>(
    keys: &RoundKeys,
    blocks: &mut [__m128i; N],
) {
    let (first, last) = (keys[0].narrow(), keys[ROUNDS].narrow());
    for block in blocks.iter_mut() {
        *block = _mm_xor_si128(*block, first);
    }
    for key in &keys[1..ROUNDS] {
        let key = key.narrow();
        for block in blocks.iter_mut() {
            *block = if ENCRYPT { _mm_aesenc_si128(*block, key) } else { _mm_aesdec_si128(*block, key) };
        }
    }
    for block in blocks.iter_mut() {
        *block = if ENCRYPT { _mm_aesenclast_si128(*block, last) } else { _mm_aesdeclast_si128(*block, last) };
    }
}

/// The first tweaks of sector `sector` and those behind it.
#[inline]
#[target_feature(enable = "aes")]
pub(crate) fn first_tweaks<const ROUNDS: usize>(keys: &Keys, job: &Job, sector: usize) -> [__m128i; TWEAKS] {
    let mut tweaks = [_mm_setzero_si128(); TWEAKS];
    for (i, tweak) in tweaks.iter_mut().enumerate() {
        *tweak = _mm_cvtsi64_si128(job.number(sector + i) as i64);
    }
    cipher::<true, ROUNDS, TWEAKS>(&keys.tweak, &mut tweaks);
    tweaks
}

/// A tweak times α^0 to α^(N - 1), for `N` up to 8: shifted as a whole, with what falls out at the top
/// times 0x87 (IEEE 1619-2018 §5.2).
#[inline]
#[target_feature(enable = "pclmulqdq")]
pub(crate) fn series<const N: usize>(first: __m128i) -> [__m128i; N] {
    let mut tweaks = [first; N];
    for (i, tweak) in (0..).zip(&mut tweaks) {
        // What leaves each half: from the lower into the upper, from the upper out of the tweak.
        let carry = _mm_srl_epi64(first, _mm_cvtsi32_si128(64 - i));
        let shifted = _mm_xor_si128(_mm_sll_epi64(first, _mm_cvtsi32_si128(i)), _mm_slli_si128(carry, 8));
        *tweak = _mm_xor_si128(shifted, _mm_clmulepi64_si128(carry, _mm_cvtsi32_si128(0x87), 0x01));
    }
    tweaks
}

/// One sector block by block from `at` on: what is left when whole batches are done.
///
/// # Safety
/// The bytes from `at` to `end` must lie within the ranges of the job.
#[inline]
#[target_feature(enable = "aes")]
pub(crate) unsafe fn rest<const ENCRYPT: bool, const ROUNDS: usize>(
    keys: &RoundKeys,
    tweaks: &[__m128i],
    job: &Job,
    at: usize,
    end: usize,
) {
    for (at, tweak) in (at..end).step_by(crate::job::BLOCK).zip(tweaks) {
        // SAFETY: the caller's contract.
        let mut block = [_mm_xor_si128(unsafe { crate::job::load(job.from.add(at)) }, *tweak)];
        cipher::<ENCRYPT, ROUNDS, 1>(keys, &mut block);
        // SAFETY: the caller's contract.
        unsafe { crate::job::store(job.to.add(at), _mm_xor_si128(block[0], *tweak)) };
    }
}
