//! LUKS1: the on-disk header (specification 1.2.3, §3).

use crate::LuksError;
use crate::error::unsupported;
use crate::hash::{Hash, STRIPES};
use crate::kdf::Kdf;
use crate::slot::{KeyDigest, Slot, is_key_len};
use alloc::string::String;
use alloc::vec;
use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the header (`struct luks_phdr`).
pub(crate) const HEADER_LEN: usize = 592;
/// Key slots.
pub(crate) const SLOTS: usize = 8;
/// First bytes of a LUKS container of either version.
pub(crate) const MAGIC: [u8; 6] = *b"LUKS\xba\xbe";
/// `active` of a slot in use.
const ENABLED: u32 = 0x00ac_71f3;
/// `active` of a free slot.
const DISABLED: u32 = 0x0000_dead;
/// Bytes of a sector, in which the header counts.
const SECTOR: u64 = 512;
/// Bytes of the digest.
const DIGEST_LEN: usize = 20;
/// Sectors to which key material is aligned by us, as by cryptsetup.
const ALIGN: u32 = 8;

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawSlot {
    active: U32,
    iterations: U32,
    salt: [u8; 32],
    offset: U32,
    stripes: U32,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    magic: [u8; 6],
    version: U16,
    cipher: [u8; 32],
    mode: [u8; 32],
    hash: [u8; 32],
    payload: U32,
    key_len: U32,
    digest: [u8; DIGEST_LEN],
    digest_salt: [u8; 32],
    digest_iterations: U32,
    uuid: [u8; 40],
    slots: [RawSlot; SLOTS],
}

const _: () = assert!(size_of::<Raw>() == HEADER_LEN);

/// The text in a field that NUL bytes fill up.
pub(crate) fn text(field: &[u8]) -> Result<&str, LuksError> {
    let bytes = field.split(|byte| *byte == 0).next().unwrap_or_default();
    core::str::from_utf8(bytes).map_err(|_| LuksError::Corrupt("a name is no text"))
}

/// Puts text into such a field; false if it does not fit.
#[must_use]
pub(crate) fn set_text(field: &mut [u8], text: &str) -> bool {
    field.fill(0);
    let (true, Some(start)) = (text.len() < field.len(), field.get_mut(..text.len())) else { return false };
    start.copy_from_slice(text.as_bytes());
    true
}

/// A header that keeps the rules.
#[derive(Clone)]
pub(crate) struct Header {
    raw: Raw,
    hash: Hash,
}

impl Header {
    pub(crate) fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, LuksError> {
        let raw = Raw::read_from_bytes(bytes).map_err(|_| LuksError::NotLuks)?;
        if raw.magic != MAGIC || raw.version.get() != 1 {
            return Err(LuksError::NotLuks);
        }
        let (cipher, mode) = (text(&raw.cipher)?, text(&raw.mode)?);
        if (cipher, mode) != ("aes", "xts-plain64") {
            return Err(unsupported("cipher", &alloc::format!("{cipher}-{mode}")));
        }
        let header = Self { raw, hash: Hash::named(text(&raw.hash)?)? };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), LuksError> {
        if !is_key_len(self.key_len()) {
            return Err(LuksError::Corrupt("length of the volume key"));
        }
        if self.raw.digest_iterations.get() == 0 {
            return Err(LuksError::Corrupt("digest without an iteration"));
        }
        let mut areas = vec![(0, HEADER_LEN as u64)];
        for raw in &self.raw.slots {
            match raw.active.get() {
                DISABLED => {}
                ENABLED if raw.stripes.get() != STRIPES => return Err(LuksError::Corrupt("number of stripes")),
                ENABLED => {
                    areas.push((u64::from(raw.offset.get()) * SECTOR, Slot::material_len(self.key_len()) as u64))
                }
                _ => return Err(LuksError::Corrupt("state of a key slot")),
            }
        }
        if are_apart(&mut areas, self.payload()) { Ok(()) } else { Err(LuksError::Corrupt("key slots overlap")) }
    }

    pub(crate) fn encode(&self) -> &[u8] {
        self.raw.as_bytes()
    }

    pub(crate) fn key_len(&self) -> usize {
        self.raw.key_len.get() as usize
    }

    /// Byte offset of the payload.
    pub(crate) fn payload(&self) -> u64 {
        u64::from(self.raw.payload.get()) * SECTOR
    }

