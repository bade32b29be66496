//! A container as a whole: opened, unlocked, its key slots changed.

use crate::LuksError;
use crate::hash::Hash;
use crate::kdf::{Kdf, Limits};
use crate::luks1::{self, HEADER_LEN};
use crate::luks2;
use crate::slot::{KeyDigest, Slot, VolumeKey, wipe};
use crate::storage::{Random, Storage, Xts};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// Where the payload lies and how it is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Its first byte on the storage.
    pub offset: u64,
    /// Its bytes; a multiple of `sector_len`.
    pub len: u64,
    /// Bytes of an encryption sector: 512 to 4096.
    pub sector_len: u32,
    /// Number of the first sector, in units of 512 bytes.
    pub first_tweak: u64,
}

/// A key slot in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotInfo {
    /// Its number.
    pub number: u32,
    /// How its passphrase becomes a key.
    pub kdf: Kdf,
}

enum Header {
    V1(Box<luks1::Header>),
    V2(Box<luks2::Header>),
}

/// A LUKS container whose header was read and checked.
pub struct Container(Header);

impl Container {
    /// Reads the header.
    ///
    /// # Errors
    /// Anything but what concerns keys.
    pub fn open(storage: &mut dyn Storage) -> Result<Self, LuksError> {
        let mut bytes = [0; HEADER_LEN];
        storage.read(0, &mut bytes)?;
        match luks1::Header::decode(&bytes) {
            Ok(header) => Ok(Self::v1(header)),
            Err(LuksError::NotLuks) => Ok(Self::v2(luks2::Header::load(storage)?)),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn v1(header: luks1::Header) -> Self {
        Self(Header::V1(Box::new(header)))
    }

    pub(crate) fn v2(header: luks2::Header) -> Self {
        Self(Header::V2(Box::new(header)))
    }

    /// 1 or 2.
    pub fn version(&self) -> u8 {
        match self.0 {
            Header::V1(_) => 1,
            Header::V2(_) => 2,
        }
    }

    /// The UUID that the header gives: a name, not a proof of anything.
    ///
    /// # Errors
    /// `Corrupt` if it is no text.
    pub fn uuid(&self) -> Result<String, LuksError> {
        match &self.0 {
            Header::V1(header) => header.uuid(),
            Header::V2(header) => Ok(header.binary.uuid.clone()),
        }
    }

    /// Whether one of LUKS2's two copies of the header is missing, broken or old. The next change of a
    /// key slot writes both.
    pub fn is_degraded(&self) -> bool {
        matches!(&self.0, Header::V2(header) if header.degraded)
    }

    /// Key slots in use.
    pub fn slots(&self) -> Vec<SlotInfo> {
        self.by_priority().into_iter().map(|(number, slot)| SlotInfo { number, kdf: slot.kdf }).collect()
    }

    /// Slots in the order in which they are tried; those that are not to be tried come last.
    fn by_priority(&self) -> Vec<(u32, Slot)> {
        match &self.0 {
            Header::V1(header) => header.slots().collect(),
            Header::V2(header) => {
                let mut slots: Vec<_> = header.metadata.keyslots.iter().collect();
                slots.sort_by_key(|(number, keyslot)| (core::cmp::Reverse(keyslot.priority), **number));
                slots.into_iter().map(|(number, keyslot)| (*number, keyslot.slot.clone())).collect()
            }
        }
    }

    /// Where the payload lies on storage of `len` bytes.
    ///
    /// # Errors
    /// `Corrupt` if it does not.
    pub fn payload(&self, len: u64) -> Result<Payload, LuksError> {
        let (offset, size, sector_len, first_tweak) = match &self.0 {
            Header::V1(header) => (header.payload(), None, 512, 0),
            Header::V2(header) => {
                let segment = header.metadata.segment;
                (segment.offset, segment.len, segment.sector_len, segment.first_tweak)
            }
        };
        let room = len.checked_sub(offset).ok_or(LuksError::Corrupt("the payload lies past the end"))?;
        let size = size.unwrap_or(room / u64::from(sector_len) * u64::from(sector_len));
        if size == 0 || size > room {
            return Err(LuksError::Corrupt("the payload reaches past the end"));
        }
        Ok(Payload { offset, len: size, sector_len, first_tweak })
    }

    fn digest(&self) -> KeyDigest {
        match &self.0 {
            Header::V1(header) => header.digest(),
            Header::V2(header) => header.metadata.digest.clone(),
        }
    }

    /// Finds the key slot that a passphrase, or the content of a key file, opens. Says which one it is.
    ///
    /// # Errors
    /// `WrongKey`; if some slot could not be tried, why.
    pub fn unlock(
        &self,
        storage: &mut dyn Storage,
        passphrase: &[u8],
        xts: &dyn Xts,
        limits: &Limits,
    ) -> Result<(u32, VolumeKey), LuksError> {
        let digest = self.digest();
        let mut failure = LuksError::WrongKey;
        for (number, slot) in self.by_priority() {
            let opened = slot.open(storage, passphrase, xts, limits);
            let opened = opened.and_then(|key| Ok(digest.knows(&key, limits)?.then_some(key)));
            match opened {
                Ok(Some(key)) => return Ok((number, key)),
                Ok(None) => {}
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Adds a key slot for `volume_key`, which must be the container's, and says its number.
    ///
    /// # Errors
    /// `Full`; `Option` for a derivation that the version does not know; `WrongKey` if the volume key
    /// is not the container's.
    pub fn add_key(
        &mut self,
        storage: &mut dyn Storage,
        volume_key: &VolumeKey,
        passphrase: &[u8],
        kdf: &Kdf,
        xts: &dyn Xts,
        random: Random<'_>,
    ) -> Result<u32, LuksError> {
        if !self.digest().knows(volume_key, &Limits::DEFAULT)? {
            return Err(LuksError::WrongKey);
        }
        let mut salt = [0; 32];
        random(&mut salt);
        match &mut self.0 {
            Header::V1(header) => {
                let mut changed = header.clone();
                let (number, slot) = changed.add(kdf, salt)?;
                slot.seal(storage, volume_key, passphrase, xts, random)?;
                storage.flush()?;
                store_v1(storage, &changed)?;
                *header = changed;
                Ok(number)
            }
            Header::V2(header) => {
                let key_len = volume_key.bytes().len();
                let (number, offset, area_len) = header.metadata.place(key_len)?;
                let (salt, af_hash) = (salt.to_vec(), Hash::Sha256);
                let slot = Slot { key_len, area_key_len: key_len, kdf: *kdf, salt, af_hash, offset };
                let metadata = header.metadata.with_slot(header.binary.size, number, &slot, area_len)?;
                slot.seal(storage, volume_key, passphrase, xts, random)?;
                storage.flush()?;
                header.metadata = metadata;
                header.store(storage, random)?;
                Ok(number)
            }
        }
    }

    /// Destroys the key material of a slot and frees it. Nothing keeps the caller from removing the
    /// last one, after which the data is lost.
    ///
    /// # Errors
    /// `NoSlot`; those of the storage.
    pub fn remove_key(&mut self, storage: &mut dyn Storage, number: u32, random: Random<'_>) -> Result<(), LuksError> {
        match &mut self.0 {
            Header::V1(header) => {
                let found = header.slots().find(|(slot, _)| *slot == number);
                let (_, slot) = found.ok_or(LuksError::NoSlot(number))?;
                wipe(storage, slot.offset, Slot::material_len(slot.key_len), random)?;
                header.remove(number)?;
                store_v1(storage, header)
            }
            Header::V2(header) => {
                let keyslot = header.metadata.keyslots.get(&number).ok_or(LuksError::NoSlot(number))?;
                let material = Slot::material_len(keyslot.slot.key_len);
                wipe(storage, keyslot.slot.offset, material, random)?;
                header.metadata = header.metadata.without_slot(header.binary.size, number)?;
                header.store(storage, random)
            }
        }
    }
}

pub(crate) fn store_v1(storage: &mut dyn Storage, header: &luks1::Header) -> Result<(), LuksError> {
    // A whole sector: storage may have no smaller unit.
    let mut sector = vec![0; HEADER_LEN.next_multiple_of(4096)];
    storage.read(0, &mut sector)?;
    if let Some(start) = sector.get_mut(..HEADER_LEN) {
        start.copy_from_slice(header.encode());
    }
    storage.write(0, &sector)?;
    Ok(storage.flush()?)
}
