//! Opening an image and reading its data, out of a source that is not trusted.

use alloc::vec::Vec;

use ruzstd::decoding::FrameDecoder;

use crate::chunk::{CHUNK_ENTRY_LEN, ChunkEntry, Encoding};
use crate::digest::{Digest, image_digest, sha256};
use crate::error::{ImageError, Section, SourceError};
use crate::extent::{EXTENT_LEN, Extent};
use crate::superblock::{SUPERBLOCK_LEN, Superblock};

/// Bytes from which an image is read. They may be different at each call.
pub trait ImageSource {
    /// Copies the bytes from `offset` on into all of `into`.
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), SourceError>;
}

/// An image whose superblock, tree and chunk table are those of the expected digest.
pub struct Image<S> {
    source: S,
    superblock: Superblock,
    tree: Vec<u8>,
    chunks: Vec<ChunkEntry>,
}

impl<S: ImageSource> Image<S> {
    /// Copies superblock, tree and chunk table, at most [`crate::TREE_MAX`] and
    /// [`crate::CHUNKS_MAX`] entries, and verifies the copies against `expected`. The
    /// sizes are believed no further than for the copying: they are part of what is verified.
    pub fn open(source: S, expected: &Digest) -> Result<Self, ImageError> {
        let mut block = [0; SUPERBLOCK_LEN];
        source.read(0, &mut block).map_err(|SourceError| ImageError::Source(Section::Superblock))?;
        let superblock = Superblock::decode(&block)?;
        let tree = copy(&source, Section::Tree, superblock.tree_offset(), superblock.tree_length())?;
        let table = copy(&source, Section::ChunkTable, superblock.table_offset(), superblock.table_length())?;
        if image_digest(&block, &tree, &table) != *expected {
            return Err(ImageError::WrongDigest);
        }

        let mut chunks = Vec::new();
        chunks
            .try_reserve_exact(table.len() / CHUNK_ENTRY_LEN)
            .map_err(|_| ImageError::OutOfMemory(Section::ChunkTable))?;
        for (index, entry) in (0..).zip(table.chunks_exact(CHUNK_ENTRY_LEN)) {
            chunks.push(ChunkEntry::decode(entry, index, &superblock)?);
        }
        Ok(Self { source, superblock, tree, chunks })
    }

    /// The newc archive of the tree. Verified, but not parsed.
    pub fn tree(&self) -> &[u8] {
        &self.tree
    }

    /// The sizes.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// The chunk table, an entry for each chunk.
    pub fn chunks(&self) -> &[ChunkEntry] {
        &self.chunks
    }

    /// Number of chunks.
    pub fn chunk_count(&self) -> u64 {
        self.superblock.chunk_count()
    }

    /// The contents of a regular file, given the body of its entry in the tree.
    pub fn extent(&self, body: &[u8]) -> Result<Extent, ImageError> {
        Extent::decode(body.get(..EXTENT_LEN).ok_or(ImageError::Extent)?, &self.superblock)
    }

    /// Copies and verifies the configuration, at most [`crate::CONFIG_MAX`] bytes; empty if there is none.
    pub fn config(&self) -> Result<Vec<u8>, ImageError> {
        let (offset, length) = (self.superblock.config_offset(), self.superblock.config_length());
        let config = copy(&self.source, Section::Config, offset, length)?;
        let intact = length == 0 || sha256(&config) == *self.superblock.config_hash();
        if intact { Ok(config) } else { Err(ImageError::WrongConfig) }
    }

    /// Reads, verifies and decompresses chunk `index`; `into` becomes its contents.
    pub fn read_chunk(&self, index: u64, into: &mut Vec<u8>) -> Result<(), ImageError> {
        let length = self.superblock.chunk_length(index).ok_or(ImageError::OutOfRange)? as usize;
        into.clear();
        into.try_reserve_exact(length).map_err(|_| ImageError::OutOfMemory(Section::Chunk(index)))?;
        into.resize(length, 0);
        self.read_chunk_into(index, into)
    }

