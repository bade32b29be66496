//! What acknowledgments and timers say about loss, and what follows for the window.

use super::News;
use crate::recovery::{DUPLICATES, Phase, Probe, Rate};
use crate::scoreboard::Marks;
use crate::state::Changes;
use crate::tcb::Tcb;
use crate::timers::NEVER;

impl Tcb {
    /// Bytes in the network. Without SACK each duplicate acknowledgment stands for a segment that left it
    /// (RFC 5681 §3.2 step 4).
    pub(crate) fn pipe(&self) -> u64 {
        let left = if self.options.sack { 0 } else { self.recovery.duplicates * self.segment_limit() };
        self.board.pipe().saturating_sub(left)
    }

    /// Loss recovery after an acknowledgment.
    pub(super) fn recover(&mut self, now: u64, news: &News) {
        self.judge_reduction(news);
        self.judge_probe(news);
        self.leave_if_done();
        let mut delivered = news.delivered;
        let lost = if self.options.sack { self.detect_loss(now) } else { self.count_duplicates(news, &mut delivered) };
        if lost > 0 && self.recovery.is_calm() {
            self.enter_recovery();
        } else if news.marked && self.recovery.is_open() {
            self.enter_reduction();
        }
        let (pipe, mss, ssthresh) = (self.pipe(), self.segment_limit(), self.congestion.ssthresh());
        if let Some(rate) = self.recovery.rate() {
            let advancing = news.advanced > 0 && lost == 0;
            let cwnd = rate.window(delivered, pipe, ssthresh, mss, advancing);
            // A partial acknowledgment without SACK always sends the next hole (RFC 6582 §3.2 step 3).
            let partial = !self.options.sack && news.advanced > 0 && lost > 0;
            self.congestion.set_cwnd(if partial { cwnd.max(pipe + mss) } else { cwnd.max(mss) });
        }
    }

    /// RACK (RFC 8985 §6.2 steps 4 and 5). Returns how many bytes are newly lost.
    fn detect_loss(&mut self, now: u64) -> u64 {
        self.timers.reorder = NEVER;
        if self.board.is_empty() {
            return 0;
        }
        let many = self.board.sacked() >= DUPLICATES * self.segment_limit();
        let hurry = many || !self.recovery.is_calm();
        let window = self.recovery.rack.window(hurry, self.rtt.min(), self.rtt.smoothed().unwrap_or(0));
        let (lost, wait) = self.recovery.rack.detect(&mut self.board, now, window);
        if let Some(wait) = wait {
            self.timers.reorder = now.saturating_add(wait);
        }
        lost
    }

    /// The reordering timer expired (RFC 8985 §6.3).
    pub(crate) fn on_reorder_timer(&mut self, now: u64) -> Changes {
        let lost = self.detect_loss(now);
        if lost > 0 && self.recovery.is_calm() {
            self.enter_recovery();
            let (pipe, mss, ssthresh) = (self.pipe(), self.segment_limit(), self.congestion.ssthresh());
            if let Some(rate) = self.recovery.rate() {
                self.congestion.set_cwnd(rate.window(0, pipe, ssthresh, mss, false));
            }
        }
        Changes::OUTPUT
    }

    /// NewReno (RFC 6582 §3.2) for a peer without SACK.
    fn count_duplicates(&mut self, news: &News, delivered: &mut u64) -> u64 {
        let mss = self.segment_limit();
        let recovery = &mut self.recovery;
        if news.advanced > 0 {
            let known = recovery.duplicates * mss;
            *delivered = delivered.saturating_sub(known);
            match recovery.phase {
                // A partial acknowledgment: the next segment is lost, too (step 3).
                Phase::Recovery { .. } if !self.board.is_empty() => {
                    let beyond_hole = (news.advanced / mss).saturating_sub(1);
                    recovery.duplicates = recovery.duplicates.saturating_sub(beyond_hole);
                    return self.lose_first();
                }
                _ => recovery.duplicates = 0,
            }
            return 0;
        }
        if !news.repeats || self.board.is_empty() || matches!(recovery.phase, Phase::Loss { .. }) {
            return 0;
        }
        recovery.duplicates += 1;
        *delivered = mss;
        // Step 1: not for duplicates that our own retransmissions caused.
        let fresh = self.send.una > recovery.recover || recovery.recover == 0;
        let enough = recovery.duplicates == DUPLICATES && recovery.is_calm() && fresh;
        if enough { self.lose_first() } else { 0 }
    }

    fn lose_first(&mut self) -> u64 {
        self.board.split(0, self.send.una + self.segment_limit());
        let before = self.board.lost();
        self.board.mark_lost(0);
        self.board.lost() - before
    }

    /// Segments that are too large for the path are to be sent again, smaller.
    pub(crate) fn lose_oversized(&mut self, limit: u64) {
        for index in 0..self.board.count() {
            if self.board.get(index).is_some_and(|piece| piece.len() > limit) {
                self.board.mark_lost(index);
            }
        }
    }

