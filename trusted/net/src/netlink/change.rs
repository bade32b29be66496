//! What rtnetlink(7) changes: links, addresses, routes and neighbours. Whoever asks has CAP_NET_ADMIN.

use super::message::{Request, attributes, word};
use super::route::address;
use crate::NetStack;
use crate::address::{AF_INET, AF_INET6};
use crate::stack::{Insertion, LinkChange, NeighborChange, Stack};
use alloc::sync::Arc;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use rkt_inet::prefix::{Prefix, width};
use rkt_inet::route::{Kind, Origin, Route};
use rkt_linux_abi::netlink::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use rkt_linux_abi::{Errno, Result};
use rkt_wire::ethernet;

/// Message types of linux/rtnetlink.h.
const NEW_LINK: u16 = 16;
const SET_LINK: u16 = 19;
const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;
const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const NEW_NEIGHBOR: u16 = 28;
const DELETE_NEIGHBOR: u16 = 29;
/// Bytes of `struct ifinfomsg`, `struct ifaddrmsg`, `struct rtmsg` and `struct ndmsg`.
pub(super) const LINK_LEN: usize = 16;
const ADDRESS_LEN: usize = 8;
const ROUTE_LEN: usize = 12;
const NEIGHBOR_LEN: usize = 12;
/// Attributes.
pub(super) const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_TXQLEN: u16 = 13;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_LINKINFO: u16 = 18;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_TABLE: u16 = 15;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// `NUD_*` of linux/neighbour.h.
const NUD_REACHABLE: u16 = 0x02;
const NUD_PERMANENT: u16 = 0x80;
const IFF_UP: u32 = 1;
const RT_TABLE_MAIN: u32 = 254;
const LOOPBACK: u32 = crate::loopback::INTERFACE;
/// Metric of routes of IPv6 that name none (IP6_RT_PRIO_USER).
const V6_METRIC: u32 = 1024;

