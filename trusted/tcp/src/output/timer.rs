//! Timers that expired.

use crate::calls::IDLE;
use crate::config::KeepAlive;
use crate::rtt;
use crate::state::{Changes, Error, State};
use crate::tcb::Tcb;
use crate::timers::{NEVER, expired};

/// Linux's `tcp_orphan_retries`.
const ORPHAN_RETRIES: u8 = 8;

impl Tcb {
    /// Does what is due at `now`.
    pub fn on_timer(&mut self, now: u64) -> Changes {
        let mut changes = Changes::empty();
        if self.deadline() > now {
            return changes;
        }
        if expired(&mut self.timers.close, now) {
            return self.end(None);
        }
        if expired(&mut self.timers.loss_probe, now) {
            // The timeout is behind the probe (RFC 8985 §7.3).
            self.recovery.probe_due = true;
            self.timers.retransmit = self.timeout_from(now);
            changes |= Changes::OUTPUT;
        }
        if expired(&mut self.timers.retransmit, now) {
            changes |= self.on_retransmission_timeout(now);
        }
        if expired(&mut self.timers.reorder, now) {
            changes |= self.on_reorder_timer(now);
        }
        if expired(&mut self.timers.window_probe, now) {
            changes |= self.on_window_probe(now);
        }
        if expired(&mut self.timers.delayed_ack, now) {
            self.acks.expired(self.rtt.base());
            changes |= Changes::OUTPUT;
        }
        if expired(&mut self.timers.keepalive, now) {
            changes |= self.on_keepalive(now);
        }
        if expired(&mut self.timers.cork, now) {
            self.send.forced = self.send.data_end();
            changes |= Changes::OUTPUT;
        }
        if expired(&mut self.timers.trim, now) {
            self.trim(now);
        }
        changes
    }

    fn on_retransmission_timeout(&mut self, now: u64) -> Changes {
        if let State::SynSent(opening) | State::SynReceived(opening) = &mut self.state {
            let started = opening.started.unwrap_or(now);
            let impatient = self.config.user_timeout.is_some_and(|limit| now.saturating_sub(started) >= limit);
            if opening.retries >= self.config.syn_retries || impatient {
                return self.give_up();
            }
            opening.retries += 1;
            opening.due = true;
            self.counters.expiries = self.counters.expiries.wrapping_add(1);
            self.counters.resent = self.counters.resent.wrapping_add(1);
            self.rtt.back_off();
            return Changes::OUTPUT;
        }
        if self.board.is_empty() {
            return Changes::empty();
        }
        // A peer that shrank its window to nothing answers what is sent again, as it would probes (as in Linux).
        let waits = self.send.wnd == 0 && !self.orphan && now.saturating_sub(self.heard) <= 2 * rtt::RTO_MAX;
        if !waits && self.has_waited(now, self.recovery.trouble_since) {
            return self.give_up();
        }
        self.counters.expiries = self.counters.expiries.wrapping_add(1);
        self.enter_loss();
        self.rtt.back_off();
        self.timers.retransmit = self.timeout_from(now);
        Changes::OUTPUT
    }

    /// When the retransmission timer expires that starts now; not behind the user timeout (RFC 5482).
    pub(crate) fn timeout_from(&self, now: u64) -> u64 {
        let since = self.recovery.trouble_since;
        let end = self.config.user_timeout.filter(|_| since > 0).map_or(NEVER, |limit| since.saturating_add(limit));
        now.saturating_add(self.rtt.timeout()).min(end.max(now + 1))
    }

    /// Whether the peer has been silent for too long since `since`: R2 of RFC 1122 §4.2.3.5, or the user
    /// timeout (RFC 5482). Less patience is shown for what nobody waits for.
    fn has_waited(&self, now: u64, since: u64) -> bool {
        let retries = if self.orphan { self.config.retries.min(ORPHAN_RETRIES) } else { self.config.retries };
        let limit = self.config.user_timeout.unwrap_or_else(|| rtt::patience(retries));
        since > 0 && now.saturating_sub(since) >= limit
    }

    fn give_up(&mut self) -> Changes {
        let error = self.soft_error.map_or(Error::TimedOut, Error::Network);
        self.end(Some(error))
    }

    /// The window is still closed (RFC 9293 §3.8.6.1): a byte's worth of data if there is room for any, or
    /// an empty segment.
    fn on_window_probe(&mut self, now: u64) -> Changes {
        if self.send.nxt >= self.send.end() || !self.board.is_empty() {
            return Changes::empty();
        }
        let silent = self.probes > 0;
        if silent && self.has_waited(now, self.probing_since) {
            return self.give_up();
        }
        if !silent {
            self.probing_since = now.max(1);
        }
        if self.send.edge() > self.send.nxt {
            self.send.forced = self.send.edge().min(self.send.data_end());
        } else {
            self.probe_due = true;
            self.probes = self.probes.saturating_add(1);
        }
        self.rtt.back_off();
        self.timers.window_probe = now.saturating_add(self.rtt.timeout());
        Changes::OUTPUT
    }

    /// RFC 1122 §4.2.3.6.
    fn on_keepalive(&mut self, now: u64) -> Changes {
        let Some(KeepAlive { idle, interval, count }) = self.config.keepalive else { return Changes::empty() };
        if !self.state.is_synchronized() {
            return Changes::empty();
        }
        let silence = now.saturating_sub(self.heard.max(self.acks.last_data()));
        let busy = !self.board.is_empty() || self.send.nxt < self.send.end();
        if busy || silence < idle {
            let wait = if busy { idle } else { idle - silence };
            self.timers.keepalive = now.saturating_add(wait);
            return Changes::empty();
        }
        let over = match self.config.user_timeout {
            Some(limit) => silence >= limit && self.probes > 0,
            None => self.probes >= count,
        };
        if over {
            self.abort();
            self.error = Some(self.soft_error.map_or(Error::TimedOut, Error::Network));
            return Changes::CLOSED | Changes::ERROR | Changes::READABLE | Changes::WRITABLE | Changes::OUTPUT;
        }
        self.probes = self.probes.saturating_add(1);
        self.probe_due = true;
        self.timers.keepalive = now.saturating_add(interval);
        Changes::OUTPUT
    }

    /// Buffers that were idle for a while are given back: an idle connection is small.
    fn trim(&mut self, now: u64) {
        let heard = self.acks.last_data().max(self.send.last);
        if now.saturating_sub(heard) < IDLE {
            self.watch_idle_buffers(now);
            return;
        }
        if self.send.ring.is_empty() {
            self.send.ring.release();
        }
        self.board.trim();
        if self.recv.ring.is_empty() && !self.recv.has_holes() {
            self.recv.ring.release();
        }
        self.timers.trim = NEVER;
    }
}
