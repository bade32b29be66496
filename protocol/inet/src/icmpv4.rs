//! ICMP for IPv4 (RFC 792).

use crate::checksum::Sum;
use crate::writer::Writer;
use crate::{Malformed, NoRoom};
use core::net::Ipv4Addr;

/// Bytes before the data of an echo or the quote of an error.
pub const HEADER_LEN: usize = 8;

/// Types (IANA, "ICMP Type Numbers").
pub mod kind {
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 3;
    /// Source quench, deprecated (RFC 6633).
    pub const SOURCE_QUENCH: u8 = 4;
    /// Redirect.
    pub const REDIRECT: u8 = 5;
    /// Echo request.
    pub const ECHO_REQUEST: u8 = 8;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 12;
}

/// Codes of [`Message::Unreachable`] (RFC 792; RFC 1122 §3.2.2.1; RFC 1812 §5.2.7.1).
pub mod unreachable {
    /// Network unreachable.
    pub const NET: u8 = 0;
    /// Host unreachable.
    pub const HOST: u8 = 1;
    /// Protocol unreachable.
    pub const PROTOCOL: u8 = 2;
    /// Port unreachable.
    pub const PORT: u8 = 3;
    /// Fragmentation needed and not allowed.
    pub const FRAGMENTATION_NEEDED: u8 = 4;
    /// Source route failed.
    pub const SOURCE_ROUTE: u8 = 5;
    /// Destination network unknown.
    pub const NET_UNKNOWN: u8 = 6;
    /// Destination host unknown.
    pub const HOST_UNKNOWN: u8 = 7;
    /// Source host isolated.
    pub const ISOLATED: u8 = 8;
    /// Communication with the network prohibited.
    pub const NET_PROHIBITED: u8 = 9;
    /// Communication with the host prohibited.
    pub const HOST_PROHIBITED: u8 = 10;
    /// Network unreachable for the type of service.
    pub const NET_TOS: u8 = 11;
    /// Host unreachable for the type of service.
    pub const HOST_TOS: u8 = 12;
    /// Communication prohibited by a filter.
    pub const PROHIBITED: u8 = 13;
    /// Host precedence violation.
    pub const PRECEDENCE: u8 = 14;
    /// Precedence cutoff.
    pub const PRECEDENCE_CUTOFF: u8 = 15;
}

/// Codes of [`Message::TimeExceeded`].
pub mod time_exceeded {
    /// Time to live exceeded in transit.
    pub const TRANSIT: u8 = 0;
    /// Fragment reassembly time exceeded.
    pub const REASSEMBLY: u8 = 1;
}

/// An echo request or reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo<'a> {
    /// Identifier.
    pub id: u16,
    /// Sequence number.
    pub sequence: u16,
    /// Data, to be returned as it is.
    pub data: &'a [u8],
}

impl<'a> Echo<'a> {
    pub(crate) const fn new(word: [u8; 4], data: &'a [u8]) -> Self {
        let [a, b, c, d] = word;
        Self { id: u16::from_be_bytes([a, b]), sequence: u16::from_be_bytes([c, d]), data }
    }

    /// The second word of the header.
    pub(crate) const fn word(&self) -> [u8; 4] {
        let ([a, b], [c, d]) = (self.id.to_be_bytes(), self.sequence.to_be_bytes());
        [a, b, c, d]
    }
}

