//! A key slot: a volume key, split and encrypted with a key derived from a passphrase. The same in both
//! versions of LUKS.

use crate::LuksError;
use crate::hash::{self, Hash, STRIPES};
use crate::kdf::{Kdf, Limits};
use crate::storage::{Random, Storage, Xts};
use alloc::vec;
use alloc::vec::Vec;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes that key material is encrypted in.
const SECTOR: usize = 512;

/// The key that the payload is encrypted with: 32 (AES-128-XTS) or 64 bytes (AES-256-XTS). Zeroed when
/// dropped, and never printed.
#[derive(Clone)]
pub struct VolumeKey(pub(crate) Zeroizing<Vec<u8>>);

impl VolumeKey {
    /// A random one of `len` bytes.
    ///
    /// # Errors
    /// `Option` if `len` is neither 32 nor 64.
    pub fn generate(len: usize, random: Random<'_>) -> Result<Self, LuksError> {
        if !is_key_len(len) {
            return Err(LuksError::Option("a volume key has 32 or 64 bytes"));
        }
        let mut key = Zeroizing::new(vec![0; len]);
        random(&mut key);
        Ok(Self(key))
    }

    /// The bytes, for the cipher.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Whether a key of AES-XTS has this length.
pub(crate) fn is_key_len(len: usize) -> bool {
    len == 32 || len == 64
}

/// What a header says of one key slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Bytes of the volume key.
    pub(crate) key_len: usize,
    /// Bytes of the key that encrypts the material.
    pub(crate) area_key_len: usize,
    pub(crate) kdf: Kdf,
    pub(crate) salt: Vec<u8>,
    pub(crate) af_hash: Hash,
    /// Byte offset of the material.
    pub(crate) offset: u64,
}

impl Slot {
    /// Bytes of the material of a key of `key_len` bytes, in whole sectors.
    pub(crate) fn material_len(key_len: usize) -> usize {
        key_len.saturating_mul(STRIPES as usize).next_multiple_of(SECTOR)
    }

    /// What comes out with this passphrase. Whether it is the volume key is for a digest to tell.
    pub(crate) fn open(
        &self,
        storage: &mut dyn Storage,
        passphrase: &[u8],
        xts: &dyn Xts,
        limits: &Limits,
    ) -> Result<VolumeKey, LuksError> {
        let key = self.kdf.derive(passphrase, &self.salt, self.area_key_len, limits)?;
        let mut material = Zeroizing::new(vec![0; Self::material_len(self.key_len)]);
        storage.read(self.offset, &mut material)?;
        if !xts.decrypt(&key, &mut material) {
            return Err(LuksError::Corrupt("key length of a key slot"));
        }
        Ok(VolumeKey(hash::merge(self.af_hash, &material, self.key_len)))
    }

    /// Writes the material of `volume_key` for this passphrase.
    pub(crate) fn seal(
        &self,
        storage: &mut dyn Storage,
        volume_key: &VolumeKey,
        passphrase: &[u8],
        xts: &dyn Xts,
        random: Random<'_>,
    ) -> Result<(), LuksError> {
        // The caller chose the costs.
        let limits = Limits { memory: u32::MAX, time: u32::MAX, lanes: u32::MAX, iterations: u32::MAX };
        let key = self.kdf.derive(passphrase, &self.salt, self.area_key_len, &limits)?;
        let mut material = hash::split(self.af_hash, volume_key.bytes(), random);
        material.resize(Self::material_len(self.key_len), 0);
        if !xts.encrypt(&key, &mut material) {
            return Err(LuksError::Option("key length of a key slot"));
        }
        Ok(storage.write(self.offset, &material)?)
    }
}

/// Overwrites key material, so that the passphrase opens nothing any more. On flash the old bytes may
/// survive, as with any tool.
pub(crate) fn wipe(storage: &mut dyn Storage, offset: u64, len: usize, random: Random<'_>) -> Result<(), LuksError> {
    let mut noise = vec![0; len];
    random(&mut noise);
    storage.write(offset, &noise)?;
    Ok(storage.flush()?)
}

/// By what a volume key is known: PBKDF2 over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyDigest {
    pub(crate) hash: Hash,
    pub(crate) iterations: u32,
    pub(crate) salt: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl KeyDigest {
    pub(crate) fn of(key: &VolumeKey, hash: Hash, iterations: u32, len: usize, random: Random<'_>) -> Self {
        let (mut salt, mut value) = (vec![0; 32], vec![0; len]);
        random(&mut salt);
        hash.pbkdf2(key.bytes(), &salt, iterations, &mut value);
        Self { hash, iterations, salt, value }
    }

    /// Whether `key` is the one.
    pub(crate) fn knows(&self, key: &VolumeKey, limits: &Limits) -> Result<bool, LuksError> {
        let kdf = Kdf::Pbkdf2 { hash: self.hash, iterations: self.iterations };
        let value = kdf.derive(key.bytes(), &self.salt, self.value.len(), limits)?;
        Ok(value.ct_eq(&self.value).into())
    }
}
