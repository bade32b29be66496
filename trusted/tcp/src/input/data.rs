//! Text and FIN (RFC 9293 §3.10.7.4 steps seven and eight).

use super::Span;
use crate::config::MILLISECOND;
use crate::receiver::Placed;
use crate::segment::Segment;
use crate::state::{Changes, State};
use crate::tcb::{Parting, Tcb};
use crate::timers::Timers;
use crate::timewait;

impl Tcb {
    /// Text or FIN came; `placed` is what is new of it, already copied.
    pub(super) fn on_text(&mut self, now: u64, segment: &Segment, span: Span, placed: Option<Placed>) -> Changes {
        if !self.state.may_receive() {
            // The peer's FIN again: its acknowledgment was lost.
            self.acks.on_disorder();
            return Changes::empty();
        }
        if self.ecn.on_text(segment) {
            self.acks.on_mark();
        }
        self.counters.data_segments_in = self.counters.data_segments_in.wrapping_add(1);
        if self.options.sack && (span.start < self.recv.nxt || self.recv.has_holes()) {
            self.recv.note_duplicate(span.start, span.text_end);
        }
        let Some(placed) = placed else {
            // Nothing new, or no place: the peer is told where we are (RFC 9293 §3.10.7.4).
            self.acks.on_disorder();
            return Changes::empty();
        };
        let before = self.recv.nxt;
        let had_holes = self.recv.has_holes();
        self.recv.commit(placed, placed.end > span.text_end);
        self.acks.on_data(now, segment.len, self.config.mss, self.recv.window(), self.rtt.base());
        if placed.start > before {
            self.counters.early = self.counters.early.wrapping_add(1);
            self.acks.on_disorder();
            return Changes::empty();
        }
        self.on_stream(now, segment, before, had_holes || span.start < before)
    }

    /// The stream grew from `before` on.
    fn on_stream(&mut self, now: u64, segment: &Segment, before: u64, disorder: bool) -> Changes {
        let finished = self.recv.is_finished();
        let bytes = self.recv.nxt - before - u64::from(finished);
        self.counters.bytes_received += bytes;
        let echoed = self.round_trip(now, segment);
        self.recv.tuning.on_data(now, self.recv.nxt, self.recv.edge, echoed);
        // What fills a hole is acknowledged at once (RFC 5681 §4.2).
        self.acks.due |= disorder;
        self.acks.decide(self.recv.nxt - self.recv.acked);
        let mut changes = self.catch_urgent();
        if bytes > 0 {
            changes |= Changes::READABLE;
        }
        if finished { changes | self.on_fin(now) } else { changes }
    }

    /// The round trip that a full segment's timestamps tell the receiver.
    fn round_trip(&self, now: u64, segment: &Segment) -> Option<u64> {
        let timestamps = segment.timestamps.filter(|_| self.options.timestamps)?;
        let full = segment.len >= self.acks.segment();
        let rtt = u64::from(self.timestamp(now).wrapping_sub(timestamps.echo)) * MILLISECOND;
        (full && timestamps.echo != 0 && rtt < crate::rtt::RTO_MAX).then_some(rtt.max(MILLISECOND))
    }

    /// Step eight: the peer will send no more.
    fn on_fin(&mut self, now: u64) -> Changes {
        self.acks.due = true;
        let changes = Changes::READABLE | Changes::FINISHED;
        match self.state {
            State::Established => self.state = State::CloseWait,
            State::FinWait1 => self.state = State::Closing,
            State::FinWait2 => return changes | self.wait_for_old_segments(now),
            _ => {}
        }
        changes
    }

    /// Enters TIME-WAIT. The acknowledgment of the peer's FIN goes out even if the engine has taken the
    /// state before it asks for output.
    pub(super) fn wait_for_old_segments(&mut self, now: u64) -> Changes {
        if core::mem::take(&mut self.acks.due) {
            self.parting = Some(Parting::Acknowledgment);
        }
        self.timers = Timers::new();
        self.timers.close = now.saturating_add(timewait::DURATION);
        self.state = State::TimeWait;
        self.send.ring.release();
        Changes::TIME_WAIT | Changes::READABLE | Changes::WRITABLE | Changes::OUTPUT
    }
}
