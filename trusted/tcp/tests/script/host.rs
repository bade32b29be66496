//! One host: a listener, connections, what is left of them, and the segments that it sends.

use crate::common::{SECOND, SECRET};
use rkt_tcp::{
    Answer, Config, Flags, Listen, ListenConfig, Origin, Segment, State, Tcb, TimeWait, Verdict, initial_sequence,
    reply_to_closed, timestamp_offset,
};
use std::collections::{BTreeMap, VecDeque};

/// When scripts begin.
pub const START: u64 = 1000 * SECOND;
/// The peers' sequence number zero: it turns over soon.
pub const IRS: u32 = 0xffff_f000;

/// The byte at a relative sequence number of any stream.
pub fn byte_at(seq: u32) -> u8 {
    crate::common::pattern(seq as usize)
}

/// A connection and who it belongs to.
pub struct Connection {
    pub peer: u8,
    pub tcb: Tcb,
    /// Relative number of the next byte that the application writes, and reads.
    pub written: u32,
    pub read: u32,
    /// `SO_LINGER` with zero seconds.
    pub resets: bool,
    /// `SO_OOBINLINE`.
    pub inline: bool,
}

/// What was sent: when, to whom, what.
pub type Sent = (u64, u8, Segment, Vec<u8>);

pub struct Host {
    pub now: u64,
    pub config: Config,
    pub listening: ListenConfig,
    pub listen: Option<Listen<u8>>,
    /// By file descriptor; those that wait for `accept` have none.
    pub descriptors: BTreeMap<u32, usize>,
    pub connections: Vec<Connection>,
    pub accepted: VecDeque<usize>,
    pub waits: BTreeMap<u8, TimeWait>,
    pub sent: VecDeque<Sent>,
    /// Our sequence number zero, as each peer saw it.
    bases: BTreeMap<u8, u32>,
    /// What a device takes as one row.
    pub row: usize,
}

impl Host {
    pub fn new() -> Self {
        Self {
            now: START,
            config: Config::default(),
            listening: ListenConfig::default(),
            listen: None,
            descriptors: BTreeMap::new(),
            connections: Vec::new(),
            accepted: VecDeque::new(),
            waits: BTreeMap::new(),
            sent: VecDeque::new(),
            bases: BTreeMap::new(),
            row: 0,
        }
    }

    pub fn base(&self, peer: u8) -> u32 {
        self.bases.get(&peer).copied().unwrap_or(0)
    }

    /// Our timestamps count the script's milliseconds.
    pub fn stamp_base(&self, peer: u8) -> u32 {
        let offset = timestamp_offset(SECRET.timestamps, &[peer.into()]);
        offset.wrapping_add((START / crate::common::MS) as u32)
    }

    /// An active open to peer one. `None`: its port is in TIME-WAIT.
    pub fn connect(&mut self, config: &Config) -> Option<usize> {
        let peer = 1;
        let mut iss = initial_sequence(SECRET.sequence, &[peer.into()], self.now);
        if let Some(wait) = self.waits.get(&peer) {
            iss = wait.reusable(self.now)?.wrapping_add(1);
            self.waits.remove(&peer);
        }
        let tcb = Tcb::connect(self.now, iss, timestamp_offset(SECRET.timestamps, &[peer.into()]), config);
        Some(self.add(peer, tcb))
    }

    fn add(&mut self, peer: u8, tcb: Tcb) -> usize {
        self.connections.push(Connection {
            peer,
            tcb,
            written: 1,
            read: 1,
            resets: false,
            inline: self.config.urgent_inline,
        });
        self.connections.len() - 1
    }

    /// The connection with `peer` that is not over.
    pub fn live(&mut self, peer: u8) -> Option<usize> {
        let lives = |connection: &Connection| {
            connection.peer == peer && !matches!(connection.tcb.state(), State::Closed | State::TimeWait)
        };
        self.connections.iter().rposition(lives)
    }

