//! Which raw and ping sockets a packet is for, and what waits in them.

use crate::error_queue::ErrorQueue;
use crate::filter::Filter;
use crate::ip_options::{Facts, IpOptions};
use crate::memberships::Memberships;
use crate::stack::{Packet, PacketSink, Undelivered};
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::{POLLERR, POLLIN, POLLRDNORM};
use rkt_linux_abi::net::{IP_MULTICAST_ALL, IPV6_MULTICAST_ALL, SOL_IP, SOL_IPV6};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_wire::ip::protocol;
use rkt_wire::{icmpv4, icmpv6};

/// What a queued packet counts beside its bytes, about Linux's `sk_buff`.
const OVERHEAD: usize = 576;

/// A packet that waits.
#[derive(Clone)]
pub(super) struct Waiting {
    pub from: IpAddr,
    /// What the socket reads.
    pub bytes: Vec<u8>,
    pub facts: Facts,
    /// Nanoseconds since 1970.
    pub at: u64,
}

impl Waiting {
    pub fn cost(&self) -> usize {
        self.bytes.len().saturating_add(OVERHEAD)
    }
}

pub(super) struct Inner {
    pub packets: VecDeque<Waiting>,
    /// Bytes that the packets count, and may.
    pub used: usize,
    pub limit: usize,
    pub bound: Option<IpAddr>,
    pub peer: Option<IpAddr>,
    pub device: Option<u32>,
    pub error: Option<Errno>,
    pub errors: ErrorQueue,
    pub ip: IpOptions,
    pub memberships: Memberships,
    /// SO_ATTACH_FILTER.
    pub socket_filter: Filter,
    /// ICMP_FILTER or ICMP6_FILTER: types whose bit is set are not wanted.
    pub filter: [u32; 8],
    /// Identifier of the echoes of a ping socket, its "port".
    pub echo_id: u16,
}

/// The receiving side.
pub(super) struct Queue {
    pub v6: bool,
    /// Reads echo replies only, without a header of IP.
    pub ping: bool,
    pub protocol: u8,
    pub waiters: Arc<WaitQueue>,
    pub inner: Mutex<Inner>,
}

impl Queue {
    /// Whether the socket wants a packet.
    fn wants(&self, packet: &Packet) -> bool {
        if self.protocol != packet.protocol || self.v6 == packet.source.is_ipv4() {
            return false;
        }
        let inner = self.inner.lock();
        let message = packet.bytes.get(packet.payload_at..).unwrap_or(&[]);
        let kind = message.first().copied().unwrap_or(0);
        let is_icmp = matches!(self.protocol, protocol::ICMP | protocol::ICMPV6);
        let filtered = is_icmp && {
            let word = inner.filter.get(usize::from(kind >> 5)).copied().unwrap_or(0);
            word >> (kind & 31) & 1 == 1
        };
        let reply = if self.v6 { icmpv6::kind::ECHO_REPLY } else { icmpv4::kind::ECHO_REPLY };
        let answers = || kind == reply && message.get(4..6) == Some(&inner.echo_id.to_be_bytes());
        let group = packet.destination.is_multicast();
        let (level, name) = if self.v6 { (SOL_IPV6, IPV6_MULTICAST_ALL) } else { (SOL_IP, IP_MULTICAST_ALL) };
        let all = inner.ip.is_on(level, name);
        inner.bound.is_none_or(|own| own == packet.destination)
            && inner.peer.is_none_or(|peer| peer == packet.source)
            && inner.device.is_none_or(|device| device == packet.interface)
            && !filtered
            && (!self.ping || answers())
            && (!group || inner.memberships.accepts(packet.interface, packet.destination, packet.source, all))
    }

    fn push(&self, packet: &Packet) {
        {
            let mut inner = self.inner.lock();
            if inner.used >= inner.limit {
                return;
            }
            // Raw sockets of IPv4 see its header (raw(7)).
            let start = if self.v6 || self.ping { packet.payload_at } else { 0 };
            let bytes = packet.bytes.get(start..).unwrap_or(&[]);
            if inner.socket_filter.pass_plain(bytes).is_none() {
                return;
            }
            let Packet { destination: local, interface, ttl, tos, .. } = *packet;
            let waiting = Waiting {
                from: packet.source,
                bytes: bytes.to_vec(),
                facts: Facts { local, port: 0, interface, ttl, tos },
                at: rkt_platform::wall(),
            };
            inner.used += waiting.cost();
            inner.packets.push_back(waiting);
        }
        self.waiters.wake_all(POLLIN | POLLRDNORM);
    }

    /// Tells that a packet of this socket did not arrive.
    fn report(&self, what: &Undelivered) {
        {
            let mut inner = self.inner.lock();
            let echo = what.payload.get(4..6) == Some(&inner.echo_id.to_be_bytes());
            if self.ping && !echo || inner.peer.is_some_and(|peer| peer != what.to.ip()) {
                return;
            }
            if inner.ip.receives_errors(!self.v6) {
                inner.errors.push(what.clone());
            } else if !what.hard || inner.peer.is_none() {
                return;
            }
            inner.error = Some(what.errno);
        }
        self.waiters.wake_all(POLLERR);
    }
}

/// All raw and ping sockets.
#[derive(Default)]
pub(crate) struct RawTable {
    queues: Mutex<Vec<Weak<Queue>>>,
    /// How many there are, so that nothing is asked where there are none.
    count: AtomicUsize,
}

impl RawTable {
    pub(super) fn add(&self, queue: &Arc<Queue>) {
        let mut queues = self.queues.lock();
        queues.push(Arc::downgrade(queue));
        self.count.store(queues.len(), Ordering::Relaxed);
    }

    /// A socket was closed.
    pub(super) fn prune(&self, closed: &Arc<Queue>) {
        let mut queues = self.queues.lock();
        queues.retain(|queue| queue.as_ptr() != Arc::as_ptr(closed));
        self.count.store(queues.len(), Ordering::Relaxed);
    }

    fn all(&self) -> Vec<Arc<Queue>> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        self.queues.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

impl PacketSink for RawTable {
    fn wants(&self, v4: bool, protocol: u8) -> bool {
        self.all().iter().any(|queue| queue.protocol == protocol && queue.v6 != v4)
    }

    fn packet(&self, packet: &Packet) {
        self.all().iter().filter(|queue| queue.wants(packet)).for_each(|queue| queue.push(packet));
    }

    fn undelivered(&self, protocol: u8, what: &Undelivered) {
        let concerned = |queue: &&Arc<Queue>| queue.protocol == protocol && queue.v6 != what.to.is_ipv4();
        self.all().iter().filter(concerned).for_each(|queue| queue.report(what));
    }
}