/// A message. A quote is the header and at least 8 bytes of the packet that caused an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Echo request.
    EchoRequest(Echo<'a>),
    /// Echo reply.
    EchoReply(Echo<'a>),
    /// Destination unreachable.
    Unreachable {
        /// One of [`unreachable`], or another.
        code: u8,
        /// Next-hop MTU in bytes, with [`unreachable::FRAGMENTATION_NEEDED`]; 0 from an old router (RFC 1191 §4).
        mtu: u16,
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
        /// 0: at the pointer; 1: an option is missing (RFC 1122 §3.2.2.5).
        code: u8,
        /// Where, in bytes from the start of the packet.
        pointer: u8,
        /// Of the packet.
        quote: &'a [u8],
    },
    /// Redirect.
    Redirect {
        /// 0 network, 1 host, 2 and 3 the same for the type of service.
        code: u8,
        /// The better gateway.
        gateway: Ipv4Addr,
        /// Of the packet.
        quote: &'a [u8],
    },
    /// Another.
    Other {
        /// Type.
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
    /// Parses a message and verifies its checksum.
    ///
    /// # Errors
    /// The sender is guilty: truncated, or a wrong checksum.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (header, body) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(Malformed::Truncated)?;
        if !Sum::of(bytes).is_valid() {
            return Err(Malformed::Checksum);
        }
        let [kind, code, _, _, word @ ..] = *header;
        let [pointer, _, c, d] = word;
        let echo = Echo::new(word, body);
        Ok(match kind {
            kind::ECHO_REQUEST if code == 0 => Self::EchoRequest(echo),
            kind::ECHO_REPLY if code == 0 => Self::EchoReply(echo),
            kind::UNREACHABLE => Self::Unreachable { code, mtu: u16::from_be_bytes([c, d]), quote: body },
            kind::TIME_EXCEEDED => Self::TimeExceeded { code, quote: body },
            kind::PARAMETER_PROBLEM => Self::ParameterProblem { code, pointer, quote: body },
            kind::REDIRECT => Self::Redirect { code, gateway: word.into(), quote: body },
            _ => Self::Other { kind, code, word, body },
        })
    }

    /// Type and code.
    pub const fn kind_and_code(&self) -> (u8, u8) {
        match *self {
            Self::EchoRequest(_) => (kind::ECHO_REQUEST, 0),
            Self::EchoReply(_) => (kind::ECHO_REPLY, 0),
            Self::Unreachable { code, .. } => (kind::UNREACHABLE, code),
            Self::TimeExceeded { code, .. } => (kind::TIME_EXCEEDED, code),
            Self::ParameterProblem { code, .. } => (kind::PARAMETER_PROBLEM, code),
            Self::Redirect { code, .. } => (kind::REDIRECT, code),
            Self::Other { kind, code, .. } => (kind, code),
        }
    }

    /// Writes the message with its checksum; returns its length.
    ///
    /// # Errors
    /// The buffer is too short.
    pub fn emit(&self, into: &mut [u8]) -> Result<usize, NoRoom> {
        let (kind, code) = self.kind_and_code();
        let mut writer = Writer::new(into);
        writer.bytes(&[kind, code, 0, 0])?;
        match *self {
            Self::EchoRequest(echo) | Self::EchoReply(echo) => writer.both(&echo.word(), echo.data)?,
            Self::Unreachable { mtu, quote, .. } => writer.both(&u32::from(mtu).to_be_bytes(), quote)?,
            Self::TimeExceeded { quote, .. } => writer.both(&[0; 4], quote)?,
            Self::ParameterProblem { pointer, quote, .. } => writer.both(&[pointer, 0, 0, 0], quote)?,
            Self::Redirect { gateway, quote, .. } => writer.both(&gateway.octets(), quote)?,
            Self::Other { word, body, .. } => writer.both(&word, body)?,
        }
        writer.seal(Sum::ZERO, 2)
    }
}

/// Whether a type tells of an error: no error may be sent about one (RFC 1122 §3.2.2).
pub const fn is_error(kind: u8) -> bool {
    use kind::{PARAMETER_PROBLEM, REDIRECT, SOURCE_QUENCH, TIME_EXCEEDED, UNREACHABLE};
    matches!(kind, UNREACHABLE | SOURCE_QUENCH | REDIRECT | TIME_EXCEEDED | PARAMETER_PROBLEM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_wire() {
        let echo = Echo { id: 0x1234, sequence: 7, data: b"odd" };
        let quote = &[0x45; 28][..];
        let messages = [
            Message::EchoRequest(echo),
            Message::EchoReply(echo),
            Message::Unreachable { code: unreachable::FRAGMENTATION_NEEDED, mtu: 1400, quote },
            Message::TimeExceeded { code: time_exceeded::REASSEMBLY, quote },
            Message::ParameterProblem { code: 0, pointer: 20, quote },
            Message::Redirect { code: 1, gateway: Ipv4Addr::new(192, 0, 2, 254), quote },
            Message::Other { kind: 13, code: 0, word: [1, 2, 3, 4], body: &[0; 12] },
        ];
        for message in messages {
            let mut bytes = [0; 64];
            let len = message.emit(&mut bytes).unwrap();
            assert_eq!(Message::parse(&bytes[..len]), Ok(message));
            assert_eq!((bytes[0], bytes[1]), message.kind_and_code());
            bytes[len - 1] ^= 1;
            assert_eq!(Message::parse(&bytes[..len]), Err(Malformed::Checksum));
        }
        assert_eq!(Message::parse(&[0; 7]), Err(Malformed::Truncated));
    }

    #[test]
    fn an_echo_has_a_known_checksum() {
        let mut bytes = [0; 12];
        Message::EchoRequest(Echo { id: 1, sequence: 2, data: b"abcd" }).emit(&mut bytes).unwrap();
        // 0800 + 0001 + 0002 + 6162 + 6364 = ccc9.
        assert_eq!(bytes[..4], [8, 0, 0x33, 0x36]);
    }
}
