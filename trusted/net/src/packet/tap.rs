//! Which packet sockets a frame is for, and what waits in them.

use super::ring::Ring;
use crate::address::LinkAddress;
use crate::filter::Filter;
use crate::stack::{Frame, FrameKind, FrameSink};
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use rkt_bpf::{Fact, Packet};
use rkt_linux_abi::general::{POLLIN, POLLRDNORM};
use rkt_linux_abi::{Errno, Result};
use rkt_netdev::ETHERNET_HEADER_LEN;
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;

/// ETH_P_ALL of linux/if_ether.h: frames of all protocols, those that leave among them.
const EVERYTHING: u16 = 3;
/// What a queued frame counts beside its bytes, about Linux's `sk_buff`.
const OVERHEAD: usize = 576;
/// Bits of the status word (packet(7), linux/if_packet.h).
pub(super) const STATUS_USER: u32 = 1;
const STATUS_CHECKSUM_NOT_READY: u32 = 8;
const STATUS_CHECKSUM_VALID: u32 = 128;

/// What a socket listens to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub protocol: u16,
    pub interface: Option<u32>,
}

/// A frame that waits.
#[derive(Clone)]
pub(super) struct Waiting {
    pub from: LinkAddress,
    /// What the filter let through.
    pub bytes: Vec<u8>,
    /// Bytes of it all.
    pub whole: usize,
    pub status: u32,
    /// Nanoseconds since 1970.
    pub at: u64,
}

impl Waiting {
    fn cost(&self) -> usize {
        self.bytes.len().saturating_add(OVERHEAD)
    }
}

pub(super) struct Inner {
    pub bound: Bound,
    pub frames: VecDeque<Waiting>,
    /// Bytes that the frames count, and may.
    pub used: usize,
    pub limit: usize,
    pub error: Option<Errno>,
    pub filter: Filter,
    /// PACKET_RX_RING: frames go there instead.
    pub ring: Option<Arc<Ring>>,
    /// PACKET_VERSION and PACKET_RESERVE of the ring to come.
    pub version: u32,
    pub reserve: u32,
    /// PACKET_AUXDATA.
    pub auxiliary: bool,
    /// PACKET_IGNORE_OUTGOING.
    pub incoming_only: bool,
    /// PACKET_STATISTICS: frames taken, and lost for lack of room.
    pub taken: u32,
    pub lost: u32,
    /// PACKET_ADD_MEMBERSHIP: interface, kind and address, with how often.
    pub memberships: Vec<([u8; 16], u32)>,
    /// Options that are kept for who reads them back.
    pub hints: Vec<(u32, i32)>,
}

/// The receiving side of a packet socket.
pub(super) struct Tap {
    pub id: u64,
    /// Without the link's header.
    pub cooked: bool,
    pub waiters: Arc<WaitQueue>,
    pub inner: Mutex<Inner>,
}

impl Tap {
    /// The frame that has waited longest.
    ///
    /// # Errors
    /// `EAGAIN` if there is none; the socket's error.
    pub fn take(&self, peek: bool) -> Result<Waiting> {
        let mut inner = self.inner.lock();
        if let Some(error) = inner.error.take() {
            return Err(error);
        }
        if peek {
            return inner.frames.front().cloned().ok_or(Errno::EAGAIN);
        }
        let waiting = inner.frames.pop_front().ok_or(Errno::EAGAIN)?;
        inner.used = inner.used.saturating_sub(waiting.cost());
        Ok(waiting)
    }

    /// Takes a frame that it wants.
    fn frame(&self, frame: &Frame<'_>) {
        let mut inner = self.inner.lock();
        let Bound { protocol, interface } = inner.bound;
        let outgoing = frame.kind == FrameKind::Outgoing;
        let of_protocol = if protocol == EVERYTHING { true } else { protocol == frame.protocol() && !outgoing };
        if !of_protocol || protocol == 0 || interface.is_some_and(|interface| interface != frame.interface) {
            return;
        }
        if frame.sender == self.id || outgoing && inner.incoming_only {
            return;
        }
        // Cooked sockets see packets from the network's header on.
        let start = if self.cooked { ETHERNET_HEADER_LEN } else { 0 };
        let bytes = frame.bytes.get(start..).unwrap_or(&[]);
        let network = ETHERNET_HEADER_LEN - start;
        let Some(len) = inner.filter.pass(&Packet { bytes, network, fact: &|fact| fact_of(frame, fact) }) else {
            return;
        };
        let waiting = Waiting {
            from: address(frame),
            bytes: bytes.get(..len).unwrap_or(bytes).to_vec(),
            whole: bytes.len(),
            status: STATUS_USER | checksum_status(frame),
            at: rkt_platform::wall(),
        };
        let room = match &inner.ring {
            Some(ring) => ring.put(&waiting, network, inner.lost > 0),
            None => inner.used < inner.limit,
        };
        if !room {
            inner.lost = inner.lost.wrapping_add(1);
            return;
        }
        inner.taken = inner.taken.wrapping_add(1);
        if inner.ring.is_none() {
            inner.used += waiting.cost();
            inner.frames.push_back(waiting);
        }
        drop(inner);
        self.waiters.wake_all(POLLIN | POLLRDNORM);
    }
}

