//! Addresses and routes of the links.

use super::change::network_of;
use super::link::{Link, Own};
use crate::Interface;
use crate::interface::Assigned;
use crate::netstack::Card;
use crate::stack::FrameSink;
use alloc::sync::Arc;
use core::net::IpAddr;
use rkt_inet::prefix::Prefix;
use rkt_inet::route::{Origin, Route, Table};
use rkt_inet::source::{Candidate, select};
use rkt_inet::time::SECOND;

/// Takes a card into use with the addresses and routes of its static configuration.
pub(super) fn bring_up(index: u32, card: Card, frames: Arc<dyn FrameSink>, routes: &mut Table) -> Link {
    let gateways = card.gateways.clone();
    let link = Link::new(index, card, frames);
    connected(&link, routes);
    for gateway in gateways {
        // The table is empty but for other links' few routes.
        let _ = routes.insert(Route::via(Prefix::default_of(gateway), gateway, link.interface, Origin::Boot));
    }
    link
}

/// Adds the routes that a link has of itself, where they are not there: to its networks, to groups, to everyone.
pub(super) fn connected(link: &Link, routes: &mut Table) {
    for own in link.addresses.read().iter().filter(|own| own.ip.is_ipv4()) {
        // A network that several addresses share is reached from the first.
        let route = network_of(own, link);
        let _ = routes.insert(route);
    }
    for (group, len) in [(IpAddr::V4([224, 0, 0, 0].into()), 4), (IpAddr::V6([0xff00, 0, 0, 0, 0, 0, 0, 0].into()), 8)]
    {
        let _ = routes.insert(Route::on_link(Prefix::new(group, len), link.interface, Origin::Kernel));
    }
    let broadcast = Prefix::host(IpAddr::V4([255, 255, 255, 255].into()));
    let _ = routes.insert(Route::on_link(broadcast, link.interface, Origin::Kernel));
}

/// The best own address for packets to `to` out of `link`; IPv6 may use another link's (RFC 6724 §4).
pub(super) fn source(links: &[Link], link: &Link, to: IpAddr) -> Option<IpAddr> {
    let of = |link: &Link| {
        let candidate = |own: &Own| Candidate {
            address: own.ip,
            prefix_len: own.prefix,
            interface: link.interface,
            deprecated: own.deprecated,
        };
        let known = link.addresses.read();
        known.iter().filter(|own| !own.tentative).map(candidate).collect::<alloc::vec::Vec<_>>()
    };
    let own = select(to, link.interface, of(link));
    own.or_else(|| if to.is_ipv4() { select(to, link.interface, links.iter().flat_map(of)) } else { None })
}

/// What programs see of a link.
pub(super) fn describe(link: &Link) -> Interface {
    let now = rkt_platform::now();
    let left = |until: Option<u64>| until.map(|until| (until.saturating_sub(now) / SECOND) as u32);
    let assigned = |own: &Own| Assigned {
        ip: own.ip,
        prefix: own.prefix,
        tentative: own.tentative,
        deprecated: own.deprecated,
        duplicate: own.duplicate,
        preferred: left(own.lasts_until.0),
        valid: left(own.lasts_until.1),
    };
    Interface {
        index: link.interface.0,
        name: link.name.clone(),
        mac: link.mac.0,
        mtu: link.mtu(true) as u32,
        groups: link.setup.lock().groups.iter().collect(),
        addresses: link.addresses.read().iter().map(assigned).collect(),
        up: link.is_up(),
        loopback: false,
        counters: link.counters(),
        queues: link.queues(),
    }
}
