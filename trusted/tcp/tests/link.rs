//! Whole connections over links of all kinds.

mod common;

use common::{Link, MS, SECOND, World};
use rkt_tcp::{Algorithm, Changes, Config, ListenConfig, SendFlags, State};

fn both(config: Config) -> [Config; 2] {
    [config; 2]
}

#[test]
fn a_clean_link_carries_bytes_and_closes() {
    let mut world = World::connected(1, Link::CLEAN, both(Config::default()));
    world.transfer(0, 1_000_000);
    world.transfer(1, 100_000);
    world.ends[0].tcb().shutdown_send();
    world.output(0);
    world.run_for(SECOND);
    assert!(world.ends[1].changes.contains(Changes::FINISHED));
    assert!(matches!(world.ends[1].tcb().state(), State::CloseWait));
    world.ends[1].tcb().shutdown_send();
    world.output(1);
    world.run_for(SECOND);
    assert!(matches!(world.ends[1].tcb().state(), State::Closed));
    assert!(world.ends[0].wait.is_some());
    world.run_for(61 * SECOND);
    assert!(world.ends[0].wait.is_none());
}

#[test]
fn nothing_is_sent_twice_where_nothing_is_lost() {
    for row in [0, 65_000] {
        let mut world = World::connected(2, Link::CLEAN, both(Config::default()));
        world.ends[0].row = row;
        world.transfer(0, 5_000_000);
        let info = world.ends[0].tcb().info(world.now);
        assert_eq!((info.total_retrans, info.total_rto), (0, 0));
    }
}

#[test]
fn every_byte_arrives_over_bad_links() {
    for seed in 0..60 {
        let link = Link {
            delay: [0, MS, 20 * MS, 100 * MS][seed as usize % 4],
            jitter: [0, 0, 3 * MS][seed as usize % 3],
            loss: [1, 10, 50][seed as usize % 3],
            duplicate: [0, 10][seed as usize % 2],
            corrupt: [0, 5][seed as usize % 2],
            rate: [0, 2_000_000][seed as usize % 2],
            queue: 60_000,
        };
        let config = Config {
            congestion: [Algorithm::Reno, Algorithm::Cubic][seed as usize % 2],
            sack: seed % 5 != 0,
            timestamps: seed % 7 != 0,
            window_scaling: seed % 11 != 0,
            ..Config::default()
        };
        let mut world = World::connected(seed, link, both(config));
        world.ends[0].row = [0, 16_000, 65_000][seed as usize % 3];
        println!("seed {seed}: {link:?}");
        world.transfer(0, 600_000);
        world.transfer(1, 20_000);
    }
}

#[test]
fn both_may_open_at_once() {
    let mut world = World::new(3, Link::CLEAN, both(Config::default()));
    world.connect(0);
    world.connect(1);
    world.run_for(SECOND);
    for who in [0, 1] {
        assert!(world.ends[who].changes.contains(Changes::CONNECTED));
        assert!(matches!(world.ends[who].tcb().state(), State::Established));
    }
    world.transfer(0, 10_000);
}

#[test]
fn both_may_close_at_once() {
    let mut world = World::connected(4, Link::CLEAN, both(Config::default()));
    for who in [0, 1] {
        world.ends[who].tcb().shutdown_send();
    }
    world.output(0);
    world.output(1);
    world.run_for(SECOND);
    assert!(world.ends.iter().all(|end| end.wait.is_some()));
}

#[test]
fn a_full_listener_answers_with_cookies() {
    let mut world = World::new(5, Link::CLEAN, both(Config::default()));
    world.listen(ListenConfig { backlog: 1, ..ListenConfig::default() });
    // Somebody else fills the table.
    let origin = rkt_tcp::Origin { connection: &[9], addresses: &[9], sequence: None };
    let syn = rkt_tcp::Segment { flags: rkt_tcp::Flags::SYN, ..Default::default() };
    world.ends[1].listen.as_mut().unwrap().on_segment(world.now, 9, &origin, &syn);
    world.connect(0);
    world.run_for(SECOND / 2);
    world.transfer(0, 300_000);
    let info = world.ends[1].tcb().info(world.now);
    assert!(info.sack && info.timestamps && info.window_scales.is_some());
}

#[test]
fn a_peer_that_does_not_read_stops_the_sender_until_it_reads() {
    let mut world = World::connected(6, Link::CLEAN, both(Config::default()));
    world.ends[1].reads = false;
    let bytes = vec![7; 200_000];
    let mut sent = world.write(0, &bytes, SendFlags::empty());
    world.run_for(300 * SECOND);
    let held = world.ends[1].tcb().readable();
    assert!((60_000..70_000).contains(&held), "{held}");
    assert!(world.ends[0].tcb().info(world.now).probes > 0 || world.ends[0].tcb().unsent() > 0);
    world.ends[1].reads = true;
    world.read(1, usize::MAX);
    world.output(1);
    world.run_until(|world| {
        sent += world.write(0, &bytes[sent..], SendFlags::empty());
        world.ends[1].received.len() == bytes.len()
    });
}

#[test]
fn a_peer_that_is_gone_is_given_up_after_a_quarter_of_an_hour() {
    let mut world = World::connected(7, Link::CLEAN, both(Config::default()));
    world.links[0].loss = 1000;
    world.write(0, b"hello", SendFlags::empty());
    let start = world.now;
    world.run_until(|world| matches!(world.ends[0].tcb().state(), State::Closed));
    assert_eq!(world.ends[0].tcb().take_error(), Some(rkt_tcp::Error::TimedOut));
    let took = (world.now - start) / SECOND;
    assert!((800..1100).contains(&took), "{took} s");
}

#[test]
fn a_syn_without_an_answer_is_given_up_after_two_minutes() {
    let mut world = World::new(8, Link { loss: 1000, ..Link::CLEAN }, both(Config::default()));
    world.keeps_log = true;
    let start = world.now;
    world.connect(0);
    world.run_until(|world| matches!(world.ends[0].tcb().state(), State::Closed));
    assert_eq!(world.ends[0].tcb().take_error(), Some(rkt_tcp::Error::TimedOut));
    assert_eq!((world.now - start) / SECOND, 127);
    assert_eq!(world.log.len(), 7);
}

#[test]
fn an_idle_connection_is_small() {
    // A kibibyte and a quarter, and no buffers.
    assert!(size_of::<rkt_tcp::Tcb>() <= 1280, "{}", size_of::<rkt_tcp::Tcb>());
    assert!(size_of::<rkt_tcp::TimeWait>() <= 96, "{}", size_of::<rkt_tcp::TimeWait>());
}

#[test]
fn silence_is_probed_and_a_dead_peer_found() {
    let keepalive = rkt_tcp::KeepAlive { idle: 10 * SECOND, interval: SECOND, count: 3 };
    let config = Config { keepalive: Some(keepalive), ..Config::default() };
    let mut world = World::connected(9, Link::CLEAN, both(config));
    world.run_for(100 * SECOND);
    assert!(matches!(world.ends[0].tcb().state(), State::Established));
    world.links[0].loss = 1000;
    world.run_for(20 * SECOND);
    assert_eq!(world.ends[0].tcb().take_error(), Some(rkt_tcp::Error::TimedOut));
}
