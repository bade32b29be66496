//! GUID partition tables under good checksums.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_gpt::{Source, SourceError, Table};

const BLOCK: usize = 512;
/// Blocks of the disk.
const BLOCKS: usize = 4096;
/// Bytes of the header that count.
const HEADER: usize = 92;

struct Disk<'a> {
    header: [u8; BLOCK],
    entries: &'a [u8],
}

impl Source for Disk<'_> {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), SourceError> {
        offset.checked_add(into.len() as u64).filter(|end| *end <= (BLOCK * BLOCKS) as u64).ok_or(SourceError)?;
        into.fill(0);
        let from: &[u8] = if offset == BLOCK as u64 { &self.header } else { self.entries };
        let len = from.len().min(into.len());
        into[..len].copy_from_slice(&from[..len]);
        Ok(())
    }
}

/// CRC-32 bit by bit.
fn crc(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1u32).wrapping_neg()))
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((fields, entries)) = data.split_first_chunk::<HEADER>() else { return };
    let mut header = [0; BLOCK];
    header[..HEADER].copy_from_slice(fields);
    let word = |at: usize| u32::from_le_bytes(fields[at..at + 4].try_into().expect("four bytes")) as usize;
    // As many entries as the header says, up to some, of zeroes behind those given.
    let len = word(80).saturating_mul(word(84)).min(32 * 128);
    let checksum = crc(entries.iter().copied().chain(std::iter::repeat(0)).take(len));
    header[88..HEADER].copy_from_slice(&checksum.to_le_bytes());
    header[16..20].fill(0);
    let checksum = crc(header.iter().copied().take(word(12).min(BLOCK)));
    header[16..20].copy_from_slice(&checksum.to_le_bytes());

    let disk_len = (BLOCK * BLOCKS) as u64;
    let Ok(table) = Table::read(&mut Disk { header, entries }, disk_len, BLOCK as u32) else { return };
    let mut places: Vec<_> = table.partitions.iter().map(|p| (p.offset, p.offset + p.len)).collect();
    places.sort_unstable();
    assert!(places.iter().all(|(start, end)| start < end && *end <= disk_len));
    assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].0));
});
