//! How a link comes by its addresses, routes and groups: what is configured, what IPv6 makes of itself and what routers
//! advertise ([`rkt_inet::slaac`]), and a lease of DHCP.
//!
//! The pieces say what they want while [`Setup`] is locked; it is done when that is let go.

use super::Engine;
use super::headers::Envelope;
use super::link::{Link, Own};
use super::round::{Packet, Round};
use crate::netstack::Card;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::sync::atomic::Ordering;
use rkt_inet::dhcp::{self, Client, Lease};
use rkt_inet::multicast::{self, Filter, Groups, Member};
use rkt_inet::neighbor::Timing;
use rkt_inet::prefix::Prefix;
use rkt_inet::route::{Origin, Route};
use rkt_inet::slaac::{self, Autoconf, Secret};
use rkt_inet::time::{Turn, earlier};
use rkt_inet::{arp, nd};
use rkt_wire::icmpv6::mld;
use rkt_wire::ip::{Addresses, protocol};
use rkt_wire::{dhcp as dhcp_wire, ethernet, ipv4, ipv6, udp};

/// The kernel's own memberships, as for neighbours that ask for an address (RFC 4291 §2.7.1).
const KERNEL: Member = Member(0);
/// Hop limit of Neighbour Discovery: proves that a packet comes from the link (RFC 4861 §3.1).
pub(super) const ND_HOP_LIMIT: u8 = 255;
/// Probes for duplicates of an address (DupAddrDetectTransmits, RFC 4862 §5.1).
const PROBES: u8 = 1;
/// Bytes of the longest message of a host of Neighbour Discovery.
const ND_MAX: usize = 64;
/// Bytes of the longest report of a group: a record of [`multicast::MAX_SOURCES`].
const REPORT_MAX: usize = 1100;

/// The pieces that configure a link.
pub(super) struct Setup {
    pub autoconf: Autoconf,
    pub dhcp: Option<Client>,
    pub groups: Groups,
    /// Configured addresses of IPv6, until the link comes up.
    fixed: Vec<(Ipv6Addr, u8)>,
    /// A router has to give an address before the link is complete.
    wants_router: bool,
    started: bool,
}

/// What the pieces want done.
#[derive(Default)]
pub(super) struct Wants {
    pub slaac: Vec<slaac::Action>,
    pub dhcp: Vec<dhcp::Action>,
    pub groups: Vec<multicast::Action>,
}

/// A turn of a piece whose wishes go there.
pub(super) fn turn<'a, A>(now: u64, random: &'a mut impl FnMut() -> u32, actions: &'a mut Vec<A>) -> Turn<'a, A> {
    Turn { now, random, actions }
}

impl Setup {
    /// For a card that becomes interface `index`.
    pub fn new(index: u32, mac: ethernet::Address, mtu: u16, card: &Card) -> Self {
        let mut secret = [0; 32];
        rkt_platform::random(&mut secret);
        let config = slaac::Config {
            interface: rkt_inet::Interface(index),
            mac,
            secret: Secret::new(secret),
            accept_advertisements: card.slaac,
            probes: PROBES,
            mtu,
        };
        let dhcp = dhcp::Config { mac, host_name: card.host_name.clone(), probe: false };
        let fixed = card.addresses.iter().filter_map(|(ip, prefix)| match ip {
            IpAddr::V6(ip) => Some((*ip, *prefix)),
            IpAddr::V4(_) => None,
        });
        Self {
            autoconf: Autoconf::new(config),
            dhcp: card.dhcp.then(|| Client::new(dhcp, rkt_platform::now())),
            groups: Groups::new(),
            fixed: fixed.collect(),
            wants_router: card.slaac,
            started: false,
        }
    }

    /// Whether all addresses that are asked for are there.
    pub fn is_complete(&self) -> bool {
        let usable = |address: &slaac::Address| address.is_usable() || address.state == slaac::State::Duplicate;
        let advertised = || {
            let global = |address: &slaac::Address| address.origin == slaac::Origin::Autonomous && address.is_usable();
            self.autoconf.addresses().any(global)
        };
        self.started
            && self.dhcp.as_ref().is_none_or(|client| client.lease().is_some())
            && self.autoconf.addresses().filter(|address| address.origin == slaac::Origin::Static).all(usable)
            && (!self.wants_router || advertised())
    }

