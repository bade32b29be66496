//! TIME-WAIT (RFC 9293 §3.6.1): old segments die out, in a few words of memory.

use crate::config::{MILLISECOND, SECOND};
use crate::receiver::Recent;
use crate::segment::{Flags, Segment, Timestamps};
use crate::seq;

/// 2 MSL as Linux has it (`TCP_TIMEWAIT_LEN`).
pub(crate) const DURATION: u64 = 60 * SECOND;
/// The least time between two answers to segments that do not fit (Linux's `tcp_invalid_ratelimit`).
pub(crate) const ANSWER_INTERVAL: u64 = 500 * MILLISECOND;

/// A connection in TIME-WAIT.
#[derive(Debug)]
pub struct TimeWait {
    /// SND.NXT.
    pub(crate) snd_nxt: u64,
    /// RCV.NXT.
    pub(crate) rcv_nxt: u64,
    /// The window field of the last segment.
    pub(crate) window: u16,
    /// What was promised.
    pub(crate) rcv_wnd: u64,
    /// TS.Recent and our offset, if timestamps are in use.
    pub(crate) timestamps: Option<(Recent, u32)>,
    pub(crate) deadline: u64,
    pub(crate) answered: Option<u64>,
}

/// What becomes of a segment for a connection in TIME-WAIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Drop it.
    Drop,
    /// Send this.
    Reply(Segment),
    /// The connection is over: forget it.
    Closed,
    /// A new connection may begin (RFC 6191 §2): forget this one and give the SYN to the listener. If there
    /// is none, the initial sequence number is to be above this.
    Reuse(u32),
}

impl TimeWait {
    pub(crate) fn start(&mut self, now: u64) {
        self.deadline = now.saturating_add(DURATION);
    }

    /// When it is over, in ns.
    pub fn deadline(&self) -> u64 {
        self.deadline
    }

    /// The engine has an active open from the same port: may it take the place? With timestamps after a
    /// second (RFC 6191 §3, Linux's `tcp_tw_reuse`). Returns a number that the initial sequence number is
    /// to be above.
    pub fn reusable(&self, now: u64) -> Option<u32> {
        let (recent, _) = self.timestamps?;
        (now.saturating_sub(recent.at) > SECOND).then(|| (self.snd_nxt as u32).wrapping_add(0xffff + 2))
    }

    /// A segment for this connection arrived (RFC 9293 §3.10.7.4, RFC 6191 §2, RFC 1337).
    pub fn on_segment(&mut self, now: u64, segment: &Segment) -> Verdict {
        let seq = seq::near(self.rcv_nxt, segment.seq);
        let end = seq + segment.sequence_len();
        let stamp = segment.timestamps.map(|timestamps| timestamps.value);
        let old = self.timestamps.is_some_and(|(recent, _)| stamp.is_some_and(|value| recent.outdates(value, now)));
        if segment.has(Flags::RST) {
            // RFC 1337: a reset must not shorten TIME-WAIT, unless it fits exactly.
            let fits = !old && seq == self.rcv_nxt;
            return if fits { Verdict::Closed } else { Verdict::Drop };
        }
        if segment.has(Flags::SYN) && segment.ack.is_none() && !old && self.is_newer(seq, stamp) {
            return Verdict::Reuse((self.snd_nxt as u32).wrapping_add(0xffff + 2));
        }
        let fits = !old && end >= self.rcv_nxt && seq <= self.rcv_nxt + self.rcv_wnd;
        if fits && !segment.has(Flags::SYN) {
            if let (Some((recent, _)), Some(value)) = (&mut self.timestamps, stamp)
                && seq <= self.rcv_nxt
            {
                *recent = Recent { value, at: now };
            }
            // Nothing but an acknowledgment: nothing to say.
            if segment.sequence_len() == 0 && seq == self.rcv_nxt {
                return Verdict::Drop;
            }
        }
        if segment.ack.is_none() && !segment.has(Flags::SYN) {
            return Verdict::Drop;
        }
        if segment.has(Flags::FIN) && !old {
            // Our last acknowledgment was lost: the wait starts again.
            self.start(now);
        }
        self.answer(now)
    }

    /// RFC 6191 §2: a SYN is new if its timestamp is, or, without timestamps, its number.
    fn is_newer(&self, seq: u64, stamp: Option<u32>) -> bool {
        let by_time = match (self.timestamps, stamp) {
            (Some((recent, _)), Some(value)) => seq::older(recent.value, value),
            _ => false,
        };
        by_time || seq > self.rcv_nxt
    }

    fn answer(&mut self, now: u64) -> Verdict {
        if self.answered.is_some_and(|last| now.saturating_sub(last) < ANSWER_INTERVAL) {
            return Verdict::Drop;
        }
        self.answered = Some(now);
        Verdict::Reply(self.acknowledgment(now))
    }

    /// The acknowledgment of everything.
    pub(crate) fn acknowledgment(&self, now: u64) -> Segment {
        let timestamps = self.timestamps.map(|(recent, offset)| {
            let value = ((now / MILLISECOND) as u32).wrapping_add(offset);
            Timestamps { value, echo: recent.value }
        });
        let (seq, ack) = (self.snd_nxt as u32, Some(self.rcv_nxt as u32));
        Segment { seq, ack, window: self.window, timestamps, ..Segment::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> TimeWait {
        let recent = Recent { value: 500, at: 0 };
        let (snd_nxt, rcv_nxt) = (seq::first(100), seq::first(200));
        let timestamps = Some((recent, 0));
        let mut wait = TimeWait { snd_nxt, rcv_nxt, window: 9, rcv_wnd: 1000, timestamps, deadline: 0, answered: None };
        wait.start(0);
        wait
    }

    fn segment(seq: u32, flags: Flags, stamp: u32) -> Segment {
        let timestamps = Some(Timestamps { value: stamp, echo: 0 });
        Segment { seq, ack: Some(100), flags, timestamps, ..Segment::default() }
    }

    #[test]
    fn a_repeated_fin_is_acknowledged_and_waits_again() {
        let mut wait = waiting();
        let Verdict::Reply(reply) = wait.on_segment(5 * SECOND, &segment(199, Flags::FIN, 501)) else { panic!() };
        assert_eq!((reply.seq, reply.ack), (100, Some(200)));
        assert_eq!(wait.deadline(), 65 * SECOND);
        assert_eq!(wait.on_segment(5 * SECOND + 1, &segment(199, Flags::FIN, 501)), Verdict::Drop, "not at any rate");
    }

    #[test]
    fn a_newer_syn_begins_anew() {
        let syn = |seq, stamp| Segment { ack: None, ..segment(seq, Flags::SYN, stamp) };
        assert!(matches!(waiting().on_segment(1, &syn(150, 501)), Verdict::Reuse(_)));
        assert!(matches!(waiting().on_segment(1, &syn(201, 500)), Verdict::Reuse(_)));
        assert!(matches!(waiting().on_segment(1, &syn(150, 500)), Verdict::Reply(_)));
        assert!(matches!(waiting().on_segment(1, &syn(201, 499)), Verdict::Reply(_)));
    }

    #[test]
    fn only_an_exact_reset_ends_it() {
        assert_eq!(waiting().on_segment(1, &segment(201, Flags::RST, 501)), Verdict::Drop);
        assert_eq!(waiting().on_segment(1, &segment(200, Flags::RST, 499)), Verdict::Drop);
        assert_eq!(waiting().on_segment(1, &segment(200, Flags::RST, 501)), Verdict::Closed);
    }
}
