//! A round of work: what it leaves to be sent while the port is still held, and to be told once nothing is.

use super::flow::{Flow, events};
use super::headers::Envelope;
use super::table::Pair;
use crate::stack::{Acceptor, Connection, DatagramSink, Incoming, Packet as RawPacket, PacketSink, Undelivered};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use rkt_netdev::TxMeta;
use rkt_sched::WaitQueue;
use rkt_tcp::{Changes, Segment};

/// A packet of no flow on its way out.
pub(super) struct Packet {
    pub envelope: Envelope,
    pub protocol: u8,
    pub next_hop: IpAddr,
    pub bytes: Vec<u8>,
}

/// What came of a round.
pub(super) struct Round {
    /// The time at which it began, in nanoseconds.
    pub now: u64,
    /// Flows that have something to send.
    pub due: Vec<Arc<Flow>>,
    /// Segments that belong to no flow, and where they go.
    pub segments: Vec<(Pair, Segment)>,
    /// Packets that belong to no flow.
    pub packets: Vec<Packet>,
    /// Where the numbers of the connection that takes a place in TIME-WAIT have to start.
    pub sequence: Option<u32>,
    /// Whole frames for the link.
    pub frames: Vec<(TxMeta, Vec<u8>)>,
    /// Who waits for changes of the configuration, if there was one.
    pub reconfigured: Option<Arc<WaitQueue>>,
    wakes: Vec<(Arc<WaitQueue>, u32)>,
    offers: Vec<(Arc<dyn Acceptor>, Arc<dyn Connection>)>,
    datagrams: Vec<(Arc<dyn DatagramSink>, Incoming)>,
    undelivered: Vec<(Arc<dyn DatagramSink>, Undelivered)>,
    /// Packets for raw sockets.
    raw: Vec<(Arc<dyn PacketSink>, Raw)>,
}

/// What raw sockets are told.
pub(super) enum Raw {
    /// A packet came.
    Packet(RawPacket),
    /// One of this protocol did not arrive.
    Undelivered(u8, Undelivered),
}

impl Round {
    /// An empty round that begins now.
    pub fn new() -> Self {
        Self::at(rkt_platform::now())
    }

    /// An empty round.
    pub fn at(now: u64) -> Self {
        Self {
            now,
            due: Vec::new(),
            segments: Vec::new(),
            packets: Vec::new(),
            sequence: None,
            frames: Vec::new(),
            reconfigured: None,
            wakes: Vec::new(),
            offers: Vec::new(),
            datagrams: Vec::new(),
            undelivered: Vec::new(),
            raw: Vec::new(),
        }
    }

    /// The flow is to be asked for output.
    pub fn want_output(&mut self, flow: &Arc<Flow>) {
        if flow.mark_due() {
            self.due.push(flow.clone());
        }
    }

    /// Whoever waits for the flow is to be told of changes.
    pub fn wake(&mut self, flow: &Flow, changes: Changes) {
        let bits = events(changes);
        if bits == 0 || flow.queue.is_empty() {
            return;
        }
        // Segments of one flow come in a row.
        match self.wakes.last_mut().filter(|(queue, _)| Arc::ptr_eq(queue, &flow.queue)) {
            Some((_, before)) => *before |= bits,
            None => self.wakes.push((flow.queue.clone(), bits)),
        }
    }

    /// A connection was established.
    pub fn offer(&mut self, acceptor: Arc<dyn Acceptor>, connection: Arc<dyn Connection>) {
        self.offers.push((acceptor, connection));
    }

    /// A datagram came.
    pub fn deliver(&mut self, sink: Arc<dyn DatagramSink>, datagram: Incoming) {
        self.datagrams.push((sink, datagram));
    }

    /// A datagram did not arrive.
    pub fn undelivered(&mut self, sink: Arc<dyn DatagramSink>, what: Undelivered) {
        self.undelivered.push((sink, what));
    }

    /// Something for raw sockets.
    pub fn raw(&mut self, sink: Arc<dyn PacketSink>, what: Raw) {
        self.raw.push((sink, what));
    }

    /// Tells, when no lock is held.
    pub fn tell(self) {
        for (acceptor, connection) in self.offers {
            acceptor.offer(connection);
        }
        for (queue, events) in self.wakes {
            queue.wake_all(events);
        }
        for (sink, datagram) in self.datagrams {
            sink.deliver(datagram);
        }
        for (sink, what) in self.undelivered {
            sink.undelivered(&what);
        }
        for (sink, what) in self.raw {
            match what {
                Raw::Packet(packet) => sink.packet(&packet),
                Raw::Undelivered(protocol, what) => sink.undelivered(protocol, &what),
            }
        }
        if let Some(queue) = self.reconfigured {
            queue.wake_all(rkt_linux_abi::general::POLLIN);
        }
    }
}
