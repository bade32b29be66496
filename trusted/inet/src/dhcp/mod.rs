//! A client of DHCP for IPv4 (RFC 2131 §4.4).

mod lease;

pub use lease::{Lease, MAX_LIST};

use crate::time::{SECOND, Turn, after};
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use lease::Offer;
use rkt_wire::dhcp::{self, Kind, Message, Options, code};
use rkt_wire::ethernet;

/// First pause before a message is sent again, which doubles (RFC 2131 §4.1).
const FIRST_PAUSE: u64 = 4 * SECOND;
/// Longest pause.
const LAST_PAUSE: u64 = 64 * SECOND;
/// Requests for an offer before it is given up (as RFC 2131 §4.4.1: 60 seconds).
const MAX_REQUESTS: u32 = 4;
/// Shortest pause between requests of a lease that is renewed (RFC 2131 §4.4.5).
const MIN_RENEWAL_PAUSE: u64 = 60 * SECOND;
/// Pause after an address was declined or refused (RFC 2131 §3.1.5).
const RESTART_PAUSE: u64 = 10 * SECOND;
/// How an address is probed before it is used (RFC 5227 §1.1: PROBE_NUM, and the time to wait after each).
const PROBES: u32 = 3;
const PROBE_PAUSE: u64 = SECOND;

/// Options that servers are asked for.
const WANTED: [u8; 10] = [
    code::SUBNET_MASK,
    code::CLASSLESS_ROUTES,
    code::ROUTERS,
    code::RESOLVERS,
    code::HOST_NAME,
    code::DOMAIN_NAME,
    code::MTU,
    code::BROADCAST,
    code::RENEWAL_TIME,
    code::REBINDING_TIME,
];

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a datagram from port 68 to port 67. From the unspecified address it goes to everyone on the link.
    Send {
        /// Our address, if we have one.
        source: Ipv4Addr,
        /// The server, or everyone.
        destination: Ipv4Addr,
        /// Payload of the datagram.
        payload: Vec<u8>,
    },
    /// Ask with ARP, from the unspecified address, whether somebody has this address (RFC 5227 §2.1.1).
    Probe(Ipv4Addr),
    /// Use the lease: its address, routes and resolvers, in place of those of one before.
    Configure(Lease),
    /// The lease has ended: do not use its address any more.
    Deconfigure,
}

/// Where the exchange stands (RFC 2131, figure 5).
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Waiting to begin.
    Init,
    /// Offers are awaited.
    Selecting,
    /// One was chosen, its server is asked.
    Requesting(Offer),
    /// It was granted, neighbours are asked.
    Probing(Lease),
    /// It is used.
    Bound(Lease),
    /// Its server is asked for more time.
    Renewing(Lease),
    /// All servers are asked for more time.
    Rebinding(Lease),
    /// The client was stopped.
    Stopped,
}

/// How the client presents itself.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its card, by which servers know it.
    pub mac: ethernet::Address,
    /// Its name, told to servers; may be empty. At most 255 bytes count.
    pub host_name: Vec<u8>,
    /// Neighbours are asked before an address is used (RFC 2131 §2.2).
    pub probe: bool,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    config: Config,
    state: State,
    transaction: u32,
    /// When the exchange began.
    began: u64,
    /// Messages or probes sent in this state.
    sent: u32,
    deadline: Option<u64>,
}

impl Client {
    /// A client that begins at its first [`on_timer`](Self::on_timer), which is due at once.
    pub const fn new(config: Config, now: u64) -> Self {
        Self { config, state: State::Init, transaction: 0, began: now, sent: 0, deadline: Some(now) }
    }

    /// The lease in use.
    pub const fn lease(&self) -> Option<&Lease> {
        match &self.state {
            State::Bound(lease) | State::Renewing(lease) | State::Rebinding(lease) => Some(lease),
            _ => None,
        }
    }

    /// When [`on_timer`](Self::on_timer) has something to do.
    pub const fn deadline(&self) -> Option<u64> {
        self.deadline
    }

