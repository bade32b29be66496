//! What rtnetlink(7) tells of interfaces, addresses and routes.

use super::change::{IFLA_IFNAME, LINK_LEN};
use super::message::{Builder, Header, Request, attributes, word};
use crate::address::{AF_INET, AF_INET6, AF_UNSPEC};
use crate::interface::Assigned;
use crate::{Interface, NetStack};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use rkt_inet::route::{Kind, Origin, Route};
use rkt_linux_abi::general::CAP_NET_ADMIN;
use rkt_linux_abi::netlink::{
    NLM_F_DUMP, NLM_F_MULTI, RTPROT_BOOT, RTPROT_DHCP, RTPROT_KERNEL, RTPROT_RA, RTPROT_STATIC,
};
use rkt_linux_abi::{Errno, Result};

/// Message types of linux/rtnetlink.h.
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
pub(super) const RTM_NEWADDR: u16 = 20;
pub(super) const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
pub(super) const RTM_NEWROUTE: u16 = 24;
pub(super) const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTM_NEWRULE: u16 = 32;
const RTM_GETRULE: u16 = 34;
/// The lowest two bits of a type say what is to be done: 2 is to get.
const GET: u16 = 2;

/// Attributes of linux/if_link.h, linux/if_addr.h and linux/rtnetlink.h.
const IFLA_ADDRESS: u16 = 1;
const IFLA_BROADCAST: u16 = 2;
const IFLA_MTU: u16 = 4;
const IFLA_TXQLEN: u16 = 13;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_STATS64: u16 = 23;
const IFA_CACHEINFO: u16 = 6;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_FLAGS: u16 = 8;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_TABLE: u16 = 15;

/// RT_SCOPE_*: how far away a destination is.
const SCOPE_UNIVERSE: u8 = 0;
const SCOPE_LINK: u8 = 253;
const SCOPE_HOST: u8 = 254;
const RT_TABLE_MAIN: u8 = 254;
const RTN_UNICAST: u8 = 1;
const RTN_LOCAL: u8 = 2;
const RTN_BLACKHOLE: u8 = 6;
const RTN_UNREACHABLE: u8 = 7;
const RTN_PROHIBIT: u8 = 8;
/// Operational states of RFC 2863.
const OPER_DOWN: u8 = 2;
const OPER_UP: u8 = 6;
const TX_QUEUE_LEN: u32 = 1000;

/// Whether a request wants to know something, and changes nothing.
pub fn asks(request: &Request<'_>) -> bool {
    request.header.kind % 4 == GET
}

/// Answers a request, or does what it wants changed.
///
/// # Errors
/// `EPERM` for a change without CAP_NET_ADMIN, `EOPNOTSUPP` for other questions, `ENODEV`, `EINVAL`.
pub fn answer(net: &NetStack, request: &Request<'_>, header: Header, out: &mut Builder) -> Result<()> {
    if !asks(request) {
        if !net.hooks.capable(CAP_NET_ADMIN) {
            return Err(Errno::EPERM);
        }
        return super::change::change(net, request);
    }
    let dump = u32::from(request.header.flags) & NLM_F_DUMP != 0;
    let interfaces = net.interfaces();
    let family = u16::from(*request.body.first().ok_or(Errno::EINVAL)?);
    let listed = Header { flags: header.flags | NLM_F_MULTI as u16, ..header };
    match request.header.kind {
        RTM_GETLINK if dump => interfaces.iter().for_each(|interface| link(interface, listed, out)),
        RTM_GETLINK => {
            // The index lies behind family, padding and type in `struct ifinfomsg`.
            let index = word(request.body, 4).ok_or(Errno::EINVAL)?;
            let name = attributes(request.body, LINK_LEN).find(|(kind, _)| *kind == IFLA_IFNAME);
            let name = name.map(|(_, name)| without_nul(name));
            let is_it = |interface: &&Interface| match index {
                0 => Some(interface.name.as_bytes()) == name,
                _ => interface.index == index,
            };
            let found = interfaces.iter().find(is_it);
            link(found.ok_or(Errno::ENODEV)?, header, out);
            return Ok(());
        }
        RTM_GETADDR if dump => interfaces.iter().for_each(|interface| addresses(interface, family, listed, out)),
        RTM_GETROUTE if dump => {
            net.routes().iter().for_each(|route| self::route(route, family, RTM_NEWROUTE, listed, out))
        }
        RTM_GETROUTE => return one_route(net, request, header, out),
        super::neighbor::RTM_GETNEIGH if dump => super::neighbor::list(net, family, listed, out),
        RTM_GETRULE if dump => rules(family, listed, out),
        _ => return Err(Errno::EOPNOTSUPP),
    }
    out.done(listed);
    Ok(())
}

