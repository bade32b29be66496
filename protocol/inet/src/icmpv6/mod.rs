//! ICMPv6 (RFC 4443), with Neighbour Discovery and Multicast Listener Discovery in it.

pub mod mld;
pub mod ndp;

use crate::checksum::Sum;
use crate::ip::protocol;
use crate::writer::Writer;
use crate::{Malformed, NoRoom, icmpv4, ipv6};
use core::net::Ipv6Addr;

pub use icmpv4::Echo;

/// Bytes before the data of an echo or the quote of an error.
pub const HEADER_LEN: usize = 8;

/// Types (IANA, "ICMPv6 'type' Numbers").
pub mod kind {
    /// Destination unreachable (RFC 4443 §3.1).
    pub const UNREACHABLE: u8 = 1;
    /// Packet too big (RFC 4443 §3.2).
    pub const TOO_BIG: u8 = 2;
    /// Time exceeded (RFC 4443 §3.3).
    pub const TIME_EXCEEDED: u8 = 3;
    /// Parameter problem (RFC 4443 §3.4).
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Echo request (RFC 4443 §4.1).
    pub const ECHO_REQUEST: u8 = 128;
    /// Echo reply (RFC 4443 §4.2).
    pub const ECHO_REPLY: u8 = 129;
    /// Multicast listener query (RFC 3810 §5.1, RFC 2710 §3).
    pub const MLD_QUERY: u8 = 130;
    /// Multicast listener report of version 1 (RFC 2710 §3).
    pub const MLD_REPORT_V1: u8 = 131;
    /// Multicast listener done (RFC 2710 §3).
    pub const MLD_DONE: u8 = 132;
    /// Router solicitation (RFC 4861 §4.1).
    pub const ROUTER_SOLICITATION: u8 = 133;
    /// Router advertisement (RFC 4861 §4.2).
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    /// Neighbour solicitation (RFC 4861 §4.3).
    pub const NEIGHBOR_SOLICITATION: u8 = 135;
    /// Neighbour advertisement (RFC 4861 §4.4).
    pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
    /// Redirect (RFC 4861 §4.5).
    pub const REDIRECT: u8 = 137;
    /// Multicast listener report of version 2 (RFC 3810 §5.2).
    pub const MLD_REPORT_V2: u8 = 143;
}

/// Codes of [`Message::Unreachable`] (RFC 4443 §3.1).
pub mod unreachable {
    /// No route.
    pub const NO_ROUTE: u8 = 0;
    /// Communication prohibited.
    pub const PROHIBITED: u8 = 1;
    /// Beyond the scope of the source address.
    pub const SCOPE: u8 = 2;
    /// Address unreachable.
    pub const ADDRESS: u8 = 3;
    /// Port unreachable.
    pub const PORT: u8 = 4;
    /// The source address failed a policy.
    pub const POLICY: u8 = 5;
    /// The route is to reject.
    pub const REJECT: u8 = 6;
}

/// Codes of [`Message::TimeExceeded`] (RFC 4443 §3.3).
pub mod time_exceeded {
    /// Hop limit exceeded in transit.
    pub const TRANSIT: u8 = 0;
    /// Fragment reassembly time exceeded.
    pub const REASSEMBLY: u8 = 1;
}

/// Codes of [`Message::ParameterProblem`] (RFC 4443 §3.4).
pub mod parameter_problem {
    /// A field with a forbidden value.
    pub const FIELD: u8 = 0;
    /// An unknown next header.
    pub const NEXT_HEADER: u8 = 1;
    /// An unknown option.
    pub const OPTION: u8 = 2;
}

