//! What every virtio driver needs: the driver side of virtqueues, the bring-up of a device, and the
//! DMA memory both live in.
//!
//! The rings lie in untrusted memory. What matters about them (free descriptors, chains in flight,
//! how long they are, both indices) is kept in trusted memory and never read back; the device's word
//! is read once and compared with it. The first lie poisons the queue.
//!
//! A queue's interface speaks of chains of buffers and tokens, not of rings, so that split (§2.7) and
//! packed (§2.8) virtqueues have the same one, [`Virtqueue`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod arena;
mod bringup;
mod chain;
mod chunks;
mod error;
mod packed;
mod probe;
mod queue;
mod split;

pub use arena::{DmaArena, DmaBuffer};
pub use bringup::{Patience, Phase, alive, negotiate, queue_size, reset, start};
pub use chain::{Segment, Used};
pub use chunks::{CHUNK_LEN, ChunkPool};
pub use error::{AddError, DeviceError, VirtioError};
pub use packed::PackedQueue;
pub use probe::QueueProbe;
pub use queue::Virtqueue;
pub use split::SplitQueue;
