//! Against smoltcp, over a link that loses, reorders, duplicates and corrupts packets and changes its MTU, with small buffers
//! and a clock that jumps. Each byte arrives, both ways, and both ends close. `RKT_SEEDS=FROM..TO` chooses other lives; a life
//! that fails has printed its seed.

mod common;
mod judge;

use common::{Chance, MS, SECOND, SECRET, pattern, seeds};
use judge::{Judge, Setup, wire};
use rkt_tcp::{
    Algorithm, Answer, BufferSize, Config, Listen, ListenConfig, Origin, Segment, SendFlags, State, Tcb, TimeWait,
    Verdict, reply_to_closed,
};
use smoltcp::socket::tcp::CongestionControl;
use std::collections::BTreeMap;

/// What the link does, of a thousand packets.
struct Link {
    loss: u64,
    duplicate: u64,
    corrupt: u64,
    delay: u64,
    jitter: u64,
    /// Packets of ours that are longer do not pass, and we are told.
    mtu: usize,
}

/// A packet on its way to us, or to the judge.
type Flight = (bool, Vec<u8>);

/// Both ends and the link between them.
struct Life {
    now: u64,
    chance: Chance,
    link: Link,
    flights: BTreeMap<(u64, u64), Flight>,
    count: u64,
    config: Config,
    tcb: Option<Tcb>,
    wait: Option<TimeWait>,
    listen: Listen<u8>,
    total: usize,
    sent: usize,
    received: usize,
    judge: Judge,
}

fn config(chance: &mut Chance) -> Config {
    let mut buffer = || {
        let initial = 4096 << chance.below(6);
        BufferSize { initial, max: initial << chance.below(4) }
    };
    let (receive_buffer, send_buffer) = (buffer(), buffer());
    Config {
        mss: 1460 - chance.below(900) as u16,
        receive_buffer,
        send_buffer,
        congestion: if chance.per_mille(500) { Algorithm::Reno } else { Algorithm::Cubic },
        window_scaling: chance.per_mille(700),
        timestamps: chance.per_mille(500),
        sack: chance.per_mille(700),
        nodelay: chance.per_mille(300),
        // So that chance alone does not end the handshake.
        syn_retries: 30,
        ..Config::default()
    }
}

