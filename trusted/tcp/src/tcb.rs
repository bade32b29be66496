//! The transmission control block (RFC 9293 §3.3.1), and what the owner of a connection can do with it.

use crate::acks::Acks;
use crate::config::{Config, MILLISECOND, SECOND, Setting};
use crate::congestion::Congestion;
use crate::info::Counters;
use crate::listen::Accepted;
use crate::receiver::{Receiver, Recent};
use crate::recovery::Recovery;
use crate::rtt::Rtt;
use crate::scoreboard::Scoreboard;
use crate::segment::Outgoing;
use crate::sender::Sender;
use crate::state::{Changes, Error, Opening, SendError, SendFlags, State};
use crate::timers::{NEVER, Timers};
use crate::timewait::TimeWait;
use crate::{seq, tuning};

/// How long a cork holds partial segments back (tcp(7): 200 ms).
const CORK: u64 = 200 * MILLISECOND;
/// Buffers that are idle for so long are given back.
pub(crate) const IDLE: u64 = SECOND;

/// No segment size below this is believed (Linux's `tcp_min_snd_mss`): it would only cost. All options
/// fit into it, and leave room for data.
pub(crate) const MSS_LEAST: u16 = 48;

/// What SYNs agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) timestamps: bool,
    pub(crate) sack: bool,
    pub(crate) scaling: bool,
}

/// A segment that is sent even if the connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parting {
    /// A reset.
    Reset { seq: u32, ack: Option<u32> },
    /// The acknowledgment of the peer's FIN.
    Acknowledgment,
}

/// One connection.
pub struct Tcb {
    pub(crate) state: State,
    pub(crate) config: Config,
    pub(crate) options: Options,
    /// What is added to the clock for timestamps.
    pub(crate) timestamp_offset: u32,
    pub(crate) send: Sender,
    pub(crate) board: Scoreboard,
    pub(crate) recv: Receiver,
    pub(crate) acks: Acks,
    pub(crate) rtt: Rtt,
    pub(crate) congestion: Congestion,
    pub(crate) recovery: Recovery,
    pub(crate) timers: Timers,
    pub(crate) counters: Counters,
    pub(crate) error: Option<Error>,
    /// An ICMP error that did not end the connection.
    pub(crate) soft_error: Option<i32>,
    /// What is due at once, whatever the state.
    pub(crate) parting: Option<Parting>,
    /// An empty segment that makes the peer answer is due.
    pub(crate) probe_due: bool,
    /// Probes (keep-alive or zero-window) that nothing has answered.
    pub(crate) probes: u8,
    /// When the peer was last heard.
    pub(crate) heard: u64,
    /// When an unanswered series of window probes began.
    pub(crate) probing_since: u64,
    /// When we last answered a segment that does not fit.
    pub(crate) challenged: Option<u64>,
    /// The application has let go.
    pub(crate) orphan: bool,
}

impl Tcb {
    fn new(now: u64, state: State, iss: u32, irs: Option<u32>, timestamp_offset: u32, config: &Config) -> Self {
        Self {
            state,
            config: *config,
            options: Options::default(),
            timestamp_offset,
            send: Sender::new(iss, config.send_buffer),
            board: Scoreboard::default(),
            recv: Receiver::new(now, config, irs),
            acks: Acks::new(),
            rtt: Rtt::new(),
            congestion: Congestion::new(config.congestion, config.mss.into()),
            recovery: Recovery::new(),
            timers: Timers::new(),
            counters: Counters::default(),
            error: None,
            soft_error: None,
            parting: None,
            probe_due: false,
            probes: 0,
            heard: now,
            probing_since: now,
            challenged: None,
            orphan: false,
        }
    }

    /// An active open (RFC 9293 §3.10.1). The first [`Tcb::transmit`] gives the SYN. `iss` is
    /// [`crate::initial_sequence`], `timestamp_offset` is [`crate::timestamp_offset`].
    pub fn connect(now: u64, iss: u32, timestamp_offset: u32, config: &Config) -> Self {
        let opening = State::SynSent(Opening { due: true, ..Opening::default() });
        Self::new(now, opening, iss, None, timestamp_offset, config)
    }

    /// The connection that a listener has completed. The segment that completed it is then given to
    /// [`Tcb::on_segment`], for its data.
    pub fn accepted(now: u64, accepted: &Accepted, config: &Config) -> Self {
        let offset = accepted.timestamp_offset;
        let mut tcb = Self::new(now, State::Established, accepted.iss, Some(accepted.irs), offset, config);
        tcb.agree(now, accepted.mss, accepted.window_scale, accepted.sack, accepted.recent);
        tcb.send.una += 1;
        tcb.send.nxt += 1;
        tcb.send.wl1 = tcb.recv.nxt - 1;
        tcb.send.wl2 = tcb.send.una;
        tcb.send.wnd = accepted.window;
        tcb.send.max_wnd = accepted.window;
        tcb.recv.announce_first();
        match accepted.rtt {
            Some(rtt) => tcb.rtt.sample(now, rtt, rtt),
            None if accepted.retransmitted => tcb.rtt.distrust(),
            None => {}
        }
        tcb.establish(now, accepted.retransmitted);
        tcb
    }

    /// Notes what the peer's SYN offers, as far as we offered it (or answer it), too.
    pub(crate) fn agree(&mut self, now: u64, mss: u16, scale: Option<u8>, sack: bool, recent: Option<u32>) {
        let scale = scale.filter(|_| self.config.window_scaling);
        let recent = recent.filter(|_| self.config.timestamps);
        self.options =
            Options { timestamps: recent.is_some(), sack: sack && self.config.sack, scaling: scale.is_some() };
        if let Some(scale) = scale {
            // RFC 7323 §2.3: a larger shift is taken as 14.
            self.send.scale = scale.min(14);
            self.recv.scale = self.config.window_scale();
        }
        self.recv.recent = Recent { value: recent.unwrap_or(0), at: now };
        self.send.peer_mss = mss.max(MSS_LEAST);
        self.send.path_mss = self.config.mss;
    }

