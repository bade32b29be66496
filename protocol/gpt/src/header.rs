//! The header (§5.3.2), of which there are two: in block 1 and in the last block.

use crate::{GptError, Guid};
use crc::{CRC_32_ISO_HDLC, Crc};
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const SIGNATURE: [u8; 8] = *b"EFI PART";
const REVISION: u32 = 0x0001_0000;
/// Bytes of the fields that we know.
const HEADER_LEN: usize = 92;
/// Most entries that we look at; others make 128.
const ENTRIES_MAX: u32 = 1024;
/// Lengths of an entry: 128 times a power of two.
const ENTRY_LENS: core::ops::RangeInclusive<u32> = 128..=4096;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// The checksum of §5.3.2.
pub(crate) fn checksum(parts: &[&[u8]]) -> u32 {
    let mut digest = CRC.digest();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize()
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    signature: [u8; 8],
    revision: U32,
    len: U32,
    checksum: U32,
    reserved: U32,
    own: U64,
    other: U64,
    first_usable: U64,
    last_usable: U64,
    disk: Guid,
    entries: U64,
    entry_count: U32,
    entry_len: U32,
    entries_checksum: U32,
}

const _: () = assert!(size_of::<Raw>() == HEADER_LEN);

/// A header that keeps the rules. Places are in blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) disk: Guid,
    pub(crate) first_usable: u64,
    pub(crate) last_usable: u64,
    pub(crate) entries: u64,
    pub(crate) entry_count: u32,
    pub(crate) entry_len: u32,
    pub(crate) entries_checksum: u32,
}

impl Header {
    /// Checks the header in block `at` of a disk of `blocks` blocks.
    pub(crate) fn decode(block: &[u8], at: u64, blocks: u64) -> Result<Self, GptError> {
        let (mut raw, _) = Raw::read_from_prefix(block).map_err(|_| GptError::NotGpt)?;
        if raw.signature != SIGNATURE {
            return Err(GptError::NotGpt);
        }
        if raw.revision.get() != REVISION {
            return Err(GptError::Revision(raw.revision.get()));
        }
        let rest = block.get(HEADER_LEN..raw.len.get() as usize).ok_or(GptError::Header("its length"))?;
        let stored = core::mem::take(&mut raw.checksum);
        if checksum(&[raw.as_bytes(), rest]) != stored.get() {
            return Err(GptError::Checksum("header"));
        }
        if raw.own.get() != at {
            return Err(GptError::Header("the place of the header"));
        }
        let header = Self {
            disk: raw.disk,
            first_usable: raw.first_usable.get(),
            last_usable: raw.last_usable.get(),
            entries: raw.entries.get(),
            entry_count: raw.entry_count.get(),
            entry_len: raw.entry_len.get(),
            entries_checksum: raw.entries_checksum.get(),
        };
        header.check(block.len() as u64, blocks)?;
        Ok(header)
    }

    fn check(&self, block_len: u64, blocks: u64) -> Result<(), GptError> {
        if self.first_usable > self.last_usable || self.last_usable >= blocks {
            return Err(GptError::Header("usable blocks"));
        }
        if !self.entry_len.is_power_of_two() || !ENTRY_LENS.contains(&self.entry_len) {
            return Err(GptError::Header("length of an entry"));
        }
        if self.entry_count == 0 || self.entry_count > ENTRIES_MAX {
            return Err(GptError::Header("number of entries"));
        }
        let end = self.entries.checked_add(self.entries_len().div_ceil(block_len));
        let apart = |end: u64| end <= self.first_usable || self.entries > self.last_usable;
        if self.entries < 2 || !end.is_some_and(|end| end <= blocks && apart(end)) {
            return Err(GptError::Header("place of the entries"));
        }
        Ok(())
    }

    /// Bytes of all entries.
    pub(crate) fn entries_len(&self) -> u64 {
        u64::from(self.entry_len).saturating_mul(self.entry_count.into())
    }
}
