//! Two ends and a link between them, in memory and deterministic: time is a number, chance is a seed.
#![allow(dead_code, reason = "each test takes what it needs")]

pub mod peer;

use rkt_tcp::{
    Accepted, Answer, Changes, Config, Flags, Listen, ListenConfig, Origin, Outgoing, Secret, Segment, SendError,
    SendFlags, Tcb, Verdict, reply_to_closed,
};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub const MS: u64 = 1_000_000;
pub const SECOND: u64 = 1000 * MS;
pub const SECRET: Secret = Secret { sequence: [1, 2], timestamps: [3, 4], cookies: [5, 6] };

/// xorshift64*: enough chance for a link.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { (self.next() >> 11) % bound }
    }

    pub fn per_mille(&mut self, share: u64) -> bool {
        self.below(1000) < share
    }
}

/// What a link does to segments.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub delay: u64,
    pub jitter: u64,
    /// Losses, duplications and corruptions of a thousand.
    pub loss: u64,
    pub duplicate: u64,
    pub corrupt: u64,
    /// Bytes per second, zero for no limit, and how many wait at most.
    pub rate: u64,
    pub queue: u64,
}

impl Link {
    pub const CLEAN: Self = Self { delay: 5 * MS, jitter: 0, loss: 0, duplicate: 0, corrupt: 0, rate: 0, queue: 0 };
}

/// A segment on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub segment: Segment,
    pub payload: Vec<u8>,
    pub corrupt: bool,
}

struct Wire(Vec<u8>, bool);

impl rkt_tcp::Payload for Wire {
    fn copy_to(&mut self, offset: usize, into: &mut [u8]) -> bool {
        let bytes = &self.0[offset..][..into.len()];
        into.copy_from_slice(bytes);
        if self.1 {
            into[0] ^= 0x55;
        }
        true
    }

    fn verify(&mut self) -> bool {
        !self.1
    }
}

/// One end.
pub struct End {
    pub tcb: Option<Tcb>,
    pub wait: Option<rkt_tcp::TimeWait>,
    pub listen: Option<Listen<u8>>,
    pub config: Config,
    pub changes: Changes,
    /// GSO limit.
    pub row: usize,
    /// What was received.
    pub received: Vec<u8>,
    /// The application reads by itself.
    pub reads: bool,
}

impl End {
    fn new(config: Config) -> Self {
        let changes = Changes::empty();
        Self { tcb: None, wait: None, listen: None, config, changes, row: 0, received: Vec::new(), reads: true }
    }

    pub fn tcb(&mut self) -> &mut Tcb {
        self.tcb.as_mut().expect("there is a connection")
    }
}

/// Both ends, the link, the clock.
pub struct World {
    pub now: u64,
    pub ends: [End; 2],
    pub links: [Link; 2],
    pub chance: Chance,
    in_flight: BinaryHeap<Reverse<(u64, u64, usize)>>,
    packets: Vec<Option<Packet>>,
    busy_until: [u64; 2],
    /// Everything that was sent: when, by whom, what.
    pub log: Vec<(u64, usize, Segment)>,
    pub keeps_log: bool,
}

impl World {
    pub fn new(seed: u64, link: Link, configs: [Config; 2]) -> Self {
        Self {
            now: 10 * SECOND,
            ends: configs.map(End::new),
            links: [link; 2],
            chance: Chance::new(seed),
            in_flight: BinaryHeap::new(),
            packets: Vec::new(),
            busy_until: [0; 2],
            log: Vec::new(),
            keeps_log: false,
        }
    }

    /// End 1 listens.
    pub fn listen(&mut self, listen: ListenConfig) {
        let end = &mut self.ends[1];
        end.listen = Some(Listen::new(end.config, listen, SECRET));
    }

    /// End `who` opens actively.
    pub fn connect(&mut self, who: usize) {
        let end = &mut self.ends[who];
        let iss = self.chance.next() as u32;
        end.tcb = Some(Tcb::connect(self.now, iss, self.chance.next() as u32, &end.config));
        self.output(who);
    }

    /// Two ends that are connected.
    pub fn connected(seed: u64, link: Link, configs: [Config; 2]) -> Self {
        let mut world = Self::new(seed, link, configs);
        world.listen(ListenConfig::default());
        world.connect(0);
        world
            .run_until(|world| world.ends.iter().all(|end| end.tcb.as_ref().is_some_and(|tcb| tcb.state().may_send())));
        world
    }

    /// What end `who` has to send goes onto the link.
    pub fn output(&mut self, who: usize) {
        while let Some((outgoing, payload)) = self.take(who) {
            for packet in cut(outgoing, payload) {
                self.put(who, packet);
            }
        }
    }

