//! The virtio header of a frame, to and from what the network stack says and is told (§5.1.6).

use rkt_netdev::{Capabilities, Checksum, ETHERNET_HEADER_LEN, Gso, GsoKind, RxMeta, TxMeta};
use rkt_virtio::net::{Header, features, gso, header_flags};

/// Whether a 16-bit sum at `start + offset` lies within a frame of `len` bytes.
fn sum_within(start: u16, offset: u16, len: usize) -> bool {
    usize::from(start).saturating_add(usize::from(offset)).saturating_add(2) <= len
}

/// What the header of a received frame of `len` bytes says; `None` if it makes no sense or uses
/// what was not agreed (§5.1.6.4.1).
pub(crate) fn parse(header: &Header, len: usize, agreed: u64) -> Option<RxMeta> {
    if len < ETHERNET_HEADER_LEN {
        return None;
    }
    let checksum = if header.flags & header_flags::NEEDS_CSUM != 0 {
        let (start, offset) = (header.csum_start.get(), header.csum_offset.get());
        if !sum_within(start, offset, len) {
            return None;
        }
        Checksum::Partial { start, offset }
    } else if header.flags & header_flags::DATA_VALID != 0 {
        Checksum::Valid
    } else {
        Checksum::Plain
    };
    if checksum != Checksum::Plain && agreed & features::GUEST_CSUM == 0 {
        return None;
    }
    let (kind, needed) = match header.gso_type {
        gso::NONE => return Some(RxMeta { len, checksum, gso: None }),
        gso::TCPV4 => (GsoKind::Tcp4, features::GUEST_TSO4),
        gso::TCPV6 => (GsoKind::Tcp6, features::GUEST_TSO6),
        gso::UDP_L4 => (GsoKind::Udp, features::GUEST_USO4 | features::GUEST_USO6),
        _ => return None,
    };
    let (segment, headers) = (header.gso_size.get(), header.hdr_len.get());
    // A segmented frame always comes with a partial checksum (§5.1.6.4.1).
    let partial = matches!(checksum, Checksum::Partial { .. });
    if agreed & needed == 0 || segment == 0 || usize::from(headers) > len || !partial {
        return None;
    }
    Some(RxMeta { len, checksum, gso: Some(Gso { kind, segment, headers }) })
}

/// The header for a frame of `len` bytes to transmit; `None` if the caller asks for what the card
/// cannot do or the frame does not have.
pub(crate) fn emit(meta: &TxMeta, len: usize, can: &Capabilities) -> Option<Header> {
    let mut header = Header::default();
    match meta.checksum {
        Checksum::Plain => {}
        Checksum::Partial { start, offset } if can.tx_checksum && sum_within(start, offset, len) => {
            header.flags = header_flags::NEEDS_CSUM;
            header.csum_start = start.into();
            header.csum_offset = offset.into();
        }
        _ => return None,
    }
    let longest = match meta.gso {
        None => usize::from(can.mtu).saturating_add(ETHERNET_HEADER_LEN),
        Some(Gso { kind, segment, headers }) => {
            let (able, kind) = match kind {
                GsoKind::Tcp4 => (can.tx_tso4, gso::TCPV4),
                GsoKind::Tcp6 => (can.tx_tso6, gso::TCPV6),
                GsoKind::Udp => (can.tx_uso, gso::UDP_L4),
            };
            if !able || segment == 0 || usize::from(headers) > len || header.flags == 0 {
                return None;
            }
            header.gso_type = kind;
            header.gso_size = segment.into();
            header.hdr_len = headers.into();
            can.max_tx_frame
        }
    };
    (ETHERNET_HEADER_LEN..=longest).contains(&len).then_some(header)
}
