//! IPv4 (RFC 791).

use crate::checksum::Sum;
use crate::ip::Addresses;
use crate::writer::Writer;
use crate::{Malformed, NoRoom};
use core::net::Ipv4Addr;
use core::ops::Range;
use zerocopy::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a header without options (§3.1).
pub const HEADER_LEN: usize = size_of::<Raw>();
/// Most bytes of a packet (§3.1, "Total Length").
pub const MAX_LEN: usize = 0xffff;
/// Most bytes of options: a header has at most 15 words.
pub const MAX_OPTIONS_LEN: usize = 40;
/// The router alert option (RFC 2113 §2.1), which IGMP wants (RFC 3376 §4).
pub const ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];
/// Smallest MTU of a link (§3.2).
pub const MIN_MTU: u16 = 68;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    version_and_words: u8,
    tos: u8,
    total_len: U16,
    id: U16,
    flags_and_offset: U16,
    ttl: u8,
    protocol: u8,
    checksum: U16,
    source: [u8; 4],
    destination: [u8; 4],
}

impl Raw {
    #[inline(always)]
    fn sum(&self) -> Sum {
        let bytes: &[u8; HEADER_LEN] = zerocopy::transmute_ref!(self);
        Sum::of_header(bytes)
    }
}

/// The fields of a header that are not lengths or checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Differentiated services code point (RFC 2474) above two bits of ECN (RFC 3168).
    pub tos: u8,
    /// Which datagram fragments belong to.
    pub id: u16,
    /// Not to be fragmented.
    pub dont_fragment: bool,
    /// More fragments follow.
    pub more_fragments: bool,
    /// Where the payload lies in the datagram, in bytes; a multiple of 8.
    pub offset: u16,
    /// Hops left.
    pub ttl: u8,
    /// One of [`crate::ip::protocol`], or another.
    pub protocol: u8,
    /// From.
    pub source: Ipv4Addr,
    /// To.
    pub destination: Ipv4Addr,
}

impl Header {
    /// Whether this is not the whole datagram.
    pub const fn is_fragment(&self) -> bool {
        self.more_fragments || self.offset != 0
    }

    /// Source and destination.
    pub const fn addresses(&self) -> Addresses {
        Addresses::V4 { source: self.source, destination: self.destination }
    }

    /// Writes the header of a packet with `options` and a payload of `payload_len` bytes; returns
    /// its length. Bits of [`offset`](Self::offset) that a header cannot say are dropped.
    ///
    /// # Errors
    /// The caller is guilty: the buffer is too short, `options` are no whole words or too many, or
    /// the packet is longer than [`MAX_LEN`].
    #[inline]
    pub fn emit(&self, options: &[u8], payload_len: usize, into: &mut [u8]) -> Result<usize, NoRoom> {
        if options.len() > MAX_OPTIONS_LEN || !options.len().is_multiple_of(4) {
            return Err(NoRoom);
        }
        let header_len = HEADER_LEN + options.len();
        let total_len = header_len.checked_add(payload_len).and_then(|len| u16::try_from(len).ok()).ok_or(NoRoom)?;
        let dont_fragment = if self.dont_fragment { DONT_FRAGMENT } else { 0 };
        let more_fragments = if self.more_fragments { MORE_FRAGMENTS } else { 0 };
        let mut raw = Raw {
            version_and_words: 0x40 | (header_len / 4) as u8,
            tos: self.tos,
            total_len: total_len.into(),
            id: self.id.into(),
            flags_and_offset: (dont_fragment | more_fragments | (self.offset / 8)).into(),
            ttl: self.ttl,
            protocol: self.protocol,
            checksum: U16::ZERO,
            source: self.source.octets(),
            destination: self.destination.octets(),
        };
        raw.checksum = (raw.sum() + sum_of_options(options)).finish().into();
        let mut writer = Writer::new(into);
        writer.value(&raw)?;
        writer.bytes(options)?;
        Ok(writer.len())
    }
}

