//! When and how much is sent: RFC 9293 §3.7 and §3.8, RFC 5681, 6298, 6675, 6582, 8985.

mod common;

use common::peer::{IRS, ISS, Peer};
use common::{MS, SECOND};
use rkt_tcp::{Changes, Config, Flags, RecoveryState, Segment, SendFlags, Setting, State};

const NONE: SendFlags = SendFlags::empty();

#[test]
fn the_initial_window_is_ten_segments() {
    let mut peer = Peer::sack();
    peer.write(20_000, NONE);
    let sent = peer.out();
    assert_eq!(sent.len(), 10);
    assert_eq!((sent[0], sent[9]), ((1, 1000), (9001, 1000)));
    peer.now += 10 * MS;
    peer.ack(2001, &[]);
    assert_eq!(peer.out().len(), 4, "slow start: two acknowledged, four sent");
}

#[test]
fn small_writes_wait_for_small_segments_that_are_out() {
    let mut peer = Peer::sack();
    peer.write(100, NONE);
    assert_eq!(peer.out(), [(1, 100)]);
    peer.write(100, NONE);
    peer.write(100, NONE);
    assert_eq!(peer.out(), []);
    peer.ack(101, &[]);
    assert_eq!(peer.out(), [(101, 200)]);
    peer.tcb.set(peer.now, Setting::NoDelay(true));
    peer.write(100, NONE);
    assert_eq!(peer.out(), [(301, 100)]);
}

#[test]
fn full_segments_do_not_wait() {
    let mut peer = Peer::sack();
    peer.write(2500, NONE);
    assert_eq!(peer.out(), [(1, 1000), (1001, 1000), (2001, 500)]);
    peer.write(1200, NONE);
    assert_eq!(peer.out(), [(2501, 1000)]);
}

#[test]
fn a_cork_holds_a_partial_segment_for_200_ms() {
    let mut peer = Peer::sack();
    peer.tcb.set(peer.now, Setting::Cork(true));
    peer.write(1500, NONE);
    assert_eq!(peer.out(), [(1, 1000)]);
    peer.ack(1001, &[]);
    let sent = peer.pass(300 * MS);
    assert_eq!((sent.len(), sent[0].0, sent[0].1.len), (1, 200 * MS, 500));
    peer.ack(1501, &[]);
    peer.write(10, NONE);
    assert_eq!(peer.out(), []);
    peer.tcb.set(peer.now, Setting::Cork(false));
    assert_eq!(peer.out(), [(1501, 10)]);
}

#[test]
fn more_means_more() {
    let mut peer = Peer::sack();
    peer.write(10, SendFlags::MORE);
    assert_eq!(peer.out(), []);
    peer.write(10, NONE);
    assert_eq!(peer.out(), [(1, 20)]);
}

#[test]
fn the_peers_window_is_kept_and_probed_when_closed() {
    let mut peer = Peer::sack();
    peer.window = 1500;
    peer.ack(1, &[]);
    peer.write(3000, NONE);
    assert_eq!(peer.out(), [(1, 1000)]);
    peer.window = 0;
    peer.ack(1001, &[]);
    assert_eq!(peer.out(), []);
    let sent = peer.pass(2 * SECOND);
    let probes: Vec<u64> = sent
        .iter()
        .map(|(at, segment)| {
            assert_eq!((segment.seq, segment.len), (ISS.wrapping_add(1000), 0));
            at / MS
        })
        .collect();
    assert_eq!(probes.len(), 3, "{probes:?}");
    assert!(probes[1] >= 2 * probes[0] && probes[2] > 2 * probes[1], "they back off: {probes:?}");
    peer.window = 60_000;
    peer.ack(1001, &[]);
    assert_eq!(peer.out(), [(1001, 1000), (2001, 1000)]);
}

#[test]
fn a_silly_window_is_not_used() {
    let mut peer = Peer::sack();
    peer.write(10_000, NONE);
    assert_eq!(peer.out().len(), 10);
    peer.write(3000, NONE);
    peer.window = 100;
    peer.ack(10_001, &[]);
    assert_eq!(peer.out(), []);
    let sent = peer.pass(SECOND);
    assert_eq!((sent[0].1.seq, sent[0].1.len), (ISS.wrapping_add(10_001), 100), "until the probe");
}

#[test]
fn three_segments_reported_behind_a_hole_mean_loss() {
    let mut peer = Peer::sack();
    peer.write(10_000, NONE);
    peer.out();
    peer.now += 10 * MS;
    peer.ack(1, &[(1001, 2001)]);
    peer.ack(1, &[(1001, 3001)]);
    assert_eq!(peer.out(), []);
    peer.ack(1, &[(1001, 4001)]);
    assert_eq!(peer.out()[0], (1, 1000));
    let info = peer.tcb.info(peer.now);
    assert_eq!((info.recovery, info.ssthresh), (RecoveryState::Recovery, 7000));
    peer.now += 10 * MS;
    peer.ack(10_001, &[]);
    let info = peer.tcb.info(peer.now);
    assert_eq!((info.recovery, info.cwnd, info.lost, info.total_retrans), (RecoveryState::Open, 7000, 0, 1));
}

