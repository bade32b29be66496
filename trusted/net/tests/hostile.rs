//! A stranger on the wire who means harm: memory stays bounded, and an honest client is served meanwhile.

mod common;

use common::stranger::{STRANGER, Said, packet_of};
use common::*;
use rkt_linux_abi::Errno;
use rkt_net::Socket;
use rkt_platform_mock::{Counting, each_seed, pick};
use rkt_wire::tcp::{Flags, Options};
use std::net::Ipv4Addr;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PORT: u16 = 80;
/// Nothing that the stranger does may take more memory than this.
const BOUND: usize = 12 << 20;

/// A server on `b` that answers each byte, its honest client on `a`, and the stranger.
struct Scene {
    net: Joined,
    listening: Arc<dyn Socket>,
    honest: Option<(Arc<dyn Socket>, Arc<dyn Socket>)>,
    /// Bytes allocated before anything happened.
    start: usize,
}

impl Scene {
    fn new() -> Self {
        Self::with_memory(0)
    }

    /// Where each kernel has so many bytes of memory.
    fn with_memory(memory: usize) -> Self {
        let net = joined(Wire { memory, ..Wire::default() });
        let listening = tcp(&net.b);
        listening.bind(&inet([0, 0, 0, 0].into(), PORT)).unwrap();
        listening.listen(128).unwrap();
        net.stranger.introduce(STRANGER);
        net.settle();
        let mut scene = Self { net, listening, honest: None, start: 0 };
        scene.honest = Some(scene.visit());
        scene.start = Counting::held();
        scene
    }

    /// Connects from `a`, waiting as long as TCP does: seconds, where SYNs are lost.
    fn visit(&self) -> (Arc<dyn Socket>, Arc<dyn Socket>) {
        let client = tcp(&self.net.a);
        assert_eq!(client.connect(&inet(B, PORT), true), Err(Errno::EINPROGRESS));
        for _ in 0..400 {
            self.net.settle();
            while let Ok((server, peer)) = self.listening.accept(true) {
                if peer == client.local_address() {
                    return (client, server);
                }
            }
            advance(50);
        }
        panic!("an honest client is not let in");
    }

    /// A question and its answer over a connection.
    fn ask(&self, (client, server): &(Arc<dyn Socket>, Arc<dyn Socket>)) {
        send(&**client, b"question").expect("room");
        let mut answered = false;
        for _ in 0..400 {
            self.net.settle();
            match recv(&**server, 100) {
                Ok(question) => {
                    assert_eq!(question, b"question");
                    send(&**server, b"answer").expect("room");
                }
                Err(error) => assert_eq!(error, Errno::EAGAIN),
            }
            self.net.settle();
            if let Ok(answer) = recv(&**client, 100) {
                assert_eq!(answer, b"answer");
                answered = true;
                break;
            }
            advance(50);
        }
        assert!(answered, "an honest client is not served");
    }

    /// Service goes on: for the connection that there was, and for a new one. Memory is bounded.
    fn judge(&self) {
        let held = Counting::held().saturating_sub(self.start);
        assert!(held < BOUND, "{held} bytes");
        self.ask(self.honest.as_ref().expect("a connection"));
        self.ask(&self.visit());
    }

    /// Opens a connection of the stranger's; its server socket, and the next sequence numbers.
    fn open(&self, port: u16, window: u16) -> (Arc<dyn Socket>, u32, u32) {
        let (seq, ack) = self.net.stranger.open(&mut || self.net.settle(), port, PORT, window).expect("let in");
        (self.listening.accept(true).expect("accepted").0, seq, ack)
    }

    /// The stranger says this, and `b` deals with it.
    fn say(&self, said: &Said) {
        self.net.stranger.say(said);
        self.net.settle();
    }
}

fn any_host() -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, 0x70 + pick(100) as u8)
}

