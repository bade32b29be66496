//! What both versions of the Internet Protocol share.

use crate::checksum::Sum;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Protocol numbers, which are next-header values of IPv6, too (IANA, "Protocol Numbers").
pub mod protocol {
    /// Hop-by-hop options of IPv6 (RFC 8200 §4.3).
    pub const HOP_BY_HOP: u8 = 0;
    /// ICMP for IPv4 (RFC 792).
    pub const ICMP: u8 = 1;
    /// IGMP (RFC 3376).
    pub const IGMP: u8 = 2;
    /// TCP (RFC 9293).
    pub const TCP: u8 = 6;
    /// UDP (RFC 768).
    pub const UDP: u8 = 17;
    /// Routing header of IPv6 (RFC 8200 §4.4).
    pub const ROUTING: u8 = 43;
    /// Fragment header of IPv6 (RFC 8200 §4.5).
    pub const FRAGMENT: u8 = 44;
    /// ICMPv6 (RFC 4443).
    pub const ICMPV6: u8 = 58;
    /// Nothing follows (RFC 8200 §4.7).
    pub const NO_NEXT_HEADER: u8 = 59;
    /// Destination options of IPv6 (RFC 8200 §4.6).
    pub const DESTINATION: u8 = 60;
}

/// Source and destination, of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// IPv4.
    V4 {
        /// From.
        source: Ipv4Addr,
        /// To.
        destination: Ipv4Addr,
    },
    /// IPv6.
    V6 {
        /// From.
        source: Ipv6Addr,
        /// To.
        destination: Ipv6Addr,
    },
}

impl Addresses {
    /// The pair, or `None` if the versions differ.
    pub const fn new(source: IpAddr, destination: IpAddr) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some(Self::V4 { source, destination }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self::V6 { source, destination }),
            _ => None,
        }
    }

    /// From.
    pub const fn source(&self) -> IpAddr {
        match *self {
            Self::V4 { source, .. } => IpAddr::V4(source),
            Self::V6 { source, .. } => IpAddr::V6(source),
        }
    }

    /// To.
    pub const fn destination(&self) -> IpAddr {
        match *self {
            Self::V4 { destination, .. } => IpAddr::V4(destination),
            Self::V6 { destination, .. } => IpAddr::V6(destination),
        }
    }

    /// The way back.
    #[must_use]
    pub const fn reversed(&self) -> Self {
        match *self {
            Self::V4 { source, destination } => Self::V4 { source: destination, destination: source },
            Self::V6 { source, destination } => Self::V6 { source: destination, destination: source },
        }
    }

    /// The sum of the pseudo-header of a transport header and payload of `len` bytes.
    #[inline]
    pub fn pseudo(&self, protocol: u8, len: usize) -> Sum {
        // No packet is longer than 32 bits can say (RFC 2675 is not spoken).
        let len = len as u32;
        match *self {
            Self::V4 { source, destination } => Sum::pseudo_v4(source, destination, protocol, len),
            Self::V6 { source, destination } => Sum::pseudo_v6(source, destination, protocol, len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_do_not_mix() {
        let (a, b) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
        assert_eq!(Addresses::new(a, b), None);
        let pair = Addresses::new(a, IpAddr::V4(Ipv4Addr::BROADCAST)).unwrap();
        assert_eq!(pair.reversed().source(), IpAddr::V4(Ipv4Addr::BROADCAST));
        assert_eq!(pair.reversed().destination(), a);
        assert_eq!(pair.pseudo(6, 20), pair.reversed().pseudo(6, 20));
    }
}
