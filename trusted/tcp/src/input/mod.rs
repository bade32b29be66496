//! Segments that arrive (RFC 9293 §3.10.7).
//!
//! A segment is judged first, by its header alone and without changing anything; then its text is copied
//! to where it would be; then its checksum is asked for; and only then it changes the connection.

mod ack;
mod data;
mod loss;
mod syn_sent;

pub(crate) use syn_sent::DEFAULT_MSS;

use ack::News;

use crate::segment::{Flags, Payload, Segment};
use crate::state::{Changes, Error, State};
use crate::tcb::{Parting, Tcb};
use crate::timewait::{ANSWER_INTERVAL, Verdict};
use crate::{seq, timers};

/// What a segment for a synchronized connection deserves.
enum Judgment {
    /// Nothing.
    Drop,
    /// An acknowledgment that tells the peer where we are; at a limited rate.
    Challenge,
    /// It ends the connection.
    Reset,
    /// A reset from this sequence number.
    Refuse(u64),
    /// It is processed.
    Accept {
        /// SEG.ACK.
        ack: u64,
    },
}

/// The sequence space of a segment, in our numbers.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    /// Behind the text.
    text_end: u64,
    /// Behind everything.
    end: u64,
}

impl Tcb {
    /// A segment for this connection arrived.
    pub fn on_segment(&mut self, now: u64, segment: &Segment, payload: &mut dyn Payload) -> Changes {
        self.counters.segments_in = self.counters.segments_in.wrapping_add(1);
        match &mut self.state {
            State::Closed => Changes::empty(),
            State::SynSent(_) if payload.verify() => self.on_syn_sent(now, segment),
            State::SynSent(_) => Changes::empty(),
            State::TimeWait if payload.verify() => self.on_time_wait(now, segment),
            State::TimeWait => Changes::empty(),
            _ => self.on_synchronized(now, segment, payload),
        }
    }

    /// The engine has left the connection here although it is in TIME-WAIT.
    fn on_time_wait(&mut self, now: u64, segment: &Segment) -> Changes {
        let mut wait = self.time_wait();
        let verdict = wait.on_segment(now, segment);
        self.timers.close = wait.deadline();
        self.challenged = wait.answered;
        match verdict {
            Verdict::Closed | Verdict::Reuse(_) => self.end(None),
            Verdict::Drop => Changes::empty(),
            Verdict::Reply(_) => {
                self.parting = Some(Parting::Acknowledgment);
                Changes::OUTPUT
            }
        }
    }

    fn on_synchronized(&mut self, now: u64, segment: &Segment, payload: &mut dyn Payload) -> Changes {
        let start = self.near(segment.seq);
        let text_end = start + u64::from(segment.len);
        let span = Span { start, text_end, end: start + segment.sequence_len() };
        let judgment = self.judge(now, segment, span);
        let Judgment::Accept { ack } = judgment else {
            return if payload.verify() { self.dismiss(now, judgment, segment, span) } else { Changes::empty() };
        };
        let fin = segment.has(Flags::FIN);
        let placed = if segment.len > 0 || fin {
            match self.recv.copy(span.start, span.text_end, fin, payload) {
                Some(placed) => placed,
                None => return Changes::empty(),
            }
        } else {
            None
        };
        if !payload.verify() {
            return Changes::empty();
        }
        self.hear(now);
        self.note_timestamp(now, segment, span);
        let mut changes = self.on_acknowledgment(now, segment, span, ack);
        if segment.has(Flags::URG) {
            changes |= self.on_urgent(span.start, segment.urgent);
        }
        if span.end > span.start {
            changes |= self.on_text(now, segment, span, placed);
        }
        if matches!(self.state, State::Closed) { changes } else { changes | self.output_if_due(now) }
    }

