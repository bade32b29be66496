//! What arrived: where in a frame the transport's segment lies, and its text, read once.

use core::net::SocketAddr;
use rkt_netdev::{Checksum, ETHERNET_HEADER_LEN, RxFrame};
use rkt_tcp::Payload;
use rkt_wire::checksum::Sum;
use rkt_wire::ethernet::{self, ethertype};
use rkt_wire::ip::Addresses;
use rkt_wire::{ipv4, ipv6};

/// A whole segment or datagram in a frame, or in what was put together from fragments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// From and to.
    pub addresses: Addresses,
    /// Of [`rkt_wire::ip::protocol`].
    pub protocol: u8,
    /// Where it starts in the frame, in bytes.
    pub start: usize,
    /// Its bytes, header included.
    pub len: usize,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
}

/// What a frame holds, by its first bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    /// Something for a transport.
    Transport(Arrival),
    /// Something rare: the whole frame has to be looked at.
    Rare(u16),
    /// Nothing of use.
    Nothing,
}

impl Content {
    /// Looks at the head of a frame of `len` bytes.
    #[inline]
    pub fn of(head: &[u8], len: usize) -> Self {
        let Ok((link, packet)) = ethernet::Header::parse(head) else { return Self::Nothing };
        let len = len.saturating_sub(ETHERNET_HEADER_LEN);
        match link.ethertype {
            ethertype::IPV4 => Self::v4(packet, len),
            ethertype::IPV6 => Self::v6(packet, len),
            ethertype::ARP => Self::Rare(ethertype::ARP),
            _ => Self::Nothing,
        }
    }

    fn v4(packet: &[u8], len: usize) -> Self {
        let Ok((header, payload)) = ipv4::Packet::parse_head(packet, len) else { return Self::Nothing };
        if header.is_fragment() {
            return Self::Rare(ethertype::IPV4);
        }
        Self::Transport(Arrival {
            addresses: header.addresses(),
            protocol: header.protocol,
            start: ETHERNET_HEADER_LEN + payload.start,
            len: payload.len(),
            ttl: header.ttl,
            tos: header.tos,
        })
    }

    fn v6(packet: &[u8], len: usize) -> Self {
        let Ok((header, range)) = ipv6::Packet::parse_head(packet, len) else { return Self::Nothing };
        let at_hand = packet.get(range.start..range.end.min(packet.len())).unwrap_or(&[]);
        match ipv6::walk(header.next_header, at_hand) {
            Ok(ipv6::Walk::Upper(upper)) => Self::Transport(Arrival {
                addresses: header.addresses(),
                protocol: upper.protocol,
                start: ETHERNET_HEADER_LEN + range.start + upper.offset,
                len: range.len() - upper.offset,
                ttl: header.hop_limit,
                tos: header.traffic_class,
            }),
            Ok(ipv6::Walk::Fragment { .. }) | Err(_) => Self::Rare(ethertype::IPV6),
        }
    }
}

impl Arrival {
    /// The socket addresses of a segment between these ports: the own, and the peer's.
    pub fn ends(&self, source: u16, destination: u16) -> (SocketAddr, SocketAddr) {
        let local = SocketAddr::new(self.addresses.destination(), destination);
        (local, SocketAddr::new(self.addresses.source(), source))
    }
}

/// The text of a segment, in its frame. Where the card has not checked the checksum, it is summed up as
/// it is copied.
pub(super) struct Text<'a> {
    frame: &'a mut dyn RxFrame,
    /// Where it starts in the frame.
    start: usize,
    len: usize,
    /// The sum up to `summed` bytes, if it has to be checked.
    sum: Option<Sum>,
    summed: usize,
    /// Its checksum is wrong.
    damaged: bool,
}

/// Bytes that are summed at a time where nobody wants them.
const SCRATCH: usize = 512;

impl<'a> Text<'a> {
    /// The text that starts `header` bytes into what arrived; the header itself lies in the head.
    pub fn new(frame: &'a mut dyn RxFrame, arrival: &Arrival, header: usize) -> Self {
        let start = arrival.start.saturating_add(header);
        let len = arrival.len.saturating_sub(header);
        // The device's word on a checksum is the host's, who could forge the bytes as well.
        let unchecked = frame.meta().checksum == Checksum::Plain;
        let sum = unchecked.then(|| {
            let header = frame.head().get(arrival.start..start).unwrap_or(&[]);
            arrival.addresses.pseudo(arrival.protocol, arrival.len) + Sum::of(header)
        });
        Self { frame, start, len, sum, summed: 0, damaged: false }
    }

