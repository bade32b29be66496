//! Chance against the state machine: both ends do what applications do, in any order, over any link; and a
//! peer that sends anything at all.

mod common;

use common::peer::{IRS, ISS, Peer};
use common::{Chance, Link, MS, SECOND, World, pattern, seeds};
use rkt_tcp::{Algorithm, BufferSize, Config, Flags, Segment, SendFlags, Setting, State};

fn config(chance: &mut Chance) -> Config {
    let buffer = |chance: &mut Chance| {
        let initial = 4096 << chance.below(6);
        BufferSize { initial, max: initial << chance.below(4) }
    };
    Config {
        mss: 100 + chance.below(1400) as u16,
        receive_buffer: buffer(chance),
        send_buffer: buffer(chance),
        congestion: if chance.per_mille(500) { Algorithm::Reno } else { Algorithm::Cubic },
        window_scaling: chance.per_mille(800),
        timestamps: chance.per_mille(700),
        sack: chance.per_mille(800),
        nodelay: chance.per_mille(300),
        cork: chance.per_mille(100),
        ..Config::default()
    }
}

fn link(chance: &mut Chance) -> Link {
    Link {
        delay: chance.below(60) * MS,
        jitter: if chance.per_mille(300) { chance.below(30) * MS } else { 0 },
        loss: if chance.per_mille(700) { chance.below(100) } else { 0 },
        duplicate: if chance.per_mille(300) { chance.below(100) } else { 0 },
        corrupt: if chance.per_mille(300) { chance.below(50) } else { 0 },
        rate: if chance.per_mille(300) { 20_000 + chance.below(1_000_000) } else { 0 },
        queue: 10_000 + chance.below(100_000),
    }
}

/// Both ends send, read in pieces, change their minds, and close.
fn life(seed: u64) {
    let mut chance = Chance::new(seed);
    let configs = [config(&mut chance), config(&mut chance)];
    let mut world = World::connected(seed, Link::CLEAN, configs);
    world.links = [link(&mut chance), link(&mut chance)];
    let totals = [chance.below(60_000) as usize, chance.below(20_000) as usize];
    let mut sent = [0; 2];
    for end in &mut world.ends {
        end.row = chance.below(3) as usize * 20_000;
        end.reads = chance.per_mille(700);
    }
    world.run_until(|world| {
        for who in [0, 1] {
            let left = totals[who] - sent[who];
            if left > 0 && chance.per_mille(300) {
                let len = left.min(1 + chance.below(9000) as usize);
                let piece: Vec<u8> = (sent[who]..sent[who] + len).map(pattern).collect();
                let flags = if chance.per_mille(100) { SendFlags::MORE } else { SendFlags::empty() };
                sent[who] += world.write(who, &piece, flags);
            }
            if !world.ends[who].reads && chance.per_mille(200) {
                world.read(who, chance.below(5000) as usize);
                world.output(who);
            }
            let now = world.now;
            let tcb = world.ends[who].tcb();
            if chance.per_mille(3) {
                tcb.on_mtu(60 + chance.below(1400) as u16);
            }
            if chance.per_mille(3) {
                tcb.set(now, Setting::ReceiveBuffer(2000 + chance.below(50_000) as u32));
            }
            if chance.per_mille(3) {
                tcb.set(now, Setting::Cork(chance.per_mille(500)));
            }
            if chance.per_mille(3) {
                tcb.reclaim();
            }
            if chance.per_mille(1) {
                world.now += chance.below(5) * SECOND;
            }
            world.output(who);
        }
        let left: usize = [0, 1].iter().map(|&who| totals[who] - sent[who]).sum();
        left == 0
    });
    for who in [0, 1] {
        world.ends[who].reads = true;
        world.read(who, usize::MAX);
        world.ends[who].tcb().shutdown_send();
        world.output(who);
    }
    world.run_until(|world| world.ends.iter_mut().all(|end| matches!(end.tcb().state(), State::Closed)));
    for who in [0, 1] {
        world.read(1 - who, usize::MAX);
        let error = world.ends[who].tcb().take_error();
        assert_eq!(error, None, "{}", world.describe());
        let received = &world.ends[1 - who].received;
        assert_eq!(received.len(), totals[who]);
        assert!(received.iter().enumerate().all(|(index, &byte)| byte == pattern(index)));
    }
}

