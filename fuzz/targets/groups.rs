//! Members, filters, routers' queries and others' reports. The interface listens exactly to the groups that somebody
//! joined, and once all have left and been reported nothing is kept.
#![no_main]

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use libfuzzer_sys::fuzz_target;
use rkt_fuzz::Script;
use rkt_inet::multicast::{Action, Filter, Groups, Member, Mode, emit_v4, emit_v6};
use rkt_inet::time::Turn;
use rkt_wire::checksum::Sum;
use rkt_wire::ethernet::Address;
use rkt_wire::ip::protocol;
use rkt_wire::{icmpv6, igmp, ipv6};
use std::collections::HashSet;

const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

fn group(which: u8) -> IpAddr {
    match which & 1 {
        0 => Ipv4Addr::new(239, which & 0x80, 0, which & 15).into(),
        _ => Ipv6Addr::new(0xff05, 0, 0, 0, u16::from(which >> 4), 0, 0, u16::from(which & 15)).into(),
    }
}

fn filter(script: &mut Script<'_>) -> Filter {
    let [mode, a, b] = script.bytes();
    let sources = [a, b].map(|bits| IpAddr::V4(Ipv4Addr::from_bits(u32::from(bits % 8))));
    let mode_of = |bit: u8| if mode & bit != 0 { Mode::Include } else { Mode::Exclude };
    Filter::new(mode_of(1), sources[..usize::from(mode >> 1) % 3].to_vec())
}

fn mac_of(group: IpAddr) -> Address {
    match group {
        IpAddr::V4(group) => Address::of_group_v4(group),
        IpAddr::V6(group) => Address::of_group_v6(group),
    }
}

/// The message in the script with the right checksum, given to the groups.
fn hear(script: &mut Script<'_>, groups: &mut Groups, turn: &mut Turn<'_, Action>) {
    let mut bytes = script.slice().to_vec();
    if bytes.len() < 8 {
        return;
    }
    bytes[2..4].fill(0);
    let sum = Sum::of(&bytes);
    bytes[2..4].copy_from_slice(&sum.finish().to_be_bytes());
    if let Ok(message) = igmp::Message::parse(&bytes) {
        groups.on_igmp(&message, turn);
        return;
    }
    let (source, destination) = (LINK_LOCAL, ipv6::ALL_NODES);
    let pseudo = Sum::pseudo_v6(source, destination, protocol::ICMPV6, bytes.len() as u32);
    bytes[2..4].copy_from_slice(&(pseudo + sum).finish().to_be_bytes());
    let next_header = protocol::ICMPV6;
    let packet = ipv6::Header { traffic_class: 0, flow_label: 0, next_header, hop_limit: 1, source, destination };
    if let Ok(icmpv6::Message::Mld(message)) = icmpv6::Message::parse(&bytes, &packet) {
        groups.on_mld(&message, turn);
    }
}

fuzz_target!(|data: &[u8]| {
    let mut script = Script(data);
    let mut groups = Groups::new();
    let (mut now, mut seed) = (0, 7u32);
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed
    };
    let mut heard = HashSet::new();
    let mut ending = 0..16;
    loop {
        let mut actions = Vec::new();
        let turn = &mut Turn { now, random: &mut random, actions: &mut actions };
        if script.is_over() {
            let Some(member) = ending.next() else { break };
            groups.leave_all(Member(member), turn);
        } else {
            let [what, who] = script.bytes();
            let member = Member(u64::from(who % 16));
            match what % 4 {
                0 => groups.set(member, group(script.byte()), filter(&mut script), turn).unwrap(),
                1 => groups.leave_all(member, turn),
                2 => hear(&mut script, &mut groups, turn),
                _ => {
                    now += script.span();
                    turn.now = now;
                    groups.on_timer(turn);
                    assert!(groups.deadline().is_none_or(|deadline| deadline > now));
                }
            }
        }
        for action in actions {
            match action {
                Action::Listen(mac) => _ = heard.insert(mac),
                Action::Ignore(mac) => assert!(heard.remove(&mac)),
                Action::Send(report) => {
                    let mut bytes = [0; 2048];
                    let sent = emit_v4(&report, &mut bytes).is_some();
                    assert!(sent != emit_v6(&report, LINK_LOCAL, &mut bytes).is_some());
                }
            }
        }
        let joined: HashSet<_> = groups.iter().map(|(group, _)| mac_of(group)).collect();
        assert_eq!(joined, heard);
    }
    groups.on_timer(&mut Turn { now: u64::MAX, random: &mut random, actions: &mut Vec::new() });
    assert_eq!((groups.iter().count(), groups.deadline()), (0, None));
});
