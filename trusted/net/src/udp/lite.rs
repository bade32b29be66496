//! UDP-Lite (RFC 3828): UDP whose checksum may cover a part. On the network it goes as the packets of raw sockets do.

use super::UdpPorts;
use crate::raw::RawTable;
use crate::stack::{DatagramSink, Incoming, Manner, Packet, PacketSink, Stack, Undelivered};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use rkt_linux_abi::{Errno, Result, net::SOL_UDPLITE};
use rkt_wire::checksum::Sum;
use rkt_wire::ip::Addresses;
use rkt_wire::udp::HEADER_LEN;

/// Its number (IANA, "Protocol Numbers").
const PROTOCOL: u8 = SOL_UDPLITE as u8;
/// Where the checksum lies.
const CHECKSUM: usize = 6;

/// Sends a datagram whose checksum covers so many bytes, or all.
pub(super) fn send(
    stack: &dyn Stack,
    from: SocketAddr,
    to: SocketAddr,
    payload: &[u8],
    coverage: Option<u16>,
    manner: &Manner,
) -> Result<()> {
    let addresses = Addresses::new(from.ip(), to.ip()).ok_or(Errno::EINVAL)?;
    let mut bytes = Vec::with_capacity(HEADER_LEN.saturating_add(payload.len()));
    for word in [from.port(), to.port(), coverage.unwrap_or(0), 0] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    bytes.extend_from_slice(payload);
    let sum = sum(&bytes, coverage, &addresses).finish_udp();
    crate::loopback::put(&mut bytes, CHECKSUM, sum.to_be_bytes());
    stack.send_packet(addresses, PROTOCOL, &bytes, manner)
}

/// The sum over what is covered; the pseudo header counts the whole (RFC 3828 §3.2).
fn sum(bytes: &[u8], coverage: Option<u16>, addresses: &Addresses) -> Sum {
    let covered = coverage.and_then(|len| bytes.get(..len.into())).unwrap_or(bytes);
    addresses.pseudo(PROTOCOL, bytes.len()) + Sum::of(covered)
}

/// What a packet says, if it is intact.
fn parse(packet: &Packet) -> Option<Incoming> {
    let bytes = packet.bytes.get(packet.payload_at..)?;
    let (header, payload) = bytes.split_first_chunk::<HEADER_LEN>()?;
    let &[a, b, c, d, e, f, g, h] = header;
    let len = u16::from_be_bytes([e, f]);
    let coverage = match usize::from(len) {
        0 => None,
        short if short < HEADER_LEN || short > bytes.len() => return None,
        part => (part < bytes.len()).then_some(len),
    };
    let addresses = Addresses::new(packet.source, packet.destination)?;
    // There is no datagram without a checksum (RFC 3828 §3.1).
    if [g, h] == [0, 0] || !sum(bytes, coverage, &addresses).is_valid() {
        return None;
    }
    Some(Incoming {
        local: (packet.destination, u16::from_be_bytes([c, d])).into(),
        from: (packet.source, u16::from_be_bytes([a, b])).into(),
        payload: payload.to_vec(),
        interface: packet.interface,
        ttl: packet.ttl,
        tos: packet.tos,
        to_all: false,
        segment: None,
        coverage,
    })
}

/// What takes packets beside the stack's own transports.
pub(crate) struct Transports {
    pub raw: Arc<RawTable>,
    pub lite: Arc<UdpPorts>,
}

impl PacketSink for Transports {
    fn wants(&self, v4: bool, protocol: u8) -> bool {
        self.raw.wants(v4, protocol) || protocol == PROTOCOL && self.lite.table.is_used()
    }

    fn packet(&self, packet: &Packet) {
        self.raw.packet(packet);
        if packet.protocol == PROTOCOL
            && let Some(incoming) = parse(packet)
        {
            self.lite.deliver(incoming);
        }
    }

    fn undelivered(&self, protocol: u8, what: &Undelivered) {
        self.raw.undelivered(protocol, what);
    }
}