/// RTM_NEWLINK: `struct ifinfomsg`.
pub(super) fn link(interface: &Interface, header: Header, out: &mut Builder) {
    let mut fixed = [0; 16];
    let fields = [u32::from(interface.hardware()) << 16, interface.index, u32::from(interface.flags()), 0];
    for (into, field) in fixed.chunks_exact_mut(4).zip(fields) {
        into.copy_from_slice(&field.to_ne_bytes());
    }
    let broadcast = if interface.loopback { [0; 6] } else { [0xff; 6] };
    out.message(Header { kind: RTM_NEWLINK, ..header }, &fixed, |out| {
        out.attribute(IFLA_IFNAME, &name(interface));
        out.attribute(IFLA_TXQLEN, &TX_QUEUE_LEN.to_ne_bytes());
        out.attribute(IFLA_OPERSTATE, &[if interface.up { OPER_UP } else { OPER_DOWN }]);
        out.attribute(IFLA_MTU, &interface.mtu.to_ne_bytes());
        out.attribute(IFLA_ADDRESS, &interface.mac);
        out.attribute(IFLA_BROADCAST, &broadcast);
        out.attribute(IFLA_STATS64, &statistics(interface));
    });
}

/// A name without what is behind its end.
pub(super) fn without_nul(value: &[u8]) -> &[u8] {
    value.split(|&byte| byte == 0).next().unwrap_or(&[])
}

/// The name and its NUL.
fn name(interface: &Interface) -> alloc::vec::Vec<u8> {
    let mut name = interface.name.as_bytes().to_vec();
    name.push(0);
    name
}

/// `struct rtnl_link_stats64` of linux/if_link.h: 25 counters, of which these are known.
fn statistics(interface: &Interface) -> Vec<u8> {
    const COUNTERS: usize = 25;
    let counted = interface.counters;
    let mut all = [0u64; COUNTERS];
    let known = [
        counted.rx_frames,
        counted.tx_frames,
        counted.rx_bytes,
        counted.tx_bytes,
        counted.rx_invalid,
        0,
        0,
        counted.tx_full,
    ];
    for (into, from) in all.iter_mut().zip(known) {
        *into = from;
    }
    all.iter().flat_map(|counter| counter.to_ne_bytes()).collect()
}

/// The rules by which tables of routes are chosen: always local, main, default (ip-rule(8)).
fn rules(family: u16, header: Header, out: &mut Builder) {
    const FRA_PRIORITY: u16 = 6;
    const FRA_TABLE: u16 = 15;
    const FR_ACT_TO_TBL: u8 = 1;
    let header = Header { kind: RTM_NEWRULE, ..header };
    for own in [AF_INET, AF_INET6].into_iter().filter(|own| family == AF_UNSPEC || family == *own) {
        for (priority, table) in [(0u32, 255u8), (32766, RT_TABLE_MAIN), (32767, 253)] {
            // There is no table "default" of IPv6.
            if own == AF_INET6 && table == 253 {
                continue;
            }
            let fixed = [own as u8, 0, 0, 0, table, 0, 0, FR_ACT_TO_TBL, 0, 0, 0, 0];
            out.message(header, &fixed, |out| {
                out.attribute(FRA_TABLE, &u32::from(table).to_ne_bytes());
                if priority != 0 {
                    out.attribute(FRA_PRIORITY, &priority.to_ne_bytes());
                }
            });
        }
    }
}

/// The route that packets to one address take (`ip route get`).
fn one_route(net: &NetStack, request: &Request<'_>, header: Header, out: &mut Builder) -> Result<()> {
    /// RTM_F_CLONED: made for this question.
    const CLONED: u32 = 0x200;
    const LOOPBACK: u32 = 1;
    let given = |wanted: u16| attributes(request.body, 12).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let to = given(RTA_DST).and_then(address).ok_or(Errno::EINVAL)?;
    let interface = given(RTA_OIF).and_then(|value| word(value, 0));
    let local = net.is_local(to);
    let (index, gateway, source) = match net.stack().filter(|_| !local) {
        Some(stack) => stack.route_to(to, interface)?,
        None if local => (LOOPBACK, None, to),
        None => return Err(Errno::ENETUNREACH),
    };
    let (own, destination) = octets(to);
    let (table, kind) = if local { (255, RTN_LOCAL) } else { (RT_TABLE_MAIN, RTN_UNICAST) };
    let mut fixed = [own as u8, destination.len() as u8 * 8, 0, 0, table, 0, SCOPE_UNIVERSE, kind, 0, 0, 0, 0];
    if let Some(flags) = fixed.get_mut(8..) {
        flags.copy_from_slice(&CLONED.to_ne_bytes());
    }
    out.message(Header { kind: RTM_NEWROUTE, ..header }, &fixed, |out| {
        out.attribute(RTA_TABLE, &u32::from(table).to_ne_bytes());
        out.attribute(RTA_DST, &destination);
        out.attribute(RTA_OIF, &index.to_ne_bytes());
        out.attribute(RTA_PREFSRC, &octets(source).1);
        if let Some(gateway) = gateway {
            out.attribute(RTA_GATEWAY, &octets(gateway).1);
        }
    });
    Ok(())
}

