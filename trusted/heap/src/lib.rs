//! Memory of the trusted region: pages by a buddy allocator, small objects by slabs over it, and a
//! magazine of objects for each vCPU in front, which makes the common allocation a few loads and
//! stores without a lock.
//!
//! The region is a sparse shared mapping, zero where never touched. Nothing is written into free
//! pages, so that they can be given back to the host; which of them hold data is kept in a bit a
//! page, so that pages known to be zero are not cleared again. All state lies in statics and in the
//! region itself: every process that shares them shares the heap.
#![no_std]

#[cfg(test)]
extern crate std;

mod blocks;
mod buddy;
mod class;
mod dirty;
mod heap;
mod magazine;
mod pages;
mod region;
mod slab;

pub use blocks::{Folio, OutOfRange, PageBox};
pub use heap::{Heap, Hooks};
pub use pages::Stats;
pub use region::BadRegion;

/// The heap of the trusted region. The image gives it the region at boot and makes it the global
/// allocator; tests of kernel crates give it memory of their own.
pub static REGION: Heap = Heap::new();

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Greatest alignment of an allocation.
pub const MAX_ALIGN: usize = 2 << 20;
/// Greatest length of an allocation.
pub const MAX_LEN: usize = PAGE << buddy::MAX_ORDER;
/// Most vCPUs.
pub const MAX_CPUS: usize = 64;
