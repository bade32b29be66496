//! PACKET_RX_RING: frames in memory that the program maps (Documentation/networking/packet_mmap.rst of Linux), of the
//! versions TPACKET_V1 and TPACKET_V2.
//!
//! A frame's slot starts with its status, the word by which kernel and program hand it to each other.

use super::tap::{STATUS_USER, Waiting};
use crate::address::Address;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use rkt_heap::Folio;
use rkt_linux_abi::{Errno, PAGE_SIZE, Result};

/// TPACKET_ALIGNMENT.
const ALIGNMENT: usize = 16;
/// Bytes of `struct tpacket_hdr` and of `struct tpacket2_hdr`, both of which end at a multiple of [`ALIGNMENT`].
const HEADER_LEN: usize = 32;
/// Bytes of `struct sockaddr_ll`.
const ADDRESS_LEN: usize = 20;
/// Least bytes between header and packet, for the link's header.
const LINK_ROOM: usize = 16;
/// Most bytes of a ring.
const MAX_BYTES: usize = 256 << 20;
/// TP_STATUS_LOSING: frames were lost.
const STATUS_LOSING: u32 = 4;
pub(super) const V1: u32 = 0;
pub(super) const V2: u32 = 1;

/// `struct tpacket_req`.
#[derive(Clone, Copy)]
pub(super) struct Request {
    pub block_size: u32,
    pub blocks: u32,
    pub frame_size: u32,
    pub frames: u32,
}

/// The ring.
pub struct Ring {
    /// The blocks, one behind the other.
    blocks: Vec<Arc<Folio>>,
    block_size: usize,
    frame_size: usize,
    frames: usize,
    version: u32,
    reserve: usize,
    /// Where the next frame goes.
    head: AtomicUsize,
}

/// PACKET_HDRLEN: bytes of the header of a version.
pub(super) fn header_len(version: u32) -> Option<usize> {
    matches!(version, V1 | V2).then_some(HEADER_LEN)
}

impl Ring {
    /// A ring as it was asked for.
    ///
    /// # Errors
    /// `EINVAL` for sizes that do not fit each other, `ENOMEM`.
    pub(super) fn new(request: Request, version: u32, reserve: u32) -> Result<Self> {
        let Request { block_size, blocks, frame_size, frames } = request;
        let [block_size, blocks, frame_size, frames] = [block_size, blocks, frame_size, frames].map(|n| n as usize);
        let reserve = reserve as usize;
        let least = (HEADER_LEN + ADDRESS_LEN).saturating_add(reserve);
        let per_block = block_size.checked_div(frame_size).unwrap_or(0);
        if block_size == 0
            || i32::try_from(block_size).is_err()
            || !block_size.is_multiple_of(PAGE_SIZE)
            || frame_size < least
            || !frame_size.is_multiple_of(ALIGNMENT)
            || per_block == 0
            || per_block.checked_mul(blocks) != Some(frames)
        {
            return Err(Errno::EINVAL);
        }
        if block_size.checked_mul(blocks).is_none_or(|all| all > MAX_BYTES) {
            return Err(Errno::ENOMEM);
        }
        let block = || Folio::zeroed(&rkt_heap::REGION, block_size / PAGE_SIZE).map(Arc::new).ok_or(Errno::ENOMEM);
        let blocks = (0..blocks).map(|_| block()).collect::<Result<_>>()?;
        let head = AtomicUsize::new(0);
        Ok(Self { blocks, block_size, frame_size, frames, version, reserve, head })
    }

    /// Bytes of the ring.
    #[must_use]
    pub fn size(&self) -> u64 {
        (self.block_size * self.blocks.len()) as u64
    }

    /// The block that has the byte at `offset`, and where it starts.
    #[must_use]
    pub fn block(&self, offset: u64) -> Option<(Arc<Folio>, u64)> {
        let nth = usize::try_from(offset).ok()?.checked_div(self.block_size)?;
        Some((self.blocks.get(nth)?.clone(), (nth * self.block_size) as u64))
    }

    /// Block and offset in it of a frame's slot.
    fn slot(&self, nth: usize) -> Option<(&Folio, usize)> {
        let per_block = self.block_size.checked_div(self.frame_size)?;
        let block = self.blocks.get(nth.checked_div(per_block)?)?;
        Some((block, nth.checked_rem(per_block)? * self.frame_size))
    }

    fn status(&self, nth: usize) -> u32 {
        let mut word = [0; 4];
        // Whoever maps the ring may store what it likes: anything but 0 is the program's.
        let read = self.slot(nth).is_some_and(|(block, at)| block.copy_out(at, &mut word).is_ok());
        if read { u32::from_ne_bytes(word) } else { STATUS_USER }
    }

    /// Whether the program has frames to look at: the last one that was stored is still its.
    pub(super) fn has_frames(&self) -> bool {
        let head = self.head.load(Ordering::Relaxed);
        let last = head.checked_sub(1).unwrap_or(self.frames.saturating_sub(1));
        self.status(last) != 0
    }

    /// Stores a frame whose network's header starts at `network`; false if the program has not freed its slot.
    pub(super) fn put(&self, waiting: &Waiting, network: usize, losing: bool) -> bool {
        let head = self.head.load(Ordering::Relaxed);
        if self.status(head) != 0 {
            return false;
        }
        let Some((block, at)) = self.slot(head) else { return false };
        let net_at = HEADER_LEN + (ADDRESS_LEN + network.max(LINK_ROOM)).next_multiple_of(ALIGNMENT) + self.reserve;
        let start = net_at.saturating_sub(network);
        let room = self.frame_size.saturating_sub(start);
        let bytes = waiting.bytes.get(..room).unwrap_or(&waiting.bytes);
        let header = self.header(waiting, bytes.len(), (start as u16, net_at as u16));
        let address = Address::Link(waiting.from).encode();
        // The status, which comes first, is stored last.
        let stored = block.copy_in(at + start, bytes).is_ok()
            && block.copy_in(at + HEADER_LEN, &address).is_ok()
            && block.copy_in(at + 4, header.get(4..).unwrap_or(&[])).is_ok();
        core::sync::atomic::fence(Ordering::Release);
        let status = waiting.status | if losing { STATUS_LOSING } else { 0 };
        let next = head + 1;
        self.head.store(if next < self.frames { next } else { 0 }, Ordering::Relaxed);
        stored && block.copy_in(at, &status.to_ne_bytes()).is_ok()
    }

    /// The header; the status in it is left 0.
    fn header(&self, waiting: &Waiting, stored: usize, (mac, net): (u16, u16)) -> Vec<u8> {
        const NS_PER_S: u64 = 1_000_000_000;
        let (seconds, fraction) = (waiting.at / NS_PER_S, waiting.at % NS_PER_S);
        let lens = [waiting.whole as u32, stored as u32].map(u32::to_ne_bytes).concat();
        let places = [mac, net].map(u16::to_ne_bytes).concat();
        let mut header = Vec::with_capacity(HEADER_LEN);
        if self.version == V1 {
            header.extend_from_slice(&[0; 8]);
            header.extend(lens);
            header.extend(places);
            header.extend([seconds as u32, (fraction / 1000) as u32].map(u32::to_ne_bytes).concat());
        } else {
            header.extend_from_slice(&[0; 4]);
            header.extend(lens);
            header.extend(places);
            header.extend([seconds as u32, fraction as u32].map(u32::to_ne_bytes).concat());
        }
        header.resize(HEADER_LEN, 0);
        header
    }
}
