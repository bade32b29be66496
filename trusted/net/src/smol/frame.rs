//! The few fields of a frame that the shim itself reads and writes: TCP and UDP over IPv4.

use super::shim::Incoming;
use core::net::SocketAddr;
use rkt_netdev::{Checksum, ETHERNET_HEADER_LEN};

const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;
/// TCP flags (RFC 9293 §3.1).
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// Whether a frame is of ARP.
pub(super) fn is_arp(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&ETHERTYPE_ARP)
}

/// Where the TCP or UDP part of a frame lies.
pub(super) struct Transport {
    protocol: u8,
    start: usize,
    end: usize,
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// One's complement sum of 16-bit words (RFC 1071), without the final complement.
fn sum(bytes: &[u8], start: u64) -> u16 {
    // Four bytes at a time into a wide sum, folded at the end: addition is associative there.
    let mut words = bytes.chunks_exact(4);
    let mut total = start;
    for four in &mut words {
        total += u64::from(u32::from_be_bytes(four.try_into().unwrap_or_default()));
    }
    let rest = words.remainder();
    for (at, byte) in rest.iter().enumerate() {
        total += u64::from(*byte) << if at % 2 == 0 { 8 } else { 0 };
    }
    while total > 0xffff {
        total = (total >> 16) + (total & 0xffff);
    }
    total as u16
}

impl Transport {
    /// Finds it in an Ethernet frame; none if the frame is anything else, or a fragment (RFC 791 §3.1).
    pub fn find(frame: &[u8]) -> Option<Self> {
        if frame.get(12..14)? != ETHERTYPE_IPV4 {
            return None;
        }
        let version = *frame.get(ETHERNET_HEADER_LEN)?;
        let header = usize::from(version & 0x0f) * 4;
        let total = usize::from(word(frame, ETHERNET_HEADER_LEN + 2)?);
        let fragment = word(frame, ETHERNET_HEADER_LEN + 6)? & 0x3fff;
        let protocol = *frame.get(ETHERNET_HEADER_LEN + 9)?;
        let (start, end) = (ETHERNET_HEADER_LEN + header, ETHERNET_HEADER_LEN + total);
        let least = match protocol {
            PROTOCOL_TCP => 20,
            PROTOCOL_UDP => 8,
            _ => return None,
        };
        let sound = version >> 4 == 4 && header >= 20 && fragment == 0 && end >= start + least && end <= frame.len();
        sound.then_some(Self { protocol, start, end })
    }

    /// Offset of the checksum from the start of the transport header.
    fn checksum_offset(&self) -> usize {
        if self.protocol == PROTOCOL_TCP { 16 } else { 6 }
    }

    /// Sum of the pseudo-header: addresses, protocol, length (RFC 9293 §3.1).
    fn pseudo_sum(&self, frame: &[u8]) -> u16 {
        let addresses = frame.get(ETHERNET_HEADER_LEN + 12..ETHERNET_HEADER_LEN + 20).unwrap_or(&[]);
        sum(addresses, u64::from(self.protocol) + (self.end - self.start) as u64)
    }

    /// Whether the checksum is right, or absent where it may be (RFC 768).
    pub fn verify(&self, frame: &[u8]) -> bool {
        let stored = word(frame, self.start + self.checksum_offset());
        if self.protocol == PROTOCOL_UDP && stored == Some(0) {
            return true;
        }
        let payload = frame.get(self.start..self.end).unwrap_or(&[]);
        sum(payload, u64::from(self.pseudo_sum(frame))) == 0xffff
    }

    /// Stores the pseudo-header's sum, so that the device completes the checksum (virtio 1.2 §5.1.6.2).
    pub fn leave_to_device(&self, frame: &mut [u8]) -> Checksum {
        let (partial, at) = (self.pseudo_sum(frame), self.start + self.checksum_offset());
        if let Some(field) = frame.get_mut(at..at + 2) {
            field.copy_from_slice(&partial.to_be_bytes());
        }
        Checksum::Partial { start: self.start as u16, offset: self.checksum_offset() as u16 }
    }

    /// Bytes of all headers up to the payload of a TCP segment.
    pub fn headers_len(&self, frame: &[u8]) -> u16 {
        let offset = frame.get(self.start + 12).map_or(5, |byte| byte >> 4);
        (self.start + usize::from(offset) * 4) as u16
    }

    /// Whom the packet is for.
    pub fn incoming(&self, frame: &[u8]) -> Incoming {
        let address = |nth: usize| -> Option<SocketAddr> {
            let at = ETHERNET_HEADER_LEN + 12 + 4 * nth;
            let ip: [u8; 4] = frame.get(at..at + 4)?.try_into().ok()?;
            Some((ip, word(frame, self.start + 2 * nth)?).into())
        };
        match (address(0), address(1)) {
            (Some(from), Some(to)) if self.protocol == PROTOCOL_TCP => {
                let flags = frame.get(self.start + 13).copied().unwrap_or(0);
                Incoming::Segment((to, from), flags & (SYN | ACK | RST) == SYN)
            }
            (_, Some(to)) => Incoming::Datagram(to.port()),
            _ => Incoming::Other,
        }
    }
}
