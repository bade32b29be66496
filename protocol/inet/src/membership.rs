//! What IGMPv3 (RFC 3376) and MLDv2 (RFC 3810) share: group records and the tail of queries, for addresses of
//! `N` bytes.

use crate::writer::Writer;
use crate::{Malformed, NoRoom};

/// What a record says (RFC 3376 §4.2.12, RFC 3810 §5.2.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordKind {
    /// Current state: only from the sources.
    ModeIsInclude = 1,
    /// Current state: from all but the sources.
    ModeIsExclude = 2,
    /// From now on only from the sources.
    ChangeToInclude = 3,
    /// From now on from all but the sources.
    ChangeToExclude = 4,
    /// From these sources, too.
    AllowNewSources = 5,
    /// No more from these sources.
    BlockOldSources = 6,
}

impl RecordKind {
    const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::ModeIsInclude,
            2 => Self::ModeIsExclude,
            3 => Self::ChangeToInclude,
            4 => Self::ChangeToExclude,
            5 => Self::AllowNewSources,
            6 => Self::BlockOldSources,
            _ => return None,
        })
    }
}

/// A group record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a, const N: usize> {
    /// What it says.
    pub kind: RecordKind,
    /// About which group.
    pub group: [u8; N],
    /// Sources.
    pub sources: &'a [[u8; N]],
}

impl<'a, const N: usize> Record<'a, N> {
    /// Bytes that it needs.
    pub const fn wire_len(&self) -> usize {
        4 + N + N * self.sources.len()
    }

    /// Parses the record at the start of `bytes`; `None` of a kind that is to be skipped.
    fn parse(bytes: &'a [u8]) -> Result<(Option<Self>, &'a [u8]), Malformed> {
        let ([kind, auxiliary, high, low], rest) = bytes.split_first_chunk().ok_or(Malformed::Truncated)?;
        let (group, rest) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        let count = usize::from(u16::from_be_bytes([*high, *low]));
        let (sources, rest) = rest.split_at_checked(count * N).ok_or(Malformed::Truncated)?;
        let (_, rest) = rest.split_at_checked(usize::from(*auxiliary) * 4).ok_or(Malformed::Truncated)?;
        let sources = sources.as_chunks().0;
        Ok((RecordKind::from_byte(*kind).map(|kind| Self { kind, group: *group, sources }), rest))
    }

    /// Writes the record; returns its length.
    ///
    /// # Errors
    /// The caller is guilty: the buffer is too short, or there are more sources than 16 bits can count.
    pub fn emit(&self, into: &mut [u8]) -> Result<usize, NoRoom> {
        let count = u16::try_from(self.sources.len()).map_err(|_| NoRoom)?;
        let mut writer = Writer::new(into);
        writer.bytes(&[self.kind as u8, 0])?;
        writer.bytes(&count.to_be_bytes())?;
        writer.bytes(&self.group)?;
        writer.bytes(self.sources.as_flattened())?;
        Ok(writer.len())
    }
}

/// The records of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records<'a, const N: usize> {
    count: u16,
    bytes: &'a [u8],
}

impl<'a, const N: usize> Records<'a, N> {
    /// `count` records that lie one behind the other in `bytes`, as [`Record::emit`] wrote them.
    ///
    /// # Errors
    /// One of them is truncated.
    pub fn new(count: u16, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = bytes;
        for _ in 0..count {
            (_, rest) = Record::<N>::parse(rest)?;
        }
        Ok(Self { count, bytes: bytes.get(..bytes.len() - rest.len()).unwrap_or_default() })
    }

    /// The records of known kinds.
    pub fn iter(&self) -> impl Iterator<Item = Record<'a, N>> + use<'a, N> {
        let mut rest = self.bytes;
        (0..self.count).filter_map(move |_| {
            let (record, behind) = Record::parse(rest).ok()?;
            rest = behind;
            record
        })
    }

    /// From the second word of a report: two reserved bytes and the count (RFC 3376 §4.2, RFC 3810 §5.2).
    pub(crate) fn parse(word: [u8; 4], body: &'a [u8]) -> Result<Self, Malformed> {
        let [_, _, high, low] = word;
        Self::new(u16::from_be_bytes([high, low]), body)
    }

    pub(crate) fn emit(&self, writer: &mut Writer<'_>) -> Result<(), NoRoom> {
        writer.both(&u32::from(self.count).to_be_bytes(), self.bytes)
    }
}

