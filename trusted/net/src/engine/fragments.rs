//! Packets that are longer than the link takes, in fragments (RFC 791 §2.3, RFC 8200 §4.5).

use super::Engine;
use super::flow::Flow;
use super::headers::Envelope;
use super::link::Link;
use super::output::Departure;
use super::port::Port;
use super::round::Round;
use crate::statistics::Count;
use alloc::vec::Vec;
use rkt_inet::fragment::pieces;
use rkt_netdev::{ETHERNET_HEADER_LEN, TxMeta};
use rkt_wire::ethernet::{self, Address, ethertype};
use rkt_wire::ip::{Addresses, protocol};
use rkt_wire::{NoRoom, ipv4, ipv6};

/// Bytes of the longest headers of a fragment.
const HEADERS_MAX: usize = ETHERNET_HEADER_LEN + ipv6::HEADER_LEN + ipv6::Fragment::LEN;

/// Where a fragment lies in its packet.
struct Place {
    id: u32,
    offset: usize,
    len: usize,
    more: bool,
}

/// Writes the headers of a fragment; gives their length.
fn emit(envelope: &Envelope, what: u8, place: &Place, into: &mut [u8]) -> Result<usize, NoRoom> {
    let offset = u16::try_from(place.offset).map_err(|_| NoRoom)?;
    let v4 = matches!(envelope.addresses, Addresses::V4 { .. });
    let kind = if v4 { ethertype::IPV4 } else { ethertype::IPV6 };
    let link = ethernet::Header { destination: envelope.to, source: envelope.from, ethertype: kind };
    let start = link.emit(into)?;
    let rest = into.get_mut(start..).ok_or(NoRoom)?;
    match envelope.addresses {
        Addresses::V4 { source, destination } => {
            let header = ipv4::Header {
                tos: envelope.tos,
                id: place.id as u16,
                dont_fragment: false,
                more_fragments: place.more,
                offset,
                ttl: envelope.ttl,
                protocol: what,
                source,
                destination,
            };
            Ok(start + header.emit(&[], place.len, rest)?)
        }
        Addresses::V6 { source, destination } => {
            let header = ipv6::Header {
                traffic_class: envelope.tos,
                flow_label: 0,
                next_header: protocol::FRAGMENT,
                hop_limit: envelope.ttl,
                source,
                destination,
            };
            let network = header.emit(ipv6::Fragment::LEN + place.len, rest)?;
            let fragment = ipv6::Fragment { next_header: what, offset, more: place.more, id: place.id };
            let extension = fragment.emit(rest.get_mut(network..).ok_or(NoRoom)?)?;
            Ok(start + network + extension)
        }
    }
}

impl Engine {
    /// Sends a packet in fragments. Its transport's checksum is complete.
    pub(super) fn depart_in_fragments(
        &self,
        link: &Link,
        port: &mut Port<Flow>,
        what: &Departure<'_>,
        round: &mut Round,
    ) {
        let v4 = matches!(what.envelope.addresses, Addresses::V4 { .. });
        let extension = if v4 { 0 } else { ipv6::Fragment::LEN };
        let header = if v4 { ipv4::HEADER_LEN } else { ipv6::HEADER_LEN };
        let room = what.mtu.saturating_sub(header + extension);
        let payload: Vec<u8> = what.parts.concat();
        let mac = self.neighbor(link, what.next_hop, round.now);
        let envelope = Envelope { to: mac.unwrap_or(Address::BROADCAST), ..what.envelope };
        let id = crate::ports::random();
        self.count(what.next_hop, Count::FragOks);
        for piece in pieces(payload.len(), room) {
            let mut headers = [0; HEADERS_MAX];
            let place = Place { id, offset: piece.range.start, len: piece.range.len(), more: piece.more };
            let Ok(len) = emit(&envelope, what.protocol, &place, &mut headers) else { return };
            let parts = [headers.get(..len).unwrap_or(&[]), payload.get(piece.range).unwrap_or(&[])];
            self.count(what.next_hop, Count::FragCreates);
            match mac {
                Some(_) => port.send(&TxMeta::default(), &parts),
                None => self.ask(link, port, what.next_hop, TxMeta::default(), parts.concat(), round),
            }
        }
    }
}

const _: () = assert!(ipv4::HEADER_LEN <= ipv6::HEADER_LEN + ipv6::Fragment::LEN);