    /// The connection is made: windows and timers start.
    pub(crate) fn establish(&mut self, now: u64, syn_was_lost: bool) {
        self.state = if self.send.fin.is_some() { State::FinWait1 } else { State::Established };
        self.congestion.start(self.segment_limit(), syn_was_lost);
        self.heard = now;
        if let Some(keepalive) = self.config.keepalive {
            self.timers.keepalive = now.saturating_add(keepalive.idle);
        }
    }

    /// The state (RFC 9293 §3.3.2).
    pub fn state(&self) -> &State {
        &self.state
    }

    /// When [`Tcb::on_timer`] is to be called, in ns; `u64::MAX`: not at all. It may be called early. Later
    /// calls may move it either way.
    pub fn deadline(&self) -> u64 {
        self.timers.next()
    }

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

    /// Gives received data to `drain`, which says how much it took; less than a piece ends the call. With
    /// `peek` the data stays. Returns how much was taken: zero if there is nothing, which is the end of the
    /// stream if [`Tcb::is_finished`]. Does not read across the urgent mark. May make a window update due
    /// ([`Tcb::transmit`]).
    pub fn receive(&mut self, now: u64, peek: bool, drain: &mut dyn FnMut(&[u8]) -> usize) -> usize {
        if !peek {
            self.skip_urgent();
        }
        let gap = usize::from(self.at_urgent_gap());
        let (first, second) = self.recv.ring.slices(gap, self.readable());
        let mut taken = if first.is_empty() { 0 } else { drain(first).min(first.len()) };
        if taken == first.len() && !second.is_empty() {
            taken += drain(second).min(second.len());
        }
        if !peek {
            self.consume(now, taken);
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
        self.recv.ring.release();
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

    /// Whether `seq` was sent and not acknowledged: an ICMP message that quotes anything else is not for this
    /// connection, or forged (RFC 5927 §4.1).
    pub fn is_outstanding(&self, seq: u32) -> bool {
        let seq = seq::near(self.send.una, seq);
        self.send.una <= seq && seq < self.send.nxt
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

    /// Takes the TIME-WAIT that takes this connection's place in the engine's table. What was received
    /// can still be read.
    pub fn take_time_wait(&mut self) -> Option<TimeWait> {
        let is = matches!(self.state, State::TimeWait);
        let wait = is.then(|| self.time_wait());
        if is {
            self.state = State::Closed;
            self.timers.close = NEVER;
        }
        wait
    }

    /// What is left of the connection in TIME-WAIT.
    pub(crate) fn time_wait(&self) -> TimeWait {
        TimeWait {
            snd_nxt: self.send.nxt,
            rcv_nxt: self.recv.nxt,
            rcv_wnd: self.recv.window(),
            window: (self.recv.window() >> self.recv.scale).min(u16::MAX.into()) as u16,
            timestamps: self.options.timestamps.then_some((self.recv.recent, self.timestamp_offset)),
            deadline: self.timers.close,
            answered: self.challenged,
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

    /// Our timestamp (RFC 7323 §5.4: a clock of 1 ms).
    pub(crate) fn timestamp(&self, now: u64) -> u32 {
        ((now / MILLISECOND) as u32).wrapping_add(self.timestamp_offset)
    }

    /// Payload of a full segment: the agreed size less the options of every segment (RFC 6691 §2).
    pub(crate) fn segment_limit(&self) -> u64 {
        let options = if self.options.timestamps { 12 } else { 0 };
        u64::from(self.send.mss().max(MSS_LEAST) - options)
    }

    /// The connection is over. What arrived stays readable, what was to be sent does not.
    pub(crate) fn end(&mut self, error: Option<Error>) -> Changes {
        if matches!(self.state, State::Closed) {
            return Changes::empty();
        }
        self.state = State::Closed;
        self.timers = Timers::new();
        self.board = Scoreboard::default();
        self.send.ring.release();
        self.send.fin = None;
        self.send.nxt = self.send.una;
        self.acks.due = false;
        self.error = error.or(self.error);
        let failed = if error.is_some() { Changes::ERROR } else { Changes::empty() };
        Changes::CLOSED | Changes::READABLE | Changes::WRITABLE | failed
    }

    /// A reset from our side is due. With the acknowledgment bit, as a reset between two that are
    /// synchronized has.
    fn reset(&mut self) {
        self.parting = Some(Parting::Reset { seq: self.send.nxt as u32, ack: Some(self.recv.nxt as u32) });
    }

    /// A reset that answers an acknowledgment of `ack` is due (RFC 9293 §3.10.7.4).
    pub(crate) fn refuse(&mut self, ack: u64) {
        self.parting = Some(Parting::Reset { seq: ack as u32, ack: None });
    }

    /// Arms the look at idle buffers.
    pub(crate) fn watch_idle_buffers(&mut self, now: u64) {
        let idle = (self.send.ring.is_empty() && self.send.ring.capacity() > 0)
            || (self.recv.ring.is_empty() && self.recv.ring.capacity() > 0);
        if idle && self.timers.trim == NEVER {
            self.timers.trim = now.saturating_add(IDLE);
        }
    }

    /// The peer's sequence number on the wire, read near the window.
    pub(crate) fn near(&self, wire: u32) -> u64 {
        seq::near(self.recv.nxt, wire)
    }
}
