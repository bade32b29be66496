//! From a disk and a passphrase to its plaintext.

use crate::{CryptDevice, CryptError, Discard};
use alloc::vec::Vec;
use core::fmt;
use rkt_aes_xts::{Kernel, Sectors, Xts};
use rkt_block::Blocking;
use rkt_blockdev::BlockDevice;
use rkt_luks::{Container, Limits, LuksError, Storage, StorageError};

/// A disk as storage for a header.
pub struct Stored<'a>(Blocking<'a>);

impl<'a> Stored<'a> {
    /// Nobody else may use the disk meanwhile.
    pub fn new(disk: Blocking<'a>) -> Self {
        Self(disk)
    }
}

impl Storage for Stored<'_> {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), StorageError> {
        self.0.read(offset, into).map_err(|_| StorageError)
    }

    fn write(&mut self, offset: u64, from: &[u8]) -> Result<(), StorageError> {
        self.0.write(offset, from).map_err(|_| StorageError)
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        self.0.flush().map_err(|_| StorageError)
    }
}

/// AES-XTS for key material.
pub struct KeyMaterial(pub Kernel);

/// Key material is numbered from 0, in sectors of 512 bytes.
const KEY_MATERIAL: Sectors = Sectors { first: 0, len: 512 };

impl rkt_luks::Xts for KeyMaterial {
    fn encrypt(&self, key: &[u8], data: &mut [u8]) -> bool {
        Xts::new(key, self.0).and_then(|xts| xts.encrypt(KEY_MATERIAL, data)).is_ok()
    }

    fn decrypt(&self, key: &[u8], data: &mut [u8]) -> bool {
        Xts::new(key, self.0).and_then(|xts| xts.decrypt(KEY_MATERIAL, data)).is_ok()
    }
}

/// Why a container was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Its header or key.
    Luks(LuksError),
    /// Its payload.
    Crypt(CryptError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Luks(error) => error.fmt(f),
            Self::Crypt(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OpenError {}

impl From<LuksError> for OpenError {
    fn from(error: LuksError) -> Self {
        Self::Luks(error)
    }
}

/// How a container is to be opened.
pub struct Opening<'a> {
    /// The passphrase, or the content of a key file.
    pub passphrase: &'a [u8],
    /// What the header may cost.
    pub limits: Limits,
    /// Which implementation of AES.
    pub kernel: Kernel,
    /// What becomes of discards.
    pub discard: Discard,
    /// How often `wait` is called at most for each request to the disk, see [`Blocking`].
    pub patience: u32,
}

/// Unlocks the LUKS container on `disk`. Derives the key on the caller's time: up to seconds.
///
/// # Errors
/// See [`OpenError`]; the disk is gone then.
pub fn open<D: BlockDevice>(
    disk: D,
    opening: &Opening<'_>,
    wait: &mut dyn FnMut(),
) -> Result<CryptDevice<D>, OpenError> {
    let (opened, _) = open_lanes(disk, Vec::new(), opening, wait)?;
    Ok(opened)
}

/// The same for a disk to which `others` lead, too: gives the plaintext as each of them leads to it.
///
/// # Errors
/// As [`open`].
pub fn open_lanes<D: BlockDevice>(
    mut disk: D,
    others: Vec<D>,
    opening: &Opening<'_>,
    wait: &mut dyn FnMut(),
) -> Result<(CryptDevice<D>, Vec<CryptDevice<D>>), OpenError> {
    let len = disk.geometry().len;
    let mut storage = Stored::new(Blocking::new(&mut disk, opening.patience, wait));
    let container = Container::open(&mut storage)?;
    let payload = container.payload(len)?;
    // Argon2 and SHA-512 pick AVX2 where it is.
    let (_, key) = rkt_aes_xts::keep_upper_halves(|| {
        container.unlock(&mut storage, opening.passphrase, &KeyMaterial(opening.kernel), &opening.limits)
    })?;
    let plain = |lane| CryptDevice::new(lane, payload, &key, opening.kernel, opening.discard);
    let first = plain(disk).map_err(OpenError::Crypt)?;
    Ok((first, others.into_iter().map(plain).collect::<Result<_, _>>().map_err(OpenError::Crypt)?))
}
