//! What a router's advertisement does (RFC 4861 §6.3.4, RFC 4862 §5.5.3, RFC 8106 §6).

use super::{Action, Autoconf, MAX_AUTONOMOUS, Origin, milliseconds};
use crate::prefix::Prefix;
use crate::route::{self, Route};
use crate::time::{SECOND, Turn, after, lifetime};
use core::net::Ipv6Addr;
use rkt_wire::icmpv6::ndp::{self, NdOption, Options, RouterAdvertisement};
use rkt_wire::ipv6;

/// Most routes that routers can make us have.
const MAX_LEARNED: usize = 48;
/// Most resolvers that routers can make us have.
const MAX_RESOLVERS: usize = 8;
/// No advertisement that is not authenticated shortens a lifetime below this (RFC 4862 §5.5.3 e).
const TWO_HOURS: u64 = 7200 * SECOND;
/// Metric of routes that routers advertise, as Linux's `IP6_RT_PRIO_USER`; a preferred router's is lower by one
/// (RFC 4191 §3.1).
const METRIC: u32 = 1024;

/// A route from an advertisement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learned {
    prefix: Prefix,
    gateway: Option<Ipv6Addr>,
    metric: u32,
    until: Option<u64>,
}

impl Learned {
    pub const fn until(&self) -> Option<u64> {
        self.until
    }
}

impl Autoconf {
    /// The router at `source`, a link-local address, advertises itself. Its card is for
    /// [`crate::neighbor::Cache::on_hint`].
    pub fn on_advertisement(
        &mut self,
        source: Ipv6Addr,
        advertisement: &RouterAdvertisement,
        options: &Options<'_>,
        turn: &mut Turn<'_, Action>,
    ) {
        if !self.config.accept_advertisements {
            return;
        }
        let RouterAdvertisement { hop_limit, preference, lifetime, reachable_time, retrans_timer, .. } = *advertisement;
        if hop_limit != 0 {
            turn.act(Action::SetHopLimit(hop_limit));
        }
        if reachable_time != 0 || retrans_timer != 0 {
            let (reachable, retransmit) = (milliseconds(reachable_time), milliseconds(retrans_timer));
            turn.act(Action::SetTiming { reachable, retransmit });
        }
        if retrans_timer != 0 {
            self.retransmit = milliseconds(retrans_timer);
        }
        if lifetime != 0 {
            // Somebody answered (§6.3.7).
            self.solicit = None;
        }
        let default = Prefix::new(Ipv6Addr::UNSPECIFIED.into(), 0);
        let metric = METRIC.saturating_add_signed(-i32::from(preference));
        let until = (lifetime != 0).then(|| after(turn.now, u64::from(lifetime) * SECOND));
        self.learn(Learned { prefix: default, gateway: Some(source), metric, until }, until.is_none(), turn);
        for option in options.iter() {
            match option {
                NdOption::Prefix(prefix) => self.on_prefix(&prefix, turn),
                NdOption::Mtu(mtu) => {
                    let mtu = u16::try_from(mtu).ok().filter(|mtu| (ipv6::MIN_MTU..=self.config.mtu).contains(mtu));
                    turn.actions.extend(mtu.map(Action::SetMtu));
                }
                NdOption::Rdnss { lifetime, servers } => {
                    for server in servers {
                        self.on_resolver(Ipv6Addr::from(*server), lifetime, turn);
                    }
                }
                _ => {}
            }
        }
    }

    /// Forgets what has ended; the routing table does so by itself.
    pub(super) fn forget(&mut self, turn: &mut Turn<'_, Action>) {
        let now = turn.now;
        self.learned.retain(|learned| learned.until.is_none_or(|until| now < until));
        let before = self.resolvers.len();
        self.resolvers.retain(|(_, until)| until.is_none_or(|until| now < until));
        if self.resolvers.len() != before {
            turn.act(Action::ResolversChanged);
        }
    }

