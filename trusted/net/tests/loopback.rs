//! TCP and UDP inside the enclave, and what the calls have in common.

mod common;

use common::*;
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::*;
use rkt_linux_abi::net::*;
use rkt_net::{Address, NetStack, Shutdown, Socket};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;
const IN: u32 = POLLIN | POLLRDNORM;
const OUT: u32 = POLLOUT | POLLWRNORM;

fn listener(net: &Arc<NetStack>, ip: Ipv4Addr, port: u16, backlog: i32) -> Arc<dyn Socket> {
    let socket = tcp(net);
    socket.bind(&inet(ip, port)).unwrap();
    socket.listen(backlog).unwrap();
    socket
}

/// The first call of a socket that does not wait never sees the answer.
fn begin(client: &Arc<dyn Socket>, to: &Address) {
    assert_eq!(client.connect(to, true), Err(Errno::EINPROGRESS));
}

fn connected(net: &Arc<NetStack>) -> (Arc<dyn Socket>, Arc<dyn Socket>) {
    let listening = listener(net, HOME, 0, 1);
    let client = tcp(net);
    begin(&client, &listening.local_address());
    client.connect(&listening.local_address(), true).unwrap();
    (client, listening.accept(true).unwrap().0)
}

#[test]
fn connect_accept_and_close() {
    run(|| {
        let net = loopback();
        let fresh = tcp(&net);
        assert_eq!(fresh.poll(), OUT | POLLHUP);
        assert_eq!(recv(&*fresh, 1), Err(Errno::ENOTCONN));
        assert_eq!(send(&*fresh, b"x"), Err(Errno::EPIPE));
        assert_eq!(fresh.shutdown(Shutdown::Both), Err(Errno::ENOTCONN));
        assert_eq!(fresh.accept(true).err(), Some(Errno::EINVAL));
        begin(&fresh, &inet(HOME, 80));
        assert_eq!(fresh.poll(), IN | OUT | POLLRDHUP | POLLERR | POLLHUP);
        assert_eq!(fresh.connect(&inet(HOME, 80), true), Err(Errno::ECONNREFUSED));
        begin(&fresh, &inet(HOME, 80));
        assert_eq!(error(&*fresh), i32::from(Errno::ECONNREFUSED.raw()));
        assert_eq!(fresh.connect(&inet(HOME, 80), true), Err(Errno::ECONNABORTED));
        let listening = listener(&net, Ipv4Addr::UNSPECIFIED, 80, 5);
        assert_eq!(listening.poll(), 0);
        assert_eq!(listening.connect(&inet(HOME, 80), true), Err(Errno::EISCONN));
        begin(&fresh, &inet(HOME, 80));
        assert_eq!(fresh.connect(&inet(HOME, 80), true), Ok(()));
        assert_eq!(listening.poll(), IN);
        assert_eq!(fresh.poll(), OUT);
        assert_eq!(fresh.connect(&inet(HOME, 80), true), Err(Errno::EISCONN));
        let (server, peer) = listening.accept(true).unwrap();
        assert_eq!(peer, fresh.local_address());
        assert_eq!(server.local_address(), inet(HOME, 80));
        assert_eq!(server.peer_address(), Ok(fresh.local_address()));
        send(&*fresh, b"hello").unwrap();
        assert_eq!(server.poll(), IN | OUT);
        assert_eq!(server.queued_input(), Ok(5));
        assert_eq!(recv_with(&*server, 2, MSG_PEEK).unwrap().0, b"he");
        assert_eq!(recv(&*server, 100).unwrap(), b"hello");
        fresh.shutdown(Shutdown::Write).unwrap();
        assert_eq!(server.poll(), IN | OUT | POLLRDHUP);
        assert_eq!(recv(&*server, 100).unwrap(), b"");
        send(&*server, b"bye").unwrap();
        drop(server);
        assert_eq!(recv(&*fresh, 100).unwrap(), b"bye");
        assert_eq!(recv(&*fresh, 100).unwrap(), b"");
        assert_eq!(fresh.poll(), IN | OUT | POLLRDHUP | POLLHUP);
    });
}

