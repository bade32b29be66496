//! Groups that a socket joined (ip(7), ipv6(7), RFC 3678), and how it sends to groups.

use crate::address::Address;
use crate::options::int;
use crate::{Interface, NetStack};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::sync::atomic::{AtomicU64, Ordering};
use rkt_inet::multicast::{Filter, MAX_SOURCES, Member, Mode};
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};

/// Most groups of a socket (net.ipv4.igmp_max_memberships).
const MAX_GROUPS: usize = 20;
/// Bytes of `struct sockaddr_storage`.
const STORAGE: usize = 128;
/// Where the address lies in `struct group_req`, behind the interface's index.
const GROUP_AT: usize = 8;
/// The loopback's index: what is joined there concerns no card.
const LOOPBACK: u32 = 1;

/// A group.
#[derive(Clone, Debug)]
struct Membership {
    interface: u32,
    group: IpAddr,
    filter: Filter,
}

/// What is to be done with a source.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Join,
    Leave,
    /// Hear this source, too.
    Add,
    /// Hear it no longer.
    Drop,
    /// Hear all but this source.
    Block,
    Unblock,
}

/// The groups of a socket.
pub(crate) struct Memberships {
    member: Member,
    list: Vec<Membership>,
    /// IP_MULTICAST_IF: the interface, and the address by which it was named.
    v4: Option<(u32, Ipv4Addr)>,
    /// IPV6_MULTICAST_IF.
    v6: Option<u32>,
}

impl Memberships {
    /// In no group.
    pub fn new() -> Self {
        /// 0 is the kernel's own.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { member: Member(NEXT.fetch_add(1, Ordering::Relaxed)), list: Vec::new(), v4: None, v6: None }
    }

    /// Whether a packet from `source` to a group is wanted; where the socket did not join, `all` counts.
    pub fn accepts(&self, interface: u32, group: IpAddr, source: IpAddr, all: bool) -> bool {
        let joined = self.list.iter().find(|one| (one.interface, one.group) == (interface, group));
        joined.map_or(all, |one| one.filter.accepts(source))
    }

    /// The interface that packets to groups leave by, if one was named.
    pub fn outlet(&self, v4: bool) -> Option<u32> {
        if v4 { self.v4.map(|(index, _)| index) } else { self.v6 }
    }

    /// The address that packets to groups come from, if one was named.
    pub fn source(&self) -> Option<Ipv4Addr> {
        self.v4.map(|(_, ip)| ip).filter(|ip| !ip.is_unspecified())
    }

