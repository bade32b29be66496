//! Fragments in any order, with lies about offsets, lengths and ends. Each byte has the value that its place gives it, so that a
//! datagram that is made whole shows what was mixed up.
#![no_main]

use core::net::Ipv4Addr;
use libfuzzer_sys::fuzz_target;
use rkt_fuzz::Script;
use rkt_inet::fragment::{Fragment, Key, MAX_DATAGRAMS, MAX_MEMORY, Outcome, Reassembler};
use rkt_wire::ip::Addresses;

fn byte_at(place: usize, id: u8) -> u8 {
    (place * 7) as u8 ^ (place >> 8) as u8 ^ id
}

fuzz_target!(|data: &[u8]| {
    let mut script = Script(data);
    let mut reassemblers = [Reassembler::v4(), Reassembler::v6()];
    let mut now = 0;
    while !script.is_over() {
        let [what, source, id, offset, len, flags] = script.bytes();
        let reassembler = &mut reassemblers[usize::from(what & 1)];
        if what & 2 != 0 {
            now += script.span();
            let mut expired = Vec::new();
            reassembler.on_timer(now, &mut expired);
            assert!(reassembler.deadline().is_none_or(|deadline| deadline > now));
            assert!(expired.iter().all(|expired| expired.quote.len() <= 1280));
        }
        let source = Ipv4Addr::from_bits(u32::from(source));
        let addresses = Addresses::V4 { source, destination: Ipv4Addr::LOCALHOST };
        // Near together, so that they meet; sometimes far away or uneven.
        let offset = u16::from(offset) * if flags & 2 != 0 { 256 } else { 8 };
        let len = usize::from(len) * if flags & 4 != 0 { 8 } else { 1 };
        let data: Vec<_> = (0..len).map(|i| byte_at(usize::from(offset) + i, id)).collect();
        let fragment =
            Fragment { offset, more: flags & 1 != 0, protocol: id, ecn: flags >> 6, head: &[id; 20], data: &data };
        let key = Key { addresses, id: u32::from(id), protocol: 17 };
        if let Outcome::Whole(whole) = reassembler.on_fragment(key, &fragment, now) {
            assert!(!whole.payload.is_empty() && whole.payload.len() <= 0xffff);
            assert!(whole.payload.iter().enumerate().all(|(place, byte)| *byte == byte_at(place, id)));
            assert_eq!((&whole.head[..], whole.protocol), (&[id; 20][..], id));
        }
        assert!(reassembler.memory() <= MAX_MEMORY && reassembler.len() <= MAX_DATAGRAMS);
    }
    for reassembler in &mut reassemblers {
        reassembler.on_timer(u64::MAX, &mut Vec::new());
        assert!(reassembler.is_empty() && reassembler.memory() == 0);
    }
});
