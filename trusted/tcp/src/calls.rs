//! What the owner of a connection can do with it (RFC 9293 §3.9.1, §3.10), and what ICMP and the system
//! tell it.

use crate::config::{MILLISECOND, SECOND, Setting};
use crate::segment::Outgoing;
use crate::state::{Changes, Error, SendError, SendFlags, State};
use crate::tcb::{MSS_LEAST, Tcb};
use crate::timers::NEVER;
use crate::{seq, tuning};

/// How long a cork holds partial segments back (tcp(7): 200 ms).
const CORK: u64 = 200 * MILLISECOND;
/// Buffers that are idle for so long are given back.
pub(crate) const IDLE: u64 = SECOND;

impl Tcb {
    /// Takes data to send: `fill` is given free pieces of the buffer, and says how much it wrote; less than
    /// a piece ends the call. Returns how much was taken.
    ///
    /// # Errors
    /// [`SendError::WouldBlock`] if there is no room; [`Changes::WRITABLE`] will say when there is.
    pub fn send(
        &mut self,
        now: u64,
        flags: SendFlags,
        fill: &mut dyn FnMut(&mut [u8]) -> usize,
    ) -> Result<usize, SendError> {
        match &self.state {
            State::SynSent(_) | State::SynReceived(_) => return Err(SendError::WouldBlock),
            state if state.may_send() => {}
            _ => return Err(SendError::Closed),
        }
        let room = self.send.room();
        if room == 0 {
            self.send.starved = true;
            return Err(SendError::WouldBlock);
        }
        let taken = self.fill(room, fill)?;
        self.send.more = flags.contains(SendFlags::MORE);
        if flags.contains(SendFlags::URGENT) && taken > 0 {
            self.send.up = self.send.data_end();
        }
        if (self.send.more || self.config.cork) && self.timers.cork == NEVER {
            self.timers.cork = now.saturating_add(CORK);
        }
        Ok(taken)
    }

    /// Grows the ring piece by piece, so that a small write into a large buffer takes little memory.
    fn fill(&mut self, room: usize, fill: &mut dyn FnMut(&mut [u8]) -> usize) -> Result<usize, SendError> {
        let ring = &mut self.send.ring;
        let mut taken = 0;
        while taken < room {
            let len = ring.len();
            let step = (ring.capacity() - len).min(room - taken);
            if step == 0 {
                if !ring.reserve(len + 1) {
                    return if taken > 0 { Ok(taken) } else { Err(SendError::NoMemory) };
                }
                continue;
            }
            let (first, second) = ring.slices_mut(len, step);
            let wanted = first.len();
            let mut wrote = fill(first).min(wanted);
            if wrote == wanted && !second.is_empty() {
                wrote += fill(second).min(second.len());
            }
            ring.commit(wrote);
            taken += wrote;
            if wrote < step {
                break;
            }
        }
        Ok(taken)
    }

    /// Gives received data to `drain`, which says how much it took; less than a piece ends the call. Returns how much
    /// was taken: zero if there is nothing, which is the end of the stream if [`Tcb::is_finished`]. Does not read across
    /// the urgent mark. May make a window update due ([`Tcb::transmit`]).
    pub fn receive(&mut self, now: u64, drain: &mut dyn FnMut(&[u8]) -> usize) -> usize {
        self.skip_urgent();
        let taken = self.peek(0, drain);
        self.consume(now, taken);
        taken
    }

    /// As [`Tcb::receive`], but the data stays, and the first `skipped` bytes are not given.
    pub fn peek(&self, skipped: usize, drain: &mut dyn FnMut(&[u8]) -> usize) -> usize {
        let gap = usize::from(self.at_urgent_gap());
        let skipped = skipped.min(self.readable());
        let (first, second) = self.recv.ring.slices(gap + skipped, self.readable() - skipped);
        let mut taken = if first.is_empty() { 0 } else { drain(first).min(first.len()) };
        if taken == first.len() && !second.is_empty() {
            taken += drain(second).min(second.len());
        }
        taken
    }

    pub(crate) fn consume(&mut self, now: u64, len: usize) {
        if len == 0 {
            return;
        }
        self.recv.ring.consume(len);
        self.recv.read += len as u64;
        let segment = u64::from(self.acks.segment());
        self.recv.tuning.on_read(now, self.recv.read, segment);
        if self.state.may_receive() {
            // An acknowledgment that waited for the reader (Linux's `tcp_cleanup_rbuf`).
            let waited = self.acks.pending && self.recv.nxt - self.recv.acked > segment;
            self.acks.due |= waited || self.recv.wants_update(segment);
        }
        self.watch_idle_buffers(now);
    }

    /// Bytes that [`Tcb::receive`] can give at once.
    pub fn readable(&self) -> usize {
        let gap = usize::from(self.at_urgent_gap());
        (self.recv.readable() - gap).min(self.until_mark())
    }

    /// The peer has closed, and everything was received; what is readable may still be read.
    pub fn is_finished(&self) -> bool {
        self.recv.is_finished() || matches!(self.state, State::Closed | State::TimeWait)
    }

    /// There is room to write, by Linux's rule of a third.
    pub fn is_writable(&self) -> bool {
        self.state.may_send() && self.send.is_writable()
    }

    /// Bytes in the send buffer that were not acknowledged (`SIOCOUTQ`).
    pub fn unacknowledged(&self) -> usize {
        self.send.ring.len()
    }

    /// Bytes in the send buffer that were not sent (`SIOCOUTQNSD`).
    pub fn unsent(&self) -> usize {
        self.send.data_end().saturating_sub(self.send.nxt.max(self.send.data_start())) as usize
    }

