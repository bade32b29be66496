//! What can be wrong.

use core::fmt;

/// The disk could not be read; its owner knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceError;

/// Why there is no partition table. But for `Source` and `Disk`, who wrote the disk is guilty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GptError {
    /// The disk could not be read.
    Source,
    /// The caller is guilty: a block length that is no power of two from 512 to 65,536, or fewer blocks
    /// than a table needs.
    Disk,
    /// There is no header.
    NotGpt,
    /// A revision other than 1.0.
    Revision(u32),
    /// A header breaks a rule.
    Header(&'static str),
    /// A checksum does not fit.
    Checksum(&'static str),
    /// A partition entry breaks a rule; the number counts from 1.
    Entry {
        /// Its number.
        number: u32,
        /// Which rule.
        what: &'static str,
    },
}

impl fmt::Display for GptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("the disk with the partition table cannot be read"),
            Self::Disk => f.write_str("the disk is too small for a partition table, or has impossible blocks"),
            Self::NotGpt => f.write_str("no GUID partition table"),
            Self::Revision(revision) => write!(f, "partition table of revision {revision:#x}"),
            Self::Header(what) => write!(f, "partition table is corrupt: {what}"),
            Self::Checksum(what) => write!(f, "partition table is corrupt: checksum of the {what}"),
            Self::Entry { number, what } => write!(f, "partition table is corrupt: entry {number}: {what}"),
        }
    }
}

impl core::error::Error for GptError {}

impl From<SourceError> for GptError {
    fn from(_: SourceError) -> Self {
        Self::Source
    }
}
