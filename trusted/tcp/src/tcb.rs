//! The transmission control block (RFC 9293 §3.3.1): how it begins and how it ends.

use crate::acks::Acks;
use crate::config::{Config, MILLISECOND};
use crate::congestion::Congestion;
use crate::ecn::Ecn;
use crate::info::Counters;
use crate::listen::Accepted;
use crate::receiver::{Receiver, Recent};
use crate::recovery::Recovery;
use crate::rtt::Rtt;
use crate::scoreboard::Scoreboard;
use crate::sender::Sender;
use crate::seq;
use crate::state::{Changes, Error, Opening, State};
use crate::timers::{NEVER, Timers};
use crate::timewait::TimeWait;

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
    pub(crate) ecn: Ecn,
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
            ecn: Ecn::default(),
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
        tcb.ecn = Ecn::new(accepted.ecn);
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
    pub(crate) fn reset(&mut self) {
        self.parting = Some(Parting::Reset { seq: self.send.bare_seq() as u32, ack: Some(self.recv.nxt as u32) });
    }

    /// A reset that answers an acknowledgment of `ack` is due (RFC 9293 §3.10.7.4).
    pub(crate) fn refuse(&mut self, ack: u64) {
        self.parting = Some(Parting::Reset { seq: ack as u32, ack: None });
    }

    /// The peer's sequence number on the wire, read near the window.
    pub(crate) fn near(&self, wire: u32) -> u64 {
        seq::near(self.recv.nxt, wire)
    }
}
