//! Disk images: ext4 as it is, in a LUKS2 container, or under a dm-verity tree. They are made by the
//! same code that the enclave mounts them with, so no right and no tool of the host is needed.

mod create;
mod file;
mod look;
mod luks;
mod populate;
mod size;
mod verity;

pub use create::{CreatedDisk, DiskFormat, DiskOptions, create_disk};
pub use look::{DiskContents, DiskImage, DiskKind};
pub use luks::change_key;

/// A lock of the host, for file systems that one thread uses.
type Lock = parking_lot::RawMutex;

/// The mounted file system of a disk image.
type Mounted = rkt_ext4::Ext4<Lock>;

/// Where a disk image says how it wants to be run.
const CONFIG: &str = "/.rkt-io.json";
