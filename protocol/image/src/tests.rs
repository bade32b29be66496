use std::vec;
use std::vec::Vec;

use crate::*;

const CHUNK: usize = CHUNK_SIZE_MIN as usize;

struct Bytes<'a>(&'a [u8]);

impl ImageSource for Bytes<'_> {
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), SourceError> {
        let from = usize::try_from(offset).map_err(|_| SourceError)?;
        let bytes = self.0.get(from..).and_then(|bytes| bytes.get(..into.len())).ok_or(SourceError)?;
        into.copy_from_slice(bytes);
        Ok(())
    }
}

/// An image of `data` and what is needed to damage it.
struct Built {
    bytes: Vec<u8>,
    digest: Digest,
    superblock: Superblock,
}

/// Stores odd chunks compressed, so that both encodings occur.
fn build(tree: &[u8], data: &[u8]) -> Built {
    let stored: Vec<_> = data
        .chunks(CHUNK)
        .enumerate()
        .map(|(index, chunk)| match index % 2 {
            0 => (Encoding::Raw, chunk.to_vec()),
            _ => (Encoding::Zstd, zstd::bulk::compress(chunk, 3).unwrap()),
        })
        .collect();
    let total: u64 = stored.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let sizes = |image_length| Superblock::new(CHUNK as u32, tree.len() as u64, data.len() as u64, image_length);
    let offset = sizes(1 << 40).unwrap().chunks_offset();
    let superblock = sizes(offset + total).unwrap();

    let mut next = offset;
    let mut table = Vec::new();
    for (encoding, bytes) in &stored {
        let entry = ChunkEntry { offset: next, length: bytes.len() as u32, encoding: *encoding, hash: sha256(bytes) };
        table.extend(entry.encode());
        next += bytes.len() as u64;
    }
    let block = superblock.encode();
    let digest = image_digest(&block, tree, &table);
    let mut bytes = block;
    bytes.extend(tree);
    bytes.resize(superblock.table_offset() as usize, 0);
    bytes.extend(&table);
    bytes.resize(offset as usize, 0);
    stored.iter().for_each(|(_, chunk)| bytes.extend(chunk));
    Built { bytes, digest, superblock }
}

fn sample_data() -> Vec<u8> {
    (0..3 * CHUNK as u32 + 5000).map(|i| (i / 7 % 251) as u8).collect()
}

fn sample() -> Built {
    build(b"a tree of any bytes", &sample_data())
}

#[test]
fn what_was_stored_is_read() {
    let Built { bytes, digest, .. } = sample();
    let image = Image::open(Bytes(&bytes), &digest).unwrap();
    let data = sample_data();
    assert_eq!(image.tree(), b"a tree of any bytes");
    assert_eq!(image.chunk_count(), 4);

    let mut chunk = Vec::new();
    let mut all: Vec<u8> = Vec::new();
    for index in 0..image.chunk_count() {
        image.read_chunk(index, &mut chunk).unwrap();
        all.extend(&chunk);
    }
    assert!(all == data);
    assert_eq!(image.read_chunk(4, &mut chunk), Err(ImageError::OutOfRange));

    let mut cache = ChunkCache::default();
    for (from, to) in [(0, 0), (0, 1), (CHUNK - 3, 2 * CHUNK + 3), (1, data.len()), (data.len(), data.len())] {
        let mut into = vec![0; to - from];
        image.read_data(&mut cache, from as u64, &mut into).unwrap();
        assert!(into == data[from..to], "{from}..{to}");
    }
    for (from, len) in [(data.len() as u64, 1), (u64::MAX, 1), (0, data.len() + 1)] {
        assert_eq!(image.read_data(&mut cache, from, &mut vec![0; len]), Err(ImageError::OutOfRange));
    }
}

#[test]
fn an_empty_image_is_an_image() {
    let Built { bytes, digest, .. } = build(b"", b"");
    let image = Image::open(Bytes(&bytes), &digest).unwrap();
    assert_eq!((image.chunk_count(), image.tree().len()), (0, 0));
    assert_eq!(image.read_chunk(0, &mut Vec::new()), Err(ImageError::OutOfRange));
}

/// Opens and reads everything.
fn read_all(bytes: &[u8], digest: &Digest) -> Result<(), ImageError> {
    let image = Image::open(Bytes(bytes), digest)?;
    (0..image.chunk_count()).try_for_each(|index| image.read_chunk(index, &mut Vec::new()))
}

