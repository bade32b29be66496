//! Ethernet II frames (RFC 894, IEEE 802.3).

use crate::writer::Writer;
use crate::{Malformed, NoRoom};
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use zerocopy::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a header.
pub const HEADER_LEN: usize = size_of::<Raw>();

/// Values of [`Header::ethertype`] (IANA, "IEEE 802 Numbers").
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// A tag of IEEE 802.1Q.
    pub const VLAN: u16 = 0x8100;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// A service tag of IEEE 802.1ad.
    pub const SERVICE_VLAN: u16 = 0x88a8;
    /// Smallest type; what is below is a length of IEEE 802.3.
    pub const MIN: u16 = 0x0600;
}

/// A link-layer address (EUI-48).
#[derive(
    Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(transparent)]
pub struct Address(pub [u8; 6]);

impl Address {
    /// Everyone on the link.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// To a group, everyone included: the I/G bit.
    pub const fn is_multicast(&self) -> bool {
        self.0[0] & 1 != 0
    }

    /// One that a card may have: not of a group and not all zero.
    pub const fn is_unicast(&self) -> bool {
        !self.is_multicast() && !matches!(self.0, [0, 0, 0, 0, 0, 0])
    }

    /// Where packets to the group go (RFC 1112 §6.4).
    pub const fn of_group_v4(group: Ipv4Addr) -> Self {
        let [_, b, c, d] = group.octets();
        Self([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    }

    /// Where packets to the group go (RFC 2464 §7).
    pub const fn of_group_v6(group: Ipv6Addr) -> Self {
        let [.., a, b, c, d] = group.octets();
        Self([0x33, 0x33, a, b, c, d])
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    destination: Address,
    source: Address,
    ethertype: U16,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// To.
    pub destination: Address,
    /// From.
    pub source: Address,
    /// One of [`ethertype`], or another of at least [`ethertype::MIN`].
    pub ethertype: u16,
}

impl Header {
    /// Parses a frame: its header and payload. The payload may be followed by padding (IEEE 802.3 §4.2.3.3),
    /// which only the protocol inside can tell.
    ///
    /// # Errors
    /// The sender is guilty: truncated, a group as source (`Value`), or a tagged frame or one of
    /// IEEE 802.3 with a length (`Unsupported`).
    #[inline]
    pub fn parse(frame: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let (raw, payload) = Raw::ref_from_prefix(frame).map_err(|_| Malformed::Truncated)?;
        let ethertype = raw.ethertype.get();
        if ethertype < ethertype::MIN || ethertype == ethertype::VLAN || ethertype == ethertype::SERVICE_VLAN {
            return Err(Malformed::Unsupported);
        }
        if raw.source.is_multicast() {
            return Err(Malformed::Value);
        }
        Ok((Self { destination: raw.destination, source: raw.source, ethertype }, payload))
    }

    /// Writes the header; returns its length.
    ///
    /// # Errors
    /// The buffer is too short.
    #[inline]
    pub fn emit(&self, into: &mut [u8]) -> Result<usize, NoRoom> {
        let mut writer = Writer::new(into);
        let Self { destination, source, ethertype } = *self;
        writer.value(&Raw { destination, source, ethertype: ethertype.into() })?;
        Ok(writer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    const HEADER: Header =
        Header { destination: Address::BROADCAST, source: Address([2, 0, 0, 0, 0, 9]), ethertype: ethertype::ARP };

    #[test]
    fn a_header_survives_the_wire() {
        let mut frame = [0; 20];
        assert_eq!(HEADER.emit(&mut frame), Ok(HEADER_LEN));
        let (header, payload) = Header::parse(&frame).unwrap();
        assert_eq!((header, payload.len()), (HEADER, 6));
        assert_eq!(HEADER.emit(&mut frame[..13]), Err(NoRoom));
        assert_eq!(Header::parse(&frame[..13]), Err(Malformed::Truncated));
    }

    #[test]
    fn tags_lengths_and_group_sources_are_refused() {
        let mut frame = [0; 14];
        for ethertype in [ethertype::VLAN, ethertype::SERVICE_VLAN, 46] {
            Header { ethertype, ..HEADER }.emit(&mut frame).unwrap();
            assert_eq!(Header::parse(&frame), Err(Malformed::Unsupported));
        }
        Header { source: Address::BROADCAST, ..HEADER }.emit(&mut frame).unwrap();
        assert_eq!(Header::parse(&frame), Err(Malformed::Value));
    }

    #[test]
    fn groups_have_addresses() {
        // RFC 1112 §6.4, RFC 2464 §7.
        let v4 = Address::of_group_v4(Ipv4Addr::new(239, 129, 2, 3));
        assert_eq!(v4.to_string(), "01:00:5e:01:02:03");
        let v6 = Address::of_group_v6("ff02::1:ff28:9c5a".parse().unwrap());
        assert_eq!(v6.to_string(), "33:33:ff:28:9c:5a");
        assert!(v4.is_multicast() && v6.is_multicast() && !v4.is_unicast() && HEADER.source.is_unicast());
    }
}
