//! What does not come often: fragments, ICMP, and errors to send and to deliver.

use super::Engine;
use super::arrival::Arrival;
use super::headers::Envelope;
use super::link::Link;
use super::round::{Raw, Round};
use super::setup::turn;
use super::table::Pair;
use crate::stack::Undelivered;
use crate::statistics::{Count, Family};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use rkt_inet::fragment::{Expired, Fragment, Key, Outcome, Whole};
use rkt_inet::icmp::{self, Failure, Report};
use rkt_linux_abi::Errno;
use rkt_netdev::{Checksum, ETHERNET_HEADER_LEN, RxFrame, RxMeta, TrustedFrame};
use rkt_wire::ethernet::{self, ethertype};
use rkt_wire::ip::{Addresses, protocol};
use rkt_wire::ipv6::{Problem, Walk, walk};
use rkt_wire::{icmpv4, icmpv6, igmp, ipv4, ipv6, tcp};

/// Type of service of ICMP errors.
const ERROR_TOS: u8 = 0;
/// Bytes of the longest ICMP error.
const ERROR_MAX: usize = 1280;

/// A frame as a whole, in trusted memory.
fn copy_of(frame: &mut dyn RxFrame) -> Option<Vec<u8>> {
    let mut bytes = vec![0; frame.meta().len];
    frame.copy(0, &mut bytes).then_some(bytes)
}

/// How a frame was addressed.
fn manner(frame: &[u8]) -> icmp::Link {
    match ethernet::Header::parse(frame) {
        Ok((header, _)) if !header.destination.is_multicast() => icmp::Link::Unicast,
        _ => icmp::Link::Group,
    }
}

impl Engine {
    /// A fragment, or a packet with headers that are worth a second look.
    pub(super) fn rare(&self, nth: usize, link: &Link, kind: u16, frame: &mut dyn RxFrame, round: &mut Round) {
        let Some(bytes) = copy_of(frame) else { return };
        let Some(packet) = bytes.get(ETHERNET_HEADER_LEN..) else { return };
        let whole = match kind {
            ethertype::IPV4 => self.fragment_v4(link, packet, round),
            _ => self.extended_v6(link, &bytes, packet, round),
        };
        let Some((addresses, whole, ttl)) = whole else { return };
        let arrival = Arrival {
            addresses,
            protocol: whole.protocol,
            start: ETHERNET_HEADER_LEN + whole.head.len(),
            len: whole.payload.len(),
            ttl,
            tos: whole.ecn,
        };
        // As one frame again, with the first fragment's headers.
        let mut joined = bytes.get(..ETHERNET_HEADER_LEN).unwrap_or(&[]).to_vec();
        joined.extend_from_slice(&whole.head);
        joined.extend_from_slice(&whole.payload);
        let meta = RxMeta { checksum: Checksum::Plain, ..RxMeta::default() };
        self.arrive(nth, link, &arrival, &mut TrustedFrame::new(meta, &joined), round);
    }

    fn fragment_v4(&self, link: &Link, packet: &[u8], round: &Round) -> Option<(Addresses, Whole, u8)> {
        let ipv4::Packet { header, payload, .. } = ipv4::Packet::parse(packet).ok()?;
        if !link.owns(header.destination.into()) && !header.destination.is_multicast() {
            return None;
        }
        let addresses = header.addresses();
        let key = Key { addresses, id: header.id.into(), protocol: header.protocol };
        let head_len = packet.len().min(usize::from(u16::MAX)).checked_sub(payload.len())?;
        let fragment = Fragment {
            offset: header.offset,
            more: header.more_fragments,
            protocol: header.protocol,
            ecn: header.tos & 3,
            head: packet.get(..head_len.min(ipv4::HEADER_LEN + ipv4::MAX_OPTIONS_LEN))?,
            data: payload,
        };
        let mut pending = link.fragments_v4.lock();
        let outcome = pending.on_fragment(key, &fragment, round.now);
        link.note_chore(pending.deadline());
        self.count_fragment(&outcome, Family::V4);
        match outcome {
            Outcome::Whole(whole) => Some((addresses, whole, header.ttl)),
            Outcome::Pending | Outcome::Dropped => None,
        }
    }

