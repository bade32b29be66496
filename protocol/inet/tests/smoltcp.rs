//! An implementation that we did not write reads what we write and writes it again; we read the same. Each value goes through both
//! directions of both.

use rkt_wire::icmpv6::ndp::{self, Body, NdOption, Options};
use rkt_wire::icmpv6::{self, mld};
use rkt_wire::ip::{Addresses, protocol};
use rkt_wire::membership::{Record, RecordKind, Records};
use rkt_wire::{arp, checksum::Sum, dhcp, ethernet, icmpv4, igmp, ipv4, ipv6, tcp, udp};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::*;
use std::net::{Ipv4Addr, Ipv6Addr};

const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const A6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const B6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
const V4: Addresses = Addresses::V4 { source: A, destination: B };
const V6: Addresses = Addresses::V6 { source: A6, destination: B6 };
const MAC: ethernet::Address = ethernet::Address([2, 0, 0, 0, 0, 1]);
const OTHER: ethernet::Address = ethernet::Address([2, 0, 0, 0, 0, 2]);

fn checksums() -> ChecksumCapabilities {
    ChecksumCapabilities::default()
}

#[test]
fn ethernet_and_arp() {
    let header = ethernet::Header { destination: OTHER, source: MAC, ethertype: ethernet::ethertype::ARP };
    let packet =
        arp::Packet { operation: arp::Operation::Reply, sender_mac: MAC, sender: A, target_mac: OTHER, target: B };
    let mut bytes = [0; 42];
    let (head, body) = bytes.split_at_mut(header.emit(&mut [0; 14]).unwrap());
    header.emit(head).unwrap();
    packet.emit(body).unwrap();
    let frame = EthernetFrame::new_checked(&bytes[..]).unwrap();
    let repr = EthernetRepr::parse(&frame).unwrap();
    let arp = ArpRepr::parse(&ArpPacket::new_checked(frame.payload()).unwrap()).unwrap();
    let mut again = [0; 42];
    let mut frame = EthernetFrame::new_unchecked(&mut again[..]);
    repr.emit(&mut frame);
    arp.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
    assert_eq!(again, bytes);
    let (parsed, payload) = ethernet::Header::parse(&again).unwrap();
    assert_eq!((parsed, arp::Packet::parse(payload)), (header, Ok(packet)));
}

#[test]
fn ip_headers() {
    let header = ipv4::Header {
        tos: 0,
        id: 0,
        dont_fragment: true,
        more_fragments: false,
        offset: 0,
        ttl: 63,
        protocol: protocol::TCP,
        source: A,
        destination: B,
    };
    let mut bytes = [0; 30];
    header.emit(&[], 10, &mut bytes).unwrap();
    let repr = Ipv4Repr::parse(&Ipv4Packet::new_checked(&bytes[..]).unwrap(), &checksums()).unwrap();
    let mut again = [0; 30];
    repr.emit(&mut Ipv4Packet::new_unchecked(&mut again[..]), &checksums());
    assert_eq!(again, bytes);
    assert_eq!(ipv4::Packet::parse(&again).map(|packet| packet.header), Ok(header));

    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        next_header: protocol::UDP,
        hop_limit: 255,
        source: A6,
        destination: B6,
    };
    let mut bytes = [0; 50];
    header.emit(10, &mut bytes).unwrap();
    let repr = Ipv6Repr::parse(&Ipv6Packet::new_checked(&bytes[..]).unwrap()).unwrap();
    let mut again = [0; 50];
    repr.emit(&mut Ipv6Packet::new_unchecked(&mut again[..]));
    assert_eq!(again, bytes);
    assert_eq!(ipv6::Packet::parse(&again).map(|packet| packet.header), Ok(header));
}

