//! TCP segments (RFC 9293 §3.1).

mod options;

pub use options::{MAX_SACK_BLOCKS, MAX_WINDOW_SHIFT, Options, SackBlock, SackBlocks, Timestamps, kind};

use crate::writer::Writer;
use crate::{Malformed, NoRoom};
use bitflags::bitflags;
use zerocopy::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a header without options.
pub const HEADER_LEN: usize = size_of::<Raw>();
/// Most bytes of options: a header has at most 15 words.
pub const MAX_OPTIONS_LEN: usize = 40;
/// Where the checksum lies, in bytes from the header's start.
pub const CHECKSUM_OFFSET: u16 = 16;

bitflags! {
    /// Control bits.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Flags: u16 {
        /// No more data from the sender.
        const FIN = 0x001;
        /// Synchronises sequence numbers.
        const SYN = 0x002;
        /// Resets the connection.
        const RST = 0x004;
        /// Push.
        const PSH = 0x008;
        /// The acknowledgement number counts.
        const ACK = 0x010;
        /// The urgent pointer counts.
        const URG = 0x020;
        /// ECN echo (RFC 3168 §6.1).
        const ECE = 0x040;
        /// Congestion window reduced (RFC 3168 §6.1).
        const CWR = 0x080;
        /// Accurate ECN (RFC 9768), once the nonce sum.
        const AE = 0x100;
    }
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    source_port: U16,
    destination_port: U16,
    sequence: U32,
    acknowledgement: U32,
    words_and_flags: U16,
    window: U16,
    checksum: U16,
    urgent: U16,
}

/// The header of a segment, without options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// From.
    pub source_port: u16,
    /// To.
    pub destination_port: u16,
    /// Sequence number of the first byte, or of SYN.
    pub sequence: u32,
    /// Next sequence number expected, if [`Flags::ACK`].
    pub acknowledgement: u32,
    /// Control bits. The three reserved bits are ignored, and written as zero.
    pub flags: Flags,
    /// As it stands, not scaled.
    pub window: u16,
    /// As it stands.
    pub checksum: u16,
    /// Urgent pointer, if [`Flags::URG`].
    pub urgent: u16,
}

/// A segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Header.
    pub header: Header,
    /// Options as they stand: see [`Options::parse`].
    pub options: &'a [u8],
    /// Text.
    pub payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Parses a segment. The checksum is not verified: with the pseudo-header, all bytes of it add up
    /// to ones.
    ///
    /// # Errors
    /// The sender is guilty: truncated, or a data offset within the header.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (raw, rest) = Raw::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        let words_and_flags = raw.words_and_flags.get();
        let header_len = usize::from(words_and_flags >> 12) * 4;
        let options_len = header_len.checked_sub(HEADER_LEN).ok_or(Malformed::Length)?;
        let (options, payload) = rest.split_at_checked(options_len).ok_or(Malformed::Truncated)?;
        let header = Header {
            source_port: raw.source_port.get(),
            destination_port: raw.destination_port.get(),
            sequence: raw.sequence.get(),
            acknowledgement: raw.acknowledgement.get(),
            flags: Flags::from_bits_truncate(words_and_flags),
            window: raw.window.get(),
            checksum: raw.checksum.get(),
            urgent: raw.urgent.get(),
        };
        Ok(Self { header, options, payload })
    }
}

/// The first eight bytes of a segment: all that an ICMP error must quote (RFC 792).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// From.
    pub source_port: u16,
    /// To.
    pub destination_port: u16,
    /// Sequence number: an error that does not quote one in flight is forged or late (RFC 5927 §4.1).
    pub sequence: u32,
}

impl Quote {
    /// Parses the start of a segment.
    ///
    /// # Errors
    /// Truncated.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let ([a, b, c, d, sequence @ ..], _) = bytes.split_first_chunk::<8>().ok_or(Malformed::Truncated)?;
        Ok(Self {
            source_port: u16::from_be_bytes([*a, *b]),
            destination_port: u16::from_be_bytes([*c, *d]),
            sequence: u32::from_be_bytes(*sequence),
        })
    }
}

impl Header {
    /// Writes header and options, with the checksum as it stands; returns their length.
    ///
    /// # Errors
    /// The caller is guilty: the buffer is too short, or the options need more than
    /// [`MAX_OPTIONS_LEN`].
    #[inline]
    pub fn emit(&self, options: &Options, into: &mut [u8]) -> Result<usize, NoRoom> {
        let options_len = options.len();
        let header_len = HEADER_LEN + options_len;
        if options_len > MAX_OPTIONS_LEN {
            return Err(NoRoom);
        }
        let mut writer = Writer::new(into);
        writer.value(&Raw {
            source_port: self.source_port.into(),
            destination_port: self.destination_port.into(),
            sequence: self.sequence.into(),
            acknowledgement: self.acknowledgement.into(),
            words_and_flags: (((header_len / 4) as u16) << 12 | self.flags.bits()).into(),
            window: self.window.into(),
            checksum: self.checksum.into(),
            urgent: self.urgent.into(),
        })?;
        options.emit(&mut writer)?;
        Ok(writer.len())
    }
}

#[cfg(test)]
mod tests;