    /// As [`Self::read_chunk`], into a buffer of exactly the size of the chunk
    /// ([`Superblock::chunk_length`]). After an error its contents are arbitrary.
    pub fn read_chunk_into(&self, index: u64, into: &mut [u8]) -> Result<(), ImageError> {
        let entry = usize::try_from(index).ok().and_then(|index| self.chunks.get(index));
        let entry = entry.ok_or(ImageError::OutOfRange)?;
        if self.superblock.chunk_length(index).map(|length| length as usize) != Some(into.len()) {
            return Err(ImageError::OutOfRange);
        }
        let section = Section::Chunk(index);
        match entry.encoding {
            Encoding::Raw => {
                self.source.read(entry.offset, into).map_err(|SourceError| ImageError::Source(section))?;
                verify(entry, index, into)
            }
            Encoding::Zstd => {
                let stored = copy(&self.source, section, entry.offset, u64::from(entry.length))?;
                verify(entry, index, &stored)?;
                decompress(&stored, into, self.superblock.chunk_size()).ok_or(ImageError::Decompression(index))
            }
        }
    }

    /// Copies the bytes of the data area from `offset` on into all of `into`, through a
    /// cache of the chunk read last. The cache must not be used with another image.
    pub fn read_data(&self, cache: &mut ChunkCache, offset: u64, into: &mut [u8]) -> Result<(), ImageError> {
        let end = offset.checked_add(into.len() as u64).ok_or(ImageError::OutOfRange)?;
        if end > self.superblock.data_length() {
            return Err(ImageError::OutOfRange);
        }
        let chunk_size = u64::from(self.superblock.chunk_size());
        let (mut offset, mut rest) = (offset, into);
        while !rest.is_empty() {
            let chunk = self.cached(cache, offset / chunk_size)?;
            let available = chunk.get((offset % chunk_size) as usize..).ok_or(ImageError::OutOfRange)?;
            let (now, later) = rest.split_at_mut(available.len().min(rest.len()));
            now.copy_from_slice(available.get(..now.len()).ok_or(ImageError::OutOfRange)?);
            offset = offset.saturating_add(now.len() as u64);
            rest = later;
        }
        Ok(())
    }

    fn cached<'c>(&self, cache: &'c mut ChunkCache, index: u64) -> Result<&'c [u8], ImageError> {
        if cache.index != Some(index) {
            cache.index = None;
            self.read_chunk(index, &mut cache.data)?;
            cache.index = Some(index);
        }
        Ok(&cache.data)
    }
}

/// The chunk that was read last, kept by the caller of [`Image::read_data`].
#[derive(Debug, Default)]
pub struct ChunkCache {
    index: Option<u64>,
    data: Vec<u8>,
}

/// Copies a section of bounded length out of the source.
fn copy(source: &impl ImageSource, section: Section, offset: u64, length: u64) -> Result<Vec<u8>, ImageError> {
    let length = usize::try_from(length).map_err(|_| ImageError::OutOfMemory(section))?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| ImageError::OutOfMemory(section))?;
    bytes.resize(length, 0);
    source.read(offset, &mut bytes).map_err(|SourceError| ImageError::Source(section))?;
    Ok(bytes)
}

fn verify(entry: &ChunkEntry, index: u64, stored: &[u8]) -> Result<(), ImageError> {
    if sha256(stored) == entry.hash { Ok(()) } else { Err(ImageError::WrongHash(index)) }
}

/// Decompresses `stored` into all of `into`. The window of the frame, and with it the
/// decoder's memory, is bounded by the size of a chunk.
fn decompress(stored: &[u8], into: &mut [u8], chunk_size: u32) -> Option<()> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(u64::from(chunk_size));
    let length = decoder.decode_all(stored, into).ok()?;
    (length == into.len()).then_some(())
}
