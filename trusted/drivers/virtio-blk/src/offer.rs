//! What the device offers and what of it the driver takes.

use rkt_blockdev::Geometry;
use rkt_virtio::blk::{self, SECTOR_LEN, features};
use rkt_virtio_transport::DriverRegs;
use rkt_virtqueue::{CHUNK_LEN, DeviceError, VirtioError};
use zerocopy::IntoBytes;

/// Data segments of a request, at most: 128 KiB in chunks that are not neighbours.
pub(crate) const MAX_SEGMENTS: u32 = 32;

/// The features that the driver knows. `SIZE_MAX` is none of them: segments are of any size.
pub(crate) const WANTED: u64 =
    features::SEG_MAX | features::RO | features::BLK_SIZE | features::FLUSH | features::DISCARD;

/// Reads the configuration and derives what the disk is.
pub(crate) fn geometry(regs: &DriverRegs, agreed: u64) -> Result<Geometry, VirtioError> {
    let mut config = blk::Config::default();
    regs.read_config(config.as_mut_bytes())?;
    let has = |feature| agreed & feature != 0;
    let wrong = |field, value| VirtioError::Device(DeviceError::ConfigValue { field, value });

    // Without SEG_MAX a device need not take more than one segment.
    let segments = if has(features::SEG_MAX) { config.seg_max.get() } else { 1 };
    if segments == 0 {
        return Err(wrong("seg_max", 0));
    }
    let max_transfer = CHUNK_LEN.saturating_mul(segments.min(MAX_SEGMENTS) as usize);
    let block_len = if has(features::BLK_SIZE) { config.blk_size.get() } else { SECTOR_LEN as u32 };
    if !block_len.is_power_of_two() || !(SECTOR_LEN..=max_transfer).contains(&(block_len as usize)) {
        return Err(wrong("blk_size", block_len.into()));
    }
    let whole_blocks = |len: u64| len & !u64::from(block_len.saturating_sub(1));
    let capacity = config.capacity.get();
    let len = capacity.checked_mul(SECTOR_LEN as u64).ok_or(wrong("capacity", capacity))?;
    let discard = if has(features::DISCARD) { config.max_discard_sectors.get() } else { 0 };
    Ok(Geometry {
        block_len,
        len: whole_blocks(len),
        read_only: has(features::RO),
        max_discard: whole_blocks(u64::from(discard).saturating_mul(SECTOR_LEN as u64)),
        max_write_zeroes: 0,
        max_transfer: whole_blocks(max_transfer as u64) as usize,
    })
}
