//! What kind of device the other process plays.

use rkt_virtio::blk::{self, Config};
use rkt_virtio::device_id;
use rkt_virtio::features::VERSION_1;

/// Where the content of the configuration space comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// From the front end.
    Ours(Vec<u8>),
    /// From the back end, so many bytes.
    Theirs(usize),
}

/// A kind of device.
#[derive(Clone, Debug)]
pub struct Model {
    /// Virtio device id.
    pub kind: u32,
    /// Features that are between driver and back end alone. None that change who reaches which memory.
    pub passed_on: u64,
    /// Features that the front end has.
    pub ours: u64,
    /// The largest size of each queue.
    pub queue_sizes: Vec<u16>,
    /// Content of the configuration space.
    pub configuration: Configuration,
    /// Whether features can be had together.
    pub consistent: fn(u64) -> bool,
    /// Whether a reset ends the connection, too. A queue that is stopped may leave requests under way, and a disk
    /// must be done with those before the driver repeats them.
    pub reconnects: bool,
}

impl Model {
    /// A disk with one queue.
    pub fn disk() -> Self {
        use blk::features::{BLK_SIZE, DISCARD, FLUSH, RO, SEG_MAX, SIZE_MAX, WRITE_ZEROES};
        Self {
            kind: device_id::BLOCK,
            passed_on: VERSION_1 | SIZE_MAX | SEG_MAX | RO | BLK_SIZE | FLUSH | DISCARD | WRITE_ZEROES,
            ours: 0,
            queue_sizes: vec![256],
            configuration: Configuration::Theirs(size_of::<Config>()),
            consistent: |_| true,
            reconnects: true,
        }
    }
}
