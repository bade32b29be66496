//! Passive opens: RFC 9293 §3.10.7.2, RFC 4987, RFC 5961.

mod common;

use common::{MS, SECOND, SECRET};
use rkt_tcp::{Answer, Config, Flags, Listen, ListenConfig, Origin, Segment, Timestamps};

const ORIGIN: Origin<'_> = Origin { connection: &[1, 2], addresses: &[1], sequence: None };

fn listener(listen: ListenConfig) -> Listen<u32> {
    Listen::new(Config::default(), listen, SECRET)
}

fn syn() -> Segment {
    let timestamps = Some(Timestamps { value: 77, echo: 0 });
    Segment {
        seq: 1000,
        window: 500,
        flags: Flags::SYN,
        mss: Some(1400),
        window_scale: Some(3),
        sack_permitted: true,
        timestamps,
        ..Segment::default()
    }
}

fn ack_of(reply: &Segment) -> Segment {
    let echo = reply.timestamps.map_or(0, |timestamps| timestamps.value);
    let timestamps = reply.timestamps.map(|_| Timestamps { value: 78, echo });
    Segment { seq: 1001, ack: Some(reply.seq.wrapping_add(1)), window: 500, timestamps, ..Segment::default() }
}

fn reply(answer: Answer) -> Segment {
    let Answer::Reply(reply) = answer else { panic!("no reply: {answer:?}") };
    reply
}

#[test]
fn a_syn_is_answered_and_its_acknowledgment_accepted() {
    let mut listen = listener(ListenConfig::default());
    let now = SECOND;
    let answer = reply(listen.on_segment(now, 1, &ORIGIN, &syn()));
    assert_eq!(
        (answer.flags, answer.ack, answer.mss, answer.window_scale),
        (Flags::SYN, Some(1001), Some(1460), Some(7))
    );
    assert_eq!((answer.sack_permitted, answer.timestamps.unwrap().echo), (true, 77));
    let done = listen.on_segment(now + 5 * MS, 1, &ORIGIN, &ack_of(&answer));
    let Answer::Accept(accepted) = done else { panic!("{done:?}") };
    assert_eq!((accepted.irs, accepted.mss, accepted.window, accepted.rtt), (1000, 1400, 4000, Some(5 * MS)));
    assert_eq!((listen.half_open(), listen.queued(), listen.deadline()), (0, 1, u64::MAX));
}

#[test]
fn options_that_are_not_offered_are_not_answered() {
    let mut listen = listener(ListenConfig::default());
    let bare = Segment { seq: 5, flags: Flags::SYN, ..Segment::default() };
    let answer = reply(listen.on_segment(0, 1, &ORIGIN, &bare));
    assert_eq!((answer.window_scale, answer.sack_permitted, answer.timestamps), (None, false, None));
}

#[test]
fn an_answer_that_is_lost_is_sent_again_and_then_forgotten() {
    let mut listen = listener(ListenConfig::default());
    listen.on_segment(0, 1, &ORIGIN, &syn());
    let mut times = Vec::new();
    while listen.deadline() != u64::MAX {
        let now = listen.deadline();
        times.extend(listen.on_timer(now).map(|_| now / SECOND));
    }
    assert_eq!(times, [1, 3, 7, 15, 31]);
    assert_eq!(listen.half_open(), 0);
}

#[test]
fn a_wrong_acknowledgment_is_refused_and_a_wrong_reset_ignored() {
    let mut listen = listener(ListenConfig::default());
    let answer = reply(listen.on_segment(0, 1, &ORIGIN, &syn()));
    let mut wrong = ack_of(&answer);
    wrong.ack = wrong.ack.map(|ack| ack.wrapping_add(9));
    let reset = reply(listen.on_segment(MS, 1, &ORIGIN, &wrong));
    assert_eq!((reset.flags, Some(reset.seq)), (Flags::RST, wrong.ack));
    let reset = |seq| Segment { seq, flags: Flags::RST, ..Segment::default() };
    assert_eq!(listen.on_segment(MS, 1, &ORIGIN, &reset(1002)), Answer::Ignore);
    assert_eq!(listen.half_open(), 1);
    listen.on_segment(MS, 1, &ORIGIN, &reset(1001));
    assert_eq!(listen.half_open(), 0);
}

#[test]
fn strangers_are_refused() {
    let mut listen = listener(ListenConfig::default());
    let stranger = Segment { seq: 9, ack: Some(77), ..Segment::default() };
    let reset = reply(listen.on_segment(0, 1, &ORIGIN, &stranger));
    assert_eq!((reset.flags, reset.seq), (Flags::RST, 77));
}

#[test]
fn a_flood_meets_cookies_and_bounded_memory() {
    let mut listen = listener(ListenConfig { backlog: 8, ..ListenConfig::default() });
    let mut last = None;
    for key in 0..10_000 {
        let connection = [u64::from(key)];
        let origin = Origin { connection: &connection, ..ORIGIN };
        last = Some((key, reply(listen.on_segment(SECOND, key, &origin, &syn()))));
    }
    assert_eq!(listen.half_open(), 8);
    let (key, answer) = last.unwrap();
    let connection = [u64::from(key)];
    let origin = Origin { connection: &connection, ..ORIGIN };
    let done = listen.on_segment(2 * SECOND, key, &origin, &ack_of(&answer));
    let Answer::Accept(accepted) = done else { panic!("{done:?}") };
    assert_eq!((accepted.irs, accepted.mss, accepted.window_scale, accepted.sack), (1000, 1300, Some(3), true));
    assert_eq!(accepted.window, 4000);
    let forged = Segment { ack: Some(12_345), ..ack_of(&answer) };
    assert_eq!(reply(listen.on_segment(2 * SECOND, key, &origin, &forged)).flags, Flags::RST);
}

#[test]
fn a_full_queue_lets_nobody_in_until_one_is_taken() {
    let mut listen = listener(ListenConfig { backlog: 0, ..ListenConfig::default() });
    for key in [1, 2] {
        let done = listen.on_segment(SECOND, key, &ORIGIN, &syn());
        if key == 2 {
            assert_eq!(done, Answer::Ignore);
            continue;
        }
        let answer = reply(done);
        assert!(matches!(listen.on_segment(SECOND, key, &ORIGIN, &ack_of(&answer)), Answer::Accept(_)));
    }
    listen.taken();
    assert!(matches!(listen.on_segment(SECOND, 2, &ORIGIN, &syn()), Answer::Reply(_)));
}

#[test]
fn a_deferred_connection_is_accepted_with_its_data() {
    let mut listen = listener(ListenConfig { defer: Some(5 * SECOND), ..ListenConfig::default() });
    let answer = reply(listen.on_segment(0, 1, &ORIGIN, &syn()));
    let ack = ack_of(&answer);
    assert_eq!(listen.on_segment(MS, 1, &ORIGIN, &ack), Answer::Ignore);
    assert_eq!(listen.on_timer(SECOND), None, "the peer has our answer");
    let data = Segment { len: 10, ..ack };
    assert!(matches!(listen.on_segment(2 * SECOND, 1, &ORIGIN, &data), Answer::Accept(_)));
}

#[test]
fn a_number_that_time_wait_asks_for_is_used() {
    let mut listen = listener(ListenConfig::default());
    let origin = Origin { sequence: Some(4711), ..ORIGIN };
    assert_eq!(reply(listen.on_segment(0, 1, &origin, &syn())).seq, 4711);
}