    /// Whether its checksum was found to be wrong.
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    fn read(&mut self, offset: usize, into: &mut [u8]) -> bool {
        offset.checked_add(into.len()).is_some_and(|end| end <= self.len)
            && self.frame.copy(self.start.saturating_add(offset), into)
    }

    fn add(&mut self, bytes: &[u8]) {
        if let Some(sum) = &mut self.sum {
            let part = Sum::of(bytes);
            *sum += if self.summed.is_multiple_of(2) { part } else { part.swapped() };
        }
        self.summed = self.summed.saturating_add(bytes.len());
    }

    /// Sums up what lies before `end` and was not copied.
    fn pass(&mut self, end: usize) -> bool {
        let mut scratch = [0; SCRATCH];
        while self.summed < end.min(self.len) {
            let most = (end.min(self.len) - self.summed).min(SCRATCH);
            let Some(piece) = scratch.get_mut(..most) else { return false };
            if !self.read(self.summed, piece) {
                return false;
            }
            self.add(piece);
        }
        true
    }
}

impl Payload for Text<'_> {
    fn copy_to(&mut self, offset: usize, into: &mut [u8]) -> bool {
        if self.sum.is_none() {
            return self.read(offset, into);
        }
        if !self.pass(offset) || !self.read(offset, into) {
            return false;
        }
        if offset == self.summed {
            self.add(into);
        }
        true
    }

    fn verify(&mut self) -> bool {
        let whole = self.pass(if self.sum.is_some() { self.len } else { 0 });
        self.damaged = !whole || self.sum.is_some_and(|sum| !sum.is_valid());
        !self.damaged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use core::net::Ipv4Addr;
    use rkt_netdev::{RxMeta, TrustedFrame};
    use rkt_wire::ip::protocol;

    const ADDRESSES: Addresses =
        Addresses::V4 { source: Ipv4Addr::new(10, 0, 0, 1), destination: Ipv4Addr::new(10, 0, 0, 2) };

    /// A frame of `len` bytes of datagram, with its checksum at 6.
    fn frame(len: usize) -> (alloc::vec::Vec<u8>, Arrival) {
        let mut bytes = vec![0; 34 + len];
        for (i, byte) in bytes.iter_mut().enumerate().skip(34) {
            *byte = (i * 7) as u8;
        }
        bytes[40..42].fill(0);
        let sum = (ADDRESSES.pseudo(protocol::UDP, len) + Sum::of(&bytes[34..])).finish_udp();
        bytes[40..42].copy_from_slice(&sum.to_be_bytes());
        let arrival = Arrival { addresses: ADDRESSES, protocol: protocol::UDP, start: 34, len, ttl: 64, tos: 0 };
        (bytes, arrival)
    }

    #[test]
    fn checksums_are_checked_however_the_text_is_read() {
        let (mut bytes, arrival) = frame(1001);
        for cuts in [vec![(0, 993)], vec![(0, 3), (3, 7), (10, 983)], vec![(500, 1)], vec![(0, 10), (333, 5)], vec![]] {
            for damage in [None, Some(35), Some(60), Some(900)] {
                if let Some(at) = damage {
                    bytes[at] ^= 0x40;
                }
                let mut frame = TrustedFrame::new(RxMeta::default(), &bytes);
                let mut text = Text::new(&mut frame, &arrival, 8);
                for (offset, len) in &cuts {
                    let mut into = vec![0; *len];
                    assert!(text.copy_to(*offset, &mut into));
                    assert_eq!(into, &bytes[42 + offset..42 + offset + len]);
                }
                assert_eq!(text.verify(), damage.is_none(), "{cuts:?} {damage:?}");
                if let Some(at) = damage {
                    bytes[at] ^= 0x40;
                }
            }
        }
    }

    #[test]
    fn text_ends_where_it_ends() {
        let (bytes, arrival) = frame(20);
        let meta = RxMeta { checksum: Checksum::Valid, ..RxMeta::default() };
        let mut frame = TrustedFrame::new(meta, &bytes);
        let mut text = Text::new(&mut frame, &arrival, 8);
        assert!(!text.copy_to(0, &mut [0; 13]) && !text.copy_to(usize::MAX, &mut [0; 2]));
        assert!(text.copy_to(0, &mut [0; 12]) && text.verify());
    }
}
