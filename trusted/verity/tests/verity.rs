//! Reads that are vouched for, and those that are not.

use rkt_block::{Blocking, Delay, Fault, MemoryDisk, Verdict};
use rkt_blockdev::{BlockDevice, BlockError, Completion, Request, SubmitError};
use rkt_verity::{Corruption, OpenError, VerityDevice, open};
use rkt_verity_format::{Builder, Pin, Place, Superblock, Tree};

const BLOCKS: u64 = 300;
const BLOCK: usize = 4096;
const DATA: usize = BLOCKS as usize * BLOCK;

/// Data with its tree behind it.
fn image() -> (Vec<u8>, Superblock, Pin) {
    let mut image: Vec<u8> = (0..BLOCKS as u32).flat_map(|i| i.to_le_bytes().repeat(BLOCK / 4)).collect();
    let superblock = Superblock::new([1; 16], BLOCKS, b"salt").unwrap();
    let mut builder = Builder::new(superblock);
    image.chunks(BLOCK).for_each(|block| builder.push(block));
    let built = builder.finish().unwrap();
    image.extend_from_slice(&built.bytes);
    (image, superblock, built.pin)
}

fn opened(image: &[u8], pin: &Pin, cached: usize) -> VerityDevice<MemoryDisk> {
    open(MemoryDisk::new(image.to_vec(), 512), DATA as u64, pin, cached, 0, &mut || ()).unwrap()
}

fn read(disk: &mut dyn BlockDevice, offset: usize, len: usize) -> Result<Vec<u8>, BlockError> {
    let mut data = vec![0; len];
    Blocking::new(disk, 0, &mut || ()).read(offset as u64, &mut data).map(|()| data)
}

#[test]
fn good_data_is_returned_with_any_cache() {
    let (image, _, pin) = image();
    for cached in [1, 2, 100] {
        let mut disk = opened(&image, &pin, cached);
        assert_eq!(disk.geometry().len, DATA as u64);
        assert!(read(&mut disk, 0, DATA).unwrap() == image[..DATA]);
        for block in [299, 0, 128, 127] {
            assert!(read(&mut disk, block * BLOCK, BLOCK).unwrap() == image[block * BLOCK..][..BLOCK]);
        }
        assert_eq!(disk.corruption(), None);
    }
}

#[test]
fn each_changed_bit_is_found_and_named() {
    let (good, superblock, pin) = image();
    let tree = Tree::new(&superblock);
    let at = |level, block| DATA + tree.offset(level, block).unwrap() as usize;
    for (byte, place, block) in [
        (5 * BLOCK + 17, Place::Data(5), 5),
        (DATA - 1, Place::Data(299), 299),
        (at(0, 1) + 32 * 7, Place::Hash(0, 1), 130),
        (at(0, 2) + 4095, Place::Hash(0, 2), 256),
        (at(1, 0) + 1, Place::Hash(1, 0), 0),
    ] {
        let mut image = good.clone();
        image[byte] ^= 1;
        let mut disk = opened(&image, &pin, 10);
        assert_eq!(read(&mut disk, block * BLOCK, BLOCK), Err(BlockError::Device), "{place:?}");
        assert_eq!(disk.corruption(), Some(Corruption(place)));
        assert!(disk.fault().unwrap().to_string().contains("is not the one that was hashed"));
    }
    // What the changed block does not vouch for can still be read.
    let mut image = good.clone();
    image[at(0, 1)] ^= 1;
    let mut disk = opened(&image, &pin, 10);
    assert!(read(&mut disk, 128 * BLOCK, BLOCK).is_err());
    assert!(read(&mut disk, 127 * BLOCK, BLOCK).is_ok());
}

#[test]
fn changed_data_never_leaves_the_disk() {
    let (mut image, _, pin) = image();
    image[2 * BLOCK..3 * BLOCK].fill(0xee);
    let mut disk = opened(&image, &pin, 10);
    disk.submit(Request::Read { offset: 0, data: vec![0; 4 * BLOCK] }).unwrap();
    let done = std::iter::from_fn(|| disk.poll()).next().unwrap();
    assert_eq!(done.result, Err(BlockError::Device));
    assert_eq!(done.request, Request::Read { offset: 0, data: vec![0; 4 * BLOCK] });
}

