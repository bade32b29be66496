//! What a program with CAP_NET_ADMIN changes: links, addresses, routes, neighbours.

use super::Engine;
use super::configure::connected;
use super::link::{Link, Own};
use super::round::Round;
use super::setup::turn;
use crate::stack::{Insertion, LinkChange, NeighborChange};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::sync::atomic::Ordering;
use rkt_inet::prefix::Prefix;
use rkt_inet::route::{Kind, Origin, Route, RouteError};
use rkt_inet::slaac::AddressError;
use rkt_linux_abi::{Errno, Result};

/// Least MTU that a link takes (RFC 791 §3.2).
const MIN_MTU: u32 = 68;

impl Engine {
    fn numbered(&self, interface: u32) -> Result<(usize, &Link)> {
        let nth = self.link_of(rkt_inet::Interface(interface)).ok_or(Errno::ENODEV)?;
        Ok((nth, self.links.get(nth).ok_or(Errno::ENODEV)?))
    }

    /// Changes a link.
    ///
    /// # Errors
    /// `ENODEV`; `EINVAL` for an MTU that the card does not take.
    pub(super) fn change_link(&self, interface: u32, change: LinkChange) -> Result<()> {
        let (nth, link) = self.numbered(interface)?;
        match change {
            LinkChange::Mtu(mtu) => {
                let mtu = u16::try_from(mtu).ok().filter(|mtu| u32::from(*mtu) >= MIN_MTU && *mtu <= link.card.mtu);
                link.mtu.store(mtu.ok_or(Errno::EINVAL)?, Ordering::Relaxed);
            }
            LinkChange::Up(up) if link.enabled.swap(up, Ordering::Relaxed) == up => {}
            LinkChange::Up(true) => self.enable(link),
            LinkChange::Up(false) => self.disable(nth, link),
        }
        Ok(())
    }

    /// Routes of addresses come back, those that were added are gone (as in Linux); IPv6 starts anew.
    fn enable(&self, link: &Link) {
        let mut routes = self.routes.write();
        connected(link, &mut routes);
        drop(routes);
        link.setup.lock().restart();
        link.note_chore(Some(0));
    }

    fn disable(&self, nth: usize, link: &Link) {
        let mut round = Round::new();
        let now = round.now;
        let v6: Vec<Ipv6Addr> = link.setup.lock().autoconf.addresses().map(|address| address.address).collect();
        self.set_up(link, &mut round, |setup, wants| {
            for address in v6 {
                setup.autoconf.remove(address, &mut turn(now, &mut crate::ports::random, &mut wants.slaac));
            }
        });
        self.routes.write().remove_if(|route| route.interface == link.interface);
        let mut actions = Vec::new();
        link.neighbors.lock().clear(&mut actions);
        self.collect(link, actions, &mut round);
        self.send_round(nth, link, round);
    }

    /// Adds an address.
    ///
    /// # Errors
    /// `ENODEV`, `EEXIST`, `EADDRNOTAVAIL` if no interface can have it, `ENOBUFS`.
    pub(super) fn insert_address(&self, interface: u32, ip: IpAddr, prefix: u8) -> Result<()> {
        let (nth, link) = self.numbered(interface)?;
        match ip {
            IpAddr::V4(ip) => self.insert_v4(link, ip, prefix),
            IpAddr::V6(ip) => {
                let mut round = Round::new();
                let now = round.now;
                let outcome = self.set_up(link, &mut round, |setup, wants| {
                    setup.autoconf.add(ip, prefix, &mut turn(now, &mut crate::ports::random, &mut wants.slaac))
                });
                self.send_round(nth, link, round);
                outcome.map_err(|error| match error {
                    AddressError::Exists => Errno::EEXIST,
                    AddressError::Full => Errno::ENOBUFS,
                    AddressError::Unusable => Errno::EADDRNOTAVAIL,
                })
            }
        }
    }

    fn insert_v4(&self, link: &Link, ip: Ipv4Addr, prefix: u8) -> Result<()> {
        /// Most addresses of an interface.
        const MAX: usize = 256;
        let own = Own::new(ip.into(), prefix);
        {
            let mut addresses = link.addresses.write();
            if addresses.iter().any(|known| (known.ip, known.prefix) == (own.ip, prefix)) {
                return Err(Errno::EEXIST);
            }
            if addresses.len() >= MAX {
                return Err(Errno::ENOBUFS);
            }
            addresses.push(own);
        }
        if link.is_up() {
            connected(link, &mut self.routes.write());
        }
        Ok(())
    }

