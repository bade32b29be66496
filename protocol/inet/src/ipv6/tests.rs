use super::*;
use crate::ip::protocol::*;
use std::vec::Vec;

const HEADER: Header = Header {
    traffic_class: 0xb9,
    flow_label: 0x8_7654,
    next_header: UDP,
    hop_limit: 64,
    source: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
    destination: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2),
};

#[test]
fn a_packet_survives_the_wire_without_its_padding() {
    let mut bytes = [0; 60];
    assert_eq!(HEADER.emit(9, &mut bytes), Ok(40));
    assert_eq!(bytes[..8], [0x6b, 0x98, 0x76, 0x54, 0, 9, 17, 64]);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!((packet.header, packet.payload.len()), (HEADER, 9));
    assert_eq!(Packet::parse(&bytes[..48]), Err(Malformed::Truncated));
    assert_eq!(Packet::parse_quote(&bytes[..48]).map(|packet| packet.payload.len()), Ok(8));
    assert_eq!(HEADER.emit(MAX_PAYLOAD_LEN + 1, &mut bytes), Err(NoRoom));
    bytes[0] = 0x45;
    assert_eq!(Packet::parse(&bytes), Err(Malformed::Unsupported));
    Header { source: ALL_NODES, ..HEADER }.emit(9, &mut bytes).unwrap();
    assert_eq!(Packet::parse(&bytes), Err(Malformed::Value));
}

#[test]
fn groups_of_solicited_nodes() {
    // RFC 4291 §2.7.1.
    let address: Ipv6Addr = "4037::1:800:200e:8c6c".parse().unwrap();
    assert_eq!(solicited_node(address), "ff02::1:ff0e:8c6c".parse::<Ipv6Addr>().unwrap());
}

/// Hop-by-hop or destination options, padded to whole units by the caller.
fn options(next: u8, body: &[u8]) -> Vec<u8> {
    let mut header = Vec::from([next, ((body.len() + 2) / 8 - 1) as u8]);
    header.extend(body);
    assert_eq!(header.len() % 8, 0);
    header
}

fn upper(first: u8, bytes: &[u8]) -> Upper<'_> {
    match walk(first, bytes) {
        Ok(Walk::Upper(upper)) => upper,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_upper_layer_alone_is_found_at_once() {
    let found = upper(TCP, b"text");
    assert_eq!((found.protocol, found.payload, found.offset, found.field), (TCP, &b"text"[..], 0, None));
}

#[test]
fn a_chain_of_headers_is_walked() {
    let mut bytes = options(DESTINATION, &[5, 2, 0, 0, 1, 0]);
    bytes.extend(options(ROUTING, &[0, 0, 0, 1, 1, 0]));
    bytes.extend([FRAGMENT, 0, 4, 0, 0, 0, 0, 0]);
    bytes.extend([ICMPV6, 0, 0, 0, 0, 0, 0, 9]);
    bytes.extend(b"text");
    let found = upper(HOP_BY_HOP, &bytes);
    assert_eq!((found.protocol, found.payload, found.offset, found.field), (ICMPV6, &b"text"[..], 32, Some(24)));
    assert!(found.router_alert);
}

#[test]
fn a_fragment_ends_the_walk() {
    let fragment = Fragment { next_header: UDP, offset: 1448, more: true, id: 0xcafe_f00d };
    let mut bytes = [7; 16];
    assert_eq!(fragment.emit(&mut bytes), Ok(Fragment::LEN));
    assert_eq!(walk(FRAGMENT, &bytes), Ok(Walk::Fragment { fragment, payload: &[7; 8] }));
    assert_eq!(walk(FRAGMENT, &bytes[..15]), Err(Problem::Discard));
    let last = Fragment { offset: 65_528, more: false, ..fragment };
    last.emit(&mut bytes).unwrap();
    assert_eq!(walk(FRAGMENT, &bytes), Err(Problem::Parameter { code: 0, pointer: 2, even_to_group: false }));
}

#[test]
fn unknown_options_do_what_their_type_says() {
    let with = |kind: u8| walk(DESTINATION, &options(NO_NEXT_HEADER, &[0, kind, 3, 0, 0, 0])).map(|_| ());
    let problem = |even_to_group| Err(Problem::Parameter { code: 2, pointer: 3, even_to_group });
    assert_eq!(with(0x3e), Ok(()));
    assert_eq!(with(0x7e), Err(Problem::Discard));
    assert_eq!(with(0xbe), problem(true));
    assert_eq!(with(0xfe), problem(false));
}

#[test]
fn routes_that_go_on_and_late_hop_by_hop_headers_are_refused() {
    let route = options(UDP, &[0, 1, 0, 0, 0, 0]);
    assert_eq!(walk(ROUTING, &route), Err(Problem::Parameter { code: 0, pointer: 2, even_to_group: false }));
    let mut late = options(HOP_BY_HOP, &[1, 4, 0, 0, 0, 0]);
    late.extend(options(UDP, &[1, 4, 0, 0, 0, 0]));
    assert_eq!(walk(DESTINATION, &late), Err(Problem::Parameter { code: 1, pointer: 0, even_to_group: false }));
}

#[test]
fn headers_and_options_are_bounded() {
    let chain = |len: usize| {
        let mut bytes = Vec::new();
        for i in 0..len {
            bytes.extend(options(if i + 1 == len { UDP } else { DESTINATION }, &[1, 4, 0, 0, 0, 0]));
        }
        walk(DESTINATION, &bytes).map(|_| ())
    };
    assert_eq!(chain(MAX_EXTENSIONS), Ok(()));
    assert_eq!(chain(MAX_EXTENSIONS + 1), Err(Problem::Discard));
    let many = |count: usize| {
        let mut body = std::vec![0x1e, 0].repeat(count);
        body.resize(22, 0);
        walk(DESTINATION, &options(UDP, &body)).map(|_| ())
    };
    assert_eq!(many(8), Ok(()));
    assert_eq!(many(9), Err(Problem::Discard));
    // Cut within an option, and within the header.
    assert_eq!(walk(DESTINATION, &[UDP, 0, 1, 5, 0, 0, 0, 0]), Err(Problem::Discard));
    assert_eq!(walk(DESTINATION, &[UDP, 1, 1, 4, 0, 0, 0, 0]), Err(Problem::Discard));
}
