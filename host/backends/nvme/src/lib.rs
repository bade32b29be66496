//! An NVMe controller in software: namespaces over files or block devices, registers and queues in the
//! window (`rkt-nvme-transport`), one thread that polls and sleeps when there is nothing to do.
//!
//! All that the driver says is checked: queues and PRP entries lie in the window, doorbells in their queues,
//! blocks on the disk. What cannot be is answered with a status, or stops the controller (`CSTS.CFS`) if
//! there is nobody to answer. A write that has completed is in the host's page cache or on the disk; it is
//! durable after the next completed flush (`fdatasync`), or at once with FUA (`RWF_DSYNC`).

mod admin;
mod command;
mod controller;
mod describe;
mod media;
mod prp;
mod queues;
mod ring;
mod running;
mod transfer;

pub use queues::Fault;
pub use rkt_backend_blk::{Disk, DiskError, DiskOptions};
pub use rkt_virtio_device::{Counters, Polling, Stats};
pub use running::{Options, RunningController, start};
