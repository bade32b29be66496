//! A container behind the decorator, on disks of several kinds.

use rkt_aes_xts::{Kernel, Sectors, Xts};
use rkt_block::{Blocking, Delay, Fault, MemoryDisk, Verdict};
use rkt_blockdev::{BlockDevice, BlockError, Request, SubmitError};
use rkt_crypt::{CryptDevice, CryptError, Discard, KeyMaterial, OpenError, Opening, open};
use rkt_luks::{Hash, Kdf, Limits, LuksError, Options, Payload, VolumeKey, format_luks2};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const PAYLOAD: u64 = 1 << 20;
const LEN: usize = 3 << 20;
const UUID: &str = "6dd4f32e-9e51-4c5a-8d1e-0a2b8a9f7a11";

fn noise(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |into| {
        for byte in into {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = (state >> 32) as u8;
        }
    }
}

fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    noise(seed)(&mut bytes);
    bytes
}

fn container(sector_len: u32) -> (Vec<u8>, VolumeKey) {
    let mut image = vec![0; LEN];
    let kdf = Kdf::Pbkdf2 { hash: Hash::Sha512, iterations: 1000 };
    let options = Options { kdf, sector_len, payload_offset: PAYLOAD, ..Options::new(UUID) };
    let xts = KeyMaterial(Kernel::detect());
    let (_, key) = format_luks2(&mut image, &options, b"pass", &xts, &mut noise(1)).unwrap();
    (image, key)
}

fn opening(passphrase: &[u8]) -> Opening<'_> {
    let (limits, kernel) = (Limits::DEFAULT, Kernel::detect());
    Opening { passphrase, limits, kernel, discard: Discard::Refuse, patience: 1000 }
}

#[test]
fn what_is_written_is_read_and_lies_encrypted() {
    for (sector_len, block_len) in [(512, 512), (4096, 512), (512, 4096), (4096, 4096)] {
        let (image, key) = container(sector_len);
        let disk = Delay::new(MemoryDisk::new(image, block_len), |done: &rkt_blockdev::Completion| done.token.0 % 3);
        let mut disk = open(disk, &opening(b"pass"), &mut || ()).unwrap();
        let geometry = disk.geometry();
        assert_eq!((geometry.block_len, geometry.len), (sector_len.max(block_len), LEN as u64 - PAYLOAD));
        let plain = bytes(2, 64 << 10);
        let write = Request::Write { offset: 8192, data: plain.clone(), fua: true };
        disk.submit(write.clone()).unwrap();
        let done = std::iter::from_fn(|| Some(disk.poll())).find_map(|done| done).unwrap();
        assert_eq!((done.request, done.result), (write, Ok(())), "the buffer comes back as it was");
        let mut back = vec![0; plain.len()];
        Blocking::new(&mut disk, 10, &mut || ()).read(8192, &mut back).unwrap();
        assert!(back == plain);

        // The same through a cipher of its own.
        let (image, _) = container(sector_len);
        let mut memory = MemoryDisk::new(image, block_len);
        let mut ciphertext = plain.clone();
        let sectors = Sectors { first: 8192 / 512, len: sector_len as usize };
        Xts::new(key.bytes(), Kernel::portable()).unwrap().encrypt(sectors, &mut ciphertext).unwrap();
        memory.bytes_mut()[PAYLOAD as usize + 8192..][..plain.len()].copy_from_slice(&ciphertext);
        let mut other = open(memory, &opening(b"pass"), &mut || ()).unwrap();
        Blocking::new(&mut other, 0, &mut || ()).read(8192, &mut back).unwrap();
        assert!(back == plain);
    }
}

#[test]
fn a_refused_write_comes_back_as_it_was_and_is_not_tried_in_vain() {
    static FULL: AtomicBool = AtomicBool::new(false);
    static TRIED: AtomicUsize = AtomicUsize::new(0);
    let judge = |request: &Request| {
        if !matches!(request, Request::Write { .. }) || !FULL.load(Ordering::Relaxed) {
            return Verdict::Pass;
        }
        TRIED.fetch_add(1, Ordering::Relaxed);
        Verdict::Reject(SubmitError::Full)
    };
    let (image, _) = container(512);
    let mut disk = open(Fault::new(MemoryDisk::new(image, 512), judge), &opening(b"pass"), &mut || ()).unwrap();
    let write = Request::Write { offset: 0, data: bytes(3, 512), fua: false };
    disk.submit(write.clone()).unwrap();
    FULL.store(true, Ordering::Relaxed);
    for _ in 0..5 {
        let rejected = disk.submit(write.clone()).unwrap_err();
        assert_eq!((rejected.error, &rejected.request), (SubmitError::Full, &write));
    }
    assert_eq!(TRIED.load(Ordering::Relaxed), 1);
    FULL.store(false, Ordering::Relaxed);
    assert!(disk.poll().is_some());
    disk.submit(write).unwrap();
}

#[test]
fn errors_of_the_disk_pass() {
    let judge = |request: &Request| match request {
        Request::Read { offset, .. } if *offset >= PAYLOAD => Verdict::Fail(BlockError::Io),
        Request::Write { .. } => Verdict::Fail(BlockError::Device),
        _ => Verdict::Pass,
    };
    let (image, _) = container(512);
    let mut disk = open(Fault::new(MemoryDisk::new(image, 512), judge), &opening(b"pass"), &mut || ()).unwrap();
    let mut wait = || ();
    let mut blocking = Blocking::new(&mut disk, 0, &mut wait);
    assert_eq!(blocking.read(0, &mut [0; 512]), Err(BlockError::Io));
    assert_eq!(blocking.write(0, &[0; 512]), Err(BlockError::Device));
}

#[test]
fn discards_pass_when_allowed() {
    let (image, _) = container(4096);
    let discard = Request::Discard { offset: 4096, len: 4096 };
    let mut disk = open(MemoryDisk::new(image.clone(), 512), &opening(b"pass"), &mut || ()).unwrap();
    assert_eq!(disk.submit(discard.clone()).unwrap_err().error, SubmitError::Unsupported);
    let allowed = Opening { discard: Discard::Pass, ..opening(b"pass") };
    let mut disk = open(MemoryDisk::new(image, 512), &allowed, &mut || ()).unwrap();
    disk.submit(discard.clone()).unwrap();
    assert_eq!(disk.poll().unwrap().request, discard);
}

#[test]
fn what_does_not_open_says_why() {
    let (mut image, key) = container(512);
    let why = |image: &[u8], passphrase: &[u8]| {
        open(MemoryDisk::new(image.to_vec(), 512), &opening(passphrase), &mut || ()).err()
    };
    assert_eq!(why(&image, b"wrong"), Some(OpenError::Luks(LuksError::WrongKey)));
    image.truncate(PAYLOAD as usize);
    assert!(matches!(why(&image, b"pass"), Some(OpenError::Luks(LuksError::Corrupt(_)))));
    image.fill(0);
    assert_eq!(why(&image, b"pass"), Some(OpenError::Luks(LuksError::NotLuks)));

    // A payload that is not on blocks of the disk, or not on the disk at all.
    for (offset, len) in [(512, 4096), (4096, 4 << 20), (0, 2048), (u64::MAX - 4095, 4096)] {
        let payload = Payload { offset, len, sector_len: 512, first_tweak: 0 };
        let disk = MemoryDisk::zeroed(LEN, 4096);
        let refused = CryptDevice::new(disk, payload, &key, Kernel::detect(), Discard::Pass).err();
        assert_eq!(refused, Some(CryptError::Place(payload)));
    }
}