    /// Name servers that the network named.
    pub fn resolvers(&self) -> impl Iterator<Item = IpAddr> {
        let leased = self.dhcp.as_ref().and_then(Client::lease).map_or(&[][..], |lease| &lease.resolvers);
        leased.iter().map(|ip| IpAddr::V4(*ip)).chain(self.autoconf.resolvers().map(IpAddr::V6))
    }

    /// Starts anew when it is due: the link comes up again.
    pub fn restart(&mut self) {
        self.started = false;
    }

    fn deadline(&self) -> Option<u64> {
        let dhcp = self.dhcp.as_ref().and_then(Client::deadline);
        earlier(earlier(self.autoconf.deadline(), self.groups.deadline()), dhcp)
    }

    /// Does what is due.
    fn on_timer(&mut self, wants: &mut Wants, now: u64) {
        let random = &mut crate::ports::random;
        if !core::mem::replace(&mut self.started, true) {
            self.autoconf.start(&mut turn(now, random, &mut wants.slaac));
            for (ip, prefix) in core::mem::take(&mut self.fixed) {
                // Those that no interface can have were refused with the manifest.
                let _ = self.autoconf.add(ip, prefix, &mut turn(now, random, &mut wants.slaac));
            }
        }
        self.autoconf.on_timer(&mut turn(now, random, &mut wants.slaac));
        self.groups.on_timer(&mut turn(now, random, &mut wants.groups));
        if let Some(client) = &mut self.dhcp {
            client.on_timer(&mut turn(now, random, &mut wants.dhcp));
        }
    }

    /// Joins and leaves the groups of addresses that came and went.
    fn follow_addresses(&mut self, wants: &mut Wants, now: u64) {
        for action in &wants.slaac {
            let (group, filter) = match action {
                slaac::Action::Join(group) => (*group, Filter::anything()),
                slaac::Action::Leave(group) => (*group, Filter::nothing()),
                _ => continue,
            };
            let random = &mut crate::ports::random;
            // Two addresses may share a group; there is always room for those of so few addresses.
            let _ = self.groups.set(KERNEL, group.into(), filter, &mut turn(now, random, &mut wants.groups));
        }
    }
}

impl Engine {
    /// Lets the pieces that configure a link act, then does what they want.
    pub(super) fn set_up<R>(&self, link: &Link, round: &mut Round, act: impl FnOnce(&mut Setup, &mut Wants) -> R) -> R {
        let mut wants = Wants::default();
        let result = {
            let mut setup = link.setup.lock();
            let result = act(&mut setup, &mut wants);
            setup.follow_addresses(&mut wants, round.now);
            if !wants.slaac.is_empty() {
                link.take_addresses(&setup.autoconf);
            }
            link.note_chore(setup.deadline());
            result
        };
        wants.slaac.into_iter().for_each(|action| self.do_slaac(link, action, round));
        wants.dhcp.into_iter().for_each(|action| self.do_dhcp(link, action, round));
        wants.groups.into_iter().for_each(|action| self.do_group(link, action, round));
        result
    }

    /// Does what is due for a link apart from its neighbours.
    pub(super) fn do_chores(&self, nth: usize, link: &Link, now: u64) {
        link.chores_due.store(u64::MAX, Ordering::Relaxed);
        let mut round = Round::at(now);
        self.set_up(link, &mut round, |setup, wants| setup.on_timer(wants, now));
        self.routes.write().on_timer(now);
        link.note_chore(self.routes.read().deadline());
        self.expire_fragments(link, &mut round);
        if let Some(port) = link.port() {
            self.finish(nth, link, &mut port.lock(), &mut round);
        }
        round.tell();
    }

