//! From flows to the card.

use super::flow::{Flow, Hop, Inner};
use super::headers::{self, Envelope, Headers};
use super::link::{Link, Parcel};
use super::port::Port;
use super::round::Round;
use super::table::{Keyed, Pair};
use super::{Engine, Timer};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::sync::atomic::Ordering;
use rkt_netdev::{Checksum, ETHERNET_HEADER_LEN, Gso, GsoKind, TxMeta};
use rkt_tcp::{Changes, Outgoing, Segment, Tcb};
use rkt_wire::ethernet::Address;
use rkt_wire::{ipv4, ipv6, tcp};

/// How long a flow believes a neighbour's hardware address before it asks the link's table again, which
/// is how the table learns that the neighbour is in use, and the flow that it has moved.
const HOP_LIFE: u64 = 5_000_000_000;

/// Most text of a row of segments for the card to cut; 0 if it cuts none.
fn longest_row(link: &Link, v4: bool) -> usize {
    let (able, header) = match v4 {
        true => (link.card.tx_tso4, ipv4::HEADER_LEN),
        false => (link.card.tx_tso6, ipv6::HEADER_LEN),
    };
    let packet = link.card.max_tx_frame.saturating_sub(ETHERNET_HEADER_LEN).min(ipv4::MAX_LEN);
    if able && link.card.tx_checksum {
        packet.saturating_sub(header + tcp::HEADER_LEN + tcp::MAX_OPTIONS_LEN)
    } else {
        0
    }
}

impl Engine {
    /// Runs `f` on a connection, deals with what it changed, and sends what became due.
    pub(super) fn with_tcb<R>(&self, flow: &Arc<Flow>, gone: R, f: impl FnOnce(&mut Tcb, u64) -> (R, Changes)) -> R {
        let mut round = Round::new();
        let (result, output) = {
            let mut inner = flow.inner.lock();
            let Some(tcb) = inner.tcb.as_mut() else { return gone };
            tcb.set_frugal(self.budget.is_exhausted());
            let (result, changes) = f(tcb, round.now);
            self.settle(flow, &mut inner, changes, &mut round);
            (result, changes.contains(Changes::OUTPUT))
        };
        if output {
            self.flush(flow, &mut round);
        }
        round.tell();
        result
    }

    /// Has a flow send what is due, and tells the card.
    pub(super) fn flush(&self, flow: &Arc<Flow>, round: &mut Round) {
        let Some(link) = self.links.get(flow.link) else { return };
        let Some(port) = link.port() else { return };
        let mut port = port.lock();
        self.output(link, &mut port, flow, round);
        port.kick();
    }

    /// Deals with what a call changed.
    pub(super) fn settle(&self, flow: &Arc<Flow>, inner: &mut Inner, changes: Changes, round: &mut Round) {
        let pressed = inner.account();
        if pressed.contains(Changes::OUTPUT) {
            round.want_output(flow);
        }
        let changes = changes | pressed;
        round.wake(flow, changes);
        if changes.contains(Changes::CLOSED) {
            self.flows.remove(flow);
        }
        if changes.contains(Changes::TIME_WAIT) {
            inner.time_wait = inner.tcb.as_mut().and_then(|tcb| tcb.take_time_wait()).map(Into::into);
        }
        self.count_progress(inner);
        self.arm(flow, inner.deadline());
    }

    /// Makes sure that a timer comes up by then.
    fn arm(&self, flow: &Arc<Flow>, deadline: u64) {
        // A timer that moved back stays where it was: it finds nothing to do and is set anew.
        if deadline < flow.armed.load(Ordering::Relaxed) {
            flow.armed.store(deadline, Ordering::Relaxed);
            self.set_timer(deadline, Timer::Flow(flow.clone()));
        }
    }

