//! New data: how much of it, and whether now.

use crate::config::MILLISECOND;
use crate::segment::{Flags, Outgoing};
use crate::tcb::Tcb;
use crate::timers::NEVER;

/// As in Linux (`tcp_tso_win_divisor`), a row of segments waits to become larger unless it is already a
/// third of the window.
const ROW_DIVISOR: u64 = 3;
/// For each of these that the round trip lasts, in ns, the extra of a row halves (Linux's
/// `tcp_tso_rtt_log`: 2⁹ µs).
const NEAR: u64 = 512_000;
/// The extra of a row at no distance.
const ROW_MAX: u64 = 65_536;
/// Linux's `TCP_RTO_MIN`, the least delay of a probe of a peer that delays acknowledgments
/// (RFC 8985 §7.2's WCDelAckT).
const WORST_DELAYED_ACK: u64 = 200 * MILLISECOND;
/// Linux's `TCP_TIMEOUT_MIN`.
const PROBE_SLACK: u64 = 2 * MILLISECOND;

/// What keeps data from being sent.
enum Hold {
    /// The congestion window.
    Congestion,
    /// The peer's window.
    Window,
    /// Nagle, a cork, or nothing to send.
    Wait,
}

impl Tcb {
    /// The next piece of data that was never sent.
    pub(super) fn transmit_data(&mut self, now: u64, max_payload: u64) -> Option<Outgoing> {
        if self.send.nxt >= self.send.end() {
            return None;
        }
        self.restart_after_silence(now);
        let mss = self.payload_limit();
        let probing = self.recovery.probe_due;
        match self.allowance(mss, max_payload) {
            Ok(len) => {
                let outgoing = self.emit(now, len, mss);
                if probing {
                    self.note_probe(now, self.send.nxt, false);
                }
                Some(outgoing)
            }
            Err(Hold::Congestion) => {
                self.congestion.on_transmit(self.send.una, self.send.nxt, self.pipe(), true);
                None
            }
            Err(Hold::Window) => {
                // Nothing that comes back would wake us: probe (RFC 9293 §3.8.6.1).
                if self.board.is_empty() && self.timers.window_probe == NEVER {
                    self.timers.window_probe = now.saturating_add(self.rtt.timeout());
                    self.probing_since = now;
                }
                None
            }
            Err(Hold::Wait) => None,
        }
    }

    /// How many bytes go out now, FIN not counted.
    fn allowance(&self, mss: u64, max_payload: u64) -> Result<u64, Hold> {
        let send = &self.send;
        let waiting = send.data_end().saturating_sub(send.nxt);
        let window = send.edge().saturating_sub(send.nxt);
        if waiting == 0 {
            // FIN alone takes a byte of the window, but is not held by the congestion window (as in Linux).
            return if window > 0 { Ok(0) } else { Err(Hold::Window) };
        }
        let row = self.row(mss, max_payload);
        let congestion = self.congestion_room(mss);
        let len = waiting.min(window).min(congestion).min(row);
        if window == 0 {
            return Err(Hold::Window);
        }
        if congestion < mss.min(waiting) {
            return Err(Hold::Congestion);
        }
        if len == waiting {
            return self.tail(len, mss);
        }
        if len < mss {
            // The sender's silly window avoidance (RFC 9293 §3.8.6.2.1): at least half the largest window.
            let worthy = len == window && 2 * len >= send.max_wnd || send.nxt < send.forced;
            return if worthy { Ok(len) } else { Err(Hold::Window) };
        }
        let full = len - len % mss;
        let grows = full < row && full < waiting && row > mss && !self.board.is_empty();
        if grows && self.recovery.is_open() && len < self.congestion.cwnd().min(send.wnd) / ROW_DIVISOR {
            return Err(Hold::Congestion);
        }
        Ok(full)
    }

    /// How long a row may be: about what goes out in a millisecond at the present rate, so that bursts stay
    /// short, but more where the round trip is (Linux's `tcp_tso_autosize`).
    pub(super) fn row(&self, mss: u64, max_payload: u64) -> u64 {
        // The urgent pointer of a row would be that of its first segment.
        // So would be the notice of a reduced window that of all its segments.
        if max_payload < 2 * mss || self.send.up > self.send.una || self.ecn.owes() {
            return mss;
        }
        let burst = match self.rtt.smoothed() {
            // Twice the window a round trip, as in slow start.
            Some(smoothed) => (2 * self.congestion.cwnd()).saturating_mul(MILLISECOND) / smoothed.max(1),
            None => 0,
        };
        let near = (self.rtt.min() / NEAR).min(63) as u32;
        let len = burst.saturating_add(ROW_MAX >> near).clamp(2 * mss, max_payload);
        len / mss * mss
    }

