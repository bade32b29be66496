//! Neighbours: which card an address on the link has, for ARP (RFC 826) and Neighbour Discovery (RFC 4861 §7) alike.
//!
//! One [`Cache`] an interface. A neighbour is looked up for each packet; one without a card queues a few packets
//! while it is asked for. `P` is a packet, which the cache does not look into.

mod entry;

pub use entry::{MAX_QUEUED, State};

use crate::time::{Random, SECOND, after, earlier};
use alloc::vec::Vec;
use core::net::IpAddr;
use entry::{Entry, Step};
use hashbrown::HashMap;
use rkt_wire::ethernet::Address;

/// Most neighbours of an interface.
pub const MAX_ENTRIES: usize = 1024;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<P> {
    /// Ask who has `target`: the card `to` alone, or everyone.
    Solicit {
        /// The neighbour.
        target: IpAddr,
        /// Its card as far as known.
        to: Option<Address>,
    },
    /// Send a packet that waited.
    Transmit {
        /// The neighbour's card.
        to: Address,
        /// The packet.
        packet: P,
    },
    /// A packet cannot be sent: its neighbour does not answer. Its sender is told: host unreachable.
    Unreachable {
        /// The neighbour.
        target: IpAddr,
        /// The packet.
        packet: P,
    },
}

/// What an advertisement says beside the card (RFC 4861 §4.4). An ARP reply is solicited and overriding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// By a router.
    pub router: bool,
    /// In answer to a solicitation: the neighbour is reachable.
    pub solicited: bool,
    /// Replaces what is known.
    pub overriding: bool,
}

impl Advertisement {
    /// What an ARP reply to us says.
    pub const ARP_REPLY: Self = Self { router: false, solicited: true, overriding: true };
}

/// Times (RFC 4861 §6.3.2), in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a neighbour counts as reachable; to be drawn with [`Timing::new`].
    pub reachable: u64,
    /// Between solicitations.
    pub retransmit: u64,
}

impl Timing {
    /// From base values, those of RFC 4861 §10 where 0: 30 s and 1 s.
    pub fn new(reachable_base: u64, retransmit: u64, random: &mut Random<'_>) -> Self {
        let base = if reachable_base == 0 { 30 * SECOND } else { reachable_base };
        let retransmit = if retransmit == 0 { SECOND } else { retransmit };
        // Between half and one and a half of it (§6.3.2), so that neighbours do not probe in step.
        Self { reachable: base / 2 + crate::time::random_span(base, random), retransmit }
    }
}

/// What others may see of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// Its address.
    pub address: IpAddr,
    /// Its card, if known.
    pub mac: Option<Address>,
    /// State.
    pub state: State,
    /// It is a router.
    pub router: bool,
    /// When it was last heard of.
    pub updated: u64,
    /// When it was last sent to.
    pub used: u64,
}

/// The neighbours of an interface.
#[derive(Debug)]
pub struct Cache<P> {
    entries: HashMap<IpAddr, Entry<P>>,
    timing_v4: Timing,
    timing_v6: Timing,
    /// No entry has a deadline before this.
    next: Option<u64>,
}

impl<P> Cache<P> {
    /// A cache without neighbours.
    pub fn new(timing: Timing) -> Self {
        Self { entries: HashMap::new(), timing_v4: timing, timing_v6: timing, next: None }
    }

    /// Changes the times of IPv6, as a router's advertisement may.
    pub fn set_timing_v6(&mut self, timing: Timing) {
        self.timing_v6 = timing;
    }

    /// The card to send a packet for `address` to. If there is none, [`enqueue`](Self::enqueue) the packet.
    #[inline]
    pub fn lookup(&mut self, address: IpAddr, now: u64) -> Option<Address> {
        let entry = self.entries.get_mut(&address)?;
        let mac = entry.mac?;
        entry.used = now;
        if entry.state == State::Stale {
            let deadline = entry.delay(now);
            self.next = earlier(self.next, Some(deadline));
        }
        Some(mac)
    }

    /// Whether `address` was asked for in vain: RFC 4861 §6.3.6 prefers other routers then.
    pub fn has_failed(&self, address: IpAddr) -> bool {
        self.entries.get(&address).is_some_and(|entry| entry.state == State::Failed)
    }

    /// Queues a packet for a neighbour without a card, and asks for it. Of too many packets the oldest is dropped
    /// (RFC 4861 §7.2.2).
    pub fn enqueue(&mut self, address: IpAddr, packet: P, now: u64, actions: &mut Vec<Action<P>>) {
        let retransmit = self.timing(address).retransmit;
        let entry = self.entry(address, now, actions);
        entry.used = now;
        if let Some(to) = entry.mac {
            actions.push(Action::Transmit { to, packet });
            return;
        }
        entry.queue(packet);
        if entry.state != State::Incomplete {
            let deadline = entry.begin(now, retransmit);
            actions.push(Action::Solicit { target: address, to: None });
            self.next = earlier(self.next, Some(deadline));
        }
    }

