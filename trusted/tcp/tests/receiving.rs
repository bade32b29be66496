//! What a connection does with segments that arrive: RFC 9293 §3.10.7.4, RFC 5961, RFC 7323, RFC 2018.

mod common;

use common::peer::{IRS, ISS, Peer};
use common::{MS, SECOND};
use rkt_tcp::{Changes, Config, Error, Flags, Segment, State, Tcb, Timestamps};

#[test]
fn data_in_order_is_readable_and_acknowledged() {
    let mut peer = Peer::sack();
    assert_eq!(peer.data(1, 1, 100), Changes::READABLE | Changes::OUTPUT);
    assert_eq!(peer.tcb.readable(), 100);
    assert_eq!(peer.one().ack, Some(IRS + 101));
}

#[test]
fn after_a_while_every_second_full_segment_is_acknowledged_and_one_after_a_delay() {
    let mut peer = Peer::sack();
    let mut at = 1;
    for _ in 0..16 {
        peer.data(at, 1, 1000);
        at += 1000;
        peer.segments(0);
    }
    peer.data(at, 1, 1000);
    assert!(peer.segments(0).is_empty());
    peer.data(at + 1000, 1, 1000);
    assert_eq!(peer.one().ack, Some(IRS + at + 2000));
    peer.data(at + 2000, 1, 1000);
    let late = peer.pass(SECOND);
    assert_eq!(late.len(), 1);
    assert!((40 * MS..=200 * MS).contains(&late[0].0));
}

#[test]
fn a_hole_is_reported_at_once_and_filled() {
    let mut peer = Peer::sack();
    assert_eq!(peer.data(1001, 1, 1000), Changes::OUTPUT);
    let reply = peer.one();
    assert_eq!((reply.ack, Peer::blocks(&reply)), (Some(IRS + 1), vec![(1001, 2001)]));
    peer.data(3001, 1, 500);
    assert_eq!(Peer::blocks(&peer.one()), [(3001, 3501), (1001, 2001)]);
    peer.data(1, 1, 1000);
    let reply = peer.one();
    assert_eq!((reply.ack, Peer::blocks(&reply)), (Some(IRS + 2001), vec![(3001, 3501)]));
    assert_eq!(peer.tcb.readable(), 2000);
}

#[test]
fn what_comes_twice_is_reported() {
    let mut peer = Peer::sack();
    peer.data(1, 1, 1000);
    peer.one();
    peer.data(1, 1, 1000);
    let reply = peer.one();
    assert_eq!((reply.ack, Peer::blocks(&reply)), (Some(IRS + 1001), vec![(1, 1001)]));
    peer.data(2001, 1, 1000);
    peer.one();
    peer.data(2001, 1, 1000);
    assert_eq!(Peer::blocks(&peer.one()), [(2001, 3001), (2001, 3001)]);
}

#[test]
fn what_overlaps_is_trimmed() {
    let mut peer = Peer::sack();
    peer.data(1, 1, 100);
    peer.one();
    peer.data(51, 1, 100);
    assert_eq!((peer.tcb.readable(), peer.one().ack), (150, Some(IRS + 151)));
}

#[test]
fn only_what_fits_the_window_is_taken() {
    let mut peer = Peer::sack();
    let window = 65_535;
    peer.data(1, 1, window + 500);
    assert_eq!(peer.tcb.readable() as u32, window);
    let reply = peer.one();
    assert_eq!((reply.ack, reply.window), (Some(IRS + 1 + window), 0));
    peer.now += SECOND;
    peer.data(1 + window, 1, 1);
    assert_eq!((peer.tcb.readable() as u32, peer.one().window), (window, 0));
}

#[test]
fn a_reset_must_fit_exactly() {
    let mut peer = Peer::sack();
    let near = peer.segment(2, 1, 0, Flags::RST);
    assert_eq!(peer.give(&near), Changes::OUTPUT);
    assert_eq!(peer.one().ack, Some(IRS + 1), "a challenge");
    assert_eq!(peer.give(&near), Changes::empty(), "challenges are limited");
    let far = peer.segment(100_000, 1, 0, Flags::RST);
    assert_eq!(peer.give(&far), Changes::empty());
    let exact = peer.segment(1, 1, 0, Flags::RST);
    assert!(peer.give(&exact).contains(Changes::CLOSED | Changes::ERROR));
    assert_eq!(peer.tcb.take_error(), Some(Error::Reset));
}

