//! Segments as packets, by smoltcp's own formats.

use rkt_tcp::{Flags, Segment, Timestamps};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    IpAddress, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
    TcpTimestampRepr,
};

pub const OURS: Ipv4Address = Ipv4Address::new(10, 0, 0, 1);
pub const JUDGE: Ipv4Address = Ipv4Address::new(10, 0, 0, 2);
pub const PORT: u16 = 7;

fn control(flags: Flags) -> TcpControl {
    if flags.contains(Flags::RST) {
        TcpControl::Rst
    } else if flags.contains(Flags::SYN) {
        TcpControl::Syn
    } else if flags.contains(Flags::FIN) {
        TcpControl::Fin
    } else if flags.contains(Flags::PSH) {
        TcpControl::Psh
    } else {
        TcpControl::None
    }
}

/// A segment of ours as a packet.
pub fn packet(segment: &Segment, payload: &[u8]) -> Vec<u8> {
    let mut sack_ranges = [None; 3];
    for (place, block) in sack_ranges.iter_mut().zip(&segment.sack) {
        *place = Some(*block);
    }
    let tcp = TcpRepr {
        src_port: PORT,
        dst_port: PORT,
        control: control(segment.flags),
        seq_number: TcpSeqNumber(segment.seq as i32),
        ack_number: segment.ack.map(|ack| TcpSeqNumber(ack as i32)),
        window_len: segment.window,
        window_scale: segment.window_scale,
        max_seg_size: segment.mss,
        sack_permitted: segment.sack_permitted,
        sack_ranges,
        timestamp: segment.timestamps.map(|stamps| TcpTimestampRepr::new(stamps.value, stamps.echo)),
        payload,
    };
    let ip = Ipv4Repr {
        src_addr: OURS,
        dst_addr: JUDGE,
        next_header: IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let mut bytes = vec![0; ip.buffer_len() + tcp.buffer_len()];
    let checksums = ChecksumCapabilities::default();
    let (head, body) = bytes.split_at_mut(ip.buffer_len());
    ip.emit(&mut Ipv4Packet::new_unchecked(head), &checksums);
    let (source, destination) = (IpAddress::Ipv4(OURS), IpAddress::Ipv4(JUDGE));
    tcp.emit(&mut TcpPacket::new_unchecked(body), &source, &destination, &checksums);
    bytes
}

/// A packet of the judge's, unless it was corrupted.
pub fn segment(bytes: &[u8]) -> Option<(Segment, Vec<u8>)> {
    let checksums = ChecksumCapabilities::default();
    let packet = Ipv4Packet::new_checked(bytes).ok()?;
    let ip = Ipv4Repr::parse(&packet, &checksums).ok()?;
    let packet = TcpPacket::new_checked(packet.payload()).ok()?;
    let tcp = TcpRepr::parse(&packet, &ip.src_addr.into(), &ip.dst_addr.into(), &checksums).ok()?;
    let flags = match tcp.control {
        TcpControl::None => Flags::empty(),
        TcpControl::Psh => Flags::PSH,
        TcpControl::Fin => Flags::FIN,
        TcpControl::Syn => Flags::SYN,
        TcpControl::Rst => Flags::RST,
    };
    let segment = Segment {
        seq: tcp.seq_number.0 as u32,
        ack: tcp.ack_number.map(|ack| ack.0 as u32),
        window: tcp.window_len,
        flags,
        mss: tcp.max_seg_size,
        window_scale: tcp.window_scale,
        sack_permitted: tcp.sack_permitted,
        timestamps: tcp.timestamp.map(|stamps| Timestamps { value: stamps.tsval, echo: stamps.tsecr }),
        sack: tcp.sack_ranges.iter().flatten().copied().collect(),
        len: tcp.payload.len() as u32,
        ..Segment::default()
    };
    Some((segment, tcp.payload.to_vec()))
}
