//! TCP over a wire between two stacks.

mod common;

use common::*;
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::*;
use rkt_linux_abi::net::*;
use rkt_net::{Shutdown, Socket};
use rkt_platform::SpaceId;
use rkt_platform_mock::{Config, each_seed, spawn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const PORT: u16 = 6379;

fn listener(net: &Joined, backlog: i32) -> Arc<dyn Socket> {
    let socket = tcp(&net.b);
    socket.bind(&inet([0, 0, 0, 0].into(), PORT)).unwrap();
    socket.listen(backlog).unwrap();
    socket
}

fn connected(net: &Joined) -> (Arc<dyn Socket>, Arc<dyn Socket>) {
    let listening = listener(net, 16);
    let client = tcp(&net.a);
    assert_eq!(client.connect(&inet(B, PORT), true), Err(Errno::EINPROGRESS));
    assert_eq!(client.connect(&inet(B, PORT), true), Err(Errno::EALREADY));
    assert_eq!(client.poll(), 0);
    net.settle();
    assert_eq!(client.poll(), POLLOUT | POLLWRNORM);
    assert_eq!(client.connect(&inet(B, PORT), true), Ok(()));
    assert_eq!(client.connect(&inet(B, PORT), true), Err(Errno::EISCONN));
    assert_eq!(listening.poll(), POLLIN | POLLRDNORM);
    let (server, peer) = listening.accept(true).unwrap();
    assert_eq!(peer, client.local_address());
    assert_eq!(server.local_address(), inet(B, PORT));
    assert_eq!(server.peer_address().unwrap(), client.local_address());
    assert_eq!(listening.accept(true).err(), Some(Errno::EAGAIN));
    (client, server)
}

/// Bytes that a shifted or lost piece would not reproduce.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect()
}

/// Sends `bytes` one way while the other end reads, and compares.
fn transfer(net: &Joined, from: &dyn Socket, to: &dyn Socket, bytes: &[u8], step: u64) {
    let (mut sent, mut got) = (0, Vec::new());
    for _ in 0..200_000 {
        if sent < bytes.len() {
            sent += match send(from, &bytes[sent..(sent + 100_000).min(bytes.len())]) {
                Ok(n) => n,
                Err(error) => {
                    assert_eq!(error, Errno::EAGAIN);
                    0
                }
            };
        }
        net.settle();
        match recv(to, 77_777) {
            Ok(more) => got.extend_from_slice(&more),
            Err(error) => assert_eq!(error, Errno::EAGAIN),
        }
        if got.len() == bytes.len() {
            assert!(got == bytes, "the bytes differ");
            return;
        }
        advance(step);
    }
    panic!("sent {sent}, got {} of {}", got.len(), bytes.len());
}

#[test]
fn ten_mebibytes_arrive_both_ways() {
    run(|| {
        for offloads in [false, true] {
            let net = joined(Wire { offloads, ..Wire::default() });
            let (client, server) = connected(&net);
            let bytes = pattern(10 << 20);
            transfer(&net, &*client, &*server, &bytes, 0);
            transfer(&net, &*server, &*client, &bytes, 0);
        }
    });
}

#[test]
fn lost_frames_are_sent_again() {
    run(|| {
        let net = joined(Wire { offloads: true, loss: 50, ..Wire::default() });
        let listening = listener(&net, 16);
        let client = tcp(&net.a);
        assert_eq!(client.connect(&inet(B, PORT), true), Err(Errno::EINPROGRESS));
        net.settle_for(20_000, 100);
        let (server, _) = listening.accept(true).unwrap();
        transfer(&net, &*client, &*server, &pattern(2 << 20), 20);
    });
}

#[test]
fn a_closed_port_refuses() {
    run(|| {
        let net = joined(Wire::default());
        let client = tcp(&net.a);
        assert_eq!(client.connect(&inet(B, 1), true), Err(Errno::EINPROGRESS));
        net.settle();
        assert_eq!(client.poll(), POLLOUT | POLLWRNORM | POLLIN | POLLRDNORM | POLLRDHUP | POLLHUP | POLLERR);
        assert_eq!(error(&*client), Errno::ECONNREFUSED.raw().into());
        assert_eq!(error(&*client), 0);
        // As Linux: the error was told, the failure is not.
        assert_eq!(client.connect(&inet(B, 1), true), Err(Errno::ECONNABORTED));
        assert_eq!(client.connect(&inet(B, 1), true), Err(Errno::EINPROGRESS));
        net.settle();
        assert_eq!(client.connect(&inet(B, 1), true), Err(Errno::ECONNREFUSED));
    });
}