#[test]
fn a_syn_is_challenged() {
    let mut peer = Peer::sack();
    for seq in [1, 50, 200_000] {
        peer.now += SECOND;
        let syn = peer.segment(seq, 1, 0, Flags::SYN);
        assert_eq!(peer.give(&syn), Changes::OUTPUT);
        let reply = peer.one();
        assert_eq!((reply.seq, reply.ack, reply.flags), (ISS.wrapping_add(1), Some(IRS + 1), Flags::empty()));
    }
    assert!(matches!(peer.tcb.state(), State::Established));
}

#[test]
fn an_acknowledgment_of_the_future_or_the_far_past_is_challenged() {
    let mut peer = Peer::sack();
    for ack in [2, 1u32.wrapping_sub(100_000)] {
        peer.now += SECOND;
        assert_eq!(peer.data(1, ack, 10), Changes::OUTPUT);
        assert_eq!((peer.tcb.readable(), peer.one().ack), (0, Some(IRS + 1)));
    }
    peer.now += SECOND;
    assert_eq!(peer.data(1, 1u32.wrapping_sub(100), 10) & Changes::READABLE, Changes::READABLE);
}

#[test]
fn old_timestamps_are_old_duplicates() {
    let mut peer = Peer::full();
    peer.stamp = Some(200);
    peer.data(1, 1, 10);
    peer.one();
    peer.stamp = Some(199);
    assert_eq!(peer.data(11, 1, 10), Changes::OUTPUT);
    let reply = peer.one();
    assert_eq!((reply.ack, reply.timestamps.map(|stamp| stamp.echo)), (Some(IRS + 11), Some(200)));
    peer.stamp = None;
    assert_eq!(peer.data(11, 1, 10), Changes::empty());
    assert_eq!(peer.tcb.readable(), 10);
}

#[test]
fn the_echo_is_of_what_was_acknowledged_last() {
    let mut peer = Peer::full();
    peer.stamp = Some(110);
    peer.data(1001, 1, 1000);
    assert_eq!(peer.one().timestamps.unwrap().echo, 100);
    peer.stamp = Some(120);
    peer.data(1, 1, 1000);
    assert_eq!(peer.one().timestamps.unwrap().echo, 120);
}

#[test]
fn a_bad_checksum_changes_nothing() {
    struct Bad;
    impl rkt_tcp::Payload for Bad {
        fn copy_to(&mut self, _: usize, into: &mut [u8]) -> bool {
            into.fill(0xee);
            true
        }
        fn verify(&mut self) -> bool {
            false
        }
    }
    let mut peer = Peer::sack();
    let fin = peer.segment(1, 1, 100, Flags::FIN);
    let reset = peer.segment(1, 1, 0, Flags::RST);
    for segment in [fin, reset] {
        assert_eq!(peer.tcb.on_segment(peer.now, &segment, &mut Bad), Changes::empty());
    }
    assert_eq!(peer.tcb.readable(), 0);
    assert!(peer.segments(0).is_empty());
    assert!(matches!(peer.tcb.state(), State::Established));
}

#[test]
fn fin_is_taken_in_its_place() {
    let mut peer = Peer::sack();
    let fin = peer.segment(101, 1, 100, Flags::FIN);
    peer.give(&fin);
    assert!(matches!(peer.tcb.state(), State::Established));
    peer.one();
    let changes = peer.data(1, 1, 100);
    assert!(changes.contains(Changes::READABLE | Changes::FINISHED));
    assert!(matches!(peer.tcb.state(), State::CloseWait));
    assert_eq!((peer.one().ack, peer.tcb.readable()), (Some(IRS + 202), 200));
    peer.now += SECOND;
    peer.give(&fin);
    assert_eq!(peer.one().ack, Some(IRS + 202), "a repeated FIN is acknowledged again");
}

#[test]
fn the_close_of_both_sides_ends_in_time_wait() {
    let mut peer = Peer::sack();
    peer.tcb.shutdown_send();
    let fin = peer.one();
    assert_eq!((fin.flags, fin.len), (Flags::FIN, 0));
    assert!(matches!(peer.tcb.state(), State::FinWait1));
    peer.ack(2, &[]);
    assert!(matches!(peer.tcb.state(), State::FinWait2));
    let theirs = peer.segment(1, 2, 0, Flags::FIN);
    let changes = peer.give(&theirs);
    assert!(changes.contains(Changes::TIME_WAIT | Changes::FINISHED));
    let wait = peer.tcb.take_time_wait().expect("it waits");
    assert_eq!(wait.deadline(), peer.now + 60 * SECOND);
    assert_eq!(peer.one().ack, Some(IRS + 2), "FIN is acknowledged even so");
}

