//! LUKS2 containers around disk images.

use anyhow::{Context, Result, ensure};
use rkt_aes_xts::{Kernel, Sectors, Xts};
use rkt_ext4::{Disk, DiskError};
use rkt_luks::{Container, Kdf, Limits, Options, Payload, Storage, StorageError, VolumeKey};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;

/// A file as storage for a header.
struct Stored<'f>(&'f File);

impl Storage for Stored<'_> {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), StorageError> {
        self.0.read_exact_at(into, offset).map_err(|_| StorageError)
    }

    fn write(&mut self, offset: u64, from: &[u8]) -> Result<(), StorageError> {
        self.0.write_all_at(from, offset).map_err(|_| StorageError)
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        self.0.sync_data().map_err(|_| StorageError)
    }
}

/// AES-XTS for key material, which is numbered from 0 in sectors of 512 bytes.
struct KeyMaterial(Kernel);

const KEY_MATERIAL: Sectors = Sectors { first: 0, len: 512 };

impl rkt_luks::Xts for KeyMaterial {
    fn encrypt(&self, key: &[u8], data: &mut [u8]) -> bool {
        Xts::new(key, self.0).and_then(|xts| xts.encrypt(KEY_MATERIAL, data)).is_ok()
    }

    fn decrypt(&self, key: &[u8], data: &mut [u8]) -> bool {
        Xts::new(key, self.0).and_then(|xts| xts.decrypt(KEY_MATERIAL, data)).is_ok()
    }
}

/// Bytes of the container in front of the payload.
pub fn overhead() -> u64 {
    Options::new("").payload_offset
}

/// The payload of a container as a disk.
pub struct LuksDisk {
    file: File,
    payload: Payload,
    xts: Xts,
}

impl LuksDisk {
    /// Makes a container of all of a file.
    ///
    /// # Errors
    /// If the host has no randomness, or the file cannot be written.
    pub fn create(file: File, passphrase: &[u8]) -> Result<Self> {
        let mut random = File::open("/dev/urandom").context("there is no randomness")?;
        let mut failed = None;
        let mut fill = |into: &mut [u8]| failed = random.read_exact(into).err().or(failed.take());
        let mut uuid = [0; 16];
        fill(&mut uuid);
        let options = Options::new(&rkt_luks::uuid_text(uuid));
        let kernel = Kernel::detect();
        let made = rkt_luks::format_luks2(&mut Stored(&file), &options, passphrase, &KeyMaterial(kernel), &mut fill);
        let (container, key) = made.map_err(|error| anyhow::anyhow!("{error}"))?;
        ensure!(failed.is_none(), "there is no randomness");
        Self::with_key(file, &container, &key)
    }

    /// Unlocks a container.
    ///
    /// # Errors
    /// If there is none, or the key is another's.
    pub fn open(file: File, passphrase: &[u8]) -> Result<Self> {
        let (container, _, key) = unlock(&file, passphrase)?;
        Self::with_key(file, &container, &key)
    }

    fn with_key(file: File, container: &Container, key: &VolumeKey) -> Result<Self> {
        let payload = container.payload(file.metadata()?.len()).map_err(|error| anyhow::anyhow!("{error}"))?;
        let xts = Xts::new(key.bytes(), Kernel::detect()).map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(Self { file, payload, xts })
    }

    /// Where the encryption sectors of a range begin.
    fn sectors(&self, offset: u64, len: usize) -> Result<(u64, Sectors), DiskError> {
        let whole = u64::from(self.payload.sector_len);
        let fits = offset.checked_add(len as u64).is_some_and(|end| end <= self.payload.len);
        if !fits || !offset.is_multiple_of(whole) || !(len as u64).is_multiple_of(whole) {
            return Err(DiskError);
        }
        let first = self.payload.first_tweak + offset / 512;
        Ok((self.payload.offset + offset, Sectors { first, len: whole as usize }))
    }
}

impl Disk for LuksDisk {
    fn len(&self) -> u64 {
        self.payload.len
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let (place, sectors) = self.sectors(offset, into.len())?;
        self.file.read_exact_at(into, place).map_err(|_| DiskError)?;
        self.xts.decrypt(sectors, into).map_err(|_| DiskError)
    }

    fn write(&self, offset: u64, from: &[u8]) -> Result<(), DiskError> {
        let (place, sectors) = self.sectors(offset, from.len())?;
        let mut hidden = from.to_vec();
        self.xts.encrypt(sectors, &mut hidden).map_err(|_| DiskError)?;
        self.file.write_all_at(&hidden, place).map_err(|_| DiskError)
    }

    fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }
}

fn unlock(file: &File, passphrase: &[u8]) -> Result<(Container, u32, VolumeKey)> {
    let mut storage = Stored(file);
    let named = |error| anyhow::anyhow!("{error}");
    let container = Container::open(&mut storage).map_err(named)?;
    let material = KeyMaterial(Kernel::detect());
    let (slot, key) = container.unlock(&mut storage, passphrase, &material, &Limits::DEFAULT).map_err(named)?;
    Ok((container, slot, key))
}

/// Gives a container another passphrase in the place of the one that opens it: the new one gets a slot before
/// the old one loses its own.
///
/// # Errors
/// If there is no container, the old passphrase does not open it, or no slot is free.
pub fn change_key(file: &File, old: &[u8], new: &[u8]) -> Result<()> {
    let (mut container, slot, key) = unlock(file, old)?;
    let mut random = File::open("/dev/urandom").context("there is no randomness")?;
    let mut failed = None;
    let mut fill = |into: &mut [u8]| failed = random.read_exact(into).err().or(failed.take());
    let material = KeyMaterial(Kernel::detect());
    let mut storage = Stored(file);
    let named = |error| anyhow::anyhow!("{error}");
    container.add_key(&mut storage, &key, new, &Kdf::DEFAULT, &material, &mut fill).map_err(named)?;
    container.remove_key(&mut storage, slot, &mut fill).map_err(named)?;
    ensure!(failed.is_none(), "there is no randomness");
    Ok(())
}
