//! Local sockets.

mod common;

use common::*;
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::*;
use rkt_linux_abi::net::*;
use rkt_net::{Address, Ancillary, Credentials, NetStack, Outgoing, Shutdown, Socket, UnixAddress};
use std::any::Any;
use std::sync::Arc;

const WRITABLE: u32 = POLLOUT | POLLWRNORM | POLLWRBAND;

fn pair(kind: u32) -> (Arc<dyn Socket>, Arc<dyn Socket>) {
    loopback().socketpair(1, kind, 0).unwrap()
}

fn path(name: &str) -> Address {
    Address::Unix(UnixAddress::Path(name.as_bytes().to_vec()))
}

fn unix(net: &Arc<NetStack>, kind: u32) -> Arc<dyn Socket> {
    net.socket(1, kind, 0).unwrap()
}

fn files(numbers: &[u32]) -> Ancillary {
    let file = |n: &u32| Arc::new(*n) as Arc<dyn Any + Send + Sync>;
    Ancillary { rights: numbers.iter().map(file).collect(), credentials: None }
}

fn numbers(ancillary: &Ancillary) -> Vec<u32> {
    ancillary.rights.iter().map(|file| *file.downcast_ref::<u32>().unwrap()).collect()
}

#[test]
fn streams_carry_bytes_and_end() {
    run(|| {
        let (a, b) = pair(1);
        assert_eq!(a.poll(), WRITABLE);
        assert_eq!(recv(&*b, 10), Err(Errno::EAGAIN));
        assert_eq!(send(&*a, b"one "), Ok(4));
        assert_eq!(send(&*a, b"two"), Ok(3));
        assert_eq!(b.poll(), WRITABLE | POLLIN | POLLRDNORM);
        assert_eq!((b.queued_input(), a.queued_output()), (Ok(7), Ok(7)));
        assert_eq!(recv_with(&*b, 3, MSG_PEEK).unwrap().0, b"one");
        assert_eq!(recv(&*b, 100).unwrap(), b"one two");
        a.shutdown(Shutdown::Write).unwrap();
        assert_eq!(send(&*a, b"x"), Err(Errno::EPIPE));
        assert_eq!(recv(&*b, 10).unwrap(), b"");
        assert_eq!(b.poll(), WRITABLE | POLLIN | POLLRDNORM | POLLRDHUP);
        send(&*b, b"back").unwrap();
        assert_eq!(recv(&*a, 10).unwrap(), b"back");
        drop(a);
        assert_eq!(b.poll(), WRITABLE | POLLIN | POLLRDNORM | POLLRDHUP | POLLHUP);
        assert_eq!(send(&*b, b"x"), Err(Errno::EPIPE));
        assert_eq!(recv(&*b, 10).unwrap(), b"");
    });
}

#[test]
fn closing_with_unread_bytes_resets() {
    run(|| {
        let (a, b) = pair(1);
        send(&*a, b"for nobody").unwrap();
        send(&*b, b"for a").unwrap();
        drop(b);
        assert_ne!(a.poll() & POLLERR, 0);
        assert_eq!(recv(&*a, 10).unwrap(), b"for a");
        assert_eq!(recv(&*a, 10), Err(Errno::ECONNRESET));
        assert_eq!(recv(&*a, 10).unwrap(), b"");
    });
}

#[test]
fn a_full_stream_stops_the_writer() {
    run(|| {
        let (a, b) = pair(1);
        let chunk = [7; 10_000];
        let mut sent = 0;
        let error = loop {
            match send(&*a, &chunk) {
                Ok(n) => sent += n,
                Err(error) => break error,
            }
        };
        assert_eq!(error, Errno::EAGAIN);
        assert!((200_000..600_000).contains(&sent));
        assert_eq!(a.poll(), 0);
        let mut got = 0;
        while let Ok(bytes) = recv(&*b, 30_000) {
            got += bytes.len();
        }
        assert_eq!(got, sent);
        assert_eq!(a.poll(), WRITABLE);
    });
}

