//! What can be wrong.

use alloc::string::String;
use core::fmt;

/// The storage failed; its owner knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageError;

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the storage of the LUKS header failed")
    }
}

impl core::error::Error for StorageError {}

/// Why a container was not opened, made or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LuksError {
    /// The storage is guilty.
    Storage(StorageError),
    /// There is no LUKS header.
    NotLuks,
    /// The header breaks the format: its maker, or who changed it, is guilty.
    Corrupt(&'static str),
    /// The header is sound and asks for what we do not have.
    Unsupported {
        /// Which kind of thing.
        what: &'static str,
        /// Its name in the header.
        name: String,
    },
    /// The header asks for more work or memory than the caller allows, or than there is.
    TooCostly {
        /// Of what: `KiB`, `passes`, `lanes` or `iterations`.
        what: &'static str,
        /// What the header asks for.
        asked: u32,
        /// What is allowed.
        allowed: u32,
    },
    /// No key slot opens with this passphrase.
    WrongKey,
    /// The caller is guilty: no such key slot.
    NoSlot(u32),
    /// No key slot, or no room for its key material, is left.
    Full,
    /// The caller is guilty: an option has no meaning, or does not fit.
    Option(&'static str),
}

impl fmt::Display for LuksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::NotLuks => f.write_str("no LUKS header"),
            Self::Corrupt(what) => write!(f, "LUKS header is corrupt: {what}"),
            Self::Unsupported { what, name } => write!(f, "LUKS {what} {name:?} is not supported"),
            Self::TooCostly { what, asked, allowed } => {
                write!(f, "LUKS key slot takes {asked} {what}, and {allowed} are allowed")
            }
            Self::WrongKey => f.write_str("no LUKS key slot opens with this key"),
            Self::NoSlot(slot) => write!(f, "LUKS key slot {slot} is not in use"),
            Self::Full => f.write_str("no room for another LUKS key slot"),
            Self::Option(what) => write!(f, "impossible LUKS option: {what}"),
        }
    }
}

impl core::error::Error for LuksError {}

impl From<StorageError> for LuksError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// For names that the header gives.
pub(crate) fn unsupported(what: &'static str, name: &str) -> LuksError {
    LuksError::Unsupported { what, name: name.chars().take(64).collect() }
}
