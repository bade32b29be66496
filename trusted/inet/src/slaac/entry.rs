//! One address: tentative, preferred, deprecated (RFC 4862 §5.4, §5.5.4).

use super::Action;
use crate::time::{Turn, after, earlier};
use core::net::Ipv6Addr;

/// How often an address is made anew if others have it (RFC 7217 §7, IDGEN_RETRIES).
const MAX_RETRIES: u8 = 3;

/// Where an address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The link-local address that each interface makes.
    LinkLocal,
    /// Made from a router's prefix.
    Autonomous,
    /// Configuration, or the program.
    Static,
}

/// State of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Perhaps somebody else has it: not used.
    Tentative,
    /// Used.
    Preferred,
    /// Used, but not for new connections.
    Deprecated,
    /// Somebody else has it: not used.
    Duplicate,
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub address: Ipv6Addr,
    /// Bits of its prefix.
    pub prefix_len: u8,
    /// Where it comes from.
    pub origin: Origin,
    /// State.
    pub state: State,
    /// Until when it is preferred; `None`: for ever.
    pub preferred_until: Option<u64>,
    /// Until when it is valid; `None`: for ever.
    pub valid_until: Option<u64>,
}

impl Address {
    /// A tentative one, with the ends of its lifetimes: preferred, valid.
    pub(super) fn new(address: Ipv6Addr, prefix_len: u8, origin: Origin, ends: (Option<u64>, Option<u64>)) -> Self {
        let (preferred_until, valid_until) = ends;
        Self { address, prefix_len, origin, state: State::Tentative, preferred_until, valid_until }
    }

    /// Whether it is used.
    pub const fn is_usable(&self) -> bool {
        matches!(self.state, State::Preferred | State::Deprecated)
    }
}

/// The check for duplicates of a tentative address.
#[derive(Debug)]
struct Check {
    /// Probes sent.
    sent: u8,
    /// When to send the next, or to be satisfied.
    at: u64,
    nonce: Option<[u8; 6]>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub address: Address,
    check: Option<Check>,
    /// How many addresses before it were duplicates.
    counter: u8,
}

/// What a timer makes of an address.
pub(super) enum Step {
    Stays,
    Ends,
}

impl Entry {
    /// One to be checked from `first_probe` on, or to be used at once.
    pub fn new(mut address: Address, first_probe: Option<u64>, counter: u8) -> Self {
        let check = first_probe.map(|at| Check { sent: 0, at, nonce: None });
        if check.is_none() {
            address.state = State::Preferred;
        }
        Self { address, check, counter }
    }

    pub const fn is_probed(&self) -> bool {
        self.check.is_some()
    }

    pub fn nonce(&self) -> Option<[u8; 6]> {
        self.check.as_ref().and_then(|check| check.nonce)
    }

    /// The counter for another try, if there may be one.
    pub fn next_counter(&self) -> Option<u8> {
        self.counter.checked_add(1).filter(|counter| *counter <= MAX_RETRIES)
    }

    pub fn give_up(&mut self) {
        self.check = None;
        self.address.state = State::Duplicate;
    }

    pub fn deadline(&self) -> Option<u64> {
        let preferred = self.address.preferred_until.filter(|_| self.address.state == State::Preferred);
        earlier(earlier(preferred, self.address.valid_until), self.check.as_ref().map(|check| check.at))
    }

    pub fn on_timer(&mut self, probes: u8, retransmit: u64, turn: &mut Turn<'_, Action>) -> Step {
        let has_come = |until: Option<u64>| until.is_some_and(|until| until <= turn.now);
        if has_come(self.address.valid_until) {
            return Step::Ends;
        }
        let is_old = has_come(self.address.preferred_until);
        if self.check.as_ref().is_some_and(|check| check.at <= turn.now) {
            self.probe(probes, retransmit, turn);
        }
        if self.address.state == State::Preferred && is_old {
            self.address.state = State::Deprecated;
        }
        Step::Stays
    }

    /// The lifetimes were set anew: an address can become preferred again.
    pub fn refresh(&mut self, now: u64) {
        if self.address.is_usable() {
            let is_old = self.address.preferred_until.is_some_and(|until| until <= now);
            self.address.state = if is_old { State::Deprecated } else { State::Preferred };
        }
    }

    /// Sends the next probe, or is satisfied.
    fn probe(&mut self, probes: u8, retransmit: u64, turn: &mut Turn<'_, Action>) {
        let target = self.address.address;
        match &mut self.check {
            Some(check) if check.sent < probes => {
                let ([a, b, c, d], [e, f, ..]) = ((turn.random)().to_be_bytes(), (turn.random)().to_be_bytes());
                let nonce = [a, b, c, d, e, f];
                (check.nonce, check.at) = (Some(nonce), after(turn.now, retransmit));
                check.sent += 1;
                turn.act(Action::Probe { target, nonce });
            }
            _ => {
                self.check = None;
                self.address.state = State::Preferred;
                turn.act(Action::Ready(target));
            }
        }
    }
}
