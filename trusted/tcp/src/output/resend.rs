//! What is sent again.

use crate::recovery::Probe;
use crate::segment::{Flags, Outgoing};
use crate::tcb::Tcb;
use crate::timers::NEVER;

impl Tcb {
    /// The next piece that is lost.
    pub(super) fn resend(&mut self, now: u64, max_payload: u64) -> Option<Outgoing> {
        let index = self.board.next_lost()?;
        let piece = self.board.get(index)?;
        let mss = self.payload_limit();
        let (cwnd, pipe) = (self.congestion.cwnd(), self.pipe());
        let room = cwnd.saturating_sub(pipe);
        // The first segment of the window goes out even if the window is closed or shrunk: it is the
        // probe that asks for the window (RFC 9293 §3.8.6).
        let window = self.send.edge().saturating_sub(piece.start);
        let window = if piece.start == self.send.una { window.max(mss) } else { window };
        let len = piece.len().min(self.row(mss, max_payload));
        if room < mss.min(len) && pipe > 0 {
            self.congestion.on_transmit(self.send.una, self.send.nxt, pipe, true);
            return None;
        }
        if window < mss.min(len) {
            return None;
        }
        let fits = room.max(mss).min(window);
        let len = if fits < len { fits - fits % mss } else { len };
        self.board.split(index, piece.start + len.max(1));
        self.emit_again(now, index, mss)
    }

    /// A tail loss probe that has no new data to send: the last segment again (RFC 8985 §7.3).
    pub(super) fn probe_tail(&mut self, now: u64) -> Option<Outgoing> {
        if !core::mem::take(&mut self.recovery.probe_due) {
            return None;
        }
        let last = self.board.last()?;
        let mss = self.payload_limit();
        let index = self.board.count().checked_sub(1)?;
        let tail = match last.len() % mss {
            0 => mss,
            rest => rest,
        };
        let index = index + usize::from(self.board.split(index, last.end - tail.min(last.len())));
        self.note_probe(now, last.end, true);
        self.emit_again(now, index, mss)
    }

    /// A tail loss probe goes out; the timeout starts again behind it (RFC 8985 §7.3).
    pub(super) fn note_probe(&mut self, now: u64, end: u64, resent: bool) {
        self.recovery.probe_due = false;
        self.recovery.probe = Some(Probe { end, resent });
        self.timers.loss_probe = NEVER;
        self.timers.retransmit = self.timeout_from(now);
    }

    fn emit_again(&mut self, now: u64, index: usize, mss: u64) -> Option<Outgoing> {
        let piece = self.board.get(index)?;
        let text_end = piece.end.min(self.send.data_end());
        let fin = piece.end > text_end;
        let len = text_end.saturating_sub(piece.start);
        let mut flags = Flags::empty();
        flags.set(Flags::FIN, fin);
        flags.set(Flags::PSH, text_end == self.send.data_end() && len > 0);
        let offset = (piece.start - self.send.data_start()) as usize;
        let segment = self.header(now, piece.start, len, flags);
        self.board.resent(index, now);
        let stamp = self.timestamp(now);
        self.recovery.undo.on_retransmit(piece.len(), stamp);
        if self.recovery.trouble_since == 0 {
            self.recovery.trouble_since = piece.time.max(1);
        }
        if let Some(rate) = self.recovery.rate() {
            rate.sent(piece.len());
        }
        self.counters.resent = self.counters.resent.wrapping_add(len.div_ceil(mss).max(1) as u32);
        self.counters.bytes_resent += len;
        self.counters.bytes_sent += len;
        // The timeout is that of the first segment (as in Linux): it has its time again.
        if index == 0 || self.timers.retransmit == NEVER {
            self.timers.retransmit = self.timeout_from(now);
        }
        Some(Outgoing { segment, offset, segment_size: mss as u16 })
    }
}
