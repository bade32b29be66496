//! Who wants to hear of changes (netlink(7), multicast groups; `ip monitor`).
//!
//! What changed is found by comparing what is with what was, whoever changed it: a program, a server, a router.

use super::message::{Builder, Header};
use super::{NetlinkSocket, neighbor, route};
use crate::interface::Assigned;
use crate::{Interface, NetStack};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::IpAddr;
use rkt_inet::neighbor::Neighbor;
use rkt_inet::route::Route;
use rkt_sync::Mutex;

/// Groups of rtnetlink (RTNLGRP_*), by number.
const LINK: u32 = 1;
const NEIGHBOR: u32 = 3;
const ADDRESS_V4: u32 = 5;
const ROUTE_V4: u32 = 7;
const ADDRESS_V6: u32 = 9;
const ROUTE_V6: u32 = 11;

/// What can change.
#[derive(Default)]
struct Snapshot {
    interfaces: Vec<Interface>,
    routes: Vec<Route>,
    neighbors: Vec<(u32, Neighbor)>,
}

impl Snapshot {
    fn of(net: &NetStack) -> Self {
        Self { interfaces: net.interfaces(), routes: net.routes(), neighbors: net.neighbors() }
    }

    fn addresses(&self) -> impl Iterator<Item = (&Interface, &Assigned)> {
        self.interfaces.iter().flat_map(|interface| interface.addresses.iter().map(move |address| (interface, address)))
    }
}

#[derive(Default)]
struct State {
    sockets: Vec<Weak<NetlinkSocket>>,
    /// What the members were told last.
    known: Snapshot,
}

/// The members of groups.
#[derive(Default)]
pub(crate) struct Monitor {
    state: Mutex<State>,
}

fn group(v4: bool, of_v4: u32, of_v6: u32) -> u32 {
    if v4 { of_v4 } else { of_v6 }
}

impl Monitor {
    /// A socket joined its first group.
    pub(super) fn add(&self, net: &NetStack, socket: Weak<NetlinkSocket>) {
        let now = Snapshot::of(net);
        let mut state = self.state.lock();
        state.sockets.retain(|known| known.strong_count() > 0);
        if state.sockets.is_empty() {
            state.known = now;
        }
        if !state.sockets.iter().any(|known| known.ptr_eq(&socket)) {
            state.sockets.push(socket);
        }
    }

    /// Tells the members what has changed since they were told.
    pub(crate) fn look(&self, net: &NetStack) {
        if self.state.lock().sockets.is_empty() {
            return;
        }
        let now = Snapshot::of(net);
        let (sockets, messages) = {
            let mut state = self.state.lock();
            let messages = differences(&state.known, &now);
            state.known = now;
            let sockets: Vec<Arc<_>> = state.sockets.iter().filter_map(Weak::upgrade).collect();
            (sockets, messages)
        };
        for (group, message) in &messages {
            sockets.iter().for_each(|socket| socket.hear(*group, message));
        }
    }
}

/// The messages, each with the group that it is for.
fn differences(old: &Snapshot, new: &Snapshot) -> Vec<(u32, Vec<u8>)> {
    let mut out = Vec::new();
    let mut tell = |group: u32, compose: &dyn Fn(Header, &mut Builder)| {
        let mut builder = Builder::default();
        compose(Header { kind: 0, flags: 0, sequence: 0, port: 0 }, &mut builder);
        let message = builder.finish();
        if !message.is_empty() {
            out.push((group, message));
        }
    };
    for interface in &new.interfaces {
        let before = old.interfaces.iter().find(|before| before.index == interface.index);
        if before.is_none_or(|before| (before.up, before.mtu) != (interface.up, interface.mtu)) {
            tell(LINK, &|header, out| route::link(interface, header, out));
        }
    }
    let same = |a: (&Interface, &Assigned), b: (&Interface, &Assigned)| {
        (a.0.index, a.1.ip, a.1.prefix) == (b.0.index, b.1.ip, b.1.prefix)
    };
    for gone in old.addresses().filter(|gone| !new.addresses().any(|is| same(is, *gone))) {
        let group = group(gone.1.ip.is_ipv4(), ADDRESS_V4, ADDRESS_V6);
        tell(group, &|header, out| route::address_message(gone.0, gone.1, route::RTM_DELADDR, header, out));
    }
    for is in new.addresses() {
        let before = old.addresses().find(|before| same(*before, is));
        if before.is_none_or(|before| before.1.flags() != is.1.flags()) {
            let group = group(is.1.ip.is_ipv4(), ADDRESS_V4, ADDRESS_V6);
            tell(group, &|header, out| route::address_message(is.0, is.1, route::RTM_NEWADDR, header, out));
        }
    }
    // A route that a router advertises again ends later; that is no news.
    let same = |a: &Route, b: &Route| Route { expires: None, ..*a } == Route { expires: None, ..*b };
    let of = |ip: IpAddr| group(ip.is_ipv4(), ROUTE_V4, ROUTE_V6);
    for gone in old.routes.iter().filter(|gone| !new.routes.iter().any(|is| same(is, gone))) {
        tell(of(gone.prefix.address()), &|header, out| route::route(gone, 0, route::RTM_DELROUTE, header, out));
    }
    for is in new.routes.iter().filter(|is| !old.routes.iter().any(|before| same(before, is))) {
        tell(of(is.prefix.address()), &|header, out| route::route(is, 0, route::RTM_NEWROUTE, header, out));
    }
    let key = |(index, of): &(u32, Neighbor)| (*index, of.address);
    for gone in old.neighbors.iter().filter(|gone| !new.neighbors.iter().any(|is| key(is) == key(gone))) {
        tell(NEIGHBOR, &|header, out| neighbor::tell(gone.0, &gone.1, neighbor::RTM_DELNEIGH, header, out));
    }
    for is in &new.neighbors {
        let before = old.neighbors.iter().find(|before| key(before) == key(is));
        if before.is_none_or(|before| (before.1.mac, before.1.state) != (is.1.mac, is.1.state)) {
            tell(NEIGHBOR, &|header, out| neighbor::tell(is.0, &is.1, neighbor::RTM_NEWNEIGH, header, out));
        }
    }
    out
}
