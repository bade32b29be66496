//! Streams that are hashed, bounded and unpacked as they are read.

use crate::digest::Digest;
use anyhow::{Result, ensure};
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use std::io::{self, BufRead, BufReader, Read};

/// Bytes read at a time.
const BUFFER: usize = 256 << 10;

/// A reader that knows the hash and number of all bytes that came through it.
pub(crate) struct Hashed<R> {
    from: R,
    hash: Sha256,
    length: u64,
}

impl<R: Read> Hashed<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, hash: Sha256::new(), length: 0 }
    }

    /// Reads what is left and compares. `what` names the stream in the error.
    pub(crate) fn finish(mut self, digest: &Digest, size: Option<u64>, what: &str) -> Result<()> {
        io::copy(&mut self, &mut io::sink())?;
        if let Some(size) = size {
            ensure!(self.length == size, "{what} has {} bytes and should have {size}", self.length);
        }
        let found = Digest(self.hash.finalize().into());
        ensure!(found == *digest, "{what} is not what its digest says: it should be {digest} and is {found}");
        Ok(())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(into)?;
        self.hash.update(&into[..count]);
        self.length += count as u64;
        Ok(count)
    }
}

/// A reader that fails once more than a number of bytes came through it, and tells how far it is.
pub(crate) struct Bounded<'p, R> {
    from: R,
    left: &'p mut u64,
    progress: &'p mut dyn FnMut(u64),
}

impl<'p, R: Read> Bounded<'p, R> {
    pub(crate) fn new(from: R, left: &'p mut u64, progress: &'p mut dyn FnMut(u64)) -> Self {
        Self { from, left, progress }
    }
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(into)? as u64;
        let Some(left) = self.left.checked_sub(count) else {
            return Err(io::Error::other("the image is larger, unpacked, than it may be: a larger --size permits it"));
        };
        *self.left = left;
        (self.progress)(count);
        Ok(count as usize)
    }
}

/// Unpacks gzip (RFC 1952) and zstd (RFC 8878), told by their first bytes as docker does, since
/// media types are often wrong; anything else is taken as it is.
pub(crate) fn unpacked<'r>(from: impl Read + 'r) -> Result<Box<dyn Read + 'r>> {
    let mut from = BufReader::with_capacity(BUFFER, from);
    Ok(match from.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(from)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(from)?),
        _ => Box::new(from),
    })
}