#[test]
fn damage_is_found_at_its_level() {
    let Built { bytes, digest, superblock } = sample();
    read_all(&bytes, &digest).unwrap();
    let table = superblock.table_offset() as usize;
    let chunks = superblock.chunks_offset() as usize;
    let damaged = |position: usize| {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1;
        read_all(&damaged, &digest).unwrap_err()
    };
    assert_eq!(damaged(0), ImageError::NotAnImage);
    assert_eq!(damaged(8), ImageError::Unsupported);
    assert!(matches!(damaged(SUPERBLOCK_LEN - 1), ImageError::Superblock(_)));
    for position in [32, SUPERBLOCK_LEN, SUPERBLOCK_LEN + 18, table, table + 4 * CHUNK_ENTRY_LEN - 1] {
        assert_eq!(damaged(position), ImageError::WrongDigest, "byte {position}");
    }
    assert_eq!(damaged(chunks), ImageError::WrongHash(0));
    assert_eq!(damaged(chunks + CHUNK + 9), ImageError::WrongHash(1));
    assert_eq!(damaged(bytes.len() - 1), ImageError::WrongHash(3));

    let mut other = digest;
    other[31] ^= 0x80;
    assert_eq!(read_all(&bytes, &other), Err(ImageError::WrongDigest));
}

#[test]
fn truncation_names_the_section() {
    let Built { bytes, digest, superblock } = sample();
    let cut = |length: usize| read_all(&bytes[..length], &digest).unwrap_err();
    assert_eq!(cut(100), ImageError::Source(Section::Superblock));
    assert_eq!(cut(SUPERBLOCK_LEN + 3), ImageError::Source(Section::Tree));
    assert_eq!(cut(superblock.table_offset() as usize + 1), ImageError::Source(Section::ChunkTable));
    assert_eq!(cut(bytes.len() - 1), ImageError::Source(Section::Chunk(3)));
}

#[test]
fn sizes_are_bounded_before_they_are_believed() {
    let huge = 1 << 60;
    assert!(Superblock::new(CHUNK_SIZE_DEFAULT, TREE_MAX, 0, huge).is_ok());
    assert!(Superblock::new(CHUNK_SIZE_DEFAULT, TREE_MAX + 1, 0, huge).is_err());
    let most = CHUNKS_MAX * u64::from(CHUNK_SIZE_DEFAULT);
    assert!(Superblock::new(CHUNK_SIZE_DEFAULT, 0, most, huge).is_ok());
    assert!(Superblock::new(CHUNK_SIZE_DEFAULT, 0, most + 1, huge).is_err());
    assert!(Superblock::new(CHUNK_SIZE_DEFAULT, 0, u64::MAX, huge).is_err());
    for chunk_size in [0, 1, CHUNK_SIZE_MIN / 2, CHUNK_SIZE_DEFAULT + 1, CHUNK_SIZE_MAX * 2] {
        assert!(Superblock::new(chunk_size, 0, 0, huge).is_err(), "{chunk_size}");
    }
    assert!(Superblock::new(CHUNK_SIZE_DEFAULT, 1, 0, 2 * BLOCK - 1).is_err());
}

#[test]
fn chunk_entries_stay_inside_the_image() {
    let Built { superblock, .. } = sample();
    let good =
        ChunkEntry { offset: superblock.chunks_offset(), length: CHUNK as u32, encoding: Encoding::Raw, hash: [7; 32] };
    let decode = |entry: ChunkEntry| ChunkEntry::decode(&entry.encode(), 0, &superblock);
    assert_eq!(decode(good), Ok(good));
    for bad in [
        ChunkEntry { offset: superblock.chunks_offset() - 1, ..good },
        ChunkEntry { offset: superblock.image_length() - 1, ..good },
        ChunkEntry { offset: u64::MAX, ..good },
        ChunkEntry { length: CHUNK as u32 - 1, ..good },
        ChunkEntry { encoding: Encoding::Zstd, ..good },
    ] {
        assert!(matches!(decode(bad), Err(ImageError::ChunkEntry(0, _))), "{bad:?}");
    }
    assert!(ChunkEntry::decode(&good.encode()[1..], 0, &superblock).is_err());
    assert_eq!(ChunkEntry::decode(&good.encode(), 4, &superblock), Err(ImageError::OutOfRange));
}

