//! Headers of outgoing packets, from Ethernet to the transport.

use super::table::Pair;
use core::net::{IpAddr, SocketAddr};
use rkt_netdev::{Capabilities, Checksum, ETHERNET_HEADER_LEN, Gso, GsoKind, TxMeta};
use rkt_tcp::{Flags, Outgoing, Segment};
use rkt_wire::checksum::Sum;
use rkt_wire::ethernet::{self, Address, ethertype};
use rkt_wire::ip::{Addresses, protocol};
use rkt_wire::tcp::{self, SackBlock, SackBlocks, Timestamps};
use rkt_wire::{NoRoom, ipv4, ipv6};

/// Bytes of the longest headers: Ethernet, IPv6, TCP with all options.
const MAX_LEN: usize = ETHERNET_HEADER_LEN + ipv6::HEADER_LEN + tcp::HEADER_LEN + tcp::MAX_OPTIONS_LEN;

/// What packets of a flow share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    pub from: Address,
    pub to: Address,
    pub addresses: Addresses,
    pub ttl: u8,
    pub tos: u8,
    /// Identification (IPv4).
    pub id: u16,
    /// May be fragmented on the way (IPv4).
    pub fragmentable: bool,
}

impl Envelope {
    /// Writes the Ethernet and the IP header of a packet with `len` bytes behind them; gives their length.
    ///
    /// # Errors
    /// The packet is too long for IP.
    pub fn emit(&self, protocol: u8, len: usize, into: &mut [u8]) -> Result<usize, NoRoom> {
        let kind = if matches!(self.addresses, Addresses::V4 { .. }) { ethertype::IPV4 } else { ethertype::IPV6 };
        let link = ethernet::Header { destination: self.to, source: self.from, ethertype: kind };
        let start = link.emit(into)?;
        let rest = into.get_mut(start..).ok_or(NoRoom)?;
        let network = match self.addresses {
            Addresses::V4 { source, destination } => ipv4::Header {
                tos: self.tos,
                id: self.id,
                dont_fragment: !self.fragmentable,
                more_fragments: false,
                offset: 0,
                ttl: self.ttl,
                protocol,
                source,
                destination,
            }
            .emit(&[], len, rest)?,
            Addresses::V6 { source, destination } => ipv6::Header {
                traffic_class: self.tos,
                flow_label: 0,
                next_header: protocol,
                hop_limit: self.ttl,
                source,
                destination,
            }
            .emit(len, rest)?,
        };
        Ok(start + network)
    }
}

/// The addresses of packets that leave from `local`.
pub(super) fn addresses(local: SocketAddr, peer: SocketAddr) -> Option<Addresses> {
    Addresses::new(local.ip(), peer.ip())
}

/// The wire's form of a segment's header and options.
fn on_wire(pair: &Pair, segment: &Segment) -> (tcp::Header, tcp::Options) {
    let mut flags = tcp::Flags::from_bits_truncate(u16::from(segment.flags.bits()));
    flags.set(tcp::Flags::ACK, segment.ack.is_some());
    let header = tcp::Header {
        source_port: pair.local.port(),
        destination_port: pair.peer.port(),
        sequence: segment.seq,
        acknowledgement: segment.ack.unwrap_or(0),
        flags,
        window: segment.window,
        checksum: 0,
        urgent: segment.urgent,
    };
    let mut sack = SackBlocks::default();
    for &(left, right) in &segment.sack {
        sack.push(SackBlock { left, right });
    }
    let options = tcp::Options {
        mss: segment.mss,
        window_scale: segment.window_scale,
        sack_permitted: segment.sack_permitted,
        timestamps: segment.timestamps.map(|stamps| Timestamps { value: stamps.value, echo: stamps.echo }),
        sack,
    };
    (header, options)
}

/// The state machine's form of what arrived, with `len` bytes of text.
#[inline]
pub(super) fn from_wire(header: &tcp::Header, options: &[u8], len: usize) -> Segment {
    let options = tcp::Options::parse(options);
    Segment {
        seq: header.sequence,
        ack: header.flags.contains(tcp::Flags::ACK).then_some(header.acknowledgement),
        window: header.window,
        // Bits above the lowest eight are not the state machine's.
        flags: Flags::from_bits_truncate(header.flags.bits() as u8),
        urgent: header.urgent,
        mss: options.mss,
        window_scale: options.window_scale,
        sack_permitted: options.sack_permitted,
        timestamps: options.timestamps.map(|stamps| rkt_tcp::Timestamps { value: stamps.value, echo: stamps.echo }),
        sack: options.sack.as_slice().iter().map(|block| (block.left, block.right)).collect(),
        ecn: 0,
        len: len as u32,
    }
}

/// A frame's headers, ready to go in front of its payload.
pub(super) struct Headers {
    bytes: [u8; MAX_LEN],
    len: usize,
    pub meta: TxMeta,
}

impl Headers {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// Those of a TCP segment, or of a row of segments for the card to cut.
    ///
    /// # Errors
    /// The packet is too long for IP.
    pub fn tcp(
        envelope: &Envelope,
        pair: &Pair,
        outgoing: &Outgoing,
        text: (&[u8], &[u8]),
        card: &Capabilities,
    ) -> Result<Self, NoRoom> {
        let len = outgoing.segment.len as usize;
        let (header, options) = on_wire(pair, &outgoing.segment);
        let transport = tcp::HEADER_LEN + options.len();
        let mut bytes = [0; MAX_LEN];
        let start = envelope.emit(protocol::TCP, transport + len, &mut bytes)?;
        let end = start + header.emit(&options, bytes.get_mut(start..).ok_or(NoRoom)?)?;
        let pseudo = envelope.addresses.pseudo(protocol::TCP, transport + len);
        let mut headers = Self { bytes, len: end, meta: TxMeta::default() };
        let checksum = if card.tx_checksum {
            headers.meta.checksum = Checksum::Partial { start: start as u16, offset: tcp::CHECKSUM_OFFSET };
            if len > usize::from(outgoing.segment_size) {
                let kind = if matches!(pair.peer.ip(), IpAddr::V4(_)) { GsoKind::Tcp4 } else { GsoKind::Tcp6 };
                headers.meta.gso = Some(Gso { kind, segment: outgoing.segment_size, headers: end as u16 });
            }
            pseudo.partial()
        } else {
            (pseudo + Sum::of(headers.bytes.get(start..end).unwrap_or(&[])) + sum_of(text)).finish()
        };
        headers.store(start + usize::from(tcp::CHECKSUM_OFFSET), checksum);
        Ok(headers)
    }

    fn store(&mut self, at: usize, checksum: u16) {
        if let Some(field) = self.bytes.get_mut(at..at + 2) {
            field.copy_from_slice(&checksum.to_be_bytes());
        }
    }
}

/// The sum of two pieces, one behind the other.
fn sum_of((first, second): (&[u8], &[u8])) -> Sum {
    let rest = Sum::of(second);
    Sum::of(first) + if first.len().is_multiple_of(2) { rest } else { rest.swapped() }
}
