//! LUKS headers: what opens can be changed, and opens again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_aes_xts::{Kernel, Sectors};
use rkt_luks::{Container, Kdf, Limits, LuksError, Storage, StorageError, Xts};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes of the disk.
const LEN: u64 = 1 << 30;
const BLOCK: u64 = 4096;
/// Bytes of a header of LUKS2 with its metadata.
const HEADER: usize = 16 << 10;
/// Where its checksum lies.
const CHECKSUM: Range<usize> = 448..480;

/// A disk that is zero where nothing was written.
#[derive(Default)]
struct Sparse(BTreeMap<u64, [u8; BLOCK as usize]>);

impl Sparse {
    /// Calls `each` with the pieces of a range that lie in one block: number of the block, and the piece
    /// within it and within the range.
    fn pieces(
        offset: u64,
        len: usize,
        mut each: impl FnMut(u64, Range<usize>, Range<usize>),
    ) -> Result<(), StorageError> {
        let end = offset.checked_add(len as u64).filter(|end| *end <= LEN).ok_or(StorageError)?;
        let mut at = offset;
        while at < end {
            let (block, inset) = (at / BLOCK, (at % BLOCK) as usize);
            let now = (BLOCK as usize - inset).min((end - at) as usize);
            let done = (at - offset) as usize;
            each(block, inset..inset + now, done..done + now);
            at += now as u64;
        }
        Ok(())
    }
}

impl Storage for Sparse {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), StorageError> {
        Self::pieces(offset, into.len(), |block, within, of| match self.0.get(&block) {
            Some(bytes) => into[of].copy_from_slice(&bytes[within]),
            None => into[of].fill(0),
        })
    }

    fn write(&mut self, offset: u64, from: &[u8]) -> Result<(), StorageError> {
        Self::pieces(offset, from.len(), |block, within, of| {
            self.0.entry(block).or_insert([0; BLOCK as usize])[within].copy_from_slice(&from[of]);
        })
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        Ok(())
    }
}

struct Material;

impl Xts for Material {
    fn encrypt(&self, key: &[u8], data: &mut [u8]) -> bool {
        let xts = rkt_aes_xts::Xts::new(key, Kernel::detect());
        xts.and_then(|xts| xts.encrypt(Sectors { first: 0, len: 512 }, data)).is_ok()
    }

    fn decrypt(&self, key: &[u8], data: &mut [u8]) -> bool {
        let xts = rkt_aes_xts::Xts::new(key, Kernel::detect());
        xts.and_then(|xts| xts.decrypt(Sectors { first: 0, len: 512 }, data)).is_ok()
    }
}

/// A LUKS2 header around metadata, under a good checksum.
fn luks2(metadata: &[u8]) -> Vec<u8> {
    let mut header = vec![0; HEADER];
    header[..8].copy_from_slice(b"LUKS\xba\xbe\0\x02");
    header[8..16].copy_from_slice(&(HEADER as u64).to_be_bytes());
    header[72..78].copy_from_slice(b"sha256");
    header[BLOCK as usize..][..metadata.len()].copy_from_slice(metadata);
    let checksum = Sha256::digest(&header);
    header[CHECKSUM].copy_from_slice(&checksum);
    header
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let mut disk = Sparse::default();
    let header = if kind % 4 == 0 { rest.to_vec() } else { luks2(rest) };
    disk.write(0, &header).expect("within the disk");
    let Ok(mut container) = Container::open(&mut disk) else { return };
    if let Ok(payload) = container.payload(LEN) {
        assert!(payload.len > 0 && payload.offset + payload.len <= LEN);
    }
    let limits = Limits { memory: 8, time: 1, lanes: 1, iterations: 2 };
    let costs =
        |kdf: &Kdf| matches!(kdf, Kdf::Pbkdf2 { iterations: 1..=2, .. } | Kdf::Argon2 { memory: ..=8, time: 1, .. });
    let slots = container.slots();
    assert!(slots.len() <= 32);
    if slots.len() <= 4 && slots.iter().any(|slot| costs(&slot.kdf)) {
        let _ = container.unlock(&mut disk, b"pass", &Material, &limits);
    }
    let Some(first) = slots.first() else { return };
    match container.remove_key(&mut disk, first.number, &mut |into| into.fill(7)) {
        // Key material past the end, or metadata that is one byte too long once a number has a digit more.
        Err(LuksError::Storage(_) | LuksError::Full | LuksError::Corrupt(_)) => return,
        result => result.expect("a slot that is there can be removed"),
    }
    let again = Container::open(&mut disk).expect("what we write opens");
    assert_eq!(again.slots(), slots[1..]);
});
