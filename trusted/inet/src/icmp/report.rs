//! Errors that arrived, in the words of sockets: which flow, which error number, whether it ends a connection.
//!
//! The tables are Linux's (`icmp_err_convert`, `icmpv6_err_convert`), for programs know those.

use rkt_linux_abi::Errno;
use rkt_wire::ip::Addresses;
use rkt_wire::ipv6::{Walk, walk};
use rkt_wire::{icmpv4, icmpv6, ipv4, ipv6};

/// The packet that an error is about, as far as quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote<'a> {
    /// Its addresses: the source is ours, if it was ours.
    pub addresses: Addresses,
    /// Its protocol.
    pub protocol: u8,
    /// Its bytes from the transport header on, perhaps cut short.
    pub payload: &'a [u8],
    /// Its length as the quoted header says it, in bytes; at most 65,535.
    pub packet_len: u16,
}

impl Quote<'_> {
    /// Source and destination port of TCP, UDP and their like.
    pub fn ports(&self) -> Option<(u16, u16)> {
        let [a, b, c, d] = *self.payload.first_chunk()?;
        Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }
}

/// An error. It is a hint: whoever receives it must check that the quote is of a packet that it could have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Type of the message.
    pub kind: u8,
    /// Code of the message.
    pub code: u8,
    /// The error that sockets report.
    pub errno: Errno,
    /// Ends a connection that is being opened, and is reported by UDP sockets that did not ask for errors. Others are soft:
    /// TCP goes on and reports them only if it gives up (RFC 1122 §4.2.3.9).
    pub hard: bool,
    /// The path's MTU, in bytes, 0 if the router does not say it: for [`crate::pmtu`].
    pub mtu: Option<u32>,
    /// What `IP_RECVERR` calls info: the MTU or the pointer, else 0.
    pub info: u32,
    /// The packet.
    pub quote: Quote<'a>,
}

/// What an ICMP message reports; `None`: no error, or one that quotes no start of a datagram.
pub fn read_v4<'a>(message: &icmpv4::Message<'a>) -> Option<Report<'a>> {
    use icmpv4::Message;
    let (kind, code) = message.kind_and_code();
    let (errno, hard, mtu, info, bytes) = match *message {
        Message::Unreachable { code: icmpv4::unreachable::FRAGMENTATION_NEEDED, mtu, quote } => {
            (Errno::EMSGSIZE, false, Some(u32::from(mtu)), u32::from(mtu), quote)
        }
        Message::Unreachable { code, quote, .. } => {
            let (errno, hard) = unreachable_v4(code);
            (errno, hard, None, 0, quote)
        }
        Message::TimeExceeded { quote, .. } => (Errno::EHOSTUNREACH, false, None, 0, quote),
        Message::ParameterProblem { pointer, quote, .. } => (Errno::EPROTO, true, None, u32::from(pointer), quote),
        _ => return None,
    };
    Some(Report { kind, code, errno, hard, mtu, info, quote: quote_v4(bytes)? })
}

/// What an ICMPv6 message reports; `None`: no error, or one that quotes no start of an upper layer.
pub fn read_v6<'a>(message: &icmpv6::Message<'a>) -> Option<Report<'a>> {
    use icmpv6::Message;
    let (kind, code) = message.kind_and_code();
    let (errno, hard, mtu, info, bytes) = match *message {
        Message::TooBig { mtu, quote } => (Errno::EMSGSIZE, false, Some(mtu), mtu, quote),
        Message::Unreachable { code, quote } => {
            let (errno, hard) = unreachable_v6(code);
            (errno, hard, None, 0, quote)
        }
        Message::TimeExceeded { quote, .. } => (Errno::EHOSTUNREACH, false, None, 0, quote),
        Message::ParameterProblem { pointer, quote, .. } => (Errno::EPROTO, true, None, pointer, quote),
        _ => return None,
    };
    Some(Report { kind, code, errno, hard, mtu, info, quote: quote_v6(bytes)? })
}

fn unreachable_v4(code: u8) -> (Errno, bool) {
    use icmpv4::unreachable::*;
    match code {
        NET | NET_TOS => (Errno::ENETUNREACH, false),
        HOST | HOST_TOS => (Errno::EHOSTUNREACH, false),
        PROTOCOL => (Errno::ENOPROTOOPT, true),
        PORT => (Errno::ECONNREFUSED, true),
        SOURCE_ROUTE => (Errno::EOPNOTSUPP, false),
        NET_UNKNOWN | NET_PROHIBITED => (Errno::ENETUNREACH, true),
        HOST_UNKNOWN => (Errno::EHOSTDOWN, true),
        ISOLATED => (Errno::ENONET, true),
        _ => (Errno::EHOSTUNREACH, true),
    }
}

fn unreachable_v6(code: u8) -> (Errno, bool) {
    use icmpv6::unreachable::*;
    match code {
        NO_ROUTE => (Errno::ENETUNREACH, false),
        SCOPE | ADDRESS => (Errno::EHOSTUNREACH, false),
        PROHIBITED | POLICY | REJECT => (Errno::EACCES, true),
        PORT => (Errno::ECONNREFUSED, true),
        _ => (Errno::EPROTO, false),
    }
}

fn quote_v4(bytes: &[u8]) -> Option<Quote<'_>> {
    let ipv4::Packet { header, payload, .. } = ipv4::Packet::parse_quote(bytes).ok()?;
    let packet_len = bytes.get(2..)?.first_chunk().map(|len| u16::from_be_bytes(*len))?;
    let quote = Quote { addresses: header.addresses(), protocol: header.protocol, payload, packet_len };
    (header.offset == 0).then_some(quote)
}

fn quote_v6(bytes: &[u8]) -> Option<Quote<'_>> {
    let ipv6::Packet { header, payload } = ipv6::Packet::parse_quote(bytes).ok()?;
    let payload_len = bytes.get(4..)?.first_chunk().map(|len| u16::from_be_bytes(*len))?;
    let (protocol, payload) = match walk(header.next_header, payload).ok()? {
        Walk::Upper(upper) => (upper.protocol, upper.payload),
        Walk::Fragment { fragment, payload } if fragment.offset == 0 => (fragment.next_header, payload),
        Walk::Fragment { .. } => return None,
    };
    let packet_len = payload_len.saturating_add(ipv6::HEADER_LEN as u16);
    Some(Quote { addresses: header.addresses(), protocol, payload, packet_len })
}
