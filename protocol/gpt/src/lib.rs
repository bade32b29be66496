//! GUID partition tables (UEFI specification 2.10, §5.3).
//!
//! [`Table::read`] reads whichever of the two copies is sound, and checks all of it: checksums, places,
//! and that partitions keep apart. The protective MBR is not looked at.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod error;
mod guid;
mod header;
mod table;

pub use error::{GptError, SourceError};
pub use guid::Guid;
pub use table::{Partition, Source, Table};