fn checksum_status(frame: &Frame<'_>) -> u32 {
    match frame.checksum {
        rkt_netdev::Checksum::Partial { .. } => STATUS_CHECKSUM_NOT_READY,
        rkt_netdev::Checksum::Valid if frame.kind != FrameKind::Outgoing => STATUS_CHECKSUM_VALID,
        _ => 0,
    }
}

/// What filters may ask beside the bytes.
fn fact_of(frame: &Frame<'_>, fact: Fact) -> u32 {
    match fact {
        Fact::Protocol => frame.protocol().into(),
        Fact::PacketType => frame.kind as u32,
        Fact::Interface => frame.interface,
        Fact::Hardware => frame.hardware.into(),
        Fact::Cpu => rkt_platform::cpu() as u32,
        Fact::Random => crate::ports::random(),
        _ => 0,
    }
}

/// Whom a frame is from, as `struct sockaddr_ll`.
fn address(frame: &Frame<'_>) -> LinkAddress {
    const MAC: core::ops::Range<usize> = 6..12;
    let mut address = [0; 8];
    for (into, from) in address.iter_mut().zip(frame.bytes.get(MAC).unwrap_or(&[])) {
        *into = *from;
    }
    LinkAddress {
        protocol: frame.protocol(),
        interface: frame.interface,
        hardware: frame.hardware,
        kind: frame.kind as u8,
        address_len: 6,
        address,
        padded: true,
    }
}

/// All packet sockets.
#[derive(Default)]
pub(crate) struct Taps {
    taps: Mutex<Vec<Weak<Tap>>>,
    /// Whether any of them wants frames, so that nothing is asked where none does.
    listening: AtomicBool,
    /// Who sees them all.
    capture: Option<Arc<dyn FrameSink>>,
}

impl Taps {
    pub fn new(capture: Option<Arc<dyn FrameSink>>) -> Self {
        Self { capture, ..Self::default() }
    }

    pub(super) fn add(&self, cooked: bool, protocol: u16, limit: usize) -> Arc<Tap> {
        /// 0 is nobody's.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let inner = Inner {
            bound: Bound { protocol, interface: None },
            frames: VecDeque::new(),
            used: 0,
            limit,
            error: None,
            filter: Filter::default(),
            ring: None,
            version: 0,
            reserve: 0,
            auxiliary: false,
            incoming_only: false,
            taken: 0,
            lost: 0,
            memberships: Vec::new(),
            hints: Vec::new(),
        };
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let tap = Arc::new(Tap { id, cooked, waiters: Arc::new(WaitQueue::new()), inner: Mutex::new(inner) });
        self.taps.lock().push(Arc::downgrade(&tap));
        self.changed();
        tap
    }

    /// A socket was closed.
    pub(super) fn remove(&self, closed: &Arc<Tap>) {
        self.taps.lock().retain(|tap| tap.as_ptr() != Arc::as_ptr(closed));
        self.changed();
    }

    /// A socket listens to something else.
    pub(super) fn changed(&self) {
        let any = self.all().iter().any(|tap| tap.inner.lock().bound.protocol != 0);
        self.listening.store(any, Ordering::Relaxed);
    }

    fn all(&self) -> Vec<Arc<Tap>> {
        self.taps.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

impl FrameSink for Taps {
    fn listens(&self) -> bool {
        self.capture.is_some() || self.listening.load(Ordering::Relaxed)
    }

    fn frame(&self, frame: &Frame<'_>) {
        if let Some(capture) = &self.capture {
            capture.frame(frame);
        }
        self.all().iter().for_each(|tap| tap.frame(frame));
    }
}
