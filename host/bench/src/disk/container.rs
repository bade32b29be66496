//! A LUKS2 container with the contents of a plain file.

use anyhow::{Context, Result, anyhow, ensure};
use rkt_aes_xts::{Kernel, Sectors, Xts};
use rkt_luks::{Hash, Kdf, Options, Storage, StorageError, format_luks2};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes that are encrypted at once.
const CHUNK: usize = 1 << 20;
/// The passphrase is no secret here, and each run opens the container anew.
const CHEAP: Kdf = Kdf::Pbkdf2 { hash: Hash::Sha256, iterations: 1000 };
const PASSPHRASE: &[u8] = b"no secret";

/// Makes `container`, and `key_file` with its passphrase. Key and cipher are those of `cryptsetup`: AES-256 in
/// XTS.
///
/// # Errors
/// If a file cannot be read or written.
pub fn encrypt(plain: &Path, container: &Path, key_file: &Path) -> Result<()> {
    let from = File::open(plain).with_context(|| format!("cannot read {}", plain.display()))?;
    let to = File::options().read(true).write(true).create_new(true).open(container);
    let to = to.with_context(|| format!("cannot make {}", container.display()))?;
    let len = from.metadata()?.len();
    ensure!(len.is_multiple_of(CHUNK as u64), "{} is no whole number of MiB long", plain.display());
    let options = Options { kdf: CHEAP, ..Options::new("7e57ab1e-0000-4000-8000-000000000000") };
    to.set_len(options.payload_offset + len)?;
    let random = File::open("/dev/urandom").context("no random numbers")?;
    let mut filled = true;
    let mut fill = |bytes: &mut [u8]| filled &= random.read_exact_at(bytes, 0).is_ok();
    let made = format_luks2(&mut Stored(&to), &options, PASSPHRASE, &KeyMaterial, &mut fill);
    let (_, key) = made.map_err(|error| anyhow!("cannot make a LUKS container: {error}"))?;
    ensure!(filled, "/dev/urandom gives no random numbers");
    let xts = Xts::new(key.bytes(), Kernel::detect()).map_err(|error| anyhow!("{error}"))?;
    let mut chunk = vec![0; CHUNK];
    for offset in (0..len).step_by(CHUNK) {
        from.read_exact_at(&mut chunk, offset)?;
        let sectors = Sectors { first: offset / 512, len: options.sector_len as usize };
        xts.encrypt(sectors, &mut chunk).map_err(|error| anyhow!("{error}"))?;
        to.write_all_at(&chunk, options.payload_offset + offset)?;
    }
    to.sync_all()?;
    std::fs::write(key_file, PASSPHRASE).with_context(|| format!("cannot write {}", key_file.display()))
}

struct Stored<'a>(&'a File);

impl Storage for Stored<'_> {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), StorageError> {
        self.0.read_exact_at(into, offset).map_err(|_| StorageError)
    }

    fn write(&mut self, offset: u64, from: &[u8]) -> Result<(), StorageError> {
        self.0.write_all_at(from, offset).map_err(|_| StorageError)
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        self.0.sync_all().map_err(|_| StorageError)
    }
}

/// AES-XTS for key material, which is numbered from 0 in sectors of 512 bytes.
struct KeyMaterial;

const KEY_MATERIAL: Sectors = Sectors { first: 0, len: 512 };

impl rkt_luks::Xts for KeyMaterial {
    fn encrypt(&self, key: &[u8], data: &mut [u8]) -> bool {
        Xts::new(key, Kernel::detect()).and_then(|xts| xts.encrypt(KEY_MATERIAL, data)).is_ok()
    }

    fn decrypt(&self, key: &[u8], data: &mut [u8]) -> bool {
        Xts::new(key, Kernel::detect()).and_then(|xts| xts.decrypt(KEY_MATERIAL, data)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rkt_luks::{Container, Limits};

    #[test]
    fn the_container_holds_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let plain: Vec<u8> = (0..2 * CHUNK as u32).map(|n| (n / 100) as u8).collect();
        std::fs::write(path("plain"), &plain).unwrap();
        encrypt(&path("plain"), &path("luks"), &path("key")).unwrap();
        let file = File::options().read(true).write(true).open(path("luks")).unwrap();
        let mut storage = Stored(&file);
        let container = Container::open(&mut storage).unwrap();
        let passphrase = std::fs::read(path("key")).unwrap();
        let (_, key) = container.unlock(&mut storage, &passphrase, &KeyMaterial, &Limits::DEFAULT).unwrap();
        let payload = container.payload(file.metadata().unwrap().len()).unwrap();
        let mut found = vec![0; plain.len()];
        file.read_exact_at(&mut found, payload.offset).unwrap();
        assert_ne!(found, plain);
        let sectors = Sectors { first: payload.first_tweak, len: payload.sector_len as usize };
        Xts::new(key.bytes(), Kernel::portable()).unwrap().decrypt(sectors, &mut found).unwrap();
        assert!(found == plain);
    }
}
