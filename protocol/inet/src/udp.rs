//! UDP (RFC 768).

use crate::checksum::Sum;
use crate::ip::{Addresses, protocol};
use crate::writer::Writer;
use crate::{Malformed, NoRoom};
use zerocopy::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a header.
pub const HEADER_LEN: usize = size_of::<Raw>();
/// Where the checksum lies, in bytes from the header's start.
pub const CHECKSUM_OFFSET: u16 = 6;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    source_port: U16,
    destination_port: U16,
    len: U16,
    checksum: U16,
}

/// The header of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// From; 0 if no answer is expected.
    pub source_port: u16,
    /// To.
    pub destination_port: u16,
    /// As it stands; 0 means that there is none (IPv4 only: RFC 8200 §8.1).
    pub checksum: u16,
}

impl Header {
    /// Parses a datagram: its header and payload. The checksum is not verified:
    /// see [`is_intact`](Self::is_intact).
    ///
    /// # Errors
    /// The sender is guilty: truncated, or a length below that of the header.
    #[inline]
    pub fn parse(datagram: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let (raw, _) = Raw::ref_from_prefix(datagram).map_err(|_| Malformed::Truncated)?;
        let len = usize::from(raw.len.get());
        if len < HEADER_LEN {
            return Err(Malformed::Length);
        }
        let payload = datagram.get(HEADER_LEN..len).ok_or(Malformed::Truncated)?;
        let header = Self {
            source_port: raw.source_port.get(),
            destination_port: raw.destination_port.get(),
            checksum: raw.checksum.get(),
        };
        Ok((header, payload))
    }

    /// Parses the start of a datagram that an ICMP error quotes.
    ///
    /// # Errors
    /// Truncated.
    pub fn parse_quote(datagram: &[u8]) -> Result<Self, Malformed> {
        let (raw, _) = Raw::ref_from_prefix(datagram).map_err(|_| Malformed::Truncated)?;
        Ok(Self {
            source_port: raw.source_port.get(),
            destination_port: raw.destination_port.get(),
            checksum: raw.checksum.get(),
        })
    }

    /// Whether the checksum of a datagram with this header and `payload` is right, or allowed to be missing.
    pub fn is_intact(&self, payload: &[u8], addresses: &Addresses) -> bool {
        if self.checksum == 0 {
            return matches!(addresses, Addresses::V4 { .. });
        }
        (self.sum(payload.len(), addresses) + Sum::of(payload) + Sum::word(self.checksum)).is_valid()
    }

    /// Writes the header of a datagram with a payload of `payload_len` bytes, with the checksum as it
    /// stands; returns its length.
    ///
    /// # Errors
    /// The caller is guilty: the buffer is too short, or the payload too long.
    #[inline]
    pub fn emit(&self, payload_len: usize, into: &mut [u8]) -> Result<usize, NoRoom> {
        let len = payload_len.checked_add(HEADER_LEN).and_then(|len| u16::try_from(len).ok()).ok_or(NoRoom)?;
        let mut writer = Writer::new(into);
        writer.value(&Raw {
            source_port: self.source_port.into(),
            destination_port: self.destination_port.into(),
            len: len.into(),
            checksum: self.checksum.into(),
        })?;
        Ok(writer.len())
    }

    /// The sum of pseudo-header and header of a datagram with a payload of `payload_len` bytes,
    /// without the checksum: plus the payload's sum, [`Sum::finish_udp`] is the checksum.
    pub fn sum(&self, payload_len: usize, addresses: &Addresses) -> Sum {
        let len = payload_len.saturating_add(HEADER_LEN);
        let ports = Sum::word(self.source_port) + Sum::word(self.destination_port);
        addresses.pseudo(protocol::UDP, len) + ports + Sum::word(len as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};

    const V4: Addresses =
        Addresses::V4 { source: Ipv4Addr::new(192, 0, 2, 1), destination: Ipv4Addr::new(192, 0, 2, 2) };
    const V6: Addresses = Addresses::V6 { source: Ipv6Addr::LOCALHOST, destination: Ipv6Addr::LOCALHOST };

    #[test]
    fn a_datagram_survives_the_wire() {
        let payload = b"odd";
        let mut header = Header { source_port: 53, destination_port: 4000, checksum: 0 };
        header.checksum = (header.sum(payload.len(), &V4) + Sum::of(payload)).finish_udp();
        let mut bytes = [0; 16];
        assert_eq!(header.emit(payload.len(), &mut bytes), Ok(8));
        bytes[8..11].copy_from_slice(payload);
        // The definition: pseudo-header and datagram add up to ones.
        assert!((V4.pseudo(protocol::UDP, 11) + Sum::of(&bytes[..11])).is_valid());

        let (parsed, data) = Header::parse(&bytes).unwrap();
        assert_eq!((parsed, data), (header, &payload[..]));
        assert!(parsed.is_intact(data, &V4) && !parsed.is_intact(b"0dd", &V4));
        assert_eq!(Header::parse(&bytes[..10]), Err(Malformed::Truncated));
        bytes[5] = 7;
        assert_eq!(Header::parse(&bytes), Err(Malformed::Length));
        assert_eq!(header.emit(0xffff - 7, &mut bytes), Err(NoRoom));
    }

    #[test]
    fn only_ipv4_goes_without_a_checksum() {
        let header = Header { source_port: 1, destination_port: 2, checksum: 0 };
        assert!(header.is_intact(b"x", &V4) && !header.is_intact(b"x", &V6));
    }
}
