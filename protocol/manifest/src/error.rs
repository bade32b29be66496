//! What can be wrong with a manifest.

use core::fmt;

/// Why bytes are not a manifest, or a manifest has no encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestError {
    /// The bytes do not begin as a manifest does.
    NotAManifest,
    /// The manifest is of this version, which is not known.
    Version(u32),
    /// The bytes end before the field of this name does.
    Truncated(&'static str),
    /// Bytes follow the last field.
    Trailing,
    /// The field of this name is a variant that is not known.
    UnknownVariant(&'static str),
    /// The field of this name is too long, or holds too many items.
    TooLong(&'static str),
    /// The items of this field are not sorted, or one occurs twice.
    NotSorted(&'static str),
    /// The field of this name has a value that it must not have.
    Invalid(&'static str),
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAManifest => f.write_str("not an rkt-io manifest"),
            Self::Version(version) => write!(f, "manifest: version {version} is not supported"),
            Self::Truncated(field) => write!(f, "manifest: ends within {field}"),
            Self::Trailing => f.write_str("manifest: bytes behind the end"),
            Self::UnknownVariant(field) => write!(f, "manifest: unknown kind of {field}"),
            Self::TooLong(field) => write!(f, "manifest: {field} too long"),
            Self::NotSorted(field) => write!(f, "manifest: {field} not sorted, or one given twice"),
            Self::Invalid(field) => write!(f, "manifest: invalid {field}"),
        }
    }
}

impl core::error::Error for ManifestError {}
