//! Virtio registers of a device slot in the window: a transport beside PCI, MMIO and channel I/O
//! (virtio 1.2 §4) for two halves that share memory and nothing else.
//!
//! A register here is only memory; no access to it traps. So:
//! * **Each word has one writer.** The driver half of the page is written by [`DriverRegs`] alone,
//!   the device half by [`DeviceRegs`] alone. The device status of §2.1 therefore is a pair of
//!   words ([`StatusWord`]): the driver says what it wants, the device answers with what it has done.
//! * **Addresses are offsets in the window**, those of the rings and those in descriptors.
//! * **Kicks go through doorbells**: driver to device rings the slot's doorbell
//!   (`layout::DEVICE_DOORBELLS`), device to driver rings the doorbell of the vCPU that the
//!   driver named for the queue (`layout::VCPU_DOORBELLS`). A doorbell's `parked` word says whether
//!   the peer needs waking, for all its queues at once. With `EVENT_IDX` (§2.7.10, §2.8.10) a queue
//!   also says whether its peer is to ring at all; without, a peer always rings, and neither side
//!   looks at the rings' `flags`.
//! * **The configuration space is written by the device only**, under a generation count that is
//!   odd while it changes (§2.5 asks for a generation, not for how).
//!
//! Whoever changes a status word or a queue rings the peer's doorbell afterwards.
#![no_std]
#![forbid(unsafe_code)]

mod device;
mod driver;
mod page;

pub use device::{DeviceRegs, QueueSetup};
pub use driver::{DriverRegs, QueueRegs, RegsError};
pub use page::{CONFIG_LEN, MAX_QUEUES, StatusWord, Wake};
