//! Addresses of IPv6 on an interface: made (RFC 4862), checked for duplicates, advertised by routers (RFC 4861 §6.3), aged.

mod advertisement;
mod entry;
mod stable;

pub use entry::{Address, Origin, State};
pub use stable::Secret;

use crate::Interface;
use crate::prefix::Prefix;
use crate::route::{self, Route};
use crate::time::{MILLISECOND, SECOND, Turn, after, earlier};
use advertisement::Learned;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv6Addr;
use entry::{Entry, Step};
use rkt_wire::{ethernet, ipv6};

/// Most addresses of an interface that routers can make us make, as Linux's `max_addresses`.
pub const MAX_AUTONOMOUS: usize = 16;
/// Most addresses of an interface.
pub const MAX_ADDRESSES: usize = 64;
/// MAX_RTR_SOLICITATION_DELAY (RFC 4861 §10): also before the first probe (RFC 4862 §5.4.2).
const MAX_DELAY: u64 = SECOND;
/// IRT and MRT of router solicitations (RFC 7559 §2.1).
const SOLICIT_INTERVAL: u64 = 4 * SECOND;
const MAX_SOLICIT_INTERVAL: u64 = 3600 * SECOND;

/// How an interface is configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which.
    pub interface: Interface,
    /// Its card.
    pub mac: ethernet::Address,
    /// What its stable addresses are made from.
    pub secret: Secret,
    /// Routers are asked and believed.
    pub accept_advertisements: bool,
    /// Probes for duplicates of an address before it is used; 0: none (RFC 4862 §5.1).
    pub probes: u8,
    /// Largest MTU that a router may set: the card's.
    pub mtu: u16,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Join this group: neighbours ask in it for an address of ours.
    Join(Ipv6Addr),
    /// Leave it.
    Leave(Ipv6Addr),
    /// Send a neighbour solicitation from the unspecified address to the group of `target` (RFC 4862 §5.4.2).
    Probe {
        /// The address that may be used already.
        target: Ipv6Addr,
        /// To know it by if it comes back (RFC 7527 §4.1).
        nonce: [u8; 6],
    },
    /// Send a router solicitation from `source`, or from the unspecified address without saying the card.
    SolicitRouters {
        /// An address of ours.
        source: Option<Ipv6Addr>,
    },
    /// The address may be used.
    Ready(Ipv6Addr),
    /// The address may not be used any more.
    Gone(Ipv6Addr),
    /// Somebody else has the address, which is not used.
    Duplicate(Ipv6Addr),
    /// Add the route, in place of the same one.
    SetRoute(Route),
    /// Remove what [`Action::SetRoute`] added for this prefix and gateway.
    RemoveRoute {
        /// Prefix.
        prefix: Prefix,
        /// Gateway.
        gateway: Option<Ipv6Addr>,
    },
    /// A router sets the MTU of IPv6, in bytes.
    SetMtu(u16),
    /// A router sets the hop limit of packets to other links.
    SetHopLimit(u8),
    /// A router sets the times of neighbours, in nanoseconds, 0 where it does not say:
    /// see [`crate::neighbor::Timing::new`].
    SetTiming {
        /// Base of the time that a neighbour counts as reachable.
        reachable: u64,
        /// Between solicitations.
        retransmit: u64,
    },
    /// [`Autoconf::resolvers`] has changed.
    ResolversChanged,
}

/// Why an address was not added; the caller is guilty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// It is there: `EEXIST`.
    Exists,
    /// There are [`MAX_ADDRESSES`]: `ENOBUFS`.
    Full,
    /// No interface can have it: `EADDRNOTAVAIL`.
    Unusable,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exists => "the address exists",
            Self::Full => "too many addresses",
            Self::Unusable => "an address that no interface can have",
        })
    }
}

impl core::error::Error for AddressError {}

/// Asking for routers, with growing pauses (RFC 7559).
#[derive(Debug)]
struct Solicit {
    at: u64,
    interval: u64,
}

/// The addresses of an interface, and what routers said.
#[derive(Debug)]
pub struct Autoconf {
    config: Config,
    entries: Vec<Entry>,
    learned: Vec<Learned>,
    resolvers: Vec<(Ipv6Addr, Option<u64>)>,
    solicit: Option<Solicit>,
    retransmit: u64,
}

