//! Published ports, with the loopback interface in the guest's place.

use rkt_backend_net::{ForwardError, Forwarder, Protocol, Publish};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

const WATCHDOG: Option<Duration> = Some(Duration::from_secs(10));

/// A port that was free a moment ago.
fn free_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

fn forward(guest_port: u16, protocol: Protocol) -> (Forwarder, SocketAddr) {
    let listen = free_port();
    let publish = Publish { listen, guest_port, protocol };
    (Forwarder::start(&[publish], Ipv4Addr::LOCALHOST.into()).unwrap(), listen)
}

/// Echoes each connection until its end, then says "end".
fn echo_server() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut bytes = vec![0; 100_000];
                while let Ok(n @ 1..) = connection.read(&mut bytes) {
                    connection.write_all(&bytes[..n]).unwrap();
                }
                connection.write_all(b"end")
            });
        }
    });
    port
}

#[test]
fn bytes_pass_both_ways_and_each_direction_ends_by_itself() {
    let (_forwarder, listen) = forward(echo_server(), Protocol::Tcp);
    let clients: Vec<_> = (0..20u8)
        .map(|seed| {
            std::thread::spawn(move || {
                let sent: Vec<u8> = (0..1_000_000u32).map(|i| (i as u8).wrapping_mul(seed)).collect();
                let mut client = TcpStream::connect(listen).unwrap();
                client.set_read_timeout(WATCHDOG).unwrap();
                let mut writer = client.try_clone().unwrap();
                let expected = [&sent[..], b"end"].concat();
                let writing = std::thread::spawn(move || {
                    writer.write_all(&sent).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                });
                let mut received = Vec::new();
                client.read_to_end(&mut received).unwrap();
                writing.join().unwrap();
                assert!(received == expected, "echo {seed} differs");
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
}

#[test]
fn a_refused_connection_is_closed() {
    let (_forwarder, listen) = forward(free_port().port(), Protocol::Tcp);
    let mut client = TcpStream::connect(listen).unwrap();
    client.set_read_timeout(WATCHDOG).unwrap();
    assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
    assert!(client.read(&mut [0]).is_ok_and(|n| n == 0), "the connection is still open");
}

#[test]
fn datagrams_pass_and_each_client_gets_its_own_answer() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    server.set_read_timeout(WATCHDOG).unwrap();
    let (_forwarder, listen) = forward(server.local_addr().unwrap().port(), Protocol::Udp);
    let clients: Vec<UdpSocket> = (0..10).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    for round in 0..20u8 {
        for (id, client) in (0u8..).zip(&clients) {
            client.send_to(&[id, round], listen).unwrap();
        }
        for _ in &clients {
            let mut datagram = [0; 10];
            let (len, from) = server.recv_from(&mut datagram).unwrap();
            server.send_to(&datagram[..len], from).unwrap();
        }
        for (id, client) in (0u8..).zip(&clients) {
            client.set_read_timeout(WATCHDOG).unwrap();
            let mut datagram = [0; 10];
            let (len, from) = client.recv_from(&mut datagram).unwrap();
            assert_eq!((&datagram[..len], from), (&[id, round][..], listen));
        }
    }
}

#[test]
fn a_taken_port_is_named_and_a_dropped_forwarder_frees_its_own() {
    let (forwarder, listen) = forward(1, Protocol::Tcp);
    let publish = Publish { listen, guest_port: 1, protocol: Protocol::Tcp };
    match Forwarder::start(&[publish], Ipv4Addr::LOCALHOST.into()) {
        Err(error @ ForwardError::Listen(..)) => assert!(error.to_string().contains(&listen.to_string())),
        other => panic!("{other:?}"),
    }
    drop(forwarder);
    assert!(TcpListener::bind(listen).is_ok());
}
