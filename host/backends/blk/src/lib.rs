//! A virtio block device (virtio 1.2 §5.2) over a file or a block device of the host.
//!
//! One thread, one request at a time, data moved by the kernel between the file and the window.
//! A write that has completed is in the host's page cache, and on the medium after the next
//! completed flush (`fdatasync`), which is what the specification asks of a write-back cache.
#![forbid(unsafe_code)]

mod disk;
mod request;

pub use disk::{Disk, DiskError, DiskOptions};

use request::serve_one;
use rkt_virtio::blk::{Config, features};
use rkt_virtio::device_id;
use rkt_virtio_device::{Counters, Device, Fault, MAX_PARTS, Model, Queues};
use zerocopy::IntoBytes;

/// Largest size of the request queue.
const QUEUE_SIZE: u16 = 256;
/// Requests before the thread looks at the driver's status again.
const BATCH: usize = 32;
/// Data segments of a request: a vectored call's parts.
const SEG_MAX: u32 = MAX_PARTS as u32 - 2;
/// Most sectors that one discard or write-zeroes range may have: 1 GiB.
const MAX_RANGE_SECTORS: u32 = 1 << 21;
/// Most ranges of such a request.
const MAX_RANGES: u32 = 16;

/// A block device over a [`Disk`].
pub struct BlkDevice {
    disk: Disk,
}

impl BlkDevice {
    /// A device over an open disk.
    pub fn new(disk: Disk) -> Self {
        Self { disk }
    }
}

impl Model for BlkDevice {
    fn kind(&self) -> u32 {
        device_id::BLOCK
    }

    fn features(&self) -> u64 {
        let writable = features::FLUSH | features::DISCARD | features::WRITE_ZEROES;
        features::SEG_MAX | if self.disk.read_only() { features::RO } else { writable }
    }

    fn queue_sizes(&self) -> &[u16] {
        &[QUEUE_SIZE]
    }

    fn config(&self) -> Vec<u8> {
        let config = Config {
            capacity: self.disk.sectors().into(),
            seg_max: SEG_MAX.into(),
            max_discard_sectors: MAX_RANGE_SECTORS.into(),
            max_discard_seg: MAX_RANGES.into(),
            discard_sector_alignment: 8.into(),
            max_write_zeroes_sectors: MAX_RANGE_SECTORS.into(),
            max_write_zeroes_seg: MAX_RANGES.into(),
            write_zeroes_may_unmap: 1,
            ..Config::default()
        };
        config.as_bytes().to_vec()
    }

    fn start(&mut self, _features: u64) -> Result<(), Fault> {
        Ok(())
    }

    fn reset(&mut self) {}
}

impl Device for BlkDevice {
    fn serve(&mut self, queues: &mut Queues, counters: &Counters) -> Result<bool, Fault> {
        let queue = queues.get(0)?;
        let mut worked = false;
        for _ in 0..BATCH {
            let Some(chain) = queue.pop()? else { break };
            let written = serve_one(&self.disk, &chain, counters);
            queue.push(chain, written)?;
            queue.publish();
            worked = true;
        }
        Ok(worked)
    }
}
