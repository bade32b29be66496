//! Neighbour Discovery (RFC 4861).

use super::kind;
use crate::ethernet::Address;
use crate::writer::Writer;
use crate::{Malformed, NoRoom, ipv6};
use core::net::Ipv6Addr;

/// Hop limit of each message: it has crossed no router (RFC 4861 §6.1, §7.1).
pub const HOP_LIMIT: u8 = 255;

/// Types of options (RFC 4861 §4.6, RFC 8106 §5.1, RFC 3971 §5.3).
mod option {
    pub const SOURCE_MAC: u8 = 1;
    pub const TARGET_MAC: u8 = 2;
    pub const PREFIX: u8 = 3;
    pub const REDIRECTED: u8 = 4;
    pub const MTU: u8 = 5;
    pub const NONCE: u8 = 14;
    pub const RDNSS: u8 = 25;
}

/// A message with its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it says.
    pub body: Body,
    /// Options.
    pub options: Options<'a>,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Which routers are there? (§4.1)
    RouterSolicitation,
    /// A router is here (§4.2).
    RouterAdvertisement(RouterAdvertisement),
    /// Who has the target address? (§4.3)
    NeighborSolicitation {
        /// The address.
        target: Ipv6Addr,
    },
    /// The target address is here (§4.4).
    NeighborAdvertisement {
        /// By a router.
        router: bool,
        /// In answer to a solicitation.
        solicited: bool,
        /// Replaces what is known.
        overriding: bool,
        /// The address.
        target: Ipv6Addr,
    },
    /// The target is a better first hop to the destination (§4.5).
    Redirect {
        /// The first hop; equal to the destination if that is on the link.
        target: Ipv6Addr,
        /// The destination.
        destination: Ipv6Addr,
    },
}

/// A router advertisement (§4.2). Zero stands for "not said" but in the lifetime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouterAdvertisement {
    /// Hop limit for packets sent.
    pub hop_limit: u8,
    /// Addresses by DHCPv6.
    pub managed: bool,
    /// Other configuration by DHCPv6.
    pub other: bool,
    /// How much this router is preferred (RFC 4191 §2.1): -1, 0 or 1.
    pub preference: i8,
    /// How long this is a default router, in seconds; 0: it is none.
    pub lifetime: u16,
    /// How long a neighbour counts as reachable, in milliseconds.
    pub reachable_time: u32,
    /// Time between solicitations, in milliseconds.
    pub retrans_timer: u32,
}

/// A prefix (§4.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The prefix; bits beyond its length do not count.
    pub prefix: Ipv6Addr,
    /// Bits of it that count, at most 128.
    pub len: u8,
    /// Its addresses are on the link.
    pub on_link: bool,
    /// For making addresses from.
    pub autonomous: bool,
    /// How long it is valid, in seconds; all ones: for ever.
    pub valid_lifetime: u32,
    /// How long addresses made from it are preferred, in seconds; all ones: for ever.
    pub preferred_lifetime: u32,
}

/// An option (§4.6). Those of unknown types are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NdOption<'a> {
    /// The sender's card.
    SourceMac(Address),
    /// The target's card.
    TargetMac(Address),
    /// A prefix of the link.
    Prefix(Prefix),
    /// Start of the packet that a redirect is about.
    Redirected(&'a [u8]),
    /// MTU of the link, in bytes.
    Mtu(u32),
    /// A number to know one's own solicitations by (RFC 7527 §4.1).
    Nonce([u8; 6]),
    /// Resolvers (RFC 8106 §5.1).
    Rdnss {
        /// How long they may be used, in seconds; all ones: for ever.
        lifetime: u32,
        /// Their addresses.
        servers: &'a [[u8; 16]],
    },
}

impl<'a> NdOption<'a> {
    /// Reads an option whose body follows type and length; `None` of what is to be skipped.
    fn read(kind: u8, body: &'a [u8]) -> Option<Self> {
        Some(match kind {
            option::SOURCE_MAC => Self::SourceMac(Address(body.try_into().ok()?)),
            option::TARGET_MAC => Self::TargetMac(Address(body.try_into().ok()?)),
            option::PREFIX => Self::Prefix(Prefix::read(body)?),
            option::REDIRECTED => Self::Redirected(body.get(6..)?),
            option::MTU => {
                let ([_, _, mtu @ ..], _) = body.split_first_chunk::<6>()?;
                Self::Mtu(u32::from_be_bytes(*mtu))
            }
            option::NONCE => Self::Nonce(body.try_into().ok()?),
            option::RDNSS => {
                let ([_, _, lifetime @ ..], servers) = body.split_first_chunk::<6>()?;
                let (servers, rest) = servers.as_chunks();
                if servers.is_empty() || !rest.is_empty() {
                    return None;
                }
                Self::Rdnss { lifetime: u32::from_be_bytes(*lifetime), servers }
            }
            _ => return None,
        })
    }