    fn extended_v6(
        &self,
        link: &Link,
        frame: &[u8],
        packet: &[u8],
        round: &mut Round,
    ) -> Option<(Addresses, Whole, u8)> {
        let ipv6::Packet { header, payload } = ipv6::Packet::parse(packet).ok()?;
        if !link.owns(header.destination.into()) && !header.destination.is_multicast() {
            return None;
        }
        let (fragment, data) = match walk(header.next_header, payload) {
            Ok(Walk::Fragment { fragment, payload }) => (fragment, payload),
            Ok(Walk::Upper(upper)) => {
                // Its headers were too long for the head of a frame.
                let head = packet.get(..ipv6::HEADER_LEN + upper.offset)?.to_vec();
                let ecn = header.traffic_class & 3;
                let whole = Whole { head, protocol: upper.protocol, ecn, payload: upper.payload.to_vec() };
                return Some((header.addresses(), whole, header.hop_limit));
            }
            Err(Problem::Parameter { code, pointer, even_to_group }) => {
                let pointer = (ipv6::HEADER_LEN + pointer) as u32;
                let failure = Failure::Parameter { code, pointer, even_to_group };
                self.complain(link, failure, packet, manner(frame), round);
                return None;
            }
            Err(Problem::Discard) => return None,
        };
        let addresses = header.addresses();
        let head_len = packet.len().min(ipv6::HEADER_LEN + ipv6::MAX_PAYLOAD_LEN).checked_sub(data.len())?;
        let arrived = Fragment {
            offset: fragment.offset,
            more: fragment.more,
            protocol: fragment.next_header,
            ecn: header.traffic_class & 3,
            head: packet.get(..head_len)?,
            data,
        };
        let key = Key { addresses, id: fragment.id, protocol: 0 };
        let mut pending = link.fragments_v6.lock();
        let outcome = pending.on_fragment(key, &arrived, round.now);
        link.note_chore(pending.deadline());
        self.count_fragment(&outcome, Family::V6);
        match outcome {
            Outcome::Whole(whole) => Some((addresses, whole, header.hop_limit)),
            Outcome::Pending | Outcome::Dropped => None,
        }
    }

    fn count_fragment(&self, outcome: &Outcome, family: Family) {
        self.statistics.count(family, Count::ReasmReqds);
        match outcome {
            Outcome::Whole(_) => self.statistics.count(family, Count::ReasmOks),
            Outcome::Dropped => self.statistics.count(family, Count::ReasmFails),
            Outcome::Pending => {}
        }
    }

    /// Gives up datagrams of which fragments are missing, and tells who sent them (RFC 1122 §3.3.2).
    pub(super) fn expire_fragments(&self, link: &Link, round: &mut Round) {
        let mut expired = Vec::new();
        for (family, fragments) in [(Family::V4, &link.fragments_v4), (Family::V6, &link.fragments_v6)] {
            let mut fragments = fragments.lock();
            let before = expired.len();
            fragments.on_timer(round.now, &mut expired);
            let given_up = expired.len().saturating_sub(before) as u64;
            self.statistics.add(family, Count::ReasmTimeout, given_up);
            self.statistics.add(family, Count::ReasmFails, given_up);
            link.note_chore(fragments.deadline());
        }
        for Expired { quote, .. } in expired {
            self.complain(link, Failure::Reassembly, &quote, icmp::Link::Unicast, round);
        }
    }

