//! From frames to flows, listeners and ports.

use super::Engine;
use super::arrival::{Arrival, Content, Text};
use super::flow::Flow;
use super::headers;
use super::link::Link;
use super::round::{Raw, Round};
use super::setup::turn;
use super::table::Pair;
use crate::stack::{Incoming, Packet};
use crate::statistics::{Count, Family};
use alloc::sync::Arc;
use alloc::vec;
use core::net::{IpAddr, SocketAddr, SocketAddrV6};
use core::sync::atomic::Ordering;
use rkt_netdev::{ETHERNET_HEADER_LEN, RxFrame, TrustedFrame};
use rkt_tcp::{Changes, Payload, Segment, Verdict, reply_to_closed};
use rkt_wire::ethernet::ethertype;
use rkt_wire::ip::protocol;
use rkt_wire::{dhcp, tcp, udp};

/// The bits of ECN in the type of service (RFC 3168 §5).
const ECN: u8 = 3;

impl Engine {
    /// Takes a frame in.
    pub(super) fn input(&self, nth: usize, link: &Link, frame: &mut dyn RxFrame, round: &mut Round) {
        if !link.enabled.load(Ordering::Relaxed) {
            return;
        }
        if !link.tap.sink.listens() {
            return self.look(nth, link, frame, round);
        }
        // What is behind the head can be had once: all see the same copy.
        let mut bytes = vec![0; frame.meta().len];
        if frame.copy(0, &mut bytes) {
            link.tap.show(frame.meta(), &bytes);
            self.look(nth, link, &mut TrustedFrame::new(*frame.meta(), &bytes), round);
        }
    }

    fn look(&self, nth: usize, link: &Link, frame: &mut dyn RxFrame, round: &mut Round) {
        match Content::of(frame.head(), frame.meta().len) {
            Content::Transport(arrival) => {
                self.count_received(Family::of(arrival.addresses.source()), frame.meta().len);
                self.arrive(nth, link, &arrival, frame, round);
            }
            Content::Rare(ethertype::ARP) => self.arp(link, frame, round),
            Content::Rare(kind) => {
                let family = if kind == ethertype::IPV4 { Family::V4 } else { Family::V6 };
                self.count_received(family, frame.meta().len);
                self.rare(nth, link, kind, frame, round);
            }
            Content::Nothing => self.count_damaged(frame),
        }
    }

    /// Takes in a whole packet of whatever transport.
    pub(super) fn arrive(
        &self,
        nth: usize,
        link: &Link,
        arrival: &Arrival,
        frame: &mut dyn RxFrame,
        round: &mut Round,
    ) {
        if !self.raw.wants(arrival.addresses.source().is_ipv4(), arrival.protocol) {
            return self.transport(nth, link, arrival, frame, round);
        }
        // As above.
        let mut bytes = vec![0; frame.meta().len];
        if frame.copy(0, &mut bytes) {
            let mut copy = TrustedFrame::new(*frame.meta(), &bytes);
            self.copy_raw(link, arrival, &mut copy, round);
            self.transport(nth, link, arrival, &mut copy, round);
        }
    }

    fn transport(&self, nth: usize, link: &Link, arrival: &Arrival, frame: &mut dyn RxFrame, round: &mut Round) {
        match arrival.protocol {
            protocol::TCP => self.tcp(nth, link, arrival, frame, round),
            protocol::UDP => self.udp(link, arrival, frame, round),
            _ => self.other(nth, link, arrival, frame, round),
        }
    }

    /// A copy of a packet for raw sockets.
    fn copy_raw(&self, link: &Link, arrival: &Arrival, frame: &mut dyn RxFrame, round: &mut Round) {
        let (source, destination) = (arrival.addresses.source(), arrival.addresses.destination());
        if !self.takes(link, destination) {
            return;
        }
        // Raw sockets of IPv6 see no header (RFC 3542 §3).
        let start = if source.is_ipv4() { ETHERNET_HEADER_LEN } else { arrival.start };
        let Some(len) = arrival.start.saturating_add(arrival.len).checked_sub(start) else { return };
        let mut bytes = vec![0; len];
        if frame.copy(start, &mut bytes) {
            let packet = Packet {
                source,
                destination,
                protocol: arrival.protocol,
                bytes,
                payload_at: arrival.start.saturating_sub(start),
                interface: link.interface.0,
                ttl: arrival.ttl,
                tos: arrival.tos,
            };
            round.raw(self.raw.clone(), Raw::Packet(packet));
        }
    }