/// A message. A quote is as much of the packet that caused an error as fits into 1280 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Destination unreachable.
    Unreachable {
        /// One of [`unreachable`], or another.
        code: u8,
        /// Of the packet.
        quote: &'a [u8],
    },
    /// Packet too big.
    TooBig {
        /// MTU of the next hop in bytes.
        mtu: u32,
        /// Of the packet.
        quote: &'a [u8],
    },
    /// Time exceeded.
    TimeExceeded {
        /// One of [`time_exceeded`], or another.
        code: u8,
        /// Of the packet.
        quote: &'a [u8],
    },
    /// Parameter problem.
    ParameterProblem {
        /// One of [`parameter_problem`], or another.
        code: u8,
        /// Where, in bytes from the start of the packet.
        pointer: u32,
        /// Of the packet.
        quote: &'a [u8],
    },
    /// Echo request.
    EchoRequest(Echo<'a>),
    /// Echo reply.
    EchoReply(Echo<'a>),
    /// Neighbour Discovery.
    Ndp(ndp::Message<'a>),
    /// Multicast Listener Discovery. A query counts only with a router alert (RFC 3810 §5.1.14):
    /// see [`crate::ipv6::Upper::router_alert`].
    Mld(mld::Message<'a>),
    /// Another.
    Other {
        /// Type: below 128 it tells of an error.
        kind: u8,
        /// Code.
        code: u8,
        /// The second word of the header.
        word: [u8; 4],
        /// What follows the header.
        body: &'a [u8],
    },
}

impl<'a> Message<'a> {
    /// Parses the message of a packet and verifies its checksum.
    ///
    /// # Errors
    /// The sender is guilty: truncated, a wrong checksum, or what a Neighbour Discovery or Listener
    /// Discovery message must not be.
    pub fn parse(bytes: &'a [u8], packet: &ipv6::Header) -> Result<Self, Malformed> {
        let (header, body) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(Malformed::Truncated)?;
        let ipv6::Header { source, destination, .. } = *packet;
        // No packet is longer than 32 bits can say.
        let pseudo = Sum::pseudo_v6(source, destination, protocol::ICMPV6, bytes.len() as u32);
        if !(pseudo + Sum::of(bytes)).is_valid() {
            return Err(Malformed::Checksum);
        }
        let [kind, code, _, _, word @ ..] = *header;
        let number = u32::from_be_bytes(word);
        let echo = Echo::new(word, body);
        Ok(match kind {
            kind::UNREACHABLE => Self::Unreachable { code, quote: body },
            kind::TOO_BIG => Self::TooBig { mtu: number, quote: body },
            kind::TIME_EXCEEDED => Self::TimeExceeded { code, quote: body },
            kind::PARAMETER_PROBLEM => Self::ParameterProblem { code, pointer: number, quote: body },
            kind::ECHO_REQUEST if code == 0 => Self::EchoRequest(echo),
            kind::ECHO_REPLY if code == 0 => Self::EchoReply(echo),
            kind::ROUTER_SOLICITATION..=kind::REDIRECT if code == 0 => {
                Self::Ndp(ndp::Message::parse(kind, word, body, packet)?)
            }
            kind::MLD_QUERY | kind::MLD_REPORT_V1 | kind::MLD_DONE | kind::MLD_REPORT_V2 if code == 0 => {
                Self::Mld(mld::Message::parse(kind, word, body, packet)?)
            }
            _ => Self::Other { kind, code, word, body },
        })
    }

    /// Type and code.
    pub const fn kind_and_code(&self) -> (u8, u8) {
        match *self {
            Self::Unreachable { code, .. } => (kind::UNREACHABLE, code),
            Self::TooBig { .. } => (kind::TOO_BIG, 0),
            Self::TimeExceeded { code, .. } => (kind::TIME_EXCEEDED, code),
            Self::ParameterProblem { code, .. } => (kind::PARAMETER_PROBLEM, code),
            Self::EchoRequest(_) => (kind::ECHO_REQUEST, 0),
            Self::EchoReply(_) => (kind::ECHO_REPLY, 0),
            Self::Ndp(message) => (message.kind(), 0),
            Self::Mld(message) => (message.kind(), 0),
            Self::Other { kind, code, .. } => (kind, code),
        }
    }

    /// Writes the message with its checksum; returns its length.
    ///
    /// # Errors
    /// The caller is guilty: the buffer is too short, or options are longer than they can say.
    pub fn emit(&self, source: Ipv6Addr, destination: Ipv6Addr, into: &mut [u8]) -> Result<usize, NoRoom> {
        let (kind, code) = self.kind_and_code();
        let mut writer = Writer::new(into);
        writer.bytes(&[kind, code, 0, 0])?;
        match *self {
            Self::Unreachable { quote, .. } | Self::TimeExceeded { quote, .. } => writer.both(&[0; 4], quote)?,
            Self::TooBig { mtu, quote } => writer.both(&mtu.to_be_bytes(), quote)?,
            Self::ParameterProblem { pointer, quote, .. } => writer.both(&pointer.to_be_bytes(), quote)?,
            Self::EchoRequest(echo) | Self::EchoReply(echo) => writer.both(&echo.word(), echo.data)?,
            Self::Ndp(message) => message.emit(&mut writer)?,
            Self::Mld(message) => message.emit(&mut writer)?,
            Self::Other { word, body, .. } => writer.both(&word, body)?,
        }
        let pseudo = Sum::pseudo_v6(source, destination, protocol::ICMPV6, writer.len() as u32);
        writer.seal(pseudo, 2)
    }
}

/// Whether a type tells of an error (RFC 4443 §2.1): no error may be sent about one, nor about a redirect (§2.4 e).
pub const fn is_error(kind: u8) -> bool {
    kind < 128 || kind == kind::REDIRECT
}

#[cfg(test)]
mod tests;
