//! Packets that do not leave: those of raw sockets to ourselves, and what packet sockets see and send on `lo`.
//!
//! Streams within the enclave are no packets (`tcp/loopback.rs`); nothing of them is seen here.

use crate::NetStack;
use crate::interface::ARPHRD_LOOPBACK;
use crate::stack::{Frame, FrameKind, FrameSink, Incoming, Manner, Packet, PacketSink};
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;
use rkt_netdev::{Checksum, ETHERNET_HEADER_LEN};
use rkt_wire::checksum::Sum;
use rkt_wire::ethernet::{self, ethertype};
use rkt_wire::ip::{Addresses, protocol};
use rkt_wire::{icmpv4, icmpv6, ipv4, ipv6, udp};

/// Time to live of packets that do not leave.
pub(crate) const TTL: u8 = 64;
/// The loopback's index.
pub(crate) const INTERFACE: u32 = 1;
/// Where the checksum of ICMPv6 lies.
const ICMP_CHECKSUM: usize = 2;

/// Stores bytes at a place, if there is room.
pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = value;
    }
}

/// A packet to ourselves: who listens hears it, and the answer to an echo.
pub(crate) fn turn_back(net: &NetStack, addresses: Addresses, protocol: u8, bytes: &[u8], manner: &Manner) {
    show(net, addresses, protocol, &[bytes], manner);
    net.raw.packet(&packet(addresses, protocol, bytes, manner));
    let back = addresses.reversed();
    if let Some(reply) = answer(addresses, protocol, bytes) {
        show(net, back, protocol, &[&reply], manner);
        net.raw.packet(&packet(back, protocol, &reply, manner));
    }
}

/// The answer to an echo request.
fn answer(addresses: Addresses, protocol: u8, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reply = vec![0; bytes.len()];
    match (protocol, addresses) {
        (protocol::ICMP, Addresses::V4 { .. }) => {
            let Ok(icmpv4::Message::EchoRequest(echo)) = icmpv4::Message::parse(bytes) else { return None };
            icmpv4::Message::EchoReply(echo).emit(&mut reply).ok()?;
        }
        (protocol::ICMPV6, Addresses::V6 { .. }) => {
            if bytes.first() != Some(&icmpv6::kind::ECHO_REQUEST) || bytes.len() < icmpv4::HEADER_LEN {
                return None;
            }
            reply.copy_from_slice(bytes);
            put(&mut reply, 0, [icmpv6::kind::ECHO_REPLY, 0, 0, 0]);
            let sum = (addresses.reversed().pseudo(protocol, reply.len()) + Sum::of(&reply)).finish();
            put(&mut reply, ICMP_CHECKSUM, sum.to_be_bytes());
        }
        _ => return None,
    }
    Some(reply)
}

/// A packet as it would have come in; with a header, which raw sockets of IPv4 see.
fn packet(addresses: Addresses, protocol: u8, bytes: &[u8], manner: &Manner) -> Packet {
    let ttl = manner.ttl.unwrap_or(TTL);
    let mut whole = if matches!(addresses, Addresses::V4 { .. }) {
        header(addresses, protocol, bytes.len(), manner)
    } else {
        Vec::new()
    };
    let payload_at = whole.len();
    whole.extend_from_slice(bytes);
    let (source, destination) = (addresses.source(), addresses.destination());
    Packet { source, destination, protocol, bytes: whole, payload_at, interface: INTERFACE, ttl, tos: manner.tos }
}

/// The header of IP.
fn header(addresses: Addresses, protocol: u8, len: usize, manner: &Manner) -> Vec<u8> {
    let (ttl, tos) = (manner.ttl.unwrap_or(TTL), manner.tos);
    let mut bytes = Vec::new();
    // The payload was measured when it was sent.
    match addresses {
        Addresses::V4 { source, destination } => {
            let header = ipv4::Header {
                tos,
                id: 0,
                dont_fragment: true,
                more_fragments: false,
                offset: 0,
                ttl,
                protocol,
                source,
                destination,
            };
            bytes.resize(ipv4::HEADER_LEN, 0);
            let _ = header.emit(&[], len, &mut bytes);
        }
        Addresses::V6 { source, destination } => {
            let header = ipv6::Header {
                traffic_class: tos,
                flow_label: 0,
                next_header: protocol,
                hop_limit: ttl,
                source,
                destination,
            };
            bytes.resize(ipv6::HEADER_LEN, 0);
            let _ = header.emit(len, &mut bytes);
        }
    }
    bytes
}