    /// A packet of a transport other than TCP and UDP.
    pub(super) fn other(&self, nth: usize, link: &Link, arrival: &Arrival, frame: &mut dyn RxFrame, round: &mut Round) {
        let destination = arrival.addresses.destination();
        if !link.owns(destination) && !destination.is_multicast() && !is_broadcast(link, destination) {
            return self.count(destination, Count::InAddrErrors);
        }
        self.count(destination, Count::InDelivers);
        let Some(bytes) = copy_of(frame) else { return };
        let Some(message) = bytes.get(arrival.start..arrival.start.saturating_add(arrival.len)) else { return };
        match (arrival.protocol, arrival.addresses) {
            (protocol::ICMP, Addresses::V4 { .. }) => self.icmp_v4(nth, link, arrival, (message, &bytes), round),
            (protocol::ICMPV6, Addresses::V6 { .. }) => self.icmp_v6(nth, link, arrival, message, round),
            (protocol::IGMP, Addresses::V4 { .. }) => self.igmp(link, message, round),
            (protocol::NO_NEXT_HEADER, _) => {}
            _ if self.raw.wants(destination.is_ipv4(), arrival.protocol) => {}
            _ => {
                self.count(destination, Count::InUnknownProtos);
                let packet = bytes.get(ETHERNET_HEADER_LEN..).unwrap_or(&[]);
                // The field that names the protocol: the sixth byte, unless headers stand between.
                let failure = Failure::Protocol { pointer: 6 };
                self.complain(link, failure, packet, manner(&bytes), round);
            }
        }
    }

    fn icmp_v4(&self, nth: usize, link: &Link, arrival: &Arrival, (bytes, frame): (&[u8], &[u8]), round: &mut Round) {
        let Ok(message) = icmpv4::Message::parse(bytes) else {
            return self.statistics.count(Family::V4, Count::IcmpInErrors);
        };
        self.statistics.message(Family::V4, false, bytes.first().copied().unwrap_or(0));
        if let icmpv4::Message::EchoRequest(echo) = message {
            let packet = ipv4::Packet::parse_quote(frame.get(ETHERNET_HEADER_LEN..).unwrap_or(&[]));
            let is_broadcast = |ip| link.is_broadcast(ip);
            if packet.is_ok_and(|packet| icmp::answers_echo_v4(&packet.header, manner(frame), is_broadcast)) {
                let mut reply = vec![0; bytes.len()];
                if icmpv4::Message::EchoReply(echo).emit(&mut reply).is_ok() {
                    self.queue_packet(link, arrival.addresses.reversed(), (protocol::ICMP, arrival.tos), &reply, round);
                }
            }
            return;
        }
        if let Some(report) = icmp::read_v4(&message) {
            self.reported(nth, &report, arrival.addresses.source(), round);
        }
    }

    fn icmp_v6(&self, nth: usize, link: &Link, arrival: &Arrival, bytes: &[u8], round: &mut Round) {
        let Addresses::V6 { source, destination } = arrival.addresses else { return };
        let header = ipv6::Header {
            traffic_class: arrival.tos,
            flow_label: 0,
            next_header: protocol::ICMPV6,
            hop_limit: arrival.ttl,
            source,
            destination,
        };
        let Ok(message) = icmpv6::Message::parse(bytes, &header) else {
            return self.statistics.count(Family::V6, Count::IcmpInErrors);
        };
        self.statistics.message(Family::V6, false, bytes.first().copied().unwrap_or(0));
        match message {
            icmpv6::Message::EchoRequest(echo) if icmp::answers_echo_v6(&header) => {
                let own = Some(IpAddr::V6(destination)).filter(|own| link.owns(*own));
                let own = own.or_else(|| super::configure::source(&self.links, link, source.into()));
                let Some(IpAddr::V6(own)) = own else { return };
                let mut reply = vec![0; bytes.len()];
                if icmpv6::Message::EchoReply(echo).emit(own, source, &mut reply).is_ok() {
                    let addresses = Addresses::V6 { source: own, destination: source };
                    self.queue_packet(link, addresses, (protocol::ICMPV6, arrival.tos), &reply, round);
                }
            }
            icmpv6::Message::Ndp(message) => self.ndp(link, &header, &message, round),
            icmpv6::Message::Mld(message) => {
                let now = round.now;
                self.set_up(link, round, |setup, wants| {
                    setup.groups.on_mld(&message, &mut turn(now, &mut crate::ports::random, &mut wants.groups));
                });
            }
            message => {
                if let Some(report) = icmp::read_v6(&message) {
                    self.reported(nth, &report, source.into(), round);
                }
            }
        }
    }

