//! Packets made and checked by hand (RFC 791, 768, 792, 826, 1071, 9293).

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// EtherType for experiments (IEEE 802).
pub const EXPERIMENT: u16 = 0x88b5;
/// IP protocol numbers.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;

/// An Ethernet frame.
pub fn ethernet(to: [u8; 6], from: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from, &ethertype.to_be_bytes(), payload].concat()
}

/// The ones' complement sum of 16-bit words, not complemented.
pub fn sum(parts: &[&[u8]]) -> u16 {
    let bytes = parts.concat();
    let words = bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// An IPv4 packet with a valid header checksum.
pub fn ipv4(from: [u8; 4], to: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + payload.len()).expect("fits a packet");
    let mut header = [&[0x45, 0][..], &len.to_be_bytes(), &[0, 1, 0x40, 0, 64, protocol, 0, 0], &from, &to].concat();
    let checksum = !sum(&[&header]);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    [&header[..], payload].concat()
}

/// Sum over the pseudo-header of TCP and UDP.
pub fn pseudo_sum(from: [u8; 4], to: [u8; 4], protocol: u8, len: usize) -> u16 {
    sum(&[&from, &to, &[0, protocol], &(len as u16).to_be_bytes()])
}

/// Whether an IPv4 packet has valid checksums, its own and that of the TCP or UDP in it.
pub fn valid(packet: &[u8]) -> bool {
    let (header, payload) = packet.split_at(20);
    let address = |at: usize| <[u8; 4]>::try_from(&header[at..at + 4]).expect("four bytes");
    let pseudo = pseudo_sum(address(12), address(16), header[9], payload.len());
    sum(&[header]) == 0xffff && sum(&[&pseudo.to_be_bytes(), payload]) == 0xffff
}

/// An ICMP echo request.
pub fn echo_request(sequence: u16, data: &[u8]) -> Vec<u8> {
    let mut message = [&[8, 0, 0, 0, 0x12, 0x34][..], &sequence.to_be_bytes(), data].concat();
    let checksum = !sum(&[&message]);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

/// A UDP datagram without checksum.
pub fn udp(from: u16, to: u16, data: &[u8]) -> Vec<u8> {
    let len = (8 + data.len()) as u16;
    [&from.to_be_bytes()[..], &to.to_be_bytes(), &len.to_be_bytes(), &[0, 0], data].concat()
}

/// A TCP segment whose checksum field holds only the pseudo-header's sum.
pub fn tcp_partial(from: [u8; 4], to: [u8; 4], sequence: u32, data: &[u8]) -> Vec<u8> {
    let pseudo = pseudo_sum(from, to, TCP, 20 + data.len());
    // Ports 1000 to 2000, ACK and PSH, window 65,535.
    let ports = [1000u16.to_be_bytes(), 2000u16.to_be_bytes()].concat();
    let flags = [0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff];
    [&ports[..], &sequence.to_be_bytes(), &flags, &pseudo.to_be_bytes(), &[0, 0], data].concat()
}

/// An ARP request of a host that looks for `target`.
pub fn arp_request(mac: [u8; 6], ip: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let message = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &mac, &ip, &[0; 6], &target].concat();
    ethernet([0xff; 6], mac, ARP, &message)
}
