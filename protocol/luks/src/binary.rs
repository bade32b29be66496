//! LUKS2: the binary header in front of the metadata (specification 1.1.2, §2.1).

use crate::LuksError;
use crate::luks1::{MAGIC, set_text, text};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zerocopy::byteorder::big_endian::{U16, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the binary header.
pub(crate) const BINARY_LEN: usize = 4096;
/// Sizes that a header with its metadata may have (§2.2): powers of two.
pub(crate) const SIZES: core::ops::RangeInclusive<u64> = 16 << 10..=4 << 20;
/// Largest one that is read: metadata beyond it is no honest header's, and takes memory to parse.
pub(crate) const SIZE_MAX: u64 = 1 << 20;
/// First bytes of the second copy.
const MAGIC_SECOND: [u8; 6] = *b"SKUL\xba\xbe";
const CHECKSUM_LEN: usize = 32;

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    magic: [u8; 6],
    version: U16,
    size: U64,
    sequence: U64,
    label: [u8; 48],
    checksum_algorithm: [u8; 32],
    salt: [u8; 64],
    uuid: [u8; 40],
    subsystem: [u8; 48],
    offset: U64,
    padding: [u8; 184],
    checksum: [u8; 64],
    padding_to_4096: [u8; 7 * 512],
}

const _: () = assert!(size_of::<Raw>() == BINARY_LEN);

/// Which copy of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copy {
    /// At the start.
    First,
    /// Right behind it.
    Second,
}

impl Copy {
    fn magic(self) -> [u8; 6] {
        match self {
            Self::First => MAGIC,
            Self::Second => MAGIC_SECOND,
        }
    }
}

/// What the binary header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binary {
    /// Bytes of header and metadata together.
    pub(crate) size: u64,
    /// The copy with the higher number is the newer.
    pub(crate) sequence: u64,
    pub(crate) label: String,
    pub(crate) uuid: String,
    pub(crate) subsystem: String,
}

/// The size that a header claims, if it is one: to know how much to read.
pub(crate) fn claimed_size(bytes: &[u8; BINARY_LEN], copy: Copy) -> Option<u64> {
    let raw = Raw::ref_from_bytes(bytes).ok()?;
    let size = raw.size.get();
    let good = raw.magic == copy.magic() && raw.version.get() == 2;
    (good && size.is_power_of_two() && SIZES.contains(&size)).then_some(size)
}

/// Checks a whole copy, which lies at `offset`, and gives its metadata.
pub(crate) fn decode(bytes: &[u8], offset: u64, copy: Copy) -> Result<(Binary, &[u8]), LuksError> {
    let (head, metadata) = bytes.split_first_chunk::<BINARY_LEN>().ok_or(LuksError::NotLuks)?;
    let size = claimed_size(head, copy).ok_or(LuksError::NotLuks)?;
    let mut raw = Raw::read_from_bytes(head).map_err(|_| LuksError::NotLuks)?;
    if size != bytes.len() as u64 || raw.offset.get() != offset {
        return Err(LuksError::Corrupt("offset or size of the header"));
    }
    let algorithm = text(&raw.checksum_algorithm)?;
    if algorithm != "sha256" {
        return Err(crate::error::unsupported("checksum", algorithm));
    }
    let stored = core::mem::replace(&mut raw.checksum, [0; 64]);
    let (stored, _) = stored.split_at(CHECKSUM_LEN);
    let computed = Sha256::new().chain_update(raw.as_bytes()).chain_update(metadata).finalize();
    if !bool::from(computed.as_slice().ct_eq(stored)) {
        return Err(LuksError::Corrupt("checksum of the header"));
    }
    let binary = Binary {
        size,
        sequence: raw.sequence.get(),
        label: text(&raw.label)?.into(),
        uuid: text(&raw.uuid)?.into(),
        subsystem: text(&raw.subsystem)?.into(),
    };
    Ok((binary, metadata))
}

/// A whole copy. The metadata has to leave room for a NUL byte.
pub(crate) fn encode(binary: &Binary, copy: Copy, metadata: &str, salt: [u8; 64]) -> Result<Vec<u8>, LuksError> {
    let mut raw = Raw::new_zeroed();
    raw.magic = copy.magic();
    raw.version = 2.into();
    raw.size = binary.size.into();
    raw.sequence = binary.sequence.into();
    raw.salt = salt;
    raw.offset = if copy == Copy::First { 0 } else { binary.size }.into();
    let named = set_text(&mut raw.label, &binary.label)
        && set_text(&mut raw.uuid, &binary.uuid)
        && set_text(&mut raw.subsystem, &binary.subsystem)
        && set_text(&mut raw.checksum_algorithm, "sha256");
    if !named {
        return Err(LuksError::Option("label, UUID or subsystem is too long"));
    }
    let mut area = vec![0; (binary.size as usize).saturating_sub(BINARY_LEN)];
    match area.get_mut(..metadata.len()) {
        Some(start) if metadata.len() < (binary.size as usize).saturating_sub(BINARY_LEN) => {
            start.copy_from_slice(metadata.as_bytes());
        }
        _ => return Err(LuksError::Full),
    }
    let checksum = Sha256::new().chain_update(raw.as_bytes()).chain_update(&area).finalize();
    if let Some(into) = raw.checksum.first_chunk_mut::<CHECKSUM_LEN>() {
        *into = checksum.into();
    }
    let mut bytes = raw.as_bytes().to_vec();
    bytes.append(&mut area);
    Ok(bytes)
}