#[test]
fn tcp_with_options() {
    for (addresses, source, destination) in [(V4, IpAddress::from(A), IpAddress::from(B)), (V6, A6.into(), B6.into())] {
        let mut sack = tcp::SackBlocks::default();
        sack.push(tcp::SackBlock { left: 100, right: 200 });
        sack.push(tcp::SackBlock { left: 300, right: 400 });
        let timestamps = Some(tcp::Timestamps { value: 7, echo: 8 });
        let syn = tcp::Options {
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
            timestamps,
            ..Default::default()
        };
        let data = tcp::Options { timestamps, sack, ..Default::default() };
        for (options, flags, payload) in [(syn, tcp::Flags::SYN, &b""[..]), (data, tcp::Flags::ACK, b"data!")] {
            let mut header = tcp::Header {
                source_port: 4000,
                destination_port: 80,
                sequence: 0xffff_fff0,
                acknowledgement: if flags == tcp::Flags::ACK { 99 } else { 0 },
                flags,
                window: 5000,
                checksum: 0,
                urgent: 0,
            };
            let mut bytes = [0; 100];
            let len = header.emit(&options, &mut bytes).unwrap();
            bytes[len..][..payload.len()].copy_from_slice(payload);
            let bytes = &mut bytes[..len + payload.len()];
            header.checksum = (addresses.pseudo(protocol::TCP, bytes.len()) + Sum::of(bytes)).finish();
            header.emit(&options, bytes).unwrap();

            let packet = TcpPacket::new_checked(&bytes[..]).unwrap();
            let repr = TcpRepr::parse(&packet, &source, &destination, &checksums()).unwrap();
            assert_eq!((repr.max_seg_size, repr.window_scale), (options.mss, options.window_scale));
            let mut again = vec![0; repr.buffer_len()];
            repr.emit(&mut TcpPacket::new_unchecked(&mut again[..]), &source, &destination, &checksums());
            assert!((addresses.pseudo(protocol::TCP, again.len()) + Sum::of(&again)).is_valid());
            let segment = tcp::Segment::parse(&again).unwrap();
            assert_eq!((tcp::Options::parse(segment.options), segment.payload), (options, payload));
            assert_eq!(tcp::Header { checksum: header.checksum, ..segment.header }, header);
        }
    }
}

#[test]
fn udp_over_both() {
    for (addresses, source, destination) in [(V4, IpAddress::from(A), IpAddress::from(B)), (V6, A6.into(), B6.into())] {
        let mut header = udp::Header { source_port: 53, destination_port: 5353, checksum: 0 };
        header.checksum = (header.sum(5, &addresses) + Sum::of(b"hello")).finish_udp();
        let mut bytes = [0; 13];
        header.emit(5, &mut bytes).unwrap();
        bytes[8..].copy_from_slice(b"hello");
        let packet = UdpPacket::new_checked(&bytes[..]).unwrap();
        let repr = UdpRepr::parse(&packet, &source, &destination, &checksums()).unwrap();
        let mut again = [0; 13];
        let mut packet = UdpPacket::new_unchecked(&mut again[..]);
        repr.emit(&mut packet, &source, &destination, 5, |to| to.copy_from_slice(b"hello"), &checksums());
        assert_eq!(again, bytes);
    }
}

#[test]
fn icmp_of_ipv4() {
    let mut quote = [0; 28];
    let header = ipv4::Header {
        tos: 0,
        id: 0,
        dont_fragment: true,
        more_fragments: false,
        offset: 0,
        ttl: 63,
        protocol: protocol::UDP,
        source: A,
        destination: B,
    };
    header.emit(&[], 8, &mut quote).unwrap();
    let messages = [
        icmpv4::Message::EchoRequest(icmpv4::Echo { id: 3, sequence: 4, data: b"abc" }),
        icmpv4::Message::Unreachable { code: icmpv4::unreachable::PORT, mtu: 0, quote: &quote },
        icmpv4::Message::TimeExceeded { code: icmpv4::time_exceeded::REASSEMBLY, quote: &quote },
    ];
    for message in messages {
        let mut bytes = [0; 64];
        let len = message.emit(&mut bytes).unwrap();
        let repr = Icmpv4Repr::parse(&Icmpv4Packet::new_checked(&bytes[..len]).unwrap(), &checksums()).unwrap();
        let mut again = vec![0; repr.buffer_len()];
        repr.emit(&mut Icmpv4Packet::new_unchecked(&mut again[..]), &checksums());
        assert_eq!(icmpv4::Message::parse(&again), Ok(message));
    }
}

/// Through the other implementation and back.
fn icmpv6_again(message: &icmpv6::Message<'_>, hop_limit: u8) {
    let (source, destination) = (A6, B6);
    let packet =
        ipv6::Header { traffic_class: 0, flow_label: 0, next_header: protocol::ICMPV6, hop_limit, source, destination };
    let mut bytes = [0; 256];
    let len = message.emit(source, destination, &mut bytes).unwrap();
    let smol = Icmpv6Packet::new_checked(&bytes[..len]).unwrap();
    let repr = Icmpv6Repr::parse(&source, &destination, &smol, &checksums()).unwrap();
    let mut again = vec![0; repr.buffer_len()];
    repr.emit(&source, &destination, &mut Icmpv6Packet::new_unchecked(&mut again[..]), &checksums());
    assert_eq!(icmpv6::Message::parse(&again, &packet), Ok(*message));
}

