//! What every virtio driver needs: the driver side of virtqueues, the bring-up of a device, and the
//! DMA memory both live in.
//!
//! The rings lie in untrusted memory. What matters about them (free descriptors, chains in flight,
//! how long they are, both indices) is kept in trusted memory and never read back; the device's word
//! is read once and compared with it. The first lie poisons the queue.
//!
//! A queue's interface speaks of chains of buffers and tokens, not of rings, so that a packed
//! virtqueue (§2.8) is another type with the same methods.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod arena;
mod bringup;
mod chunks;
mod error;
mod split;

pub use arena::{DmaArena, DmaBuffer};
pub use bringup::{Patience, Phase, alive, negotiate, queue_size, reset, start};
pub use chunks::{CHUNK_LEN, ChunkPool};
pub use error::{AddError, DeviceError, VirtioError};
pub use split::{QueueProbe, Segment, SplitQueue, Used};
