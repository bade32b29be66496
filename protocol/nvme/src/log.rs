//! Log pages (base §5.16.1).

use zerocopy::little_endian::{U16, U32, U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Log page identifiers.
pub mod log_page {
    /// Errors (base §5.16.1.2).
    pub const ERRORS: u8 = 0x01;
    /// SMART and health (base §5.16.1.3).
    pub const SMART: u8 = 0x02;
    /// Changed namespaces (base §5.16.1.5): a list of namespaces.
    pub const CHANGED_NAMESPACES: u8 = 0x04;
}

/// An entry of the error log (base §5.16.1.2), newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ErrorEntry {
    /// Number of the error; 0 = no entry.
    pub count: U64,
    /// Submission queue of the command.
    pub queue: U16,
    /// Its identifier.
    pub id: U16,
    /// Its status, with the phase tag in bit 0.
    pub status: U16,
    /// Which byte and bit of the command is wrong; all ones = none.
    pub location: U16,
    /// First block that failed.
    pub block: U64,
    /// Namespace.
    pub namespace: U32,
    /// Vendor specific page.
    pub vendor: u8,
    /// Transport type.
    pub transport: u8,
    _30: [u8; 2],
    /// Command specific.
    pub command: U64,
    _40: [u8; 24],
}

/// SMART and health (base §5.16.1.3): the first half, which has values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SmartLog {
    /// Bits: spare low, temperature, reliability degraded, read-only, backup failed.
    pub critical_warning: u8,
    /// Kelvin.
    pub temperature: U16,
    /// Percent of spare left.
    pub spare: u8,
    /// Percent of spare below which a warning is due.
    pub spare_threshold: u8,
    /// Percent of the endurance used; may pass 100.
    pub used: u8,
    _6: [u8; 26],
    /// Thousands of 512-byte units read.
    pub data_read: U128,
    /// Likewise written.
    pub data_written: U128,
    /// Commands.
    pub reads: U128,
    /// Commands.
    pub writes: U128,
    /// Minutes.
    pub busy_minutes: U128,
    /// Times powered.
    pub power_cycles: U128,
    /// Hours.
    pub power_on_hours: U128,
    /// Unsafe shutdowns.
    pub unsafe_shutdowns: U128,
    /// Media errors.
    pub media_errors: U128,
    /// Entries ever made in the error log.
    pub errors_logged: U128,
    _192: [u8; 64],
    _256: [u8; 256],
}

const _: () = assert!(size_of::<ErrorEntry>() == 64);
const _: () = assert!(size_of::<SmartLog>() == 512);