impl Autoconf {
    /// An interface that is not up yet.
    pub fn new(config: Config) -> Self {
        let (entries, learned, resolvers) = (Vec::new(), Vec::new(), Vec::new());
        Self { config, entries, learned, resolvers, solicit: None, retransmit: SECOND }
    }

    /// The interface comes up: makes its link-local address and looks for routers.
    pub fn start(&mut self, turn: &mut Turn<'_, Action>) {
        let network = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
        self.generate(network, Origin::LinkLocal, (None, None), 0, turn);
        let prefix = Prefix::new(network.into(), 64);
        turn.act(Action::SetRoute(Route::on_link(prefix, self.config.interface, route::Origin::Kernel)));
        if self.config.accept_advertisements {
            let at = turn.soon(MAX_DELAY);
            self.solicit = Some(Solicit { at, interval: SOLICIT_INTERVAL });
        }
    }

    /// Adds a configured address. It is usable once no duplicate was found.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn add(&mut self, address: Ipv6Addr, prefix_len: u8, turn: &mut Turn<'_, Action>) -> Result<(), AddressError> {
        if address.is_multicast() || address.is_unspecified() {
            return Err(AddressError::Unusable);
        }
        if self.find(address).is_some() {
            return Err(AddressError::Exists);
        }
        if self.entries.len() >= MAX_ADDRESSES {
            return Err(AddressError::Full);
        }
        let prefix = Prefix::new(address.into(), prefix_len);
        if !prefix.is_host() {
            turn.act(Action::SetRoute(Route::on_link(prefix, self.config.interface, route::Origin::Kernel)));
        }
        self.begin(Address::new(address, prefix.len(), Origin::Static, (None, None)), 0, turn);
        Ok(())
    }

    /// Removes an address; returns whether it was there.
    pub fn remove(&mut self, address: Ipv6Addr, turn: &mut Turn<'_, Action>) -> bool {
        let Some(at) = self.entries.iter().position(|entry| entry.address.address == address) else { return false };
        let entry = self.entries.remove(at);
        if entry.address.state != State::Duplicate {
            self.leave(&entry.address, turn);
        }
        let prefix = Prefix::new(address.into(), entry.address.prefix_len);
        let is_shared = self.entries.iter().any(|entry| prefix.contains(entry.address.address.into()));
        if entry.address.origin == Origin::Static && !prefix.is_host() && !is_shared {
            turn.act(Action::RemoveRoute { prefix, gateway: None });
        }
        true
    }

    /// All addresses, the oldest first.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.entries.iter().map(|entry| &entry.address)
    }

    /// Whether packets to `address` are for us, and neighbours that ask for it get an answer.
    pub fn is_ours(&self, address: Ipv6Addr) -> bool {
        self.find(address).is_some_and(|entry| entry.address.is_usable())
    }

    /// The link-local address, once it may be used.
    pub fn link_local(&self) -> Option<Ipv6Addr> {
        let is_it = |address: &&Address| address.address.is_unicast_link_local() && address.is_usable();
        self.addresses().find(is_it).map(|address| address.address)
    }

    /// Resolvers that routers advertise.
    pub fn resolvers(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.resolvers.iter().map(|(address, _)| *address)
    }

    /// A neighbour asks for `target`, from the unspecified address: it wants to have it, too (RFC 4862 §5.4.3).
    pub fn on_probe(&mut self, target: Ipv6Addr, nonce: Option<[u8; 6]>, turn: &mut Turn<'_, Action>) {
        // Our own probe comes back from some links (RFC 7527 §4.2).
        if self.find(target).is_some_and(|entry| entry.is_probed() && (nonce.is_none() || entry.nonce() != nonce)) {
            self.on_duplicate(target, turn);
        }
    }

    /// A neighbour says that it has `target` (RFC 4862 §5.4.4).
    pub fn on_claim(&mut self, target: Ipv6Addr, turn: &mut Turn<'_, Action>) {
        if self.find(target).is_some_and(Entry::is_probed) {
            self.on_duplicate(target, turn);
        }
    }

    /// When [`on_timer`](Self::on_timer) has something to do.
    pub fn deadline(&self) -> Option<u64> {
        let addresses = self.entries.iter().fold(None, |first, entry| earlier(first, entry.deadline()));
        let learned = self.learned.iter().fold(addresses, |first, learned| earlier(first, learned.until()));
        let resolvers = self.resolvers.iter().fold(learned, |first, (_, until)| earlier(first, *until));
        earlier(resolvers, self.solicit.as_ref().map(|solicit| solicit.at))
    }

    /// Does what is due.
    pub fn on_timer(&mut self, turn: &mut Turn<'_, Action>) {
        let mut gone = Vec::new();
        for entry in &mut self.entries {
            match entry.on_timer(self.config.probes, self.retransmit, turn) {
                Step::Stays => {}
                Step::Ends => gone.push(entry.address.address),
            }
        }
        for address in gone {
            self.remove(address, turn);
        }
        self.forget(turn);
        self.solicit(turn);
    }

    fn find(&self, address: Ipv6Addr) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.address.address == address)
    }

    /// Makes a stable address in `network` and begins to use it.
    fn generate(
        &mut self,
        network: Ipv6Addr,
        origin: Origin,
        lifetimes: (Option<u64>, Option<u64>),
        counter: u8,
        turn: &mut Turn<'_, Action>,
    ) {
        let (made, counter) = self.config.secret.address(network, self.config.mac, counter);
        if self.find(made).is_none() {
            self.begin(Address::new(made, 64, origin, lifetimes), counter, turn);
        }
    }

    /// Begins to check an address, or to use it.
    fn begin(&mut self, address: Address, counter: u8, turn: &mut Turn<'_, Action>) {
        turn.act(Action::Join(ipv6::solicited_node(address.address)));
        let first_probe = (self.config.probes > 0).then(|| turn.soon(MAX_DELAY));
        if first_probe.is_none() {
            turn.act(Action::Ready(address.address));
        }
        self.entries.push(Entry::new(address, first_probe, counter));
    }

    /// Somebody else has a tentative address. One that we made is made anew a few times (RFC 7217 §6), one that
    /// was configured stays as a sign (RFC 4862 §5.4.5).
    fn on_duplicate(&mut self, address: Ipv6Addr, turn: &mut Turn<'_, Action>) {
        let Some(at) = self.entries.iter().position(|entry| entry.address.address == address) else { return };
        turn.act(Action::Duplicate(address));
        turn.act(Action::Leave(ipv6::solicited_node(address)));
        let Some(entry) = self.entries.get_mut(at) else { return };
        let again = entry.next_counter().filter(|_| entry.address.origin != Origin::Static);
        let Some(counter) = again else {
            entry.give_up();
            return;
        };
        let Entry { address: Address { origin, preferred_until, valid_until, .. }, .. } = self.entries.remove(at);
        let network = Ipv6Addr::from_bits(address.to_bits() >> 64 << 64);
        self.generate(network, origin, (preferred_until, valid_until), counter, turn);
    }

    /// What goes with an address that goes.
    fn leave(&self, address: &Address, turn: &mut Turn<'_, Action>) {
        let group = ipv6::solicited_node(address.address);
        let is_shared = |entry: &Entry| {
            entry.address.state != State::Duplicate && ipv6::solicited_node(entry.address.address) == group
        };
        if !self.entries.iter().any(is_shared) {
            turn.act(Action::Leave(group));
        }
        if address.is_usable() {
            turn.act(Action::Gone(address.address));
        }
    }

    /// Asks for routers if that is due.
    fn solicit(&mut self, turn: &mut Turn<'_, Action>) {
        let source = self.link_local();
        let Some(solicit) = self.solicit.as_mut().filter(|solicit| solicit.at <= turn.now) else { return };
        turn.act(Action::SolicitRouters { source });
        // Ten per cent more or less (RFC 7559 §2, RFC 8415 §15).
        let tenth = solicit.interval / 10;
        solicit.at = after(turn.soon(2 * tenth), solicit.interval - tenth);
        solicit.interval = (2 * solicit.interval).min(MAX_SOLICIT_INTERVAL);
    }
}

/// Milliseconds of the wire.
const fn milliseconds(value: u32) -> u64 {
    value as u64 * MILLISECOND
}

#[cfg(test)]
mod tests;
