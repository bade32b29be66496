//! Multicast Listener Discovery, version 2 (RFC 3810) and 1 (RFC 2710).

use super::kind;
use crate::membership::{QueryTail, Records, decode, encode};
use crate::writer::Writer;
use crate::{Malformed, NoRoom, ipv6};
use core::net::Ipv6Addr;

/// The hop-by-hop header that goes before each message: router alert for MLD (RFC 2711 §2.1), padded. The
/// first byte says that ICMPv6 follows.
pub const ROUTER_ALERT: [u8; 8] = [crate::ip::protocol::ICMPV6, 0, 5, 2, 0, 0, 1, 0];
/// Hop limit of each message (RFC 3810 §5).
pub const HOP_LIMIT: u8 = 1;

/// A query (RFC 3810 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    /// Time within which to answer, in milliseconds.
    pub max_response: u32,
    /// The group asked for; unspecified: all.
    pub group: Ipv6Addr,
    /// What version 2 says beyond; `None` from a router of version 1.
    pub tail: Option<QueryTail<'a, 16>>,
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Who listens?
    Query(Query<'a>),
    /// Version 1: a listener of this group.
    ReportV1(Ipv6Addr),
    /// Version 1: perhaps no listener of this group any more.
    Done(Ipv6Addr),
    /// Version 2: state of a listener.
    ReportV2(Records<'a, 16>),
}

impl<'a> Message<'a> {
    pub(super) fn parse(kind: u8, word: [u8; 4], body: &'a [u8], packet: &ipv6::Header) -> Result<Self, Malformed> {
        // RFC 3810 §5.1.14, §5.2.13.
        let from_host = packet.source.is_unspecified() && kind != kind::MLD_QUERY;
        if packet.hop_limit != HOP_LIMIT || !(packet.source.is_unicast_link_local() || from_host) {
            return Err(Malformed::Value);
        }
        if kind == kind::MLD_REPORT_V2 {
            return Ok(Self::ReportV2(Records::parse(word, body)?));
        }
        let (group, tail) = body.split_first_chunk::<16>().ok_or(Malformed::Truncated)?;
        let group = Ipv6Addr::from(*group);
        if !(group.is_multicast() || kind == kind::MLD_QUERY && group.is_unspecified()) {
            return Err(Malformed::Value);
        }
        Ok(match kind {
            kind::MLD_REPORT_V1 => Self::ReportV1(group),
            kind::MLD_DONE => Self::Done(group),
            _ => {
                let [high, low, ..] = word;
                let code = u16::from_be_bytes([high, low]);
                // §8.1: 24 bytes are version 1, 28 and more version 2, others are ignored.
                match tail.len() {
                    0 => Self::Query(Query { max_response: u32::from(code), group, tail: None }),
                    _ => Self::Query(Query {
                        max_response: decode(code, 16),
                        group,
                        tail: Some(QueryTail::parse(tail)?),
                    }),
                }
            }
        })
    }

    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Query(_) => kind::MLD_QUERY,
            Self::ReportV1(_) => kind::MLD_REPORT_V1,
            Self::Done(_) => kind::MLD_DONE,
            Self::ReportV2(_) => kind::MLD_REPORT_V2,
        }
    }

    pub(super) fn emit(&self, writer: &mut Writer<'_>) -> Result<(), NoRoom> {
        match *self {
            Self::ReportV1(group) | Self::Done(group) => writer.both(&[0; 4], &group.octets()),
            Self::ReportV2(records) => records.emit(writer),
            Self::Query(Query { max_response, group, tail }) => {
                let code = match tail {
                    None => u16::try_from(max_response).unwrap_or(u16::MAX),
                    Some(_) => encode(max_response, 16),
                };
                let [high, low] = code.to_be_bytes();
                writer.both(&[high, low, 0, 0], &group.octets())?;
                tail.map_or(Ok(()), |tail| tail.emit(writer))
            }
        }
    }
}
