use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use std::vec;

const PEER: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9));
const MAC: Address = Address([2, 0, 0, 0, 0, 9]);
const OTHER: Address = Address([2, 0, 0, 0, 0, 0xa]);
const ANSWER: Advertisement = Advertisement { router: false, solicited: true, overriding: true };

type Actions = Vec<Action<u32>>;

fn cache() -> Cache<u32> {
    Cache::new(Timing { reachable: 30 * SECOND, retransmit: SECOND })
}

fn state(cache: &Cache<u32>) -> Option<State> {
    cache.iter().next().map(|neighbor| neighbor.state)
}

/// Runs timers until `end`; returns what they did, with the seconds.
fn run(cache: &mut Cache<u32>, end: u64) -> Vec<(u64, Action<u32>)> {
    let mut done = vec![];
    while let Some(now) = cache.deadline().filter(|deadline| *deadline <= end) {
        let mut actions = Actions::new();
        cache.on_timer(now, &mut actions);
        done.extend(actions.into_iter().map(|action| (now / SECOND, action)));
    }
    done
}

fn ask(to: Option<Address>) -> Action<u32> {
    Action::Solicit { target: PEER, to }
}

/// A cache whose neighbour answered at 0.
fn reachable() -> Cache<u32> {
    let (mut cache, mut actions) = (cache(), Actions::new());
    cache.enqueue(PEER, 1, 0, &mut actions);
    cache.on_advertisement(PEER, Some(MAC), ANSWER, 0, &mut actions);
    assert_eq!(actions, [ask(None), Action::Transmit { to: MAC, packet: 1 }]);
    assert_eq!(state(&cache), Some(State::Reachable));
    cache
}

#[test]
fn who_does_not_answer_is_asked_three_times() {
    let (mut cache, mut actions) = (cache(), Actions::new());
    assert_eq!(cache.lookup(PEER, 0), None);
    for packet in 1..=4 {
        cache.enqueue(PEER, packet, 0, &mut actions);
    }
    assert_eq!(actions, [ask(None)]);
    let fail = |packet| (3, Action::Unreachable { target: PEER, packet });
    assert_eq!(run(&mut cache, 99 * SECOND), [(1, ask(None)), (2, ask(None)), fail(2), fail(3), fail(4)]);
    assert!(cache.has_failed(PEER));
    // The next packet asks anew.
    let mut actions = Actions::new();
    cache.enqueue(PEER, 5, 50 * SECOND, &mut actions);
    assert_eq!(actions, [ask(None)]);
}

#[test]
fn a_reachable_neighbor_becomes_stale_and_is_probed_when_used() {
    let mut cache = reachable();
    assert_eq!(cache.lookup(PEER, SECOND), Some(MAC));
    assert_eq!(run(&mut cache, 1000 * SECOND), []);
    assert_eq!((state(&cache), cache.deadline()), (Some(State::Stale), None));
    assert_eq!(cache.lookup(PEER, 100 * SECOND), Some(MAC));
    assert_eq!(state(&cache), Some(State::Delay));
    let probe = ask(Some(MAC));
    assert_eq!(run(&mut cache, 106 * SECOND), [(105, ask(Some(MAC))), (106, probe)]);
    cache.on_advertisement(PEER, None, ANSWER, 106 * SECOND, &mut Actions::new());
    assert_eq!((state(&cache), cache.lookup(PEER, 107 * SECOND)), (Some(State::Reachable), Some(MAC)));
}

#[test]
fn who_does_not_answer_probes_fails() {
    let mut cache = reachable();
    run(&mut cache, 50 * SECOND);
    cache.lookup(PEER, 50 * SECOND);
    assert_eq!(run(&mut cache, 99 * SECOND).len(), 3);
    assert_eq!((state(&cache), cache.lookup(PEER, 99 * SECOND)), (Some(State::Failed), None));
}

#[test]
fn progress_of_an_upper_layer_confirms() {
    let mut cache = reachable();
    run(&mut cache, 50 * SECOND);
    cache.lookup(PEER, 50 * SECOND);
    cache.confirm(PEER, 52 * SECOND);
    assert_eq!(run(&mut cache, 81 * SECOND), []);
    assert_eq!(state(&cache), Some(State::Reachable));
    assert_eq!(run(&mut cache, 82 * SECOND), []);
    assert_eq!(state(&cache), Some(State::Stale));
}