/// Does what a request wants changed.
///
/// # Errors
/// As Linux's for each; `EOPNOTSUPP` for what cannot be changed here.
pub(super) fn change(net: &NetStack, request: &Request<'_>) -> Result<()> {
    match request.header.kind {
        NEW_LINK | SET_LINK => link(net, request),
        NEW_ADDRESS | DELETE_ADDRESS => interface_address(net, request),
        NEW_ROUTE | DELETE_ROUTE => route(net, request),
        NEW_NEIGHBOR | DELETE_NEIGHBOR => neighbor(net, request),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

fn has(request: &Request<'_>, flag: u32) -> bool {
    u32::from(request.header.flags) & flag != 0
}

/// The value of an attribute behind a fixed structure.
fn attribute<'a>(request: &Request<'a>, fixed: usize, wanted: u16) -> Option<&'a [u8]> {
    attributes(request.body, fixed).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn number(request: &Request<'_>, fixed: usize, wanted: u16) -> Option<u32> {
    attribute(request, fixed, wanted).and_then(|value| word(value, 0))
}

/// A byte of the fixed structure.
fn byte(request: &Request<'_>, at: usize) -> Result<u8> {
    request.body.get(at).copied().ok_or(Errno::EINVAL)
}

/// An address of the family that the message names.
fn address_of(request: &Request<'_>, fixed: usize, wanted: u16) -> Result<Option<IpAddr>> {
    let Some(value) = attribute(request, fixed, wanted) else { return Ok(None) };
    let len = if u16::from(byte(request, 0)?) == AF_INET { 4 } else { 16 };
    value.get(..len).and_then(address).map(Some).ok_or(Errno::EINVAL)
}

/// The stack, for an interface other than the loopback, which stays as it is.
fn stack_of(net: &NetStack, index: u32) -> Result<&Arc<dyn Stack>> {
    match index {
        LOOPBACK => Err(Errno::EOPNOTSUPP),
        _ => net.stack().ok_or(Errno::ENODEV),
    }
}

/// `struct ifinfomsg`: family, padding, type; index; flags, and which of them count.
fn link(net: &NetStack, request: &Request<'_>) -> Result<()> {
    let field = |nth: usize| word(request.body, nth * 4).ok_or(Errno::EINVAL);
    let (index, flags, mask) = (field(1)?, field(2)?, field(3)?);
    let interfaces = net.interfaces();
    let name = attribute(request, LINK_LEN, IFLA_IFNAME).map(super::route::without_nul);
    let found = interfaces.iter().find(|interface| match index {
        0 => Some(interface.name.as_bytes()) == name,
        _ => interface.index == index,
    });
    let Some(interface) = found else {
        // There are no kinds of links that could be made.
        let makes = has(request, NLM_F_CREATE) && attribute(request, LINK_LEN, IFLA_LINKINFO).is_some();
        return Err(if makes { Errno::EOPNOTSUPP } else { Errno::ENODEV });
    };
    if has(request, NLM_F_EXCL) {
        return Err(Errno::EEXIST);
    }
    let changes = attributes(request.body, LINK_LEN);
    for (kind, value) in changes {
        match kind {
            IFLA_MTU => {
                let mtu = word(value, 0).ok_or(Errno::EINVAL)?;
                stack_of(net, interface.index)?.set_link(interface.index, LinkChange::Mtu(mtu))?;
            }
            IFLA_IFNAME if Some(super::route::without_nul(value)) == Some(interface.name.as_bytes()) => {}
            IFLA_TXQLEN | IFLA_EXT_MASK => {}
            _ => return Err(Errno::EOPNOTSUPP),
        }
    }
    // No mask stands for all flags (rtnl_dev_get_flags of Linux).
    let mask = if mask == 0 && flags != 0 { u32::MAX } else { mask };
    let up = flags & IFF_UP != 0;
    if mask & IFF_UP != 0 && up != (u32::from(interface.flags()) & IFF_UP != 0) {
        stack_of(net, interface.index)?.set_link(interface.index, LinkChange::Up(up))?;
    }
    Ok(())
}

/// `struct ifaddrmsg`: family, bits of the network, flags, scope; index.
fn interface_address(net: &NetStack, request: &Request<'_>) -> Result<()> {
    let index = word(request.body, 4).ok_or(Errno::EINVAL)?;
    let prefix = byte(request, 1)?;
    let ip = match address_of(request, ADDRESS_LEN, IFA_LOCAL)? {
        Some(ip) => ip,
        None if u16::from(byte(request, 0)?) == AF_INET6 => {
            address_of(request, ADDRESS_LEN, IFA_ADDRESS)?.ok_or(Errno::EINVAL)?
        }
        None => return Err(Errno::EINVAL),
    };
    if prefix > width(ip) {
        return Err(Errno::EINVAL);
    }
    if !net.interfaces().iter().any(|interface| interface.index == index) {
        return Err(Errno::ENODEV);
    }
    if request.header.kind == DELETE_ADDRESS {
        return stack_of(net, index)?.remove_address(index, ip, Some(prefix));
    }
    match stack_of(net, index)?.add_address(index, ip, prefix) {
        // It is as it is to be.
        Err(Errno::EEXIST) if has(request, NLM_F_REPLACE) && !has(request, NLM_F_EXCL) => Ok(()),
        outcome => outcome,
    }
}

/// `struct rtmsg`: family, bits of destination and source, type of service, table, who, scope, kind; flags.
fn route(net: &NetStack, request: &Request<'_>) -> Result<()> {
    let any: IpAddr = match u16::from(byte(request, 0)?) {
        AF_INET => Ipv4Addr::UNSPECIFIED.into(),
        AF_INET6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return Err(Errno::EOPNOTSUPP),
    };
    let deletes = request.header.kind == DELETE_ROUTE;
    let (len, table, kind) = (byte(request, 1)?, byte(request, 4)?, byte(request, 7)?);
    let table = number(request, ROUTE_LEN, RTA_TABLE).unwrap_or(table.into());
    if table != RT_TABLE_MAIN && table != 0 {
        return Err(if deletes { Errno::ESRCH } else { Errno::EOPNOTSUPP });
    }
    if len > width(any) || byte(request, 2)? != 0 {
        return Err(Errno::EINVAL);
    }
    let to = address_of(request, ROUTE_LEN, RTA_DST)?.unwrap_or(any);
    let prefix = Prefix::new(to, len);
    // Bits beyond the network's are a mistake.
    if prefix.address() != to && any.is_ipv4() {
        return Err(Errno::EINVAL);
    }
    let known = match kind {
        1 => Some(Kind::Unicast),
        6 => Some(Kind::Blackhole),
        7 => Some(Kind::Unreachable),
        8 => Some(Kind::Prohibit),
        _ => None,
    };
    let gateway = address_of(request, ROUTE_LEN, RTA_GATEWAY)?.filter(|gateway| !gateway.is_unspecified());
    let interface = number(request, ROUTE_LEN, RTA_OIF);
    let metric = number(request, ROUTE_LEN, RTA_PRIORITY);
    let stack = net.stack().ok_or(if deletes { Errno::ESRCH } else { Errno::ENODEV })?;
    if deletes {
        return stack.remove_route(&|route| {
            route.prefix == prefix
                && (kind == 0 || known == Some(route.kind))
                && metric.is_none_or(|metric| metric == route.metric)
                && interface.is_none_or(|interface| interface == route.interface.0)
                && gateway.is_none_or(|gateway| route.gateway == Some(gateway))
        });
    }
    let kind = known.ok_or(Errno::EOPNOTSUPP)?;
    let default_metric = if any.is_ipv4() { 0 } else { V6_METRIC };
    let mut route = Route::on_link(prefix, rkt_inet::Interface(LOOPBACK), origin(byte(request, 5)?));
    route.kind = kind;
    route.gateway = gateway.filter(|_| kind == Kind::Unicast);
    route.metric = metric.filter(|metric| any.is_ipv4() || *metric != 0).unwrap_or(default_metric);
    route.source = address_of(request, ROUTE_LEN, RTA_PREFSRC)?;
    let how = Insertion {
        exclusive: has(request, NLM_F_EXCL),
        replace: has(request, NLM_F_REPLACE),
        create: has(request, NLM_F_CREATE),
    };
    stack.add_route(route, how, interface.filter(|_| kind == Kind::Unicast))
}

/// Who made a route (`RTPROT_*` of linux/rtnetlink.h).
fn origin(protocol: u8) -> Origin {
    match protocol {
        2 => Origin::Kernel,
        4 => Origin::Static,
        9 => Origin::RouterAdvertisement,
        16 => Origin::Dhcp,
        _ => Origin::Boot,
    }
}

/// `struct ndmsg`: family, padding; index; state, flags, type.
fn neighbor(net: &NetStack, request: &Request<'_>) -> Result<()> {
    let index = word(request.body, 4).ok_or(Errno::EINVAL)?;
    let state = u16::from_ne_bytes([byte(request, 8)?, byte(request, 9)?]);
    let ip = address_of(request, NEIGHBOR_LEN, NDA_DST)?.ok_or(Errno::EINVAL)?;
    if !net.interfaces().iter().any(|interface| interface.index == index) {
        return Err(Errno::ENODEV);
    }
    let stack = stack_of(net, index)?;
    if request.header.kind == DELETE_NEIGHBOR {
        return stack.set_neighbor(index, ip, NeighborChange::Gone);
    }
    let known = net.neighbors().into_iter().find(|(interface, known)| (*interface, known.address) == (index, ip));
    match known {
        Some(_) if has(request, NLM_F_EXCL) => return Err(Errno::EEXIST),
        None if !has(request, NLM_F_CREATE) => return Err(Errno::ENOENT),
        _ => {}
    }
    let mac = match attribute(request, NEIGHBOR_LEN, NDA_LLADDR) {
        Some(value) => value.first_chunk().copied().map(ethernet::Address),
        None => known.and_then(|(_, known)| known.mac),
    };
    let mac = mac.ok_or(Errno::EINVAL)?;
    let change = match state {
        state if state & NUD_PERMANENT != 0 => NeighborChange::Permanent(mac),
        state => NeighborChange::Learned { mac, confirmed: state & NUD_REACHABLE != 0 },
    };
    stack.set_neighbor(index, ip, change)
}
