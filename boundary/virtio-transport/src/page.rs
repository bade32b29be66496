//! Where the registers lie in the slot's page.

use core::sync::atomic::AtomicU32;
use rkt_window::layout::DEVICE_SLOT_LEN;

/// Most queues of a device: 16 pairs and a control queue.
pub const MAX_QUEUES: u16 = 33;
/// Bytes of configuration space.
pub const CONFIG_LEN: usize = 256;

/// Wakes whoever sleeps on a doorbell's word: one futex wake of one waiter. Given by the platform in
/// the enclave, by libc on the host.
pub type Wake = fn(&'static AtomicU32);

// Written by the device.
pub(crate) const KIND: usize = 0x000; // u32: virtio device id
pub(crate) const DEVICE_STATUS: usize = 0x004; // u32: StatusWord
pub(crate) const DEVICE_FEATURES: usize = 0x008; // u64
pub(crate) const NUM_QUEUES: usize = 0x010; // u32
pub(crate) const CONFIG_GENERATION: usize = 0x014; // u32: odd while the configuration changes
pub(crate) const QUEUE_SIZE_MAX: usize = 0x040; // u16 each
pub(crate) const CONFIG: usize = 0x100;

// Written by the driver.
pub(crate) const DRIVER_STATUS: usize = 0x800; // u32: StatusWord
pub(crate) const DRIVER_FEATURES: usize = 0x808; // u64
pub(crate) const QUEUES: usize = 0x840;

// In a queue block.
pub(crate) const QUEUE_LEN: usize = 32;
pub(crate) const QUEUE_SIZE: usize = 0; // u16
pub(crate) const QUEUE_ENABLED: usize = 2; // u16: 0 or 1
pub(crate) const QUEUE_VCPU: usize = 4; // u16
pub(crate) const QUEUE_DESC: usize = 8; // u64
pub(crate) const QUEUE_DRIVER: usize = 16; // u64
pub(crate) const QUEUE_DEVICE: usize = 24; // u64

const _: () = assert!(QUEUE_SIZE_MAX + 2 * MAX_QUEUES as usize <= CONFIG);
const _: () = assert!(CONFIG + CONFIG_LEN <= DRIVER_STATUS);
const _: () = assert!(QUEUES + QUEUE_LEN * MAX_QUEUES as usize <= DEVICE_SLOT_LEN);

/// A device status with the reset epoch that it belongs to.
///
/// The driver starts an epoch with each reset (status 0). The device answers in the driver's epoch:
/// it copies the driver's status once it has acted on it, sets `FAILED` in place of `FEATURES_OK` if
/// it refuses the features (a bit that is only missing could be an answer still to come), and adds
/// `DEVICE_NEEDS_RESET` if it is broken. An answer in another epoch is stale, so neither side can
/// take the end of one life for the start of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusWord {
    /// Number of the reset, modulo 2^24.
    pub epoch: u32,
    /// Bits of `rkt_virtio::status`.
    pub status: u8,
}

impl StatusWord {
    const EPOCH_MASK: u32 = 0x00ff_ffff;

    /// As it lies in the page: status in bits 0 to 7, epoch above.
    pub const fn to_word(self) -> u32 {
        (self.epoch & Self::EPOCH_MASK) << 8 | self.status as u32
    }

    /// From the page.
    pub const fn from_word(word: u32) -> Self {
        Self { epoch: word >> 8, status: word as u8 }
    }

    /// The reset that follows this one.
    pub const fn next_epoch(self) -> Self {
        Self { epoch: self.epoch.wrapping_add(1) & Self::EPOCH_MASK, status: 0 }
    }
}
