//! New containers.

use crate::binary::{Binary, SIZE_MAX, SIZES};
use crate::container::{Container, store_v1};
use crate::hash::Hash;
use crate::kdf::Kdf;
use crate::metadata::{AREA_ALIGN, Metadata, Segment};
use crate::slot::{KeyDigest, VolumeKey};
use crate::storage::{Random, Storage, Xts};
use crate::{LuksError, luks1, luks2};
use alloc::string::String;
use alloc::vec;

/// Bytes of the digest of a volume key in LUKS1.
const DIGEST_LEN_V1: usize = 20;
/// Iterations of the digest. It protects a random key of 256 bits or more, which nobody guesses; LUKS2
/// allows no fewer.
const DIGEST_ITERATIONS: u32 = 1000;

/// How a LUKS2 container is to be. Start from [`Options::new`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Its UUID, as text of up to 39 bytes.
    pub uuid: String,
    /// Its label, up to 47 bytes.
    pub label: String,
    /// Bytes of the volume key: 64 is AES-256-XTS, 32 AES-128-XTS.
    pub key_len: usize,
    /// Bytes of an encryption sector: 512, 1024, 2048 or 4096.
    pub sector_len: u32,
    /// Bytes of each copy of the header with its metadata: a power of two from 16 KiB to 1 MiB.
    pub header_size: u64,
    /// Where the payload starts. Between both copies of the header and it lie the key slots, about
    /// 256 KiB each.
    pub payload_offset: u64,
    /// How the first passphrase becomes a key.
    pub kdf: Kdf,
}

impl Options {
    /// What `cryptsetup luksFormat` makes: AES-256, header copies of 16 KiB, payload from 16 MiB on; but
    /// with sectors of 4096 bytes and [`Kdf::DEFAULT`].
    pub fn new(uuid: &str) -> Self {
        Self {
            uuid: uuid.into(),
            label: String::new(),
            key_len: 64,
            sector_len: 4096,
            header_size: 16 << 10,
            payload_offset: 16 << 20,
            kdf: Kdf::DEFAULT,
        }
    }
}

/// Makes a LUKS2 container with one key slot. What the payload held is garbage afterwards. Gives the new
/// container and its volume key, which comes out of `random`, like all salts: the same randomness makes
/// the same container.
///
/// # Errors
/// `Option`; those of the storage.
pub fn format_luks2(
    storage: &mut dyn Storage,
    options: &Options,
    passphrase: &[u8],
    xts: &dyn Xts,
    random: Random<'_>,
) -> Result<(Container, VolumeKey), LuksError> {
    let size = options.header_size;
    if !size.is_power_of_two() || !SIZES.contains(&size) || size > SIZE_MAX {
        return Err(LuksError::Option("size of the header"));
    }
    if options.payload_offset < 2 * size || !options.payload_offset.is_multiple_of(AREA_ALIGN) {
        return Err(LuksError::Option("offset of the payload"));
    }
    if !options.sector_len.is_power_of_two() || !(512..=4096).contains(&options.sector_len) {
        return Err(LuksError::Option("sector size"));
    }
    let volume_key = VolumeKey::generate(options.key_len, random)?;
    let digest = KeyDigest::of(&volume_key, Hash::Sha256, DIGEST_ITERATIONS, Hash::Sha256.output_len(), random);
    let (offset, sector_len) = (options.payload_offset, options.sector_len);
    let segment = Segment { offset, len: None, sector_len, first_tweak: 0 };
    let metadata = Metadata::new(size, &segment, &digest)?;
    let (label, uuid) = (options.label.clone(), options.uuid.clone());
    let binary = Binary { size, sequence: 0, label, uuid, subsystem: String::new() };
    clear(storage, options.payload_offset)?;
    let mut container = Container::v2(luks2::Header { binary, metadata, degraded: false });
    container.add_key(storage, &volume_key, passphrase, &options.kdf, xts, random)?;
    Ok((container, volume_key))
}

/// Makes a LUKS1 container with one key slot: for exchange with old systems. See [`format_luks2`].
///
/// # Errors
/// As there.
pub fn format_luks1(
    storage: &mut dyn Storage,
    uuid: &str,
    key_len: usize,
    kdf: &Kdf,
    passphrase: &[u8],
    xts: &dyn Xts,
    random: Random<'_>,
) -> Result<(Container, VolumeKey), LuksError> {
    let Kdf::Pbkdf2 { hash, .. } = *kdf else { return Err(LuksError::Option("LUKS1 knows PBKDF2 alone")) };
    let volume_key = VolumeKey::generate(key_len, random)?;
    let digest = KeyDigest::of(&volume_key, hash, DIGEST_ITERATIONS, DIGEST_LEN_V1, random);
    let header = luks1::Header::new(key_len, hash, uuid, &digest)?;
    clear(storage, header.payload())?;
    store_v1(storage, &header)?;
    let mut container = Container::v1(header);
    container.add_key(storage, &volume_key, passphrase, kdf, xts, random)?;
    Ok((container, volume_key))
}

/// Overwrites all in front of the payload: headers and key slots of a container that was there before.
fn clear(storage: &mut dyn Storage, end: u64) -> Result<(), LuksError> {
    let zeroes = vec![0; 64 << 10];
    let mut at = 0;
    while at < end {
        let len = (end - at).min(zeroes.len() as u64) as usize;
        storage.write(at, zeroes.get(..len).unwrap_or_default())?;
        at = at.saturating_add(len as u64);
    }
    Ok(storage.flush()?)
}

/// A random UUID as text (RFC 9562 §4, version 4 of §5.4), from 16 random bytes.
pub fn uuid_text(bytes: [u8; 16]) -> String {
    let random = u128::from_be_bytes(bytes);
    let versioned = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = alloc::format!("{versioned:032x}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if [8, 12, 16, 20].contains(&at) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}