/// An address as an attribute has it.
pub(super) fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
    }
}

/// The addresses of a family.
fn addresses(interface: &Interface, family: u16, header: Header, out: &mut Builder) {
    for assigned in &interface.addresses {
        if family == AF_UNSPEC || family == octets(assigned.ip).0 {
            address_message(interface, assigned, RTM_NEWADDR, header, out);
        }
    }
}

/// RTM_NEWADDR and RTM_DELADDR: `struct ifaddrmsg`.
pub(super) fn address_message(
    interface: &Interface,
    assigned: &Assigned,
    kind: u16,
    header: Header,
    out: &mut Builder,
) {
    let (own, bytes) = octets(assigned.ip);
    let scope = match assigned.ip {
        _ if interface.loopback => SCOPE_HOST,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => SCOPE_LINK,
        _ => SCOPE_UNIVERSE,
    };
    let flags = assigned.flags();
    let mut fixed = [own as u8, assigned.prefix, flags, scope, 0, 0, 0, 0];
    if let Some(index) = fixed.get_mut(4..) {
        index.copy_from_slice(&interface.index.to_ne_bytes());
    }
    out.message(Header { kind, ..header }, &fixed, |out| {
        out.attribute(IFA_ADDRESS, &bytes);
        if own == AF_INET {
            out.attribute(IFA_LOCAL, &bytes);
            if let Some(broadcast) = assigned.broadcast().filter(|_| !interface.loopback) {
                out.attribute(IFA_BROADCAST, &broadcast.octets());
            }
            out.attribute(IFA_LABEL, &name(interface));
        }
        out.attribute(IFA_FLAGS, &u32::from(flags).to_ne_bytes());
        // `struct ifa_cacheinfo`: lifetimes in seconds, all ones for ever, and when it was made and changed.
        let lifetimes = [assigned.preferred, assigned.valid].map(|left| left.unwrap_or(u32::MAX));
        let info: Vec<u8> = lifetimes.into_iter().chain([0; 2]).flat_map(u32::to_ne_bytes).collect();
        out.attribute(IFA_CACHEINFO, &info);
    });
}

/// The family and the bytes of an address.
pub(super) fn octets(ip: IpAddr) -> (u16, Vec<u8>) {
    match ip {
        IpAddr::V4(ip) => (AF_INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (AF_INET6, ip.octets().to_vec()),
    }
}

/// RTM_NEWROUTE and RTM_DELROUTE: `struct rtmsg`. Groups and broadcasts are of the table "local", which is not the main one.
pub(super) fn route(route: &Route, family: u16, message: u16, header: Header, out: &mut Builder) {
    let (own, destination) = octets(route.prefix.address());
    let is_group = route.prefix.address().is_multicast();
    let everyone = route.prefix.address() == IpAddr::V4(Ipv4Addr::BROADCAST);
    if family != AF_UNSPEC && family != own || is_group || everyone {
        return;
    }
    let header = Header { kind: message, ..header };
    let scope = if route.gateway.is_some() || own == AF_INET6 { SCOPE_UNIVERSE } else { SCOPE_LINK };
    let protocol = match route.origin {
        Origin::Kernel | Origin::Redirect => RTPROT_KERNEL,
        Origin::Boot => RTPROT_BOOT,
        Origin::Static => RTPROT_STATIC,
        Origin::RouterAdvertisement => RTPROT_RA,
        Origin::Dhcp => RTPROT_DHCP,
    };
    let kind = match route.kind {
        Kind::Unicast => RTN_UNICAST,
        Kind::Local => RTN_LOCAL,
        Kind::Blackhole => RTN_BLACKHOLE,
        Kind::Unreachable => RTN_UNREACHABLE,
        Kind::Prohibit => RTN_PROHIBIT,
    };
    let fixed = [own as u8, route.prefix.len(), 0, 0, RT_TABLE_MAIN, protocol as u8, scope, kind, 0, 0, 0, 0];
    out.message(header, &fixed, |out| {
        out.attribute(RTA_TABLE, &u32::from(RT_TABLE_MAIN).to_ne_bytes());
        if !route.prefix.is_empty() {
            out.attribute(RTA_DST, &destination);
        }
        if let Some(gateway) = route.gateway {
            out.attribute(RTA_GATEWAY, &octets(gateway).1);
        }
        if let Some(source) = route.source {
            out.attribute(RTA_PREFSRC, &octets(source).1);
        }
        if route.metric != 0 {
            out.attribute(RTA_PRIORITY, &route.metric.to_ne_bytes());
        }
        out.attribute(RTA_OIF, &route.interface.0.to_ne_bytes());
    });
}
