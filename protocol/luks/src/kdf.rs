//! From a passphrase to the key of a key slot.

use crate::{Hash, LuksError};
use alloc::vec;
use alloc::vec::Vec;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{Zeroize, Zeroizing};

/// A key derivation function and its costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kdf {
    /// RFC 8018 §5.2.
    Pbkdf2 {
        /// Hash of the HMAC.
        hash: Hash,
        /// Iterations.
        iterations: u32,
    },
    /// RFC 9106, version 0x13.
    Argon2 {
        /// Argon2id, else Argon2i.
        id: bool,
        /// Passes over the memory.
        time: u32,
        /// KiB of memory.
        memory: u32,
        /// Lanes. They are filled one after the other, so that they cost time alone.
        lanes: u32,
    },
}

impl Kdf {
    /// Argon2id with the costs of RFC 9106 §4 for where memory is scarce: 64 MiB, 3 passes, 4 lanes.
    pub const DEFAULT: Self = Self::Argon2 { id: true, time: 3, memory: 64 << 10, lanes: 4 };

    /// Derives a key of `len` bytes.
    ///
    /// # Errors
    /// `TooCostly`; `Corrupt` if the costs have no meaning.
    pub(crate) fn derive(
        &self,
        passphrase: &[u8],
        salt: &[u8],
        len: usize,
        limits: &Limits,
    ) -> Result<Zeroizing<Vec<u8>>, LuksError> {
        limits.check(self)?;
        let mut key = Zeroizing::new(vec![0; len]);
        match *self {
            Self::Pbkdf2 { iterations: 0, .. } => return Err(LuksError::Corrupt("PBKDF2 without an iteration")),
            Self::Pbkdf2 { hash, iterations } => hash.pbkdf2(passphrase, salt, iterations, &mut key),
            Self::Argon2 { id, time, memory, lanes } => {
                let meaningless = LuksError::Corrupt("Argon2 costs or salt have no meaning");
                let params = Params::new(memory, time, lanes, Some(len)).map_err(|_| meaningless.clone())?;
                let mut blocks = Vec::new();
                let count = params.block_count();
                let none = LuksError::TooCostly { what: "KiB", asked: memory, allowed: 0 };
                blocks.try_reserve_exact(count).map_err(|_| none)?;
                blocks.resize(count, Block::new());
                let algorithm = if id { Algorithm::Argon2id } else { Algorithm::Argon2i };
                let argon2 = Argon2::new(algorithm, Version::V0x13, params);
                let derived = argon2.hash_password_into_with_memory(passphrase, salt, &mut key, &mut blocks);
                blocks.iter_mut().for_each(Zeroize::zeroize);
                derived.map_err(|_| meaningless)?;
            }
        }
        Ok(key)
    }
}

/// What a header may cost: it comes from outside and could ask for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// KiB of memory for Argon2.
    pub memory: u32,
    /// Passes of Argon2.
    pub time: u32,
    /// Lanes of Argon2.
    pub lanes: u32,
    /// Iterations of PBKDF2.
    pub iterations: u32,
}

impl Limits {
    /// What `cryptsetup` makes on a fast machine, and some more: 1 GiB, 64 passes, 16 lanes, 50 million
    /// iterations.
    pub const DEFAULT: Self = Self { memory: 1 << 20, time: 64, lanes: 16, iterations: 50_000_000 };

    fn check(&self, kdf: &Kdf) -> Result<(), LuksError> {
        let costs = match *kdf {
            Kdf::Pbkdf2 { iterations, .. } => vec![("iterations", iterations, self.iterations)],
            Kdf::Argon2 { time, memory, lanes, .. } => {
                vec![("KiB", memory, self.memory), ("passes", time, self.time), ("lanes", lanes, self.lanes)]
            }
        };
        match costs.into_iter().find(|(_, asked, allowed)| asked > allowed) {
            Some((what, asked, allowed)) => Err(LuksError::TooCostly { what, asked, allowed }),
            None => Ok(()),
        }
    }
}
