//! Virtio network driver (virtio 1.2 §5.1): pairs of queues, split or packed, told of by event index;
//! checksum, TCP and UDP segmentation offload both ways, mergeable receive buffers.
//!
//! Bytes of frames are copied once between trusted memory and buffers in the window. Two kinds of lie are
//! told apart. One that breaks the queue (ids, lengths, numbers of buffers) takes the card down
//! until [`rkt_netdev::NetDevice::reset`]. One about a single frame (a checksum outside it, a
//! segmentation that cannot be) costs that frame.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod control;
mod device;
mod header;
mod offer;
mod pair;
mod rx;
mod shared;
mod tx;

pub use device::{Options, VirtioNet};