/// The sum of what most packets do not have.
#[inline]
fn sum_of_options(options: &[u8]) -> Sum {
    if options.is_empty() { Sum::ZERO } else { Sum::of(options) }
}

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Header.
    pub header: Header,
    /// Options, not looked at: RFC 7126 advises to ignore all but a few that routers need.
    pub options: &'a [u8],
    /// What follows the header, without the link's padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Parses a packet; the link's padding behind it is ignored.
    ///
    /// # Errors
    /// The sender is guilty: truncated, another version (`Unsupported`), contradictory lengths, or a
    /// wrong checksum of the header.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (_, range) = Self::parse_head(bytes, bytes.len())?;
        let packet = Self::parse_quote(bytes)?;
        let payload = bytes.get(range).ok_or(Malformed::Truncated)?;
        Ok(Self { payload, ..packet })
    }

    /// Parses the header of a packet of which only the first bytes are at hand, and `len` bytes are there in
    /// all: the header, and where its payload lies.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    #[inline]
    pub fn parse_head(head: &[u8], len: usize) -> Result<(Header, Range<usize>), Malformed> {
        let packet = Packet::parse_quote(head)?;
        let (raw, _) = Raw::ref_from_prefix(head).map_err(|_| Malformed::Truncated)?;
        if !(raw.sum() + sum_of_options(packet.options)).is_valid() {
            return Err(Malformed::Checksum);
        }
        let header_len = HEADER_LEN + packet.options.len();
        let total_len = usize::from(raw.total_len.get());
        let payload_len = total_len.checked_sub(header_len).ok_or(Malformed::Length)?;
        if total_len > len {
            return Err(Malformed::Truncated);
        }
        let end = usize::from(packet.header.offset) + payload_len;
        if end > MAX_LEN || packet.header.more_fragments && !payload_len.is_multiple_of(8) {
            return Err(Malformed::Length);
        }
        Ok((packet.header, header_len..total_len))
    }

    /// Parses the start of a packet that an ICMP error quotes: the payload may be cut short, and the
    /// checksum and the length need not be right any more (RFC 792; RFC 1812 §4.3.2.3).
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    #[inline]
    pub fn parse_quote(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (raw, rest) = Raw::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        if raw.version_and_words >> 4 != 4 {
            return Err(Malformed::Unsupported);
        }
        let header_len = usize::from(raw.version_and_words & 15) * 4;
        let options_len = header_len.checked_sub(HEADER_LEN).ok_or(Malformed::Length)?;
        let (options, payload) = rest.split_at_checked(options_len).ok_or(Malformed::Truncated)?;
        let flags_and_offset = raw.flags_and_offset.get();
        let header = Header {
            tos: raw.tos,
            id: raw.id.get(),
            dont_fragment: flags_and_offset & DONT_FRAGMENT != 0,
            more_fragments: flags_and_offset & MORE_FRAGMENTS != 0,
            offset: (flags_and_offset & OFFSET) << 3,
            ttl: raw.ttl,
            protocol: raw.protocol,
            source: raw.source.into(),
            destination: raw.destination.into(),
        };
        Ok(Self { header, options, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ip::protocol;

    const HEADER: Header = Header {
        tos: 0x12,
        id: 0xbeef,
        dont_fragment: true,
        more_fragments: false,
        offset: 0,
        ttl: 64,
        protocol: protocol::UDP,
        source: Ipv4Addr::new(192, 168, 0, 1),
        destination: Ipv4Addr::new(192, 168, 0, 199),
    };

    #[test]
    fn a_known_header_has_a_known_checksum() {
        let header = Header { tos: 0, id: 0, ..HEADER };
        let mut bytes = [0; 20];
        assert_eq!(header.emit(&[], 95, &mut bytes), Ok(20));
        assert_eq!(
            bytes,
            [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7]
        );
    }

    #[test]
    fn a_packet_survives_the_wire_without_its_padding() {
        let mut bytes = [0; 60];
        let len = HEADER.emit(&ROUTER_ALERT, 9, &mut bytes).unwrap();
        assert_eq!(len, 24);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!((packet.header, packet.options, packet.payload.len()), (HEADER, &ROUTER_ALERT[..], 9));
        assert_eq!(Packet::parse(&bytes[..32]), Err(Malformed::Truncated));
        assert_eq!(Packet::parse_quote(&bytes[..32]).map(|packet| packet.payload.len()), Ok(8));
    }

    #[test]
    fn lengths_and_checksums_are_checked() {
        let mut good = [0; 40];
        HEADER.emit(&[], 20, &mut good).unwrap();
        let with = |at: usize, value: u8| {
            let mut bytes = good;
            bytes[at] = value;
            bytes[10..12].fill(0);
            let sum = Sum::of(&bytes[..20]).finish();
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
            Packet::parse(&bytes).err()
        };
        assert_eq!(with(1, 0), None);
        assert_eq!(with(0, 0x65), Some(Malformed::Unsupported));
        assert_eq!(with(0, 0x44), Some(Malformed::Length));
        assert_eq!(with(3, 19), Some(Malformed::Length));
        assert_eq!(with(3, 41), Some(Malformed::Truncated));
        assert_eq!(with(6, 0x1f), None);
        // A fragment that is not the last, of 20 bytes.
        assert_eq!(with(6, 0x20), Some(Malformed::Length));
        good[8] = 63;
        assert_eq!(Packet::parse(&good), Err(Malformed::Checksum));
    }

    #[test]
    fn fragments_end_within_a_datagram() {
        let mut bytes = [0; 60];
        let last = Header { offset: 65_512, ..HEADER };
        assert!(last.is_fragment());
        last.emit(&[], 23, &mut bytes).unwrap();
        assert_eq!(Packet::parse(&bytes).map(|packet| packet.header), Ok(last));
        last.emit(&[], 24, &mut bytes).unwrap();
        assert_eq!(Packet::parse(&bytes), Err(Malformed::Length));
    }

    #[test]
    fn what_cannot_be_said_is_not_written() {
        let mut bytes = [0; 80];
        assert_eq!(HEADER.emit(&[0; 3], 0, &mut bytes), Err(NoRoom));
        assert_eq!(HEADER.emit(&[0; 44], 0, &mut bytes), Err(NoRoom));
        assert_eq!(HEADER.emit(&[], MAX_LEN - 19, &mut bytes), Err(NoRoom));
        assert_eq!(HEADER.emit(&[], 0, &mut bytes[..19]), Err(NoRoom));
    }
}