    fn igmp(&self, link: &Link, bytes: &[u8], round: &mut Round) {
        let Ok(message) = igmp::Message::parse(bytes) else { return };
        let now = round.now;
        self.set_up(link, round, |setup, wants| {
            setup.groups.on_igmp(&message, &mut turn(now, &mut crate::ports::random, &mut wants.groups));
        });
    }

    /// Puts a packet of a transport's `bytes` among the round's frames; in fragments if need be.
    fn queue_packet(
        &self,
        link: &Link,
        addresses: Addresses,
        (protocol, tos): (u8, u8),
        bytes: &[u8],
        round: &mut Round,
    ) {
        let Ok(way) = self.way(addresses.destination(), Some(link.interface.0)) else { return };
        let envelope = Envelope {
            from: link.mac,
            to: link.mac,
            addresses,
            ttl: link.ttl(addresses.destination().is_ipv4()),
            tos,
            id: crate::ports::random() as u16,
            fragmentable: true,
        };
        round.packets.push(super::round::Packet { envelope, protocol, next_hop: way.next_hop, bytes: bytes.to_vec() });
    }

    /// Answers a packet with an ICMP error, if that is allowed.
    pub(super) fn complain(&self, link: &Link, failure: Failure, packet: &[u8], manner: icmp::Link, round: &mut Round) {
        let mut bytes = [0; ERROR_MAX];
        let version = packet.first().map_or(0, |byte| byte >> 4);
        let (destination, source, protocol, len) = if version == 4 {
            let broadcast = |ip| link.is_broadcast(ip);
            let Some((to, len)) = icmp::emit_v4(failure, packet, manner, broadcast, &mut bytes) else { return };
            let Ok(header) = ipv4::Packet::parse_quote(packet) else { return };
            (IpAddr::V4(to), IpAddr::V4(header.header.destination), protocol::ICMP, len)
        } else {
            let Ok(quoted) = ipv6::Packet::parse_quote(packet) else { return };
            let to = IpAddr::V6(quoted.header.source);
            let own = IpAddr::V6(quoted.header.destination);
            let from = if link.owns(own) { Some(own) } else { super::configure::source(&self.links, link, to) };
            let Some(IpAddr::V6(from)) = from else { return };
            let Some((to, len)) = icmp::emit_v6(failure, packet, manner, from, &mut bytes) else { return };
            (IpAddr::V6(to), IpAddr::V6(from), protocol::ICMPV6, len)
        };
        if !self.complaints.lock().allow(destination, round.now) {
            return self.count(destination, Count::IcmpOutLimited);
        }
        let Some(addresses) = Addresses::new(source, destination) else { return };
        self.queue_packet(link, addresses, (protocol, ERROR_TOS), bytes.get(..len).unwrap_or(&[]), round);
    }

    /// A datagram for a port that nobody has (RFC 1122 §4.1.3.1).
    pub(super) fn refuse_datagram(&self, link: &Link, arrival: &Arrival, frame: &mut dyn RxFrame, round: &mut Round) {
        let destination = arrival.addresses.destination();
        if !link.owns(destination) {
            return;
        }
        self.count(destination, Count::InDelivers);
        self.count(destination, Count::UdpNoPorts);
        if let Some(bytes) = copy_of(frame) {
            let packet = bytes.get(ETHERNET_HEADER_LEN..).unwrap_or(&[]);
            self.complain(link, Failure::Port, packet, manner(&bytes), round);
        }
    }