#[test]
fn a_flood_of_syns_keeps_nobody_out() {
    each_seed(2, |seed| {
        rkt_platform_mock::Config { cpus: 1, preemption: 0, spurious: 0, ..rkt_platform_mock::Config::new(seed) }.run(
            || {
                let scene = Scene::new();
                for round in 0..400 {
                    for _ in 0..100 {
                        let options = Options { mss: Some(1460), sack_permitted: true, ..Options::default() };
                        let ports = (1 + pick(65_000) as u16, PORT);
                        let (from, seq) = (Some(any_host()), pick(1 << 32) as u32);
                        scene.net.stranger.say(&Said {
                            from,
                            ports,
                            seq,
                            flags: Flags::SYN,
                            options,
                            ..Said::default()
                        });
                    }
                    scene.net.settle();
                    advance(5);
                    if round % 100 == 99 {
                        scene.judge();
                    }
                }
            },
        );
    });
}

/// What a stranger who does not see the connection may try: any flags, numbers near and far, any text.
fn blind(peer: &rkt_net::Address) -> Said {
    let flags = [Flags::RST, Flags::RST | Flags::ACK, Flags::SYN, Flags::ACK, Flags::ACK | Flags::FIN];
    let text = (0..pick(100)).map(|_| pick(256) as u8).collect();
    Said {
        from: Some(A),
        ports: (port_of(peer), PORT),
        seq: pick(1 << 32) as u32,
        ack: pick(1 << 32) as u32,
        flags: flags[pick(flags.len() as u64) as usize],
        window: pick(1 << 16) as u16,
        text,
        ..Said::default()
    }
}

#[test]
fn blind_resets_and_data_do_not_touch_a_connection() {
    run(|| {
        let scene = Scene::new();
        let peer = scene.honest.as_ref().expect("a connection").0.local_address();
        for _ in 0..300 {
            (0..100).for_each(|_| scene.net.stranger.say(&blind(&peer)));
            scene.net.settle();
            advance(1);
            scene.ask(scene.honest.as_ref().expect("a connection"));
        }
        scene.judge();
    });
}

#[test]
fn tiny_segments_with_holes_are_bounded() {
    run(|| {
        let scene = Scene::new();
        for port in 2000..2040 {
            let (_server, seq, ack) = scene.open(port, 65_535);
            let said = Said { ports: (port, PORT), ack, flags: Flags::ACK, window: 65_535, ..Said::default() };
            // Every second byte of the window, from its end on.
            for at in (0..60_000u32).rev().step_by(2) {
                scene.net.stranger.say(&Said { seq: seq + 1 + at, text: vec![7], ..said.clone() });
                if at % 200 < 2 {
                    scene.net.settle();
                }
            }
            std::mem::forget(_server);
        }
        scene.judge();
    });
}

#[test]
fn fragments_that_overlap_or_never_end_are_bounded() {
    run(|| {
        let scene = Scene::new();
        for round in 0..300u32 {
            for _ in 0..100 {
                let mut header = packet_of(if pick(2) == 0 { 6 } else { 17 }, any_host());
                header.id = pick(1 << 16) as u16;
                header.more_fragments = pick(4) != 0;
                header.offset = pick(8000) as u16 * 8;
                let payload = vec![round as u8; 8 * (1 + pick(180)) as usize];
                scene.net.stranger.packet(&header, &payload);
            }
            scene.net.settle();
            advance(10);
        }
        scene.judge();
    });
}

#[test]
fn acknowledgments_of_nothing_are_answered_seldom() {
    run(|| {
        let scene = Scene::new();
        let (_server, seq, ack) = scene.open(2000, 65_535);
        scene.net.stranger.heard();
        for round in 0..10_000u32 {
            // Of what was never sent, of long ago, and the same again and again.
            let wrong = [ack.wrapping_add(10_000), ack.wrapping_sub(1 << 20), ack];
            let ports = (2000, PORT);
            let (ack, flags, window) = (wrong[round as usize % 3], Flags::ACK, 65_535);
            scene.say(&Said { ports, seq: seq.wrapping_sub(round % 2), ack, flags, window, ..Said::default() });
        }
        let heard = scene.net.stranger.heard().len();
        assert!(heard < 20, "{heard} answers");
        scene.judge();
    });
}

