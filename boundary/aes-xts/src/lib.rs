//! AES-XTS (IEEE 1619-2018, with AES of FIPS 197) over whole sectors, as dm-crypt's
//! `aes-xts-plain64` has it.
//!
//! Three implementations, picked by the processor: VAES (16 blocks at once), AES-NI (8), and a
//! bitsliced one in constant time for processors that have neither. All work in place, between
//! trusted buffers, and across the border: there each byte of the window is loaded or stored exactly
//! once, so the host cannot change what is being looked at, and plaintext never lies in the window.
//!
//! XTS hides content and nothing else: who writes the disk can put back or garble sectors unnoticed.
#![no_std]

extern crate alloc;

mod aesni;
mod bitslice;
mod guard;
mod hardware;
mod job;
mod kernel;
mod portable;
mod schedule;
mod vaes;

pub use kernel::Kernel;

use alloc::boxed::Box;
use core::fmt;
use job::{BLOCK, Job};
use kernel::Kind;
use rkt_window::Region;
use schedule::Schedule;

/// Why nothing was encrypted or decrypted. The caller is guilty in all cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XtsError {
    /// A key is neither 32 (AES-128) nor 64 bytes (AES-256) long.
    KeyLength(usize),
    /// The data is no whole number of sectors, or a sector no whole number of blocks of 16 bytes.
    SectorLength,
    /// Source and destination differ in length, or do not lie in the window.
    Range,
}

impl fmt::Display for XtsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyLength(len) => write!(f, "an AES-XTS key has 32 or 64 bytes, not {len}"),
            Self::SectorLength => f.write_str("data for AES-XTS is no whole number of sectors"),
            Self::Range => f.write_str("source and destination of AES-XTS do not match"),
        }
    }
}

impl core::error::Error for XtsError {}

/// Where sectors lie, and so which tweaks they get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sectors {
    /// Number of the first sector in units of 512 bytes, whatever `len` is: dm-crypt's `plain64`.
    pub first: u64,
    /// Bytes of a sector, in which each block has a tweak of its own; a multiple of 16.
    pub len: usize,
}

/// An AES-XTS key, ready for use. Zeroed when dropped.
pub struct Xts(Keys);

enum Keys {
    Portable(Box<portable::Keys>),
    AesNi(Box<hardware::Keys>),
    Vaes(Box<hardware::Keys>),
}

impl Xts {
    /// Expands a key: the first half is for data, the second for tweaks (IEEE 1619 §5.1).
    ///
    /// # Errors
    /// `KeyLength`.
    pub fn new(key: &[u8], kernel: Kernel) -> Result<Self, XtsError> {
        let (data, tweak) = key.split_at(key.len() / 2);
        let bad = XtsError::KeyLength(key.len());
        let (data, tweak) = Schedule::new(data).zip(Schedule::new(tweak)).ok_or(bad)?;
        Ok(Self(match kernel.kind() {
            Kind::Portable => Keys::Portable(Box::new(portable::Keys::new(&data, &tweak))),
            Kind::AesNi => Keys::AesNi(Box::new(hardware::Keys::new(&data, &tweak))),
            Kind::Vaes => Keys::Vaes(Box::new(hardware::Keys::new(&data, &tweak))),
        }))
    }

    /// Encrypts in place.
    ///
    /// # Errors
    /// `SectorLength`.
    pub fn encrypt(&self, sectors: Sectors, data: &mut [u8]) -> Result<(), XtsError> {
        let at = data.as_mut_ptr();
        // SAFETY: one buffer, exclusively ours.
        unsafe { self.run::<true>(sectors, at, at, data.len()) }
    }

    /// Decrypts in place.
    ///
    /// # Errors
    /// `SectorLength`.
    pub fn decrypt(&self, sectors: Sectors, data: &mut [u8]) -> Result<(), XtsError> {
        let at = data.as_mut_ptr();
        // SAFETY: as above.
        unsafe { self.run::<false>(sectors, at, at, data.len()) }
    }

    /// Encrypts from one buffer to another.
    ///
    /// # Errors
    /// `SectorLength`; `Range` if the lengths differ.
    pub fn encrypt_to(&self, sectors: Sectors, from: &[u8], to: &mut [u8]) -> Result<(), XtsError> {
        if from.len() != to.len() {
            return Err(XtsError::Range);
        }
        // SAFETY: two buffers of the same length, one of them exclusively ours.
        unsafe { self.run::<true>(sectors, from.as_ptr(), to.as_mut_ptr(), from.len()) }
    }

    /// Encrypts from a trusted buffer into the window at `offset`; each byte there is stored once.
    ///
    /// # Errors
    /// `SectorLength`; `Range` if it does not fit.
    pub fn encrypt_into(&self, sectors: Sectors, from: &[u8], window: &Region, offset: usize) -> Result<(), XtsError> {
        let to = window.pointer(offset, from.len()).map_err(|_| XtsError::Range)?;
        // SAFETY: the range is mapped, and the window never overlaps trusted memory.
        unsafe { self.run::<true>(sectors, from.as_ptr(), to, from.len()) }
    }

    /// Decrypts from the window at `offset` into a trusted buffer; each byte there is loaded once.
    ///
    /// # Errors
    /// `SectorLength`; `Range` if it does not lie in the window.
    pub fn decrypt_from(
        &self,
        sectors: Sectors,
        window: &Region,
        offset: usize,
        to: &mut [u8],
    ) -> Result<(), XtsError> {
        let from = window.pointer(offset, to.len()).map_err(|_| XtsError::Range)?;
        // SAFETY: as above.
        unsafe { self.run::<false>(sectors, from, to.as_mut_ptr(), to.len()) }
    }

    /// # Safety
    /// `from` must be readable and `to` writable for `len` bytes; both are the same, or the ranges do
    /// not overlap.
    unsafe fn run<const ENCRYPT: bool>(
        &self,
        sectors: Sectors,
        from: *const u8,
        to: *mut u8,
        len: usize,
    ) -> Result<(), XtsError> {
        let sector_len = sectors.len;
        if sector_len == 0 || !sector_len.is_multiple_of(BLOCK) || !len.is_multiple_of(sector_len) {
            return Err(XtsError::SectorLength);
        }
        let job = Job { tweak: sectors.first, sector_len, from, to, len };
        // SAFETY: the caller's contract; a `Kernel` is made only where the processor can run it.
        unsafe {
            match &self.0 {
                Keys::Portable(keys) => keys.crypt::<ENCRYPT>(&job),
                Keys::AesNi(keys) => aesni::crypt::<ENCRYPT>(keys, &job),
                Keys::Vaes(keys) => vaes::crypt::<ENCRYPT>(keys, &job),
            }
        }
        Ok(())
    }
}

/// Runs `f`, which may use AVX although the image may not, and leaves the upper halves of the
/// vector registers as they were: for code of others that picks its instructions by CPUID. Where the
/// processor has no AVX, such code does not use it, and `f` is just called.
pub fn keep_upper_halves<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: the processor was asked.
    if kernel::can_keep() { unsafe { guard::keep(f) } } else { f() }
}