    /// Puts a timer into this vCPU's wheel.
    pub(super) fn set_timer(&self, at: u64, timer: Timer) {
        if let Some(timers) = self.timers.get(rkt_platform::cpu()) {
            let mut wheel = timers.wheel.lock();
            wheel.insert(at, timer);
            timers.next.store(wheel.next(), Ordering::Relaxed);
        }
    }

    /// Sends what a flow has to send. The caller tells the card.
    pub(super) fn output(&self, link: &Link, port: &mut Port<Flow>, flow: &Arc<Flow>, round: &mut Round) {
        flow.due.store(false, Ordering::Release);
        let mut guard = flow.inner.lock();
        let inner = &mut *guard;
        let Some(tcb) = inner.tcb.as_mut() else { return };
        let row = longest_row(link, flow.pair().peer.is_ipv4());
        loop {
            if port.is_full() {
                port.stall(flow.clone());
                break;
            }
            let Some(outgoing) = tcb.transmit(round.now, row) else { break };
            let mac = self.hop(link, flow, &mut inner.hop, round.now);
            let envelope = Envelope {
                from: link.mac,
                to: mac.unwrap_or(Address::BROADCAST),
                addresses: match headers::addresses(flow.pair().local, flow.pair().peer) {
                    Some(addresses) => addresses,
                    None => break,
                },
                ttl: inner.ttl,
                tos: inner.tos | outgoing.segment.ecn,
                id: inner.packet_id,
                fragmentable: false,
            };
            let segments = outgoing.segment.len.checked_div(outgoing.segment_size.into()).unwrap_or(0) as u16;
            inner.packet_id = inner.packet_id.wrapping_add(segments).wrapping_add(1);
            let text = tcb.payload(&outgoing);
            let Ok(headers) = Headers::tcp(&envelope, flow.pair(), &outgoing, text, &link.card) else { break };
            let parts = [headers.as_slice(), text.0, text.1];
            self.count_sent(flow.pair().peer.ip(), headers.as_slice().len() + text.0.len() + text.1.len());
            self.count_segment(&outgoing.segment, row_len(&outgoing));
            match mac {
                Some(_) => port.send(&headers.meta, &parts),
                None => self.ask(link, port, flow.next_hop, headers.meta, parts.concat(), round),
            }
        }
        self.count_progress(inner);
        self.arm(flow, inner.deadline());
    }

    /// The hardware address that a flow's segments go to.
    fn hop(&self, link: &Link, flow: &Flow, hop: &mut Option<Hop>, now: u64) -> Option<Address> {
        if let Some(hop) = hop.filter(|hop| now < hop.until) {
            return Some(hop.mac);
        }
        let mac = self.neighbor(link, flow.next_hop, now)?;
        *hop = Some(Hop { mac, until: now.saturating_add(HOP_LIFE), confirmed: false });
        Some(mac)
    }

    /// The hardware address of a neighbour, or of a group.
    pub(super) fn neighbor(&self, link: &Link, next_hop: IpAddr, now: u64) -> Option<Address> {
        match next_hop {
            IpAddr::V4(group) if group.is_multicast() => Some(Address::of_group_v4(group)),
            IpAddr::V6(group) if group.is_multicast() => Some(Address::of_group_v6(group)),
            IpAddr::V4(ip) if link.is_broadcast(ip) => Some(Address::BROADCAST),
            ip => link.neighbors.lock().lookup(ip, now),
        }
    }

    /// Asks for a neighbour, for whom a frame is kept meanwhile.
    pub(super) fn ask(
        &self,
        link: &Link,
        port: &mut Port<Flow>,
        next_hop: IpAddr,
        meta: TxMeta,
        frame: Vec<u8>,
        round: &mut Round,
    ) {
        let mut actions = Vec::new();
        {
            let mut neighbors = link.neighbors.lock();
            neighbors.enqueue(next_hop, Parcel { meta, frame }, round.now, &mut actions);
            self.note_due(link, neighbors.deadline());
        }
        self.act(link, port, actions, round);
    }

