//! What servers offer and grant.

use crate::time::{after, lifetime};
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use rkt_wire::dhcp::{Message, Route};

/// Most routers, resolvers and routes of a lease that count.
pub const MAX_LIST: usize = 16;
/// A lease that is shorter, in seconds, is no lease, and half of it is the least T1: renewals would be a flood.
const MIN_SECONDS: u32 = 10;
/// Smallest MTU that a server may set (RFC 2132 §5.1 has 68, which leaves no room for what programs expect: RFC 791).
const MIN_MTU: u16 = 576;

/// An offer that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub address: Ipv4Addr,
    pub server: Ipv4Addr,
}

impl Offer {
    pub fn from_message(message: &Message<'_>) -> Option<Self> {
        let server = message.options.server_id.filter(|server| is_host(*server))?;
        is_host(message.yours).then_some(Self { address: message.yours, server })
    }
}

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Our address.
    pub address: Ipv4Addr,
    /// Bits of the subnet's prefix.
    pub prefix_len: u8,
    /// The server.
    pub server: Ipv4Addr,
    /// Routes: those without a class if the server names any (RFC 3442), else one to everywhere by the first router.
    pub routes: Vec<Route>,
    /// Resolvers, the preferred first.
    pub resolvers: Vec<Ipv4Addr>,
    /// Our name, if the server has one for us.
    pub host_name: Vec<u8>,
    /// Our domain, if the server says.
    pub domain_name: Vec<u8>,
    /// MTU in bytes, if the server says.
    pub mtu: Option<u16>,
    /// T1: when its server is asked for more time. `None`: never.
    pub renew_at: Option<u64>,
    /// T2: when all servers are asked.
    pub rebind_at: Option<u64>,
    /// When it ends.
    pub ends_at: Option<u64>,
}

impl Lease {
    /// The lease that a message grants, of `server` if it does not say; it was asked for at `asked`.
    pub(super) fn from_message(message: &Message<'_>, server: Ipv4Addr, asked: u64) -> Option<Self> {
        let options = &message.options;
        let seconds = options.lease_time.filter(|seconds| *seconds >= MIN_SECONDS)?;
        if !is_host(message.yours) {
            return None;
        }
        let (renew, rebind) = times(seconds, options.renewal_time, options.rebinding_time);
        let ends_at = lifetime(asked, seconds);
        let at = |seconds: u32| ends_at.map(|_| after(asked, u64::from(seconds) * crate::time::SECOND));
        let default = options.routers.iter().next().map(|router| Route {
            destination: Ipv4Addr::UNSPECIFIED,
            prefix_len: 0,
            router,
        });
        let routes = if options.classless_routes.is_empty() {
            default.into_iter().collect()
        } else {
            options.classless_routes.iter().take(MAX_LIST).collect()
        };
        Some(Self {
            address: message.yours,
            prefix_len: prefix_len(message.yours, options.subnet_mask),
            server: options.server_id.filter(|server| is_host(*server)).unwrap_or(server),
            routes,
            resolvers: options.resolvers.iter().filter(|address| is_host(*address)).take(MAX_LIST).collect(),
            host_name: options.host_name.to_vec(),
            domain_name: options.domain_name.to_vec(),
            mtu: options.mtu.filter(|mtu| *mtu >= MIN_MTU),
            renew_at: at(renew),
            rebind_at: at(rebind),
            ends_at,
        })
    }
}

/// T1 and T2 in seconds: as the server says if that makes sense, else a half and seven eighths (RFC 2131 §4.4.5).
fn times(lease: u32, renewal: Option<u32>, rebinding: Option<u32>) -> (u32, u32) {
    let least = MIN_SECONDS / 2;
    let rebind = rebinding.filter(|rebind| (least..lease).contains(rebind)).unwrap_or(lease - lease / 8);
    let renew = renewal.filter(|renew| (least..rebind).contains(renew)).unwrap_or((lease / 2).min(rebind));
    (renew, rebind)
}

/// The prefix that a mask says; without one that makes sense, that of the address's class (RFC 791 §3.2).
fn prefix_len(address: Ipv4Addr, mask: Option<Ipv4Addr>) -> u8 {
    let ones = mask.map_or(0, |mask| mask.to_bits().leading_ones());
    let is_whole = mask.is_some_and(|mask| mask.to_bits().count_ones() == ones);
    match address.octets() {
        _ if ones != 0 && is_whole => ones as u8,
        [0..128, ..] => 8,
        [128..192, ..] => 16,
        _ => 24,
    }
}

/// Whether a host can have the address.
fn is_host(address: Ipv4Addr) -> bool {
    let is_class_e = address.octets().first().is_some_and(|first| *first >= 240);
    !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || is_class_e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_order() {
        assert_eq!(times(3600, None, None), (1800, 3150));
        assert_eq!(times(3600, Some(100), Some(200)), (100, 200));
        assert_eq!(times(3600, Some(4000), Some(5000)), (1800, 3150));
        assert_eq!(times(3600, Some(3000), Some(200)), (200, 200));
        assert_eq!(times(10, None, None), (5, 9));
        assert_eq!(times(10, Some(0), Some(0)), (5, 9));
    }

    #[test]
    fn masks_with_holes_do_not_count() {
        let address = Ipv4Addr::new(10, 1, 2, 3);
        assert_eq!(prefix_len(address, Some(Ipv4Addr::new(255, 255, 254, 0))), 23);
        assert_eq!(prefix_len(address, Some(Ipv4Addr::new(255, 0, 255, 0))), 8);
        assert_eq!(prefix_len(Ipv4Addr::new(172, 16, 0, 1), None), 16);
        assert_eq!(prefix_len(Ipv4Addr::new(192, 168, 0, 1), None), 24);
    }
}