    /// Does what is due.
    pub fn on_timer(&mut self, turn: &mut Turn<'_, Action>) {
        if self.deadline.is_none_or(|deadline| turn.now < deadline) {
            return;
        }
        match core::mem::replace(&mut self.state, State::Init) {
            State::Init => self.discover(turn),
            State::Selecting => {
                self.state = State::Selecting;
                self.send(Kind::Discover, Options::default(), turn);
                self.back_off(turn);
            }
            State::Requesting(_) if self.sent >= MAX_REQUESTS => self.discover(turn),
            State::Requesting(offer) => self.request(offer, turn),
            State::Probing(lease) if self.sent >= PROBES => self.bind(lease, turn),
            State::Probing(lease) => self.probe(lease, turn),
            State::Bound(lease) => {
                (self.transaction, self.began) = ((turn.random)(), turn.now);
                self.renew(lease, turn);
            }
            State::Renewing(lease) if lease.rebind_at.is_some_and(|at| at <= turn.now) => {
                (self.transaction, self.began) = ((turn.random)(), turn.now);
                self.renew(lease, turn);
            }
            State::Renewing(lease) | State::Rebinding(lease) => self.renew(lease, turn),
            State::Stopped => self.deadline = None,
        }
    }

    /// A datagram arrived at port 68.
    pub fn on_packet(&mut self, payload: &[u8], turn: &mut Turn<'_, Action>) {
        let Ok(message) = Message::parse(payload) else { return };
        if message.transaction != self.transaction || message.mac != self.config.mac {
            return;
        }
        match (core::mem::replace(&mut self.state, State::Init), message.kind) {
            // The first offer that makes sense is taken.
            (State::Selecting, Kind::Offer) => match Offer::from_message(&message) {
                Some(offer) => {
                    self.sent = 0;
                    self.request(offer, turn);
                }
                None => self.state = State::Selecting,
            },
            (State::Requesting(offer), Kind::Ack) => match Lease::from_message(&message, offer.server, self.began) {
                Some(lease) if self.config.probe => {
                    self.sent = 0;
                    self.probe(lease, turn);
                }
                Some(lease) => self.bind(lease, turn),
                None => self.state = State::Requesting(offer),
            },
            (State::Renewing(old) | State::Rebinding(old), Kind::Ack) => self.extend(old, &message, turn),
            (State::Requesting(offer), Kind::Nak) if is_from(&message, offer.server) => self.restart(turn),
            (State::Renewing(old), Kind::Nak) if is_from(&message, old.server) => {
                turn.act(Action::Deconfigure);
                self.restart(turn);
            }
            (State::Rebinding(_), Kind::Nak) => {
                turn.act(Action::Deconfigure);
                self.restart(turn);
            }
            (state, _) => self.state = state,
        }
    }

    /// ARP shows that somebody else has `address`: the lease is declined (RFC 2131 §4.4.4) or, in use, given up
    /// (RFC 5227 §2.4 a).
    pub fn on_conflict(&mut self, address: Ipv4Addr, turn: &mut Turn<'_, Action>) {
        let lease = match &self.state {
            State::Probing(lease) | State::Bound(lease) | State::Renewing(lease) | State::Rebinding(lease) => lease,
            _ => return,
        };
        if lease.address != address {
            return;
        }
        let options =
            Options { requested_address: Some(lease.address), server_id: Some(lease.server), ..Options::default() };
        let was_used = !matches!(self.state, State::Probing(_));
        // Sent from the unspecified address, with none of ours in it (RFC 2131 §4.4.1, table 5).
        self.state = State::Init;
        self.transaction = (turn.random)();
        self.send(Kind::Decline, options, turn);
        if was_used {
            turn.act(Action::Deconfigure);
        }
        self.restart(turn);
    }

    /// Gives the lease back (RFC 2131 §4.4.6) and stops.
    pub fn stop(&mut self, turn: &mut Turn<'_, Action>) {
        if let Some(lease) = self.lease() {
            let options = Options { server_id: Some(lease.server), ..Options::default() };
            self.transaction = (turn.random)();
            self.send(Kind::Release, options, turn);
            turn.act(Action::Deconfigure);
        }
        (self.state, self.deadline) = (State::Stopped, None);
    }

    fn discover(&mut self, turn: &mut Turn<'_, Action>) {
        self.state = State::Selecting;
        (self.transaction, self.began, self.sent) = ((turn.random)(), turn.now, 0);
        self.send(Kind::Discover, Options::default(), turn);
        self.back_off(turn);
    }

    fn request(&mut self, offer: Offer, turn: &mut Turn<'_, Action>) {
        let options =
            Options { requested_address: Some(offer.address), server_id: Some(offer.server), ..Options::default() };
        // The lease runs from when it was asked for (RFC 2131 §4.4.1).
        self.state = State::Requesting(offer);
        self.began = if self.sent == 0 { turn.now } else { self.began };
        self.send(Kind::Request, options, turn);
        self.back_off(turn);
    }

    fn probe(&mut self, lease: Lease, turn: &mut Turn<'_, Action>) {
        turn.act(Action::Probe(lease.address));
        self.sent += 1;
        self.deadline = Some(turn.soon(PROBE_PAUSE / 2).max(after(turn.now, PROBE_PAUSE)));
        self.state = State::Probing(lease);
    }