    /// Sends a segment that belongs to no flow.
    pub(super) fn send_segment(
        &self,
        link: &Link,
        port: &mut Port<Flow>,
        (pair, segment): (Pair, Segment),
        round: &mut Round,
    ) {
        let Ok(way) = self.way(pair.peer.ip(), Some(link.interface.0)) else { return };
        let Some(addresses) = headers::addresses(pair.local, pair.peer) else { return };
        let mac = self.neighbor(link, way.next_hop, round.now);
        let envelope = Envelope {
            from: link.mac,
            to: mac.unwrap_or(Address::BROADCAST),
            addresses,
            ttl: link.ttl(pair.peer.is_ipv4()),
            tos: 0,
            id: 0,
            fragmentable: false,
        };
        let outgoing = Outgoing { segment, offset: 0, segment_size: u16::MAX };
        let Ok(headers) = Headers::tcp(&envelope, &pair, &outgoing, (&[], &[]), &link.card) else { return };
        self.count_sent(pair.peer.ip(), headers.as_slice().len());
        self.count_segment(&outgoing.segment, 1);
        match mac {
            Some(_) => port.send(&headers.meta, &[headers.as_slice()]),
            None => self.ask(link, port, way.next_hop, headers.meta, headers.as_slice().to_vec(), round),
        }
    }
}

/// Segments in a row.
fn row_len(outgoing: &Outgoing) -> u64 {
    let Outgoing { segment, segment_size, .. } = outgoing;
    u64::from(segment.len).div_ceil(u64::from((*segment_size).max(1))).max(1)
}

/// A packet on its way out that belongs to no flow.
pub(super) struct Departure<'a> {
    /// Its addresses; the destination's hardware address is found out.
    pub envelope: Envelope,
    /// Of [`rkt_wire::ip::protocol`].
    pub protocol: u8,
    /// The neighbour that it is handed to.
    pub next_hop: IpAddr,
    /// Where in the transport's header the card stores the checksum, if it is to.
    pub checksum_at: Option<u16>,
    /// The card cuts the payload into datagrams of so many bytes.
    pub segment: Option<u16>,
    /// Most bytes of a packet.
    pub mtu: usize,
    /// The transport's header, and the rest.
    pub parts: [&'a [u8]; 2],
}

impl Engine {
    /// Sends a packet, in fragments if it is longer than the link takes.
    pub(super) fn depart(&self, link: &Link, port: &mut Port<Flow>, what: &Departure<'_>, round: &mut Round) {
        let [head, rest] = what.parts;
        let len = head.len().saturating_add(rest.len());
        let to = what.envelope.addresses.destination();
        let v4 = to.is_ipv4();
        let header = if v4 { ipv4::HEADER_LEN } else { ipv6::HEADER_LEN };
        self.count_sent(to, len.saturating_add(ETHERNET_HEADER_LEN + header));
        self.count_message(to, what.protocol, head);
        if what.segment.is_none() && len > what.mtu.saturating_sub(header) {
            return self.depart_in_fragments(link, port, what, round);
        }
        let mac = self.neighbor(link, what.next_hop, round.now);
        let mut bytes = [0; ETHERNET_HEADER_LEN + ipv6::HEADER_LEN];
        let envelope = Envelope { to: mac.unwrap_or(Address::BROADCAST), ..what.envelope };
        let Ok(start) = envelope.emit(what.protocol, len, &mut bytes) else { return };
        let checksum = match what.checksum_at {
            Some(offset) => Checksum::Partial { start: start as u16, offset },
            None => Checksum::Plain,
        };
        let headers = (start + head.len()) as u16;
        let gso = what.segment.map(|segment| Gso { kind: GsoKind::Udp, segment, headers });
        let meta = TxMeta { checksum, gso };
        let parts = [bytes.get(..start).unwrap_or(&[]), head, rest];
        match mac {
            Some(_) => port.send(&meta, &parts),
            None => self.ask(link, port, what.next_hop, meta, parts.concat(), round),
        }
    }
}
