//! Routers and neighbours that say what they like to an interface that configures itself. What it says about its addresses and
//! what it was told to do with them agree; time moves on; memory is bounded.
#![no_main]

use core::net::Ipv6Addr;
use libfuzzer_sys::fuzz_target;
use rkt_fuzz::Script;
use rkt_inet::Interface;
use rkt_inet::slaac::{Action, Autoconf, Config, MAX_ADDRESSES, Secret};
use rkt_inet::time::Turn;
use rkt_wire::ethernet::Address;
use rkt_wire::icmpv6::ndp::{NdOption, Options, Prefix, RouterAdvertisement};
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
        match what % 6 {
            0 => advertise(&mut script, &mut autoconf, turn),
            1 => autoconf.on_probe(target, None, turn),
            2 => autoconf.on_claim(target, turn),
            3 => _ = autoconf.add(fresh, what, turn),
            4 => _ = autoconf.remove(target, turn),
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
