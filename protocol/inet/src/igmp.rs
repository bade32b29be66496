//! IGMP, version 3 (RFC 3376), 2 (RFC 2236) and 1 (RFC 1112, appendix I).

use crate::checksum::Sum;
use crate::membership::{self, QueryTail, Records};
use crate::writer::Writer;
use crate::{Malformed, NoRoom};
use core::net::Ipv4Addr;

/// Bytes of a header.
pub const HEADER_LEN: usize = 8;
/// Where version 3 reports go (RFC 3376 §4.2.14).
pub const ALL_V3_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
/// Where general queries come to (RFC 3376 §4.1.12).
pub const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
/// Where version 2 leaves go (RFC 2236 §3).
pub const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);

const QUERY: u8 = 0x11;
const REPORT_V1: u8 = 0x12;
const REPORT_V2: u8 = 0x16;
const LEAVE: u8 = 0x17;
const REPORT_V3: u8 = 0x22;

/// Which version a query is of (RFC 3376 §7.1), and what it says beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version<'a> {
    /// Eight bytes, no response time.
    V1,
    /// Eight bytes.
    V2,
    /// Twelve or more.
    V3(QueryTail<'a, 4>),
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Who listens?
    Query {
        /// Time within which to answer, in milliseconds; that of version 1 is 10 s (RFC 2236 §4).
        max_response: u32,
        /// The group asked for; unspecified: all.
        group: Ipv4Addr,
        /// Version.
        version: Version<'a>,
    },
    /// Version 1: a listener of this group.
    ReportV1(Ipv4Addr),
    /// Version 2: a listener of this group.
    ReportV2(Ipv4Addr),
    /// Version 2: perhaps no listener of this group any more.
    Leave(Ipv4Addr),
    /// Version 3: state of a listener.
    ReportV3(Records<'a, 4>),
}

impl<'a> Message<'a> {
    /// Parses a message and verifies its checksum.
    ///
    /// # Errors
    /// The sender is guilty: truncated, a wrong checksum, a group that is none (`Value`), a
    /// length between those of versions (`Length`), or another type (`Unsupported`).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let ([kind, code, _, _, word @ ..], tail) =
            bytes.split_first_chunk::<HEADER_LEN>().ok_or(Malformed::Truncated)?;
        if !Sum::of(bytes).is_valid() {
            return Err(Malformed::Checksum);
        }
        if *kind == REPORT_V3 {
            return Ok(Self::ReportV3(Records::parse(*word, tail)?));
        }
        let group = Ipv4Addr::from(*word);
        if !(group.is_multicast() || *kind == QUERY && group.is_unspecified()) {
            return Err(Malformed::Value);
        }
        // In tenths of a second (RFC 3376 §4.1.1).
        let max_response = membership::decode(u16::from(*code), 8) * 100;
        match (*kind, tail.len(), *code) {
            (QUERY, 0, 0) => Ok(Self::Query { max_response: 10_000, group, version: Version::V1 }),
            (QUERY, 0, code) => Ok(Self::Query { max_response: u32::from(code) * 100, group, version: Version::V2 }),
            (QUERY, 1..4, _) => Err(Malformed::Length),
            (QUERY, ..) => Ok(Self::Query { max_response, group, version: Version::V3(QueryTail::parse(tail)?) }),
            (REPORT_V1, ..) => Ok(Self::ReportV1(group)),
            (REPORT_V2, ..) => Ok(Self::ReportV2(group)),
            (LEAVE, ..) => Ok(Self::Leave(group)),
            _ => Err(Malformed::Unsupported),
        }
    }

    /// Writes the message with its checksum; returns its length.
    ///
    /// # Errors
    /// The buffer is too short.
    pub fn emit(&self, into: &mut [u8]) -> Result<usize, NoRoom> {
        let mut writer = Writer::new(into);
        match *self {
            Self::Query { max_response, group, version } => {
                let tenths = max_response / 100;
                let code = match version {
                    Version::V1 => 0,
                    Version::V2 => tenths.min(0xff) as u8,
                    Version::V3(_) => membership::encode(tenths, 8) as u8,
                };
                writer.bytes(&[QUERY, code, 0, 0])?;
                writer.bytes(&group.octets())?;
                if let Version::V3(tail) = version {
                    tail.emit(&mut writer)?;
                }
            }
            Self::ReportV1(group) => writer.both(&[REPORT_V1, 0, 0, 0], &group.octets())?,
            Self::ReportV2(group) => writer.both(&[REPORT_V2, 0, 0, 0], &group.octets())?,
            Self::Leave(group) => writer.both(&[LEAVE, 0, 0, 0], &group.octets())?,
            Self::ReportV3(records) => {
                writer.bytes(&[REPORT_V3, 0, 0, 0])?;
                records.emit(&mut writer)?;
            }
        }
        writer.seal(Sum::ZERO, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::{Record, RecordKind};

    #[test]
    fn messages_survive_the_wire() {
        let group = Ipv4Addr::new(239, 1, 2, 3);
        let sources = [[192, 0, 2, 1]];
        let record = Record { kind: RecordKind::AllowNewSources, group: group.octets(), sources: &sources };
        let mut records = [0; 12];
        record.emit(&mut records).unwrap();
        let tail = QueryTail { suppress: true, robustness: 2, interval: 125, sources: &sources };
        let query = |max_response, version| Message::Query { max_response, group, version };
        let messages = [
            query(10_000, Version::V1),
            query(20_000, Version::V2),
            query(12_800, Version::V3(tail)),
            Message::ReportV1(group),
            Message::ReportV2(group),
            Message::Leave(group),
            Message::ReportV3(Records::new(1, &records).unwrap()),
        ];
        for message in messages {
            let mut bytes = [0; 64];
            let len = message.emit(&mut bytes).unwrap();
            assert_eq!(Message::parse(&bytes[..len]), Ok(message));
            bytes[3] ^= 1;
            assert_eq!(Message::parse(&bytes[..len]), Err(Malformed::Checksum));
        }
    }

    #[test]
    fn a_report_is_about_a_group() {
        let mut bytes = [0; 8];
        Message::ReportV2(Ipv4Addr::UNSPECIFIED).emit(&mut bytes).unwrap();
        assert_eq!(Message::parse(&bytes), Err(Malformed::Value));
    }
}