    /// A neighbour told its card in passing: as the sender of a request or solicitation (RFC 826; RFC 4861 §7.2.3,
    /// §6.2.6), a router's message (§6.3.4, §8.3). Whoever is not known is remembered if `create`.
    pub fn on_hint(&mut self, address: IpAddr, mac: Address, create: bool, now: u64, actions: &mut Vec<Action<P>>) {
        if !mac.is_unicast() || !create && !self.entries.contains_key(&address) {
            return;
        }
        let entry = self.entry(address, now, actions);
        if entry.state == State::Permanent || entry.mac == Some(mac) {
            return;
        }
        entry.learn(mac, State::Stale, now);
        release(entry, mac, actions);
    }

    /// A known neighbour showed that it is a router (RFC 4861 §6.3.4, §8.3).
    pub fn mark_router(&mut self, address: IpAddr) {
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.router = true;
        }
    }

    /// A neighbour answered or announced itself (RFC 4861 §7.2.5). `mac` is missing only from answers to a unicast.
    pub fn on_advertisement(
        &mut self,
        address: IpAddr,
        mac: Option<Address>,
        advertisement: Advertisement,
        now: u64,
        actions: &mut Vec<Action<P>>,
    ) {
        let reachable = after(now, self.timing(address).reachable);
        // Nobody asked: no entry is made (§7.2.5).
        let Some(entry) = self.entries.get_mut(&address) else { return };
        if mac.is_some_and(|mac| !mac.is_unicast()) {
            return;
        }
        if let Some(to) = entry.advertise(mac, advertisement, now, reachable) {
            release(entry, to, actions);
        }
        self.next = earlier(self.next, entry.deadline);
    }

    /// An upper layer saw progress: what it sent to the neighbour arrived (RFC 4861 §7.3.1).
    #[inline]
    pub fn confirm(&mut self, address: IpAddr, now: u64) {
        let reachable = after(now, self.timing(address).reachable);
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.confirm(now, reachable);
            self.next = earlier(self.next, entry.deadline);
        }
    }

    /// Sets a card that is neither asked for nor forgotten.
    pub fn set_permanent(&mut self, address: IpAddr, mac: Address, now: u64, actions: &mut Vec<Action<P>>) {
        let entry = self.entry(address, now, actions);
        entry.learn(mac, State::Permanent, now);
        release(entry, mac, actions);
    }

    /// Forgets a neighbour; packets that wait for it fail. Returns whether it was known.
    pub fn remove(&mut self, address: IpAddr, actions: &mut Vec<Action<P>>) -> bool {
        let Some(mut entry) = self.entries.remove(&address) else { return false };
        fail(address, &mut entry, actions);
        true
    }

    /// Forgets all neighbours but permanent ones, as when the link went down.
    pub fn clear(&mut self, actions: &mut Vec<Action<P>>) {
        for (address, entry) in &mut self.entries {
            fail(*address, entry, actions);
        }
        self.entries.retain(|_, entry| entry.state == State::Permanent);
    }

    /// All neighbours, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Neighbor> {
        self.entries.iter().map(|(address, entry)| Neighbor {
            address: *address,
            mac: entry.mac,
            state: entry.state,
            router: entry.router,
            updated: entry.updated,
            used: entry.used,
        })
    }

    /// When [`on_timer`](Self::on_timer) has something to do.
    pub const fn deadline(&self) -> Option<u64> {
        self.next
    }

    /// Does what is due.
    pub fn on_timer(&mut self, now: u64, actions: &mut Vec<Action<P>>) {
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.next = None;
        for (address, entry) in &mut self.entries {
            if entry.deadline.is_some_and(|deadline| deadline <= now) {
                let timing = if address.is_ipv4() { self.timing_v4 } else { self.timing_v6 };
                match entry.on_timer(now, timing.retransmit) {
                    Step::Quiet => {}
                    Step::Solicit(to) => actions.push(Action::Solicit { target: *address, to }),
                    Step::Fail => fail(*address, entry, actions),
                }
            }
            self.next = earlier(self.next, entry.deadline);
        }
    }

    fn timing(&self, address: IpAddr) -> Timing {
        if address.is_ipv4() { self.timing_v4 } else { self.timing_v6 }
    }

    /// The entry of `address`, made if there is none; then the least useful one goes if there are too many.
    fn entry(&mut self, address: IpAddr, now: u64, actions: &mut Vec<Action<P>>) -> &mut Entry<P> {
        if self.entries.len() >= MAX_ENTRIES && !self.entries.contains_key(&address) {
            let least = self.entries.iter().min_by_key(|(_, entry)| entry.usefulness()).map(|(address, _)| *address);
            if let Some(least) = least {
                self.remove(least, actions);
            }
        }
        self.entries.entry(address).or_insert_with(|| Entry::new(now))
    }
}

/// Sends what waited.
fn release<P>(entry: &mut Entry<P>, to: Address, actions: &mut Vec<Action<P>>) {
    actions.extend(entry.queue.drain(..).map(|packet| Action::Transmit { to, packet }));
}

/// Gives up what waited.
fn fail<P>(target: IpAddr, entry: &mut Entry<P>, actions: &mut Vec<Action<P>>) {
    actions.extend(entry.queue.drain(..).map(|packet| Action::Unreachable { target, packet }));
}

#[cfg(test)]
mod tests;
