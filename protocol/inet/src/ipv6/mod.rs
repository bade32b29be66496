//! IPv6 (RFC 8200).

mod extension;

pub use extension::{Fragment, MAX_EXTENSIONS, Problem, Upper, Walk, walk};

use crate::ip::Addresses;
use crate::writer::Writer;
use crate::{Malformed, NoRoom};
use core::net::Ipv6Addr;
use core::ops::Range;
use zerocopy::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a header (§3).
pub const HEADER_LEN: usize = size_of::<Raw>();
/// Most bytes behind the header (§3, "Payload Length"); jumbograms (RFC 2675) are not spoken.
pub const MAX_PAYLOAD_LEN: usize = 0xffff;
/// Smallest MTU of a link (§5).
pub const MIN_MTU: u16 = 1280;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    version_class_label: U32,
    payload_len: U16,
    next_header: u8,
    hop_limit: u8,
    source: [u8; 16],
    destination: [u8; 16],
}

/// The fields of a header that are not lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Differentiated services code point (RFC 2474) above two bits of ECN (RFC 3168).
    pub traffic_class: u8,
    /// Which flow this belongs to, 20 bits (RFC 6437).
    pub flow_label: u32,
    /// What follows: one of [`crate::ip::protocol`], or another.
    pub next_header: u8,
    /// Hops left.
    pub hop_limit: u8,
    /// From.
    pub source: Ipv6Addr,
    /// To.
    pub destination: Ipv6Addr,
}

impl Header {
    /// Source and destination.
    pub const fn addresses(&self) -> Addresses {
        Addresses::V6 { source: self.source, destination: self.destination }
    }

    /// Writes the header of a packet with `payload_len` bytes behind it; returns its length. Bits of
    /// [`flow_label`](Self::flow_label) beyond 20 are dropped.
    ///
    /// # Errors
    /// The caller is guilty: the buffer is too short, or the payload longer than [`MAX_PAYLOAD_LEN`].
    #[inline]
    pub fn emit(&self, payload_len: usize, into: &mut [u8]) -> Result<usize, NoRoom> {
        let payload_len = u16::try_from(payload_len).map_err(|_| NoRoom)?;
        let class_label = u32::from(self.traffic_class) << 20 | self.flow_label & 0xf_ffff;
        let mut writer = Writer::new(into);
        writer.value(&Raw {
            version_class_label: (6 << 28 | class_label).into(),
            payload_len: payload_len.into(),
            next_header: self.next_header,
            hop_limit: self.hop_limit,
            source: self.source.octets(),
            destination: self.destination.octets(),
        })?;
        Ok(writer.len())
    }
}

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Header.
    pub header: Header,
    /// Extension headers and the upper layer, without the link's padding: see [`walk`].
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Parses a packet; the link's padding behind it is ignored.
    ///
    /// # Errors
    /// The sender is guilty: truncated, another version (`Unsupported`), or a group as source (`Value`: §3).
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (header, range) = Self::parse_head(bytes, bytes.len())?;
        let payload = bytes.get(range).ok_or(Malformed::Truncated)?;
        Ok(Self { header, payload })
    }

    /// Parses the header of a packet of which only the first bytes are at hand, and `len` bytes are there in
    /// all: the header, and where its payload lies.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    #[inline]
    pub fn parse_head(head: &[u8], len: usize) -> Result<(Header, Range<usize>), Malformed> {
        let header = Packet::parse_quote(head)?.header;
        if header.source.is_multicast() {
            return Err(Malformed::Value);
        }
        let (raw, _) = Raw::ref_from_prefix(head).map_err(|_| Malformed::Truncated)?;
        let end = HEADER_LEN + usize::from(raw.payload_len.get());
        if end > len { Err(Malformed::Truncated) } else { Ok((header, HEADER_LEN..end)) }
    }

    /// Parses the start of a packet that an ICMPv6 error quotes: the payload may be cut short (RFC 4443 §2.4 c).
    ///
    /// # Errors
    /// The sender is guilty: truncated within the header, or another version (`Unsupported`).
    #[inline]
    pub fn parse_quote(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (raw, payload) = Raw::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        let version_class_label = raw.version_class_label.get();
        if version_class_label >> 28 != 6 {
            return Err(Malformed::Unsupported);
        }
        let header = Header {
            traffic_class: (version_class_label >> 20) as u8,
            flow_label: version_class_label & 0xf_ffff,
            next_header: raw.next_header,
            hop_limit: raw.hop_limit,
            source: raw.source.into(),
            destination: raw.destination.into(),
        };
        Ok(Self { header, payload })
    }
}

/// The group in which neighbours ask for `address` (RFC 4291 §2.7.1).
pub const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., high, low] = address.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | high & 0xff, low)
}

/// All nodes on the link (RFC 4291 §2.7.1).
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers on the link (RFC 4291 §2.7.1).
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// All routers that speak MLDv2 (RFC 3810 §5.2.14).
pub const ALL_MLDV2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

#[cfg(test)]
mod tests;
