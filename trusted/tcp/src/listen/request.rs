//! A connection that is half open, and what it becomes.

use super::Answer;
use crate::config::{Config, MILLISECOND};
use crate::segment::{Flags, Segment, Timestamps};
use crate::timewait::ANSWER_INTERVAL;
use crate::tuning::window_of;

/// A connection that is complete. [`crate::Tcb::accepted`] makes it one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Our initial sequence number.
    pub iss: u32,
    /// The peer's.
    pub irs: u32,
    /// The peer's maximum segment size.
    pub mss: u16,
    /// The peer's window shift, if it offered scaling and we answered.
    pub window_scale: Option<u8>,
    /// Both sides speak SACK.
    pub sack: bool,
    /// Both sides speak ECN.
    pub ecn: bool,
    /// The peer's last timestamp, if both sides use them.
    pub recent: Option<u32>,
    /// What we add to the clock.
    pub timestamp_offset: u32,
    /// The peer's window, in bytes.
    pub window: u64,
    /// The handshake's round trip in ns, if it can be told.
    pub rtt: Option<u64>,
    /// Our SYN-ACK had to be sent again, more than once.
    pub retransmitted: bool,
}

/// A half-open connection.
pub(super) struct Request {
    pub(super) accepted: Accepted,
    pub(super) created: u64,
    pub(super) sent: u64,
    pub(super) deadline: u64,
    pub(super) retries: u8,
    /// The peer has our SYN-ACK, but the connection is deferred until it sends data.
    pub(super) acknowledged: bool,
}

impl Request {
    pub(super) fn answer_again(&mut self, now: u64, config: &Config) -> Answer {
        if now.saturating_sub(self.sent) < ANSWER_INTERVAL {
            return Answer::Ignore;
        }
        self.sent = now;
        Answer::Reply(syn_ack(config, &self.accepted, clock(now)))
    }

    /// Tells the peer where we are (RFC 9293 §3.10.7.4, RFC 5961 §4.2).
    pub(super) fn challenge(&mut self, now: u64, config: &Config) -> Answer {
        if now.saturating_sub(self.sent) < ANSWER_INTERVAL {
            return Answer::Ignore;
        }
        self.sent = now;
        let answer = syn_ack(config, &self.accepted, clock(now));
        let window =
            if self.accepted.window_scale.is_some() { answer.window >> config.window_scale() } else { answer.window };
        let (seq, ack, timestamps) = (answer.seq.wrapping_add(1), answer.ack, answer.timestamps);
        Answer::Reply(Segment { seq, ack, window, timestamps, ..Segment::default() })
    }
}

/// The clock of timestamps, without offset.
pub(super) fn clock(now: u64) -> u32 {
    (now / MILLISECOND) as u32
}

/// The window of a SYN-ACK.
pub(super) fn first_window(config: &Config) -> u16 {
    window_of(config.receive_buffer.initial).min(u16::MAX.into()) as u16
}

/// `clock` is our timestamp, without offset.
pub(super) fn syn_ack(config: &Config, accepted: &Accepted, clock: u32) -> Segment {
    let value = clock.wrapping_add(accepted.timestamp_offset);
    Segment {
        seq: accepted.iss,
        ack: Some(accepted.irs.wrapping_add(1)),
        window: first_window(config),
        flags: if accepted.ecn { Flags::SYN | Flags::ECE } else { Flags::SYN },
        mss: Some(config.mss),
        window_scale: accepted.window_scale.map(|_| config.window_scale()),
        sack_permitted: accepted.sack,
        timestamps: accepted.recent.map(|echo| Timestamps { value, echo }),
        ..Segment::default()
    }
}
