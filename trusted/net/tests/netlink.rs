//! AF_NETLINK: what a program asks to learn its interfaces, and requests that make no sense.

mod common;

use common::{loopback, run};
use rkt_linux_abi::netlink::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use rkt_linux_abi::{Errno, Result};
use rkt_net::{Address, Outgoing, Socket};
use rkt_user::{IoSink, IoSource};
use std::sync::Arc;

const RTM_SETLINK: u16 = 19;
const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;
const RTM_GETQDISC: u16 = 38;

fn socket() -> Arc<dyn Socket> {
    loopback().socket(16, 3, 0).unwrap()
}

fn request(kind: u16, flags: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((flags as u16).to_ne_bytes());
    bytes.extend(5u32.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(body);
    bytes
}

fn send(socket: &dyn Socket, bytes: &[u8]) -> Result<usize> {
    socket.send(&mut IoSource::kernel(bytes), &mut Outgoing::default())
}

fn receive(socket: &dyn Socket) -> Result<Vec<u8>> {
    let mut bytes = vec![0; 8192];
    let received = socket.receive(&mut IoSink::kernel(&mut bytes), 0, true)?;
    assert_eq!(received.from, Some(Address::Netlink { port: 0, groups: 0 }));
    bytes.truncate(received.len);
    Ok(bytes)
}

/// The types of the messages, each of which has to lie within the datagram.
fn kinds(mut bytes: &[u8]) -> Vec<u16> {
    let mut kinds = Vec::new();
    while !bytes.is_empty() {
        let len = u32::from_ne_bytes(bytes[..4].try_into().unwrap()) as usize;
        assert!(len >= 16 && len <= bytes.len(), "{len} of {}", bytes.len());
        assert_eq!(bytes[8..12], 5u32.to_ne_bytes(), "the sequence number of the request");
        kinds.push(u16::from_ne_bytes(bytes[4..6].try_into().unwrap()));
        bytes = &bytes[len.next_multiple_of(4).min(bytes.len())..];
    }
    kinds
}

fn error(bytes: &[u8]) -> i32 {
    assert_eq!(kinds(bytes), [2]);
    i32::from_ne_bytes(bytes[16..20].try_into().unwrap())
}

#[test]
fn lists_end_with_done() {
    run(|| {
        let socket = socket();
        send(&*socket, &request(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, &[0; 16])).unwrap();
        let links = receive(&*socket).unwrap();
        assert_eq!(kinds(&links), [16, 3]);
        assert!(links.windows(3).any(|name| name == b"lo\0"));
        send(&*socket, &request(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, &[0])).unwrap();
        let addresses = receive(&*socket).unwrap();
        assert_eq!(kinds(&addresses), [20, 20, 3], "127.0.0.1 and ::1");
        assert!(addresses.windows(4).any(|ip| ip == [127, 0, 0, 1]));
        send(&*socket, &request(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, &[2])).unwrap();
        assert_eq!(kinds(&receive(&*socket).unwrap()), [20, 3], "IPv4 alone");
        assert_eq!(receive(&*socket), Err(Errno::EAGAIN));
    });
}

#[test]
fn what_cannot_be_is_refused() {
    run(|| {
        let socket = socket();
        send(&*socket, &request(RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, &[0; 16])).unwrap();
        assert_eq!(error(&receive(&*socket).unwrap()), -(Errno::EPERM.raw() as i32));
        send(&*socket, &request(RTM_GETQDISC, NLM_F_REQUEST | NLM_F_DUMP, &[0; 12])).unwrap();
        assert_eq!(error(&receive(&*socket).unwrap()), -(Errno::EOPNOTSUPP.raw() as i32));
        send(&*socket, &request(RTM_GETLINK, NLM_F_REQUEST, &[0; 16])).unwrap();
        assert_eq!(error(&receive(&*socket).unwrap()), -(Errno::ENODEV.raw() as i32));
        send(&*socket, &request(RTM_GETLINK, NLM_F_REQUEST, &[])).unwrap();
        assert_eq!(error(&receive(&*socket).unwrap()), -(Errno::EINVAL.raw() as i32));
        // Lengths of nothing, of more than there is, and of less than a header.
        for len in [0u32, 15, 4000, u32::MAX] {
            let mut bytes = request(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, &[0; 16]);
            bytes[..4].copy_from_slice(&len.to_ne_bytes());
            assert_eq!(send(&*socket, &bytes), Ok(bytes.len()));
            assert_eq!(receive(&*socket), Err(Errno::EAGAIN));
        }
    });
}

#[test]
fn answers_that_nobody_reads_do_not_pile_up() {
    run(|| {
        let socket = socket();
        let bytes = request(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, &[0; 16]);
        let refused = (0..100_000).find_map(|_| send(&*socket, &bytes).err());
        assert_eq!(refused, Some(Errno::ENOBUFS));
    });
}