#[test]
fn half_close_and_close() {
    run(|| {
        let net = joined(Wire::default());
        let (client, server) = connected(&net);
        send(&*client, b"last words").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(send(&*client, b"x"), Err(Errno::EPIPE));
        net.settle();
        assert_eq!(server.poll(), POLLIN | POLLRDNORM | POLLRDHUP | POLLOUT | POLLWRNORM);
        assert_eq!(recv(&*server, 4).unwrap(), b"last");
        assert_eq!(recv(&*server, 100).unwrap(), b" words");
        assert_eq!(recv(&*server, 100).unwrap(), b"");
        send(&*server, b"answer").unwrap();
        net.settle();
        assert_eq!(recv(&*client, 100).unwrap(), b"answer");
        assert_eq!(recv(&*client, 100), Err(Errno::EAGAIN));
        drop(server);
        net.settle();
        assert_eq!(recv(&*client, 100).unwrap(), b"");
        assert_eq!(client.poll(), POLLIN | POLLRDNORM | POLLRDHUP | POLLOUT | POLLWRNORM | POLLHUP);
        assert_eq!(error(&*client), 0);
    });
}

#[test]
fn closing_with_unread_bytes_resets() {
    run(|| {
        let net = joined(Wire::default());
        let (client, server) = connected(&net);
        send(&*client, b"unread").unwrap();
        net.settle();
        drop(server);
        net.settle();
        assert_ne!(client.poll() & POLLERR, 0);
        assert_eq!(recv(&*client, 10), Err(Errno::ECONNRESET));
        assert_eq!(recv(&*client, 10).unwrap(), b"");
        assert_eq!(send(&*client, b"x"), Err(Errno::EPIPE));
        assert_eq!(client.peer_address(), Err(Errno::ENOTCONN));
    });
}

#[test]
fn writing_to_who_has_closed_breaks_the_pipe() {
    run(|| {
        let net = joined(Wire::default());
        let (client, server) = connected(&net);
        drop(server);
        net.settle();
        assert_eq!(send(&*client, b"into the void"), Ok(13));
        net.settle();
        assert_eq!(send(&*client, b"x"), Err(Errno::EPIPE));
        assert_eq!(recv(&*client, 10).unwrap(), b"");
    });
}