#[test]
fn without_sack_three_duplicates_mean_loss_and_partial_acknowledgments_more() {
    let mut peer = Peer::plain();
    peer.write(12_000, NONE);
    peer.out();
    peer.now += 10 * MS;
    peer.ack(1, &[]);
    assert_eq!(peer.out(), [(10_001, 1000)], "limited transmit (RFC 3042)");
    peer.ack(1, &[]);
    assert_eq!(peer.out(), [(11_001, 1000)]);
    peer.ack(1, &[]);
    assert_eq!(peer.out(), [(1, 1000)]);
    peer.now += 10 * MS;
    peer.ack(4001, &[]);
    assert_eq!(peer.out()[0], (4001, 1000), "the next hole");
    peer.ack(12_001, &[]);
    assert_eq!(peer.tcb.info(peer.now).recovery, RecoveryState::Open);
}

#[test]
fn the_timeout_sends_the_first_segment_and_doubles() {
    let mut peer = Peer::plain();
    peer.write(3000, NONE);
    peer.out();
    let sent = peer.pass(3 * SECOND);
    let all: Vec<(u64, u32)> = sent.iter().map(|(at, segment)| (at / MS, segment.seq.wrapping_sub(ISS))).collect();
    // RTT 10 ms: RTO 10 + max(200, 4 · 5) = 210 ms.
    assert_eq!(all, [(210, 1), (630, 1), (1470, 1)]);
    let info = peer.tcb.info(peer.now);
    assert_eq!((info.recovery, info.cwnd, info.total_rto), (RecoveryState::Loss, 1000, 3));
    peer.ack(1001, &[]);
    assert_eq!(peer.out(), [(1001, 1000), (2001, 1000)], "slow start");
}

#[test]
fn a_tail_that_is_lost_is_probed_before_the_timeout() {
    let mut peer = Peer::sack();
    peer.write(5000, NONE);
    peer.out();
    let sent = peer.pass(100 * MS);
    assert_eq!((sent.len(), sent[0].0, sent[0].1.seq), (1, 22 * MS, ISS.wrapping_add(4001)), "2 RTT + 2 ms");
    // The probe arrived, what was before it did not.
    peer.ack(1, &[(4001, 5001)]);
    peer.now += 5 * MS;
    let more = peer.pass(20 * MS);
    let lost = peer.out().len() + more.len();
    assert!(lost > 0, "RACK finds the rest");
}

#[test]
fn a_repaired_tail_reduces_the_window() {
    let mut peer = Peer::sack();
    peer.write(5000, NONE);
    peer.out();
    peer.pass(30 * MS);
    let before = peer.tcb.info(peer.now).cwnd;
    peer.ack(5001, &[]);
    peer.write(1000, NONE);
    peer.out();
    peer.now += 10 * MS;
    peer.ack(6001, &[]);
    assert!(peer.tcb.info(peer.now).cwnd < before);
}

#[test]
fn a_needless_probe_does_not() {
    let mut peer = Peer::sack();
    peer.write(5000, NONE);
    peer.out();
    peer.pass(30 * MS);
    let before = peer.tcb.info(peer.now).cwnd;
    peer.ack(5001, &[]);
    peer.ack(5001, &[(4001, 5001)]);
    assert!(peer.tcb.info(peer.now).cwnd >= before);
    assert_eq!(peer.tcb.info(peer.now).dsack_dups, 1);
}

#[test]
fn a_timeout_that_was_only_late_is_undone() {
    let mut peer = Peer::full();
    peer.write(5000, NONE);
    peer.out();
    let before = peer.tcb.info(peer.now).cwnd;
    let sent_at = peer.now;
    peer.pass(250 * MS);
    peer.pass(20 * MS);
    assert_eq!(peer.tcb.info(peer.now).recovery, RecoveryState::Loss);
    // The acknowledgment echoes the first transmission.
    let mut ack = peer.segment(1, 1001, 0, Flags::empty());
    ack.timestamps.as_mut().unwrap().echo = (sent_at / MS) as u32;
    peer.give(&ack);
    let info = peer.tcb.info(peer.now);
    assert_eq!((info.recovery, info.lost), (RecoveryState::Open, 0));
    assert!(info.cwnd >= before);
}