    /// The end of the buffer fits. What remains of it over full segments may have to wait.
    fn tail(&self, len: u64, mss: u64) -> Result<u64, Hold> {
        let send = &self.send;
        let rest = len % mss;
        let end = send.nxt + len;
        let corked = (self.config.cork || send.more) && send.fin.is_none();
        // Nagle (RFC 9293 §3.7.4) in Minshall's variant: one small segment may be out. The end of the
        // stream and urgent data do not wait.
        let nagle = !self.config.nodelay && send.fin.is_none() && send.up < end && send.small > send.una;
        let held = (corked || nagle) && end > send.forced;
        match len - rest {
            _ if rest == 0 || !held => Ok(len),
            0 => Err(Hold::Wait),
            full => Ok(full),
        }
    }

    /// Room in the congestion window. A tail loss probe may exceed it by a segment (RFC 8985 §7.3).
    fn congestion_room(&self, mss: u64) -> u64 {
        let room = self.congestion.cwnd().saturating_sub(self.pipe());
        // Small segments take as much of the window as full ones: what is outstanding is bounded, and so
        // is the scoreboard.
        let pieces = self.board.count() as u64;
        let room = if pieces.saturating_mul(mss) > self.congestion.cwnd().saturating_mul(2) { 0 } else { room };
        if self.recovery.probe_due { room.max(mss) } else { room }
    }

    fn emit(&mut self, now: u64, len: u64, mss: u64) -> Outgoing {
        let start = self.send.nxt;
        let end = start + len;
        let last = end == self.send.data_end();
        // FIN takes a place in the window, too.
        let fin = last && self.send.fin.is_some() && end < self.send.edge();
        let mut flags = Flags::empty();
        flags.set(Flags::FIN, fin);
        flags.set(Flags::PSH, last && len > 0);
        let offset = (start - self.send.data_start()) as usize;
        let mut segment = self.header(now, start, len, flags);
        if len > 0 {
            self.ecn.stamp(&mut segment);
        }
        let end = end + u64::from(fin);
        self.board.push(start, end, now);
        self.send.nxt = end;
        self.timers.window_probe = NEVER;
        if len > 0 {
            self.send.last = now;
            self.acks.sent_data(now);
            if !len.is_multiple_of(mss) {
                self.send.small = end;
            }
            if last {
                self.timers.cork = NEVER;
            }
            self.counters.data_segments_out = self.counters.data_segments_out.wrapping_add(len.div_ceil(mss) as u32);
            self.counters.bytes_sent += len;
        }
        if let Some(rate) = self.recovery.rate() {
            rate.sent(end - start);
        }
        self.congestion.on_transmit(self.send.una, end, self.pipe(), false);
        if self.timers.retransmit == NEVER {
            self.timers.retransmit = self.timeout_from(now);
        }
        self.arm_loss_probe(now);
        Outgoing { segment, offset, segment_size: mss as u16 }
    }

    /// RFC 5681 §4.1: the window is not believed after silence.
    fn restart_after_silence(&mut self, now: u64) {
        if self.board.is_empty() && self.send.last > 0 {
            let idle = now.saturating_sub(self.send.last);
            self.congestion.on_restart(idle, self.rtt.timeout(), self.segment_limit());
            self.send.last = now;
        }
    }

    /// When to probe the tail (RFC 8985 §7.2): after two round trips, if that is before the timeout.
    pub(crate) fn arm_loss_probe(&mut self, now: u64) {
        self.timers.loss_probe = NEVER;
        let calm = self.recovery.is_open() && self.board.sacked() == 0 && self.recovery.probe.is_none();
        if !self.options.sack || !calm || self.board.is_empty() {
            return;
        }
        let Some(smoothed) = self.rtt.smoothed() else { return };
        let single = self.send.nxt - self.send.una <= self.segment_limit();
        let slack = if single { WORST_DELAYED_ACK } else { PROBE_SLACK };
        let deadline = now.saturating_add(2 * smoothed).saturating_add(slack);
        self.timers.loss_probe = deadline.min(self.timers.retransmit);
    }
}