#[test]
fn linger_zero_resets() {
    run(|| {
        let net = joined(Wire::default());
        let (client, server) = connected(&net);
        client.set_option(SOL_SOCKET, SO_LINGER, &[1, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        drop(client);
        net.settle();
        assert_eq!(recv(&*server, 10), Err(Errno::ECONNRESET));
    });
}

#[test]
fn fifty_connect_at_once() {
    run(|| {
        let net = joined(Wire::default());
        let listening = listener(&net, 511);
        let clients: Vec<_> = (0..50).map(|_| tcp(&net.a)).collect();
        for client in &clients {
            assert_eq!(client.connect(&inet(B, PORT), true), Err(Errno::EINPROGRESS));
        }
        net.settle_for(5000, 100);
        let servers: Vec<_> = (0..50).map(|_| listening.accept(true).unwrap().0).collect();
        for (at, client) in clients.iter().enumerate() {
            assert_eq!(client.connect(&inet(B, PORT), true), Ok(()));
            send(&**client, &[at as u8; 100]).unwrap();
        }
        net.settle();
        for server in &servers {
            let bytes = recv(&**server, 1000).unwrap();
            assert!(bytes.len() == 100 && bytes.iter().all(|&byte| byte == bytes[0]));
        }
    });
}

#[test]
fn a_full_backlog_makes_wait_and_not_fail() {
    run(|| {
        let net = joined(Wire::default());
        let listening = listener(&net, 1);
        let clients: Vec<_> = (0..12).map(|_| tcp(&net.a)).collect();
        for client in &clients {
            assert_eq!(client.connect(&inet(B, PORT), true), Err(Errno::EINPROGRESS));
            net.settle_for(200, 100);
        }
        assert_eq!(clients[11].poll(), 0, "still connecting");
        let mut accepted = Vec::new();
        for _ in 0..600 {
            net.settle_for(100, 100);
            accepted.extend(listening.accept(true).ok());
        }
        assert_eq!(accepted.len(), 12);
        assert!(clients.iter().all(|client| client.poll() & POLLOUT != 0));
    });
}

#[test]
fn ports_come_back_and_sockets_do_not_pile_up() {
    run(|| {
        let net = joined(Wire::default());
        let listening = listener(&net, 16);
        for round in 0..600 {
            let client = tcp(&net.a);
            let _ = client.connect(&inet(B, PORT), true);
            net.settle();
            let (server, _) = listening.accept(true).unwrap_or_else(|error| panic!("round {round}: {error}"));
            send(&*client, b"ping").unwrap();
            net.settle();
            assert_eq!(recv(&*server, 10).unwrap(), b"ping");
            drop(if round % 2 == 0 { server } else { client });
            net.settle();
        }
    });
}

#[test]
fn the_writer_stops_and_goes_on() {
    run(|| {
        let net = joined(Wire::default());
        let (client, server) = connected(&net);
        let chunk = pattern(64 << 10);
        let mut sent = 0;
        loop {
            match send(&*client, &chunk) {
                Ok(n) => sent += n,
                Err(error) => {
                    assert_eq!(error, Errno::EAGAIN);
                    net.settle();
                    if client.poll() & POLLOUT == 0 {
                        break;
                    }
                }
            }
        }
        assert!(client.queued_output().unwrap() > 0);
        let mut got = 0;
        while got < sent {
            got += recv(&*server, 50_000).unwrap_or_default().len();
            net.settle_for(100, 50);
        }
        assert_ne!(client.poll() & POLLOUT, 0);
        assert_eq!(client.queued_output(), Ok(0));
    });
}

#[test]
fn peek_and_queue_lengths() {
    run(|| {
        let net = joined(Wire::default());
        let (client, server) = connected(&net);
        send(&*client, b"hello").unwrap();
        net.settle();
        assert_eq!(server.queued_input(), Ok(5));
        assert_eq!(recv_with(&*server, 3, MSG_PEEK).unwrap().0, b"hel");
        assert_eq!(recv_with(&*server, 10, MSG_PEEK).unwrap().0, b"hello");
        assert_eq!(recv(&*server, 10).unwrap(), b"hello");
        assert_eq!(server.queued_input(), Ok(0));
    });
}

#[test]
fn an_attempt_to_reach_nobody_fails() {
    run(|| {
        let net = joined(Wire::default());
        let client = tcp(&net.a);
        // Nobody has this address: its ARP requests stay without answer.
        assert_eq!(client.connect(&inet([10, 0, 0, 77].into(), 1), true), Err(Errno::EINPROGRESS));
        net.settle_for(200_000, 500);
        assert_eq!(client.connect(&inet([10, 0, 0, 77].into(), 1), true), Err(Errno::EHOSTUNREACH));
        assert_eq!(tcp(&net.a).connect(&inet([192, 168, 7, 7].into(), 1), true), Err(Errno::ENETUNREACH));
    });
}

#[test]
fn a_broken_card_takes_only_its_own_down() {
    run(|| {
        let net = joined(Wire::default());
        let (client, _server) = connected(&net);
        let local = tcp(&net.a);
        local.bind(&inet([127, 0, 0, 1].into(), 99)).unwrap();
        local.listen(1).unwrap();
        net.broken.store(true, Ordering::Relaxed);
        net.a.poll();
        assert_ne!(client.poll() & POLLERR, 0);
        assert_eq!(recv(&*client, 10), Err(Errno::ENETDOWN));
        assert_eq!(tcp(&net.a).connect(&inet(B, PORT), true), Err(Errno::ENETDOWN));
        let other = tcp(&net.a);
        assert_eq!(other.connect(&inet([127, 0, 0, 1].into(), 99), true), Err(Errno::EINPROGRESS));
        assert!(!net.a.interfaces()[1].up);
        // The reset succeeds later, and the network is back.
        net.broken.store(false, Ordering::Relaxed);
        advance(2000);
        net.settle();
        assert!(net.a.interfaces()[1].up);
        let again = tcp(&net.a);
        assert_eq!(again.connect(&inet(B, PORT), true), Err(Errno::EINPROGRESS));
        net.settle();
        assert_eq!(error(&*again), i32::from(Errno::ECONNREFUSED.raw()), "the listener is gone");
    });
}

#[test]
fn the_end_of_a_burst_does_not_wait() {
    run(|| {
        let net = joined(Wire::default());
        let (client, server) = connected(&net);
        // No time passes, so no delayed acknowledgement helps.
        send(&*client, &[1; 10_000]).unwrap();
        net.b.poll();
        assert_eq!(server.queued_input(), Ok(10_000));
        // A small one behind a small one waits, unless told not to.
        send(&*client, &[2; 10]).unwrap();
        net.b.poll();
        assert_eq!(server.queued_input(), Ok(10_000));
        set(&*client, SOL_TCP, TCP_NODELAY, 1).unwrap();
        net.b.poll();
        assert_eq!(server.queued_input(), Ok(10_010));
    });
}

#[test]
fn a_silent_peer_is_given_up() {
    run(|| {
        let net = joined(Wire::default());
        let (client, _server) = connected(&net);
        for (name, value) in [(TCP_KEEPIDLE, 60), (TCP_KEEPINTVL, 10), (TCP_KEEPCNT, 3)] {
            set(&*client, SOL_TCP, name, value).unwrap();
        }
        set(&*client, SOL_SOCKET, SO_KEEPALIVE, 1).unwrap();
        net.settle_for(600_000, 1000);
        assert_eq!(client.poll(), POLLOUT | POLLWRNORM, "the peer answers");
        // Now it does not.
        for _ in 0..120 {
            advance(1000);
            net.a.poll();
        }
        assert_eq!(recv(&*client, 1), Err(Errno::ETIMEDOUT));
    });
}

#[test]
fn nonsense_from_the_wire_does_no_harm() {
    each_seed(40, |seed| {
        let config = Config { cpus: 1, preemption: 0, spurious: 0, ..Config::new(seed) };
        config.run(move || {
            let net = joined(Wire { offloads: seed % 2 == 0, lies: 3, ..Wire::default() });
            let listening = listener(&net, 16);
            let receiver = udp(&net.b);
            receiver.bind(&inet([0, 0, 0, 0].into(), 53)).unwrap();
            let mut servers = Vec::new();
            for _ in 0..20 {
                let client = tcp(&net.a);
                let _ = client.connect(&inet(B, PORT), true);
                let datagrams = udp(&net.a);
                for _ in 0..20 {
                    let _ = send_to(&*datagrams, &[1; 300], &inet(B, 53));
                    let _ = send(&*client, &[2; 3000]);
                    for _ in 0..50 {
                        net.a.poll();
                        net.b.poll();
                    }
                    advance(100);
                    servers.extend(listening.accept(true));
                    for (server, _) in &servers {
                        let _ = recv(&**server, 2000);
                        let _ = send(&**server, b"answer");
                        server.poll();
                    }
                    let _ = recv(&*receiver, 400);
                    let _ = recv(&*client, 100);
                }
            }
        });
    });
}

const PATIENCE: u64 = 5_000_000_000;

#[test]
fn what_a_program_wrote_arrives_although_it_ends() {
    run(|| {
        let net = joined(Wire::default());
        let (client, server) = connected(&net);
        let bytes = pattern(200_000);
        let sent = send(&*client, &bytes).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (program, ended) = (net.a.clone(), over.clone());
        spawn(SpaceId::FIRST, move || {
            program.close_all(rkt_platform::now() + PATIENCE);
            ended.store(true, Ordering::Relaxed);
        });
        let mut got = Vec::new();
        while !over.load(Ordering::Relaxed) {
            net.settle();
            while let Ok(more) = recv(&*server, 10_000)
                && !more.is_empty()
            {
                got.extend(more);
            }
            rkt_sched::sleep_until(rkt_platform::now() + 1_000_000).expect("no signals here");
        }
        assert_eq!(got, bytes[..sent]);
        assert_eq!(recv(&*server, 1).unwrap(), b"");
        drop(client);
    });
}

#[test]
fn a_program_that_ends_does_not_wait_for_a_dead_peer_for_ever() {
    run(|| {
        let net = joined(Wire::default());
        let (client, _server) = connected(&net);
        send(&*client, b"hello?").unwrap();
        // Nobody polls the other stack.
        let deadline = rkt_platform::now() + PATIENCE;
        net.a.close_all(deadline);
        assert!(rkt_platform::now() >= deadline);
    });
}

#[test]
fn type_of_service_and_time_to_live_change_in_mid_flow() {
    use common::stranger::STRANGER;
    run(|| {
        let net = joined(Wire::default());
        let listening = listener(&net, 16);
        net.stranger.introduce(STRANGER);
        net.settle();
        set(&*listening, SOL_IP, IP_TOS, 0x10).unwrap();
        net.stranger.open(&mut || net.settle(), 7, PORT, 65535).unwrap();
        let (server, _) = listening.accept(true).unwrap();
        set(&*server, SOL_TCP, TCP_NODELAY, 1).unwrap();
        let next = |bytes: &[u8]| {
            send(&*server, bytes).unwrap();
            net.settle();
            let packets = net.stranger.packets();
            packets.last().map(|header| (header.tos, header.ttl))
        };
        assert_eq!(next(b"as the listener's"), Some((0x10, 64)));
        set(&*server, SOL_IP, IP_TOS, 0x20).unwrap();
        set(&*server, SOL_IP, IP_TTL, 9).unwrap();
        assert_eq!(next(b"as it asks"), Some((0x20, 9)));
        set(&*server, SOL_IP, IP_TTL, -1).unwrap();
        assert_eq!(next(b"as usual"), Some((0x20, 64)));
    });
}