    /// RFC 5681 §3.2 step 2, RFC 6675 §5 step 4, RFC 6937.
    fn enter_recovery(&mut self) {
        let until = self.send.nxt;
        let rate = match self.recovery.phase {
            // The window is being reduced already.
            Phase::Reduction { rate, .. } => rate,
            _ => {
                self.recovery.undo.start(self.send.una);
                self.reduce()
            }
        };
        self.recovery.phase = Phase::Recovery { until, rate };
        self.recovery.recover = self.send.nxt;
        self.recovery.probe = None;
        self.timers.loss_probe = NEVER;
    }

    /// The peer says that a packet was marked: as if it were lost, but for sending it again (RFC 3168 §6.1.2).
    fn enter_reduction(&mut self) {
        self.recovery.undo.stop();
        let (until, rate) = (self.send.nxt, self.reduce());
        self.recovery.phase = Phase::Reduction { until, rate };
        self.recovery.probe = None;
    }

    /// Lowers the threshold, which the window is to reach within a round trip.
    fn reduce(&mut self) -> Rate {
        let flight = self.send.nxt - self.send.una;
        self.congestion.on_loss(flight, self.segment_limit());
        self.ecn.on_reduction();
        Rate::new(flight)
    }

    /// The retransmission timer expired (RFC 5681 §3.1 equation 4, RFC 6582 §4, RFC 8985 §6.3).
    pub(crate) fn enter_loss(&mut self) {
        let first = self.board.get(0).is_some_and(|piece| piece.is(Marks::SACKED));
        let again = match self.recovery.phase {
            Phase::Open => false,
            // The window was reduced for this loss.
            Phase::Recovery { .. } | Phase::Reduction { .. } => true,
            Phase::Loss { .. } => self.rtt.backoff() > 0,
        };
        if !again {
            self.recovery.undo.start(self.send.una);
            self.congestion.on_loss(self.send.nxt - self.send.una, self.segment_limit());
        }
        self.ecn.on_reduction();
        // If what the peer reported includes what it has not acknowledged, it has changed its mind
        // (RFC 2018 §8).
        self.board.mark_all_lost(first);
        self.congestion.set_cwnd(self.segment_limit());
        self.recovery.phase = Phase::Loss { until: self.send.nxt };
        self.recovery.recover = self.send.nxt;
        self.recovery.duplicates = 0;
        self.recovery.probe = None;
        self.timers.loss_probe = NEVER;
        self.timers.reorder = NEVER;
    }

    fn leave_if_done(&mut self) {
        match self.recovery.phase {
            Phase::Recovery { until, .. } if self.send.una >= until => {
                // RFC 6582 §3.2 step 3, full acknowledgment.
                self.congestion.set_cwnd(self.congestion.ssthresh());
                self.recovery.duplicates = 0;
            }
            // The notice of the reduction has arrived then, too (as in Linux).
            Phase::Reduction { until, .. } if self.send.una > until => {
                self.congestion.set_cwnd(self.congestion.ssthresh());
            }
            Phase::Loss { until } if self.send.una >= until => {}
            _ => return,
        }
        self.recovery.phase = Phase::Open;
        self.recovery.rack.on_recovered();
    }

    /// Was the last reduction deserved?
    fn judge_reduction(&mut self, news: &News) {
        let mut needless = false;
        if let Some((start, end)) = news.duplicate {
            let of_probe = self.recovery.probe.is_some_and(|probe| probe.end == end);
            if !of_probe {
                self.recovery.rack.on_duplicate(self.send.una, self.send.nxt);
            }
            needless = self.recovery.undo.on_duplicate(start, end);
        }
        let original = news.advanced > 0
            && !self.recovery.is_open()
            && news.echo.is_some_and(|echo| self.recovery.undo.is_original(echo));
        if !needless && !original {
            return;
        }
        // A timeout is no sign of reordering.
        if !matches!(self.recovery.phase, Phase::Loss { .. }) {
            self.recovery.rack.note_reordering();
        }
        self.recovery.undo.stop();
        self.congestion.undo();
        self.ecn.on_undo();
        self.board.unmark_lost();
        self.recovery.phase = Phase::Open;
        self.recovery.duplicates = 0;
    }

    /// What became of a tail loss probe (RFC 8985 §7.4.2).
    fn judge_probe(&mut self, news: &News) {
        let Some(Probe { end, resent }) = self.recovery.probe else { return };
        if self.send.una < end {
            return;
        }
        let needless = news.duplicate.is_some_and(|(_, duplicate_end)| duplicate_end == end);
        let repaired = resent && !needless && self.send.una > end;
        // At exactly `end` either copy may have been the one; a pure duplicate says that both came.
        let both_came = needless || news.repeats && news.delivered == 0;
        if resent && !repaired && !both_came {
            return;
        }
        self.recovery.probe = None;
        // The probe repaired a loss, which must not go unnoticed by congestion control.
        if repaired && self.recovery.is_open() {
            self.congestion.on_loss(self.send.nxt - self.send.una, self.segment_limit());
            self.congestion.set_cwnd(self.congestion.ssthresh());
        }
    }
}