    fn bind(&mut self, lease: Lease, turn: &mut Turn<'_, Action>) {
        turn.act(Action::Configure(lease.clone()));
        // Not at once, even if probing took long.
        self.deadline = lease.renew_at.map(|at| at.max(after(turn.now, SECOND)));
        self.state = State::Bound(lease);
    }

    /// Asks for more time, or gives up: T1, T2 and the end of the lease (RFC 2131 §4.4.5).
    fn renew(&mut self, lease: Lease, turn: &mut Turn<'_, Action>) {
        let now = turn.now;
        let has_come = |time: Option<u64>| time.is_some_and(|time| time <= now);
        if has_come(lease.ends_at) {
            turn.act(Action::Deconfigure);
            self.discover(turn);
            return;
        }
        let next = if has_come(lease.rebind_at) { lease.ends_at } else { lease.rebind_at };
        self.state = if has_come(lease.rebind_at) { State::Rebinding(lease) } else { State::Renewing(lease) };
        self.send(Kind::Request, Options::default(), turn);
        // Half of the time left, but not too often.
        self.deadline = next.map(|next| {
            let half = after(now, (next.saturating_sub(now) / 2).max(MIN_RENEWAL_PAUSE));
            half.min(next)
        });
    }

    /// The lease goes on; perhaps with other options, which are used from now on.
    fn extend(&mut self, old: Lease, message: &Message<'_>, turn: &mut Turn<'_, Action>) {
        match Lease::from_message(message, old.server, self.began) {
            Some(lease) if lease.address == old.address => self.bind(lease, turn),
            // Another address, or none: not an answer to what was asked.
            _ => {
                self.state = if turn.now < old.rebind_at.unwrap_or(u64::MAX) {
                    State::Renewing(old)
                } else {
                    State::Rebinding(old)
                }
            }
        }
    }

    fn restart(&mut self, turn: &mut Turn<'_, Action>) {
        self.state = State::Init;
        self.deadline = Some(after(turn.now, RESTART_PAUSE));
    }

    /// The pause before the message is sent again: doubled each time, a second more or less (RFC 2131 §4.1).
    fn back_off(&mut self, turn: &mut Turn<'_, Action>) {
        let pause = FIRST_PAUSE.checked_shl(self.sent).map_or(LAST_PAUSE, |pause| pause.min(LAST_PAUSE));
        self.deadline = Some(after(turn.soon(2 * SECOND), pause - SECOND));
        self.sent = self.sent.saturating_add(1).min(16);
    }

    /// Sends a message with these options and what each message has.
    fn send(&self, kind: Kind, options: Options<'_>, turn: &mut Turn<'_, Action>) {
        let (client, destination) = match &self.state {
            State::Bound(lease) | State::Renewing(lease) => (lease.address, lease.server),
            State::Rebinding(lease) => (lease.address, Ipv4Addr::BROADCAST),
            _ => (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST),
        };
        let [a, b, c, d, e, f] = self.config.mac.0;
        // The type of hardware, then the address (RFC 2132 §9.14).
        let client_id = [1, a, b, c, d, e, f];
        let asks = matches!(kind, Kind::Discover | Kind::Request);
        let name = self.config.host_name.as_slice();
        let options = Options {
            client_id: &client_id,
            host_name: if asks { name.get(..name.len().min(255)).unwrap_or_default() } else { &[] },
            parameter_list: if asks { &WANTED } else { &[] },
            max_message_len: asks.then_some(dhcp::MAX_MESSAGE_LEN),
            ..options
        };
        let message = Message {
            kind,
            transaction: self.transaction,
            seconds: u16::try_from(turn.now.saturating_sub(self.began) / SECOND).unwrap_or(u16::MAX),
            // We take unicast frames to an address that we do not have yet.
            broadcast: false,
            client,
            yours: Ipv4Addr::UNSPECIFIED,
            server: Ipv4Addr::UNSPECIFIED,
            relay: Ipv4Addr::UNSPECIFIED,
            mac: self.config.mac,
            options,
        };
        let mut payload = alloc::vec![0; 1024];
        if let Ok(len) = message.emit(&mut payload) {
            payload.truncate(len);
            turn.act(Action::Send { source: client, destination, payload });
        }
    }
}

/// Whether a message says that it is from `server`, or does not say.
fn is_from(message: &Message<'_>, server: Ipv4Addr) -> bool {
    message.options.server_id.is_none_or(|id| id == server)
}

#[cfg(test)]
mod tests;