#[test]
fn windows_that_shrink_or_stay_closed_hold_no_more_than_a_send_buffer() {
    run(|| {
        let scene = Scene::new();
        let mut held = Vec::new();
        for port in 2000..2020 {
            let (server, seq, ack) = scene.open(port, 20_000);
            let sent: usize = std::iter::from_fn(|| send(&*server, &[1; 10_000]).ok()).sum();
            assert!(sent < 200_000, "{sent}");
            let said = Said { ports: (port, PORT), seq, flags: Flags::ACK, ..Said::default() };
            // The window goes, byte by byte, while nothing is acknowledged, and then is zero for ever.
            for window in (0..200u16).rev() {
                scene.say(&Said { ack, window: window * 100, ..said.clone() });
            }
            held.push((server, said, ack));
        }
        for _ in 0..300 {
            scene.net.settle_for(1000, 500);
            let heard = scene.net.stranger.heard();
            assert!(heard.len() < 200, "{} segments in a second", heard.len());
            for (_, said, ack) in &held {
                scene.net.stranger.say(&Said { ack: *ack, window: 0, ..said.clone() });
            }
        }
        scene.judge();
    });
}

#[test]
fn connections_that_say_a_byte_now_and_then_cost_little() {
    run(|| {
        let scene = Scene::new();
        let mut slow = Vec::new();
        for port in 2000..3000 {
            let (server, seq, ack) = scene.open(port, 65_535);
            slow.push((server, Said { ports: (port, PORT), seq, ack, flags: Flags::ACK, ..Said::default() }));
        }
        for round in 0..20 {
            for (server, said) in &mut slow {
                scene.net.stranger.say(&Said { text: vec![round], window: 65_535, ..said.clone() });
                said.seq += 1;
                scene.net.settle();
                assert_eq!(recv(&**server, 10).unwrap(), [round]);
            }
            scene.net.settle_for(2000, 500);
        }
        scene.judge();
    });
}

#[test]
fn memory_that_runs_short_is_shared_out() {
    run(|| {
        // An eighth is for buffers.
        let scene = Scene::with_memory(16 << 20);
        let before = Counting::held();
        let mut held = Vec::new();
        for port in 2000..2200 {
            let (server, seq, ack) = scene.open(port, 65_535);
            let said = Said { ports: (port, PORT), ack, flags: Flags::ACK, window: 65_535, ..Said::default() };
            // Nobody reads what comes, in order from the start and out of order at the end, nor takes what is sent.
            for at in [0, 1460, 2920, 4380, 8760, 40_000, 42_000, 60_000] {
                scene.net.stranger.say(&Said { seq: seq.wrapping_add(at), text: vec![7; 1460], ..said.clone() });
            }
            scene.net.settle();
            let _ = send(&*server, &[1; 100_000]);
            held.push(server);
        }
        let buffers = Counting::held() - before;
        // The budget, 4 KiB each way beyond it, and the connections themselves.
        assert!(buffers < (2 << 20) + 200 * (2 * 4096 + 8192), "{buffers} bytes");
        scene.judge();
        // Half of them let go: what they hold is given back, although the stranger takes nothing.
        held.truncate(100);
        scene.net.settle_for(5000, 500);
        scene.judge();
        drop(held);
        scene.net.settle_for(5000, 500);
        scene.judge();
        assert!(Counting::held() < before + (1 << 20), "{} bytes", Counting::held() - before);
    });
}

/// Bytes that an idle connection takes, both of its ends and their sockets.
#[test]
fn an_idle_connection_is_small_and_costs_others_nothing() {
    run(|| {
        let scene = Scene::new();
        let work = || {
            let before = Counting::asked();
            (0..100).for_each(|_| scene.ask(scene.honest.as_ref().expect("a connection")));
            Counting::asked() - before
        };
        scene.net.settle_for(5000, 500);
        work();
        let (alone, before) = (work(), Counting::held());
        const MANY: usize = 10_000;
        let idle: Vec<_> = (0..MANY)
            .map(|_| {
                let pair = scene.visit();
                scene.ask(&pair);
                pair
            })
            .collect();
        // Buffers that nobody uses are given back.
        scene.net.settle_for(5000, 500);
        let each = (Counting::held() - before) / MANY;
        println!("{each} bytes an idle connection, both ends");
        assert!(each < 5000, "{each} bytes");
        work();
        let among_many = work();
        assert!(among_many <= alone + alone / 20, "{among_many} allocations among many connections, {alone} alone");
        drop(idle);
    });
}