    /// setsockopt(2), if the option is of groups.
    ///
    /// # Errors
    /// `ENOPROTOOPT` if it is not; `EINVAL`, `ENODEV`, `EADDRINUSE`, `EADDRNOTAVAIL`, `ENOBUFS`.
    pub fn set(&mut self, net: &NetStack, level: u32, name: u32, value: &[u8]) -> Result<()> {
        match (level, name) {
            (SOL_IP, IP_MULTICAST_IF) => self.choose_v4(net, value),
            (SOL_IPV6, IPV6_MULTICAST_IF) => self.choose_v6(net, int(value)?),
            (SOL_IP, IP_ADD_MEMBERSHIP) => self.request_v4(net, Change::Join, value),
            (SOL_IP, IP_DROP_MEMBERSHIP) => self.request_v4(net, Change::Leave, value),
            (SOL_IP, IP_ADD_SOURCE_MEMBERSHIP) => self.source_v4(net, Change::Add, value),
            (SOL_IP, IP_DROP_SOURCE_MEMBERSHIP) => self.source_v4(net, Change::Drop, value),
            (SOL_IP, IP_BLOCK_SOURCE) => self.source_v4(net, Change::Block, value),
            (SOL_IP, IP_UNBLOCK_SOURCE) => self.source_v4(net, Change::Unblock, value),
            (SOL_IPV6, IPV6_ADD_MEMBERSHIP) => self.request_v6(net, Change::Join, value),
            (SOL_IPV6, IPV6_DROP_MEMBERSHIP) => self.request_v6(net, Change::Leave, value),
            (SOL_IP | SOL_IPV6, MCAST_JOIN_GROUP) => self.request(net, Change::Join, value),
            (SOL_IP | SOL_IPV6, MCAST_LEAVE_GROUP) => self.request(net, Change::Leave, value),
            (SOL_IP | SOL_IPV6, MCAST_JOIN_SOURCE_GROUP) => self.request(net, Change::Add, value),
            (SOL_IP | SOL_IPV6, MCAST_LEAVE_SOURCE_GROUP) => self.request(net, Change::Drop, value),
            (SOL_IP | SOL_IPV6, MCAST_BLOCK_SOURCE) => self.request(net, Change::Block, value),
            (SOL_IP | SOL_IPV6, MCAST_UNBLOCK_SOURCE) => self.request(net, Change::Unblock, value),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    /// getsockopt(2), if the option is of groups.
    pub fn get(&self, level: u32, name: u32) -> Option<Vec<u8>> {
        match (level, name) {
            (SOL_IP, IP_MULTICAST_IF) => Some(self.source().unwrap_or(Ipv4Addr::UNSPECIFIED).octets().to_vec()),
            (SOL_IPV6, IPV6_MULTICAST_IF) => Some(self.v6.unwrap_or(0).to_ne_bytes().to_vec()),
            _ => None,
        }
    }

    /// Leaves all groups, as when the socket is closed.
    pub fn leave_all(&mut self, net: &NetStack) {
        for Membership { interface, group, .. } in core::mem::take(&mut self.list) {
            // Interfaces do not go away.
            let _ = tell(net, self.member, interface, group, Filter::nothing());
        }
    }

    /// `struct in_addr`, `struct ip_mreq` or `struct ip_mreqn`.
    fn choose_v4(&mut self, net: &NetStack, value: &[u8]) -> Result<()> {
        let (address, index) = match value.len() {
            12.. => (v4_at(value, 4)?, int(value.get(8..).unwrap_or(&[]))?),
            8.. => (v4_at(value, 4)?, 0),
            _ => (v4_at(value, 0)?, 0),
        };
        if index == 0 && address.is_unspecified() {
            self.v4 = None;
            return Ok(());
        }
        let found = find(net, index, address).ok_or(Errno::EADDRNOTAVAIL)?;
        self.v4 = Some((found.index, address));
        Ok(())
    }

    fn choose_v6(&mut self, net: &NetStack, index: i32) -> Result<()> {
        self.v6 = match index {
            0 => None,
            index => Some(find(net, index, Ipv4Addr::UNSPECIFIED).ok_or(Errno::ENODEV)?.index),
        };
        Ok(())
    }

    /// `struct ip_mreq` or `struct ip_mreqn`.
    fn request_v4(&mut self, net: &NetStack, change: Change, value: &[u8]) -> Result<()> {
        let index = if value.len() >= 12 { int(value.get(8..).unwrap_or(&[]))? } else { 0 };
        let (group, own) = (v4_at(value, 0)?, v4_at(value, 4)?);
        self.change(net, change, (index, own), group.into(), None)
    }

    /// `struct ip_mreq_source`.
    fn source_v4(&mut self, net: &NetStack, change: Change, value: &[u8]) -> Result<()> {
        let (group, own, source) = (v4_at(value, 0)?, v4_at(value, 4)?, v4_at(value, 8)?);
        self.change(net, change, (0, own), group.into(), Some(source.into()))
    }

    /// `struct ipv6_mreq`.
    fn request_v6(&mut self, net: &NetStack, change: Change, value: &[u8]) -> Result<()> {
        let (group, index) = value.split_first_chunk::<16>().ok_or(Errno::EINVAL)?;
        let interface = (int(index)?, Ipv4Addr::UNSPECIFIED);
        self.change(net, change, interface, Ipv6Addr::from(*group).into(), None)
    }

    /// `struct group_req` or `struct group_source_req`.
    fn request(&mut self, net: &NetStack, change: Change, value: &[u8]) -> Result<()> {
        let address = |at: usize| -> Result<IpAddr> {
            let bytes = value.get(at..at + STORAGE).ok_or(Errno::EINVAL)?;
            Ok(Address::parse(bytes).inet(true)?.ip())
        };
        let named = matches!(change, Change::Join | Change::Leave);
        let source = if named { None } else { Some(address(GROUP_AT + STORAGE)?) };
        self.change(net, change, (int(value)?, Ipv4Addr::UNSPECIFIED), address(GROUP_AT)?, source)
    }

    fn change(
        &mut self,
        net: &NetStack,
        change: Change,
        (index, own): (i32, Ipv4Addr),
        group: IpAddr,
        source: Option<IpAddr>,
    ) -> Result<()> {
        if !group.is_multicast() {
            return Err(if change == Change::Leave { Errno::EADDRNOTAVAIL } else { Errno::EINVAL });
        }
        let interface = find_for(net, index, own, group).ok_or(Errno::ENODEV)?;
        let at = self.list.iter().position(|one| (one.interface, one.group) == (interface, group));
        let known = at.and_then(|at| self.list.get(at)).map(|one| one.filter.clone());
        let filter = changed(change, known, source)?;
        if at.is_none() && self.list.len() >= MAX_GROUPS {
            return Err(Errno::ENOBUFS);
        }
        tell(net, self.member, interface, group, filter.clone())?;
        self.list.retain(|one| (one.interface, one.group) != (interface, group));
        if !filter.is_nothing() {
            self.list.push(Membership { interface, group, filter });
        }
        Ok(())
    }
}

/// What becomes of a filter, as RFC 3678 §4.1.3 has it with Linux's errors.
fn changed(change: Change, known: Option<Filter>, source: Option<IpAddr>) -> Result<Filter> {
    let with = |filter: &Filter, source: IpAddr| -> Result<Filter> {
        if filter.sources().contains(&source) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        if filter.sources().len() >= MAX_SOURCES {
            return Err(Errno::ENOBUFS);
        }
        Ok(Filter::new(filter.mode(), [filter.sources(), &[source]].concat()))
    };
    let without = |filter: &Filter, source: IpAddr| -> Result<Filter> {
        if !filter.sources().contains(&source) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let left = filter.sources().iter().copied().filter(|other| *other != source).collect();
        Ok(Filter::new(filter.mode(), left))
    };
    match (change, known, source) {
        (Change::Join, None, _) => Ok(Filter::anything()),
        (Change::Join, Some(_), _) => Err(Errno::EADDRINUSE),
        (Change::Leave, Some(_), _) => Ok(Filter::nothing()),
        (Change::Leave, None, _) => Err(Errno::EADDRNOTAVAIL),
        (Change::Add, None, Some(source)) => Ok(Filter::new(Mode::Include, Vec::from([source]))),
        (Change::Add, Some(filter), Some(source)) if filter.mode() == Mode::Include => with(&filter, source),
        (Change::Drop, Some(filter), Some(source)) if filter.mode() == Mode::Include => without(&filter, source),
        (Change::Block, Some(filter), Some(source)) if filter.mode() == Mode::Exclude => with(&filter, source),
        (Change::Unblock, Some(filter), Some(source)) if filter.mode() == Mode::Exclude => without(&filter, source),
        _ => Err(Errno::EINVAL),
    }
}

fn tell(net: &NetStack, member: Member, interface: u32, group: IpAddr, filter: Filter) -> Result<()> {
    match net.stack() {
        Some(stack) if interface != LOOPBACK => stack.set_group(interface, member, group, filter),
        _ => Ok(()),
    }
}

/// The interface with this index, or else this address.
fn find(net: &NetStack, index: i32, own: Ipv4Addr) -> Option<Interface> {
    let is_it = |interface: &Interface| match index {
        0 => interface.addresses.iter().any(|assigned| assigned.ip == own),
        index => interface.index == index as u32,
    };
    net.interfaces().into_iter().find(is_it)
}

/// The interface for a group: the one that is named, or the one that packets to it leave by.
fn find_for(net: &NetStack, index: i32, own: Ipv4Addr, group: IpAddr) -> Option<u32> {
    if index != 0 || !own.is_unspecified() {
        return find(net, index, own).map(|interface| interface.index);
    }
    let routed = net.routes().into_iter().find(|route| route.prefix.contains(group));
    routed.map(|route| route.interface.0)
}

fn v4_at(value: &[u8], at: usize) -> Result<Ipv4Addr> {
    let octets = value.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or(Errno::EINVAL)?;
    Ok(Ipv4Addr::from(*octets))
}
