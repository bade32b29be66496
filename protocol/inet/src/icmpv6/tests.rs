use super::ndp::{Body, NdOption, Options, Prefix, RouterAdvertisement};
use super::*;
use crate::ethernet::Address;
use crate::ipv6::{ALL_NODES, Header, solicited_node};
use crate::membership::{QueryTail, Record, RecordKind, Records};
use std::vec::Vec;

const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const GLOBAL: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const GROUP: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 0x33);
const MAC: Address = Address([2, 0, 0, 0, 0, 1]);

fn packet(source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8) -> Header {
    Header { traffic_class: 0, flow_label: 0, next_header: protocol::ICMPV6, hop_limit, source, destination }
}

fn round_trip(message: &Message<'_>, packet: &Header) -> Result<(), Malformed> {
    let mut bytes = [0; 256];
    let len = message.emit(packet.source, packet.destination, &mut bytes).unwrap();
    assert_eq!((bytes[0], bytes[1]), message.kind_and_code());
    let parsed = Message::parse(&bytes[..len], packet)?;
    assert_eq!(parsed, *message);
    bytes[len - 1] ^= 1;
    assert_eq!(Message::parse(&bytes[..len], packet), Err(Malformed::Checksum));
    Ok(())
}

fn options(list: &[NdOption<'_>]) -> Vec<u8> {
    let mut bytes = std::vec![0; 256];
    let mut at = 0;
    for option in list {
        at += option.emit(&mut bytes[at..]).unwrap();
    }
    bytes.truncate(at);
    bytes
}

#[test]
fn errors_and_echoes_survive_the_wire() {
    let echo = Echo { id: 1, sequence: 0xfffe, data: b"12345" };
    let quote = &[0x60; 48][..];
    let messages = [
        Message::Unreachable { code: unreachable::PORT, quote },
        Message::TooBig { mtu: 1280, quote },
        Message::TimeExceeded { code: time_exceeded::REASSEMBLY, quote },
        Message::ParameterProblem { code: parameter_problem::OPTION, pointer: 42, quote },
        Message::EchoRequest(echo),
        Message::EchoReply(echo),
        Message::Other { kind: 200, code: 3, word: [1, 2, 3, 4], body: quote },
    ];
    for message in messages {
        assert_eq!(round_trip(&message, &packet(GLOBAL, LINK_LOCAL, 64)), Ok(()));
    }
}

#[test]
fn an_advertised_router_survives_the_wire() {
    let prefix = Prefix {
        prefix: GLOBAL,
        len: 64,
        on_link: true,
        autonomous: true,
        valid_lifetime: u32::MAX,
        preferred_lifetime: 14_400,
    };
    let servers = [GLOBAL.octets(), LINK_LOCAL.octets()];
    let list = [
        NdOption::SourceMac(MAC),
        NdOption::Mtu(1492),
        NdOption::Prefix(prefix),
        NdOption::Rdnss { lifetime: 600, servers: &servers },
    ];
    let bytes = options(&list);
    let advertisement = RouterAdvertisement {
        hop_limit: 64,
        managed: true,
        other: false,
        preference: -1,
        lifetime: 1800,
        reachable_time: 30_000,
        retrans_timer: 1000,
    };
    let message =
        ndp::Message { body: Body::RouterAdvertisement(advertisement), options: Options::new(&bytes).unwrap() };
    assert_eq!(message.options.iter().collect::<Vec<_>>(), list);
    let message = Message::Ndp(message);
    assert_eq!(round_trip(&message, &packet(LINK_LOCAL, ALL_NODES, 255)), Ok(()));
    assert_eq!(round_trip(&message, &packet(LINK_LOCAL, ALL_NODES, 254)), Err(Malformed::Value));
    assert_eq!(round_trip(&message, &packet(GLOBAL, ALL_NODES, 255)), Err(Malformed::Value));
}

#[test]
fn solicitations_keep_the_rules_of_their_source() {
    let message = |options| Message::Ndp(ndp::Message { body: Body::NeighborSolicitation { target: GLOBAL }, options });
    let bytes = options(&[NdOption::SourceMac(MAC)]);
    let with_mac = message(Options::new(&bytes).unwrap());
    let asked = solicited_node(GLOBAL);
    assert_eq!(round_trip(&with_mac, &packet(LINK_LOCAL, asked, 255)), Ok(()));
    assert_eq!(round_trip(&with_mac, &packet(Ipv6Addr::UNSPECIFIED, asked, 255)), Err(Malformed::Value));
    let nonce = options(&[NdOption::Nonce([1, 2, 3, 4, 5, 6])]);
    let probe = message(Options::new(&nonce).unwrap());
    assert_eq!(round_trip(&probe, &packet(Ipv6Addr::UNSPECIFIED, asked, 255)), Ok(()));
    assert_eq!(round_trip(&probe, &packet(Ipv6Addr::UNSPECIFIED, ALL_NODES, 255)), Err(Malformed::Value));
}

#[test]
fn advertisements_and_redirects_keep_their_rules() {
    let bytes = options(&[NdOption::TargetMac(MAC)]);
    let options = Options::new(&bytes).unwrap();
    assert_eq!(options.target_mac(), Some(MAC));
    let advertisement = |solicited| {
        let body = Body::NeighborAdvertisement { router: true, solicited, overriding: true, target: GLOBAL };
        Message::Ndp(ndp::Message { body, options })
    };
    assert_eq!(round_trip(&advertisement(true), &packet(GLOBAL, LINK_LOCAL, 255)), Ok(()));
    assert_eq!(round_trip(&advertisement(false), &packet(GLOBAL, ALL_NODES, 255)), Ok(()));
    assert_eq!(round_trip(&advertisement(true), &packet(GLOBAL, ALL_NODES, 255)), Err(Malformed::Value));

    let redirect =
        |target, destination| Message::Ndp(ndp::Message { body: Body::Redirect { target, destination }, options });
    let way = packet(LINK_LOCAL, GLOBAL, 255);
    assert_eq!(round_trip(&redirect(LINK_LOCAL, GLOBAL), &way), Ok(()));
    assert_eq!(round_trip(&redirect(GLOBAL, GLOBAL), &way), Ok(()));
    assert_eq!(round_trip(&redirect(GLOBAL, LINK_LOCAL), &way), Err(Malformed::Value));
    assert_eq!(round_trip(&redirect(LINK_LOCAL, GROUP), &way), Err(Malformed::Value));
}

#[test]
fn options_are_whole_and_have_a_length() {
    assert_eq!(Options::new(&[1, 0, 0, 0, 0, 0, 0, 0]), Err(Malformed::Length));
    assert_eq!(Options::new(&[1, 2, 0, 0, 0, 0, 0, 0]), Err(Malformed::Truncated));
    assert_eq!(Options::new(&[1]), Err(Malformed::Truncated));
    // An unknown type, a card's address of two units, a prefix of 129 bits, a resolver of half an address.
    let mut bytes = std::vec![99, 1, 0, 0, 0, 0, 0, 0, 1, 2];
    bytes.resize(24, 0);
    bytes.extend([3, 4, 129]);
    bytes.resize(56, 0);
    bytes.extend([25, 2]);
    bytes.resize(72, 0);
    assert_eq!(Options::new(&bytes).unwrap().iter().count(), 0);
}

#[test]
fn listener_messages_survive_the_wire() {
    let sources = [GLOBAL.octets()];
    let tail = QueryTail { suppress: false, robustness: 2, interval: 125, sources: &sources };
    let record = Record { kind: RecordKind::ChangeToExclude, group: GROUP.octets(), sources: &[] };
    let mut bytes = [0; 20];
    record.emit(&mut bytes).unwrap();
    let messages = [
        mld::Message::Query(mld::Query { max_response: 1000, group: Ipv6Addr::UNSPECIFIED, tail: None }),
        mld::Message::Query(mld::Query { max_response: 1000, group: GROUP, tail: Some(tail) }),
        mld::Message::ReportV1(GROUP),
        mld::Message::Done(GROUP),
        mld::Message::ReportV2(Records::new(1, &bytes).unwrap()),
    ];
    for message in messages.map(Message::Mld) {
        assert_eq!(round_trip(&message, &packet(LINK_LOCAL, GROUP, 1)), Ok(()));
        assert_eq!(round_trip(&message, &packet(LINK_LOCAL, GROUP, 2)), Err(Malformed::Value));
        assert_eq!(round_trip(&message, &packet(GLOBAL, GROUP, 1)), Err(Malformed::Value));
    }
    let nobody = packet(Ipv6Addr::UNSPECIFIED, GROUP, 1);
    assert_eq!(round_trip(&Message::Mld(messages[0]), &nobody), Err(Malformed::Value));
    assert_eq!(round_trip(&Message::Mld(messages[4]), &nobody), Ok(()));
}

#[test]
fn errors_are_told_from_information() {
    assert!(is_error(kind::PARAMETER_PROBLEM) && is_error(kind::REDIRECT) && is_error(100));
    assert!(!is_error(kind::ECHO_REQUEST) && !is_error(kind::MLD_REPORT_V2));
}
