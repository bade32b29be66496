//! What the storage stack asks of a disk, whoever made it, and of the layers above it: encryption,
//! sealing, tracing and faults have the same interface and stack.
//!
//! Requests own their buffers and are completed in any order: [`BlockDevice::submit`] a batch, one
//! [`BlockDevice::kick`], [`BlockDevice::poll`] for completions. A completion gives the request
//! back with its buffer.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use rkt_window::{OutOfBounds, Region};

/// What a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes of a block: a power of two from 512. Offsets and lengths are multiples of it.
    pub block_len: u32,
    /// Size in bytes; a multiple of `block_len`.
    pub len: u64,
    /// Writes and discards are refused.
    pub read_only: bool,
    /// Most bytes of one discard; 0 if the disk does not know discard.
    pub max_discard: u64,
    /// Most bytes of one write of zeroes; 0 if the disk does not know that.
    pub max_write_zeroes: u64,
    /// Most bytes of one read or write; a multiple of `block_len`.
    pub max_transfer: usize,
}

/// What to do. Offsets and lengths are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Fills the buffer from `offset` on.
    Read {
        /// Where on the disk.
        offset: u64,
        /// To be filled; its length says how much. If the read fails its content means nothing.
        data: Vec<u8>,
    },
    /// Writes the buffer from `offset` on.
    Write {
        /// Where on the disk.
        offset: u64,
        /// What to write.
        data: Vec<u8>,
        /// Force unit access: complete only when durable.
        fua: bool,
    },
    /// Makes every write durable that was completed before this is submitted.
    Flush,
    /// The content of a range is no longer needed; what it reads as afterwards is undefined.
    Discard {
        /// Where on the disk.
        offset: u64,
        /// How much.
        len: u64,
    },
    /// Makes a range read as zeroes, without data to transfer. Durable after the next flush, as a write.
    WriteZeroes {
        /// Where on the disk.
        offset: u64,
        /// How much.
        len: u64,
    },
}

/// Names a request in flight; never used twice by one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A request that has ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Completion {
    /// As returned by [`BlockDevice::submit`].
    pub token: Token,
    /// The request, with its buffer.
    pub request: Request,
    /// How it ended.
    pub result: Result<(), BlockError>,
}

/// Why a request failed. To the application all of these are `EIO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockError {
    /// The medium is guilty: the device reports an I/O error.
    Io,
    /// The device is guilty: it refuses a request that it said it understands.
    Refused,
    /// The device is guilty: it lied, fell silent or was reset.
    Device,
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Io => "I/O error reported by the disk",
            Self::Refused => "disk refused a request that it supports",
            Self::Device => "disk broke its protocol or was reset",
        })
    }
}

impl core::error::Error for BlockError {}

/// Why a request was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// No room now; there will be when a request has completed.
    Full,
    /// The caller is guilty: the range reaches past the end.
    OutOfRange,
    /// The caller is guilty: offset or length is no multiple of the block size, or the length is 0.
    Misaligned,
    /// The caller is guilty: more at once than the [`Geometry`] allows.
    TooLong,
    /// The caller is guilty: the disk is read-only.
    ReadOnly,
    /// The disk does not know discard, or writing zeroes.
    Unsupported,
    /// The device is guilty: it is down until a reset succeeds.
    Down,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "request queue full",
            Self::OutOfRange => "request reaches past the end of the disk",
            Self::Misaligned => "request is empty or not aligned to blocks",
            Self::TooLong => "request is longer than the disk takes at once",
            Self::ReadOnly => "disk is read-only",
            Self::Unsupported => "disk does not support the request",
            Self::Down => "disk is down",
        })
    }
}

impl core::error::Error for SubmitError {}

/// A request that was not accepted, given back.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Why.
    pub error: SubmitError,
    /// The request, unchanged.
    pub request: Request,
}

/// Counters since the disk was opened; they wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockStats {
    /// Reads completed.
    pub reads: u64,
    /// Their bytes.
    pub read_bytes: u64,
    /// Writes completed.
    pub writes: u64,
    /// Their bytes.
    pub write_bytes: u64,
    /// Flushes completed.
    pub flushes: u64,
    /// Discards completed.
    pub discards: u64,
    /// Writes of zeroes completed.
    pub write_zeroes: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Kicks that had work to tell of.
    pub kicks: u64,
    /// Successful resets after an error.
    pub resets: u64,
}

impl BlockStats {
    /// Counts a request that has ended.
    pub fn count(&mut self, request: &Request, result: Result<(), BlockError>) {
        let (counter, bytes) = match (request, result) {
            (_, Err(_)) => (&mut self.errors, None),
            (Request::Read { data, .. }, _) => (&mut self.reads, Some((&mut self.read_bytes, data.len()))),
            (Request::Write { data, .. }, _) => (&mut self.writes, Some((&mut self.write_bytes, data.len()))),
            (Request::Flush, _) => (&mut self.flushes, None),
            (Request::Discard { .. }, _) => (&mut self.discards, None),
            (Request::WriteZeroes { .. }, _) => (&mut self.write_zeroes, None),
        };
        *counter = counter.wrapping_add(1);
        if let Some((counter, bytes)) = bytes {
            *counter = counter.wrapping_add(bytes as u64);
        }
    }
}

