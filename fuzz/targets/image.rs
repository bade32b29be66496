//! The parts of a root image that are parsed before or without a digest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_image_format::{
    CHUNK_ENTRY_LEN, ChunkEntry, Extent, Image, ImageSource, SUPERBLOCK_LEN, SourceError, Superblock, Xattrs,
};

struct Bytes<'a>(&'a [u8]);

impl ImageSource for Bytes<'_> {
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), SourceError> {
        let from = usize::try_from(offset).map_err(|_| SourceError)?;
        let bytes = self.0.get(from..).and_then(|bytes| bytes.get(..into.len())).ok_or(SourceError)?;
        into.copy_from_slice(bytes);
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let opened = Image::open(Bytes(data), &[0; 32]);
    assert!(opened.is_err(), "nobody finds an image of this digest");
    let Some((block, rest)) = data.split_first_chunk::<SUPERBLOCK_LEN>() else { return };
    let Ok(superblock) = Superblock::decode(block) else { return };
    assert_eq!(superblock.encode(), block);
    for (index, entry) in (0..superblock.chunk_count()).zip(rest.chunks_exact(CHUNK_ENTRY_LEN)) {
        if let Ok(chunk) = ChunkEntry::decode(entry, index, &superblock) {
            assert_eq!(chunk.encode(), entry);
        }
    }
    let _extent = Extent::decode(rest, &superblock);
    assert!(Xattrs::new(rest).all(|xattr| xattr.is_err() || xattr.is_ok_and(|xattr| !xattr.name.is_empty())));
});
