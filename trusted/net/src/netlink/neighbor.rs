//! Neighbours as rtnetlink(7) tells them (`ip neigh`).

use super::message::{Builder, Header};
use super::route::octets;
use crate::NetStack;
use crate::address::AF_UNSPEC;
use rkt_inet::neighbor::{Neighbor, State};

/// Message types of linux/rtnetlink.h.
pub(super) const RTM_NEWNEIGH: u16 = 28;
pub(super) const RTM_DELNEIGH: u16 = 29;
pub(super) const RTM_GETNEIGH: u16 = 30;
/// Attributes of linux/neighbour.h.
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// NTF_ROUTER: the neighbour is a router.
const ROUTER: u8 = 0x80;
const RTN_UNICAST: u8 = 1;

/// `NUD_*` of linux/neighbour.h.
const fn state(state: State) -> u16 {
    match state {
        State::Incomplete => 0x01,
        State::Reachable => 0x02,
        State::Stale => 0x04,
        State::Delay => 0x08,
        State::Probe => 0x10,
        State::Failed => 0x20,
        State::Permanent => 0x80,
    }
}

/// Lists all of a family.
pub(super) fn list(net: &NetStack, family: u16, header: Header, out: &mut Builder) {
    for (interface, neighbor) in net.neighbors() {
        let (own, _) = octets(neighbor.address);
        if family == AF_UNSPEC || family == own {
            tell(interface, &neighbor, RTM_NEWNEIGH, header, out);
        }
    }
}

/// RTM_NEWNEIGH and RTM_DELNEIGH: `struct ndmsg`.
pub(super) fn tell(interface: u32, neighbor: &Neighbor, kind: u16, header: Header, out: &mut Builder) {
    let (own, address) = octets(neighbor.address);
    let mut fixed = [own as u8, 0, 0, 0].to_vec();
    fixed.extend_from_slice(&interface.to_ne_bytes());
    fixed.extend_from_slice(&state(neighbor.state).to_ne_bytes());
    fixed.extend_from_slice(&[if neighbor.router { ROUTER } else { 0 }, RTN_UNICAST]);
    out.message(Header { kind, ..header }, &fixed, |out| {
        out.attribute(NDA_DST, &address);
        if let Some(mac) = neighbor.mac {
            out.attribute(NDA_LLADDR, &mac.0);
        }
    });
}
