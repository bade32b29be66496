//! A listener and a connection against a peer, a network and an application that bytes script: segments that are often nearly
//! right, calls, ICMP messages, timers. Memory stays within the buffers, and an answer to one segment is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_fuzz::Script;
use rkt_tcp::{
    Answer, BufferSize, Config, Flags, KeepAlive, Listen, ListenConfig, Origin, Secret, Segment, SendFlags, Setting,
    State, Tcb, TimeWait, Timestamps,
};

const SECRET: Secret = Secret { sequence: [1, 2], timestamps: [3, 4], cookies: [5, 6] };
const BUFFER: BufferSize = BufferSize { initial: 8192, max: 32768 };
/// Room of both rings, which are powers of two and hold at most the largest buffers.
const MEMORY: usize = 4 * 32768;
/// Segments that one event may cause: a window of the least ones.
const MOST: usize = 32768 / 36 + 64;

/// What the peer knows, so that it can be nearly right.
struct Peer {
    iss: u32,
    /// Our next sequence number and the last acknowledgment, as we said.
    next: u32,
    acked: u32,
    stamp: u32,
}

impl Peer {
    fn number(&self, script: &mut Script<'_>, base: u32) -> u32 {
        let [kind, high, low] = script.bytes();
        let offset = u32::from(u16::from_be_bytes([high, low]));
        match kind % 8 {
            0 => offset << 16 | offset,
            1 => base.wrapping_sub(offset),
            2 => base.wrapping_add(offset),
            _ => base.wrapping_add(offset % 3 * 500),
        }
    }

    fn segment(&mut self, script: &mut Script<'_>) -> Segment {
        let [kind, flags, window, len, options, scale] = script.bytes();
        let flags = if kind % 4 == 0 { Flags::from_bits_truncate(flags) } else { Flags::empty() };
        let seq = if kind % 16 == 1 { self.iss } else { self.number(script, self.acked) };
        let ack = self.number(script, self.next);
        self.stamp = self.stamp.wrapping_add(u32::from(scale));
        let stamps = Timestamps { value: self.stamp, echo: ack };
        let mut segment = Segment {
            seq,
            ack: (kind % 16 != 1).then_some(ack),
            window: u16::from(window) * 257,
            flags: if kind % 16 == 1 { Flags::SYN } else { flags },
            urgent: u16::from(scale),
            ecn: scale & 3,
            mss: (options & 1 != 0).then_some(u16::from(window) * 8),
            window_scale: (options & 2 != 0).then_some(scale),
            sack_permitted: options & 4 != 0,
            timestamps: (options & 8 != 0).then_some(stamps),
            len: u32::from(len) * if options & 16 != 0 { 255 } else { 4 },
            ..Segment::default()
        };
        for _ in 0..(options >> 5) % 5 {
            let start = self.number(script, ack);
            segment.sack.push((start, start.wrapping_add(u32::from(script.byte()) * 10)));
        }
        segment
    }
}

fn config(script: &mut Script<'_>) -> Config {
    let [bits, mss] = script.bytes();
    Config {
        mss: 88 + u16::from(mss) * 8,
        receive_buffer: BUFFER,
        send_buffer: BUFFER,
        timestamps: bits & 1 != 0,
        sack: bits & 2 != 0,
        window_scaling: bits & 4 != 0,
        nodelay: bits & 8 != 0,
        keepalive: (bits & 16 != 0).then(KeepAlive::default),
        user_timeout: (bits & 32 != 0).then_some(10_000_000_000),
        ..Config::default()
    }
}

