//! A cursor over the buffer that a packet is written into.

use crate::NoRoom;
use crate::checksum::Sum;
use zerocopy::{Immutable, IntoBytes};

pub(crate) struct Writer<'a> {
    into: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    #[inline]
    pub(crate) fn new(into: &'a mut [u8]) -> Self {
        Self { into, at: 0 }
    }

    /// Takes the next `len` bytes of the buffer.
    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&mut [u8], NoRoom> {
        let end = self.at.checked_add(len).ok_or(NoRoom)?;
        let taken = self.into.get_mut(self.at..end).ok_or(NoRoom)?;
        self.at = end;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.take(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// The second word of an ICMP header, then what follows it.
    pub(crate) fn both(&mut self, word: &[u8; 4], body: &[u8]) -> Result<(), NoRoom> {
        self.bytes(word)?;
        self.bytes(body)
    }

    #[inline]
    pub(crate) fn value(&mut self, value: &(impl IntoBytes + Immutable)) -> Result<(), NoRoom> {
        self.bytes(value.as_bytes())
    }

    pub(crate) fn zeros(&mut self, count: usize) -> Result<(), NoRoom> {
        self.take(count)?.fill(0);
        Ok(())
    }

    /// Bytes written.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.at
    }

    /// Stores the checksum over all that is written and `pseudo` at `offset`, where zeros stand.
    /// Returns the bytes written.
    pub(crate) fn seal(self, pseudo: Sum, offset: usize) -> Result<usize, NoRoom> {
        let written = self.into.get_mut(..self.at).ok_or(NoRoom)?;
        let checksum = (pseudo + Sum::of(written)).finish();
        let field = written.get_mut(offset..).and_then(|rest| rest.first_chunk_mut()).ok_or(NoRoom)?;
        *field = checksum.to_be_bytes();
        Ok(self.at)
    }
}
