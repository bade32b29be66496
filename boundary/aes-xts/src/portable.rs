//! XTS over the bitsliced cipher, for processors without instructions for AES.

use crate::bitslice::{BATCH, Cipher};
use crate::job::{BLOCK, Job, load, store, times_alpha};
use crate::schedule::Schedule;
use core::arch::x86_64::__m128i;
use core::mem::transmute;

/// Keys for data and tweaks.
pub(crate) struct Keys {
    data: Cipher,
    tweak: Cipher,
}

impl Keys {
    pub(crate) fn new(data: &Schedule, tweak: &Schedule) -> Self {
        Self { data: Cipher::new(data.keys()), tweak: Cipher::new(tweak.keys()) }
    }

    /// Does the job.
    ///
    /// # Safety
    /// The ranges of the job must be valid, see [`Job`].
    pub(crate) unsafe fn crypt<const ENCRYPT: bool>(&self, job: &Job) {
        for sector in 0..job.sectors() {
            let tweak = self.first_tweak(job.number(sector));
            // SAFETY: the sector lies within the ranges of the job.
            unsafe { self.sector::<ENCRYPT>(tweak, job, sector * job.sector_len) };
        }
    }

    fn first_tweak(&self, number: u64) -> u128 {
        let mut blocks = [0; BATCH];
        blocks[..8].copy_from_slice(&number.to_le_bytes());
        self.tweak.encrypt(&mut blocks);
        u128::from_le_bytes(blocks.as_chunks().0[0])
    }

    /// # Safety
    /// The sector at `start` must lie within the ranges of the job.
    unsafe fn sector<const ENCRYPT: bool>(&self, mut tweak: u128, job: &Job, start: usize) {
        let mut tweaks = [0u128; BATCH / BLOCK];
        let mut batch = [0u8; BATCH];
        for at in (start..start + job.sector_len).step_by(BATCH) {
            let blocks = (start + job.sector_len - at).min(BATCH) / BLOCK;
            for (i, bytes) in batch.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate().take(blocks) {
                tweaks[i] = tweak;
                tweak = times_alpha(tweak);
                // SAFETY: the caller's contract; any bits are a u128.
                let block = unsafe { transmute::<__m128i, u128>(load(job.from.add(at + i * BLOCK))) };
                *bytes = (block ^ tweaks[i]).to_le_bytes();
            }
            if ENCRYPT {
                self.data.encrypt(&mut batch);
            } else {
                self.data.decrypt(&mut batch);
            }
            for (i, bytes) in batch.as_chunks::<BLOCK>().0.iter().enumerate().take(blocks) {
                let block = u128::from_le_bytes(*bytes) ^ tweaks[i];
                // SAFETY: the caller's contract; any bits are a block.
                unsafe { store(job.to.add(at + i * BLOCK), transmute::<u128, __m128i>(block)) };
            }
        }
    }
}
