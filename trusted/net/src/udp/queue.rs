//! The receiving side of UDP sockets: which sockets a datagram is for, and what waits to be taken.

use crate::error_queue::ErrorQueue;
use crate::filter::Filter;
use crate::ip_options::{Facts, IpOptions};
use crate::memberships::Memberships;
use crate::options::Kind;
use crate::ports::PortTable;
use crate::stack::{DatagramSink, Incoming, Undelivered};
use crate::statistics::{Count, Family, Statistics};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, SocketAddr};
use rkt_linux_abi::net::{IP_MULTICAST_ALL, IPV6_MULTICAST_ALL, SOL_IP, SOL_IPV6};
use rkt_linux_abi::{Errno, general::*};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_wire::udp;

/// What a queued datagram counts beside its bytes, about Linux's `sk_buff`.
const OVERHEAD: usize = 576;

/// A datagram that waits.
#[derive(Clone)]
pub(super) struct Datagram {
    pub from: SocketAddr,
    pub payload: Vec<u8>,
    pub facts: Facts,
    /// When it came: nanoseconds since 1970, 0 if nobody wants to know.
    pub at: u64,
    /// How many were lost before it.
    pub lost: u32,
    /// It is a row of datagrams of so many bytes.
    pub segment: Option<u16>,
}

impl Datagram {
    pub fn cost(&self) -> usize {
        self.payload.len().saturating_add(OVERHEAD)
    }
}

/// What the lock of a queue guards.
pub(super) struct Inner {
    pub datagrams: VecDeque<Datagram>,
    /// Bytes that the datagrams count, and may.
    pub used: usize,
    pub limit: usize,
    pub peer: Option<SocketAddr>,
    pub error: Option<Errno>,
    pub errors: ErrorQueue,
    pub ip: IpOptions,
    pub memberships: Memberships,
    /// The interface that the socket is bound to.
    pub device: Option<u32>,
    /// Arrivals are stamped with the time.
    pub stamps: bool,
    /// Datagrams that found no room (SO_RXQ_OVFL).
    pub lost: u32,
    pub reuse_port: bool,
    pub socket_filter: Filter,
    /// UDP_GRO: rows come as they are.
    pub rows: bool,
    /// UDPLITE_RECV_CSCOV: the least coverage, 0 for all; nothing: any will do.
    pub coverage: Option<u16>,
}

impl Inner {
    /// The datagram in which this place lies, counted over all that wait, and where in it.
    pub fn at(&self, mut place: usize) -> Option<(&Datagram, usize)> {
        for datagram in &self.datagrams {
            let len = datagram.payload.len();
            if place == 0 || place < len {
                return Some((datagram, place));
            }
            place -= len;
        }
        None
    }
}

/// The receiving side, known to the port table.
pub(crate) struct Queue {
    pub(super) waiters: Arc<WaitQueue>,
    pub(super) inner: Mutex<Inner>,
    statistics: Arc<Statistics>,
}

impl Queue {
    pub fn new(limit: usize, v6: bool, statistics: Arc<Statistics>) -> Arc<Self> {
        let inner = Inner {
            datagrams: VecDeque::new(),
            used: 0,
            limit,
            peer: None,
            error: None,
            errors: ErrorQueue::default(),
            ip: IpOptions::new(Kind::Datagram, v6),
            memberships: Memberships::new(),
            device: None,
            stamps: false,
            lost: 0,
            reuse_port: false,
            socket_filter: Filter::default(),
            rows: false,
            coverage: None,
        };
        Arc::new(Self { waiters: Arc::new(WaitQueue::new()), inner: Mutex::new(inner), statistics })
    }

    /// Adds a datagram, or those of a row.
    fn push(&self, mut what: Incoming) {
        let payload = core::mem::take(&mut what.payload);
        match what.segment.map(usize::from).filter(|size| (1..payload.len()).contains(size)) {
            Some(size) if !self.inner.lock().rows => {
                payload.chunks(size).for_each(|piece| self.add(&what, piece.to_vec(), None));
            }
            Some(_) => self.add(&what, payload, what.segment),
            None => self.add(&what, payload, None),
        }
        self.waiters.wake_all(POLLIN | POLLRDNORM);
    }

    /// Adds a payload that came so, if there is room, else drops it.
    fn add(&self, what: &Incoming, mut payload: Vec<u8>, segment: Option<u16>) {
        let mut inner = self.inner.lock();
        if !covers(inner.coverage, what.coverage) {
            return;
        }
        if inner.used >= inner.limit {
            inner.lost = inner.lost.wrapping_add(1);
            let family = Family::of_datagram(what.local.ip(), what.coverage.is_some());
            self.statistics.count(family, Count::UdpInErrors);
            return self.statistics.count(family, Count::UdpRcvbufErrors);
        }
        let Incoming { local, from, interface, ttl, tos, .. } = *what;
        let facts = Facts { local: local.ip(), port: local.port(), interface, ttl, tos };
        if inner.socket_filter.is_set() {
            // What it lets through of the header stays, whatever it says (sk_filter_trim_cap of Linux).
            let Some(len) = inner.socket_filter.pass_plain(&with_header(what, &payload)) else { return };
            payload.truncate(len.saturating_sub(udp::HEADER_LEN));
        }
        let at = if inner.stamps { rkt_platform::wall() } else { 0 };
        let datagram = Datagram { from, payload, facts, at, lost: inner.lost, segment };
        inner.used += datagram.cost();
        inner.datagrams.push_back(datagram);
    }