    /// A segment arrives whose first byte has the relative number `seq`.
    pub fn receive(&mut self, peer: u8, segment: &Segment, seq: u32) {
        if let Some(index) = self.live(peer) {
            return self.deliver(index, segment, seq);
        }
        let mut sequence = None;
        if let Some(wait) = self.waits.get_mut(&peer) {
            match wait.on_segment(self.now, segment) {
                Verdict::Drop => return,
                Verdict::Reply(reply) => return self.put(peer, reply, Vec::new()),
                Verdict::Closed => {
                    self.waits.remove(&peer);
                    return;
                }
                Verdict::Reuse(above) => {
                    self.waits.remove(&peer);
                    sequence = Some(above);
                }
            }
        }
        let Some(listen) = &mut self.listen else {
            if let Some(reply) = reply_to_closed(segment) {
                self.put(peer, reply, Vec::new());
            }
            return;
        };
        let words = [peer.into()];
        let origin = Origin { connection: &words, addresses: &words, sequence };
        match listen.on_segment(self.now, peer, &origin, segment) {
            Answer::Ignore => {}
            Answer::Reply(reply) => self.put(peer, reply, Vec::new()),
            Answer::Accept(accepted) => {
                self.bases.insert(peer, accepted.iss);
                let index = self.add(peer, Tcb::accepted(self.now, &accepted, &self.config));
                self.accepted.push_back(index);
                self.deliver(index, segment, seq);
            }
        }
    }

    fn deliver(&mut self, index: usize, segment: &Segment, seq: u32) {
        let first = seq.wrapping_add(segment.has(Flags::SYN).into());
        let bytes: Vec<u8> = (0..segment.len).map(|offset| byte_at(first.wrapping_add(offset))).collect();
        self.connections[index].tcb.on_segment(self.now, segment, &mut &bytes[..]);
        self.settle(index);
    }

    /// Takes out what the connection has to send, and its TIME-WAIT.
    pub fn settle(&mut self, index: usize) {
        let peer = self.connections[index].peer;
        let tcb = &mut self.connections[index].tcb;
        let wait = tcb.take_time_wait();
        let mut sent = Vec::new();
        while let Some(outgoing) = tcb.transmit(self.now, self.row) {
            let (first, second) = tcb.payload(&outgoing);
            let payload = [first, second].concat();
            sent.push((outgoing.segment, payload));
        }
        if let Some(wait) = wait {
            self.waits.insert(peer, wait);
        }
        for (segment, payload) in sent {
            self.put(peer, segment, payload);
        }
    }

    fn put(&mut self, peer: u8, segment: Segment, payload: Vec<u8>) {
        if segment.has(Flags::SYN) {
            self.bases.insert(peer, segment.seq);
        }
        self.sent.push_back((self.now, peer, segment, payload));
    }

    /// An ICMP message that quotes our relative `seq`.
    pub fn unreachable(&mut self, peer: u8, kind: &str, mtu: u16, seq: u32) -> Result<(), String> {
        let (errno, hard) = match kind {
            "frag_needed" => (0, false),
            "net_unreachable" => (101, false),
            "host_unreachable" => (113, false),
            "protocol_unreachable" => (92, true),
            "port_unreachable" => (111, true),
            _ => return Err(format!("{kind} is no kind of unreachable")),
        };
        let seq = seq.wrapping_add(self.base(peer));
        let Some(index) = self.live(peer) else {
            if let Some(listen) = &mut self.listen {
                listen.on_unreachable(peer, seq);
            }
            return Ok(());
        };
        let tcb = &mut self.connections[index].tcb;
        if tcb.in_flight(seq) {
            if kind == "frag_needed" {
                tcb.on_mtu(mtu.saturating_sub(40));
            } else {
                tcb.on_unreachable(errno, hard);
            }
            self.settle(index);
        }
        Ok(())
    }

    /// Time passes up to `until`, and timers expire.
    pub fn advance(&mut self, until: u64) {
        while self.expire(until) {}
        self.now = self.now.max(until);
    }

    /// Time passes until something goes out, or up to `until`.
    pub fn advance_to_output(&mut self, until: u64) {
        while self.sent.is_empty() && self.expire(until) {}
        if self.sent.is_empty() {
            self.now = self.now.max(until);
        }
    }

    /// The next timer that expires not after `until`. False: there is none.
    fn expire(&mut self, until: u64) -> bool {
        let connections = self.connections.iter().map(|connection| connection.tcb.deadline());
        let waits = self.waits.values().map(TimeWait::deadline);
        let listen = self.listen.as_ref().map(Listen::deadline);
        let next = connections.chain(waits).chain(listen).min().unwrap_or(u64::MAX);
        if next > until {
            return false;
        }
        self.now = self.now.max(next);
        let now = self.now;
        for index in 0..self.connections.len() {
            if self.connections[index].tcb.deadline() <= now {
                self.connections[index].tcb.on_timer(now);
                self.settle(index);
            }
        }
        self.waits.retain(|_, wait| wait.deadline() > now);
        while let Some((peer, segment)) = self.listen.as_mut().and_then(|listen| listen.on_timer(now)) {
            self.put(peer, segment, Vec::new());
        }
        true
    }
}
