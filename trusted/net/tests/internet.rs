//! Options of UDP sockets, groups, and the addresses that IPv6 makes of itself.

mod common;

use common::{A, B, Joined, Wire, inet, joined, loopback, port_of, recv, recv_with, run, send_to, send_with, set, udp};
use rkt_linux_abi::Errno;
use rkt_linux_abi::net::*;
use rkt_net::{Address, Control, NetStack, Outgoing, Socket};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::sync::Arc;

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);

fn bound(net: &Arc<NetStack>, ip: Ipv4Addr) -> (Arc<dyn Socket>, u16) {
    let socket = udp(net);
    socket.bind(&inet(ip, 0)).unwrap();
    let port = port_of(&socket.local_address());
    (socket, port)
}

fn control(level: u32, kind: u32, data: &[u8]) -> Control {
    Control { level, kind, data: data.to_vec() }
}

/// The link-local address of the card.
fn link_local(net: &NetStack) -> Ipv6Addr {
    let interfaces = net.interfaces();
    let usable = interfaces[1].addresses.iter().filter(|assigned| !assigned.tentative);
    let v6 = usable.filter_map(|assigned| if let IpAddr::V6(ip) = assigned.ip { Some(ip) } else { None });
    v6.into_iter().find(|ip| ip.is_unicast_link_local()).expect("a link-local address")
}

#[test]
fn refusals_wait_in_the_error_queue() {
    run(|| {
        let net = loopback();
        let (socket, _) = bound(&net, Ipv4Addr::LOCALHOST);
        set(&*socket, SOL_IP, IP_RECVERR, 1).unwrap();
        send_to(&*socket, b"hello", &inet(Ipv4Addr::LOCALHOST, 9)).unwrap();
        assert_eq!(recv(&*socket, 10), Err(Errno::ECONNREFUSED));
        let (bytes, received) = recv_with(&*socket, 10, MSG_ERRQUEUE).unwrap();
        assert_eq!(bytes, b"hello");
        assert_eq!((received.flags, received.from), (MSG_ERRQUEUE, Some(inet(Ipv4Addr::LOCALHOST, 9))));
        // ECONNREFUSED, origin ICMP, destination unreachable, port.
        let [Control { level: SOL_IP, kind: IP_RECVERR, data }] = &received.controls[..] else { panic!() };
        assert_eq!((data[0], &data[4..7], data.len()), (111, &[2, 3, 3][..], 32));
        assert_eq!(recv_with(&*socket, 10, MSG_ERRQUEUE).err(), Some(Errno::EAGAIN));
        assert_eq!(recv(&*socket, 10), Err(Errno::EAGAIN));
    });
}

#[test]
fn receivers_are_told_of_the_header() {
    run(|| {
        let net = joined(Wire::default());
        let (server, port) = bound(&net.b, Ipv4Addr::UNSPECIFIED);
        for name in [IP_PKTINFO, IP_RECVTTL, IP_RECVTOS] {
            set(&*server, SOL_IP, name, 1).unwrap();
        }
        let client = udp(&net.a);
        set(&*client, SOL_IP, IP_TTL, 7).unwrap();
        let to = inet(B, port);
        let controls = vec![control(SOL_IP, IP_TOS, &[0x10])];
        send_with(&*client, b"x", Outgoing { to: Some(&to), controls, ..Outgoing::default() }).unwrap();
        net.settle();
        let (_, received) = recv_with(&*server, 10, 0).unwrap();
        let info = [&2u32.to_ne_bytes()[..], &B.octets(), &B.octets()].concat();
        let expected = [
            control(SOL_IP, IP_PKTINFO, &info),
            control(SOL_IP, IP_TTL, &7u32.to_ne_bytes()),
            control(SOL_IP, IP_TOS, &[0x10]),
        ];
        assert_eq!(received.controls, expected);
    });
}

#[test]
fn packets_that_must_not_be_cut_are_refused() {
    run(|| {
        let net = joined(Wire::default());
        let (server, port) = bound(&net.b, B);
        let client = udp(&net.a);
        set(&*client, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO as i32).unwrap();
        set(&*client, SOL_IP, IP_RECVERR, 1).unwrap();
        assert_eq!(send_to(&*client, &[0; 1473], &inet(B, port)), Err(Errno::EMSGSIZE));
        let (_, received) = recv_with(&*client, 10, MSG_ERRQUEUE).unwrap();
        // The MTU is told.
        assert_eq!(received.controls[0].data[8..12], 1500u32.to_ne_bytes());
        assert_eq!(send_to(&*client, &[0; 1472], &inet(B, port)), Ok(1472));
        net.settle();
        assert_eq!(recv(&*server, 2000).unwrap().len(), 1472);
    });
}