#[test]
fn resets_are_seen() {
    run(|| {
        let net = loopback();
        let (client, server) = connected(&net);
        send(&*client, b"unread").unwrap();
        drop(server);
        assert_eq!(client.poll(), IN | OUT | POLLRDHUP | POLLHUP | POLLERR);
        assert_eq!(recv(&*client, 1), Err(Errno::ECONNRESET));
        assert_eq!(recv(&*client, 1).unwrap(), b"");
        let (client, server) = connected(&net);
        drop(server);
        assert_eq!(send(&*client, b"lost"), Ok(4));
        assert_eq!(send(&*client, b"x"), Err(Errno::EPIPE));
        let (client, server) = connected(&net);
        client.set_option(SOL_SOCKET, SO_LINGER, &[1, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        drop(client);
        assert_eq!(error(&*server), i32::from(Errno::ECONNRESET.raw()));
    });
}

#[test]
fn the_backlog_makes_wait() {
    run(|| {
        let net = loopback();
        let listening = listener(&net, HOME, 80, 0);
        let clients: Vec<_> = (0..3).map(|_| tcp(&net)).collect();
        clients.iter().for_each(|client| begin(client, &inet(HOME, 80)));
        assert_eq!(clients[0].connect(&inet(HOME, 80), true), Ok(()));
        assert_eq!(clients[1].poll(), 0);
        assert_eq!(send(&*clients[1], b"x"), Err(Errno::EAGAIN));
        assert_eq!(clients[1].peer_address(), Err(Errno::ENOTCONN));
        listening.accept(true).unwrap();
        assert_eq!(clients[1].poll(), OUT);
        assert_eq!(clients[1].connect(&inet(HOME, 80), true), Ok(()));
        drop(listening);
        // The one that waited is refused, the one in the queue reset.
        assert_eq!(error(&*clients[2]), i32::from(Errno::ECONNREFUSED.raw()));
        assert_eq!(recv(&*clients[1], 1), Err(Errno::ECONNRESET));
    });
}

#[test]
fn ten_mebibytes_arrive() {
    run(|| {
        let net = loopback();
        let (client, server) = connected(&net);
        let bytes: Vec<u8> = (0..10u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let (mut sent, mut got) = (0, Vec::new());
        while got.len() < bytes.len() {
            sent += send(&*client, &bytes[sent..(sent + 99_999).min(bytes.len())]).unwrap_or(0);
            got.extend(recv(&*server, 77_777).unwrap_or_default());
        }
        assert!(got == bytes);
    });
}

#[test]
fn the_writer_stops_and_goes_on() {
    run(|| {
        let net = loopback();
        let (client, server) = connected(&net);
        while send(&*client, &[1; 50_000]).is_ok() {}
        assert_eq!(client.poll(), 0);
        recv(&*server, 1000).unwrap();
        assert_eq!(client.poll(), 0, "too little room to wake a writer for");
        recv(&*server, 200_000).unwrap();
        assert_eq!(client.poll(), OUT);
    });
}

#[test]
fn who_may_have_a_port() {
    run(|| {
        let net = loopback();
        let bind = |ip: Ipv4Addr, option: Option<u32>| {
            let socket = tcp(&net);
            if let Some(option) = option {
                set(&*socket, SOL_SOCKET, option, 1).unwrap();
            }
            socket.bind(&inet(ip, 80)).map(|()| socket)
        };
        let any = Ipv4Addr::UNSPECIFIED;
        let first = bind(HOME, None).unwrap();
        assert_eq!(bind(HOME, None).err(), Some(Errno::EADDRINUSE));
        assert_eq!(bind(any, None).err(), Some(Errno::EADDRINUSE));
        assert_eq!(bind(any, Some(SO_REUSEADDR)).err(), Some(Errno::EADDRINUSE));
        assert!(bind(Ipv4Addr::new(127, 0, 0, 2), None).is_ok());
        assert_eq!(first.bind(&inet(HOME, 81)), Err(Errno::EINVAL));
        drop(first);
        let (a, b) = (bind(HOME, Some(SO_REUSEADDR)).unwrap(), bind(any, Some(SO_REUSEADDR)).unwrap());
        a.listen(1).unwrap();
        assert_eq!(b.listen(1), Err(Errno::EADDRINUSE));
        assert_eq!(bind(HOME, Some(SO_REUSEADDR)).err(), Some(Errno::EADDRINUSE));
        drop((a, b));
        let (a, b) = (bind(HOME, Some(SO_REUSEPORT)).unwrap(), bind(HOME, Some(SO_REUSEPORT)).unwrap());
        a.listen(100).unwrap();
        b.listen(100).unwrap();
        let clients: Vec<_> = (0..64).map(|_| tcp(&net)).collect();
        clients.iter().for_each(|client| begin(client, &inet(HOME, 80)));
        assert!(a.poll() & b.poll() & POLLIN != 0, "both get some");
        assert_eq!(tcp(&net).bind(&inet(Ipv4Addr::new(9, 9, 9, 9), 1)), Err(Errno::EADDRNOTAVAIL));
    });
}

#[test]
fn an_ipv6_listener_takes_ipv4() {
    run(|| {
        let net = loopback();
        let v6 = |text: &str, port: u16| Address::Inet((text.parse::<Ipv6Addr>().unwrap(), port).into());
        let listening = net.socket(10, 1, 0).unwrap();
        listening.bind(&v6("::", 80)).unwrap();
        listening.listen(5).unwrap();
        assert_eq!(tcp(&net).bind(&inet(HOME, 80)), Err(Errno::EADDRINUSE));
        let client = tcp(&net);
        begin(&client, &inet(HOME, 80));
        let (server, peer) = listening.accept(true).unwrap();
        assert!(matches!(peer, Address::Inet(addr) if addr.ip().to_string() == "::ffff:127.0.0.1"));
        assert_eq!(&server.local_address().encode()[8..24], b"\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01");
        let sixth = net.socket(10, 1, 0).unwrap();
        begin(&sixth, &v6("::1", 80));
        assert_eq!(listening.accept(true).unwrap().1, sixth.local_address());
        assert_eq!(net.socket(10, 1, 0).unwrap().connect(&v6("2001:db8::1", 1), true), Err(Errno::ENETUNREACH));
        assert_eq!(tcp(&net).connect(&v6("::1", 80), true), Err(Errno::EAFNOSUPPORT));
        let only = net.socket(10, 1, 0).unwrap();
        set(&*only, SOL_IPV6, IPV6_V6ONLY, 1).unwrap();
        only.bind(&v6("::", 81)).unwrap();
        tcp(&net).bind(&inet(Ipv4Addr::UNSPECIFIED, 81)).unwrap();
    });
}

#[test]
fn datagrams() {
    run(|| {
        let net = loopback();
        let (server, client) = (udp(&net), udp(&net));
        server.bind(&inet(HOME, 53)).unwrap();
        assert_eq!(client.poll(), OUT | POLLWRBAND);
        assert_eq!(send(&*client, b"x"), Err(Errno::EDESTADDRREQ));
        assert_eq!(client.listen(1), Err(Errno::EOPNOTSUPP));
        assert_eq!(client.peer_address(), Err(Errno::ENOTCONN));
        assert_eq!(send_to(&*client, &[0; 65_508], &inet(HOME, 53)), Err(Errno::EMSGSIZE));
        send_to(&*client, b"", &inet(HOME, 53)).unwrap();
        send_to(&*client, b"query", &inet(HOME, 53)).unwrap();
        assert_eq!(server.poll(), IN | OUT | POLLWRBAND);
        let (bytes, received) = recv_with(&*server, 10, 0).unwrap();
        let from = received.from.unwrap();
        assert_eq!((&bytes[..], port_of(&from)), (&b""[..], port_of(&client.local_address())));
        let (bytes, received) = recv_with(&*server, 2, MSG_PEEK).unwrap();
        assert_eq!((&bytes[..], received.flags), (&b"qu"[..], MSG_TRUNC));
        let mut two = [0; 2];
        let received = server.receive(&mut rkt_user::IoSink::kernel(&mut two), MSG_TRUNC, true).unwrap();
        assert_eq!(received.len, 5);
        assert_eq!(recv(&*server, 1), Err(Errno::EAGAIN));
        // Connected: only the peer is heard.
        client.connect(&inet(HOME, 53), true).unwrap();
        send_to(&*udp(&net), b"stranger", &client.local_address()).unwrap();
        assert_eq!(recv(&*client, 10), Err(Errno::EAGAIN));
        send_to(&*server, b"answer", &client.local_address()).unwrap();
        assert_eq!(recv(&*client, 10).unwrap(), b"answer");
        // Nobody there: the error comes with the next call.
        drop(server);
        assert_eq!(send(&*client, b"x"), Ok(1));
        assert_ne!(client.poll() & POLLERR, 0);
        assert_eq!(send(&*client, b"x"), Err(Errno::ECONNREFUSED));
    });
}

#[test]
fn datagrams_over_the_wire() {
    run(|| {
        for offloads in [false, true] {
            let net = joined(Wire { offloads, ..Wire::default() });
            let (server, client) = (udp(&net.b), udp(&net.a));
            server.bind(&inet(Ipv4Addr::UNSPECIFIED, 53)).unwrap();
            client.connect(&inet(B, 53), true).unwrap();
            assert_eq!(client.local_address(), inet(A, port_of(&client.local_address())));
            send(&*client, b"query").unwrap();
            net.settle();
            let (bytes, received) = recv_with(&*server, 10, 0).unwrap();
            assert_eq!((&bytes[..], received.from), (&b"query"[..], Some(client.local_address())));
            send_to(&*server, &[5; 1472], &client.local_address()).unwrap();
            net.settle();
            assert_eq!(recv(&*client, 2000).unwrap(), [5; 1472]);
            // Longer than the link takes: in fragments.
            send(&*client, &[6; 20_000]).unwrap();
            net.settle();
            assert_eq!(recv(&*server, 30_000).unwrap(), [6; 20_000]);
            assert_eq!(send_to(&*client, b"x", &inet([10, 0, 0, 255].into(), 53)), Err(Errno::EACCES));
        }
    });
}

#[test]
fn kinds_of_sockets() {
    run(|| {
        let net = loopback();
        let refused = |family, kind, protocol| net.socket(family, kind, protocol).err();
        assert_eq!(refused(17, 3, 0), Some(Errno::EPERM));
        assert_eq!(refused(45, 3, 0), Some(Errno::EAFNOSUPPORT));
        assert_eq!(refused(16, 3, 16), Some(Errno::EPROTONOSUPPORT));
        assert_eq!(refused(2, 1, 999), Some(Errno::EINVAL));
        assert_eq!(refused(2, 1, 17), Some(Errno::EPROTONOSUPPORT));
        assert_eq!(refused(2, 5, 0), Some(Errno::ESOCKTNOSUPPORT));
        assert_eq!(refused(2, 3, 1), Some(Errno::EPERM));
        assert_eq!(refused(2, 99, 0), Some(Errno::EINVAL));
        assert_eq!(refused(1, 1, 7), Some(Errno::EPROTONOSUPPORT));
        assert!(net.socket(2, 1 | O_NONBLOCK | O_CLOEXEC, 6).is_ok());
        assert_eq!(net.socketpair(2, 1, 0).err(), Some(Errno::EOPNOTSUPP));
        for bytes in [&[2, 0, 0][..], &[17, 0, 0, 0], &[1], &[]] {
            assert_eq!(Address::parse(bytes), Address::Unusable { len: bytes.len() });
        }
    });
}

#[test]
fn options() {
    run(|| {
        let net = loopback();
        let socket = tcp(&net);
        let get = |level, name| socket.option(level, name).map(|v| i32::from_le_bytes(v[..4].try_into().unwrap()));
        assert_eq!(get(SOL_SOCKET, SO_TYPE), Ok(1));
        assert_eq!(get(SOL_SOCKET, SO_DOMAIN), Ok(2));
        assert_eq!(get(SOL_SOCKET, SO_PROTOCOL), Ok(6));
        set(&*socket, SOL_SOCKET, SO_RCVBUF, 10_000).unwrap();
        assert_eq!(get(SOL_SOCKET, SO_RCVBUF), Ok(20_000));
        set(&*socket, SOL_SOCKET, SO_SNDBUF, 1).unwrap();
        assert_eq!(get(SOL_SOCKET, SO_SNDBUF), Ok(4608));
        set(&*socket, SOL_TCP, TCP_NODELAY, 7).unwrap();
        assert_eq!(get(SOL_TCP, TCP_NODELAY), Ok(1));
        assert_eq!(set(&*socket, SOL_TCP, TCP_KEEPIDLE, 0), Err(Errno::EINVAL));
        assert_eq!(set(&*socket, SOL_SOCKET, 12_345, 0), Err(Errno::ENOPROTOOPT));
        assert_eq!(set(&*socket, 99, 1, 0), Err(Errno::ENOPROTOOPT));
        assert_eq!(socket.set_option(SOL_SOCKET, SO_REUSEADDR, &[1]), Err(Errno::EINVAL));
        let mut time = [0; 16];
        time[0] = 2;
        time[8..10].copy_from_slice(&8000u16.to_le_bytes());
        socket.set_option(SOL_SOCKET, SO_RCVTIMEO, &time).unwrap();
        assert_eq!(socket.option(SOL_SOCKET, SO_RCVTIMEO).unwrap(), time);
        time[8..12].copy_from_slice(&1_000_000u32.to_le_bytes());
        assert_eq!(socket.set_option(SOL_SOCKET, SO_RCVTIMEO, &time), Err(Errno::EDOM));
        assert_eq!(get(SOL_SOCKET, SO_ACCEPTCONN), Ok(0));
        socket.listen(1).unwrap();
        assert_eq!(get(SOL_SOCKET, SO_ACCEPTCONN), Ok(1));
        assert_ne!(port_of(&socket.local_address()), 0);
    });
}

#[test]
fn interfaces_answer() {
    run(|| {
        use rkt_linux_abi::ioctl::*;
        let net = joined(Wire::default());
        let interfaces = net.a.interfaces();
        let ask = |cmd, name: &str| {
            let mut request = [0; 40];
            request[..name.len()].copy_from_slice(name.as_bytes());
            rkt_net::ioctl_if(&interfaces, cmd, &mut request).map(|()| request[16..].to_vec())
        };
        assert_eq!(ask(SIOCGIFINDEX, "eth0").unwrap()[..4], [2, 0, 0, 0]);
        assert_eq!(ask(SIOCGIFADDR, "eth0").unwrap()[..8], [2, 0, 0, 0, 10, 0, 0, 1]);
        assert_eq!(ask(SIOCGIFNETMASK, "eth0").unwrap()[4..8], [255, 255, 255, 0]);
        assert_eq!(ask(SIOCGIFBRDADDR, "eth0").unwrap()[4..8], [10, 0, 0, 255]);
        assert_eq!(ask(SIOCGIFHWADDR, "eth0").unwrap()[..8], [1, 0, 2, 0, 0, 0, 0, 1]);
        assert_eq!(ask(SIOCGIFMTU, "eth0").unwrap()[..4], 1500u32.to_le_bytes());
        assert_eq!(ask(SIOCGIFFLAGS, "lo").unwrap()[..2], [0x49, 0]);
        assert_eq!(ask(SIOCGIFADDR, "wlan0"), Err(Errno::ENODEV));
        let mut by_index = [0; 40];
        by_index[16] = 1;
        rkt_net::ioctl_if(&interfaces, SIOCGIFNAME, &mut by_index).unwrap();
        assert_eq!(&by_index[..3], b"lo\0");
    });
}