/// What only queries of the newer version say (RFC 3376 §4.1, RFC 3810 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryTail<'a, const N: usize> {
    /// Routers shall not update their timers.
    pub suppress: bool,
    /// The querier's robustness variable, 0 to 7.
    pub robustness: u8,
    /// The querier's interval, in seconds.
    pub interval: u32,
    /// Sources asked for; none if it is about the whole group.
    pub sources: &'a [[u8; N]],
}

impl<'a, const N: usize> QueryTail<'a, N> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let ([flags, code, high, low], rest) = bytes.split_first_chunk().ok_or(Malformed::Truncated)?;
        let count = usize::from(u16::from_be_bytes([*high, *low]));
        let sources = rest.get(..count * N).ok_or(Malformed::Truncated)?.as_chunks().0;
        Ok(Self { suppress: flags & 8 != 0, robustness: flags & 7, interval: decode(u16::from(*code), 8), sources })
    }

    pub(crate) fn emit(&self, writer: &mut Writer<'_>) -> Result<(), NoRoom> {
        let count = u16::try_from(self.sources.len()).map_err(|_| NoRoom)?;
        writer.bytes(&[u8::from(self.suppress) << 3 | self.robustness & 7, encode(self.interval, 8) as u8])?;
        writer.bytes(&count.to_be_bytes())?;
        writer.bytes(self.sources.as_flattened())
    }
}

/// The number that a code of `width` bits stands for: itself, or with its first bit set a floating-point one
/// (RFC 3376 §4.1.1 and §4.1.7 with 8 bits, RFC 3810 §5.1.3 with 16).
pub(crate) const fn decode(code: u16, width: u32) -> u32 {
    let (code, mantissa_bits) = (code as u32, width - 4);
    if code >> (width - 1) == 0 {
        return code;
    }
    let mantissa = code & ((1 << mantissa_bits) - 1);
    (mantissa | 1 << mantissa_bits) << ((code >> mantissa_bits & 7) + 3)
}

/// The code of `width` bits for the largest number not above `value`.
pub(crate) const fn encode(value: u32, width: u32) -> u16 {
    let mantissa_bits = width - 4;
    let bits = u32::BITS - value.leading_zeros();
    match bits.checked_sub(width) {
        None => value as u16,
        Some(exponent @ 0..8) => {
            let mantissa = value >> (exponent + 3) & ((1 << mantissa_bits) - 1);
            (1 << (width - 1) | exponent << mantissa_bits | mantissa) as u16
        }
        Some(_) => u16::MAX >> (16 - width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn records_survive_the_wire_and_unknown_ones_are_skipped() {
        let sources = [[1, 2, 3, 4], [5, 6, 7, 8]];
        let first = Record { kind: RecordKind::ChangeToInclude, group: [239, 0, 0, 1], sources: &sources };
        let last = Record { kind: RecordKind::ModeIsExclude, group: [239, 0, 0, 2], sources: &[] };
        let mut bytes = [0; 64];
        let mut len = first.emit(&mut bytes).unwrap();
        assert_eq!(len, first.wire_len());
        // Kind 9, one word of auxiliary data.
        bytes[len..][..12].copy_from_slice(&[9, 1, 0, 0, 239, 0, 0, 3, 0, 0, 0, 0]);
        len += 12;
        len += last.emit(&mut bytes[len..]).unwrap();
        let records = Records::<4>::new(3, &bytes[..len]).unwrap();
        assert_eq!(records.iter().collect::<Vec<_>>(), [first, last]);
        assert_eq!(Records::<4>::new(3, &bytes[..len - 1]), Err(Malformed::Truncated));
        assert_eq!(Records::<4>::new(4, &bytes[..len]), Err(Malformed::Truncated));
    }

    #[test]
    fn floating_point_numbers() {
        assert_eq!((decode(127, 8), decode(128, 8), decode(255, 8)), (127, 128, 31_744));
        assert_eq!((decode(10_000, 16), decode(0x8000, 16), decode(0xffff, 16)), (10_000, 32_768, 8_387_584));
        assert_eq!((encode(125, 8), encode(128, 8), encode(129, 8), encode(u32::MAX, 8)), (125, 128, 128, 255));
        for code in 0..=u16::MAX {
            assert_eq!(encode(decode(code, 16), 16), code);
            assert!(code > 255 || encode(decode(code, 8), 8) == code);
        }
    }
}