/// What the application, the path or the system do.
fn call(script: &mut Script<'_>, tcb: &mut Tcb, now: u64) {
    let [what, high, low] = script.bytes();
    let number = u16::from_be_bytes([high, low]);
    match what % 16 {
        0..=4 => {
            let flags = SendFlags::from_bits_truncate(low);
            let mut left = usize::from(number);
            let _ = tcb.send(now, flags, &mut |into| {
                let len = into.len().min(left);
                left -= len;
                len
            });
        }
        5 => drop(tcb.peek(number.into(), &mut |bytes| bytes.len())),
        6..=7 => drop(tcb.receive(now, &mut |bytes| bytes.len().min(number.into()))),
        8 => drop(tcb.on_mtu(number)),
        9 => drop(tcb.shutdown_send()),
        10 => drop(tcb.close(now)),
        11 => drop(tcb.on_unreachable(113, low & 1 != 0)),
        12 => tcb.reclaim(),
        13 => drop(tcb.urgent(low & 1 != 0)),
        14 => drop(tcb.set(now, Setting::Cork(low & 1 != 0))),
        _ => drop(tcb.set(now, Setting::ReceiveBuffer(u32::from(number) % BUFFER.max))),
    }
}

/// Takes out what is to be sent.
fn drain(tcb: &mut Tcb, now: u64, row: usize, peer: &mut Peer) -> Option<TimeWait> {
    for count in 0.. {
        assert!(count < MOST, "too many segments at once");
        let Some(outgoing) = tcb.transmit(now, row) else { break };
        let (first, second) = tcb.payload(&outgoing);
        assert_eq!(first.len() + second.len(), outgoing.segment.len as usize);
        peer.next = outgoing.segment.seq.wrapping_add(outgoing.segment.sequence_len() as u32);
        peer.acked = outgoing.segment.ack.unwrap_or(peer.acked);
    }
    let info = tcb.info(now);
    assert!(info.sacked + info.lost <= info.unacked && info.retrans <= info.lost);
    assert!(tcb.memory() <= MEMORY, "{} bytes", tcb.memory());
    tcb.take_time_wait()
}

fuzz_target!(|data: &[u8]| {
    let mut script = Script(data);
    let config = config(&mut script);
    let [start, row] = script.bytes();
    let row = usize::from(row % 3) * 16_000;
    let mut now = 1_000_000_000;
    let mut peer = Peer { iss: 0xffff_ff00, next: 0, acked: 0xffff_ff01, stamp: 1 };
    let listening = ListenConfig { backlog: 2, ..ListenConfig::default() };
    let mut listen = Listen::new(config, listening, SECRET);
    let mut tcb = (start & 1 == 0).then(|| Tcb::connect(now, 0xffff_f000, 0, &config));
    let mut wait = None;
    while !script.is_over() {
        let what = script.byte();
        if what & 3 == 0 {
            now += script.span();
        }
        let lives = tcb.as_ref().is_some_and(|tcb| !matches!(tcb.state(), State::Closed));
        if what & 12 != 0 {
            let segment = peer.segment(&mut script);
            let payload = vec![what; segment.len as usize];
            if let Some(tcb) = tcb.as_mut().filter(|_| lives) {
                tcb.on_segment(now, &segment, &mut &payload[..]);
            } else if let Some(wait) = &mut wait {
                let wait: &mut TimeWait = wait;
                wait.on_segment(now, &segment);
            } else {
                let key = u32::from(what >> 4);
                let words = [key.into()];
                let origin = Origin { connection: &words, addresses: &words, sequence: None };
                match listen.on_segment(now, key, &origin, &segment) {
                    Answer::Ignore => {}
                    Answer::Reply(reply) => peer.next = reply.seq.wrapping_add(reply.sequence_len() as u32),
                    Answer::Accept(accepted) => {
                        listen.taken();
                        let mut made = Tcb::accepted(now, &accepted, &config);
                        made.on_segment(now, &segment, &mut &payload[..]);
                        tcb = Some(made);
                    }
                }
            }
        } else if let Some(tcb) = &mut tcb {
            call(&mut script, tcb, now);
        }
        while listen.on_timer(now).is_some() {}
        assert!(listen.half_open() <= 2 && listen.deadline() > now);
        if let Some(tcb) = &mut tcb {
            tcb.on_timer(now);
            assert!(tcb.deadline() > now, "a timer that expired is gone");
            wait = drain(tcb, now, row, &mut peer).or(wait);
        }
    }
});
