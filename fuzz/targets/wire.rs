//! Headers of the Internet protocols: what is parsed and written again is the same. Checksums are put right first, so that
//! what lies behind them is reached.
#![no_main]

use core::net::{IpAddr, Ipv6Addr};
use libfuzzer_sys::fuzz_target;
use rkt_inet::icmp::{self, Failure, Link};
use rkt_wire::checksum::Sum;
use rkt_wire::ip::protocol;
use rkt_wire::{arp, dhcp, ethernet, icmpv4, icmpv6, igmp, ipv4, ipv6, tcp, udp};

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let mut bytes = bytes.to_vec();
    let into = &mut vec![0; 2 * bytes.len() + 1024][..];
    match kind % 10 {
        0 => frame(&bytes, into),
        1 => address_resolution(&bytes, into),
        2 => packet_v4(&mut bytes, into),
        3 => packet_v6(&bytes, into),
        4 => datagram(&bytes, into),
        5 => segment(&bytes, into),
        6 => control_v4(&mut bytes, into),
        7 => control_v6(&mut bytes, into),
        8 => membership(&mut bytes, into),
        _ => configuration(&bytes, into),
    }
});

/// Puts the checksum at `at` right.
fn seal(bytes: &mut [u8], len: usize, at: usize, pseudo: Sum) {
    let Some(covered) = bytes.get_mut(..len).filter(|covered| covered.len() >= at + 2) else { return };
    covered[at..at + 2].fill(0);
    let checksum = (pseudo + Sum::of(covered)).finish();
    covered[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
}

fn frame(bytes: &[u8], into: &mut [u8]) {
    if let Ok((header, payload)) = ethernet::Header::parse(bytes) {
        let len = header.emit(into).unwrap();
        assert_eq!((&into[..len], payload), bytes.split_at(len));
    }
}

fn address_resolution(bytes: &[u8], into: &mut [u8]) {
    if let Ok(packet) = arp::Packet::parse(bytes) {
        let len = packet.emit(into).unwrap();
        assert_eq!(into[..len], bytes[..len]);
    }
}

fn packet_v4(bytes: &mut [u8], into: &mut [u8]) {
    let header_len = bytes.first().map_or(0, |first| usize::from(first & 15) * 4);
    seal(bytes, header_len, 10, Sum::ZERO);
    let Ok(packet) = ipv4::Packet::parse(bytes) else { return };
    let len = packet.header.emit(packet.options, packet.payload.len(), into).unwrap();
    into[len..len + packet.payload.len()].copy_from_slice(packet.payload);
    assert_eq!(ipv4::Packet::parse(into), Ok(packet));
    for failure in [Failure::Port, Failure::Reassembly] {
        if let Some((to, len)) = icmp::emit_v4(failure, bytes, Link::Unicast, |_| false, into) {
            assert_eq!(to, packet.header.source);
            let report = icmp::read_v4(&icmpv4::Message::parse(&into[..len]).unwrap()).unwrap();
            assert_eq!(report.quote.addresses, packet.header.addresses());
        }
    }
}

fn packet_v6(bytes: &[u8], into: &mut [u8]) {
    let Ok(packet) = ipv6::Packet::parse(bytes) else { return };
    let len = packet.header.emit(packet.payload.len(), into).unwrap();
    assert_eq!(into[..len], bytes[..len]);
    match ipv6::walk(packet.header.next_header, packet.payload) {
        Ok(ipv6::Walk::Upper(upper)) => {
            assert_eq!(&packet.payload[upper.offset..], upper.payload);
            let named = upper.field.map_or(packet.header.next_header, |field| packet.payload[field]);
            assert_eq!(named, upper.protocol);
        }
        Ok(ipv6::Walk::Fragment { fragment, payload }) => {
            assert!(!fragment.is_atomic() && usize::from(fragment.offset) + payload.len() <= 0xffff);
        }
        Err(ipv6::Problem::Parameter { pointer, .. }) => assert!(pointer <= packet.payload.len()),
        Err(ipv6::Problem::Discard) => {}
    }
    if let Some((to, len)) = icmp::emit_v6(Failure::Port, bytes, Link::Unicast, Ipv6Addr::LOCALHOST, into) {
        assert_eq!(to, packet.header.source);
        assert!(len <= 1240);
    }
}

fn datagram(bytes: &[u8], into: &mut [u8]) {
    if let Ok((header, payload)) = udp::Header::parse(bytes) {
        let len = header.emit(payload.len(), into).unwrap();
        assert_eq!(into[..len], bytes[..len]);
    }
}

fn segment(bytes: &[u8], into: &mut [u8]) {
    let Ok(segment) = tcp::Segment::parse(bytes) else { return };
    let options = tcp::Options::parse(segment.options);
    if let Ok(len) = segment.header.emit(&options, into) {
        let again = tcp::Segment::parse(&into[..len]).unwrap();
        assert_eq!((again.header, tcp::Options::parse(again.options)), (segment.header, options));
    }
}

fn control_v4(bytes: &mut [u8], into: &mut [u8]) {
    seal(bytes, bytes.len(), 2, Sum::ZERO);
    if let Ok(message) = icmpv4::Message::parse(bytes) {
        let len = message.emit(into).unwrap();
        assert_eq!(icmpv4::Message::parse(&into[..len]), Ok(message));
        let _report = icmp::read_v4(&message);
    }
}

fn control_v6(bytes: &mut [u8], into: &mut [u8]) {
    let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    let destination = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    let pseudo = Sum::pseudo_v6(source, destination, protocol::ICMPV6, bytes.len() as u32);
    seal(bytes, bytes.len(), 2, pseudo);
    for hop_limit in [1, 255] {
        let next_header = protocol::ICMPV6;
        let packet = ipv6::Header { traffic_class: 0, flow_label: 0, next_header, hop_limit, source, destination };
        if let Ok(message) = icmpv6::Message::parse(bytes, &packet) {
            let len = message.emit(source, destination, into).unwrap();
            assert_eq!(icmpv6::Message::parse(&into[..len], &packet), Ok(message));
            if let icmpv6::Message::Ndp(message) = message {
                options(&message.options);
            }
            let _report = icmp::read_v6(&message);
        }
    }
}

/// Each option that is known is written as it was read.
fn options(options: &icmpv6::ndp::Options<'_>) {
    for option in options.iter() {
        let mut bytes = [0; 2100];
        let len = option.emit(&mut bytes).unwrap();
        let again = icmpv6::ndp::Options::new(&bytes[..len]).unwrap();
        assert_eq!(again.iter().next(), Some(option));
    }
}

fn membership(bytes: &mut [u8], into: &mut [u8]) {
    seal(bytes, bytes.len(), 2, Sum::ZERO);
    if let Ok(message) = igmp::Message::parse(bytes) {
        let len = message.emit(into).unwrap();
        assert_eq!(igmp::Message::parse(&into[..len]), Ok(message));
        if let igmp::Message::ReportV3(records) = message {
            assert!(records.iter().all(|record| IpAddr::from(record.group).is_ipv4()));
        }
    }
}

fn configuration(bytes: &[u8], into: &mut [u8]) {
    if let Ok(message) = dhcp::Message::parse(bytes) {
        let len = message.emit(into).unwrap();
        assert_eq!(dhcp::Message::parse(&into[..len]), Ok(message));
        assert!(message.options.classless_routes.iter().all(|route| route.prefix_len <= 32));
    }
}
