use super::*;
use std::vec::Vec;

const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

fn message(kind: Kind, options: Options<'_>) -> Message<'_> {
    Message {
        kind,
        transaction: 0x1234_5678,
        seconds: 3,
        broadcast: true,
        client: NOBODY,
        yours: Ipv4Addr::new(192, 0, 2, 50),
        server: NOBODY,
        relay: NOBODY,
        mac: Address([2, 0, 0, 0, 0, 1]),
        options,
    }
}

#[test]
fn all_options_survive_the_wire() {
    let servers = [[192, 0, 2, 1], [192, 0, 2, 2]];
    let options = Options {
        subnet_mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
        routers: Addresses::new(&servers[..1]),
        resolvers: Addresses::new(&servers),
        host_name: b"box",
        domain_name: b"example.org",
        mtu: Some(1400),
        broadcast: Some(Ipv4Addr::new(192, 0, 2, 255)),
        requested_address: Some(Ipv4Addr::new(192, 0, 2, 9)),
        lease_time: Some(3600),
        server_id: Some(Ipv4Addr::new(192, 0, 2, 1)),
        parameter_list: &[1, 3, 6],
        max_message_len: Some(MAX_MESSAGE_LEN),
        renewal_time: Some(1800),
        rebinding_time: Some(3150),
        client_id: &[1, 2, 0, 0, 0, 0, 1],
        classless_routes: ClasslessRoutes::new(&[0, 192, 0, 2, 1]),
    };
    let mut bytes = [0xaa; 576];
    for kind in [Kind::Discover, Kind::Offer, Kind::Request, Kind::Decline, Kind::Ack, Kind::Nak, Kind::Release] {
        let message = message(kind, options);
        let len = message.emit(&mut bytes).unwrap();
        assert!(len >= MIN_LEN);
        assert_eq!(Message::parse(&bytes[..len]), Ok(message));
    }
    assert_eq!(message(Kind::Ack, options).emit(&mut bytes[..299]), Err(NoRoom));
    let long = Options { host_name: &[b'x'; 256], ..options };
    assert_eq!(message(Kind::Ack, long).emit(&mut bytes), Err(NoRoom));
}

#[test]
fn other_hardware_cookies_and_directions_are_refused() {
    let mut good = [0; 300];
    message(Kind::Ack, Options::default()).emit(&mut good).unwrap();
    let with = |at: usize, value: u8| {
        let mut bytes = good;
        bytes[at] = value;
        Message::parse(&bytes).err()
    };
    assert_eq!(with(8, 0), None);
    assert_eq!(with(0, 1), Some(Malformed::Value));
    assert_eq!(with(1, 6), Some(Malformed::Unsupported));
    assert_eq!(with(236, 0), Some(Malformed::Unsupported));
    assert_eq!(with(242, 9), Some(Malformed::Value));
    assert_eq!(with(240, code::END), Some(Malformed::Value));
    assert_eq!(Message::parse(&good[..239]), Err(Malformed::Truncated));
}

#[test]
fn options_go_on_in_file_and_server_name() {
    let mut bytes = [0; 300];
    message(Kind::Ack, Options::default()).emit(&mut bytes).unwrap();
    bytes[240..247].copy_from_slice(&[code::KIND, 1, 5, code::OVERLOAD, 1, 3, code::END]);
    bytes[108..113].copy_from_slice(&[code::MTU, 2, 5, 0x78, code::END]);
    bytes[44..50].copy_from_slice(&[code::MTU, 2, 9, 9, code::HOST_NAME, 1]);
    bytes[50] = b'a';
    let options = Message::parse(&bytes).unwrap().options;
    assert_eq!((options.mtu, options.host_name), (Some(1400), &b"a"[..]));
}

#[test]
fn classless_routes_are_compact() {
    // The descriptors of RFC 3442, "Classless Route Option Format", then one that is cut.
    let bytes = [0, 10, 0, 0, 1, 25, 10, 17, 0, 255, 192, 0, 2, 2, 9, 10, 255, 0, 0, 0, 0, 24, 1];
    let routes: Vec<_> = ClasslessRoutes::new(&bytes).iter().collect();
    let route = |destination: [u8; 4], prefix_len, router: [u8; 4]| Route {
        destination: destination.into(),
        prefix_len,
        router: router.into(),
    };
    assert_eq!(
        routes,
        [
            route([0; 4], 0, [10, 0, 0, 1]),
            route([10, 17, 0, 128], 25, [192, 0, 2, 2]),
            route([10, 128, 0, 0], 9, [0; 4]),
        ]
    );
    assert_eq!(ClasslessRoutes::new(&[33, 1, 2, 3, 4, 5, 6, 7, 8, 9]).iter().count(), 0);
}
