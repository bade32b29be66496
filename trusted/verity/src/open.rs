//! From a disk and a pin to checked data.

use crate::{OpenError, VerityDevice};
use rkt_block::Blocking;
use rkt_blockdev::BlockDevice;
use rkt_verity_format::{Pin, SUPERBLOCK_LEN, Superblock};

/// Opens the verity disk on `disk`: data from the start, superblock and tree at `tree_offset`. Up to
/// `cached` hash blocks are kept. For `patience` and `wait` see [`Blocking`].
///
/// # Errors
/// See [`OpenError`]; the disk is gone then.
pub fn open<D: BlockDevice>(
    mut disk: D,
    tree_offset: u64,
    pin: &Pin,
    cached: usize,
    patience: u32,
    wait: &mut dyn FnMut(),
) -> Result<VerityDevice<D>, OpenError> {
    let mut bytes = [0; SUPERBLOCK_LEN];
    Blocking::new(&mut disk, patience, wait).read(tree_offset, &mut bytes).map_err(OpenError::Disk)?;
    let superblock = Superblock::decode(&bytes).map_err(|error| {
        // A superblock that nobody pinned may say anything.
        if rkt_verity_format::hash(&[], &bytes) == pin.superblock {
            OpenError::Format(error)
        } else {
            OpenError::Superblock
        }
    })?;
    if superblock.hash() != pin.superblock {
        return Err(OpenError::Superblock);
    }
    VerityDevice::new(disk, tree_offset, &superblock, pin.root, cached)
}
