//! Memory of a process: what is mapped where (DESIGN §4, §5).
//!
//! The tree of areas says what the application may do; the platform's mappings follow it.
//! Anonymous memory is private to the address space and the host fills it. Files are mapped by
//! aliasing the folios of their page cache, so that mappings and read and write see the same
//! bytes; a private mapping that may be written is a copy.

mod advise;
mod area;
mod content;
mod copy;
mod fault;
mod lock;
mod map;
mod plain;
mod remap;
mod sites;
mod space;
mod view;
mod visit;

pub use area::{Area, Backing, Marks};
pub use copy::{copy_space, end_space, retire, spare_space};
pub use fault::{FaultCause, classify, prefault, shortened};
pub use map::{MapRequest, Placement, range};
pub use plain::PlainRanges;
pub use sites::{prove, rewrite_known};
pub use space::{Layout, Limits, Mm};
