//! Reports as packets.

use super::{Report, Version};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use rkt_wire::icmpv6::{self, mld};
use rkt_wire::membership::{Record, Records};
use rkt_wire::{igmp, ipv6};

/// Bytes of a record without sources, of IPv6.
const RECORD_LEN: usize = 20;

/// Writes the IGMP message of a report; returns where it goes, with a time to live of 1 and the option
/// [`rkt_wire::ipv4::ROUTER_ALERT`], and its length. `None`: the group is of IPv6, or `into` is too short.
pub fn emit_v4(report: &Report, into: &mut [u8]) -> Option<(Ipv4Addr, usize)> {
    match *report {
        Report::Record { kind, group: IpAddr::V4(group), ref sources } => {
            let octets = |source: &IpAddr| if let IpAddr::V4(source) = source { Some(source.octets()) } else { None };
            let sources: Vec<_> = sources.iter().filter_map(octets).collect();
            let bytes = record_bytes(&Record { kind, group: group.octets(), sources: &sources })?;
            let message = igmp::Message::ReportV3(Records::new(1, &bytes).ok()?);
            Some((igmp::ALL_V3_ROUTERS, message.emit(into).ok()?))
        }
        Report::Joined { group: IpAddr::V4(group), version: Version::V1 } => {
            Some((group, igmp::Message::ReportV1(group).emit(into).ok()?))
        }
        Report::Joined { group: IpAddr::V4(group), .. } => {
            Some((group, igmp::Message::ReportV2(group).emit(into).ok()?))
        }
        Report::Left { group: IpAddr::V4(group) } => {
            Some((igmp::ALL_ROUTERS, igmp::Message::Leave(group).emit(into).ok()?))
        }
        _ => None,
    }
}

/// Writes the MLD message of a report from `source`, link-local or unspecified; returns where it goes, with a hop
/// limit of [`mld::HOP_LIMIT`] and behind the header [`mld::ROUTER_ALERT`], and its length. `None`: the group is of IPv4,
/// or `into` is too short.
pub fn emit_v6(report: &Report, source: Ipv6Addr, into: &mut [u8]) -> Option<(Ipv6Addr, usize)> {
    let mut emit = |message, to| {
        let len = icmpv6::Message::Mld(message).emit(source, to, into).ok()?;
        Some((to, len))
    };
    match *report {
        Report::Record { kind, group: IpAddr::V6(group), ref sources } => {
            let octets = |source: &IpAddr| if let IpAddr::V6(source) = source { Some(source.octets()) } else { None };
            let sources: Vec<_> = sources.iter().filter_map(octets).collect();
            let bytes = record_bytes(&Record { kind, group: group.octets(), sources: &sources })?;
            emit(mld::Message::ReportV2(Records::new(1, &bytes).ok()?), ipv6::ALL_MLDV2_ROUTERS)
        }
        Report::Joined { group: IpAddr::V6(group), .. } => emit(mld::Message::ReportV1(group), group),
        Report::Left { group: IpAddr::V6(group) } => emit(mld::Message::Done(group), ipv6::ALL_ROUTERS),
        _ => None,
    }
}

fn record_bytes<const N: usize>(record: &Record<'_, N>) -> Option<Vec<u8>> {
    let mut bytes = alloc::vec![0; RECORD_LEN.max(record.wire_len())];
    let len = record.emit(&mut bytes).ok()?;
    bytes.truncate(len);
    Some(bytes)
}