#[test]
fn lives_of_all_kinds_end_well() {
    let (from, to) = seeds(300);
    for seed in from..to {
        println!("RKT_SEEDS={seed}..{}", seed + 1);
        life(seed);
    }
}

/// A segment that is often nearly right.
fn anything(chance: &mut Chance, peer: &mut Peer) -> Segment {
    let near = |chance: &mut Chance, base: u32| match chance.below(6) {
        0 => chance.next() as u32,
        1 => base.wrapping_add(chance.below(70_000) as u32).wrapping_sub(2000),
        _ => base.wrapping_add(chance.below(4) as u32 * 500).wrapping_sub(chance.below(2) as u32),
    };
    let (next_in, next_out) = (peer.tcb.info(0).bytes_received as u32, peer.tcb.info(0).bytes_acked as u32);
    let ack = near(chance, ISS.wrapping_add(1).wrapping_add(next_out));
    let flags = if chance.per_mille(900) { 0x08 } else { chance.next() as u8 };
    let mut segment = Segment {
        seq: near(chance, IRS.wrapping_add(1).wrapping_add(next_in)),
        ack: chance.per_mille(950).then_some(ack),
        window: [0, 1, 100, 5000, 60_000, 65_535][chance.below(6) as usize],
        flags: Flags::from_bits_truncate(flags),
        urgent: chance.next() as u16,
        mss: chance.per_mille(100).then_some(chance.next() as u16),
        window_scale: chance.per_mille(100).then_some(chance.next() as u8),
        sack_permitted: chance.per_mille(100),
        timestamps: None,
        len: [0, 0, 1, 1000, 65_000][chance.below(5) as usize],
        ..Segment::default()
    };
    if peer.stamp.is_some() {
        let value = 100u32.wrapping_add(chance.below(3000) as u32).wrapping_sub(chance.below(30) as u32);
        segment.timestamps =
            Some(rkt_tcp::Timestamps { value, echo: (peer.now / MS) as u32 - chance.below(500) as u32 });
    }
    for _ in 0..chance.below(5) {
        let start = near(chance, ack);
        segment.sack.push((start, start.wrapping_add(chance.below(5000) as u32)));
    }
    segment
}

#[test]
fn a_peer_may_send_anything() {
    let (from, to) = seeds(300);
    for seed in from..to {
        println!("RKT_SEEDS={seed}..{}", seed + 1);
        let mut chance = Chance::new(seed);
        let mut peer = [Peer::sack, Peer::plain, Peer::full][seed as usize % 3]();
        for _ in 0..600 {
            peer.now += chance.below(20) * MS;
            if peer.tcb.deadline() <= peer.now {
                peer.tcb.on_timer(peer.now);
            }
            if chance.per_mille(300) {
                let len = 1 + chance.below(4000) as usize;
                let _ = peer.tcb.send(peer.now, SendFlags::empty(), &mut |into| into.len().min(len));
            }
            if chance.per_mille(200) {
                let mut half = |bytes: &[u8]| bytes.len() / 2 + 1;
                match chance.per_mille(200) {
                    true => peer.tcb.peek(0, &mut half),
                    false => peer.tcb.receive(peer.now, &mut half),
                };
            }
            let segment = anything(&mut chance, &mut peer);
            peer.give(&segment);
            let sent = peer.segments([0, 30_000][seed as usize % 2]);
            assert!(sent.len() < 200, "an answer to one segment is bounded");
            let info = peer.tcb.info(peer.now);
            assert!(info.sacked + info.lost <= info.unacked && info.retrans <= info.lost, "{info:?}");
        }
    }
}
