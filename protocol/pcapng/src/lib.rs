//! Files of captured packets (draft-ietf-opsawg-pcapng, "PCAP Now Generic"), as far as it takes to write one: a section
//! header, the interfaces, and packets in any order of theirs. Numbers are little-endian.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;

/// Types of blocks (§4).
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// By which a reader learns the order of bytes (§4.1).
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;
/// Options (§3.5): the end of them; of interfaces the name and the resolution of times; of packets flags and losses.
const END: u16 = 0;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;
const EPB_DROPCOUNT: u16 = 4;
/// 10⁻⁹ seconds.
const NANOSECONDS: u8 = 9;
/// Bytes of a block besides its body: the type and twice the length.
const FRAME: usize = 12;

/// Which way a packet went (§4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It came in.
    Inbound = 1,
    /// It left.
    Outbound = 2,
}

/// A packet that was seen.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The interface, counted in the order of their blocks.
    pub interface: u32,
    /// Which way it went.
    pub direction: Direction,
    /// Nanoseconds since 1970.
    pub at: u64,
    /// Its bytes, or the first of them.
    pub bytes: &'a [u8],
    /// Bytes of all of it.
    pub whole: u32,
    /// Packets that were lost since the one before.
    pub dropped: u64,
}

/// The start of a file.
pub fn section_header() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(BYTE_ORDER.to_le_bytes());
    // Version 1.0; how long the section is stays open.
    body.extend(1u16.to_le_bytes());
    body.extend(0u16.to_le_bytes());
    body.extend(u64::MAX.to_le_bytes());
    block(SECTION_HEADER, &body)
}

/// An Ethernet interface of which at most `most` bytes of a packet are kept (§4.2).
pub fn interface(name: &str, most: u32) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(ETHERNET.to_le_bytes());
    body.extend([0; 2]);
    body.extend(most.to_le_bytes());
    option(&mut body, IF_NAME, name.as_bytes());
    option(&mut body, IF_TSRESOL, &[NANOSECONDS]);
    option(&mut body, END, &[]);
    block(INTERFACE, &body)
}

/// A packet (§4.3).
pub fn packet(packet: &Packet<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(packet.interface.to_le_bytes());
    body.extend(((packet.at >> 32) as u32).to_le_bytes());
    body.extend((packet.at as u32).to_le_bytes());
    body.extend((packet.bytes.len() as u32).to_le_bytes());
    body.extend(packet.whole.to_le_bytes());
    body.extend(packet.bytes);
    pad(&mut body);
    option(&mut body, EPB_FLAGS, &(packet.direction as u32).to_le_bytes());
    if packet.dropped > 0 {
        option(&mut body, EPB_DROPCOUNT, &packet.dropped.to_le_bytes());
    }
    option(&mut body, END, &[]);
    block(ENHANCED_PACKET, &body)
}

/// Up to a multiple of four bytes.
fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn option(to: &mut Vec<u8>, code: u16, value: &[u8]) {
    to.extend(code.to_le_bytes());
    to.extend((value.len() as u16).to_le_bytes());
    to.extend(value);
    pad(to);
}

/// A block around a body whose length is a multiple of four.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = ((body.len() + FRAME) as u32).to_le_bytes();
    let mut bytes = Vec::with_capacity(body.len() + FRAME);
    bytes.extend(kind.to_le_bytes());
    bytes.extend(len);
    bytes.extend(body);
    bytes.extend(len);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_says_its_length_at_both_ends() {
        let whole =
            Packet { interface: 0, direction: Direction::Inbound, at: 1, bytes: &[7; 61], whole: 61, dropped: 3 };
        for block in [section_header(), interface("eth0", 65_535), packet(&whole)] {
            let len = (block.len() as u32).to_le_bytes();
            assert_eq!((block.len() % 4, &block[4..8], &block[block.len() - 4..]), (0, &len[..], &len[..]));
        }
    }

    #[test]
    fn a_packet_as_the_draft_lays_it_out() {
        let block = packet(&Packet {
            interface: 2,
            direction: Direction::Outbound,
            at: 0x1_0000_0002,
            bytes: &[0xaa, 0xbb],
            whole: 60,
            dropped: 0,
        });
        let words: Vec<u32> = block.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        assert_eq!(words[..8], [6, 48, 2, 1, 2, 2, 60, 0xbbaa]);
        assert_eq!(words[8..], [0x4_0002, 2, 0, 48]);
    }
}
