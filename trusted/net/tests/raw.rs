//! Raw sockets and those of ping.

mod common;

use common::{A, B, Wire, inet, joined, loopback, recv, recv_with, run, send_to, set};
use rkt_linux_abi::Errno;
use rkt_linux_abi::net::*;
use std::net::Ipv4Addr;

const ICMP: u32 = IPPROTO_ICMP as u32;
/// An echo request of identifier 0x1234, number 1.
const REQUEST: [u8; 12] = [8, 0, 0x21, 0x04, 0x12, 0x34, 0, 1, b'a', b'b', b'c', b'd'];

#[test]
fn pings_are_answered_here_and_there() {
    run(|| {
        let net = joined(Wire::default());
        for to in [Ipv4Addr::LOCALHOST, A, B] {
            let ping = net.a.socket(2, 2, ICMP).unwrap();
            assert_eq!(send_to(&*ping, &REQUEST, &inet(to, 0)), Ok(12));
            net.settle();
            let (bytes, received) = recv_with(&*ping, 100, 0).unwrap();
            // Type and data; the identifier is the socket's own.
            assert_eq!((bytes[0], &bytes[6..]), (0, &REQUEST[6..]), "{to}");
            assert_eq!(received.from, Some(inet(to, 0)));
            assert_eq!(recv(&*ping, 100), Err(Errno::EAGAIN));
        }
        let ping = net.a.socket(2, 2, ICMP).unwrap();
        assert_eq!(send_to(&*ping, &[0; 12], &inet(B, 0)), Err(Errno::EINVAL));
    });
}

#[test]
fn raw_sockets_need_a_privilege() {
    run(|| {
        let net = loopback();
        assert_eq!(net.socket(2, 3, ICMP).err(), Some(Errno::EPERM));
        assert_eq!(net.socket(2, 3, 0).err(), Some(Errno::EPROTONOSUPPORT));
    });
}

#[test]
fn raw_sockets_see_headers_and_filter_types() {
    run(|| {
        let net = joined(Wire { privileged: true, ..Wire::default() });
        let raw = net.a.socket(2, 3, ICMP).unwrap();
        let deaf = net.a.socket(2, 3, ICMP).unwrap();
        // Echo replies are not wanted.
        set(&*deaf, SOL_RAW, 1, 1).unwrap();
        assert_eq!(send_to(&*raw, &REQUEST, &inet(B, 0)), Ok(12));
        net.settle();
        let bytes = recv(&*raw, 100).unwrap();
        assert_eq!((bytes.len(), bytes[0], bytes[9]), (32, 0x45, 1));
        assert_eq!((&bytes[12..16], &bytes[16..20], bytes[20]), (&B.octets()[..], &A.octets()[..], 0));
        assert_eq!(recv(&*deaf, 100), Err(Errno::EAGAIN));
    });
}
