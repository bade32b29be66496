//! A TCP connection in the engine: its control block, who waits for it, and how to reach the peer.

use super::Way;
use super::budget::{Budget, Charge};
use super::counting::Standing;
use super::table::{Keyed, Pair};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::net::IpAddr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::*;
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_tcp::{Changes, Error, Repairs, Tcb, TimeWait};
use rkt_wire::ethernet::Address;

/// The hardware address behind which the peer is, as long as it is believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    pub mac: Address,
    /// When to look again, in nanoseconds.
    pub until: u64,
    /// The link's table was told that the neighbour is there.
    pub confirmed: bool,
}

/// What the flow's lock guards.
pub(super) struct Inner {
    /// None once nobody holds the connection and the protocol is done with it.
    pub tcb: Option<Box<Tcb>>,
    /// What its buffers take.
    pub charge: Charge,
    /// The connection is over, and old segments die out.
    pub time_wait: Option<Box<TimeWait>>,
    /// Where segments go; none: to be asked of the link.
    pub hop: Option<Hop>,
    /// Identification of the next IPv4 packet (RFC 6864: any, for packets that are not to be fragmented).
    pub packet_id: u16,
    /// Differentiated services field (IP_TOS, IPV6_TCLASS).
    pub tos: u8,
    /// Time to live (IP_TTL, IPV6_UNICAST_HOPS).
    pub ttl: u8,
    /// What was counted of it last.
    pub standing: Standing,
    pub repairs: Repairs,
}

/// A connection.
pub(super) struct Flow {
    pair: Pair,
    hash: u64,
    /// Index of the link that it goes over.
    pub link: usize,
    /// The neighbour that its segments are handed to.
    pub next_hop: IpAddr,
    pub queue: Arc<WaitQueue>,
    pub inner: Mutex<Inner>,
    /// It is in the list of flows to be looked at in this poll.
    pub due: AtomicBool,
    /// When the first of its entries in a wheel comes up; `u64::MAX` if there is none.
    pub armed: AtomicU64,
}

impl Keyed for Flow {
    fn pair(&self) -> &Pair {
        &self.pair
    }

    fn hash(&self) -> u64 {
        self.hash
    }
}

impl Flow {
    /// A flow that goes this way, whose progress wakes `queue`.
    pub fn new(
        (pair, hash): (Pair, u64),
        way: &Way,
        queue: Arc<WaitQueue>,
        tcb: Tcb,
        (ttl, tos): (u8, u8),
        budget: &Arc<Budget>,
    ) -> Arc<Self> {
        let charge = Charge::new(budget);
        let (tcb, packet_id) = (Some(Box::new(tcb)), hash as u16);
        let (standing, repairs) = (Standing::Opening, Repairs::default());
        let inner = Inner { tcb, charge, time_wait: None, hop: None, packet_id, tos, ttl, standing, repairs };
        Arc::new(Self {
            pair,
            hash,
            link: way.link,
            next_hop: way.next_hop,
            queue,
            inner: Mutex::new(inner),
            due: AtomicBool::new(false),
            armed: AtomicU64::new(u64::MAX),
        })
    }

    /// Whether it was not yet marked as due, and is now.
    pub fn mark_due(&self) -> bool {
        !self.due.swap(true, Ordering::AcqRel)
    }
}

impl Inner {
    /// Notes what the buffers take. Under the budget's end what can be had again is dropped, and what nobody
    /// waits for ends (Linux's `tcp_out_of_resources`).
    pub fn account(&mut self) -> Changes {
        let Some(tcb) = self.tcb.as_mut() else { return Changes::empty() };
        let mut changes = Changes::empty();
        if tcb.is_frugal() && tcb.memory() > 0 {
            tcb.reclaim();
            if tcb.is_orphan() {
                changes |= tcb.abort();
            }
        }
        self.charge.set(tcb.memory());
        changes
    }

    /// When the flow has to be looked at, in nanoseconds.
    pub fn deadline(&self) -> u64 {
        match (&self.time_wait, &self.tcb) {
            (Some(waiting), _) => waiting.deadline(),
            (None, Some(tcb)) => tcb.deadline(),
            (None, None) => u64::MAX,
        }
    }
}

/// What waiters are told (poll(2)).
pub(super) fn events(changes: Changes) -> u32 {
    let told = [
        (Changes::READABLE, POLLIN | POLLRDNORM),
        (Changes::WRITABLE, POLLOUT | POLLWRNORM),
        (Changes::CONNECTED, POLLOUT | POLLWRNORM),
        (Changes::FINISHED, POLLIN | POLLRDNORM | POLLRDHUP),
        (Changes::URGENT, POLLPRI),
        (Changes::ERROR, POLLERR | POLLIN | POLLOUT),
        (Changes::CLOSED, POLLHUP | POLLRDHUP | POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM),
        (Changes::TIME_WAIT, POLLHUP | POLLRDHUP | POLLIN | POLLRDNORM),
    ];
    told.iter().filter(|(change, _)| changes.intersects(*change)).fold(0, |all, (_, bits)| all | bits)
}

/// The errno of an error that ended a connection.
pub(super) fn errno(error: Error) -> Errno {
    match error {
        Error::Refused => Errno::ECONNREFUSED,
        Error::Reset => Errno::ECONNRESET,
        Error::Broken => Errno::EPIPE,
        Error::TimedOut => Errno::ETIMEDOUT,
        Error::Network(number) => u16::try_from(number).map_or(Errno::EHOSTUNREACH, Errno::from_raw),
    }
}