    /// A TCP segment (RFC 9293 §3.10.7).
    fn tcp(&self, nth: usize, link: &Link, arrival: &Arrival, frame: &mut dyn RxFrame, round: &mut Round) {
        let end = arrival.start.saturating_add(arrival.len);
        let head = frame.head();
        let Some(bytes) = head.get(arrival.start..end.min(head.len())) else { return };
        let row = frame.meta().gso.map_or(1, |gso| arrival.len.div_ceil(usize::from(gso.segment).max(1)));
        let Ok(parsed) = tcp::Segment::parse(bytes) else { return self.count_tcp(Count::TcpInErrs, 1) };
        let header_len = tcp::HEADER_LEN + parsed.options.len();
        let Some(text_len) = arrival.len.checked_sub(header_len) else { return };
        let mut segment = headers::from_wire(&parsed.header, parsed.options, text_len);
        segment.ecn = arrival.tos & ECN;
        let (local, peer) = arrival.ends(parsed.header.source_port, parsed.header.destination_port);
        let pair = Pair { local, peer };
        let hash = pair.hash(self.key);
        let mut text = Text::new(frame, arrival, header_len);
        if let Some(flow) = self.flows.find(&pair, hash) {
            self.count(local.ip(), Count::InDelivers);
            self.count_tcp(Count::TcpInSegs, row as u64);
            if self.segment(&flow, &segment, &mut text, round) {
                return self.count_damaged_segment(text.is_damaged());
            }
        } else if link.owns(local.ip()) {
            self.count(local.ip(), Count::InDelivers);
            self.count_tcp(Count::TcpInSegs, row as u64);
        } else {
            return self.count(local.ip(), Count::InAddrErrors);
        }
        // Nobody is connected to the sender: it may want to be.
        if !text.verify() {
            self.count_damaged_segment(true);
        } else if self.is_station(&pair) && link.owns(local.ip()) {
            self.stranger(nth, pair, hash, &segment, &mut text, round);
        }
    }

    /// Whether both ends are addresses that a connection can have (RFC 9293 §3.9.2.3).
    fn is_station(&self, pair: &Pair) -> bool {
        let ip = pair.peer.ip();
        let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
        !(ip.is_multicast() || ip.is_unspecified() || ip.is_loopback() || broadcast) && pair.peer.port() != 0
    }

    /// Gives a segment to its flow; false if it is for a listener after all.
    fn segment(&self, flow: &Arc<Flow>, segment: &Segment, text: &mut Text<'_>, round: &mut Round) -> bool {
        let mut guard = flow.inner.lock();
        let inner = &mut *guard;
        if let Some(waiting) = &mut inner.time_wait {
            if !text.verify() {
                return true;
            }
            match waiting.on_segment(round.now, segment) {
                Verdict::Drop => {}
                Verdict::Reply(reply) => round.segments.push((*super::table::Keyed::pair(&**flow), reply)),
                Verdict::Closed => self.flows.remove(flow),
                Verdict::Reuse(above) => {
                    self.flows.remove(flow);
                    round.sequence = Some(above);
                    return false;
                }
            }
            return true;
        }
        let Some(tcb) = inner.tcb.as_mut() else { return false };
        tcb.set_frugal(self.budget.is_exhausted());
        let changes = tcb.on_segment(round.now, segment, text);
        if changes.contains(Changes::OUTPUT) {
            round.want_output(flow);
        }
        // Progress shows that the neighbour is there (RFC 4861 §7.3.1).
        if changes.intersects(Changes::READABLE | Changes::WRITABLE | Changes::CONNECTED)
            && let Some(hop) = inner.hop.as_mut().filter(|hop| !hop.confirmed)
            && let Some(link) = self.links.get(flow.link)
        {
            hop.confirmed = true;
            link.neighbors.lock().confirm(flow.next_hop, round.now);
        }
        self.settle(flow, inner, changes, round);
        true
    }