    /// Writes the option, padded to units of eight bytes; returns its length.
    ///
    /// # Errors
    /// The caller is guilty: the buffer is too short, or the option longer than it can say.
    pub fn emit(&self, into: &mut [u8]) -> Result<usize, NoRoom> {
        let (kind, len) = match self {
            Self::SourceMac(_) => (option::SOURCE_MAC, 8),
            Self::TargetMac(_) => (option::TARGET_MAC, 8),
            Self::Prefix(_) => (option::PREFIX, 32),
            Self::Redirected(quote) => (option::REDIRECTED, quote.len().saturating_add(8)),
            Self::Mtu(_) => (option::MTU, 8),
            Self::Nonce(_) => (option::NONCE, 8),
            Self::Rdnss { servers, .. } => (option::RDNSS, 8 + servers.as_flattened().len()),
        };
        let units = u8::try_from(len.div_ceil(8)).map_err(|_| NoRoom)?;
        let mut writer = Writer::new(into);
        writer.bytes(&[kind, units])?;
        match *self {
            Self::SourceMac(mac) | Self::TargetMac(mac) => writer.value(&mac)?,
            Self::Prefix(prefix) => prefix.emit(&mut writer)?,
            Self::Redirected(quote) => {
                writer.zeros(6)?;
                writer.bytes(quote)?;
            }
            Self::Mtu(mtu) => {
                writer.zeros(2)?;
                writer.bytes(&mtu.to_be_bytes())?;
            }
            Self::Nonce(nonce) => writer.bytes(&nonce)?,
            Self::Rdnss { lifetime, servers } => {
                writer.zeros(2)?;
                writer.bytes(&lifetime.to_be_bytes())?;
                writer.bytes(servers.as_flattened())?;
            }
        }
        writer.zeros((usize::from(units) * 8).saturating_sub(len))?;
        Ok(writer.len())
    }
}

impl Prefix {
    fn read(body: &[u8]) -> Option<Self> {
        let (head, address) = body.split_at_checked(14)?;
        let [len, flags, a, b, c, d, e, f, g, h, ..] = *head else { return None };
        if len > 128 {
            return None;
        }
        Some(Self {
            prefix: Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?),
            len,
            on_link: flags & 0x80 != 0,
            autonomous: flags & 0x40 != 0,
            valid_lifetime: u32::from_be_bytes([a, b, c, d]),
            preferred_lifetime: u32::from_be_bytes([e, f, g, h]),
        })
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), NoRoom> {
        writer.bytes(&[self.len, u8::from(self.on_link) << 7 | u8::from(self.autonomous) << 6])?;
        writer.bytes(&self.valid_lifetime.to_be_bytes())?;
        writer.bytes(&self.preferred_lifetime.to_be_bytes())?;
        writer.zeros(4)?;
        writer.bytes(&self.prefix.octets())
    }
}

/// The options of a message, whole ones only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    /// Options that lie one behind the other in `bytes`, as [`NdOption::emit`] wrote them.
    ///
    /// # Errors
    /// One of them is truncated, or its length is 0 (§4.6).
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = bytes;
        while !rest.is_empty() {
            (_, _, rest) = Self::split(rest)?;
        }
        Ok(Self(bytes))
    }

    /// Type and body of the first option, and what is behind it.
    fn split(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), Malformed> {
        let [kind, units, ..] = *bytes else { return Err(Malformed::Truncated) };
        if units == 0 {
            return Err(Malformed::Length);
        }
        let (option, rest) = bytes.split_at_checked(usize::from(units) * 8).ok_or(Malformed::Truncated)?;
        Ok((kind, option.get(2..).unwrap_or_default(), rest))
    }

    /// The options of known types.
    pub fn iter(&self) -> impl Iterator<Item = NdOption<'a>> + use<'a> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (kind, body, behind) = Self::split(rest).ok()?;
            rest = behind;
            Some(NdOption::read(kind, body))
        })
        .flatten()
    }

    /// The sender's card, if it says so.
    pub fn source_mac(&self) -> Option<Address> {
        self.iter().find_map(|option| if let NdOption::SourceMac(mac) = option { Some(mac) } else { None })
    }

    /// The target's card, if it says so.
    pub fn target_mac(&self) -> Option<Address> {
        self.iter().find_map(|option| if let NdOption::TargetMac(mac) = option { Some(mac) } else { None })
    }

    /// The nonce, if there is one.
    pub fn nonce(&self) -> Option<[u8; 6]> {
        self.iter().find_map(|option| if let NdOption::Nonce(nonce) = option { Some(nonce) } else { None })
    }
}