#[test]
fn a_loss_that_was_only_reordering_is_undone_by_its_duplicate() {
    let mut peer = Peer::sack();
    peer.write(10_000, NONE);
    peer.out();
    peer.now += 10 * MS;
    peer.ack(1, &[(1001, 4001)]);
    assert_eq!(peer.out()[0], (1, 1000));
    peer.now += 10 * MS;
    peer.ack(10_001, &[(1, 1001)]);
    let info = peer.tcb.info(peer.now);
    assert_eq!((info.recovery, info.cwnd >= 10_000, info.reordering_seen), (RecoveryState::Open, true, true));
}

#[test]
fn rows_are_whole_segments_and_what_the_window_allows() {
    let mut peer = Peer::sack();
    peer.write(9500, NONE);
    let rows = peer.segments(65_000);
    let lens: Vec<u32> = rows.iter().map(|row| row.len).collect();
    assert_eq!(lens, [2000, 2000, 2000, 2000, 1500], "at a round trip of 10 ms a millisecond's worth");
    assert!(rows[4].has(Flags::PSH) && !rows[0].has(Flags::PSH));
}

#[test]
fn fin_rides_on_the_last_data_and_is_sent_again_with_it() {
    let mut peer = Peer::plain();
    peer.write(1500, NONE);
    peer.tcb.shutdown_send();
    let sent = peer.segments(0);
    assert_eq!((sent[1].len, sent[1].has(Flags::FIN)), (500, true));
    peer.ack(1001, &[]);
    let again = peer.pass(300 * MS);
    assert_eq!((again[0].1.len, again[0].1.has(Flags::FIN)), (500, true));
    peer.ack(1502, &[]);
    assert!(matches!(peer.tcb.state(), State::FinWait2));
}

#[test]
fn a_smaller_path_cuts_what_is_out() {
    let mut peer = Peer::sack();
    peer.write(3000, NONE);
    peer.out();
    peer.tcb.on_mtu(600);
    let sent = peer.out();
    assert!(sent.iter().all(|&(_, len)| len <= 600), "{sent:?}");
    assert_eq!(sent[0], (1, 600));
    let info = peer.tcb.info(peer.now);
    assert_eq!((info.snd_mss, info.recovery), (600, RecoveryState::Open), "not congestion");
}

#[test]
fn an_answer_acknowledges() {
    let mut peer = Peer::sack();
    peer.data(1, 1, 100);
    peer.write(50, NONE);
    let answer = peer.one();
    assert_eq!((answer.len, answer.ack), (50, Some(IRS + 101)));
}

#[test]
fn urgent_data_is_pointed_at() {
    let mut peer = Peer::sack();
    peer.write(10, SendFlags::URGENT);
    let sent = peer.one();
    assert_eq!((sent.has(Flags::URG), sent.urgent), (true, 10));
    let mut theirs = peer.segment(1, 11, 5, Flags::URG);
    theirs.urgent = 5;
    assert!(peer.give(&theirs).contains(Changes::URGENT));
    assert_eq!(peer.tcb.urgent(false), Ok(0));
    assert_eq!(peer.tcb.receive(peer.now, &mut |bytes| bytes.len()), 4);
}

#[test]
fn a_user_timeout_ends_what_is_not_acknowledged() {
    let config = Config { user_timeout: Some(3 * SECOND), ..Config::default() };
    let mut peer = Peer::with(config, Segment { mss: Some(1000), ..Segment::default() });
    peer.write(100, NONE);
    peer.out();
    peer.pass(2900 * MS);
    assert!(matches!(peer.tcb.state(), State::Established));
    peer.pass(200 * MS);
    assert!(matches!(peer.tcb.state(), State::Closed));
    assert_eq!(peer.tcb.take_error(), Some(rkt_tcp::Error::TimedOut));
}

#[test]
fn acknowledged_buffers_are_given_back() {
    let mut peer = Peer::sack();
    peer.write(5000, NONE);
    peer.out();
    peer.now += 10 * MS;
    peer.ack(5001, &[]);
    peer.pass(3 * SECOND);
    assert_eq!(peer.tcb.deadline(), u64::MAX, "nothing is left to do");
}

#[test]
fn a_window_that_shrinks_is_borne() {
    let mut peer = Peer::plain();
    peer.write(5000, NONE);
    peer.out();
    peer.window = 0;
    peer.ack(1001, &[]);
    peer.data(1, 1001, 10);
    assert_eq!(peer.one().seq, ISS.wrapping_add(1001), "where the peer takes it");
    let mut seen = 0;
    for _ in 0..3600 {
        for (_, segment) in peer.pass(SECOND) {
            assert_eq!((segment.seq, segment.len), (ISS.wrapping_add(1001), 1000));
            seen += 1;
            let still = peer.segment(11, 1001, 0, Flags::empty());
            peer.give(&still);
        }
    }
    assert!(seen > 30, "{seen}");
    assert!(matches!(peer.tcb.state(), State::Established));
    peer.window = 60_000;
    let open = peer.segment(11, 2001, 0, Flags::empty());
    peer.give(&open);
    assert_eq!(peer.out()[0], (2001, 1000));
}
