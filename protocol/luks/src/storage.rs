//! What this crate needs of others: the bytes, AES-XTS and randomness.

use crate::StorageError;
use alloc::vec::Vec;

/// The disk or file that holds the container, from its first byte. The bytes may be hostile.
pub trait Storage {
    /// Fills `into` from `offset` on.
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), StorageError>;

    /// Writes `from` at `offset`.
    fn write(&mut self, offset: u64, from: &[u8]) -> Result<(), StorageError>;

    /// Makes all writes durable.
    fn flush(&mut self) -> Result<(), StorageError>;
}

impl Storage for Vec<u8> {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), StorageError> {
        let from = usize::try_from(offset).ok().and_then(|at| self.get(at..)?.get(..into.len()));
        into.copy_from_slice(from.ok_or(StorageError)?);
        Ok(())
    }

    fn write(&mut self, offset: u64, from: &[u8]) -> Result<(), StorageError> {
        let into = usize::try_from(offset).ok().and_then(|at| self.get_mut(at..)?.get_mut(..from.len()));
        into.ok_or(StorageError)?.copy_from_slice(from);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        Ok(())
    }
}

/// AES-XTS over sectors of 512 bytes numbered from 0, for key material. Both halves have a fast one of
/// their own, which this crate must not depend on.
pub trait Xts {
    /// Encrypts in place; `data` is a whole number of sectors, `key` has 32 or 64 bytes. False if not
    /// possible.
    #[must_use]
    fn encrypt(&self, key: &[u8], data: &mut [u8]) -> bool;

    /// Decrypts in place.
    #[must_use]
    fn decrypt(&self, key: &[u8], data: &mut [u8]) -> bool;
}

/// Fills with random bytes fit for keys.
pub type Random<'a> = &'a mut dyn FnMut(&mut [u8]);
