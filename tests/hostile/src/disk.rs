//! The disk's part of the device.

use crate::{Chain, Device};
use rkt_virtio::blk::{
    Config, DiscardSegment, REQUEST_HEADER_LEN, RequestHeader, SECTOR_LEN, features, request, request_status,
};
use rkt_virtio::{device_id, features as common};
use rkt_window::Window;
use zerocopy::{FromBytes, IntoBytes};

/// Bytes of the disk.
pub const DISK_LEN: usize = 1 << 20;

/// An honest configuration.
pub fn disk_config() -> Config {
    Config {
        capacity: (DISK_LEN as u64 / SECTOR_LEN as u64).into(),
        seg_max: 126.into(),
        blk_size: 512.into(),
        max_discard_sectors: 1024.into(),
        max_discard_seg: 1.into(),
        ..Config::default()
    }
}

impl Device {
    /// All that the driver may want of a disk that can be written.
    pub const BLK_FEATURES: u64 =
        common::VERSION_1 | features::SEG_MAX | features::BLK_SIZE | features::FLUSH | features::DISCARD;

    /// An honest disk with these features.
    pub fn blk(window: &Window, features: u64) -> Self {
        Self::new(window, device_id::BLOCK, features, &[256], disk_config().as_bytes())
    }

    /// The next request: its chain, its header and the bytes after it.
    pub fn next_request(&mut self) -> Option<(Chain, RequestHeader, Vec<u8>)> {
        let chain = self.next(0)?;
        let mut bytes = self.gather(&chain);
        let data = bytes.split_off(REQUEST_HEADER_LEN.min(bytes.len()));
        let header = RequestHeader::read_from_bytes(&bytes).ok()?;
        Some((chain, header, data))
    }

    /// Ends a request with data, status and the length that goes with them.
    pub fn finish(&mut self, chain: &Chain, data: &[u8], status: u8) {
        let filled = self.fill(chain, &[data, &[status]].concat());
        self.use_chain(0, chain.head, filled as u32);
    }

    /// Serves all requests by the book and returns their kinds in order.
    pub fn serve(&mut self, disk: &mut [u8]) -> Vec<u32> {
        let mut kinds = Vec::new();
        while let Some((chain, header, out)) = self.next_request() {
            kinds.push(header.kind.get());
            let room: usize = chain.buffers.iter().filter(|buffer| buffer.writable).map(|buffer| buffer.len).sum();
            let start = (header.sector.get() as usize).saturating_mul(SECTOR_LEN);
            let mut data = vec![0; room.saturating_sub(1)];
            let done = match header.kind.get() {
                request::IN => range(disk, start, data.len()).map(|from| data.copy_from_slice(from)),
                request::OUT => range(disk, start, out.len()).map(|into| into.copy_from_slice(&out)),
                request::DISCARD => DiscardSegment::read_from_bytes(&out).ok().and_then(|segment| {
                    let start = segment.sector.get() as usize * SECTOR_LEN;
                    range(disk, start, segment.num_sectors.get() as usize * SECTOR_LEN).map(|into| into.fill(0))
                }),
                request::FLUSH => Some(()),
                _ => None,
            };
            self.finish(&chain, &data, if done.is_some() { request_status::OK } else { request_status::IOERR });
        }
        kinds
    }
}

fn range(disk: &mut [u8], start: usize, len: usize) -> Option<&mut [u8]> {
    disk.get_mut(start..start.saturating_add(len))
}
