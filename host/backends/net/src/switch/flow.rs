//! What the switch reads of a frame: who it is from and for, and which flow it belongs to.

/// Bytes of a frame that are looked at: Ethernet, IPv6 and ports.
pub(super) const LOOK: usize = 14 + 40 + 4;

/// Flows that are told apart.
pub(super) const FLOWS: usize = 4096;

/// An Ethernet address.
pub(super) type Mac = [u8; 6];

/// The addresses of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub to: Mac,
    pub from: Mac,
    /// The same number for both directions of a flow, below [`FLOWS`]; 0 for what is no TCP or UDP.
    pub flow: usize,
}

/// Whether an address stands for several stations (IEEE 802 §8.2.2).
pub(super) fn is_group(mac: &Mac) -> bool {
    mac.first().is_some_and(|first| first & 1 != 0)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// Reads the start of a frame. `None` if it is too short for an Ethernet header.
pub(super) fn read(start: &[u8]) -> Option<Addresses> {
    let to = start.get(..6)?.try_into().ok()?;
    let from = start.get(6..12)?.try_into().ok()?;
    start.get(12..14)?;
    Some(Addresses { to, from, flow: flow(start).unwrap_or(0) })
}

fn flow(start: &[u8]) -> Option<usize> {
    let packet = start.get(14..)?;
    let (protocol, sum, ports) = match start.get(12..14)? {
        // IPv4 (RFC 791) without a fragment offset; addresses at 12 and 16.
        [0x08, 0x00] if word(packet, 4)? & 0x1fff == 0 => {
            let header = usize::from(packet.first()? & 0xf) * 4;
            (*packet.get(9)?, word(packet, 12)? ^ word(packet, 16)?, header)
        }
        // IPv6 (RFC 8200) without extension headers; addresses from 8 on.
        [0x86, 0xdd] => {
            let sum = (8..40).step_by(4).try_fold(0, |sum, at| Some(sum ^ word(packet, at)?))?;
            (*packet.get(6)?, sum, 40)
        }
        _ => return None,
    };
    if !matches!(protocol, 6 | 17) {
        return None;
    }
    let ports = word(packet, ports)?;
    // Exclusive or of both ends is the same both ways; the multiplication spreads it.
    let sum = sum ^ u32::from((ports >> 16) as u16 ^ ports as u16) ^ u32::from(protocol) << 16;
    Some((sum.wrapping_mul(0x9e37_79b1) >> 16) as usize % (FLOWS - 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(ethertype: u16, packet: &[u8]) -> Vec<u8> {
        [&[2; 6][..], &[4; 6], &ethertype.to_be_bytes(), packet].concat()
    }

    fn ipv4(from: u8, to: u8, ports: [u8; 4], fragment: u8) -> Vec<u8> {
        let header = [0x45, 0, 0, 40, 0, 0, 0, fragment, 64, 6, 0, 0, 10, 0, 0, from, 10, 0, 0, to];
        frame(0x0800, &[&header[..], &ports].concat())
    }

    #[test]
    fn a_flow_is_the_same_both_ways_and_others_differ() {
        let there = read(&ipv4(1, 2, [0x30, 0x39, 0, 80], 0)).unwrap();
        let back = read(&ipv4(2, 1, [0, 80, 0x30, 0x39], 0)).unwrap();
        assert_eq!((there.to, there.from), ([2; 6], [4; 6]));
        assert!(there.flow != 0 && there.flow == back.flow);
        assert_ne!(there.flow, read(&ipv4(1, 2, [0x30, 0x40, 0, 80], 0)).unwrap().flow);
        let ports = [0x30, 0x39, 0, 80];
        let ipv6 = [&[0x60, 0, 0, 0, 0, 4, 17, 64][..], &[1; 16], &[2; 16], &ports].concat();
        assert_ne!(read(&frame(0x86dd, &ipv6)).unwrap().flow, 0);
    }

    #[test]
    fn what_has_no_ports_has_no_flow_and_what_is_cut_is_nothing() {
        assert_eq!(read(&ipv4(1, 2, [0; 4], 1)).unwrap().flow, 0, "a later fragment");
        assert_eq!(read(&frame(0x0806, &[0; 46])).unwrap().flow, 0);
        let whole = ipv4(1, 2, [9; 4], 0);
        for len in 0..whole.len() {
            let read = read(&whole[..len]);
            assert_eq!(read.map(|addresses| addresses.flow), (len >= 14).then_some(0), "{len}");
        }
    }
}
