//! Extended attributes of files and directories, behind what else the body of their entry has: for
//! each a byte with the length of the name, the length of the value as 32 bits, name and value.

use crate::error::ImageError;
use alloc::vec::Vec;

/// An extended attribute (xattr(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Xattr<'a> {
    /// Its name with the namespace, 1 to 255 bytes, without a NUL.
    pub name: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
}

/// Iterates over stored attributes, up to the first error.
#[derive(Clone, Debug)]
pub struct Xattrs<'a>(&'a [u8]);

impl<'a> Xattrs<'a> {
    /// The attributes in the body of a directory's entry, or in a regular file's behind the extent.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self) -> Option<Xattr<'a>> {
        let (&name_length, rest) = self.0.split_first()?;
        let (value_length, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_at_checked(usize::from(name_length))?;
        let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value_length) as usize)?;
        self.0 = rest;
        (!name.is_empty() && !name.contains(&0)).then_some(Xattr { name, value })
    }
}

impl<'a> Iterator for Xattrs<'a> {
    type Item = Result<Xattr<'a>, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let taken = self.take().ok_or(ImageError::Xattrs);
        if taken.is_err() {
            self.0 = &[];
        }
        Some(taken)
    }
}

/// Appends the stored form of an attribute.
///
/// # Errors
/// [`ImageError::Xattrs`] for an impossible name, or a value of 4 GiB.
pub fn encode_xattr(xattr: Xattr<'_>, to: &mut Vec<u8>) -> Result<(), ImageError> {
    let Xattr { name, value } = xattr;
    let lengths = (u8::try_from(name.len()), u32::try_from(value.len()));
    let (Ok(name_length @ 1..), Ok(value_length)) = lengths else { return Err(ImageError::Xattrs) };
    if name.contains(&0) {
        return Err(ImageError::Xattrs);
    }
    to.push(name_length);
    to.extend_from_slice(&value_length.to_le_bytes());
    to.extend_from_slice(name);
    to.extend_from_slice(value);
    Ok(())
}