    /// RFC 9293 §3.10.7.4, steps one to five, as far as they look at the header only.
    fn judge(&self, now: u64, segment: &Segment, span: Span) -> Judgment {
        let reset = segment.has(Flags::RST);
        // RFC 7323 §5.3 R1, and §3.2: once agreed, every segment but a reset has a timestamp.
        if self.options.timestamps && !reset {
            match segment.timestamps {
                None => return Judgment::Drop,
                Some(timestamps) if self.recv.recent.outdates(timestamps.value, now) => return Judgment::Challenge,
                Some(_) => {}
            }
        }
        // The window, with what was acknowledged late still in it (as in Linux).
        let fits = span.end >= self.recv.acked && span.start <= self.recv.edge.max(self.recv.nxt);
        if reset {
            // RFC 5961 §3.2: only a reset at exactly RCV.NXT is believed.
            return match fits {
                true if span.start == self.recv.nxt => Judgment::Reset,
                true => Judgment::Challenge,
                false => Judgment::Drop,
            };
        }
        // The SYN-ACK of the peer that opened at the same time (figure 8 of RFC 9293 §3.5).
        let crossed = matches!(self.state, State::SynReceived(_))
            && segment.has(Flags::SYN)
            && span.end == self.recv.nxt
            && segment.ack == Some(self.send.nxt as u32);
        // RFC 5961 §4.2: a SYN never fits.
        if (!fits || segment.has(Flags::SYN)) && !crossed {
            return Judgment::Challenge;
        }
        let Some(ack) = segment.ack else { return Judgment::Drop };
        let ack = seq::near(self.send.una, ack);
        if matches!(self.state, State::SynReceived(_)) && !(self.send.una < ack && ack <= self.send.nxt) {
            return Judgment::Refuse(ack);
        }
        // RFC 5961 §5.2.
        if ack > self.send.nxt || ack + self.send.max_wnd < self.send.una {
            return Judgment::Challenge;
        }
        if self.orphan && self.state.may_receive() && span.text_end > self.recv.nxt {
            // RFC 9293 §3.6: nobody is there to read it.
            return Judgment::Refuse(ack);
        }
        Judgment::Accept { ack }
    }

    fn dismiss(&mut self, now: u64, judgment: Judgment, segment: &Segment, span: Span) -> Changes {
        match judgment {
            Judgment::Drop | Judgment::Accept { .. } => Changes::empty(),
            Judgment::Challenge => {
                if segment.len > 0 && span.end <= self.recv.nxt && self.options.sack {
                    self.recv.note_duplicate(span.start, span.text_end);
                }
                self.challenge(now, segment.len > 0 && !segment.has(Flags::SYN))
            }
            Judgment::Reset => {
                // RFC 9293 §3.10.7.4 step two.
                let error = match self.state {
                    State::SynReceived(_) => Some(Error::Refused),
                    State::CloseWait => Some(Error::Broken),
                    State::Closing | State::LastAck => None,
                    _ => Some(Error::Reset),
                };
                self.end(error)
            }
            Judgment::Refuse(seq) => {
                self.refuse(seq);
                let over = !matches!(self.state, State::SynReceived(_));
                if over { self.end(Some(Error::Reset)) | Changes::OUTPUT } else { Changes::OUTPUT }
            }
        }
    }

    /// Tells the peer where we are (RFC 5961 §3.2, §4.2, §5.2), at most twice a second (§7): answers to
    /// answers would never end. Data is exempt, as no answer carries any.
    fn challenge(&mut self, now: u64, data: bool) -> Changes {
        let recently = self.challenged.is_some_and(|last| now.saturating_sub(last) < ANSWER_INTERVAL);
        if !data {
            if recently {
                return Changes::empty();
            }
            self.challenged = Some(now);
        }
        self.acks.due = true;
        Changes::OUTPUT
    }

    /// The peer lives.
    fn hear(&mut self, now: u64) {
        self.heard = now;
        self.probes = 0;
    }

    /// TS.Recent (RFC 7323 §4.3): of a segment that reaches to what was last acknowledged.
    fn note_timestamp(&mut self, now: u64, segment: &Segment, span: Span) {
        let Some(timestamps) = segment.timestamps.filter(|_| self.options.timestamps) else { return };
        let newer = !seq::older(timestamps.value, self.recv.recent.value);
        if newer && span.start <= self.recv.acked {
            self.recv.recent = crate::receiver::Recent { value: timestamps.value, at: now };
        }
    }

    /// Whether [`Tcb::transmit`] may have something; arms the delayed acknowledgment if not.
    fn output_if_due(&mut self, now: u64) -> Changes {
        if self.acks.due {
            return Changes::OUTPUT;
        }
        if self.acks.pending && self.timers.delayed_ack == timers::NEVER {
            self.timers.delayed_ack = now.saturating_add(self.acks.wait(self.rtt.smoothed()));
        }
        if self.wants_output() { Changes::OUTPUT } else { Changes::empty() }
    }
}