#[test]
fn flags_of_advertisements_count() {
    let claim = |solicited, overriding| {
        let mut cache = reachable();
        let advertisement = Advertisement { router: true, solicited, overriding };
        cache.on_advertisement(PEER, Some(OTHER), advertisement, SECOND, &mut Actions::new());
        let neighbor = cache.iter().next().unwrap();
        (neighbor.mac, neighbor.state)
    };
    // RFC 4861, appendix C.
    assert_eq!(claim(true, false), (Some(MAC), State::Stale));
    assert_eq!(claim(false, false), (Some(MAC), State::Stale));
    assert_eq!(claim(true, true), (Some(OTHER), State::Reachable));
    assert_eq!(claim(false, true), (Some(OTHER), State::Stale));
}

#[test]
fn advertisements_nobody_asked_for_make_no_entry() {
    let (mut cache, mut actions) = (cache(), Actions::new());
    cache.on_advertisement(PEER, Some(MAC), ANSWER, 0, &mut actions);
    cache.on_hint(PEER, MAC, false, 0, &mut actions);
    cache.on_hint(PEER, Address::BROADCAST, true, 0, &mut actions);
    assert_eq!(cache.iter().count(), 0);
    cache.on_hint(PEER, MAC, true, 0, &mut actions);
    assert_eq!((state(&cache), cache.lookup(PEER, 0)), (Some(State::Stale), Some(MAC)));
}

#[test]
fn a_hint_releases_what_waits_and_does_not_refresh() {
    let (mut cache, mut actions) = (cache(), Actions::new());
    cache.enqueue(PEER, 1, 0, &mut actions);
    cache.on_hint(PEER, MAC, false, 0, &mut actions);
    assert_eq!(actions.last(), Some(&Action::Transmit { to: MAC, packet: 1 }));
    let mut cache = reachable();
    cache.on_hint(PEER, MAC, true, SECOND, &mut actions);
    assert_eq!(state(&cache), Some(State::Reachable));
    cache.on_hint(PEER, OTHER, true, SECOND, &mut actions);
    assert_eq!((state(&cache), cache.lookup(PEER, SECOND)), (Some(State::Stale), Some(OTHER)));
}

#[test]
fn permanent_neighbors_stay() {
    let (mut cache, mut actions) = (cache(), Actions::new());
    cache.set_permanent(PEER, MAC, 0, &mut actions);
    cache.on_advertisement(PEER, Some(OTHER), ANSWER, 0, &mut actions);
    cache.on_hint(PEER, OTHER, true, 0, &mut actions);
    cache.clear(&mut actions);
    assert_eq!((cache.lookup(PEER, 9), cache.deadline(), actions.len()), (Some(MAC), None, 0));
    assert!(cache.remove(PEER, &mut actions) && !cache.remove(PEER, &mut actions));
}

#[test]
fn floods_push_out_the_least_useful() {
    let (mut cache, mut actions) = (reachable(), Actions::new());
    for i in 0..2 * MAX_ENTRIES as u32 {
        cache.enqueue(IpAddr::V4(Ipv4Addr::from_bits(i)), i, 1, &mut actions);
    }
    assert_eq!(cache.iter().count(), MAX_ENTRIES);
    assert_eq!(cache.lookup(PEER, 2), Some(MAC));
    // Each packet of an entry that went was given back.
    let failed = actions.iter().filter(|action| matches!(action, Action::Unreachable { .. })).count();
    assert_eq!(failed, MAX_ENTRIES + 1);
}

#[test]
fn reachable_times_are_spread() {
    assert_eq!(Timing::new(0, 0, &mut || 0).reachable, 15 * SECOND);
    let longest = Timing::new(0, 0, &mut || u32::MAX).reachable;
    assert!((44 * SECOND..=45 * SECOND).contains(&longest));
    assert_eq!(Timing::new(10 * SECOND, 7, &mut || 0), Timing { reachable: 5 * SECOND, retransmit: 7 });
}
