//! Acknowledgments: what they free, what they measure (RFC 9293 §3.10.7.4 step five).

use super::Span;
use crate::config::MILLISECOND;
use crate::congestion::Ack;
use crate::recovery::Phase;
use crate::scoreboard::Marks;
use crate::segment::{Flags, Segment};
use crate::seq;
use crate::state::{Changes, State};
use crate::tcb::Tcb;
use crate::timers::NEVER;
use arrayvec::ArrayVec;

/// What an acknowledgment says.
#[derive(Default)]
pub(super) struct News {
    /// Bytes by which SND.UNA moved.
    pub(super) advanced: u64,
    /// Bytes that are known to have arrived now and were not before.
    pub(super) delivered: u64,
    /// What the peer got twice (RFC 2883).
    pub(super) duplicate: Option<(u64, u64)>,
    /// Our timestamp that it echoes.
    pub(super) echo: Option<u32>,
    /// A packet of ours was marked (RFC 3168).
    pub(super) marked: bool,
    /// It only repeats what was known (RFC 5681 §2).
    pub(super) repeats: bool,
    /// The first and the last time of sending among what arrived, if that was sent once.
    times: Option<(u64, u64)>,
}

impl Tcb {
    pub(super) fn on_acknowledgment(&mut self, now: u64, segment: &Segment, span: Span, ack: u64) -> Changes {
        let mut changes = Changes::empty();
        self.counters.last_ack_in = now;
        if matches!(self.state, State::SynReceived(_)) {
            changes |= self.on_syn_acknowledged(now);
        }
        // An acknowledgment that was overtaken may still report blocks, nothing else.
        let stale = ack < self.send.una;
        let updated = !stale && self.send.update_window(span.start, ack, segment.window);
        if self.timers.window_probe != NEVER && self.send.edge() > self.send.nxt {
            self.timers.window_probe = NEVER;
            self.rtt.reset_backoff();
        }
        // Nothing is outstanding and nothing new: the short way.
        if (stale || self.board.is_empty() && ack == self.send.una) && segment.sack.is_empty() {
            return changes;
        }
        let mut news = News { echo: self.echo(segment), marked: self.ecn.is_echo(segment), ..News::default() };
        news.repeats = ack == self.send.una && span.end == span.start && !updated && !segment.has(Flags::SYN);
        if !stale {
            self.free(now, ack, &mut news);
        }
        if self.options.sack {
            self.on_blocks(now, segment, ack, &mut news);
        }
        let rtt = self.measure(now, &news);
        if news.advanced > 0 {
            self.recovery.trouble_since = 0;
        }
        if news.advanced > 0 || self.predates_first(&news) {
            self.restart_retransmission(now);
        }
        self.recover(now, &news);
        // What is only reported out of order does not open the window (RFC 5681 §3.2 step 1), unless the
        // network is known to reorder.
        if news.advanced > 0 || news.delivered > 0 && self.recovery.rack.reordered() {
            self.grow(now, &news, rtt);
        }
        self.arm_loss_probe(now);
        changes | self.on_freed(now, news.advanced)
    }

    /// Takes what is acknowledged out of the buffer and off the scoreboard.
    fn free(&mut self, now: u64, ack: u64, news: &mut News) {
        if ack == self.send.una {
            return;
        }
        let (rack, min_rtt) = (&mut self.recovery.rack, self.rtt.min());
        let (offset, echo) = (self.timestamp_offset, news.echo);
        self.board.acknowledge(ack, |piece| {
            if piece.is(Marks::SACKED) {
                return;
            }
            news.note(piece.len(), piece.time, piece.is(Marks::RESENT));
            rack.on_delivered(piece, now, min_rtt, is_early(echo, piece.time, offset));
        });
        let bytes = ack.min(self.send.data_end()) - self.send.data_start();
        self.send.ring.consume(bytes as usize);
        news.advanced = ack - self.send.una;
        self.send.una = ack;
        self.counters.bytes_acked += bytes;
    }

    /// SACK blocks (RFC 2018 §5).
    fn on_blocks(&mut self, now: u64, segment: &Segment, ack: u64, news: &mut News) {
        let (una, nxt) = (self.send.una, self.send.nxt);
        let near = |&(start, end): &(u32, u32)| (seq::near(una, start), seq::near(una, end));
        let mut blocks: ArrayVec<(u64, u64), 4> = segment.sack.iter().map(near).collect();
        if let Some(&first) = blocks.first()
            && is_duplicate(first, blocks.get(1).copied(), ack)
        {
            if first.1 <= nxt {
                self.counters.duplicates_reported = self.counters.duplicates_reported.wrapping_add(1);
                news.duplicate = Some(first);
            }
            blocks.remove(0);
        }
        // In order, so that blocks of one acknowledgment do not look like reordering.
        blocks.sort_unstable();
        let mss = self.segment_limit();
        for (start, end) in blocks {
            if start < una || start >= end || end > nxt {
                continue;
            }
            let (rack, min_rtt) = (&mut self.recovery.rack, self.rtt.min());
            let (offset, echo) = (self.timestamp_offset, news.echo);
            self.board.sack(start, end, mss, |piece| {
                news.note(piece.len(), piece.time, piece.is(Marks::RESENT));
                rack.on_delivered(piece, now, min_rtt, is_early(echo, piece.time, offset));
            });
        }
    }