#[test]
fn superblock_and_root_are_pinned() {
    let (image, superblock, pin) = image();
    let why =
        |image: &[u8], pin: &Pin| open(MemoryDisk::new(image.to_vec(), 512), DATA as u64, pin, 1, 0, &mut || ()).err();
    // One block less changes what is data; whether the tree still fits is not asked.
    let shorter = Superblock::new([1; 16], 1, b"salt").unwrap();
    let mut other = image.clone();
    other[DATA..DATA + 512].copy_from_slice(shorter.encode());
    assert_eq!(why(&other, &pin), Some(OpenError::Superblock));
    other[DATA] = 0;
    assert_eq!(why(&other, &pin), Some(OpenError::Superblock));
    assert_eq!(why(&image[..image.len() - BLOCK], &pin), Some(OpenError::Place));
    assert_eq!(why(&image[..DATA], &pin), Some(OpenError::Disk(BlockError::Refused)));

    let mut disk = opened(&image, &Pin { root: [9; 32], ..pin }, 1);
    assert!(read(&mut disk, 0, BLOCK).is_err());
    assert_eq!(disk.corruption(), Some(Corruption(Place::Hash(1, 0))));
    assert!(VerityDevice::new(MemoryDisk::new(image, 512), DATA as u64 - 4096, &superblock, pin.root, 1).is_err());
}

#[test]
fn it_is_read_only() {
    let (image, _, pin) = image();
    let mut disk = opened(&image, &pin, 1);
    let write = Request::Write { offset: 0, data: vec![0; BLOCK], fua: false };
    assert_eq!(disk.submit(write).unwrap_err().error, SubmitError::ReadOnly);
    let discard = Request::Discard { offset: 0, len: BLOCK as u64 };
    assert_eq!(disk.submit(discard).unwrap_err().error, SubmitError::ReadOnly);
    disk.submit(Request::Flush).unwrap();
    assert_eq!(disk.poll().unwrap().result, Ok(()));
}

#[test]
fn many_reads_at_once_share_hash_blocks_and_all_end() {
    let (image, _, pin) = image();
    for seed in 0..50u64 {
        // Late and out of order, sometimes full, sometimes failing.
        let mut turn = seed;
        let mut next = move || {
            turn = turn.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            turn >> 33
        };
        let mut judge = next;
        let faults = Fault::new(MemoryDisk::new(image.clone(), 4096), move |_: &Request| match judge() % 16 {
            0 => Verdict::Fail(BlockError::Io),
            1 | 2 => Verdict::Reject(SubmitError::Full),
            _ => Verdict::Pass,
        });
        let disk = Delay::new(faults, move |_: &Completion| next() % 20);
        let superblock = Superblock::new([1; 16], BLOCKS, b"salt").unwrap();
        let mut disk = VerityDevice::new(disk, DATA as u64, &superblock, pin.root, 2).unwrap();
        let mut expected = Vec::new();
        for i in 0..100u64 {
            let (offset, len) = (i * 37 % 290 * BLOCK as u64, (1 + i as usize % 9) * BLOCK);
            if let Ok(token) = disk.submit(Request::Read { offset, data: vec![0; len] }) {
                expected.push(token);
            }
        }
        disk.kick();
        let mut came = Vec::new();
        for _ in 0..10_000 {
            let Some(done) = disk.poll() else { continue };
            came.push(done.token);
            let Request::Read { offset, data } = done.request else { panic!("a read came back as something else") };
            if done.result.is_ok() {
                assert!(data == image[offset as usize..][..data.len()]);
            }
        }
        assert_eq!((disk.in_flight(), came.len()), (0, expected.len()), "seed {seed}");
        came.sort_unstable();
        expected.sort_unstable();
        assert_eq!(came, expected);
        assert_eq!(disk.corruption(), None);
    }
}
