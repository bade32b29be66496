//! The Address Resolution Protocol, Ethernet and IPv4 (RFC 826).

use crate::ethernet::{self, Address};
use crate::writer::Writer;
use crate::{Malformed, NoRoom};
use core::net::Ipv4Addr;
use zerocopy::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a packet.
pub const LEN: usize = size_of::<Raw>();
/// Hardware type of Ethernet (RFC 826, "Definitions").
const HARDWARE_ETHERNET: u16 = 1;
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    hardware: U16,
    protocol: U16,
    hardware_len: u8,
    protocol_len: u8,
    operation: U16,
    sender_mac: Address,
    sender: [u8; 4],
    target_mac: Address,
    target: [u8; 4],
}

/// What a packet does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Asks who has the target address.
    Request,
    /// Says so.
    Reply,
}

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Request or reply.
    pub operation: Operation,
    /// The sender's card.
    pub sender_mac: Address,
    /// The sender's address; unspecified in a probe (RFC 5227 §1.1).
    pub sender: Ipv4Addr,
    /// The target's card; anything in a request.
    pub target_mac: Address,
    /// The target's address.
    pub target: Ipv4Addr,
}

impl Packet {
    /// Parses a packet; padding behind it is ignored.
    ///
    /// # Errors
    /// The sender is guilty: truncated, other hardware, protocol or operation (`Unsupported`), or a
    /// sender that is no station (`Value`).
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (raw, _) = Raw::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        let kind = (raw.hardware.get(), raw.protocol.get(), raw.hardware_len, raw.protocol_len);
        if kind != (HARDWARE_ETHERNET, ethernet::ethertype::IPV4, 6, 4) {
            return Err(Malformed::Unsupported);
        }
        let operation = match raw.operation.get() {
            REQUEST => Operation::Request,
            REPLY => Operation::Reply,
            _ => return Err(Malformed::Unsupported),
        };
        let (sender, target) = (Ipv4Addr::from(raw.sender), Ipv4Addr::from(raw.target));
        if !raw.sender_mac.is_unicast() || sender.is_multicast() || sender.is_broadcast() {
            return Err(Malformed::Value);
        }
        Ok(Self { operation, sender_mac: raw.sender_mac, sender, target_mac: raw.target_mac, target })
    }

    /// Writes the packet; returns its length.
    ///
    /// # Errors
    /// The buffer is too short.
    pub fn emit(&self, into: &mut [u8]) -> Result<usize, NoRoom> {
        let operation = match self.operation {
            Operation::Request => REQUEST,
            Operation::Reply => REPLY,
        };
        let mut writer = Writer::new(into);
        writer.value(&Raw {
            hardware: HARDWARE_ETHERNET.into(),
            protocol: ethernet::ethertype::IPV4.into(),
            hardware_len: 6,
            protocol_len: 4,
            operation: operation.into(),
            sender_mac: self.sender_mac,
            sender: self.sender.octets(),
            target_mac: self.target_mac,
            target: self.target.octets(),
        })?;
        Ok(writer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST_BYTES: [u8; LEN] =
        [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2];

    #[test]
    fn a_request_is_read_and_written() {
        let packet = Packet::parse(&REQUEST_BYTES).unwrap();
        assert_eq!(packet.operation, Operation::Request);
        assert_eq!((packet.sender, packet.target), (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)));
        let mut bytes = [0; LEN];
        assert_eq!(packet.emit(&mut bytes), Ok(LEN));
        assert_eq!(bytes, REQUEST_BYTES);
        assert_eq!(Packet::parse(&bytes[..LEN - 1]), Err(Malformed::Truncated));
    }

    #[test]
    fn other_kinds_and_group_senders_are_refused() {
        let with = |at: usize, value: u8| {
            let mut bytes = REQUEST_BYTES;
            bytes[at] = value;
            Packet::parse(&bytes)
        };
        assert_eq!(with(1, 6), Err(Malformed::Unsupported));
        assert_eq!(with(2, 0x86), Err(Malformed::Unsupported));
        assert_eq!(with(4, 8), Err(Malformed::Unsupported));
        assert_eq!(with(7, 3), Err(Malformed::Unsupported));
        assert_eq!(with(8, 3), Err(Malformed::Value));
        assert_eq!(with(14, 224), Err(Malformed::Value));
    }
}
