//! `--pcap`: the frames that the network cards send and receive, as a file of packets through the capture's ring, if the
//! host wants it and the manifest allows it (`debug`).
//!
//! The enclave makes no call for it, and never waits: what finds no room is counted and lost.

use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_manifest::Manifest;
use rkt_net::{Frame, FrameKind, FrameSink};
use rkt_pcapng::{Direction, Packet};
use rkt_sync::Mutex;
use rkt_window::{ByteRing, Side, layout, layout::header};

/// Most bytes of a frame: one that the card cuts into segments.
const MOST: usize = 66_000;
/// Number of the first card's interface; the loopback is none.
const FIRST: u32 = 2;

struct Capture {
    inner: Mutex<Inner>,
}

struct Inner {
    ring: ByteRing,
    /// Of each interface the frames that were lost since the last that was not.
    dropped: Vec<u64>,
}

/// The capture of this manifest's cards, if it wants one.
pub fn start(manifest: &Manifest) -> Option<Arc<dyn FrameSink>> {
    let window = rkt_platform::window();
    if !manifest.debug || window.read_u32(header::CAPTURE_ASKED).unwrap_or(0) == 0 {
        return None;
    }
    let region = window.sub(layout::CAPTURE, ByteRing::region_len(layout::CAPTURE_CAPACITY)).ok()?;
    let mut inner = Inner { ring: ByteRing::open(region, Side::Producer).ok()?, dropped: Vec::new() };
    inner.put(&rkt_pcapng::section_header());
    for interface in &manifest.network {
        let name = core::str::from_utf8(&interface.name).unwrap_or_default();
        inner.put(&rkt_pcapng::interface(name, MOST as u32));
        inner.dropped.push(0);
    }
    Some(Arc::new(Capture { inner: Mutex::new(inner) }))
}

impl Inner {
    /// Puts a block in, or nothing of it.
    fn put(&mut self, block: &[u8]) -> bool {
        let fits = self.ring.available().is_ok_and(|room| room >= block.len());
        let stored = fits && self.ring.put(block).is_ok();
        if stored {
            rkt_platform::ring_console();
        }
        stored
    }
}

impl FrameSink for Capture {
    fn listens(&self) -> bool {
        true
    }

    fn frame(&self, frame: &Frame<'_>) {
        let Some(interface) = frame.interface.checked_sub(FIRST) else { return };
        let direction = if frame.kind == FrameKind::Outgoing { Direction::Outbound } else { Direction::Inbound };
        let mut inner = self.inner.lock();
        let Some(dropped) = inner.dropped.get(interface as usize).copied() else { return };
        let stored = inner.put(&rkt_pcapng::packet(&Packet {
            interface,
            direction,
            at: rkt_platform::wall(),
            bytes: frame.bytes.get(..MOST).unwrap_or(frame.bytes),
            whole: frame.bytes.len() as u32,
            dropped,
        }));
        if let Some(count) = inner.dropped.get_mut(interface as usize) {
            *count = if stored { 0 } else { dropped.saturating_add(1) };
        }
    }
}
