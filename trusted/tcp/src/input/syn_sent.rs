//! Segments that arrive in SYN-SENT (RFC 9293 §3.10.7.3).

use crate::receiver::Receiver;
use crate::segment::{Flags, Segment};
use crate::seq;
use crate::state::{Changes, Error, Opening, State};
use crate::tcb::Tcb;
use crate::timers::NEVER;

/// The segment size of a peer that names none (RFC 9293 §3.7.1).
pub(crate) const DEFAULT_MSS: u16 = 536;

impl Tcb {
    pub(super) fn on_syn_sent(&mut self, now: u64, segment: &Segment) -> Changes {
        let ack = segment.ack.map(|ack| seq::near(self.send.una, ack));
        // First, the acknowledgment.
        if let Some(ack) = ack
            && (ack != self.send.iss + 1 || self.send.nxt == self.send.iss)
        {
            if segment.has(Flags::RST) {
                return Changes::empty();
            }
            self.refuse(ack);
            return Changes::OUTPUT;
        }
        // Second, resets: only with an acknowledgment.
        if segment.has(Flags::RST) {
            return if ack.is_some() { self.end(Some(Error::Refused)) } else { Changes::empty() };
        }
        if !segment.has(Flags::SYN) {
            return Changes::empty();
        }
        // An echo of a timestamp that we did not send yet belongs to an old connection (RFC 7323 §3.2).
        if let Some(timestamps) = segment.timestamps
            && ack.is_some()
            && self.config.timestamps
            && seq::older(self.timestamp(now), timestamps.echo)
        {
            return Changes::empty();
        }
        self.recv = Receiver::new(now, &self.config, Some(segment.seq));
        let recent = segment.timestamps.map(|timestamps| timestamps.value);
        let mss = segment.mss.unwrap_or(DEFAULT_MSS);
        self.agree(now, mss, segment.window_scale, segment.sack_permitted, recent);
        self.recv.announce_first();
        // RFC 7323 §2.2: the window of a SYN is not scaled.
        self.send.wnd = segment.window.into();
        self.send.max_wnd = self.send.wnd;
        self.send.wl1 = self.recv.nxt - 1;
        self.send.wl2 = ack.unwrap_or(self.send.una);
        match ack {
            Some(ack) => self.on_syn_ack(now, ack),
            None => self.on_crossing_syn(now),
        }
    }

    fn on_syn_ack(&mut self, now: u64, ack: u64) -> Changes {
        let State::SynSent(opening) = &self.state else { return Changes::empty() };
        let (sent, retries) = (opening.sent, opening.retries);
        self.send.una = ack;
        self.complete(now, sent, retries);
        self.acks.due = true;
        Changes::CONNECTED | Changes::WRITABLE | Changes::OUTPUT
    }

    /// Both sides opened (RFC 9293 §3.5, figure 8): our SYN goes out again, with an acknowledgment.
    fn on_crossing_syn(&mut self, now: u64) -> Changes {
        self.state = State::SynReceived(Opening { started: Some(now), sent: now, retries: 0, due: true });
        self.rtt.reset_backoff();
        self.timers.retransmit = NEVER;
        Changes::OUTPUT
    }
}
