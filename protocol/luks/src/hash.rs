//! Hash functions by LUKS' names, the anti-forensic splitter over them, and PBKDF2.

use crate::LuksError;
use crate::error::unsupported;
use crate::storage::Random;
use alloc::vec;
use alloc::vec::Vec;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

/// Stripes of split key material: LUKS1 §2.4, and the only value that LUKS2 allows (§3.2.1).
pub const STRIPES: u32 = 4000;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// Only in old containers.
    Sha1,
    /// The default.
    Sha256,
    /// The long one.
    Sha512,
}

impl Hash {
    /// From its name in a header.
    ///
    /// # Errors
    /// `Unsupported`.
    pub fn named(name: &str) -> Result<Self, LuksError> {
        match name {
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(unsupported("hash", name)),
        }
    }

    /// Its name in a header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Bytes of a hash value.
    pub fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// PBKDF2 with HMAC of this hash (RFC 8018 §5.2).
    pub(crate) fn pbkdf2(self, password: &[u8], salt: &[u8], iterations: u32, into: &mut [u8]) {
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, into),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, into),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, into),
        }
    }

    /// Diffuses a block (LUKS1 §2.4): each piece as long as a hash value becomes the hash of its number
    /// and itself, the last one cut to what there is.
    fn diffuse(self, block: &mut [u8]) {
        for (number, piece) in (0u32..).zip(block.chunks_mut(self.output_len())) {
            match self {
                Self::Sha1 => diffuse_piece::<Sha1>(number, piece),
                Self::Sha256 => diffuse_piece::<Sha256>(number, piece),
                Self::Sha512 => diffuse_piece::<Sha512>(number, piece),
            }
        }
    }
}

fn diffuse_piece<H: Digest>(number: u32, piece: &mut [u8]) {
    let value = H::new().chain_update(number.to_be_bytes()).chain_update(&piece).finalize();
    for (to, from) in piece.iter_mut().zip(value) {
        *to = from;
    }
}

fn xor(into: &mut [u8], other: &[u8]) {
    for (byte, other) in into.iter_mut().zip(other) {
        *byte ^= other;
    }
}

/// Spreads a key over [`STRIPES`] blocks, all of which are needed to get it back (LUKS1 §2.4).
pub(crate) fn split(hash: Hash, key: &[u8], random: Random<'_>) -> Zeroizing<Vec<u8>> {
    let mut material = Zeroizing::new(vec![0; key.len().saturating_mul(STRIPES as usize)]);
    let mut mix = Zeroizing::new(vec![0; key.len()]);
    if let Some(at) = material.len().checked_sub(key.len())
        && let Some((stripes, last)) = material.split_at_mut_checked(at)
    {
        random(stripes);
        for stripe in stripes.chunks_exact(key.len().max(1)) {
            xor(&mut mix, stripe);
            hash.diffuse(&mut mix);
        }
        last.copy_from_slice(&mix);
        xor(last, key);
    }
    material
}

/// Gets the key of `len` bytes back.
pub(crate) fn merge(hash: Hash, material: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(vec![0; len]);
    let stripes = material.chunks_exact(len.max(1)).take(STRIPES as usize);
    for (number, stripe) in (1..).zip(stripes) {
        xor(&mut key, stripe);
        if number != STRIPES {
            hash.diffuse(&mut key);
        }
    }
    key
}
