//! Calls that wait, under random schedules.

mod common;

use common::*;
use rkt_linux_abi::general::POLLIN;
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};
use rkt_net::{NetStack, Outgoing, Socket};
use rkt_platform::SpaceId;
use rkt_platform_mock::{each_seed, pick, simulate, spawn};
use rkt_sched::Poller;
use rkt_user::{IoSink, IoSource};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

const SEEDS: u64 = 60;
const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn send_all(socket: &dyn Socket, bytes: &[u8]) -> Result<usize> {
    socket.send(&mut IoSource::kernel(bytes), &mut Outgoing::default())
}

fn receive(socket: &dyn Socket, room: usize, flags: u32) -> Result<Vec<u8>> {
    let mut bytes = vec![0; room];
    let n = socket.receive(&mut IoSink::kernel(&mut bytes), flags, false)?.len;
    bytes.truncate(n);
    Ok(bytes)
}

/// Sends 1.5 MB in random pieces; the other side checks each byte, then the end.
fn stream(from: Arc<dyn Socket>, to: Arc<dyn Socket>) {
    const LEN: usize = 1_500_000;
    let byte = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 24) as u8;
    spawn(SpaceId::FIRST, move || {
        let mut at = 0;
        while at < LEN {
            let end = LEN.min(at + 1 + pick(300_000) as usize);
            let piece: Vec<u8> = (at..end).map(byte).collect();
            assert_eq!(send_all(&*from, &piece), Ok(piece.len()));
            at = end;
        }
    });
    spawn(SpaceId::FIRST, move || {
        let mut at = 0;
        loop {
            let flags = if pick(4) == 0 { MSG_WAITALL } else { 0 };
            let piece = receive(&*to, 1 + pick(200_000) as usize, flags).unwrap();
            if piece.is_empty() {
                break;
            }
            assert!(piece.iter().enumerate().all(|(i, &b)| b == byte(at + i)), "wrong bytes behind {at}");
            at += piece.len();
        }
        assert_eq!(at, LEN);
    });
}

#[test]
fn connections_inside_the_enclave() {
    each_seed(SEEDS, |seed| {
        simulate(seed, || {
            let net = loopback();
            let listening = tcp(&net);
            listening.bind(&inet(HOME, 80)).unwrap();
            // So small that some have to wait for others to be accepted.
            listening.listen(0).unwrap();
            for _ in 0..3 {
                let net = net.clone();
                spawn(SpaceId::FIRST, move || {
                    let client = tcp(&net);
                    client.connect(&inet(HOME, 80), false).unwrap();
                    let echo = b"something to be echoed";
                    send_all(&*client, echo).unwrap();
                    assert_eq!(receive(&*client, echo.len(), MSG_WAITALL).unwrap(), echo);
                });
            }
            for _ in 0..3 {
                let (server, _) = listening.accept(false).unwrap();
                spawn(SpaceId::FIRST, move || {
                    loop {
                        let bytes = receive(&*server, 7, 0).unwrap();
                        if bytes.is_empty() {
                            return;
                        }
                        send_all(&*server, &bytes).unwrap();
                    }
                });
            }
        });
    });
}

#[test]
fn bytes_keep_their_order() {
    each_seed(SEEDS / 3, |seed| {
        simulate(seed, || {
            let net = loopback();
            let listening = tcp(&net);
            listening.bind(&inet(HOME, 80)).unwrap();
            listening.listen(5).unwrap();
            let client = tcp(&net);
            client.connect(&inet(HOME, 80), false).unwrap();
            stream(client, listening.accept(false).unwrap().0);
            let (a, b) = net.socketpair(1, 1, 0).unwrap();
            stream(a, b);
        });
    });
}

/// The two networks that the poller looks after.
static NETS: Mutex<Vec<Arc<NetStack>>> = Mutex::new(Vec::new());

fn nets() -> Vec<Arc<NetStack>> {
    NETS.lock().unwrap().clone()
}

#[test]
fn bytes_keep_their_order_over_the_wire() {
    each_seed(SEEDS / 6, |seed| {
        simulate(seed, || {
            let net = joined(Wire { offloads: true, ..Wire::default() });
            *NETS.lock().unwrap() = vec![net.a.clone(), net.b.clone()];
            rkt_sched::set_poller(Poller {
                poll: || nets().iter().fold(false, |any, net| net.poll() | any),
                has_work: || nets().iter().any(|net| net.has_work()),
                deadline: || nets().iter().map(|net| net.deadline()).min().unwrap_or(u64::MAX),
                parking: |_| {},
            });
            let listening = tcp(&net.b);
            listening.bind(&inet(Ipv4Addr::UNSPECIFIED, 80)).unwrap();
            listening.listen(5).unwrap();
            let client = tcp(&net.a);
            client.connect(&inet(B, 80), false).unwrap();
            let (server, _) = listening.accept(false).unwrap();
            let second = tcp(&net.a);
            second.connect(&inet(B, 80), false).unwrap();
            let (back, _) = listening.accept(false).unwrap();
            stream(client, server);
            stream(back, second);
        });
        NETS.lock().unwrap().clear();
    });
}

#[test]
fn timeouts_and_signals_end_the_wait() {
    each_seed(SEEDS, |seed| {
        simulate(seed, || {
            let net = loopback();
            let (end, other) = net.socketpair(1, 1, 0).unwrap();
            for socket in [udp(&net), end] {
                let mut time = [0; 16];
                time[8..12].copy_from_slice(&20_000u32.to_le_bytes());
                socket.set_option(SOL_SOCKET, SO_RCVTIMEO, &time).unwrap();
                let before = rkt_platform::now();
                assert_eq!(receive(&*socket, 1, 0), Err(Errno::EAGAIN));
                assert!(rkt_platform::now() - before >= 20_000_000);
                socket.set_option(SOL_SOCKET, SO_RCVTIMEO, &[0; 16]).unwrap();
                let (waiting, open) = (socket.clone(), other.clone());
                let thread = spawn(SpaceId::FIRST, move || {
                    assert_eq!(receive(&*waiting, 1, 0), Err(Errno::ERESTARTSYS));
                    drop(open);
                });
                thread.interrupt();
            }
        });
    });
}

#[test]
fn closing_wakes_who_waits() {
    each_seed(SEEDS, |seed| {
        simulate(seed, || {
            let net = loopback();
            let (a, b) = net.socketpair(1, 1, 0).unwrap();
            spawn(SpaceId::FIRST, move || assert_eq!(receive(&*a, 1, 0).unwrap(), b""));
            drop(b);
            let (c, d) = net.socketpair(1, 5, 0).unwrap();
            spawn(SpaceId::FIRST, move || {
                let error = (0..10_000).find_map(|_| send_all(&*c, &[0; 4096]).err());
                assert_eq!(error, Some(Errno::EPIPE));
            });
            assert_eq!(receive(&*d, 4096, 0).unwrap().len(), 4096);
            drop(d);
            let listening = tcp(&net);
            listening.bind(&inet(HOME, 80)).unwrap();
            listening.listen(0).unwrap();
            let first = tcp(&net);
            first.connect(&inet(HOME, 80), false).unwrap();
            let second = net.clone();
            spawn(SpaceId::FIRST, move || {
                // Waits for room in the backlog, or comes too late for the listener.
                assert_eq!(tcp(&second).connect(&inet(HOME, 80), false), Err(Errno::ECONNREFUSED));
            });
            rkt_sched::yield_now();
            drop(listening);
            assert_ne!(first.poll() & POLLIN, 0);
        });
    });
}
