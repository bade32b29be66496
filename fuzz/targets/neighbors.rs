//! Advertisements, hints, packets and time for a cache of neighbours. No packet comes out twice, none comes out that did
//! not go in, and timers move on.
#![no_main]

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use libfuzzer_sys::fuzz_target;
use rkt_fuzz::Script;
use rkt_inet::arp::{self, Answer};
use rkt_inet::neighbor::{Action, Advertisement, Cache, State, Timing};
use rkt_inet::time::MILLISECOND;
use rkt_wire::ethernet::Address;
use std::collections::HashSet;

const OURS: Address = Address([2, 0, 0, 0, 0, 1]);

fuzz_target!(|data: &[u8]| {
    let mut script = Script(data);
    let mut random = || 0x5555_5555;
    let mut cache = Cache::new(Timing::new(0, 0, &mut random));
    let (mut now, mut next_packet, mut waiting) = (0, 0u32, HashSet::new());
    while !script.is_over() {
        let [what, who, mac, flags] = script.bytes();
        let address = match who & 1 {
            0 => IpAddr::V4(Ipv4Addr::from_bits(u32::from(who))),
            _ => IpAddr::V6(Ipv6Addr::from_bits(u128::from(who))),
        };
        let mac = Address([mac, 0, 0, 0, 0, mac]);
        let mut actions = Vec::new();
        match what % 10 {
            0 => {
                if cache.lookup(address, now).is_none() {
                    waiting.insert(next_packet);
                    cache.enqueue(address, next_packet, now, &mut actions);
                    next_packet += 1;
                }
            }
            1 => cache.on_hint(address, mac, flags & 1 != 0, now, &mut actions),
            2 => {
                let (router, solicited, overriding) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
                let advertisement = Advertisement { router, solicited, overriding };
                cache.on_advertisement(address, (flags & 8 == 0).then_some(mac), advertisement, now, &mut actions);
            }
            3 => cache.confirm(address, now),
            4 => cache.set_permanent(address, mac, now, &mut actions),
            5 => _ = cache.remove(address, &mut actions),
            6 => cache.clear(&mut actions),
            7 => {
                let base = u64::from(u16::from_be_bytes(script.bytes())) * MILLISECOND;
                cache.set_timing_v6(Timing::new(base, u64::from(flags) * MILLISECOND, &mut random));
            }
            8 => {
                let Ok(packet) = rkt_wire::arp::Packet::parse(&script.bytes::<28>()) else { continue };
                let is = |low: u32| move |address: Ipv4Addr| address.to_bits() & 0xff == low;
                let answer = arp::on_packet(&packet, OURS, is(1), is(2), &mut cache, now, &mut actions);
                if let Answer::Reply(reply) = answer {
                    assert!(is(1)(reply.sender) && reply.target_mac == packet.sender_mac);
                }
            }
            _ => {
                now += script.span();
                cache.on_timer(now, &mut actions);
                assert!(cache.deadline().is_none_or(|deadline| deadline > now));
            }
        }
        for action in actions {
            match action {
                Action::Transmit { packet, .. } | Action::Unreachable { packet, .. } => {
                    assert!(waiting.remove(&packet));
                }
                Action::Solicit { .. } => {}
            }
        }
        for neighbor in cache.iter() {
            let has_mac = !matches!(neighbor.state, State::Incomplete | State::Failed);
            assert_eq!(neighbor.mac.is_some(), has_mac, "{neighbor:?}");
        }
    }
});
