//! A host without a stack, which says whatever it likes.

use super::{B, Frames};
use rkt_netdev::{Checksum, TxMeta};
use rkt_wire::ethernet::{Address, Header, ethertype};
use rkt_wire::tcp::{self, Flags, Options};
use rkt_wire::{arp, ipv4};
use std::net::Ipv4Addr;

/// Its card and its address.
pub const MAC: Address = Address([2, 0, 0, 0, 0, 0x66]);
pub const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0x66);
/// The card of `b`.
const MAC_B: Address = Address([2, 0, 0, 0, 0, 2]);

/// Whether a frame goes to the stranger.
pub fn is_for(frame: &[u8]) -> bool {
    frame.starts_with(&MAC.0)
}

/// The stranger's end of the wire.
pub struct Stranger {
    to_b: Frames,
    from_b: Frames,
}

/// A segment of the stranger's, with what is not said zero.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub from: Option<Ipv4Addr>,
    pub ports: (u16, u16),
    pub seq: u32,
    pub ack: u32,
    pub flags: Flags,
    pub window: u16,
    pub options: Options,
    pub text: Vec<u8>,
}

impl Stranger {
    pub fn new(to_b: Frames, from_b: Frames) -> Self {
        Self { to_b, from_b }
    }

    /// Sends a frame as it is. The card says that its checksums are right.
    pub fn send(&self, frame: Vec<u8>) {
        let meta = TxMeta { checksum: Checksum::Valid, gso: None };
        self.to_b.lock().unwrap().push_back((meta, frame));
    }

    /// Tells `b` which card this address has, by asking for that of `b` (RFC 826).
    pub fn introduce(&self, ip: Ipv4Addr) {
        let (operation, target_mac) = (arp::Operation::Request, Address([0; 6]));
        let packet = arp::Packet { operation, sender_mac: MAC, sender: ip, target_mac, target: B };
        let mut frame = vec![0; 60];
        let at = Header { destination: MAC_B, source: MAC, ethertype: ethertype::ARP }.emit(&mut frame).unwrap();
        packet.emit(&mut frame[at..]).unwrap();
        self.send(frame);
    }

    /// Sends an IPv4 packet with this payload.
    pub fn packet(&self, header: &ipv4::Header, payload: &[u8]) {
        let mut frame = vec![0; 34 + payload.len()];
        let at = Header { destination: MAC_B, source: MAC, ethertype: ethertype::IPV4 }.emit(&mut frame).unwrap();
        let start = at + header.emit(&[], payload.len(), &mut frame[at..]).unwrap();
        frame[start..].copy_from_slice(payload);
        self.send(frame);
    }

    /// Sends a segment.
    pub fn say(&self, said: &Said) {
        let header = tcp::Header {
            source_port: said.ports.0,
            destination_port: said.ports.1,
            sequence: said.seq,
            acknowledgement: said.ack,
            flags: said.flags,
            window: said.window,
            checksum: 0,
            urgent: 0,
        };
        let mut segment = vec![0; tcp::HEADER_LEN + said.options.len()];
        header.emit(&said.options, &mut segment).unwrap();
        segment.extend(&said.text);
        self.packet(&packet_of(6, said.from.unwrap_or(STRANGER)), &segment);
    }

    /// The segments that `b` sent here since this was last asked: header and text length.
    pub fn heard(&self) -> Vec<(tcp::Header, usize)> {
        let frames: Vec<_> = self.from_b.lock().unwrap().drain(..).collect();
        let segment = |(_, frame): &(TxMeta, Vec<u8>)| {
            let packet = ipv4::Packet::parse(frame.get(14..)?).ok().filter(|packet| packet.header.protocol == 6)?;
            let segment = tcp::Segment::parse(packet.payload).ok()?;
            Some((segment.header, segment.payload.len()))
        };
        frames.iter().filter_map(segment).collect()
    }

    /// The IPv4 headers of what `b` sent here since this was last asked.
    pub fn packets(&self) -> Vec<ipv4::Header> {
        let frames: Vec<_> = self.from_b.lock().unwrap().drain(..).collect();
        frames.iter().filter_map(|(_, frame)| Some(ipv4::Packet::parse(frame.get(14..)?).ok()?.header)).collect()
    }

    /// Opens a connection from `port` to `to`; gives both sides' next sequence numbers, its own first.
    pub fn open(&self, settle: &mut dyn FnMut(), port: u16, to: u16, window: u16) -> Option<(u32, u32)> {
        let syn = Said { ports: (port, to), seq: 1000, flags: Flags::SYN, window, ..Said::default() };
        self.say(&Said { options: Options { mss: Some(1460), ..Options::default() }, ..syn });
        settle();
        let (answer, _) = self.heard().into_iter().find(|(header, _)| header.destination_port == port)?;
        if !answer.flags.contains(Flags::SYN | Flags::ACK) {
            return None;
        }
        let next = answer.sequence.wrapping_add(1);
        self.say(&Said { ports: (port, to), seq: 1001, ack: next, flags: Flags::ACK, window, ..Said::default() });
        settle();
        Some((1001, next))
    }
}

/// The header of a packet to `b`.
pub fn packet_of(protocol: u8, source: Ipv4Addr) -> ipv4::Header {
    ipv4::Header {
        tos: 0,
        id: 0,
        dont_fragment: false,
        more_fragments: false,
        offset: 0,
        ttl: 64,
        protocol,
        source,
        destination: B,
    }
}