/// A packet as it lies in a frame on the loopback.
fn framed(addresses: Addresses, protocol: u8, parts: &[&[u8]], manner: &Manner) -> Vec<u8> {
    let body = parts.concat();
    let mut frame = vec![0; ETHERNET_HEADER_LEN];
    let kind = if matches!(addresses, Addresses::V4 { .. }) { ethertype::IPV4 } else { ethertype::IPV6 };
    put(&mut frame, ETHERNET_HEADER_LEN - 2, kind.to_be_bytes());
    frame.extend(header(addresses, protocol, body.len(), manner));
    frame.extend(body);
    frame
}

/// Shows packet sockets a packet to ourselves, of so many parts: once as it leaves, once as it comes in.
pub(crate) fn show(net: &NetStack, addresses: Addresses, protocol: u8, parts: &[&[u8]], manner: &Manner) {
    if !net.taps.listens() {
        return;
    }
    show_frame(net, &framed(addresses, protocol, parts, manner), 0);
}

/// Shows packet sockets a datagram of UDP to ourselves.
pub(crate) fn show_udp(net: &NetStack, from: SocketAddr, to: SocketAddr, payload: &[u8], manner: &Manner) {
    if net.taps.listens()
        && let Some(frame) = udp_frame(from, to, payload, manner)
    {
        show_frame(net, &frame, 0);
    }
}

/// A datagram of UDP as it lies in a frame on the loopback.
pub(crate) fn udp_frame(from: SocketAddr, to: SocketAddr, payload: &[u8], manner: &Manner) -> Option<Vec<u8>> {
    let addresses = Addresses::new(from.ip(), to.ip())?;
    let mut header = udp::Header { source_port: from.port(), destination_port: to.port(), checksum: 0 };
    header.checksum = (header.sum(payload.len(), &addresses) + Sum::of(payload)).finish_udp();
    let mut bytes = [0; udp::HEADER_LEN];
    header.emit(payload.len(), &mut bytes).ok()?;
    Some(framed(addresses, protocol::UDP, &[&bytes, payload], manner))
}

fn show_frame(net: &NetStack, bytes: &[u8], sender: u64) {
    let outgoing = Frame {
        interface: INTERFACE,
        hardware: ARPHRD_LOOPBACK,
        kind: FrameKind::Outgoing,
        bytes,
        checksum: Checksum::Valid,
        sender,
    };
    net.taps.frame(&outgoing);
    // The loopback's address is all zeros.
    let kind = match bytes.first_chunk::<6>() {
        Some([0, 0, 0, 0, 0, 0]) => FrameKind::Host,
        Some([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]) => FrameKind::Broadcast,
        Some([first, ..]) if first & 1 == 1 => FrameKind::Group,
        _ => FrameKind::Other,
    };
    net.taps.frame(&Frame { kind, sender: 0, ..outgoing });
}

/// A frame that a packet socket sends on the loopback comes in again.
pub(crate) fn inject(net: &NetStack, frame: &[u8], sender: u64) {
    show_frame(net, frame, sender);
    let Ok((link, bytes)) = ethernet::Header::parse(frame) else { return };
    let (addresses, protocol, payload, manner) = match link.ethertype {
        ethertype::IPV4 => {
            let Ok(ipv4::Packet { header, payload, .. }) = ipv4::Packet::parse(bytes) else { return };
            let manner = Manner { ttl: Some(header.ttl), tos: header.tos, ..Manner::default() };
            (header.addresses(), header.protocol, payload, manner)
        }
        ethertype::IPV6 => {
            let Ok(ipv6::Packet { header, payload }) = ipv6::Packet::parse(bytes) else { return };
            let manner = Manner { ttl: Some(header.hop_limit), tos: header.traffic_class, ..Manner::default() };
            (header.addresses(), header.next_header, payload, manner)
        }
        _ => return,
    };
    if !net.is_local(addresses.destination()) {
        return;
    }
    if protocol == protocol::UDP {
        deliver_udp(net, addresses, payload, &manner);
    } else {
        turn_back(net, addresses, protocol, payload, &manner);
    }
}

fn deliver_udp(net: &NetStack, addresses: Addresses, bytes: &[u8], manner: &Manner) {
    net.raw.packet(&packet(addresses, protocol::UDP, bytes, manner));
    let Ok((header, payload)) = udp::Header::parse(bytes) else { return };
    if !header.is_intact(payload, &addresses) {
        return;
    }
    // Nobody listens: the sender, a packet socket, wants no error.
    let _unheard = net.udp_ports.give(Incoming {
        local: (addresses.destination(), header.destination_port).into(),
        from: (addresses.source(), header.source_port).into(),
        payload: payload.to_vec(),
        interface: INTERFACE,
        ttl: manner.ttl.unwrap_or(TTL),
        tos: manner.tos,
        to_all: false,
        segment: None,
        coverage: None,
    });
}