    /// Takes a route, or forgets it if it `is_over`.
    fn learn(&mut self, route: Learned, is_over: bool, turn: &mut Turn<'_, Action>) {
        let Learned { prefix, gateway, metric, until } = route;
        let is_it = |other: &Learned| (other.prefix, other.gateway) == (prefix, gateway);
        let known = self.learned.iter().find(|other| is_it(other)).copied();
        self.learned.retain(|other| !is_it(other));
        if known.is_some_and(|known| is_over || known.metric != metric) {
            turn.act(Action::RemoveRoute { prefix, gateway });
        }
        if is_over || self.learned.len() >= MAX_LEARNED {
            return;
        }
        self.learned.push(route);
        let interface = self.config.interface;
        let route = Route::on_link(prefix, interface, route::Origin::RouterAdvertisement);
        turn.act(Action::SetRoute(Route { gateway: gateway.map(Into::into), metric, expires: until, ..route }));
    }

    fn on_prefix(&mut self, option: &ndp::Prefix, turn: &mut Turn<'_, Action>) {
        let prefix = Prefix::new(option.prefix.into(), option.len);
        if option.prefix.is_unicast_link_local() || option.prefix.is_multicast() {
            return;
        }
        let valid = lifetime(turn.now, option.valid_lifetime);
        if option.on_link {
            let is_over = option.valid_lifetime == 0;
            self.learn(Learned { prefix, gateway: None, metric: METRIC, until: valid }, is_over, turn);
        }
        // RFC 4862 §5.5.3 c; identifiers have 64 bits (§5.5.3 d).
        if option.autonomous && option.preferred_lifetime <= option.valid_lifetime && option.len == 64 {
            let preferred = lifetime(turn.now, option.preferred_lifetime);
            self.on_autonomous(prefix, preferred, valid, turn);
        }
    }

    /// Makes an address with the prefix, or renews the one that there is (RFC 4862 §5.5.3 d, e).
    fn on_autonomous(
        &mut self,
        prefix: Prefix,
        preferred: Option<u64>,
        valid: Option<u64>,
        turn: &mut Turn<'_, Action>,
    ) {
        let now = turn.now;
        let autonomous = self.entries.iter_mut().filter(|entry| entry.address.origin == Origin::Autonomous);
        let mut of_prefix = autonomous.filter(|entry| prefix.contains(entry.address.address.into())).peekable();
        let is_known = of_prefix.peek().is_some();
        for entry in of_prefix {
            entry.address.preferred_until = preferred;
            entry.address.valid_until = renewed(entry.address.valid_until, valid, now);
            entry.refresh(now);
        }
        let count = self.entries.iter().filter(|entry| entry.address.origin == Origin::Autonomous).count();
        if let core::net::IpAddr::V6(network) = prefix.address()
            && !is_known
            && valid.is_none_or(|valid| now < valid)
            && count < MAX_AUTONOMOUS
        {
            self.generate(network, Origin::Autonomous, (preferred, valid), 0, turn);
        }
    }

    fn on_resolver(&mut self, address: Ipv6Addr, seconds: u32, turn: &mut Turn<'_, Action>) {
        let known = self.resolvers.iter().position(|(other, _)| *other == address);
        match (known, seconds) {
            (Some(at), 0) => {
                self.resolvers.remove(at);
                turn.act(Action::ResolversChanged);
            }
            (Some(at), _) => {
                if let Some((_, until)) = self.resolvers.get_mut(at) {
                    *until = lifetime(turn.now, seconds);
                }
            }
            (None, 1..) if self.resolvers.len() < MAX_RESOLVERS && !address.is_multicast() => {
                self.resolvers.push((address, lifetime(turn.now, seconds)));
                turn.act(Action::ResolversChanged);
            }
            (None, _) => {}
        }
    }
}

/// The end of a valid lifetime after an advertisement says `offered`: a forger could else end addresses at once.
fn renewed(current: Option<u64>, offered: Option<u64>, now: u64) -> Option<u64> {
    let two_hours = after(now, TWO_HOURS);
    match (current, offered) {
        (_, None) => None,
        (Some(current), Some(offered)) if offered > two_hours || offered > current => Some(offered),
        (Some(current), Some(_)) if current <= two_hours => Some(current),
        (None, Some(offered)) if offered > two_hours => Some(offered),
        _ => Some(two_hours),
    }
}
