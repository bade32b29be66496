//! dm-verity trees behind disk images.

use anyhow::{Context, Result, ensure};
use rkt_verity_format::{Builder, Built, Pin, SUPERBLOCK_LEN, Superblock};
use std::fs::File;
use std::os::unix::fs::FileExt;

const BLOCK: u64 = 4096;

/// Puts the tree over the first `len` bytes of a file behind them. The salt and the name are those given, so
/// that the same image has the same root hash.
///
/// # Errors
/// If the file cannot be read or written.
pub fn append(file: &File, len: u64, uuid: [u8; 16], salt: &[u8]) -> Result<Pin> {
    ensure!(len.is_multiple_of(BLOCK), "the file system is no whole number of blocks");
    let superblock = Superblock::new(uuid, len / BLOCK, salt).map_err(|error| anyhow::anyhow!("{error}"))?;
    let built = over(file, superblock)?;
    file.write_all_at(&built.bytes, len)?;
    Ok(built.pin)
}

/// The tree that belongs to the first `len` bytes of a file and the superblock behind them.
///
/// # Errors
/// If the file cannot be read.
pub fn build(file: &File, len: u64) -> Result<Built> {
    let mut bytes = [0; SUPERBLOCK_LEN];
    file.read_exact_at(&mut bytes, len)?;
    over(file, Superblock::decode(&bytes).map_err(|error| anyhow::anyhow!("{error}"))?)
}

fn over(file: &File, superblock: Superblock) -> Result<Built> {
    let (count, len) = (superblock.data_blocks(), superblock.data_block_len());
    let mut builder = Builder::new(superblock);
    let mut block = vec![0; len as usize];
    for nth in 0..count {
        file.read_exact_at(&mut block, nth * u64::from(len))?;
        builder.push(&block);
    }
    builder.finish().context("there is nothing to make a tree over")
}

/// The tree behind `len` bytes of a file, and what pins it, if there is one. The root hash is that of the topmost
/// block as it is now: whether that is the right one, only who made the image can say.
///
/// # Errors
/// If the file cannot be read.
pub fn find(file: &File, len: u64) -> Result<Option<Pin>> {
    let mut bytes = [0; SUPERBLOCK_LEN];
    if file.read_exact_at(&mut bytes, len).is_err() {
        return Ok(None);
    }
    let Ok(superblock) = Superblock::decode(&bytes) else { return Ok(None) };
    let mut top = vec![0; superblock.hash_block_len() as usize];
    file.read_exact_at(&mut top, len + u64::from(superblock.hash_block_len()))?;
    let root = rkt_verity_format::hash(superblock.salt(), &top);
    Ok(Some(Pin { root, superblock: superblock.hash() }))
}