#[test]
fn files_travel_at_their_place_in_the_stream() {
    run(|| {
        let (a, b) = pair(1);
        send(&*a, b"plain").unwrap();
        send_with(&*a, b"with", Outgoing { ancillary: files(&[1, 2]), ..Default::default() }).unwrap();
        send(&*a, b"after").unwrap();
        // A read stops behind the bytes with files.
        let (bytes, received) = recv_with(&*b, 100, MSG_PEEK).unwrap();
        assert_eq!((&bytes[..], numbers(&received.ancillary)), (&b"plainwith"[..], vec![1, 2]));
        let (bytes, received) = recv_with(&*b, 5, 0).unwrap();
        assert_eq!((&bytes[..], received.ancillary.is_empty()), (&b"plain"[..], true));
        let (bytes, received) = recv_with(&*b, 2, 0).unwrap();
        assert_eq!((&bytes[..], numbers(&received.ancillary)), (&b"wi"[..], vec![1, 2]));
        let (bytes, received) = recv_with(&*b, 100, 0).unwrap();
        // Without its files it is a stretch like any other.
        assert_eq!((&bytes[..], received.ancillary.is_empty()), (&b"thafter"[..], true));
    });
}

#[test]
fn files_in_flight_are_closed_with_the_socket() {
    run(|| {
        let (a, b) = pair(1);
        let file: Arc<dyn Any + Send + Sync> = Arc::new(5u32);
        let ancillary = Ancillary { rights: vec![file.clone()], credentials: None };
        send_with(&*a, b"x", Outgoing { ancillary, ..Default::default() }).unwrap();
        assert_eq!(Arc::strong_count(&file), 2);
        drop((a, b));
        assert_eq!(Arc::strong_count(&file), 1);
    });
}

#[test]
fn credentials() {
    run(|| {
        let (a, b) = pair(1);
        let caller = Credentials { pid: 42, uid: 1000, gid: 100 };
        assert_eq!(a.option(SOL_SOCKET, SO_PEERCRED).unwrap(), caller.encode());
        send(&*a, b"before").unwrap();
        set(&*b, SOL_SOCKET, SO_PASSCRED, 1).unwrap();
        send(&*a, b"after").unwrap();
        let nobody = Credentials { pid: 0, uid: 65534, gid: 65534 };
        let (bytes, received) = recv_with(&*b, 100, 0).unwrap();
        assert_eq!((&bytes[..], received.ancillary.credentials), (&b"before"[..], Some(nobody)));
        let (bytes, received) = recv_with(&*b, 100, 0).unwrap();
        assert_eq!((&bytes[..], received.ancillary.credentials), (&b"after"[..], Some(caller)));
        let fresh = loopback().socket(1, 1, 0).unwrap();
        let unknown = Credentials { pid: 0, uid: u32::MAX, gid: u32::MAX };
        assert_eq!(fresh.option(SOL_SOCKET, SO_PEERCRED).unwrap(), unknown.encode());
    });
}

#[test]
fn listening_and_connecting_by_path() {
    run(|| {
        let net = loopback();
        let listening = unix(&net, 1);
        assert_eq!(listening.listen(5), Err(Errno::EINVAL));
        listening.bind(&path("/run/x")).unwrap();
        assert_eq!(listening.bind(&path("/run/y")), Err(Errno::EINVAL));
        assert_eq!(unix(&net, 1).bind(&path("/run/x")), Err(Errno::EADDRINUSE));
        let client = unix(&net, 1);
        assert_eq!(client.poll(), WRITABLE | POLLHUP);
        assert_eq!(client.connect(&path("/run/x"), true), Err(Errno::ECONNREFUSED));
        assert_eq!(client.connect(&path("/run/none"), true), Err(Errno::ENOENT));
        listening.listen(1).unwrap();
        assert_eq!(unix(&net, 5).connect(&path("/run/x"), true), Err(Errno::EPROTOTYPE));
        assert_eq!(send(&*client, b"x"), Err(Errno::ENOTCONN));
        assert_eq!(recv(&*client, 1), Err(Errno::EINVAL));
        client.connect(&path("/run/x"), true).unwrap();
        assert_eq!(client.connect(&path("/run/x"), true), Err(Errno::EISCONN));
        let second = unix(&net, 1);
        second.connect(&path("/run/x"), true).unwrap();
        let third = unix(&net, 1);
        assert_eq!(third.connect(&path("/run/x"), true), Err(Errno::EAGAIN));
        // Bytes may be sent before the connection is accepted.
        send(&*client, b"early").unwrap();
        assert_eq!(listening.poll(), POLLIN | POLLRDNORM);
        let (server, peer) = listening.accept(true).unwrap();
        assert_eq!(peer, Address::Unix(UnixAddress::Unnamed));
        assert_eq!(server.local_address(), path("/run/x"));
        assert_eq!(client.peer_address().unwrap(), path("/run/x"));
        assert_eq!(recv(&*server, 10).unwrap(), b"early");
        third.connect(&path("/run/x"), true).unwrap();
        drop(listening);
        assert_eq!(recv(&*second, 1), Err(Errno::ECONNRESET));
        assert_eq!(unix(&net, 1).connect(&path("/run/x"), true), Err(Errno::ECONNREFUSED));
        send(&*server, b"still").unwrap();
        assert_eq!(recv(&*client, 10).unwrap(), b"still");
    });
}

