//! Which names may be unpacked.

use core::fmt;

/// Longest path accepted, bytes without the NUL (`PATH_MAX` of Linux counts the NUL: 4096).
pub const PATH_MAX: usize = 4095;
/// Longest path component accepted, bytes.
pub const NAME_MAX: usize = 255;

/// Why a name is not a safe relative path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// The name is empty.
    Empty,
    /// The name exceeds [`PATH_MAX`], or a component [`NAME_MAX`].
    TooLong,
    /// The name holds a NUL byte.
    Nul,
    /// The name begins with a slash.
    Absolute,
    /// A component is empty, `.` or `..`.
    Component,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty name",
            Self::TooLong => "name too long",
            Self::Nul => "NUL in a name",
            Self::Absolute => "absolute name",
            Self::Component => "empty, '.' or '..' component in a name",
        })
    }
}

impl core::error::Error for NameError {}

/// Checks that `name` is a relative path in its one normal form: components separated by
/// single slashes, none of them `.` or `..`. The name `.` alone, the root, is accepted.
pub fn check_name(name: &[u8]) -> Result<(), NameError> {
    match name {
        b"" => return Err(NameError::Empty),
        b"." => return Ok(()),
        [b'/', ..] => return Err(NameError::Absolute),
        _ if name.len() > PATH_MAX => return Err(NameError::TooLong),
        _ if name.contains(&0) => return Err(NameError::Nul),
        _ => {}
    }
    for component in name.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." | b".." => return Err(NameError::Component),
            _ if component.len() > NAME_MAX => return Err(NameError::TooLong),
            _ => {}
        }
    }
    Ok(())
}
