use super::*;
use core::net::Ipv4Addr;
use std::vec::Vec;

const HEAD: &[u8] = &[0x45; 20];

fn key(source: u32, id: u32) -> Key {
    let (source, destination) = (Ipv4Addr::from_bits(source), Ipv4Addr::LOCALHOST);
    Key { addresses: rkt_wire::ip::Addresses::V4 { source, destination }, id, protocol: 17 }
}

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7) as u8).collect()
}

fn fragment<'a>(payload: &'a [u8], piece: &Piece) -> Fragment<'a> {
    let data = &payload[piece.range.clone()];
    Fragment { offset: piece.range.start as u16, more: piece.more, protocol: 17, ecn: 0, head: HEAD, data }
}

/// Feeds a raw fragment of zeros.
fn feed(reassembler: &mut Reassembler, offset: u16, len: usize, more: bool) -> Outcome {
    let zeros = [0; 2048];
    let fragment = Fragment { offset, more, protocol: 17, ecn: 0, head: HEAD, data: &zeros[..len] };
    reassembler.on_fragment(key(1, 1), &fragment, 0)
}

#[test]
fn pieces_cover_the_payload_in_steps_of_eight() {
    for len in [0, 1, 8, 1479, 1480, 1481, 1485, 4000, 65_535] {
        for room in [8, 15, 1480, 1485] {
            let pieces: Vec<_> = pieces(len, room).collect();
            let mut next = 0;
            for piece in &pieces {
                assert_eq!(piece.range.start, next);
                assert!(piece.range.len() <= room);
                assert!(!piece.more || piece.range.len() % 8 == 0 && piece.range.len() == room / 8 * 8);
                next = piece.range.end;
            }
            assert_eq!(next, len);
            assert_eq!(pieces.iter().filter(|piece| !piece.more).count(), 1);
            assert!(!pieces.last().unwrap().more);
        }
    }
    assert_eq!(pieces(100, 7).count() + pieces(65_536, 1480).count(), 0);
}

#[test]
fn fragments_in_any_order_become_whole() {
    let payload = payload(4000);
    let pieces: Vec<_> = pieces(payload.len(), 1480).collect();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut reassembler = Reassembler::v4();
        let mut outcomes: Vec<_> =
            order.iter().map(|i| reassembler.on_fragment(key(1, 1), &fragment(&payload, &pieces[*i]), 0)).collect();
        let whole = Whole { head: HEAD.to_vec(), protocol: 17, ecn: 0, payload: payload.clone() };
        assert_eq!(outcomes.pop(), Some(Outcome::Whole(whole)));
        assert_eq!(outcomes, [Outcome::Pending, Outcome::Pending]);
        assert_eq!((reassembler.len(), reassembler.memory(), reassembler.deadline()), (0, 0, None));
    }
}

#[test]
fn datagrams_do_not_mix() {
    let mut reassembler = Reassembler::v4();
    let zeros = [0; 8];
    let part = Fragment { offset: 0, more: true, protocol: 17, ecn: 0, head: HEAD, data: &zeros };
    let last = Fragment { offset: 8, more: false, ..part };
    assert_eq!(reassembler.on_fragment(key(1, 1), &part, 0), Outcome::Pending);
    for other in [key(2, 1), key(1, 2), Key { protocol: 6, ..key(1, 1) }] {
        assert_eq!(reassembler.on_fragment(other, &last, 0), Outcome::Pending);
    }
    assert!(matches!(reassembler.on_fragment(key(1, 1), &last, 0), Outcome::Whole(_)));
}

#[test]
fn duplicates_are_dropped_alone_and_overlaps_take_the_datagram_along() {
    let mut reassembler = Reassembler::v4();
    assert_eq!(feed(&mut reassembler, 8, 16, true), Outcome::Pending);
    assert_eq!(feed(&mut reassembler, 8, 16, true), Outcome::Dropped);
    assert_eq!(reassembler.len(), 1);
    for (offset, len, more) in [(0, 16, true), (16, 16, true), (8, 8, true), (0, 32, true), (0, 8, false)] {
        let mut reassembler = Reassembler::v4();
        feed(&mut reassembler, 8, 16, true);
        assert_eq!(feed(&mut reassembler, offset, len, more), Outcome::Dropped, "{offset} {len}");
        assert_eq!((reassembler.len(), reassembler.memory()), (0, 0));
    }
}

