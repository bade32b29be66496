//! Bytes between the window and a file, one transfer at a time. The kernel reads and writes the window
//! directly, so no byte is copied in this process and no Rust reference to window memory is made.

use rkt_window::Region;
use smallvec::SmallVec;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// The parts of the window that a transfer reads or writes, in order.
#[derive(Default)]
pub(crate) struct Parts(SmallVec<[libc::iovec; 4]>);

// SAFETY: the pointers are those of window memory, which any thread may use.
unsafe impl Send for Parts {}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the file into the window.
    Read,
    /// From the window into the file.
    Write {
        /// On the medium before the transfer is complete.
        durable: bool,
    },
}

impl Direction {
    /// The flags of `pwritev2(2)`.
    pub(crate) fn flags(self) -> i32 {
        if self == (Self::Write { durable: true }) { libc::RWF_DSYNC } else { 0 }
    }
}

impl Parts {
    /// Adds a part; neighbours become one.
    pub(crate) fn push(&mut self, part: Region) {
        match self.0.last_mut() {
            Some(last) if last.iov_base as usize + last.iov_len == part.address() => last.iov_len += part.len(),
            _ => self.0.push(libc::iovec { iov_base: part.address() as *mut libc::c_void, iov_len: part.len() }),
        }
    }

    /// As the kernel takes them. Must not change while the kernel uses them.
    pub(crate) fn raw(&self) -> &[libc::iovec] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|part| part.iov_len == 0)
    }

    /// Whether each part starts and ends at a multiple of `align`, a power of two.
    pub(crate) fn are_aligned(&self, align: usize) -> bool {
        self.0.iter().all(|part| (part.iov_base as usize | part.iov_len) & (align - 1) == 0)
    }

    /// Drops the first `n` bytes, for going on after a short transfer.
    pub(crate) fn advance(&mut self, mut n: usize) {
        while let Some(part) = self.0.first_mut() {
            if part.iov_len > n {
                part.iov_base = part.iov_base.wrapping_byte_add(n);
                part.iov_len -= n;
                return;
            }
            n -= part.iov_len;
            self.0.remove(0);
        }
    }
}

/// Moves all parts from or to `offset`, however many calls that takes.
///
/// # Errors
/// Those of the calls; `UnexpectedEof` where the file ends.
pub(crate) fn transfer(file: &File, direction: Direction, mut parts: Parts, mut offset: u64) -> io::Result<()> {
    while !parts.is_empty() {
        let at = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let (fd, raw) = (file.as_raw_fd(), parts.raw());
        let (list, count, flags) = (raw.as_ptr(), raw.len() as i32, direction.flags());
        // SAFETY: each part lies in the window, which is mapped until the process ends.
        let moved = unsafe {
            match (direction, raw) {
                // A single part is a tenth cheaper without a list.
                (Direction::Read, [part]) => libc::pread(fd, part.iov_base, part.iov_len, at),
                (Direction::Write { durable: false }, [part]) => libc::pwrite(fd, part.iov_base, part.iov_len, at),
                (Direction::Read, _) => libc::preadv(fd, list, count, at),
                (Direction::Write { .. }, _) => libc::pwritev2(fd, list, count, at, flags),
            }
        };
        match usize::try_from(moved) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                parts.advance(n);
                offset += n as u64;
            }
            Err(_) => match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::Interrupted => {}
                e => return Err(e),
            },
        }
    }
    Ok(())
}