#[test]
fn extents_stay_inside_the_data_area() {
    let Built { superblock, .. } = sample();
    let end = superblock.data_length();
    let decode = |offset, length| Extent::decode(&Extent { offset, length }.encode(), &superblock);
    assert_eq!(decode(4096, end - 4096), Ok(Extent { offset: 4096, length: end - 4096 }));
    for (offset, length) in [(4096, end - 4095), (1, 1), (u64::MAX - 4095, 4096), (0, u64::MAX)] {
        assert_eq!(decode(offset, length), Err(ImageError::Extent));
    }
    assert_eq!(Extent::decode(&[0; 15], &superblock), Err(ImageError::Extent));
}

/// An image whose only chunk is compressed as the test says, with matching hashes.
fn with_frame(frame: &[u8], data_length: u64) -> Result<(), ImageError> {
    let sizes = |length| Superblock::new(CHUNK as u32, 0, data_length, length).unwrap();
    let offset = sizes(1 << 30).chunks_offset();
    let block = sizes(offset + frame.len() as u64).encode();
    let length = frame.len() as u32;
    let entry = ChunkEntry { offset, length, encoding: Encoding::Zstd, hash: sha256(frame) };
    let table = entry.encode();
    let mut bytes = block.clone();
    bytes.extend(table);
    bytes.resize(offset as usize, 0);
    bytes.extend(frame);
    read_all(&bytes, &image_digest(&block, b"", &table))
}

#[test]
fn frames_must_fill_the_chunk_exactly() {
    let zeros = vec![0; CHUNK];
    let frame = zstd::bulk::compress(&zeros, 1).unwrap();
    let wrong = Err(ImageError::Decompression(0));
    assert_eq!(with_frame(&frame, CHUNK as u64), Ok(()));
    assert_eq!(with_frame(&frame, CHUNK as u64 - 1), wrong);
    assert_eq!(with_frame(&zstd::bulk::compress(&zeros[1..], 1).unwrap(), CHUNK as u64), wrong);
    assert_eq!(with_frame(&zstd::bulk::compress(&vec![0; 50 << 20], 1).unwrap(), CHUNK as u64), wrong);
    assert_eq!(with_frame(&frame[..frame.len() - 1], CHUNK as u64), wrong);
    assert_eq!(with_frame(b"not a frame", CHUNK as u64), wrong);
}

#[test]
fn a_configuration_is_covered_by_the_digest() {
    let config = b"{\"Cmd\":[\"/bin/sh\"]}";
    let sizes = |length| {
        let superblock = Superblock::new(CHUNK as u32, 0, 0, length).unwrap();
        superblock.with_config(config.len() as u64, sha256(config))
    };
    let end = 2 * BLOCK;
    assert!(sizes(end - 1).is_err(), "an image shorter than its configuration");
    let superblock = sizes(end).unwrap();
    let block = superblock.encode();
    assert_eq!(Superblock::decode(block.first_chunk().unwrap()), Ok(superblock));
    let mut bytes = block.clone();
    bytes.extend_from_slice(config);
    bytes.resize(end as usize, 0);
    let digest = image_digest(&block, b"", b"");
    assert_eq!(Image::open(Bytes(&bytes), &digest).unwrap().config().unwrap(), config);
    bytes[BLOCK as usize] ^= 1;
    assert_eq!(Image::open(Bytes(&bytes), &digest).unwrap().config(), Err(ImageError::WrongConfig));
    let none = Superblock::new(CHUNK as u32, 0, 0, end).unwrap();
    assert!(none.with_config(0, [1; 32]).is_err() && none.with_config(CONFIG_MAX + 1, [1; 32]).is_err());
}

#[test]
fn extended_attributes_come_back() {
    let all = [Xattr { name: b"user.a", value: b"\0\n" }, Xattr { name: b"security.capability", value: b"" }];
    let mut bytes = Vec::new();
    all.iter().for_each(|xattr| encode_xattr(*xattr, &mut bytes).unwrap());
    assert_eq!(Xattrs::new(&bytes).collect::<Result<Vec<_>, _>>().unwrap(), all);
    for cut in 1..bytes.len() {
        let whole = Xattrs::new(&bytes[..cut]).filter(Result::is_ok).count();
        let ends_between = cut == 5 + 6 + 2;
        assert_eq!(
            (whole, Xattrs::new(&bytes[..cut]).any(|x| x.is_err())),
            ((cut >= 13).into(), !ends_between),
            "{cut}"
        );
    }
    for name in [&b""[..], b"user.\0", &[b'n'; 256]] {
        assert!(encode_xattr(Xattr { name, value: b"" }, &mut bytes).is_err());
    }
}
