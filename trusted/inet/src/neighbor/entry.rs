//! The state machine of one neighbour (RFC 4861 §7.3, appendix C).

use super::Advertisement;
use crate::time::{SECOND, after};
use arrayvec::ArrayVec;
use rkt_wire::ethernet::Address;

/// Most packets that wait for a neighbour.
pub const MAX_QUEUED: usize = 3;
/// MAX_MULTICAST_SOLICIT (§10).
const MAX_MULTICAST: u8 = 3;
/// MAX_UNICAST_SOLICIT (§10).
const MAX_UNICAST: u8 = 3;
/// DELAY_FIRST_PROBE_TIME (§10).
const DELAY: u64 = 5 * SECOND;

/// State of a neighbour (§7.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is asked for; no card is known.
    Incomplete,
    /// Known to be there.
    Reachable,
    /// Was there once.
    Stale,
    /// Sent to; perhaps an upper layer confirms it.
    Delay,
    /// It is asked for; the card that is known is still used.
    Probe,
    /// It did not answer.
    Failed,
    /// Set by configuration.
    Permanent,
}

/// A neighbour.
#[derive(Debug)]
pub(super) struct Entry<P> {
    pub state: State,
    pub mac: Option<Address>,
    pub router: bool,
    pub updated: u64,
    pub used: u64,
    pub deadline: Option<u64>,
    pub queue: ArrayVec<P, MAX_QUEUED>,
    /// Solicitations sent.
    probes: u8,
}

/// What a timer asks for.
pub(super) enum Step {
    Quiet,
    Solicit(Option<Address>),
    Fail,
}

impl<P> Entry<P> {
    /// One of which nothing is known.
    pub fn new(now: u64) -> Self {
        Self {
            state: State::Failed,
            mac: None,
            router: false,
            updated: now,
            used: now,
            deadline: None,
            queue: ArrayVec::new(),
            probes: 0,
        }
    }

    /// The one with the least goes first. An attacker can make entries that fail, are incomplete or stale;
    /// those that answer stay.
    pub fn usefulness(&self) -> (u8, u64) {
        let class = match self.state {
            State::Failed => 0,
            State::Incomplete => 1,
            State::Stale => 2,
            State::Delay | State::Probe => 3,
            State::Reachable => 4,
            State::Permanent => 5,
        };
        (class, self.used.max(self.updated))
    }

    pub fn queue(&mut self, packet: P) {
        if self.queue.is_full() {
            self.queue.remove(0);
        }
        self.queue.push(packet);
    }

    /// Begins to ask for it; returns the deadline.
    pub fn begin(&mut self, now: u64, retransmit: u64) -> u64 {
        self.state = State::Incomplete;
        self.probes = 1;
        let deadline = after(now, retransmit);
        self.deadline = Some(deadline);
        deadline
    }

    /// Sent to while stale: an upper layer has some time to confirm it. Returns the deadline.
    pub fn delay(&mut self, now: u64) -> u64 {
        self.state = State::Delay;
        let deadline = after(now, DELAY);
        self.deadline = Some(deadline);
        deadline
    }

    /// Takes a card in a state without a timer.
    pub fn learn(&mut self, mac: Address, state: State, now: u64) {
        (self.mac, self.state, self.updated, self.deadline) = (Some(mac), state, now, None);
    }

    pub fn confirm(&mut self, now: u64, reachable_until: u64) {
        if matches!(self.state, State::Reachable | State::Stale | State::Delay | State::Probe) {
            (self.state, self.updated, self.deadline) = (State::Reachable, now, Some(reachable_until));
        }
    }

    /// The rules of §7.2.5. Returns the card that what waited goes to.
    pub fn advertise(
        &mut self,
        mac: Option<Address>,
        advertisement: Advertisement,
        now: u64,
        reachable_until: u64,
    ) -> Option<Address> {
        let Advertisement { router, solicited, overriding } = advertisement;
        if self.state == State::Permanent {
            return None;
        }
        let Some(known) = self.mac else {
            // Incomplete or failed: the first card counts whatever the flags say.
            let mac = mac?;
            self.router = router;
            self.learn(mac, State::Stale, now);
            if solicited {
                self.confirm(now, reachable_until);
            }
            return Some(mac);
        };
        let mac = mac.unwrap_or(known);
        if mac != known && !overriding {
            // Somebody else claims it: what is known is used, but probed.
            if self.state == State::Reachable {
                self.learn(known, State::Stale, now);
            }
            return None;
        }
        self.router = router;
        if mac != known {
            self.learn(mac, State::Stale, now);
        }
        if solicited {
            self.confirm(now, reachable_until);
        }
        None
    }

    /// Its deadline has come.
    pub fn on_timer(&mut self, now: u64, retransmit: u64) -> Step {
        self.deadline = Some(after(now, retransmit));
        match self.state {
            State::Incomplete if self.probes < MAX_MULTICAST => {
                self.probes += 1;
                Step::Solicit(None)
            }
            State::Delay => {
                (self.state, self.probes) = (State::Probe, 1);
                Step::Solicit(self.mac)
            }
            State::Probe if self.probes < MAX_UNICAST => {
                self.probes += 1;
                Step::Solicit(self.mac)
            }
            State::Incomplete | State::Probe => {
                (self.state, self.mac, self.deadline) = (State::Failed, None, None);
                Step::Fail
            }
            State::Reachable => {
                (self.state, self.deadline) = (State::Stale, None);
                Step::Quiet
            }
            State::Stale | State::Failed | State::Permanent => {
                self.deadline = None;
                Step::Quiet
            }
        }
    }
}