#[test]
fn rows_are_cut_into_datagrams() {
    run(|| {
        let net = joined(Wire::default());
        let (server, port) = bound(&net.b, B);
        let client = udp(&net.a);
        let to = inet(B, port);
        let row = |size: u16| Outgoing {
            to: Some(&to),
            controls: vec![control(SOL_UDP, 103, &size.to_ne_bytes())],
            ..Outgoing::default()
        };
        assert_eq!(send_with(&*client, &[1; 2500], row(1000)), Ok(2500));
        assert_eq!(send_with(&*client, &[1; 4000], row(1473)), Err(Errno::EINVAL));
        net.settle();
        let lengths: Vec<_> = std::iter::from_fn(|| recv(&*server, 4000).ok()).map(|bytes| bytes.len()).collect();
        assert_eq!(lengths, [1000, 1000, 500]);
    });
}

#[test]
fn groups_are_heard_by_who_joined() {
    run(|| {
        let net = joined(Wire::default());
        let (member, port) = bound(&net.b, Ipv4Addr::UNSPECIFIED);
        let request = |source: Option<Ipv4Addr>| {
            [&GROUP.octets()[..], &B.octets(), &source.map_or(vec![], |ip| ip.octets().to_vec())].concat()
        };
        assert_eq!(member.set_option(SOL_IP, IP_DROP_MEMBERSHIP, &request(None)), Err(Errno::EADDRNOTAVAIL));
        member.set_option(SOL_IP, IP_ADD_MEMBERSHIP, &request(None)).unwrap();
        assert_eq!(member.set_option(SOL_IP, IP_ADD_MEMBERSHIP, &request(None)), Err(Errno::EADDRINUSE));
        let (other, _) = bound(&net.b, Ipv4Addr::UNSPECIFIED);
        let sender = udp(&net.a);
        send_to(&*sender, b"all", &inet(GROUP, port)).unwrap();
        net.settle();
        assert_eq!(recv(&*member, 10).unwrap(), b"all");
        assert_eq!(recv(&*other, 10), Err(Errno::EAGAIN));
        // From this source no longer.
        member.set_option(SOL_IP, IP_BLOCK_SOURCE, &request(Some(A))).unwrap();
        send_to(&*sender, b"all", &inet(GROUP, port)).unwrap();
        net.settle();
        assert_eq!(recv(&*member, 10), Err(Errno::EAGAIN));
        assert!(net.b.interfaces()[1].groups.contains(&(GROUP.into(), 1)));
        drop(member);
        assert!(!net.b.interfaces()[1].groups.iter().any(|(group, _)| *group == IpAddr::V4(GROUP)));
    });
}

#[test]
fn senders_hear_their_own_group_unless_they_do_not_want_to() {
    run(|| {
        let net: Joined = joined(Wire::default());
        let (member, port) = bound(&net.a, Ipv4Addr::UNSPECIFIED);
        member.set_option(SOL_IP, IP_ADD_MEMBERSHIP, &[GROUP.octets(), [0; 4]].concat()).unwrap();
        send_to(&*member, b"me", &inet(GROUP, port)).unwrap();
        assert_eq!(recv(&*member, 10).unwrap(), b"me");
        set(&*member, SOL_IP, IP_MULTICAST_LOOP, 0).unwrap();
        send_to(&*member, b"me", &inet(GROUP, port)).unwrap();
        assert_eq!(recv(&*member, 10), Err(Errno::EAGAIN));
    });
}

#[test]
fn hosts_make_addresses_for_their_link_and_reach_each_other() {
    run(|| {
        let net = joined(Wire::default());
        net.settle_for(4000, 100);
        let (a, b) = (link_local(&net.a), link_local(&net.b));
        assert_ne!(a, b);
        let server = net.b.socket(10, 2, 0).unwrap();
        server.bind(&Address::Inet((Ipv6Addr::UNSPECIFIED, 0).into())).unwrap();
        let port = port_of(&server.local_address());
        let client = net.a.socket(10, 2, 0).unwrap();
        let to = Address::Inet(SocketAddrV6::new(b, port, 0, 2).into());
        send_to(&*client, b"hello", &to).unwrap();
        net.settle();
        let (bytes, received) = recv_with(&*server, 10, 0).unwrap();
        assert_eq!(bytes, b"hello");
        let Some(Address::Inet(std::net::SocketAddr::V6(from))) = received.from else { panic!() };
        assert_eq!((*from.ip(), from.scope_id()), (a, 2));
        send_to(&*server, b"you", &Address::Inet(from.into())).unwrap();
        net.settle();
        assert_eq!(recv(&*client, 10).unwrap(), b"you");
    });
}