    /// The error that ended the connection, once (`SO_ERROR`).
    pub fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }

    /// What the last soft ICMP error was, once (`errno`).
    pub fn take_soft_error(&mut self) -> Option<i32> {
        self.soft_error.take()
    }

    /// The payload of a segment that [`Tcb::transmit`] just gave, in two pieces where the ring turns.
    pub fn payload(&self, outgoing: &Outgoing) -> (&[u8], &[u8]) {
        self.send.ring.slices(outgoing.offset, outgoing.segment.len as usize)
    }

    /// Closes our direction (RFC 9293 §3.10.4): FIN follows what is in the buffer.
    pub fn shutdown_send(&mut self) -> Changes {
        match &self.state {
            State::SynSent(_) => return self.end(None),
            // The state follows when the connection is made.
            State::SynReceived(_) => {}
            State::Established => self.state = State::FinWait1,
            State::CloseWait => self.state = State::LastAck,
            _ => return Changes::empty(),
        }
        self.send.fin = Some(self.send.data_end());
        self.send.more = false;
        self.config.cork = false;
        Changes::OUTPUT
    }

    /// The application lets go. What it did not read makes this a reset (RFC 2525 §2.17), and so does data
    /// that comes later.
    pub fn close(&mut self, now: u64) -> Changes {
        self.orphan = true;
        if self.recv.readable() > 0 {
            return self.abort();
        }
        self.recv.renege();
        let changes = self.shutdown_send();
        if matches!(self.state, State::FinWait2) {
            self.timers.close = now.saturating_add(self.config.fin_timeout);
        }
        changes
    }

    /// Ends the connection with a reset (RFC 9293 §3.10.5).
    pub fn abort(&mut self) -> Changes {
        if self.state.is_synchronized() || matches!(self.state, State::SynReceived(_)) {
            self.reset();
        }
        self.end(None) | Changes::OUTPUT
    }

    /// The path takes segments of at most `mss` bytes (RFC 1191 §6, RFC 4821): MTU less the fixed headers.
    pub fn on_mtu(&mut self, mss: u16) -> Changes {
        let old = self.segment_limit();
        let lowered = mss < self.send.mss();
        self.send.path_mss = mss.clamp(MSS_LEAST, self.config.mss.max(MSS_LEAST));
        let new = self.segment_limit();
        if new != old {
            self.congestion.scale(old, new);
        }
        // What was too large is lost, and not by congestion (RFC 1191 §6.4).
        if lowered && !self.board.is_empty() {
            self.lose_oversized(new);
        }
        Changes::OUTPUT
    }

    /// ICMP reports that the peer cannot be reached (RFC 1122 §4.2.3.9, RFC 5461). `hard` errors end a
    /// connection that is being made; otherwise the error is only remembered.
    pub fn on_unreachable(&mut self, errno: i32, hard: bool) -> Changes {
        match self.state {
            State::SynSent(_) | State::SynReceived(_) if hard => self.end(Some(Error::Network(errno))),
            State::Closed | State::TimeWait => Changes::empty(),
            _ => {
                self.soft_error = Some(errno);
                Changes::empty()
            }
        }
    }

    /// Whether `sequence` was sent and not acknowledged: an ICMP message that quotes anything else is late, or
    /// forged (RFC 5927 §4.1).
    pub fn in_flight(&self, sequence: u32) -> bool {
        let sequence = seq::near(self.send.una, sequence);
        (self.send.una..self.send.nxt).contains(&sequence)
    }

    /// Bytes of memory that the buffers hold.
    pub fn memory(&self) -> usize {
        self.send.ring.capacity() + self.recv.ring.capacity()
    }

    /// Memory is short: gives back all that holds neither received nor unacknowledged data, and drops what
    /// came out of order; the peer sends it again.
    pub fn reclaim(&mut self) {
        self.recv.renege();
        self.send.ring.shrink();
    }

    /// Arms the look at idle buffers.
    pub(crate) fn watch_idle_buffers(&mut self, now: u64) {
        let idle = (self.send.ring.is_empty() && self.send.ring.capacity() > 0)
            || (self.recv.ring.is_empty() && self.recv.ring.capacity() > 0);
        if idle && self.timers.trim == NEVER {
            self.timers.trim = now.saturating_add(IDLE);
        }
    }

    /// Changes a setting.
    pub fn set(&mut self, now: u64, setting: Setting) -> Changes {
        match setting {
            Setting::NoDelay(on) => {
                self.config.nodelay = on;
                if on {
                    self.send.forced = self.send.data_end();
                }
            }
            Setting::Cork(on) => {
                self.config.cork = on;
                if !on {
                    self.send.more = false;
                    self.send.forced = self.send.data_end();
                    self.timers.cork = NEVER;
                }
            }
            Setting::KeepAlive(keepalive) => {
                self.config.keepalive = keepalive;
                let idle = keepalive.filter(|_| self.state.is_synchronized()).map(|keepalive| keepalive.idle);
                self.timers.keepalive = idle.map_or(NEVER, |idle| now.saturating_add(idle));
            }
            Setting::UserTimeout(timeout) => self.config.user_timeout = timeout,
            Setting::QuickAck(on) => self.acks.set_quick(on),
            Setting::FinTimeout(timeout) => self.config.fin_timeout = timeout,
            Setting::SynRetries(retries) => self.config.syn_retries = retries,
            Setting::Congestion(algorithm) => {
                self.config.congestion = algorithm;
                self.congestion.switch(algorithm);
            }
            Setting::UrgentInline(on) => self.config.urgent_inline = on,
            Setting::ReceiveBuffer(size) => self.recv.tuning.fix(size.max(tuning::LEAST)),
            Setting::SendBuffer(size) => (self.send.limit, self.send.max_limit) = (size, size),
        }
        Changes::OUTPUT
    }
}
