//! Hosts and a router on one link, speaking in packets: they find addresses, each other and the way out, over a link
//! that loses, doubles and delays.

use rkt_inet::neighbor::{self, Cache, State, Timing};
use rkt_inet::route::Table;
use rkt_inet::slaac::{Action, Autoconf, Config, Secret};
use rkt_inet::time::{MILLISECOND, SECOND, Turn};
use rkt_inet::{Interface, nd};
use rkt_wire::ethernet::Address;
use rkt_wire::icmpv6::ndp::{self, Body, NdOption, Options};
use rkt_wire::ip::protocol;
use rkt_wire::{icmpv6, ipv6};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

const ETH0: Interface = Interface(2);
const NETWORK: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 0);
const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xfe);
const ROUTER_MAC: Address = Address([2, 0, 0, 0, 0, 0xfe]);
const FAR: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }
}

/// A packet on its way: the card that it is for, if not for all, and its bytes.
#[derive(Clone)]
struct Packet {
    to: Option<Address>,
    bytes: Vec<u8>,
}

fn packet(to: Option<Address>, source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> Packet {
    let next_header = protocol::ICMPV6;
    let header = ipv6::Header { traffic_class: 0, flow_label: 0, next_header, hop_limit: 255, source, destination };
    let mut bytes = vec![0; ipv6::HEADER_LEN];
    header.emit(message.len(), &mut bytes).unwrap();
    bytes.extend(message);
    Packet { to, bytes }
}

struct Host {
    mac: Address,
    autoconf: Autoconf,
    cache: Cache<u32>,
    routes: Table,
    arrived: Vec<(Address, u32)>,
    failed: Vec<u32>,
    duplicates: Vec<Ipv6Addr>,
}

impl Host {
    fn new(id: u8) -> Self {
        let mac = Address([2, 0, 0, 0, 0, id]);
        let (secret, accept_advertisements) = (Secret::new([id; 32]), true);
        let config = Config { interface: ETH0, mac, secret, accept_advertisements, probes: 1, mtu: 1500 };
        Self {
            mac,
            autoconf: Autoconf::new(config),
            cache: Cache::new(Timing { reachable: 30 * SECOND, retransmit: SECOND }),
            routes: Table::new(),
            arrived: vec![],
            failed: vec![],
            duplicates: vec![],
        }
    }

    fn global(&self) -> Option<Ipv6Addr> {
        self.autoconf.addresses().find(|a| a.is_usable() && !a.address.is_unicast_link_local()).map(|a| a.address)
    }

    fn deadline(&self) -> u64 {
        [self.autoconf.deadline(), self.cache.deadline(), self.routes.deadline()]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Lets a piece act, then does what the pieces want; returns packets to send.
    fn act(
        &mut self,
        now: u64,
        rng: &mut Rng,
        f: impl FnOnce(&mut Self, &mut Vec<neighbor::Action<u32>>, &mut Turn<'_, Action>) -> nd::Answer,
    ) -> Vec<Packet> {
        let (mut actions, mut neighbor_actions) = (vec![], vec![]);
        let mut random = || rng.next();
        let answer = f(self, &mut neighbor_actions, &mut Turn { now, random: &mut random, actions: &mut actions });
        let into = &mut [0; 256];
        let mut sent = vec![];
        if let nd::Answer::Advertise { target, destination, solicited } = answer {
            let len = nd::emit_advertisement(target, destination, solicited, self.mac, into).unwrap();
            let to = self.cache.lookup(destination.into(), now);
            sent.push(packet(to, target, destination, &into[..len]));
        }
        for action in actions {
            match action {
                Action::Probe { target, nonce } => {
                    let (destination, len) = nd::emit_probe(target, nonce, into).unwrap();
                    sent.push(packet(None, Ipv6Addr::UNSPECIFIED, destination, &into[..len]));
                }
                Action::SolicitRouters { source } => {
                    let (destination, len) = nd::emit_router_solicitation(source, self.mac, into).unwrap();
                    let source = source.unwrap_or(Ipv6Addr::UNSPECIFIED);
                    sent.push(packet(None, source, destination, &into[..len]));
                }
                Action::SetRoute(route) => self.routes.replace(route).unwrap(),
                Action::RemoveRoute { prefix, gateway } => {
                    let gateway = gateway.map(IpAddr::V6);
                    self.routes.remove_if(|route| (route.prefix, route.gateway) == (prefix, gateway));
                }
                Action::Duplicate(address) => self.duplicates.push(address),
                _ => {}
            }
        }
        for action in neighbor_actions {
            match action {
                neighbor::Action::Solicit { target: IpAddr::V6(target), to } => {
                    let source = self.autoconf.link_local().unwrap();
                    let is_known = to.is_some();
                    let (destination, len) = nd::emit_solicitation(target, is_known, source, self.mac, into).unwrap();
                    sent.push(packet(to, source, destination, &into[..len]));
                }
                neighbor::Action::Transmit { to, packet } => self.arrived.push((to, packet)),
                neighbor::Action::Unreachable { packet, .. } => self.failed.push(packet),
                other => panic!("{other:?}"),
            }
        }
        sent
    }

    fn receive(&mut self, bytes: &[u8], now: u64, rng: &mut Rng) -> Vec<Packet> {
        let ipv6::Packet { header, payload } = ipv6::Packet::parse(bytes).unwrap();
        let icmpv6::Message::Ndp(message) = icmpv6::Message::parse(payload, &header).unwrap() else { panic!() };
        self.act(now, rng, |host, neighbor_actions, turn| {
            nd::on_message(&message, &header, &mut host.cache, neighbor_actions, &mut host.autoconf, turn)
        })
    }

    /// Sends a packet of a program by the routing table.
    fn send(&mut self, to: Ipv6Addr, id: u32, now: u64, rng: &mut Rng) -> Vec<Packet> {
        let next_hop = self.routes.lookup(to.into(), None).expect("a route").next_hop(to.into());
        self.act(now, rng, |host, actions, _| {
            match host.cache.lookup(next_hop, now) {
                Some(mac) => host.arrived.push((mac, id)),
                None => host.cache.enqueue(next_hop, id, now, actions),
            }
            nd::Answer::None
        })
    }
}

/// The router's only words.
fn advertisement() -> Packet {
    let prefix = ndp::Prefix {
        prefix: NETWORK,
        len: 64,
        on_link: true,
        autonomous: true,
        valid_lifetime: 7200,
        preferred_lifetime: 3600,
    };
    let (mut bytes, mut len) = ([0; 64], 0);
    for option in [NdOption::SourceMac(ROUTER_MAC), NdOption::Prefix(prefix)] {
        len += option.emit(&mut bytes[len..]).unwrap();
    }
    let options = Options::new(&bytes[..len]).unwrap();
    let body = Body::RouterAdvertisement(ndp::RouterAdvertisement { lifetime: 1800, ..Default::default() });
    let mut message = [0; 256];
    let message_of = icmpv6::Message::Ndp(ndp::Message { body, options });
    let len = message_of.emit(ROUTER, ipv6::ALL_NODES, &mut message).unwrap();
    packet(None, ROUTER, ipv6::ALL_NODES, &message[..len])
}

/// A link with hosts; the router lives in it.
struct Link {
    hosts: Vec<Host>,
    rng: Rng,
    now: u64,
    /// Per cent of packets that get lost; as many are doubled.
    loss: u32,
    /// By arrival and number: to which host.
    flying: BTreeMap<(u64, u64), (usize, Packet)>,
    count: u64,
}

impl Link {
    fn new(hosts: u8, loss: u32, seed: u64) -> Self {
        let hosts = (1..=hosts).map(Host::new).collect();
        let mut link = Self { hosts, rng: Rng(seed), now: 0, loss, flying: BTreeMap::new(), count: 0 };
        for at in 0..link.hosts.len() {
            let sent = link.hosts[at].act(0, &mut link.rng, |host, _, turn| {
                host.autoconf.start(turn);
                nd::Answer::None
            });
            link.broadcast(at, sent);
        }
        link
    }

    fn broadcast(&mut self, from: usize, packets: Vec<Packet>) {
        for packet in packets {
            // Type of ICMPv6: the router answers solicitations for routers at once.
            if packet.bytes[40] == icmpv6::kind::ROUTER_SOLICITATION {
                self.broadcast(usize::MAX, vec![advertisement()]);
            }
            for to in 0..self.hosts.len() {
                if to != from && packet.to.is_none_or(|mac| mac == self.hosts[to].mac) {
                    self.fly(to, &packet);
                }
            }
        }
    }

    fn fly(&mut self, to: usize, packet: &Packet) {
        let copies = match self.rng.next() % 100 {
            dice if dice < self.loss => 0,
            dice if dice < 2 * self.loss => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let delay = u64::from(self.rng.next() % 20) * MILLISECOND;
            self.count += 1;
            self.flying.insert((self.now + delay, self.count), (to, packet.clone()));
        }
    }

    fn run(&mut self, until: u64) {
        loop {
            let timer = self.hosts.iter().map(Host::deadline).min().unwrap_or(u64::MAX);
            let arrival = self.flying.first_key_value().map_or(u64::MAX, |((at, _), _)| *at);
            let next = timer.min(arrival);
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            if arrival <= timer {
                let (_, (to, packet)) = self.flying.pop_first().unwrap();
                let sent = self.hosts[to].receive(&packet.bytes, self.now, &mut self.rng);
                self.broadcast(to, sent);
                continue;
            }
            for at in 0..self.hosts.len() {
                let now = self.now;
                let sent = self.hosts[at].act(now, &mut self.rng, |host, neighbor_actions, turn| {
                    host.cache.on_timer(now, neighbor_actions);
                    host.routes.on_timer(now);
                    host.autoconf.on_timer(turn);
                    nd::Answer::None
                });
                self.broadcast(at, sent);
            }
        }
        self.now = until;
    }

    fn send(&mut self, from: usize, to: Ipv6Addr, id: u32) {
        let sent = self.hosts[from].send(to, id, self.now, &mut self.rng);
        self.broadcast(from, sent);
    }
}

#[test]
fn hosts_find_addresses_each_other_and_the_way_out() {
    for seed in 0..50 {
        let mut link = Link::new(4, 0, seed);
        link.run(10 * SECOND);
        let addresses: Vec<_> = link.hosts.iter().map(|host| host.global().expect("an address")).collect();
        assert!(addresses.iter().all(|address| address.segments()[..4] == NETWORK.segments()[..4]));
        let peer = link.hosts[1].mac;
        link.send(0, addresses[1], 1);
        link.send(0, FAR, 2);
        link.run(12 * SECOND);
        let mut arrived = link.hosts[0].arrived.clone();
        arrived.sort_by_key(|(_, id)| *id);
        assert_eq!(arrived, [(peer, 1), (ROUTER_MAC, 2)], "seed {seed}");
        // The one that was asked knows the one that asked.
        let asker = link.hosts[0].autoconf.link_local().unwrap();
        assert!(link.hosts[1].cache.iter().any(|known| known.address == IpAddr::V6(asker)));
        assert!(link.hosts.iter().all(|host| host.duplicates.is_empty()));
        let router = link.hosts[0].cache.iter().find(|known| known.address == IpAddr::V6(ROUTER)).unwrap();
        assert!(router.router && router.mac == Some(ROUTER_MAC));
    }
}

#[test]
fn a_link_that_loses_and_doubles_delays_them() {
    for seed in 0..50 {
        let mut link = Link::new(3, 20, seed);
        link.run(100 * SECOND);
        let addresses: Vec<_> = link.hosts.iter().map(|host| host.global().expect("an address")).collect();
        for id in 0..20 {
            link.send(0, addresses[1 + (id % 2) as usize], id);
            link.run(link.now + 10 * SECOND);
        }
        let Host { arrived, failed, duplicates, .. } = &link.hosts[0];
        // A neighbour does not answer three times in a row now and then.
        assert!(arrived.len() >= 15 && arrived.len() + failed.len() == 20, "seed {seed}: {arrived:?} {failed:?}");
        assert!(duplicates.is_empty(), "seed {seed}");
    }
}

#[test]
fn who_is_not_there_is_given_up() {
    let mut link = Link::new(1, 0, 1);
    link.run(10 * SECOND);
    let nobody = Ipv6Addr::from_bits(NETWORK.to_bits() | 0x77);
    link.send(0, nobody, 5);
    link.run(20 * SECOND);
    assert_eq!((&link.hosts[0].failed[..], link.hosts[0].arrived.len()), (&[5][..], 0));
    assert!(link.hosts[0].cache.iter().any(|known| known.state == State::Failed));
}

#[test]
fn two_hosts_that_want_the_same_address_notice() {
    for seed in 0..50 {
        let mut link = Link::new(2, 0, seed);
        let wanted = Ipv6Addr::from_bits(NETWORK.to_bits() | 5);
        for at in 0..2 {
            let sent = link.hosts[at].act(0, &mut link.rng, |host, _, turn| {
                host.autoconf.add(wanted, 64, turn).unwrap();
                nd::Answer::None
            });
            link.broadcast(at, sent);
        }
        link.run(10 * SECOND);
        let having = link.hosts.iter().filter(|host| host.autoconf.is_ours(wanted)).count();
        assert!(having <= 1, "seed {seed}");
        assert!(link.hosts.iter().any(|host| host.duplicates.contains(&wanted)), "seed {seed}");
    }
}
