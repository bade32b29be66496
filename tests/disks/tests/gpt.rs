//! Partition tables that `sgdisk` and `sfdisk` made, whole and damaged.

use rkt_gpt::{GptError, Guid, Source, SourceError, Table};
use rkt_tests_disks::{FileStorage, installed, tool};
use std::fs;

const LEN: u64 = 8 << 20;

struct Bytes(Vec<u8>);

impl Source for Bytes {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), SourceError> {
        let from = self.0.get(offset as usize..).and_then(|rest| rest.get(..into.len())).ok_or(SourceError)?;
        into.copy_from_slice(from);
        Ok(())
    }
}

fn read(image: &[u8], block_len: u32) -> Result<Table, GptError> {
    Table::read(&mut Bytes(image.to_vec()), image.len() as u64, block_len)
}

/// A disk with three partitions, the second one in front of the first.
fn made_by_sgdisk() -> Option<Vec<u8>> {
    if !installed(&["sgdisk"]) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    FileStorage::create(&path, LEN).unwrap();
    let args = [
        "--new=1:6144:8191",
        "--change-name=1:root",
        "--new=2:2048:+1M",
        "--typecode=2:ef00",
        "--new=5:8192:0",
        "--change-name=5:Größe",
        "--attributes=5:set:60",
        path.to_str().unwrap(),
    ];
    tool("sgdisk", &args, b"").unwrap();
    Some(fs::read(&path).unwrap())
}

#[test]
fn partitions_are_those_that_were_made() {
    let Some(image) = made_by_sgdisk() else { return };
    let table = read(&image, 512).unwrap();
    assert!(!table.degraded);
    let found: Vec<_> = table.partitions.iter().map(|p| (p.number, p.offset, p.len, p.name.as_str())).collect();
    let last = (LEN - 33 * 512) - 8192 * 512;
    assert_eq!(found[..2], [(1, 6144 * 512, 1 << 20, "root"), (2, 1 << 20, 1 << 20, "")]);
    assert_eq!((found[2].0, found[2].1, found[2].3), (5, 8192 * 512, "Größe"));
    assert!(found[2].2 <= last && found[2].2 > last - (1 << 20));
    assert_eq!(table.partitions[0].kind, Guid::LINUX);
    assert_eq!(table.partitions[1].kind.to_string(), "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
    assert_eq!(table.partitions[2].attributes, 1 << 60);
}

#[test]
fn blocks_of_4096_bytes() {
    if !installed(&["sfdisk"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    FileStorage::create(&path, LEN).unwrap();
    let script = b"label: gpt\nlabel-id: 6DD4F32E-9E51-4C5A-8D1E-0A2B8A9F7A11\nstart=256, size=512, name=x\n";
    if let Err(error) = tool("sfdisk", &["--sector-size=4096", path.to_str().unwrap()], script) {
        eprintln!("skipped: sfdisk here knows 512-byte sectors alone: {error}");
        return;
    }
    let table = read(&fs::read(&path).unwrap(), 4096).unwrap();
    assert_eq!(table.disk.to_string(), "6dd4f32e-9e51-4c5a-8d1e-0a2b8a9f7a11");
    let found: Vec<_> = table.partitions.iter().map(|p| (p.offset, p.len, p.name.as_str())).collect();
    assert_eq!(found, [(1 << 20, 2 << 20, "x")]);
}

#[test]
fn one_sound_copy_is_enough() {
    let Some(good) = made_by_sgdisk() else { return };
    let whole = read(&good, 512).unwrap();
    let (first_header, first_entries, last) = (512, 1024, LEN as usize - 512);
    for at in [first_header, first_header + 60, first_entries + 5, last, last - 32 * 512 + 5] {
        let mut image = good.clone();
        image[at] ^= 1;
        let table = read(&image, 512).unwrap();
        assert!(table.degraded, "byte {at}");
        assert_eq!(table.partitions, whole.partitions);
    }
    let mut image = good.clone();
    image[first_entries + 5] ^= 1;
    image[last + 60] ^= 1;
    assert_eq!(read(&image, 512), Err(GptError::Checksum("entries")));
    image[first_header] ^= 1;
    assert_eq!(read(&image, 512), Err(GptError::NotGpt));
    // A disk that was cut short has lost its second copy and the end of its last partition.
    assert!(read(&good[..LEN as usize / 2], 512).is_err());
    assert_eq!(read(&[], 512), Err(GptError::Disk));
    assert_eq!(read(&good, 0), Err(GptError::Disk));
}

/// CRC-32 bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn lies_under_good_checksums_are_found() {
    let Some(good) = made_by_sgdisk() else { return };
    // Changes the first copy, makes its checksums good again, and destroys the second.
    let with = |at: usize, bytes: &[u8]| {
        let mut image = good.clone();
        image[at..at + bytes.len()].copy_from_slice(bytes);
        let entries = crc(&image[1024..1024 + 128 * 128]);
        image[512 + 88..512 + 92].copy_from_slice(&entries.to_le_bytes());
        image[512 + 16..512 + 20].fill(0);
        let header = crc(&image[512..512 + 92]);
        image[512 + 16..512 + 20].copy_from_slice(&header.to_le_bytes());
        image[LEN as usize - 512] ^= 1;
        read(&image, 512)
    };
    assert!(with(512 + 56, &[1]).is_ok(), "the GUID of the disk is free");
    let header = |at: usize, bytes: &[u8]| with(512 + at, bytes).unwrap_err();
    assert_eq!(header(8, &[0, 0, 2, 0]), GptError::Revision(0x2_0000));
    assert_eq!(header(24, &[2]), GptError::Header("the place of the header"));
    assert_eq!(header(48, &[0xff; 8]), GptError::Header("usable blocks"));
    assert_eq!(header(72, &[0xff; 8]), GptError::Header("place of the entries"));
    assert_eq!(header(72, &[0, 9]), GptError::Header("place of the entries"));
    assert_eq!(header(80, &[0xff; 4]), GptError::Header("number of entries"));
    assert_eq!(header(84, &[129]), GptError::Header("length of an entry"));
    let entry = |at: usize, value: u64| with(1024 + at, &value.to_le_bytes()).unwrap_err();
    assert_eq!(entry(32, 1), GptError::Entry { number: 1, what: "its place" });
    assert_eq!(entry(40, 6000), GptError::Entry { number: 1, what: "its place" });
    assert_eq!(entry(40, u64::MAX), GptError::Entry { number: 1, what: "its place" });
    assert_eq!(entry(32, 4095), GptError::Entry { number: 1, what: "it overlaps another one" });
}