    /// The round trip, by times of sending or, where something was sent twice, by timestamps
    /// (RFC 7323 §4.1).
    fn measure(&mut self, now: u64, news: &News) -> Option<u64> {
        if let Some((first, last)) = news.times {
            let (rtt, least) = (now.saturating_sub(first), now.saturating_sub(last));
            self.rtt.sample(now, rtt, least);
            return Some(least);
        }
        let echo = news.echo.filter(|_| news.advanced > 0)?;
        let rtt = u64::from(self.timestamp(now).wrapping_sub(echo)) * MILLISECOND;
        // A peer that echoes nonsense must not stretch the timer.
        if rtt > now.saturating_sub(self.send.last).saturating_add(crate::rtt::RTO_MAX) {
            return None;
        }
        self.rtt.sample(now, rtt, rtt.max(MILLISECOND));
        None
    }

    /// The congestion window after `news`, in the phase that they led to.
    fn grow(&mut self, now: u64, news: &News, rtt: Option<u64>) {
        let mss = self.segment_limit();
        if let Phase::Recovery { .. } | Phase::Reduction { .. } = self.recovery.phase {
            return;
        }
        let smoothed = self.rtt.smoothed().unwrap_or(0);
        let (una, nxt) = (self.send.una, self.send.nxt);
        self.congestion.on_ack(&Ack { now, delivered: news.delivered, mss, rtt, smoothed, una, nxt });
        self.send.tune(self.congestion.cwnd());
    }

    /// What arrived out of order was sent before the first outstanding segment was sent (again), which may
    /// therefore still be on its way (as in Linux).
    fn predates_first(&self, news: &News) -> bool {
        let first = self.board.get(0).map_or(0, |piece| piece.time);
        news.times.is_some_and(|(time, _)| time < first)
    }

    /// RFC 6298 §5.2 and 5.3.
    fn restart_retransmission(&mut self, now: u64) {
        let outstanding = !self.board.is_empty();
        self.timers.retransmit = if outstanding { self.timeout_from(now) } else { NEVER };
        if !outstanding {
            self.timers.loss_probe = NEVER;
            self.timers.reorder = NEVER;
        }
    }

    /// Room in the buffer, and what our FIN's acknowledgment means.
    fn on_freed(&mut self, now: u64, advanced: u64) -> Changes {
        let mut changes = Changes::empty();
        if advanced == 0 {
            return changes;
        }
        if self.send.starved && self.send.is_writable() {
            self.send.starved = false;
            changes |= Changes::WRITABLE;
        }
        self.watch_idle_buffers(now);
        if self.send.fin_acked() {
            match self.state {
                State::FinWait1 => {
                    self.state = State::FinWait2;
                    if self.orphan {
                        self.timers.close = now.saturating_add(self.config.fin_timeout);
                    }
                }
                State::Closing => changes |= self.wait_for_old_segments(now),
                State::LastAck => changes |= self.end(None),
                _ => {}
            }
        }
        changes
    }

    /// The peer that opened at the same time has our SYN.
    fn on_syn_acknowledged(&mut self, now: u64) -> Changes {
        let State::SynReceived(opening) = &self.state else { return Changes::empty() };
        let (sent, retries) = (opening.sent, opening.retries);
        self.send.una += 1;
        self.complete(now, sent, retries);
        Changes::CONNECTED | Changes::WRITABLE
    }

    /// Our SYN, last sent at `sent`, is acknowledged.
    pub(super) fn complete(&mut self, now: u64, sent: u64, retries: u8) {
        if retries == 0 {
            let rtt = now.saturating_sub(sent);
            self.rtt.sample(now, rtt, rtt);
        } else {
            self.rtt.distrust();
        }
        self.rtt.reset_backoff();
        self.timers.retransmit = NEVER;
        self.establish(now, retries > 1);
    }

    fn echo(&self, segment: &Segment) -> Option<u32> {
        let timestamps = segment.timestamps.filter(|_| self.options.timestamps)?;
        Some(timestamps.echo)
    }
}

/// Whether the first of the blocks reports a duplicate: below the acknowledgment, or inside of the second
/// (RFC 2883 §4).
fn is_duplicate(first: (u64, u64), second: Option<(u64, u64)>, ack: u64) -> bool {
    let inside = second.is_some_and(|second| second.0 <= first.0 && first.1 <= second.1);
    first.0 < first.1 && (first.1 <= ack || inside)
}

/// Whether `echo` is older than a piece that was last sent at `time`: then it does not answer that.
fn is_early(echo: Option<u32>, time: u64, offset: u32) -> bool {
    echo.is_some_and(|echo| seq::older(echo, ((time / MILLISECOND) as u32).wrapping_add(offset)))
}

impl News {
    fn note(&mut self, len: u64, time: u64, resent: bool) {
        self.delivered += len;
        if !resent {
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
    }
}
