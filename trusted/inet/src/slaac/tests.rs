use super::*;
use rkt_wire::icmpv6::ndp::{self, NdOption, Options, RouterAdvertisement};
use std::vec;

const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xff);
const NETWORK: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 0, 0);
const STATIC: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 0, 5);
const HOUR: u32 = 3600;

struct Machine {
    autoconf: Autoconf,
    now: u64,
}

impl Machine {
    fn new(probes: u8) -> Self {
        let config = Config {
            interface: Interface(2),
            mac: ethernet::Address([2, 0, 0, 0, 0, 1]),
            secret: Secret::new([9; 32]),
            accept_advertisements: true,
            probes,
            mtu: 1500,
        };
        Self { autoconf: Autoconf::new(config), now: 0 }
    }

    fn act<R>(&mut self, f: impl FnOnce(&mut Autoconf, &mut Turn<'_, Action>) -> R) -> (Vec<Action>, R) {
        let mut actions = vec![];
        let mut seed = 0x8000_0000;
        let mut random = || {
            seed += 1;
            seed
        };
        let mut turn = Turn { now: self.now, random: &mut random, actions: &mut actions };
        let result = f(&mut self.autoconf, &mut turn);
        (actions, result)
    }

    fn run(&mut self, until: u64) -> Vec<Action> {
        let mut done = vec![];
        while let Some(deadline) = self.autoconf.deadline().filter(|deadline| *deadline <= until) {
            assert!(deadline >= self.now);
            self.now = deadline;
            done.extend(self.act(|autoconf, turn| autoconf.on_timer(turn)).0);
        }
        self.now = until;
        done
    }

    fn advertise(&mut self, lifetime: u16, options: &[NdOption<'_>]) -> Vec<Action> {
        let mut bytes = vec![0; 512];
        let mut len = 0;
        for option in options {
            len += option.emit(&mut bytes[len..]).unwrap();
        }
        let options = Options::new(&bytes[..len]).unwrap();
        let advertisement = RouterAdvertisement { lifetime, hop_limit: 64, ..RouterAdvertisement::default() };
        self.act(|autoconf, turn| autoconf.on_advertisement(ROUTER, &advertisement, &options, turn)).0
    }

    fn autonomous(&self) -> Vec<Address> {
        self.autoconf.addresses().filter(|address| address.origin == Origin::Autonomous).cloned().collect()
    }
}

fn prefix(preferred_lifetime: u32, valid_lifetime: u32) -> NdOption<'static> {
    let (on_link, autonomous) = (true, true);
    NdOption::Prefix(ndp::Prefix { prefix: NETWORK, len: 64, on_link, autonomous, valid_lifetime, preferred_lifetime })
}

fn ready(actions: &[Action]) -> Vec<Ipv6Addr> {
    actions
        .iter()
        .filter_map(|action| if let Action::Ready(address) = action { Some(*address) } else { None })
        .collect()
}

#[test]
fn an_interface_makes_a_link_local_address_and_looks_for_routers() {
    let mut machine = Machine::new(1);
    let (actions, ()) = machine.act(|autoconf, turn| autoconf.start(turn));
    let address = machine.autoconf.addresses().next().unwrap().address;
    assert!(address.is_unicast_link_local() && !machine.autoconf.is_ours(address));
    assert_eq!(actions[0], Action::Join(ipv6::solicited_node(address)));
    let actions = machine.run(3 * SECOND);
    assert!(actions.iter().any(|action| matches!(action, Action::Probe { target, .. } if *target == address)));
    assert_eq!(ready(&actions), [address]);
    assert_eq!(machine.autoconf.link_local(), Some(address));
    // 4, 8, 16 seconds apart, for ever more slowly.
    let solicited = machine.run(100 * SECOND);
    assert_eq!(solicited.len(), 4);
    assert!(solicited.iter().all(|action| *action == Action::SolicitRouters { source: Some(address) }));
    machine.advertise(1800, &[]);
    assert!(!machine.run(1000 * SECOND).iter().any(|action| matches!(action, Action::SolicitRouters { .. })));
}

#[test]
fn an_advertised_prefix_makes_an_address_and_routes() {
    let mut machine = Machine::new(0);
    let servers = [STATIC.octets()];
    let rdnss = NdOption::Rdnss { lifetime: 600, servers: &servers };
    let actions = machine.advertise(1800, &[prefix(HOUR, 2 * HOUR), NdOption::Mtu(1400), NdOption::Mtu(9000), rdnss]);
    let address = machine.autonomous().pop().unwrap();
    assert_eq!((address.state, address.prefix_len), (State::Preferred, 64));
    assert_eq!(ready(&actions), [address.address]);
    assert!(actions.contains(&Action::SetMtu(1400)) && !actions.contains(&Action::SetMtu(9000)));
    assert!(actions.contains(&Action::SetHopLimit(64)) && actions.contains(&Action::ResolversChanged));
    let routes: Vec<_> = actions
        .iter()
        .filter_map(|action| if let Action::SetRoute(route) = action { Some(route) } else { None })
        .collect();
    assert_eq!((routes[0].gateway, routes[0].expires), (Some(ROUTER.into()), Some(1800 * SECOND)));
    assert_eq!((routes[1].gateway, routes[1].prefix), (None, Prefix::new(NETWORK.into(), 64)));
    assert_eq!(machine.autoconf.resolvers().collect::<Vec<_>>(), [STATIC]);

    machine.run(3600 * SECOND);
    assert_eq!(machine.autonomous()[0].state, State::Deprecated);
    assert_eq!(machine.autoconf.resolvers().count(), 0);
    let actions = machine.run(7200 * SECOND);
    assert!(actions.contains(&Action::Gone(address.address)) && machine.autonomous().is_empty());
    assert_eq!(machine.autoconf.deadline(), None);
}

#[test]
fn a_router_that_ceases_takes_its_route_along() {
    let mut machine = Machine::new(0);
    machine.advertise(1800, &[prefix(HOUR, HOUR)]);
    let default = Prefix::new(Ipv6Addr::UNSPECIFIED.into(), 0);
    let gone = Action::RemoveRoute { prefix: default, gateway: Some(ROUTER) };
    assert!(machine.advertise(0, &[]).contains(&gone));
    assert!(!machine.advertise(0, &[]).contains(&gone));
    let off_link = Action::RemoveRoute { prefix: Prefix::new(NETWORK.into(), 64), gateway: None };
    assert!(machine.advertise(0, &[prefix(0, 0)]).contains(&off_link));
}

#[test]
fn forged_advertisements_cannot_end_an_address_within_two_hours() {
    let valid = |first: u32, second: u32| {
        let mut machine = Machine::new(0);
        machine.advertise(1800, &[prefix(0, first)]);
        machine.advertise(1800, &[prefix(0, second)]);
        machine.autonomous()[0].valid_until.map(|until| (until / SECOND) as u32)
    };
    assert_eq!(valid(10 * HOUR, 5 * HOUR), Some(5 * HOUR));
    assert_eq!(valid(10 * HOUR, 60), Some(2 * HOUR));
    assert_eq!(valid(10 * HOUR, 0), Some(2 * HOUR));
    assert_eq!(valid(HOUR, 60), Some(HOUR));
    assert_eq!(valid(60, HOUR), Some(HOUR));
    assert_eq!(valid(u32::MAX, 60), Some(2 * HOUR));
    assert_eq!(valid(60, u32::MAX), None);
}

#[test]
fn a_deprecated_address_can_be_preferred_again() {
    let mut machine = Machine::new(0);
    machine.advertise(1800, &[prefix(HOUR, 4 * HOUR)]);
    machine.advertise(1800, &[prefix(0, 4 * HOUR)]);
    assert_eq!(machine.autonomous()[0].state, State::Deprecated);
    machine.advertise(1800, &[prefix(HOUR, 4 * HOUR)]);
    assert_eq!(machine.autonomous()[0].state, State::Preferred);
    assert_eq!(machine.autonomous().len(), 1);
}

#[test]
fn a_made_address_that_others_have_is_made_anew_four_times() {
    let mut machine = Machine::new(1);
    machine.advertise(1800, &[prefix(HOUR, HOUR)]);
    let mut seen = vec![];
    for _ in 0..4 {
        let address = machine.autonomous().pop().unwrap();
        assert!(address.state == State::Tentative && !seen.contains(&address.address));
        seen.push(address.address);
        let (actions, ()) = machine.act(|autoconf, turn| autoconf.on_claim(address.address, turn));
        assert!(actions.contains(&Action::Duplicate(address.address)));
    }
    assert_eq!(machine.autonomous()[0].state, State::Duplicate);
    assert!(ready(&machine.run(60 * SECOND)).is_empty());
}

#[test]
fn a_configured_address_that_others_have_is_not_used() {
    let mut machine = Machine::new(1);
    machine.act(|autoconf, turn| autoconf.add(STATIC, 64, turn)).1.unwrap();
    let probes = machine.run(SECOND);
    let [Action::Probe { target: STATIC, nonce }] = probes[..] else { panic!("{probes:?}") };
    // Our own probe comes back.
    machine.act(|autoconf, turn| autoconf.on_probe(STATIC, Some(nonce), turn));
    assert_eq!(machine.autoconf.addresses().next().unwrap().state, State::Tentative);
    machine.act(|autoconf, turn| autoconf.on_probe(STATIC, None, turn));
    assert_eq!(machine.autoconf.addresses().next().unwrap().state, State::Duplicate);
    assert!(machine.run(60 * SECOND).is_empty() && !machine.autoconf.is_ours(STATIC));
}

#[test]
fn configured_addresses_come_and_go() {
    let mut machine = Machine::new(0);
    let add = |machine: &mut Machine, address| machine.act(|autoconf, turn| autoconf.add(address, 64, turn)).1;
    assert_eq!(add(&mut machine, STATIC), Ok(()));
    assert_eq!(add(&mut machine, STATIC), Err(AddressError::Exists));
    assert_eq!(add(&mut machine, ipv6::ALL_NODES), Err(AddressError::Unusable));
    let (actions, was_there) = machine.act(|autoconf, turn| autoconf.remove(STATIC, turn));
    let prefix = Prefix::new(NETWORK.into(), 64);
    assert_eq!(
        actions,
        [
            Action::Leave(ipv6::solicited_node(STATIC)),
            Action::Gone(STATIC),
            Action::RemoveRoute { prefix, gateway: None },
        ]
    );
    assert!(was_there && !machine.act(|autoconf, turn| autoconf.remove(STATIC, turn)).1);
    for i in 0..MAX_ADDRESSES as u16 {
        assert_eq!(add(&mut machine, Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, i)), Ok(()));
    }
    assert_eq!(add(&mut machine, STATIC), Err(AddressError::Full));
}

#[test]
fn a_flood_of_prefixes_is_bounded() {
    let mut machine = Machine::new(0);
    for i in 0..500 {
        let prefix = Ipv6Addr::new(0x2001, 0xdb8, i, 0, 0, 0, 0, 0);
        let (on_link, autonomous) = (true, true);
        let (valid_lifetime, preferred_lifetime) = (HOUR, HOUR);
        let option = ndp::Prefix { prefix, len: 64, on_link, autonomous, valid_lifetime, preferred_lifetime };
        let servers = [prefix.octets()];
        machine.advertise(9, &[NdOption::Prefix(option), NdOption::Rdnss { lifetime: 9, servers: &servers }]);
    }
    assert_eq!((machine.autonomous().len(), machine.autoconf.resolvers().count()), (MAX_AUTONOMOUS, 8));
    assert!(machine.autoconf.learned.len() <= 48);
}