    fn do_slaac(&self, link: &Link, action: slaac::Action, round: &mut Round) {
        use slaac::Action;
        let mut bytes = [0; ND_MAX];
        match action {
            Action::Probe { target, nonce } => {
                if let Some((to, len)) = nd::emit_probe(target, nonce, &mut bytes) {
                    self.queue_nd(link, (Ipv6Addr::UNSPECIFIED, to), bytes.get(..len).unwrap_or(&[]), round);
                }
            }
            Action::SolicitRouters { source } => {
                if let Some((to, len)) = nd::emit_router_solicitation(source, link.mac, &mut bytes) {
                    let source = source.unwrap_or(Ipv6Addr::UNSPECIFIED);
                    self.queue_nd(link, (source, to), bytes.get(..len).unwrap_or(&[]), round);
                }
            }
            // A full table is the worst that can happen: then routers said too much.
            Action::SetRoute(route) => drop(self.routes.write().replace(route)),
            Action::RemoveRoute { prefix, gateway } => {
                let gateway = gateway.map(IpAddr::V6);
                let is_it = |route: &Route| {
                    (route.prefix, route.gateway, route.interface) == (prefix, gateway, link.interface)
                        && matches!(route.origin, Origin::Kernel | Origin::RouterAdvertisement)
                };
                self.routes.write().remove_if(is_it);
            }
            Action::SetMtu(mtu) => link.mtu_v6.store(mtu, Ordering::Relaxed),
            Action::SetHopLimit(limit) => link.hop_limit.store(limit, Ordering::Relaxed),
            Action::SetTiming { reachable, retransmit } => {
                let timing = Timing::new(reachable, retransmit, &mut crate::ports::random);
                link.neighbors.lock().set_timing_v6(timing);
            }
            Action::Ready(_) | Action::Gone(_) | Action::Duplicate(_) | Action::ResolversChanged => {
                round.reconfigured = Some(self.changes.clone());
            }
            Action::Join(_) | Action::Leave(_) => {}
        }
    }

    fn do_dhcp(&self, link: &Link, action: dhcp::Action, round: &mut Round) {
        match action {
            dhcp::Action::Send { source, destination, payload } => {
                self.queue_dhcp(link, (source, destination), &payload, round);
            }
            dhcp::Action::Probe(address) => {
                let request = arp::request(address, Ipv4Addr::UNSPECIFIED, link.mac);
                round.frames.extend(super::neighbors::arp_frame(link, ethernet::Address::BROADCAST, &request));
            }
            dhcp::Action::Configure(lease) => {
                self.drop_lease(link);
                self.use_lease(link, &lease);
                let announcement = arp::announcement(lease.address, link.mac);
                round.frames.extend(super::neighbors::arp_frame(link, ethernet::Address::BROADCAST, &announcement));
                round.reconfigured = Some(self.changes.clone());
            }
            dhcp::Action::Deconfigure => {
                self.drop_lease(link);
                round.reconfigured = Some(self.changes.clone());
            }
        }
    }

    fn use_lease(&self, link: &Link, lease: &Lease) {
        let ip = IpAddr::V4(lease.address);
        let lasts_until = (lease.ends_at, lease.ends_at);
        link.addresses.write().push(Own { lasts_until, leased: true, ..Own::new(ip, lease.prefix_len) });
        let network = Prefix::new(ip, lease.prefix_len);
        let source = Some(ip);
        let connected = Route { source, ..Route::on_link(network, link.interface, Origin::Dhcp) };
        let further = lease.routes.iter().map(|route| {
            let prefix = Prefix::new(route.destination.into(), route.prefix_len);
            match route.router.is_unspecified() {
                // RFC 3442, "Local Subnet Routes".
                true => Route { source, ..Route::on_link(prefix, link.interface, Origin::Dhcp) },
                false => Route { source, ..Route::via(prefix, route.router.into(), link.interface, Origin::Dhcp) },
            }
        });
        let mut routes = self.routes.write();
        for route in core::iter::once(connected).chain(further) {
            let mtu = lease.mtu.filter(|mtu| *mtu < link.card.mtu);
            // Routes beyond the table's end are as good as unreachable.
            let _ = routes.replace(Route { mtu, ..route });
        }
    }

    fn drop_lease(&self, link: &Link) {
        link.addresses.write().retain(|own| !own.leased);
        self.routes.write().remove_if(|route| route.origin == Origin::Dhcp && route.interface == link.interface);
    }

