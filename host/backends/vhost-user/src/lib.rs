//! The front end of vhost-user (QEMU's docs/interop/vhost-user.rst): a device in the window that another process
//! plays, say a disk of `qemu-storage-daemon` or a card of DPDK or Open vSwitch.
//!
//! That process works on the queues in the window itself; its memory table is the DMA area, nothing else. A
//! [`Relay`](rkt_virtio_device::Relay) passes on what the driver says.
#![forbid(unsafe_code)]

mod connection;
mod device;
mod message;
mod model;

pub use device::VhostUser;
pub use model::{Configuration, Model};
