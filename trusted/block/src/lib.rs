//! Disks made of other disks. Each wraps a [`BlockDevice`](rkt_blockdev::BlockDevice) and is one, so they
//! stack in any order.
//!
//! - [`Partition`]: a part of a disk.
//! - [`Trace`]: tells of each request.
//! - [`Fault`], [`Delay`]: a disk that fails or dawdles when told to, for tests of what lies above.
//! - [`Overlay`]: changes in memory, over a disk that stays as it is.
//! - [`MemoryDisk`]: the bottom of such a stack.
//! - [`Blocking`]: one request at a time, any offset and length, for whoever has to wait anyway.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod blocking;
mod delay;
mod fault;
mod memory;
mod overlay;
mod partition;
mod shift;
mod trace;

pub use blocking::Blocking;
pub use delay::Delay;
pub use fault::{Fault, Verdict};
pub use memory::MemoryDisk;
pub use overlay::Overlay;
pub use partition::{Partition, PartitionError};
pub use shift::{Shift, Slice};
pub use trace::{Event, Trace};

/// Hands the named methods of [`BlockDevice`](rkt_blockdev::BlockDevice) on to the disk in a field.
#[macro_export]
macro_rules! delegate {
    ($inner:ident: $($method:ident),*) => { $( $crate::delegate!(@ $inner $method); )* };
    (@ $inner:ident geometry) => {
        fn geometry(&self) -> rkt_blockdev::Geometry { self.$inner.geometry() }
    };
    (@ $inner:ident kick) => { fn kick(&mut self) { self.$inner.kick() } };
    (@ $inner:ident has_work) => { fn has_work(&self) -> bool { self.$inner.has_work() } };
    (@ $inner:ident deadline) => { fn deadline(&self) -> Option<u64> { self.$inner.deadline() } };
    (@ $inner:ident in_flight) => { fn in_flight(&self) -> usize { self.$inner.in_flight() } };
    (@ $inner:ident stats) => { fn stats(&self) -> rkt_blockdev::BlockStats { self.$inner.stats() } };
    (@ $inner:ident fault) => {
        fn fault(&self) -> Option<&dyn core::fmt::Display> { self.$inner.fault() }
    };
    (@ $inner:ident reset) => {
        fn reset(&mut self, wait: &mut dyn FnMut()) -> Result<(), rkt_blockdev::BlockError> { self.$inner.reset(wait) }
    };
}
