//! A single-producer single-consumer byte stream through the window: stdio and logs.

use crate::{OutOfBounds, Region};
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

const HEAD: usize = 0; // written by the producer: bytes ever put in, modulo 2^32
const TAIL: usize = 64; // written by the consumer: bytes ever taken out, modulo 2^32
const CLOSED: usize = 68; // written by the consumer: it will take no more
const ENDED: usize = 4; // written by the producer: it will put no more
const DATA: usize = 128;

/// Which end of the ring this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Puts bytes in.
    Producer,
    /// Takes bytes out.
    Consumer,
}

/// What is wrong with a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// The region cannot hold a ring: too small, or its data area is no power of two.
    Layout,
    /// The other side wrote an index that no honest peer can reach.
    Index {
        /// Our own index.
        own: u32,
        /// The index that the peer claims.
        peer: u32,
    },
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout => write!(f, "the region cannot hold a byte ring"),
            Self::Index { own, peer } => write!(f, "peer's ring index {peer} is impossible beside ours, {own}"),
        }
    }
}

impl core::error::Error for RingError {}

impl From<OutOfBounds> for RingError {
    fn from(_: OutOfBounds) -> Self {
        Self::Layout
    }
}

/// One end of a byte ring. Our own index lives here, in private memory; the shared copy is
/// only ever written, so the other side cannot move us.
pub struct ByteRing {
    data: Region,
    mask: u32,
    own: u32,
    head: &'static AtomicU32,
    tail: &'static AtomicU32,
    closed: &'static AtomicU32,
    ended: &'static AtomicU32,
    side: Side,
}

impl ByteRing {
    /// Bytes of region that a ring with `capacity` bytes of data takes.
    pub const fn region_len(capacity: usize) -> usize {
        DATA + capacity
    }

    /// Opens one end. A fresh ring is all zeroes. Reopening a ring that was used is not possible.
    ///
    /// # Errors
    /// `Layout` if the region's data area is not a power of two from 64 bytes to 2 GiB.
    pub fn open(region: Region, side: Side) -> Result<Self, RingError> {
        let capacity = region.len().checked_sub(DATA).ok_or(RingError::Layout)?;
        if !capacity.is_power_of_two() || !(64..=1 << 31).contains(&capacity) {
            return Err(RingError::Layout);
        }
        Ok(Self {
            data: region.sub(DATA, capacity)?,
            mask: capacity as u32 - 1,
            own: 0,
            head: region.atomic_u32(HEAD)?,
            tail: region.atomic_u32(TAIL)?,
            closed: region.atomic_u32(CLOSED)?,
            ended: region.atomic_u32(ENDED)?,
            side,
        })
    }

    fn capacity(&self) -> u32 {
        self.mask + 1
    }

    /// Bytes between the consumer's and the producer's index, checked.
    fn filled(&self) -> Result<u32, RingError> {
        let (head, tail, peer) = match self.side {
            Side::Producer => {
                let tail = self.tail.load(Ordering::Acquire);
                (self.own, tail, tail)
            }
            Side::Consumer => {
                let head = self.head.load(Ordering::Acquire);
                (head, self.own, head)
            }
        };
        let filled = head.wrapping_sub(tail);
        if filled > self.capacity() { Err(RingError::Index { own: self.own, peer }) } else { Ok(filled) }
    }

    /// Bytes that can be moved now: room for the producer, content for the consumer.
    ///
    /// # Errors
    /// `Index` if the peer's index is impossible.
    pub fn available(&self) -> Result<usize, RingError> {
        let filled = self.filled()?;
        Ok(match self.side {
            Side::Producer => self.capacity() - filled,
            Side::Consumer => filled,
        } as usize)
    }

    /// Puts in as many bytes as there is room for and says how many. Producer only.
    ///
    /// # Errors
    /// `Index` if the peer's index is impossible; `Layout` on the wrong side.
    pub fn put(&mut self, bytes: &[u8]) -> Result<usize, RingError> {
        if self.side != Side::Producer {
            return Err(RingError::Layout);
        }
        let n = bytes.len().min(self.available()?);
        let at = (self.own & self.mask) as usize;
        let first = n.min(self.capacity() as usize - at);
        let (a, b) = bytes.split_at(n).0.split_at(first);
        self.data.write(at, a)?;
        self.data.write(0, b)?;
        self.own = self.own.wrapping_add(n as u32);
        self.head.store(self.own, Ordering::Release);
        Ok(n)
    }

    /// Takes out up to `into.len()` bytes and says how many. Consumer only.
    ///
    /// # Errors
    /// `Index` if the peer's index is impossible; `Layout` on the wrong side.
    pub fn take(&mut self, into: &mut [u8]) -> Result<usize, RingError> {
        if self.side != Side::Consumer {
            return Err(RingError::Layout);
        }
        let n = into.len().min(self.available()?);
        let at = (self.own & self.mask) as usize;
        let first = n.min(self.capacity() as usize - at);
        let (a, b) = into.split_at_mut(n).0.split_at_mut(first);
        self.data.read(at, a)?;
        self.data.read(0, b)?;
        self.own = self.own.wrapping_add(n as u32);
        self.tail.store(self.own, Ordering::Release);
        Ok(n)
    }

    /// Producer: end of stream. Consumer: broken pipe from now on.
    pub fn shut(&self) {
        match self.side {
            Side::Producer => self.ended.store(1, Ordering::Release),
            Side::Consumer => self.closed.store(1, Ordering::Release),
        }
    }

    /// Whether the other side has said that it is done (see [`ByteRing::shut`]).
    pub fn peer_shut(&self) -> bool {
        let word = match self.side {
            Side::Producer => self.closed,
            Side::Consumer => self.ended,
        };
        word.load(Ordering::Acquire) != 0
    }
}
