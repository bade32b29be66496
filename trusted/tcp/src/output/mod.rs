//! Segments that are sent (RFC 9293 §3.7, §3.8.6).

mod data;
mod header;
mod resend;
mod timer;

use crate::segment::{Flags, Outgoing, Segment};
use crate::state::State;
use crate::tcb::{Parting, Tcb};

impl Tcb {
    /// The next segment to send; call until there is none, then look at [`Tcb::deadline`] again. `max_payload` is what the device takes as one
    /// row of segments (GSO), zero if it takes single segments only. The payload, if any, is to be copied
    /// ([`Tcb::payload`]) before the next call.
    pub fn transmit(&mut self, now: u64, max_payload: usize) -> Option<Outgoing> {
        let outgoing = self.next_segment(now, max_payload as u64)?;
        self.counters.segments_out = self.counters.segments_out.wrapping_add(1);
        Some(outgoing)
    }

    fn next_segment(&mut self, now: u64, max_payload: u64) -> Option<Outgoing> {
        if let Some(parting) = self.parting.take() {
            return Some(bare(self.farewell(now, parting)));
        }
        match &self.state {
            State::Closed | State::TimeWait => None,
            State::SynSent(_) | State::SynReceived(_) => self.transmit_syn(now),
            _ => {
                let data = self.resend(now, max_payload).or_else(|| self.transmit_data(now, max_payload));
                let data = data.or_else(|| self.probe_tail(now));
                data.or_else(|| self.transmit_probe(now)).or_else(|| self.transmit_acknowledgment(now))
            }
        }
    }

    /// Whether [`Tcb::transmit`] may have something; a cheap question, for after [`Tcb::receive`]. May say
    /// yes in vain, never no.
    pub fn wants_output(&self) -> bool {
        self.parting.is_some()
            || self.acks.due
            || self.probe_due
            || self.recovery.probe_due
            || self.send.nxt < self.send.end()
            || self.board.lost() > self.board.flying()
    }

    fn farewell(&mut self, now: u64, parting: Parting) -> Segment {
        match parting {
            Parting::Reset { seq, ack } => Segment { seq, ack, flags: Flags::RST, ..Segment::default() },
            Parting::Acknowledgment => self.header(now, self.send.bare_seq(), 0, Flags::empty()),
        }
    }

    /// The SYN, or the SYN-ACK of a simultaneous open.
    fn transmit_syn(&mut self, now: u64) -> Option<Outgoing> {
        let (State::SynSent(opening) | State::SynReceived(opening)) = &mut self.state else { return None };
        if !core::mem::take(&mut opening.due) {
            return None;
        }
        opening.started.get_or_insert(now);
        opening.sent = now;
        self.send.nxt = self.send.iss + 1;
        self.timers.retransmit = now.saturating_add(self.rtt.timeout());
        let segment = self.syn(now);
        Some(bare(segment))
    }

    /// A segment below the window makes the peer say where it is: keep-alive (RFC 1122 §4.2.3.6) and
    /// window probe (RFC 9293 §3.8.6.1), as Linux sends them.
    fn transmit_probe(&mut self, now: u64) -> Option<Outgoing> {
        if !core::mem::take(&mut self.probe_due) {
            return None;
        }
        let seq = self.send.una - 1;
        Some(bare(self.header(now, seq, 0, Flags::empty())))
    }

    fn transmit_acknowledgment(&mut self, now: u64) -> Option<Outgoing> {
        self.acks.due.then(|| bare(self.header(now, self.send.bare_seq(), 0, Flags::empty())))
    }
}

/// A segment without payload.
fn bare(segment: Segment) -> Outgoing {
    Outgoing { segment, offset: 0, segment_size: u16::MAX }
}