fn setup(chance: &mut Chance) -> Setup {
    let congestion = [CongestionControl::None, CongestionControl::Reno, CongestionControl::Cubic];
    Setup {
        mtu: 1500 - chance.below(900) as usize,
        receive_buffer: 2000 + chance.below(100_000) as usize,
        send_buffer: 500 + chance.below(60_000) as usize,
        congestion: congestion[chance.below(3) as usize],
        timestamps: chance.per_mille(500),
        nagle: chance.per_mille(500),
        total: chance.below(60_000) as usize,
    }
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let now = 100 * SECOND;
        let config = config(&mut chance);
        let bad = chance.below(4) * 30;
        let link = Link {
            loss: chance.below(bad + 1),
            duplicate: chance.below(bad + 1),
            corrupt: chance.below(bad + 1),
            delay: chance.below(50) * MS,
            jitter: chance.below(20) * MS,
            mtu: 1500,
        };
        let judge = Judge::new(now, &setup(&mut chance));
        let listen = Listen::new(config, ListenConfig { retries: 30, ..ListenConfig::default() }, SECRET);
        let (tcb, wait, flights) = (None, None, BTreeMap::new());
        let total = chance.below(60_000) as usize;
        Self { now, chance, link, flights, count: 0, config, tcb, wait, listen, total, sent: 0, received: 0, judge }
    }

    /// One of the ends opens.
    fn open(&mut self) {
        if self.chance.per_mille(500) {
            self.judge.listen();
            let iss = self.chance.next() as u32;
            self.tcb = Some(Tcb::connect(self.now, iss, 0, &self.config));
        } else {
            self.judge.connect();
        }
    }

    fn put(&mut self, to_judge: bool, packet: Vec<u8>) {
        if self.chance.per_mille(self.link.loss) {
            return;
        }
        for _ in 0..1 + usize::from(self.chance.per_mille(self.link.duplicate)) {
            let mut packet = packet.clone();
            if self.chance.per_mille(self.link.corrupt) {
                let bit = self.chance.below(8 * packet.len() as u64) as usize;
                packet[bit / 8] ^= 1 << (bit % 8);
            }
            let at = self.now + self.link.delay + self.chance.below(self.link.jitter);
            self.count += 1;
            self.flights.insert((at, self.count), (to_judge, packet));
        }
    }

    fn reply(&mut self, segment: &Segment) {
        self.put(true, wire::packet(segment, &[]));
    }

    /// What we have to send goes onto the link.
    fn output(&mut self) {
        while let Some(tcb) = &mut self.tcb
            && let Some(outgoing) = tcb.transmit(self.now, 0)
        {
            let (first, second) = tcb.payload(&outgoing);
            let packet = wire::packet(&outgoing.segment, &[first, second].concat());
            if packet.len() > self.link.mtu {
                // The answer is an ICMP message, at once (RFC 1191 §4).
                tcb.on_mtu(self.link.mtu as u16 - 40);
                continue;
            }
            self.put(true, packet);
        }
    }

    fn arrive(&mut self, packet: &[u8]) {
        let Some((segment, payload)) = wire::segment(packet) else { return };
        let lives = self.tcb.as_ref().is_some_and(|tcb| !matches!(tcb.state(), State::Closed));
        if lives {
            self.deliver(&segment, &payload);
        } else if let Some(wait) = &mut self.wait {
            if let Verdict::Reply(reply) = wait.on_segment(self.now, &segment) {
                self.reply(&reply);
            }
        } else if self.tcb.is_some() {
            if let Some(reply) = reply_to_closed(&segment) {
                self.reply(&reply);
            }
        } else {
            let origin = Origin { connection: &[1], addresses: &[1], sequence: None };
            match self.listen.on_segment(self.now, 1, &origin, &segment) {
                Answer::Ignore => {}
                Answer::Reply(reply) => self.reply(&reply),
                Answer::Accept(accepted) => {
                    self.tcb = Some(Tcb::accepted(self.now, &accepted, &self.config));
                    self.deliver(&segment, &payload);
                }
            }
        }
    }

    fn deliver(&mut self, segment: &Segment, payload: &[u8]) {
        let Some(tcb) = &mut self.tcb else { return };
        tcb.on_segment(self.now, segment, &mut &payload[..]);
        self.wait = tcb.take_time_wait().or(self.wait.take());
    }

    /// The applications do something, sometimes, and what happens to links happens.
    fn act(&mut self) {
        let (now, chance) = (self.now, &mut self.chance);
        let most = 1 + chance.below(9000) as usize;
        if chance.per_mille(500) {
            self.judge.write(most);
        }
        if chance.per_mille(500) {
            self.judge.read(most);
        }
        if chance.per_mille(10) {
            self.link.mtu = 400 + chance.below(1101) as usize;
        }
        if chance.per_mille(2) {
            self.now += chance.below(3) * SECOND;
        }
        let Some(tcb) = &mut self.tcb else { return };
        if chance.per_mille(500) && self.sent < self.total {
            let (mut at, end) = (self.sent, self.total.min(self.sent + most));
            let _ = tcb.send(now, SendFlags::empty(), &mut |into| {
                let len = into.len().min(end - at);
                into[..len].iter_mut().zip(at..).for_each(|(byte, at)| *byte = pattern(at));
                at += len;
                len
            });
            self.sent = at;
        }
        if self.sent == self.total && tcb.state().may_send() {
            tcb.shutdown_send();
        }
        if chance.per_mille(500) {
            let (mut left, received) = (most, &mut self.received);
            tcb.receive(now, &mut |bytes| {
                let len = bytes.len().min(left);
                let wrong = bytes[..len].iter().zip(*received..).find(|(byte, at)| **byte != pattern(*at));
                assert_eq!(wrong, None, "a byte changed");
                *received += len;
                left -= len;
                len
            });
        }
    }

    /// Time passes up to the next thing that happens, but not far: the applications want to act.
    fn step(&mut self) {
        let arrival = self.flights.first_key_value().map_or(u64::MAX, |(key, _)| key.0);
        let ours = self.tcb.as_ref().map_or(u64::MAX, Tcb::deadline).min(self.listen.deadline());
        let next = arrival.min(ours).min(self.judge.deadline(self.now));
        self.now = next.clamp(self.now + MS / 10, self.now + 200 * MS);
        while let Some(entry) = self.flights.first_entry().filter(|entry| entry.key().0 <= self.now) {
            match entry.remove() {
                (true, packet) => self.judge.receive(packet),
                (false, packet) => self.arrive(&packet),
            }
        }
        if let Some(tcb) = &mut self.tcb {
            tcb.on_timer(self.now);
        }
        while let Some((_, segment)) = self.listen.on_timer(self.now) {
            self.reply(&segment);
        }
        self.act();
        self.output();
        for packet in self.judge.poll(self.now) {
            self.put(false, packet);
        }
    }

    fn is_over(&mut self) -> bool {
        let closed = self.tcb.as_ref().is_some_and(|tcb| matches!(tcb.state(), State::Closed) && tcb.readable() == 0);
        closed && self.judge.is_over()
    }

    fn describe(&self) -> String {
        let ours = self.tcb.as_ref().map(|tcb| (tcb.state().name(), tcb.info(self.now)));
        let (sent, total, received) = (self.sent, self.total, self.received);
        format!("ours: {ours:#?}, {sent} of {total} written, {received} read\n{}", self.judge.describe())
    }
}

#[test]
fn every_byte_arrives_and_both_ends_close() {
    let (from, to) = seeds(200);
    for seed in from..to {
        println!("RKT_SEEDS={seed}..{}", seed + 1);
        let mut life = Life::new(seed);
        let judge_total = life.judge.total();
        life.open();
        let end = life.now + 3600 * SECOND;
        while !life.is_over() {
            life.step();
            assert!(life.now < end, "it stalls: {}", life.describe());
        }
        let error = life.tcb.as_mut().and_then(Tcb::take_error);
        assert_eq!((error, life.received), (None, judge_total), "{}", life.describe());
        // What the judge has not read yet is in its buffer.
        life.judge.read(100_000);
        assert_eq!(life.judge.received, life.total, "{}", life.describe());
    }
}