#[test]
fn there_is_one_end() {
    for (offset, len, more) in [(32, 8, true), (24, 8, true), (40, 8, false), (8, 8, false)] {
        let mut reassembler = Reassembler::v4();
        assert_eq!(feed(&mut reassembler, 16, 16, false), Outcome::Pending);
        assert_eq!(feed(&mut reassembler, offset, len, more), Outcome::Dropped, "{offset} {len}");
        assert!(reassembler.is_empty());
    }
    let mut reassembler = Reassembler::v4();
    // Too long, uneven, empty.
    for (offset, len, more) in [(65_528, 8, false), (0, 12, true), (0, 0, false)] {
        assert_eq!(feed(&mut reassembler, offset, len, more), Outcome::Dropped);
        assert!(reassembler.is_empty());
    }
}

#[test]
fn what_takes_too_long_is_reported_if_its_start_is_there() {
    let mut reassembler = Reassembler::v4();
    let second = crate::time::SECOND;
    let data = payload(1480);
    let first = Fragment { offset: 0, more: true, protocol: 17, ecn: 0, head: HEAD, data: &data };
    reassembler.on_fragment(key(1, 1), &first, 0);
    reassembler.on_fragment(key(1, 2), &Fragment { offset: 1480, ..first }, second);
    let mut expired = Vec::new();
    assert_eq!(reassembler.deadline(), Some(30 * second));
    reassembler.on_timer(30 * second - 1, &mut expired);
    assert!(expired.is_empty());
    reassembler.on_timer(31 * second, &mut expired);
    assert_eq!(expired.len(), 1);
    assert_eq!((expired[0].key, expired[0].quote.len()), (key(1, 1), 1280));
    assert_eq!(expired[0].quote[20..], data[..1260]);
    assert!(reassembler.is_empty());
}

#[test]
fn marks_of_congestion_survive() {
    let ecn_of = |codes: [u8; 2]| {
        let mut reassembler = Reassembler::v4();
        let zeros = [0; 8];
        let first = Fragment { offset: 0, more: true, protocol: 17, ecn: codes[0], head: HEAD, data: &zeros };
        reassembler.on_fragment(key(1, 1), &first, 0);
        let last = Fragment { offset: 8, more: false, ecn: codes[1], ..first };
        match reassembler.on_fragment(key(1, 1), &last, 0) {
            Outcome::Whole(whole) => Some(whole.ecn),
            _ => None,
        }
    };
    assert_eq!(ecn_of([2, 3]), Some(3));
    assert_eq!(ecn_of([3, 1]), Some(3));
    assert_eq!(ecn_of([1, 1]), Some(1));
    assert_eq!(ecn_of([2, 2]), Some(2));
    assert_eq!(ecn_of([0, 2]), Some(0));
    assert_eq!(ecn_of([0, 3]), None);
}

#[test]
fn memory_sources_and_fragments_are_bounded() {
    let mut reassembler = Reassembler::v4();
    let zeros = [0; 1480];
    let part = Fragment { offset: 1480, more: true, protocol: 17, ecn: 0, head: HEAD, data: &zeros };
    for id in 0..2 * MAX_PER_SOURCE as u32 {
        reassembler.on_fragment(key(1, id), &part, 0);
    }
    assert_eq!(reassembler.len(), MAX_PER_SOURCE);
    for source in 0..10_000 {
        reassembler.on_fragment(key(source, 1), &part, 0);
        assert!(reassembler.memory() <= MAX_MEMORY && reassembler.len() <= MAX_DATAGRAMS);
    }
    // Many pieces for one datagram.
    let mut reassembler = Reassembler::v4();
    for i in 0..MAX_FRAGMENTS as u16 {
        assert_eq!(feed(&mut reassembler, i * 16, 8, true), Outcome::Pending);
    }
    assert_eq!(feed(&mut reassembler, 60_000, 8, true), Outcome::Dropped);
    assert!(reassembler.is_empty());
}

#[test]
fn one_datagram_cannot_outgrow_the_memory_of_all() {
    let mut reassembler = Reassembler::v6();
    let zeros = [0; 65_528];
    let big = Fragment { offset: 0, more: true, protocol: 17, ecn: 0, head: HEAD, data: &zeros };
    for source in 0..200 {
        assert_eq!(reassembler.on_fragment(key(source, 1), &big, 0), Outcome::Pending);
        assert!(reassembler.memory() <= MAX_MEMORY);
    }
    assert!(reassembler.len() > 50);
}