impl BlockStats {
    /// Adds what another lane to the same disk has counted.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.reads, other.reads),
            (&mut self.read_bytes, other.read_bytes),
            (&mut self.writes, other.writes),
            (&mut self.write_bytes, other.write_bytes),
            (&mut self.flushes, other.flushes),
            (&mut self.discards, other.discards),
            (&mut self.write_zeroes, other.write_zeroes),
            (&mut self.errors, other.errors),
            (&mut self.kicks, other.kicks),
            (&mut self.resets, other.resets),
        ];
        for (mine, theirs) in pairs {
            *mine = mine.wrapping_add(theirs);
        }
    }
}

impl Geometry {
    /// Checks a request against the disk.
    ///
    /// # Errors
    /// Any of [`SubmitError`] for which the caller is guilty, and `Unsupported`.
    pub fn check(&self, request: &Request) -> Result<(), SubmitError> {
        let (offset, len, longest) = match request {
            Request::Flush => return Ok(()),
            Request::Write { .. } | Request::Discard { .. } | Request::WriteZeroes { .. } if self.read_only => {
                return Err(SubmitError::ReadOnly);
            }
            Request::Discard { .. } if self.max_discard == 0 => return Err(SubmitError::Unsupported),
            Request::WriteZeroes { .. } if self.max_write_zeroes == 0 => return Err(SubmitError::Unsupported),
            Request::Discard { offset, len } => (*offset, *len, self.max_discard),
            Request::WriteZeroes { offset, len } => (*offset, *len, self.max_write_zeroes),
            Request::Read { offset, data } | Request::Write { offset, data, .. } => {
                (*offset, data.len() as u64, self.max_transfer as u64)
            }
        };
        let block = u64::from(self.block_len);
        if len == 0 || !offset.is_multiple_of(block) || !len.is_multiple_of(block) {
            return Err(SubmitError::Misaligned);
        }
        if offset.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(SubmitError::OutOfRange);
        }
        if len > longest { Err(SubmitError::TooLong) } else { Ok(()) }
    }
}

/// Changes data on its way between trusted memory and the window, in the one pass that has to copy it anyway.
/// `at` is where the data lies on the disk, in bytes; a run begins and ends at borders of blocks.
pub trait Codec: Send + Sync {
    /// Puts data into the window at `offset`; each byte there is stored once.
    ///
    /// # Errors
    /// It does not fit.
    fn encode(&self, at: u64, from: &[u8], window: &Region, offset: usize) -> Result<(), OutOfBounds>;

    /// Takes data out of the window at `offset`; each byte there is loaded once.
    ///
    /// # Errors
    /// It does not lie there.
    fn decode(&self, at: u64, window: &Region, offset: usize, into: &mut [u8]) -> Result<(), OutOfBounds>;
}

/// A disk.
pub trait BlockDevice: Send {
    /// What the disk is. Only its size may change while it is up, when the host resizes it.
    fn geometry(&self) -> Geometry;

    /// From now on all data that is written and read passes through this codec; false if the disk does not
    /// copy data itself, so that the caller has to change it before and after.
    fn set_codec(&mut self, codec: Arc<dyn Codec>) -> bool {
        drop(codec);
        false
    }

    /// Queues a request.
    ///
    /// # Errors
    /// See [`SubmitError`]; the request comes back.
    fn submit(&mut self, request: Request) -> Result<Token, Rejected>;

    /// Tells the device of requests queued since the last kick, if any.
    fn kick(&mut self);

    /// The next completion, if any. A device that goes down completes all that is in flight with
    /// [`BlockError::Device`], so every request accepted is completed exactly once.
    fn poll(&mut self) -> Option<Completion>;

    /// Whether [`BlockDevice::poll`] may find something. Cheap: for the poller, and for the
    /// second look before it parks.
    fn has_work(&self) -> bool;

    /// When [`BlockDevice::poll`] has to be called even if there is no work, in nanoseconds of the
    /// clock that the disk was given: the device may have fallen silent. `None` if that is not watched.
    fn deadline(&self) -> Option<u64> {
        None
    }

    /// Requests accepted and not yet returned by [`BlockDevice::poll`].
    fn in_flight(&self) -> usize;

    /// Counters.
    fn stats(&self) -> BlockStats;

    /// Why the disk is down, for the log.
    fn fault(&self) -> Option<&dyn fmt::Display>;

    /// Brings the disk up again. What is in flight completes with [`BlockError::Device`]. `wait` is
    /// called between looks at the device, a bounded number of times.
    ///
    /// # Errors
    /// It stays down: [`BlockError::Device`].
    fn reset(&mut self, wait: &mut dyn FnMut()) -> Result<(), BlockError>;
}

impl<D: BlockDevice + ?Sized> BlockDevice for Box<D> {
    fn geometry(&self) -> Geometry {
        (**self).geometry()
    }

    fn set_codec(&mut self, codec: Arc<dyn Codec>) -> bool {
        (**self).set_codec(codec)
    }

    fn submit(&mut self, request: Request) -> Result<Token, Rejected> {
        (**self).submit(request)
    }

    fn kick(&mut self) {
        (**self).kick();
    }

    fn poll(&mut self) -> Option<Completion> {
        (**self).poll()
    }

    fn has_work(&self) -> bool {
        (**self).has_work()
    }

    fn deadline(&self) -> Option<u64> {
        (**self).deadline()
    }

    fn in_flight(&self) -> usize {
        (**self).in_flight()
    }

    fn stats(&self) -> BlockStats {
        (**self).stats()
    }

    fn fault(&self) -> Option<&dyn fmt::Display> {
        (**self).fault()
    }

    fn reset(&mut self, wait: &mut dyn FnMut()) -> Result<(), BlockError> {
        (**self).reset(wait)
    }
}