    fn do_group(&self, link: &Link, action: multicast::Action, round: &mut Round) {
        // The drivers let all groups in.
        let multicast::Action::Send(report) = action else { return };
        let mut bytes = [0; REPORT_MAX];
        if let Some((to, len)) = multicast::emit_v4(&report, &mut bytes) {
            let source = match super::configure::source(core::slice::from_ref(link), link, to.into()) {
                Some(IpAddr::V4(source)) => source,
                // RFC 3376 §4.2.13.
                _ => Ipv4Addr::UNSPECIFIED,
            };
            round.frames.extend(igmp_frame(link, (source, to), bytes.get(..len).unwrap_or(&[])));
            return;
        }
        let source = link.setup.lock().autoconf.link_local().unwrap_or(Ipv6Addr::UNSPECIFIED);
        let Some((to, len)) = multicast::emit_v6(&report, source, &mut bytes) else { return };
        let message = [&mld::ROUTER_ALERT, bytes.get(..len).unwrap_or(&[])].concat();
        let addresses = Addresses::V6 { source, destination: to };
        queue(link, addresses, (protocol::HOP_BY_HOP, mld::HOP_LIMIT), message, round);
    }

    /// Puts a message of Neighbour Discovery among the round's packets.
    pub(super) fn queue_nd(
        &self,
        link: &Link,
        (source, destination): (Ipv6Addr, Ipv6Addr),
        message: &[u8],
        round: &mut Round,
    ) {
        let addresses = Addresses::V6 { source, destination };
        queue(link, addresses, (protocol::ICMPV6, ND_HOP_LIMIT), message.to_vec(), round);
    }

    /// A datagram from the client's port to the server's.
    fn queue_dhcp(&self, link: &Link, (source, destination): (Ipv4Addr, Ipv4Addr), payload: &[u8], round: &mut Round) {
        let addresses = Addresses::V4 { source, destination };
        let mut header =
            udp::Header { source_port: dhcp_wire::CLIENT_PORT, destination_port: dhcp_wire::SERVER_PORT, checksum: 0 };
        header.checksum = (header.sum(payload.len(), &addresses) + rkt_wire::checksum::Sum::of(payload)).finish_udp();
        let mut bytes = vec![0; udp::HEADER_LEN];
        if header.emit(payload.len(), &mut bytes).is_err() {
            return;
        }
        bytes.extend_from_slice(payload);
        let next_hop = match self.way(destination.into(), Some(link.interface.0)) {
            Ok(way) if !destination.is_broadcast() => way.next_hop,
            _ => destination.into(),
        };
        let protocol = (protocol::UDP, super::DEFAULT_TTL);
        round.packets.push(Packet { next_hop, ..packet(link, addresses, protocol, bytes) });
    }
}

/// A packet for its destination, which is on the link.
fn packet(link: &Link, addresses: Addresses, (protocol, ttl): (u8, u8), bytes: Vec<u8>) -> Packet {
    let envelope = Envelope { from: link.mac, to: link.mac, addresses, ttl, tos: 0, id: 0, fragmentable: false };
    Packet { envelope, protocol, next_hop: addresses.destination(), bytes }
}

fn queue(link: &Link, addresses: Addresses, protocol: (u8, u8), bytes: Vec<u8>, round: &mut Round) {
    round.packets.push(packet(link, addresses, protocol, bytes));
}

/// A message of IGMP in its frame: with the option that has routers look at it (RFC 3376 §4).
fn igmp_frame(
    link: &Link,
    (source, destination): (Ipv4Addr, Ipv4Addr),
    message: &[u8],
) -> Option<(rkt_netdev::TxMeta, Vec<u8>)> {
    /// Internetwork control, and not beyond the link (RFC 3376 §4).
    const TOS: u8 = 0xc0;
    const TTL: u8 = 1;
    let to = ethernet::Address::of_group_v4(destination);
    let link = ethernet::Header { destination: to, source: link.mac, ethertype: ethernet::ethertype::IPV4 };
    let mut frame = vec![0; rkt_netdev::ETHERNET_HEADER_LEN + ipv4::HEADER_LEN + ipv4::ROUTER_ALERT.len()];
    let start = link.emit(&mut frame).ok()?;
    let header = ipv4::Header {
        tos: TOS,
        id: 0,
        dont_fragment: true,
        more_fragments: false,
        offset: 0,
        ttl: TTL,
        protocol: protocol::IGMP,
        source,
        destination,
    };
    header.emit(&ipv4::ROUTER_ALERT, message.len(), frame.get_mut(start..)?).ok()?;
    frame.extend_from_slice(message);
    Some((rkt_netdev::TxMeta::default(), frame))
}

const _: () = assert!(ipv6::MIN_MTU as usize >= REPORT_MAX + mld::ROUTER_ALERT.len() + ipv6::HEADER_LEN);