    /// How well the socket fits a datagram for one address: not at all, or the more the higher.
    fn fits(&self, what: &Incoming) -> Option<u8> {
        let inner = self.inner.lock();
        let connected = match inner.peer {
            Some(peer) if same(peer, what.from) => 2,
            Some(_) => return None,
            None => 0,
        };
        match inner.device {
            Some(device) if device == what.interface => Some(connected + 1),
            Some(_) => None,
            None => Some(connected),
        }
    }

    /// Whether the socket hears a datagram for a group or for everyone.
    fn hears(&self, what: &Incoming) -> bool {
        if self.fits(what).is_none() {
            return false;
        }
        let group = what.local.ip();
        let inner = self.inner.lock();
        let (level, name) = if group.is_ipv4() { (SOL_IP, IP_MULTICAST_ALL) } else { (SOL_IPV6, IPV6_MULTICAST_ALL) };
        let all = inner.ip.is_on(level, name);
        !group.is_multicast() || inner.memberships.accepts(what.interface, group, what.from.ip(), all)
    }

    /// Tells the socket that a datagram did not arrive (ip(7), "IP_RECVERR").
    pub(super) fn report(&self, what: &Undelivered) {
        {
            let mut inner = self.inner.lock();
            if inner.ip.receives_errors(what.to.is_ipv4()) {
                inner.errors.push(what.clone());
            } else if !what.hard || !inner.peer.is_some_and(|peer| same(peer, what.to)) {
                // Without IP_RECVERR only connected sockets hear of it (RFC 1122 §4.1.3.3).
                return;
            }
            inner.error = Some(what.errno);
        }
        self.waiters.wake_all(POLLERR);
    }
}

/// Whether a partial coverage is enough for a socket (RFC 3828 §3.1).
fn covers(least: Option<u16>, partial: Option<u16>) -> bool {
    match (least, partial) {
        (Some(least), Some(partial)) => least != 0 && partial >= least,
        _ => true,
    }
}

/// Whether both are the same address, be it with the name of its link or without.
fn same(a: SocketAddr, b: SocketAddr) -> bool {
    (a.ip(), a.port()) == (b.ip(), b.port())
}

/// The ports of UDP.
pub(crate) struct UdpPorts {
    pub(super) table: Arc<PortTable<Queue>>,
}

impl UdpPorts {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { table: PortTable::new(false) })
    }

    /// Gives a datagram to the socket that it fits best.
    ///
    /// # Errors
    /// The datagram, if there is none.
    pub fn give(&self, what: Incoming) -> core::result::Result<(), Incoming> {
        let owners = self.table.owners(what.local);
        let fits: Vec<_> = owners.iter().map(|queue| queue.fits(&what)).collect();
        let Some(best) = fits.iter().flatten().max() else { return Err(what) };
        let fitting = owners.iter().zip(&fits).filter(|(_, fit)| fit.as_ref() == Some(best));
        let fitting: Vec<_> = fitting.map(|(queue, _)| queue).collect();
        // Sockets that share a port by SO_REUSEPORT share its senders; else the last one counts, as in Linux.
        let sharing = fitting.last().is_some_and(|queue| queue.inner.lock().reuse_port);
        let nth = if sharing { spread(&what).checked_rem(fitting.len()).unwrap_or(0) } else { fitting.len() - 1 };
        if let Some(queue) = fitting.get(nth) {
            queue.push(what);
        }
        Ok(())
    }

    /// Gives a datagram to all sockets that hear its group.
    pub(super) fn give_all(&self, what: &Incoming) {
        let listeners = self.table.listeners(what.local);
        listeners.iter().filter(|queue| queue.hears(what)).for_each(|queue| queue.push(what.clone()));
    }

    /// Whether a datagram for this address is for more than one.
    fn is_for_many(ip: IpAddr) -> bool {
        ip.is_multicast() || ip == IpAddr::V4(core::net::Ipv4Addr::BROADCAST)
    }
}

/// A datagram with its header, as filters see it (they cannot tell the checksum).
fn with_header(what: &Incoming, payload: &[u8]) -> Vec<u8> {
    let header = udp::Header { source_port: what.from.port(), destination_port: what.local.port(), checksum: 0 };
    let mut bytes = vec![0; udp::HEADER_LEN];
    // Nothing is longer than a packet takes.
    let _ = header.emit(payload.len(), &mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

/// A number that is the same for datagrams between the same addresses.
fn spread(what: &Incoming) -> usize {
    /// FNV-1a: it spreads, and need not hide anything.
    struct Fnv(u64);
    impl Hasher for Fnv {
        fn finish(&self) -> u64 {
            self.0 ^ self.0 >> 32
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
            }
        }
    }
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    (what.from, what.local).hash(&mut hasher);
    hasher.finish() as usize
}

impl DatagramSink for UdpPorts {
    fn deliver(&self, datagram: Incoming) {
        if Self::is_for_many(datagram.local.ip()) || datagram.to_all {
            self.give_all(&datagram);
        } else {
            // The stack answers for a port that nobody has opened.
            let _ = self.give(datagram);
        }
    }

    fn undelivered(&self, what: &Undelivered) {
        for queue in self.table.owners(what.local) {
            queue.report(what);
        }
    }
}
