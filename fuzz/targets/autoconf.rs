//! Routers and neighbours that say what they like to an interface that configures itself. What it says about its addresses and
//! what it was told to do with them agree; time moves on; memory is bounded.
#![no_main]

use core::net::Ipv6Addr;
use libfuzzer_sys::fuzz_target;
use rkt_fuzz::Script;
use rkt_inet::neighbor::{Cache, Timing};
use rkt_inet::slaac::{Action, Autoconf, Config, MAX_ADDRESSES, Secret};
use rkt_inet::time::Turn;
use rkt_inet::{Interface, nd};
use rkt_wire::checksum::Sum;
use rkt_wire::ethernet::Address;
use rkt_wire::icmpv6::ndp::{NdOption, Options, Prefix, RouterAdvertisement};
use rkt_wire::ip::protocol;
use rkt_wire::{icmpv6, ipv6};
use std::collections::HashSet;

const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

fn advertise(script: &mut Script<'_>, autoconf: &mut Autoconf, turn: &mut Turn<'_, Action>) {
    let [hop_limit, flags, a, b, reachable, retrans] = script.bytes();
    let advertisement = RouterAdvertisement {
        hop_limit,
        managed: false,
        other: false,
        preference: (flags % 3) as i8 - 1,
        lifetime: u16::from_be_bytes([a, b]),
        reachable_time: u32::from(reachable),
        retrans_timer: u32::from(retrans),
    };
    if flags & 0x80 != 0 {
        if let Ok(options) = Options::new(script.slice()) {
            autoconf.on_advertisement(ROUTER, &advertisement, &options, turn);
        }
        return;
    }
    let [which, len, bits, a, b, c, d] = script.bytes();
    let prefix = Prefix {
        prefix: Ipv6Addr::new(0x2001, u16::from(which), 0, 0, 0, 0, 0, 0),
        len: if len & 0x80 != 0 { 64 } else { len },
        on_link: bits & 1 != 0,
        autonomous: bits & 2 != 0,
        valid_lifetime: u32::from_be_bytes([0, 0, a, b]),
        preferred_lifetime: u32::from_be_bytes([0, 0, c, d]),
    };
    let servers = [[which; 16]];
    let list = [NdOption::Prefix(prefix), NdOption::Rdnss { lifetime: u32::from(bits), servers: &servers }];
    let (mut bytes, mut at) = ([0; 64], 0);
    for option in list {
        at += option.emit(&mut bytes[at..]).unwrap();
    }
    autoconf.on_advertisement(ROUTER, &advertisement, &Options::new(&bytes[..at]).unwrap(), turn);
}

/// The message in the script with the right checksum, from the router or from nobody. An answer says only what is ours.
fn hear(script: &mut Script<'_>, autoconf: &mut Autoconf, cache: &mut Cache<()>, turn: &mut Turn<'_, Action>) {
    let source = if script.byte() & 1 == 0 { ROUTER } else { Ipv6Addr::UNSPECIFIED };
    let mut bytes = script.slice().to_vec();
    let Some(target) = bytes.get(8..24).and_then(|target| <[u8; 16]>::try_from(target).ok()) else { return };
    let destination = ipv6::solicited_node(Ipv6Addr::from(target));
    bytes[2..4].fill(0);
    let pseudo = Sum::pseudo_v6(source, destination, protocol::ICMPV6, bytes.len() as u32);
    let checksum = (pseudo + Sum::of(&bytes)).finish();
    bytes[2..4].copy_from_slice(&checksum.to_be_bytes());
    let next_header = protocol::ICMPV6;
    let packet = ipv6::Header { traffic_class: 0, flow_label: 0, next_header, hop_limit: 255, source, destination };
    if let Ok(icmpv6::Message::Ndp(message)) = icmpv6::Message::parse(&bytes, &packet) {
        let answer = nd::on_message(&message, &packet, cache, &mut Vec::new(), autoconf, turn);
        if let nd::Answer::Advertise { target, destination, .. } = answer {
            assert!(autoconf.is_ours(target) && !destination.is_unspecified());
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut script = Script(data);
    let [probes] = script.bytes();
    let mut autoconf = Autoconf::new(Config {
        interface: Interface(1),
        mac: Address([2, 0, 0, 0, 0, 1]),
        secret: Secret::new([1; 32]),
        accept_advertisements: true,
        probes: probes % 4,
        mtu: 1500,
    });
    let mut cache = Cache::new(Timing::new(0, 0, &mut || 0));
    let (mut now, mut seed) = (0, 0u32);
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed
    };
    let mut ready = HashSet::new();
    autoconf.start(&mut Turn { now, random: &mut random, actions: &mut Vec::new() });
    if probes % 4 == 0 {
        ready.extend(autoconf.link_local());
    }
    while !script.is_over() {
        let [what, which] = script.bytes();
        let target = autoconf.addresses().nth(usize::from(which)).map_or(ROUTER, |address| address.address);
        let fresh = Ipv6Addr::new(0x2001, u16::from(which), 0, 0, 0, 0, 0, 9);
        let mut actions = Vec::new();
        let turn = &mut Turn { now, random: &mut random, actions: &mut actions };
        match what % 7 {
            0 => advertise(&mut script, &mut autoconf, turn),
            1 => autoconf.on_probe(target, None, turn),
            2 => autoconf.on_claim(target, turn),
            3 => _ = autoconf.add(fresh, what, turn),
            4 => _ = autoconf.remove(target, turn),
            5 => hear(&mut script, &mut autoconf, &mut cache, turn),
            _ => {
                now += script.span();
                turn.now = now;
                autoconf.on_timer(turn);
                assert!(autoconf.deadline().is_none_or(|deadline| deadline > now));
            }
        }
        for action in actions {
            match action {
                Action::Ready(address) => assert!(ready.insert(address)),
                Action::Gone(address) => assert!(ready.remove(&address)),
                Action::Duplicate(address) => assert!(!ready.contains(&address)),
                _ => {}
            }
        }
        let usable: HashSet<_> = autoconf.addresses().filter(|a| a.is_usable()).map(|a| a.address).collect();
        assert_eq!(usable, ready);
        assert!(autoconf.addresses().count() <= MAX_ADDRESSES + 17 && autoconf.resolvers().count() <= 8);
    }
});