    fn take(&mut self, who: usize) -> Option<(Outgoing, Vec<u8>)> {
        let end = &mut self.ends[who];
        let tcb = end.tcb.as_mut()?;
        let outgoing = tcb.transmit(self.now, end.row)?;
        let (first, second) = tcb.payload(&outgoing);
        let payload = [first, second].concat();
        assert_eq!(payload.len(), outgoing.segment.len as usize, "the payload is in the buffer: {outgoing:?}");
        Some((outgoing, payload))
    }

    /// A packet goes onto the link that leaves `who`.
    pub fn put(&mut self, who: usize, packet: Packet) {
        if self.keeps_log {
            self.log.push((self.now, who, packet.segment.clone()));
        }
        let link = self.links[who];
        if self.chance.per_mille(link.loss) {
            return;
        }
        let mut at = self.now;
        if link.rate > 0 {
            let size = packet.payload.len() as u64 + 54;
            let backlog = self.busy_until[who].saturating_sub(at) * link.rate / SECOND;
            if backlog + size > link.queue {
                return;
            }
            self.busy_until[who] = self.busy_until[who].max(at) + size * SECOND / link.rate;
            at = self.busy_until[who];
        }
        let copies = 1 + usize::from(self.chance.per_mille(link.duplicate));
        for _ in 0..copies {
            let corrupt = self.chance.per_mille(link.corrupt);
            let at = at + link.delay + self.chance.below(link.jitter);
            let id = self.packets.len() as u64;
            self.packets.push(Some(Packet { corrupt, ..packet.clone() }));
            self.in_flight.push(Reverse((at, id, 1 - who)));
        }
    }

    /// The next thing that happens. False: nothing will.
    pub fn step(&mut self) -> bool {
        let arrival = self.in_flight.peek().map_or(u64::MAX, |next| next.0.0);
        let timers = [0, 1].map(|who| self.deadline(who));
        let next = arrival.min(timers[0]).min(timers[1]);
        if next == u64::MAX {
            return false;
        }
        self.now = self.now.max(next);
        if arrival <= self.now {
            let Some(Reverse((_, id, to))) = self.in_flight.pop() else { return false };
            if let Some(packet) = self.packets[id as usize].take() {
                self.arrive(to, packet);
            }
        }
        for who in [0, 1] {
            self.expire(who);
        }
        true
    }

    fn deadline(&self, who: usize) -> u64 {
        let end = &self.ends[who];
        let tcb = end.tcb.as_ref().map_or(u64::MAX, Tcb::deadline);
        let listen = end.listen.as_ref().map_or(u64::MAX, Listen::deadline);
        let wait = end.wait.as_ref().map_or(u64::MAX, |wait| wait.deadline());
        tcb.min(listen).min(wait)
    }

    fn expire(&mut self, who: usize) {
        let now = self.now;
        let end = &mut self.ends[who];
        if let Some(tcb) = &mut end.tcb
            && tcb.deadline() <= now
        {
            end.changes |= tcb.on_timer(now);
            assert!(tcb.deadline() > now, "a timer that expired is gone: {:?}", tcb.state());
        }
        end.wait.take_if(|wait| wait.deadline() <= now);
        while let Some((_, segment)) = self.ends[who].listen.as_mut().and_then(|listen| listen.on_timer(now)) {
            self.put(who, Packet { segment, payload: Vec::new(), corrupt: false });
        }
        self.output(who);
    }

    fn arrive(&mut self, who: usize, packet: Packet) {
        let now = self.now;
        let end = &mut self.ends[who];
        let mut reply = None;
        if end.tcb.as_ref().is_some_and(|tcb| !matches!(tcb.state(), rkt_tcp::State::Closed)) {
            self.deliver(who, packet);
        } else if packet.corrupt {
            return;
        } else if let Some(wait) = &mut end.wait {
            match wait.on_segment(now, &packet.segment) {
                Verdict::Reply(segment) => reply = Some(segment),
                Verdict::Closed => end.wait = None,
                Verdict::Drop | Verdict::Reuse(_) => {}
            }
        } else if let Some(listen) = &mut end.listen {
            let origin = Origin { connection: &[7], addresses: &[7], sequence: None };
            match listen.on_segment(now, 0, &origin, &packet.segment) {
                Answer::Ignore => {}
                Answer::Reply(segment) => reply = Some(segment),
                Answer::Accept(accepted) => self.accept(who, &accepted, packet),
            }
        } else {
            reply = reply_to_closed(&packet.segment);
        }
        if let Some(segment) = reply {
            self.put(who, Packet { segment, payload: Vec::new(), corrupt: false });
        }
    }

    fn accept(&mut self, who: usize, accepted: &Accepted, packet: Packet) {
        let end = &mut self.ends[who];
        end.tcb = Some(Tcb::accepted(self.now, accepted, &end.config));
        self.deliver(who, packet);
    }