    /// Removes an address; of IPv4 with its routes.
    ///
    /// # Errors
    /// `ENODEV`, `EADDRNOTAVAIL` if it is not there.
    pub(super) fn delete_address(&self, interface: u32, ip: IpAddr, prefix: Option<u8>) -> Result<()> {
        let (nth, link) = self.numbered(interface)?;
        let is_it = |own: &Own| own.ip == ip && prefix.is_none_or(|prefix| prefix == own.prefix);
        let found = link.addresses.read().iter().find(|own| is_it(own)).copied();
        let own = found.ok_or(Errno::EADDRNOTAVAIL)?;
        if let IpAddr::V6(ip) = ip {
            let mut round = Round::new();
            let now = round.now;
            self.set_up(link, &mut round, |setup, wants| {
                setup.autoconf.remove(ip, &mut turn(now, &mut crate::ports::random, &mut wants.slaac))
            });
            self.send_round(nth, link, round);
            return Ok(());
        }
        link.addresses.write().retain(|known| (known.ip, known.prefix) != (own.ip, own.prefix));
        let mut routes = self.routes.write();
        routes.remove_if(|route| route.interface == link.interface && route.source == Some(ip));
        // Another address of the same network keeps its route.
        if link.is_up() {
            connected(link, &mut routes);
        }
        Ok(())
    }

    /// Adds a route.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT` if one was to be replaced that is not there, `ENETUNREACH` for a gateway that is on no link,
    /// `ENODEV`, `ENETDOWN`, `EINVAL`, `ENOBUFS`.
    pub(super) fn insert_route(&self, mut route: Route, how: Insertion, interface: Option<u32>) -> Result<()> {
        let mut routes = self.routes.write();
        if let Some(index) = interface {
            let (_, link) = self.numbered(index)?;
            if !link.is_up() {
                return Err(Errno::ENETDOWN);
            }
            route.interface = link.interface;
        }
        if let Some(gateway) = route.gateway {
            let link_local = matches!(gateway, IpAddr::V6(ip) if ip.is_unicast_link_local());
            let named = interface.map(rkt_inet::Interface);
            let way = routes.lookup(gateway, named).filter(|way| way.kind == Kind::Unicast && way.gateway.is_none());
            match way {
                Some(way) => route.interface = way.interface,
                None if link_local && named.is_some() => {}
                None => return Err(Errno::ENETUNREACH),
            }
        } else if route.kind == Kind::Unicast && interface.is_none() {
            return Err(Errno::ENODEV);
        }
        if route.source.is_some_and(|source| !self.links.iter().any(|link| link.owns(source))) {
            return Err(Errno::EINVAL);
        }
        let same = |other: &Route| (other.prefix, other.metric) == (route.prefix, route.metric);
        let there = routes.iter().any(same);
        match how {
            Insertion { exclusive: true, .. } if there => return Err(Errno::EEXIST),
            Insertion { create: false, .. } if !there => return Err(Errno::ENOENT),
            Insertion { replace: true, .. } => drop(routes.remove_if(same)),
            _ => {}
        }
        routes.insert(route).map_err(|error| match error {
            RouteError::Exists => Errno::EEXIST,
            RouteError::Full => Errno::ENOBUFS,
            RouteError::Gateway => Errno::EINVAL,
        })
    }

    /// Changes a neighbour.
    ///
    /// # Errors
    /// `ENODEV`, `ENOENT` if it is to be forgotten and is not known.
    pub(super) fn change_neighbor(&self, interface: u32, ip: IpAddr, change: NeighborChange) -> Result<()> {
        let (nth, link) = self.numbered(interface)?;
        let mut round = Round::new();
        let mut actions = Vec::new();
        let outcome = {
            let mut neighbors = link.neighbors.lock();
            let outcome = match change {
                NeighborChange::Permanent(mac) => {
                    neighbors.set_permanent(ip, mac, round.now, &mut actions);
                    Ok(())
                }
                NeighborChange::Learned { mac, confirmed } => {
                    // What was fixed is no longer.
                    neighbors.remove(ip, &mut actions);
                    neighbors.on_hint(ip, mac, true, round.now, &mut actions);
                    if confirmed {
                        neighbors.confirm(ip, round.now);
                    }
                    Ok(())
                }
                NeighborChange::Gone => neighbors.remove(ip, &mut actions).then_some(()).ok_or(Errno::ENOENT),
            };
            self.note_due(link, neighbors.deadline());
            outcome
        };
        self.collect(link, actions, &mut round);
        self.send_round(nth, link, round);
        outcome
    }
}

/// The network of an address, reached without a router.
pub(super) fn network_of(own: &Own, link: &Link) -> Route {
    let mut route = Route::on_link(Prefix::new(own.ip, own.prefix), link.interface, Origin::Kernel);
    route.source = own.ip.is_ipv4().then_some(own.ip);
    route
}