#[test]
fn data_for_nobody_is_refused() {
    let mut peer = Peer::sack();
    peer.tcb.close(peer.now);
    peer.one();
    let changes = peer.data(1, 2, 10);
    assert!(changes.contains(Changes::CLOSED));
    assert_eq!(peer.one().flags, Flags::RST);
}

#[test]
fn a_close_with_unread_data_is_a_reset() {
    let mut peer = Peer::sack();
    peer.data(1, 1, 10);
    peer.tcb.close(peer.now);
    let reset = peer.one();
    assert_eq!((reset.flags, reset.seq), (Flags::RST, ISS.wrapping_add(1)));
}

#[test]
fn an_orphan_does_not_wait_for_ever_in_fin_wait_2() {
    let mut peer = Peer::sack();
    peer.tcb.close(peer.now);
    peer.one();
    peer.ack(2, &[]);
    peer.pass(61 * SECOND);
    assert!(matches!(peer.tcb.state(), State::Closed));
}

#[test]
fn syn_sent_believes_only_what_answers_it() {
    let mut tcb = Tcb::connect(SECOND, ISS, 0, &Config::default());
    assert!(tcb.transmit(SECOND, 0).is_some());
    let give = |tcb: &mut Tcb, segment: Segment| tcb.on_segment(SECOND, &segment, &mut &[][..]);
    let segment = |ack: u32, flags| Segment { seq: IRS, ack: Some(ISS.wrapping_add(ack)), flags, ..Segment::default() };
    assert_eq!(give(&mut tcb, segment(2, Flags::SYN)), Changes::OUTPUT);
    let reset = tcb.transmit(SECOND, 0).unwrap().segment;
    assert_eq!((reset.flags, reset.seq, reset.ack), (Flags::RST, ISS.wrapping_add(2), None));
    assert_eq!(give(&mut tcb, segment(2, Flags::RST)), Changes::empty());
    assert_eq!(give(&mut tcb, Segment { ack: None, ..segment(1, Flags::RST) }), Changes::empty());
    let stale = Some(Timestamps { value: 1, echo: 5000 });
    assert_eq!(give(&mut tcb, Segment { timestamps: stale, ..segment(1, Flags::SYN) }), Changes::empty());
    assert!(give(&mut tcb, segment(1, Flags::RST)).contains(Changes::CLOSED | Changes::ERROR));
    assert_eq!(tcb.take_error(), Some(Error::Refused));
}

#[test]
fn a_reader_opens_a_closed_window() {
    let mut peer = Peer::sack();
    for at in (0..60_000).step_by(1000) {
        peer.data(1 + at, 1, 1000);
        peer.segments(0);
    }
    let small = peer.tcb.info(peer.now).rcv_wnd;
    assert!(small < 10_000);
    peer.tcb.receive(peer.now, &mut |bytes| bytes.len());
    assert!(peer.one().window > 30_000, "a window update");
}

#[test]
fn holes_are_bounded() {
    let mut peer = Peer::sack();
    for at in 0..10_000u32 {
        peer.data(2 + 3 * at, 1, 1);
        peer.segments(0);
    }
    assert_eq!(peer.tcb.readable(), 0);
    peer.data(1, 1, 60_000);
    assert_eq!(peer.tcb.readable(), 60_000);
}

#[test]
fn short_memory_drops_what_came_early() {
    let mut peer = Peer::sack();
    let fin = peer.segment(50_001, 1, 1000, Flags::FIN);
    peer.give(&fin);
    peer.data(1, 1, 100);
    assert!(peer.tcb.memory() > 50_000);
    peer.tcb.reclaim();
    assert!(peer.tcb.memory() < 5000);
    peer.segments(0);
    peer.data(101, 1, 49_900);
    assert_eq!((peer.tcb.readable(), peer.one().ack), (50_000, Some(IRS + 50_001)));
    peer.give(&fin);
    assert!(matches!(peer.tcb.state(), State::CloseWait));
    assert_eq!(peer.tcb.readable(), 51_000);
}