#[test]
fn icmp_of_ipv6() {
    icmpv6_again(&icmpv6::Message::EchoReply(icmpv6::Echo { id: 3, sequence: 4, data: b"abcd" }), 64);
    let mut bytes = [0; 64];
    let len = NdOption::SourceMac(MAC).emit(&mut bytes).unwrap();
    let options = Options::new(&bytes[..len]).unwrap();
    let body = Body::NeighborSolicitation { target: B6 };
    icmpv6_again(&icmpv6::Message::Ndp(ndp::Message { body, options }), 255);
    icmpv6_again(&icmpv6::Message::Ndp(ndp::Message { body: Body::RouterSolicitation, options }), 255);

    let len = NdOption::TargetMac(OTHER).emit(&mut bytes).unwrap();
    let options = Options::new(&bytes[..len]).unwrap();
    let body = Body::NeighborAdvertisement { router: true, solicited: true, overriding: false, target: B6 };
    icmpv6_again(&icmpv6::Message::Ndp(ndp::Message { body, options }), 255);
}

#[test]
fn a_router_advertisement() {
    let prefix = ndp::Prefix {
        prefix: B6,
        len: 64,
        on_link: true,
        autonomous: true,
        valid_lifetime: 7200,
        preferred_lifetime: 3600,
    };
    let mut bytes = [0; 64];
    let mut len = 0;
    for option in [NdOption::SourceMac(MAC), NdOption::Mtu(1400), NdOption::Prefix(prefix)] {
        len += option.emit(&mut bytes[len..]).unwrap();
    }
    let advertisement = ndp::RouterAdvertisement {
        hop_limit: 64,
        managed: true,
        lifetime: 1800,
        reachable_time: 30_000,
        retrans_timer: 1000,
        ..Default::default()
    };
    let options = Options::new(&bytes[..len]).unwrap();
    let body = Body::RouterAdvertisement(advertisement);
    icmpv6_again(&icmpv6::Message::Ndp(ndp::Message { body, options }), 255);
}

#[test]
fn groups() {
    let group = Ipv4Addr::new(239, 1, 2, 3);
    for message in [igmp::Message::ReportV2(group), igmp::Message::Leave(group)] {
        let mut bytes = [0; 8];
        message.emit(&mut bytes).unwrap();
        let repr = IgmpRepr::parse(&IgmpPacket::new_checked(&bytes[..]).unwrap()).unwrap();
        let mut again = [0; 8];
        repr.emit(&mut IgmpPacket::new_unchecked(&mut again[..]));
        assert_eq!(igmp::Message::parse(&again), Ok(message));
    }
    let group = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 9);
    let record = Record { kind: RecordKind::ChangeToExclude, group: group.octets(), sources: &[] };
    let mut bytes = [0; 20];
    record.emit(&mut bytes).unwrap();
    icmpv6_again(&icmpv6::Message::Mld(mld::Message::ReportV2(Records::new(1, &bytes).unwrap())), 1);
}

#[test]
fn a_dhcp_offer() {
    let routers = [A.octets()];
    let options = dhcp::Options {
        subnet_mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
        routers: dhcp::Addresses::new(&routers),
        resolvers: dhcp::Addresses::new(&routers),
        lease_time: Some(3600),
        renewal_time: Some(1800),
        rebinding_time: Some(3150),
        server_id: Some(A),
        ..Default::default()
    };
    let message = dhcp::Message {
        kind: dhcp::Kind::Offer,
        transaction: 0x1234_5678,
        seconds: 2,
        broadcast: true,
        client: Ipv4Addr::UNSPECIFIED,
        yours: B,
        server: Ipv4Addr::UNSPECIFIED,
        relay: Ipv4Addr::UNSPECIFIED,
        mac: MAC,
        options,
    };
    let mut bytes = [0; 400];
    let len = message.emit(&mut bytes).unwrap();
    let packet = DhcpPacket::new_checked(&bytes[..len]).unwrap();
    let repr = DhcpRepr::parse(&packet).unwrap();
    assert_eq!((repr.your_ip, repr.router, repr.lease_duration), (B, Some(A), Some(3600)));
    // These two it reads but does not write.
    assert_eq!((repr.renew_duration, repr.rebind_duration), (options.renewal_time, options.rebinding_time));
    let options = dhcp::Options { renewal_time: None, rebinding_time: None, ..options };
    let mut again = vec![0; repr.buffer_len()];
    repr.emit(&mut DhcpPacket::new_unchecked(&mut again[..])).unwrap();
    assert_eq!(dhcp::Message::parse(&again), Ok(dhcp::Message { options, ..message }));
}