    /// An ICMP error came: its flow or port is told, if there is one that could have sent the quoted packet.
    fn reported(&self, _nth: usize, report: &Report<'_>, reporter: IpAddr, round: &mut Round) {
        let quote = &report.quote;
        if self.raw.wants(quote.addresses.source().is_ipv4(), quote.protocol) {
            let what = Undelivered {
                local: SocketAddr::new(quote.addresses.source(), 0),
                to: SocketAddr::new(quote.addresses.destination(), 0),
                errno: report.errno,
                hard: report.hard,
                kind: report.kind,
                code: report.code,
                info: report.info,
                reporter: Some(reporter),
                payload: quote.payload.to_vec(),
            };
            round.raw(self.raw.clone(), Raw::Undelivered(quote.protocol, what));
        }
        let Some((source_port, destination_port)) = quote.ports() else { return };
        let local = SocketAddr::new(quote.addresses.source(), source_port);
        let peer = SocketAddr::new(quote.addresses.destination(), destination_port);
        match quote.protocol {
            protocol::TCP => self.tcp_reported(Pair { local, peer }, report, round),
            protocol::UDP => {
                if let Some(mtu) = report.mtu {
                    self.path_reported(peer.ip(), mtu, report.quote.packet_len, round.now);
                }
                let what = Undelivered {
                    local,
                    to: peer,
                    errno: report.errno,
                    hard: report.hard,
                    kind: report.kind,
                    code: report.code,
                    info: report.info,
                    reporter: Some(reporter),
                    payload: quote.payload.get(8..).unwrap_or(&[]).to_vec(),
                };
                if let Some(sink) = self.datagrams.find(source_port) {
                    round.undelivered(sink, what);
                }
            }
            _ => {}
        }
    }

    /// A router says what a path takes; only somebody whose packet was quoted is asked to believe it.
    fn path_reported(&self, to: IpAddr, mtu: u32, packet_len: u16, now: u64) {
        let Ok(way) = self.way(to, None) else { return };
        let Some(link) = self.links.get(way.link) else { return };
        let current = self.mtu_of(link, to, now).0 as u16;
        self.paths.lock().on_report(to, mtu, packet_len, current, now);
    }

    fn tcp_reported(&self, pair: Pair, report: &Report<'_>, round: &mut Round) {
        let Some(flow) = self.flows.find(&pair, pair.hash(self.key)) else { return };
        let Ok(quote) = tcp::Quote::parse(report.quote.payload) else { return };
        let mut guard = flow.inner.lock();
        let inner = &mut *guard;
        let Some(tcb) = inner.tcb.as_mut().filter(|tcb| tcb.in_flight(quote.sequence)) else { return };
        let changes = match report.mtu {
            Some(mtu) => {
                let headers = if pair.peer.is_ipv4() { 40 } else { 60 };
                let least = if pair.peer.is_ipv4() { rkt_inet::pmtu::MIN_IPV4 } else { ipv6::MIN_MTU };
                // A router that does not say how much is believed to take a little less than that packet.
                let said = if mtu == 0 { u32::from(least) } else { mtu };
                self.path_reported(pair.peer.ip(), mtu, report.quote.packet_len, round.now);
                let mtu = said.clamp(least.into(), report.quote.packet_len.max(least).into()) as u16;
                tcb.on_mtu(mtu.saturating_sub(headers))
            }
            None => tcb.on_unreachable(report.errno.raw().into(), report.hard),
        };
        round.want_output(&flow);
        self.settle(&flow, inner, changes, round);
    }

    /// A frame of ours could not be sent to its neighbour.
    pub(super) fn give_up(&self, frame: &[u8], errno: Errno, round: &mut Round) {
        let Ok((_, packet)) = ethernet::Header::parse(frame) else { return };
        let quoted = match packet.first().map(|byte| byte >> 4) {
            Some(4) => ipv4::Packet::parse_quote(packet)
                .ok()
                .map(|packet| (packet.header.addresses(), packet.header.protocol, packet.payload)),
            _ => ipv6::Packet::parse_quote(packet)
                .ok()
                .map(|packet| (packet.header.addresses(), packet.header.next_header, packet.payload)),
        };
        let Some((addresses, protocol, payload)) = quoted else { return };
        let quote = icmp::Quote { addresses, protocol, payload, packet_len: packet.len().min(0xffff) as u16 };
        // What a router would say (RFC 792; RFC 4443 §3.1).
        let (kind, code) = match addresses {
            Addresses::V4 { .. } => (icmpv4::kind::UNREACHABLE, icmpv4::unreachable::HOST),
            Addresses::V6 { .. } => (icmpv6::kind::UNREACHABLE, icmpv6::unreachable::ADDRESS),
        };
        let report = Report { kind, code, errno, hard: true, mtu: None, info: 0, quote };
        self.reported(0, &report, addresses.source(), round);
    }
}

fn is_broadcast(link: &Link, ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if link.is_broadcast(ip))
}