    fn deliver(&mut self, who: usize, packet: Packet) {
        let now = self.now;
        let end = &mut self.ends[who];
        let Some(tcb) = &mut end.tcb else { return };
        let mut wire = Wire(packet.payload, packet.corrupt);
        end.changes |= tcb.on_segment(now, &packet.segment, &mut wire);
        if end.reads {
            self.read(who, usize::MAX);
        }
        let end = &mut self.ends[who];
        if let Some(wait) = end.tcb().take_time_wait() {
            end.wait = Some(wait);
        }
        self.output(who);
    }

    /// The application reads at most `most` bytes.
    pub fn read(&mut self, who: usize, most: usize) {
        let end = &mut self.ends[who];
        let Some(tcb) = &mut end.tcb else { return };
        let received = &mut end.received;
        let mut left = most;
        tcb.receive(self.now, &mut |bytes| {
            let taken = bytes.len().min(left);
            left -= taken;
            received.extend_from_slice(&bytes[..taken]);
            taken
        });
    }

    /// The application writes what fits of `bytes`; says how much that was.
    pub fn write(&mut self, who: usize, bytes: &[u8], flags: SendFlags) -> usize {
        let mut left = bytes;
        let result = self.ends[who].tcb().send(self.now, flags, &mut |into| {
            let len = into.len().min(left.len());
            into[..len].copy_from_slice(&left[..len]);
            left = &left[len..];
            len
        });
        self.output(who);
        match result {
            Ok(taken) => taken,
            Err(SendError::WouldBlock) => 0,
            Err(error) => panic!("cannot write: {error:?}"),
        }
    }

    /// Runs until `done`, which plays the applications, says so. Panics if nothing happens any more, or too
    /// much.
    pub fn run_until(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        let mut idle = 0;
        for _ in 0..5_000_000 {
            if done(self) {
                return;
            }
            idle = if self.step() { 0 } else { idle + 1 };
            assert!(idle < 1000, "nothing happens any more: {}", self.describe());
            self.now += if idle > 0 { MS } else { 0 };
        }
        panic!("no end: {}", self.describe());
    }

    /// Runs for `time` ns.
    pub fn run_for(&mut self, time: u64) {
        let until = self.now + time;
        while self.in_flight.peek().map_or(u64::MAX, |next| next.0.0).min(self.deadline(0)).min(self.deadline(1))
            <= until
        {
            self.step();
        }
        self.now = until;
    }

    /// Sends `total` bytes from `who` to the other end and checks them there.
    pub fn transfer(&mut self, who: usize, total: usize) {
        let start = self.ends[1 - who].received.len();
        let mut sent = 0;
        self.run_until(|world| {
            while sent < total {
                let piece: Vec<u8> = (sent..total.min(sent + 65536)).map(pattern).collect();
                match world.write(who, &piece, SendFlags::empty()) {
                    0 => break,
                    taken => sent += taken,
                }
            }
            world.ends[1 - who].received.len() >= start + total
        });
        let received = &self.ends[1 - who].received[start..];
        assert_eq!(received.len(), total);
        let wrong = received.iter().enumerate().find(|(index, byte)| **byte != pattern(*index));
        assert_eq!(wrong, None, "a byte changed");
    }

    pub fn describe(&self) -> String {
        let end = |end: &End| match &end.tcb {
            Some(tcb) => format!("{} {:#?}", tcb.state().name(), tcb.info(self.now)),
            None => "none".into(),
        };
        format!("now {}\n{}\n{}", self.now, end(&self.ends[0]), end(&self.ends[1]))
    }
}

/// The byte at `index` of a transfer.
pub fn pattern(index: usize) -> u8 {
    (index as u32).wrapping_mul(0x9e37_79b1).to_be_bytes()[0]
}

/// Cuts a row as a device does.
fn cut(outgoing: Outgoing, payload: Vec<u8>) -> Vec<Packet> {
    let size = usize::from(outgoing.segment_size).max(1);
    if payload.len() <= size {
        return vec![Packet { segment: outgoing.segment, payload, corrupt: false }];
    }
    let count = payload.len().div_ceil(size);
    let cut = |(index, piece): (usize, &[u8])| {
        let mut segment = outgoing.segment.clone();
        segment.seq = segment.seq.wrapping_add((index * size) as u32);
        segment.len = piece.len() as u32;
        if index + 1 < count {
            segment.flags -= Flags::FIN | Flags::PSH;
        }
        Packet { segment, payload: piece.to_vec(), corrupt: false }
    };
    payload.chunks(size).enumerate().map(cut).collect()
}

/// The seeds to run: `RKT_SEEDS=from..to`, or the first `count`.
pub fn seeds(count: u64) -> (u64, u64) {
    let Ok(range) = std::env::var("RKT_SEEDS") else { return (0, count) };
    let parse = |text: &str| text.parse().expect("RKT_SEEDS=from..to");
    range.split_once("..").map(|(from, to)| (parse(from), parse(to))).expect("RKT_SEEDS=from..to")
}