    /// A segment for no flow: for a listener, or refused.
    fn stranger(&self, nth: usize, pair: Pair, hash: u64, segment: &Segment, text: &mut Text<'_>, round: &mut Round) {
        if let Some(listening) = self.listeners.find(&pair, hash) {
            return self.knock(nth, &listening, pair, hash, segment, text, round);
        }
        round.segments.extend(reply_to_closed(segment).map(|reply| (pair, reply)));
    }

    /// A UDP datagram (RFC 768).
    fn udp(&self, link: &Link, arrival: &Arrival, frame: &mut dyn RxFrame, round: &mut Round) {
        let head = frame.head().get(arrival.start..).unwrap_or(&[]);
        let to = arrival.addresses.destination();
        let Ok(header) = udp::Header::parse_quote(head) else { return self.count(to, Count::UdpInErrors) };
        // The length field may say less than the packet has (RFC 768 does not forbid it).
        let claimed = match head {
            [_, _, _, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
            _ => return,
        };
        if !(udp::HEADER_LEN..=arrival.len).contains(&claimed) {
            return self.count(to, Count::UdpInErrors);
        }
        let arrival = Arrival { len: claimed, ..*arrival };
        let (local, from) = arrival.ends(header.source_port, header.destination_port);
        let for_client = local.port() == dhcp::CLIENT_PORT && local.is_ipv4() && link.has_dhcp;
        let sink = self.datagrams.find(local.port());
        if sink.is_none() && !for_client {
            return self.refuse_datagram(link, &arrival, frame, round);
        }
        // Who is offered an address is spoken to by it before it is theirs (RFC 2131 §4.1).
        if !for_client && !self.takes(link, local.ip()) {
            return self.count(to, Count::InAddrErrors);
        }
        self.count(to, Count::InDelivers);
        let mut payload = vec![0; claimed - udp::HEADER_LEN];
        let unchecked = header.checksum == 0 && local.is_ipv4();
        let mut text = Text::new(frame, &arrival, udp::HEADER_LEN);
        if !text.copy_to(0, &mut payload) || !(unchecked || text.verify()) {
            self.count(to, Count::UdpInErrors);
            return self.count(to, Count::UdpInCsumErrors);
        }
        if for_client {
            return self.dhcp(link, &payload, round);
        }
        if let Some(sink) = sink {
            let (interface, ttl, tos) = (link.interface.0, arrival.ttl, arrival.tos);
            let to_all = matches!(local.ip(), IpAddr::V4(ip) if link.is_broadcast(ip));
            let from = scoped(from, interface);
            round.deliver(
                sink,
                Incoming { local, from, payload, interface, ttl, tos, to_all, segment: None, coverage: None },
            );
        }
    }

    /// A message for the client of DHCP.
    fn dhcp(&self, link: &Link, payload: &[u8], round: &mut Round) {
        let now = round.now;
        self.set_up(link, round, |setup, wants| {
            if let Some(client) = &mut setup.dhcp {
                client.on_packet(payload, &mut turn(now, &mut crate::ports::random, &mut wants.dhcp));
            }
        });
    }

    /// Whether datagrams to this address are for us.
    fn takes(&self, link: &Link, ip: IpAddr) -> bool {
        let broadcast = matches!(ip, IpAddr::V4(ip) if link.is_broadcast(ip));
        broadcast || ip.is_multicast() || link.owns(ip)
    }
}

/// An address as programs see it: one that is only good on a link names the link (RFC 4007 §6).
fn scoped(from: SocketAddr, interface: u32) -> SocketAddr {
    match from {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => {
            SocketAddrV6::new(*v6.ip(), v6.port(), 0, interface).into()
        }
        other => other,
    }
}