#[test]
fn abstract_names_and_autobind() {
    run(|| {
        let net = loopback();
        let name = Address::parse(b"\x01\0\0name");
        assert_eq!(name, Address::Unix(UnixAddress::Abstract(b"name".to_vec())));
        let first = unix(&net, 2);
        first.bind(&name).unwrap();
        assert_eq!(unix(&net, 2).bind(&name), Err(Errno::EADDRINUSE));
        assert_eq!(&first.local_address().encode()[..], b"\x01\0\0name");
        drop(first);
        let again = unix(&net, 2);
        again.bind(&name).unwrap();
        let auto = unix(&net, 2);
        auto.bind(&Address::parse(b"\x01\0")).unwrap();
        assert_eq!(auto.local_address().encode().len(), 2 + 1 + 5);
        assert_eq!(&path("/a").encode()[..], b"\x01\0/a\0");
    });
}

#[test]
fn datagrams_keep_their_edges() {
    run(|| {
        let net = loopback();
        let server = unix(&net, 2);
        server.bind(&path("/log")).unwrap();
        let client = unix(&net, 2);
        client.bind(&path("/client")).unwrap();
        assert_eq!(send(&*client, b"x"), Err(Errno::ENOTCONN));
        assert_eq!(send_to(&*client, b"one", &path("/nowhere")), Err(Errno::ENOENT));
        send_to(&*client, b"one", &path("/log")).unwrap();
        client.connect(&path("/log"), true).unwrap();
        send(&*client, b"").unwrap();
        send(&*client, b"three").unwrap();
        let (bytes, received) = recv_with(&*server, 100, 0).unwrap();
        assert_eq!((&bytes[..], received.from), (&b"one"[..], Some(path("/client"))));
        assert_eq!(recv(&*server, 100).unwrap(), b"");
        assert_eq!(server.queued_input(), Ok(5));
        let (bytes, received) = recv_with(&*server, 2, MSG_PEEK).unwrap();
        assert_eq!((&bytes[..], received.flags), (&b"th"[..], MSG_TRUNC));
        let mut two = [0; 2];
        let received = server.receive(&mut rkt_user::IoSink::kernel(&mut two), MSG_TRUNC, true).unwrap();
        assert_eq!((received.len, received.flags, &two), (5, MSG_TRUNC, b"th"));
        // One that is connected hears its peer only.
        server.connect(&path("/client"), true).unwrap();
        assert_eq!(send_to(&*unix(&net, 2), b"x", &path("/log")), Err(Errno::EPERM));
        assert_eq!(send_to(&*client, &[0; 300_000], &path("/log")), Err(Errno::EMSGSIZE));
        drop(server);
        assert_eq!(send(&*client, b"x"), Err(Errno::ECONNREFUSED));
        assert_eq!(send(&*client, b"x"), Err(Errno::ENOTCONN));
    });
}

#[test]
fn strangers_queue_few_datagrams() {
    run(|| {
        let net = loopback();
        let server = unix(&net, 2);
        server.bind(&path("/log")).unwrap();
        let client = unix(&net, 2);
        client.connect(&path("/log"), true).unwrap();
        let sent = (0..100).take_while(|_| send(&*client, b"x").is_ok()).count();
        assert_eq!(sent, 11);
        assert_eq!(send(&*client, b"x"), Err(Errno::EAGAIN));
        assert_eq!(client.poll() & POLLOUT, 0);
        recv(&*server, 10).unwrap();
        assert_ne!(client.poll() & POLLOUT, 0);
    });
}

#[test]
fn sequenced_packets() {
    run(|| {
        let (a, b) = pair(5);
        send(&*a, b"first").unwrap();
        send_with(&*a, b"second", Outgoing { ancillary: files(&[9]), ..Default::default() }).unwrap();
        assert_eq!(recv(&*b, 3).unwrap(), b"fir");
        let (bytes, received) = recv_with(&*b, 100, 0).unwrap();
        assert_eq!((&bytes[..], numbers(&received.ancillary)), (&b"second"[..], vec![9]));
        drop(a);
        assert_eq!(recv(&*b, 3).unwrap(), b"");
        assert_eq!(send(&*b, b"x"), Err(Errno::EPIPE));
        assert_eq!(recv(&*loopback().socket(1, 5, 0).unwrap(), 1), Err(Errno::ENOTCONN));
    });
}
