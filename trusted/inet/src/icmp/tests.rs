use super::*;
use crate::time::SECOND;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use rkt_linux_abi::Errno;
use rkt_wire::ip::{Addresses, protocol};
use rkt_wire::{icmpv4, icmpv6, ipv4, ipv6, udp};
use std::vec::Vec;

const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const US: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const SUBNET_BROADCAST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 255);
const PEER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const US6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

const HEADER: ipv4::Header = ipv4::Header {
    tos: 0,
    id: 1,
    dont_fragment: true,
    more_fragments: false,
    offset: 0,
    ttl: 64,
    protocol: protocol::UDP,
    source: PEER,
    destination: US,
};

const HEADER6: ipv6::Header = ipv6::Header {
    traffic_class: 0,
    flow_label: 0,
    next_header: protocol::UDP,
    hop_limit: 64,
    source: PEER6,
    destination: US6,
};

fn packet(header: ipv4::Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = std::vec![0; 20];
    header.emit(&[], payload.len(), &mut bytes).unwrap();
    bytes.extend(payload);
    bytes
}

fn packet6(header: ipv6::Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = std::vec![0; 40];
    header.emit(payload.len(), &mut bytes).unwrap();
    bytes.extend(payload);
    bytes
}

fn datagram(len: usize) -> Vec<u8> {
    let mut bytes = std::vec![0; 8 + len];
    udp::Header { source_port: 5353, destination_port: 9, checksum: 0 }.emit(len, &mut bytes).unwrap();
    bytes
}

fn answer(failure: Failure, packet: &[u8], link: Link) -> Option<Vec<u8>> {
    let mut bytes = std::vec![0; 1500];
    let (to, len) = emit_v4(failure, packet, link, |address| address == SUBNET_BROADCAST, &mut bytes)?;
    assert_eq!(to, PEER);
    bytes.truncate(len);
    Some(bytes)
}

fn answer6(failure: Failure, packet: &[u8], link: Link) -> Option<Vec<u8>> {
    let mut bytes = std::vec![0; 1500];
    let (to, len) = emit_v6(failure, packet, link, US6, &mut bytes)?;
    assert_eq!(to, PEER6);
    bytes.truncate(len);
    Some(bytes)
}

#[test]
fn an_error_comes_back_as_a_report() {
    let bytes = answer(Failure::Port, &packet(HEADER, &datagram(1000)), Link::Unicast).unwrap();
    assert_eq!(bytes.len(), 576 - 20);
    let report = read_v4(&icmpv4::Message::parse(&bytes).unwrap()).unwrap();
    assert_eq!((report.errno, report.hard), (Errno::ECONNREFUSED, true));
    assert_eq!(report.quote.addresses, Addresses::V4 { source: PEER, destination: US });
    assert_eq!((report.quote.ports(), report.quote.packet_len), (Some((5353, 9)), 1028));

    let bytes = answer6(Failure::Port, &packet6(HEADER6, &datagram(1400)), Link::Unicast).unwrap();
    assert_eq!(bytes.len(), 1280 - 40);
    let back = ipv6::Header { source: US6, destination: PEER6, next_header: protocol::ICMPV6, ..HEADER6 };
    let report = read_v6(&icmpv6::Message::parse(&bytes, &back).unwrap()).unwrap();
    assert_eq!((report.errno, report.hard), (Errno::ECONNREFUSED, true));
    assert_eq!((report.quote.ports(), report.quote.packet_len), (Some((5353, 9)), 1448));
}

#[test]
fn no_error_about_groups_errors_and_later_fragments() {
    let refused = |header: ipv4::Header, payload: &[u8], link| answer(Failure::Port, &packet(header, payload), link);
    assert!(refused(HEADER, &datagram(0), Link::Unicast).is_some());
    assert!(refused(HEADER, &datagram(0), Link::Group).is_none());
    let unicast = Link::Unicast;
    for destination in [Ipv4Addr::new(224, 0, 0, 1), Ipv4Addr::BROADCAST, SUBNET_BROADCAST] {
        assert!(refused(ipv4::Header { destination, ..HEADER }, &datagram(0), unicast).is_none());
    }
    for source in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, SUBNET_BROADCAST] {
        assert!(refused(ipv4::Header { source, ..HEADER }, &datagram(0), unicast).is_none());
    }
    assert!(refused(ipv4::Header { offset: 8, ..HEADER }, &datagram(0), unicast).is_none());
    let icmp = ipv4::Header { protocol: protocol::ICMP, ..HEADER };
    assert!(refused(icmp, &[icmpv4::kind::UNREACHABLE; 8], unicast).is_none());
    assert!(refused(icmp, &[icmpv4::kind::ECHO_REQUEST; 8], unicast).is_some());
    assert!(refused(icmp, &[], unicast).is_none());
}

