//! Errors that this host sends (RFC 1122 §3.2.2, RFC 4443 §2.4).

use core::net::{Ipv4Addr, Ipv6Addr};
use rkt_wire::ip::protocol;
use rkt_wire::ipv6::{Walk, walk};
use rkt_wire::{icmpv4, icmpv6, ipv4, ipv6};

/// Most bytes of a packet that an error over IPv4 quotes: it has at most 576 in all (RFC 1812 §4.3.2.3).
const MAX_QUOTE_V4: usize = 576 - ipv4::HEADER_LEN - icmpv4::HEADER_LEN;
/// Most bytes of a packet that an error over IPv6 quotes: it has at most 1280 in all (RFC 4443 §2.4 c).
const MAX_QUOTE_V6: usize = ipv6::MIN_MTU as usize - ipv6::HEADER_LEN - icmpv6::HEADER_LEN;

/// Why a packet is answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No socket has the port.
    Port,
    /// Nothing here speaks the protocol.
    Protocol {
        /// Where the field lies that names it, in bytes from the start of the packet. IPv4 does not say.
        pointer: u32,
    },
    /// The neighbour does not answer.
    Address,
    /// There is no route.
    NoRoute,
    /// A route prohibits it.
    Prohibited,
    /// Fragments did not arrive in time.
    Reassembly,
    /// A field is wrong. IPv6 only.
    Parameter {
        /// Code of RFC 4443 §3.4.
        code: u8,
        /// Where, in bytes from the start of the packet.
        pointer: u32,
        /// Even if the packet went to a group.
        even_to_group: bool,
    },
}

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// In a frame to us alone, or from ourselves.
    Unicast,
    /// In a frame to a group or to everyone.
    Group,
}

/// Writes the ICMP message, without an IP header, that answers `packet`; returns whom it goes to and its length.
/// `is_broadcast` knows the broadcast addresses of our subnets. `None`: no error may be sent about this
/// packet, or `into` is too short.
pub fn emit_v4(
    failure: Failure,
    packet: &[u8],
    link: Link,
    is_broadcast: impl Fn(Ipv4Addr) -> bool,
    into: &mut [u8],
) -> Option<(Ipv4Addr, usize)> {
    let ipv4::Packet { header, payload, .. } = ipv4::Packet::parse_quote(packet).ok()?;
    let is_error = header.protocol == protocol::ICMP && payload.first().is_none_or(|kind| icmpv4::is_error(*kind));
    if !is_between_hosts(&header, link, is_broadcast) || is_error || header.offset != 0 {
        return None;
    }
    let quote = packet.get(..packet.len().min(MAX_QUOTE_V4))?;
    let unreachable = |code| Some(icmpv4::Message::Unreachable { code, mtu: 0, quote });
    let message = match failure {
        Failure::Port => unreachable(icmpv4::unreachable::PORT),
        Failure::Protocol { .. } => unreachable(icmpv4::unreachable::PROTOCOL),
        Failure::Address => unreachable(icmpv4::unreachable::HOST),
        Failure::NoRoute => unreachable(icmpv4::unreachable::NET),
        Failure::Prohibited => unreachable(icmpv4::unreachable::PROHIBITED),
        Failure::Reassembly => Some(icmpv4::Message::TimeExceeded { code: icmpv4::time_exceeded::REASSEMBLY, quote }),
        Failure::Parameter { .. } => None,
    };
    Some((header.source, message?.emit(into).ok()?))
}

/// Whether an echo request gets a reply. One to a group or to everyone does not: an attacker could have many answer for one
/// (RFC 1122 §3.2.2.6 leaves it to the host, Linux's `icmp_echo_ignore_broadcasts` is this).
pub fn answers_echo_v4(header: &ipv4::Header, link: Link, is_broadcast: impl Fn(Ipv4Addr) -> bool) -> bool {
    is_between_hosts(header, link, is_broadcast)
}

/// Whether an echo request gets a reply. One to a group does, from an address of ours (RFC 4443 §4.2).
pub fn answers_echo_v6(header: &ipv6::Header) -> bool {
    !header.source.is_unspecified() && !header.source.is_multicast()
}

/// Whether one host sent a packet to one other.
fn is_between_hosts(header: &ipv4::Header, link: Link, is_broadcast: impl Fn(Ipv4Addr) -> bool) -> bool {
    let is_one = |address: Ipv4Addr| {
        !address.is_multicast() && !address.is_broadcast() && !address.is_unspecified() && !is_broadcast(address)
    };
    link == Link::Unicast && is_one(header.source) && is_one(header.destination)
}

/// Writes the ICMPv6 message, without an IP header, that answers `packet` and comes from `from`, an address of ours;
/// returns whom it goes to and its length. `None`: as with [`emit_v4`].
pub fn emit_v6(
    failure: Failure,
    packet: &[u8],
    link: Link,
    from: Ipv6Addr,
    into: &mut [u8],
) -> Option<(Ipv6Addr, usize)> {
    let ipv6::Packet { header, payload } = ipv6::Packet::parse_quote(packet).ok()?;
    let even_to_group = matches!(failure, Failure::Parameter { even_to_group: true, .. });
    let to_group = link == Link::Group || header.destination.is_multicast();
    if to_group && !even_to_group || !answers_echo_v6(&header) || is_error(header.next_header, payload) {
        return None;
    }
    let quote = packet.get(..packet.len().min(MAX_QUOTE_V6))?;
    let unreachable = |code| icmpv6::Message::Unreachable { code, quote };
    let message = match failure {
        Failure::Port => unreachable(icmpv6::unreachable::PORT),
        Failure::Protocol { pointer } => {
            icmpv6::Message::ParameterProblem { code: icmpv6::parameter_problem::NEXT_HEADER, pointer, quote }
        }
        Failure::Address => unreachable(icmpv6::unreachable::ADDRESS),
        Failure::NoRoute => unreachable(icmpv6::unreachable::NO_ROUTE),
        Failure::Prohibited => unreachable(icmpv6::unreachable::PROHIBITED),
        Failure::Reassembly => icmpv6::Message::TimeExceeded { code: icmpv6::time_exceeded::REASSEMBLY, quote },
        Failure::Parameter { code, pointer, .. } => icmpv6::Message::ParameterProblem { code, pointer, quote },
    };
    Some((header.source, message.emit(from, header.source, into).ok()?))
}

/// Whether a payload is an ICMPv6 error, as far as its headers can be walked: none may be sent about it.
fn is_error(next_header: u8, payload: &[u8]) -> bool {
    let (protocol, payload) = match walk(next_header, payload) {
        Ok(Walk::Upper(upper)) => (upper.protocol, upper.payload),
        Ok(Walk::Fragment { fragment, payload }) if fragment.offset == 0 => (fragment.next_header, payload),
        _ => return false,
    };
    protocol == protocol::ICMPV6 && payload.first().is_none_or(|kind| icmpv6::is_error(*kind))
}
