//! The table as a whole: a header and its entries (§5.3.3).

use crate::header::{Header, checksum};
use crate::{GptError, Guid, SourceError};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use zerocopy::byteorder::little_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Block lengths that disks have.
const BLOCK_LENS: core::ops::RangeInclusive<u32> = 512..=64 << 10;
/// Protective MBR, two headers, and a block for the entries of each.
const BLOCKS_MIN: u64 = 5;

/// Reads a disk.
pub trait Source {
    /// Fills `into` from `offset` on.
    ///
    /// # Errors
    /// If any of it cannot be read.
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), SourceError>;
}

#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawEntry {
    kind: Guid,
    id: Guid,
    first: U64,
    last: U64,
    attributes: U64,
    name: [U16; 36],
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 1.
    pub number: u32,
    /// Its type.
    pub kind: Guid,
    /// Its own identity.
    pub id: Guid,
    /// First byte on the disk.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
    /// Attributes (§5.3.3, table 5-8).
    pub attributes: u64,
    /// Its name, up to the first NUL; what is no UTF-16 is replaced.
    pub name: String,
}

/// A partition table that keeps the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Identity of the disk.
    pub disk: Guid,
    /// Partitions in the order of their entries.
    pub partitions: Vec<Partition>,
    /// One of the copies is missing or broken, or they differ: the first one counts then, if it is sound.
    pub degraded: bool,
}

impl Table {
    /// Reads the table of a disk of `len` bytes in blocks of `block_len`.
    ///
    /// # Errors
    /// What is wrong with the first copy, if the second is no good either.
    pub fn read(source: &mut dyn Source, len: u64, block_len: u32) -> Result<Self, GptError> {
        let blocks = len.checked_div(block_len.into()).ok_or(GptError::Disk)?;
        if !block_len.is_power_of_two() || !BLOCK_LENS.contains(&block_len) || blocks < BLOCKS_MIN {
            return Err(GptError::Disk);
        }
        let first = read_copy(source, 1, blocks, block_len);
        let second = read_copy(source, blocks.saturating_sub(1), blocks, block_len);
        match (first, second) {
            (Ok(first), second) => Ok(Self { degraded: second.as_ref() != Ok(&first), ..first }),
            (Err(_), Ok(second)) => Ok(Self { degraded: true, ..second }),
            (Err(error), Err(_)) => Err(error),
        }
    }
}

fn read_copy(source: &mut dyn Source, at: u64, blocks: u64, block_len: u32) -> Result<Table, GptError> {
    let mut block = vec![0; block_len as usize];
    source.read(at.saturating_mul(block_len.into()), &mut block)?;
    let header = Header::decode(&block, at, blocks)?;
    let mut entries = vec![0; header.entries_len() as usize];
    source.read(header.entries.saturating_mul(block_len.into()), &mut entries)?;
    if checksum(&[&entries]) != header.entries_checksum {
        return Err(GptError::Checksum("entries"));
    }
    let mut partitions = Vec::new();
    for (number, bytes) in (1..).zip(entries.chunks_exact(header.entry_len as usize)) {
        let (raw, _) = RawEntry::read_from_prefix(bytes).map_err(|_| GptError::Header("length of an entry"))?;
        if raw.kind != Guid::UNUSED {
            partitions.push(partition(number, &raw, &header, block_len)?);
        }
    }
    keep_apart(&partitions)?;
    Ok(Table { disk: header.disk, partitions, degraded: false })
}

fn partition(number: u32, raw: &RawEntry, header: &Header, block_len: u32) -> Result<Partition, GptError> {
    let (first, last) = (raw.first.get(), raw.last.get());
    if first > last || first < header.first_usable || last > header.last_usable {
        return Err(GptError::Entry { number, what: "its place" });
    }
    let block = u64::from(block_len);
    // Within the usable blocks, which lie on the disk.
    let blocks = last.saturating_sub(first).saturating_add(1);
    let name = raw.name.iter().map(|unit| unit.get()).take_while(|unit| *unit != 0);
    Ok(Partition {
        number,
        kind: raw.kind,
        id: raw.id,
        offset: first.saturating_mul(block),
        len: blocks.saturating_mul(block),
        attributes: raw.attributes.get(),
        name: char::decode_utf16(name).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect(),
    })
}

fn keep_apart(partitions: &[Partition]) -> Result<(), GptError> {
    let mut places: Vec<_> = partitions.iter().map(|p| (p.offset, p.len, p.number)).collect();
    places.sort_unstable();
    let mut free = 0;
    for (offset, len, number) in places {
        if offset < free {
            return Err(GptError::Entry { number, what: "it overlaps another one" });
        }
        free = offset.saturating_add(len);
    }
    Ok(())
}