impl<'a> Message<'a> {
    pub(super) fn parse(kind: u8, word: [u8; 4], body: &'a [u8], packet: &ipv6::Header) -> Result<Self, Malformed> {
        if packet.hop_limit != HOP_LIMIT {
            return Err(Malformed::Value);
        }
        let (body, options) = match kind {
            kind::ROUTER_SOLICITATION => (Body::RouterSolicitation, body),
            kind::ROUTER_ADVERTISEMENT => {
                let (times, options) = body.split_first_chunk().ok_or(Malformed::Truncated)?;
                (Body::RouterAdvertisement(RouterAdvertisement::read(word, times)), options)
            }
            kind::NEIGHBOR_SOLICITATION => {
                let (target, options) = address(body)?;
                (Body::NeighborSolicitation { target }, options)
            }
            kind::NEIGHBOR_ADVERTISEMENT => {
                let (target, options) = address(body)?;
                let [flags, ..] = word;
                let flag = |bit: u8| flags & bit != 0;
                let (router, solicited, overriding) = (flag(0x80), flag(0x40), flag(0x20));
                (Body::NeighborAdvertisement { router, solicited, overriding, target }, options)
            }
            _ => {
                let (target, rest) = address(body)?;
                let (destination, options) = address(rest)?;
                (Body::Redirect { target, destination }, options)
            }
        };
        let message = Self { body, options: Options::new(options)? };
        if message.is_allowed(packet) { Ok(message) } else { Err(Malformed::Value) }
    }

    /// What a receiver must check beyond lengths (§6.1.1, §6.1.2, §7.1.1, §7.1.2, §8.1).
    fn is_allowed(&self, packet: &ipv6::Header) -> bool {
        let ipv6::Header { source, destination, .. } = *packet;
        match self.body {
            Body::RouterSolicitation => !(source.is_unspecified() && self.options.source_mac().is_some()),
            Body::RouterAdvertisement(_) => source.is_unicast_link_local(),
            Body::NeighborSolicitation { target } if source.is_unspecified() => {
                let asked = ipv6::solicited_node(target);
                !target.is_multicast() && destination == asked && self.options.source_mac().is_none()
            }
            Body::NeighborSolicitation { target } => !target.is_multicast(),
            Body::NeighborAdvertisement { solicited, target, .. } => {
                !(target.is_multicast() || solicited && destination.is_multicast())
            }
            Body::Redirect { target, destination } => {
                let is_hop = target.is_unicast_link_local() || target == destination;
                source.is_unicast_link_local() && !destination.is_multicast() && is_hop
            }
        }
    }

    pub(super) const fn kind(&self) -> u8 {
        match self.body {
            Body::RouterSolicitation => kind::ROUTER_SOLICITATION,
            Body::RouterAdvertisement(_) => kind::ROUTER_ADVERTISEMENT,
            Body::NeighborSolicitation { .. } => kind::NEIGHBOR_SOLICITATION,
            Body::NeighborAdvertisement { .. } => kind::NEIGHBOR_ADVERTISEMENT,
            Body::Redirect { .. } => kind::REDIRECT,
        }
    }

    pub(super) fn emit(&self, writer: &mut Writer<'_>) -> Result<(), NoRoom> {
        match self.body {
            Body::RouterSolicitation => writer.zeros(4)?,
            Body::RouterAdvertisement(advertisement) => advertisement.emit(writer)?,
            Body::NeighborSolicitation { target } => writer.both(&[0; 4], &target.octets())?,
            Body::NeighborAdvertisement { router, solicited, overriding, target } => {
                let flags = u8::from(router) << 7 | u8::from(solicited) << 6 | u8::from(overriding) << 5;
                writer.both(&[flags, 0, 0, 0], &target.octets())?;
            }
            Body::Redirect { target, destination } => {
                writer.both(&[0; 4], &target.octets())?;
                writer.bytes(&destination.octets())?;
            }
        }
        writer.bytes(self.options.0)
    }
}

impl RouterAdvertisement {
    fn read(word: [u8; 4], times: &[u8; 8]) -> Self {
        let [hop_limit, flags, c, d] = word;
        let times = u64::from_be_bytes(*times);
        Self {
            hop_limit,
            managed: flags & 0x80 != 0,
            other: flags & 0x40 != 0,
            // RFC 4191 §2.1: 01 high, 11 low, 10 counts as medium.
            preference: match flags >> 3 & 3 {
                1 => 1,
                3 => -1,
                _ => 0,
            },
            lifetime: u16::from_be_bytes([c, d]),
            reachable_time: (times >> 32) as u32,
            retrans_timer: times as u32,
        }
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), NoRoom> {
        let preference = (self.preference as u8 & 3) << 3;
        let [c, d] = self.lifetime.to_be_bytes();
        let flags = u8::from(self.managed) << 7 | u8::from(self.other) << 6 | preference;
        writer.both(&[self.hop_limit, flags, c, d], &self.reachable_time.to_be_bytes())?;
        writer.bytes(&self.retrans_timer.to_be_bytes())
    }
}

fn address(bytes: &[u8]) -> Result<(Ipv6Addr, &[u8]), Malformed> {
    let (address, rest) = bytes.split_first_chunk::<16>().ok_or(Malformed::Truncated)?;
    Ok((Ipv6Addr::from(*address), rest))
}