#[test]
fn only_some_errors_about_groups_over_ipv6() {
    let group = packet6(ipv6::Header { destination: ipv6::ALL_NODES, ..HEADER6 }, &datagram(0));
    let option = |even_to_group| Failure::Parameter { code: 2, pointer: 42, even_to_group };
    assert!(answer6(Failure::Port, &group, Link::Group).is_none());
    assert!(answer6(option(false), &group, Link::Group).is_none());
    assert!(answer6(option(true), &group, Link::Group).is_some());
    // An error behind a destination header, and one in a first fragment.
    let chain = [protocol::ICMPV6, 0, 1, 4, 0, 0, 0, 0, icmpv6::kind::TOO_BIG, 0, 0, 0, 0, 0, 0, 0];
    for next_header in [protocol::DESTINATION, protocol::FRAGMENT] {
        let mut chain = chain;
        if next_header == protocol::FRAGMENT {
            chain[2..4].copy_from_slice(&[0, 1]);
        }
        let packet = packet6(ipv6::Header { next_header, ..HEADER6 }, &chain);
        assert!(answer6(Failure::Port, &packet, Link::Unicast).is_none());
    }
    let unknown = packet6(ipv6::Header { next_header: 253, ..HEADER6 }, &[]);
    let bytes = answer6(Failure::Protocol { pointer: 6 }, &unknown, Link::Unicast).unwrap();
    assert_eq!(bytes[..2], [icmpv6::kind::PARAMETER_PROBLEM, 1]);
    assert_eq!(bytes[4..8], [0, 0, 0, 6]);
}

#[test]
fn echoes_to_everyone_are_not_answered_over_ipv4() {
    let answers = |header: ipv4::Header, link| answers_echo_v4(&header, link, |address| address == SUBNET_BROADCAST);
    assert!(answers(HEADER, Link::Unicast));
    assert!(!answers(HEADER, Link::Group));
    assert!(!answers(ipv4::Header { destination: SUBNET_BROADCAST, ..HEADER }, Link::Unicast));
    assert!(!answers(ipv4::Header { source: Ipv4Addr::UNSPECIFIED, ..HEADER }, Link::Unicast));
    assert!(answers_echo_v6(&ipv6::Header { destination: ipv6::ALL_NODES, ..HEADER6 }));
    assert!(!answers_echo_v6(&ipv6::Header { source: Ipv6Addr::UNSPECIFIED, ..HEADER6 }));
}

#[test]
fn reports_carry_the_errors_of_linux() {
    let quote = packet(HEADER, &datagram(0));
    let v4 = |message| read_v4(&message).map(|report| (report.errno, report.hard, report.mtu));
    let unreachable = |code| v4(icmpv4::Message::Unreachable { code, mtu: 1400, quote: &quote });
    assert_eq!(unreachable(0), Some((Errno::ENETUNREACH, false, None)));
    assert_eq!(unreachable(1), Some((Errno::EHOSTUNREACH, false, None)));
    assert_eq!(unreachable(2), Some((Errno::ENOPROTOOPT, true, None)));
    assert_eq!(unreachable(4), Some((Errno::EMSGSIZE, false, Some(1400))));
    assert_eq!(unreachable(7), Some((Errno::EHOSTDOWN, true, None)));
    assert_eq!(unreachable(13), Some((Errno::EHOSTUNREACH, true, None)));
    let parameter = icmpv4::Message::ParameterProblem { code: 0, pointer: 20, quote: &quote };
    assert_eq!(v4(parameter), Some((Errno::EPROTO, true, None)));
    let redirect = icmpv4::Message::Redirect { code: 1, gateway: PEER, quote: &quote };
    assert_eq!(v4(redirect), None);

    let quote = packet6(HEADER6, &datagram(0));
    let v6 = |message| read_v6(&message).map(|report| (report.errno, report.hard, report.mtu));
    assert_eq!(v6(icmpv6::Message::TooBig { mtu: 1300, quote: &quote }), Some((Errno::EMSGSIZE, false, Some(1300))));
    let prohibited = icmpv6::Message::Unreachable { code: 1, quote: &quote };
    assert_eq!(v6(prohibited), Some((Errno::EACCES, true, None)));
}

#[test]
fn quotes_without_a_transport_header_are_no_reports() {
    let later = packet(ipv4::Header { offset: 8, ..HEADER }, &datagram(0));
    for quote in [&later[..], &later[..19], &[]] {
        assert_eq!(read_v4(&icmpv4::Message::TimeExceeded { code: 0, quote }), None);
    }
    let short = packet(HEADER, &[1, 2, 3]);
    let report = read_v4(&icmpv4::Message::TimeExceeded { code: 0, quote: &short }).unwrap();
    assert_eq!(report.quote.ports(), None);
}

#[test]
fn errors_are_limited_per_destination_and_in_all() {
    let mut limiter = Limiter::new(0);
    let peer = |i: u32| IpAddr::V4(Ipv4Addr::from_bits(i));
    assert_eq!((0..20).filter(|_| limiter.allow(peer(1), 0)).count(), 6);
    assert_eq!((0..20).filter(|_| limiter.allow(peer(1), 3 * SECOND)).count(), 3);
    // 50 at once in all, then one a millisecond.
    let mut limiter = Limiter::new(0);
    assert_eq!((0..200).filter(|i| limiter.allow(peer(*i), 0)).count(), 50);
    assert_eq!((200..300).filter(|i| limiter.allow(peer(*i), SECOND / 100)).count(), 10);
}

#[test]
fn buckets_that_are_full_again_are_forgotten() {
    let mut limiter = Limiter::new(0);
    let sent = (0..10_000u32).filter(|i| limiter.allow(IpAddr::V4(Ipv4Addr::from_bits(*i)), u64::from(*i) * SECOND));
    assert_eq!(sent.count(), 10_000);
}