    pub(crate) fn uuid(&self) -> Result<String, LuksError> {
        Ok(text(&self.raw.uuid)?.into())
    }

    pub(crate) fn digest(&self) -> KeyDigest {
        let (salt, value) = (self.raw.digest_salt.into(), self.raw.digest.into());
        KeyDigest { hash: self.hash, iterations: self.raw.digest_iterations.get(), salt, value }
    }

    fn slot_of(&self, raw: &RawSlot) -> Slot {
        Slot {
            key_len: self.key_len(),
            area_key_len: self.key_len(),
            kdf: Kdf::Pbkdf2 { hash: self.hash, iterations: raw.iterations.get() },
            salt: raw.salt.into(),
            af_hash: self.hash,
            offset: u64::from(raw.offset.get()) * SECTOR,
        }
    }

    /// Slots in use, by number.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (u32, Slot)> {
        let used = (0..).zip(&self.raw.slots).filter(|(_, raw)| raw.active.get() == ENABLED);
        used.map(|(number, raw)| (number, self.slot_of(raw)))
    }

    /// A header without a slot in use. The payload starts at 2 MiB, as cryptsetup has it.
    pub(crate) fn new(key_len: usize, hash: Hash, uuid: &str, digest: &KeyDigest) -> Result<Self, LuksError> {
        let material = (Slot::material_len(key_len) as u64).div_ceil(SECTOR) as u32;
        let each = material.next_multiple_of(ALIGN);
        let mut raw = Raw::new_zeroed();
        raw.magic = MAGIC;
        raw.version = 1.into();
        raw.payload = 4096.into();
        raw.key_len = (key_len as u32).into();
        raw.digest_iterations = digest.iterations.into();
        let named = set_text(&mut raw.cipher, "aes")
            && set_text(&mut raw.mode, "xts-plain64")
            && set_text(&mut raw.hash, hash.name())
            && set_text(&mut raw.uuid, uuid);
        let value: Result<[u8; DIGEST_LEN], _> = digest.value.as_slice().try_into();
        let salt: Result<[u8; 32], _> = digest.salt.as_slice().try_into();
        let (true, Ok(value), Ok(salt)) = (named, value, salt) else { return Err(LuksError::Option("UUID")) };
        (raw.digest, raw.digest_salt) = (value, salt);
        for (number, slot) in (0..).zip(&mut raw.slots) {
            slot.active = DISABLED.into();
            slot.stripes = STRIPES.into();
            slot.offset = (ALIGN + each * number).into();
        }
        let header = Self { raw, hash };
        header.check()?;
        Ok(header)
    }

    /// Takes a free slot into use.
    pub(crate) fn add(&mut self, kdf: &Kdf, salt: [u8; 32]) -> Result<(u32, Slot), LuksError> {
        let Kdf::Pbkdf2 { hash, iterations } = *kdf else { return Err(LuksError::Option("LUKS1 knows PBKDF2 alone")) };
        if hash != self.hash {
            return Err(LuksError::Option("LUKS1 has one hash for all key slots"));
        }
        let free = (0..).zip(&mut self.raw.slots).find(|(_, raw)| raw.active.get() == DISABLED);
        let (number, raw) = free.ok_or(LuksError::Full)?;
        (raw.active, raw.iterations, raw.salt, raw.stripes) = (ENABLED.into(), iterations.into(), salt, STRIPES.into());
        let raw = *raw;
        self.check()?;
        Ok((number, self.slot_of(&raw)))
    }

    /// Frees a slot.
    pub(crate) fn remove(&mut self, number: u32) -> Result<(), LuksError> {
        let raw = self.raw.slots.get_mut(number as usize).ok_or(LuksError::NoSlot(number))?;
        (raw.active, raw.iterations, raw.salt) = (DISABLED.into(), 0.into(), [0; 32]);
        Ok(())
    }
}

/// Whether areas (offset, length) neither overlap nor reach past `end`.
pub(crate) fn are_apart(areas: &mut [(u64, u64)], end: u64) -> bool {
    areas.sort_unstable();
    let mut free = 0;
    areas.iter().all(|(offset, len)| {
        let apart = *offset >= free;
        free = offset.saturating_add(*len);
        apart && free <= end
    })
}
