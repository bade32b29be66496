use super::*;
use rkt_wire::dhcp::{Addresses, Route};
use std::vec;

const MAC: ethernet::Address = ethernet::Address([2, 0, 0, 0, 0, 1]);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 50);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const RESOLVERS: [[u8; 4]; 1] = [[192, 0, 2, 53]];
const ROUTERS: [[u8; 4]; 1] = [[192, 0, 2, 1]];

struct Machine {
    client: Client,
    now: u64,
    seed: u32,
}

/// A message that the client sent.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    at: u64,
    kind: Kind,
    to: Ipv4Addr,
    client: Ipv4Addr,
    requested: Option<Ipv4Addr>,
}

impl Machine {
    fn new(probe: bool) -> Self {
        let config = Config { mac: MAC, host_name: b"box".to_vec(), probe };
        Self { client: Client::new(config, 0), now: 0, seed: 0x4000_0000 }
    }

    fn act(&mut self, f: impl FnOnce(&mut Client, &mut Turn<'_, Action>)) -> Vec<Action> {
        let mut actions = vec![];
        let seed = &mut self.seed;
        let mut random = || {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *seed
        };
        f(&mut self.client, &mut Turn { now: self.now, random: &mut random, actions: &mut actions });
        actions
    }

    fn run(&mut self, seconds: u64) -> Vec<Action> {
        let mut done = vec![];
        let until = seconds * SECOND;
        while let Some(deadline) = self.client.deadline().filter(|deadline| *deadline <= until) {
            assert!(deadline >= self.now);
            self.now = deadline;
            done.extend(self.act(Client::on_timer));
        }
        self.now = until;
        done
    }

    fn answer(&mut self, kind: Kind, options: Options<'_>) -> Vec<Action> {
        let message = Message {
            kind,
            transaction: self.client.transaction,
            seconds: 0,
            broadcast: false,
            client: Ipv4Addr::UNSPECIFIED,
            yours: ADDRESS,
            server: Ipv4Addr::UNSPECIFIED,
            relay: Ipv4Addr::UNSPECIFIED,
            mac: MAC,
            options,
        };
        let mut payload = vec![0; 600];
        let len = message.emit(&mut payload).unwrap();
        self.act(|client, turn| client.on_packet(&payload[..len], turn))
    }

    /// Runs until the lease is used.
    fn bound(probe: bool) -> Self {
        let mut machine = Self::new(probe);
        machine.run(0);
        machine.answer(Kind::Offer, granted());
        machine.answer(Kind::Ack, granted());
        machine
    }
}

fn granted() -> Options<'static> {
    Options {
        server_id: Some(SERVER),
        lease_time: Some(3600),
        subnet_mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
        routers: Addresses::new(&ROUTERS),
        resolvers: Addresses::new(&RESOLVERS),
        mtu: Some(1400),
        ..Options::default()
    }
}

fn sent(actions: &[Action]) -> Vec<Sent> {
    let parse = |action: &Action| match action {
        Action::Send { source, destination, payload } => {
            let message = Message::parse(payload).unwrap();
            assert_eq!((message.client, message.mac), (*source, MAC));
            let Message { kind, client, .. } = message;
            let at = u64::from(message.seconds);
            Some(Sent { at, kind, to: *destination, client, requested: message.options.requested_address })
        }
        _ => None,
    };
    actions.iter().filter_map(parse).collect()
}

fn to_all(kind: Kind, requested: Option<Ipv4Addr>) -> Sent {
    Sent { at: 0, kind, to: Ipv4Addr::BROADCAST, client: Ipv4Addr::UNSPECIFIED, requested }
}

#[test]
fn an_address_is_discovered_requested_and_used() {
    let mut machine = Machine::new(false);
    assert_eq!(sent(&machine.run(0)), [to_all(Kind::Discover, None)]);
    let actions = machine.answer(Kind::Offer, granted());
    assert_eq!(sent(&actions), [to_all(Kind::Request, Some(ADDRESS))]);
    let actions = machine.answer(Kind::Ack, granted());
    let [Action::Configure(lease)] = &actions[..] else { panic!("{actions:?}") };
    let default = Route { destination: Ipv4Addr::UNSPECIFIED, prefix_len: 0, router: SERVER };
    assert_eq!((lease.address, lease.prefix_len, lease.mtu), (ADDRESS, 24, Some(1400)));
    assert_eq!((&lease.routes[..], &lease.resolvers[..]), (&[default][..], &[Ipv4Addr::from(RESOLVERS[0])][..]));
    assert_eq!(machine.client.deadline(), Some(1800 * SECOND));
    assert_eq!(machine.client.lease(), Some(lease));
}

#[test]
fn nobody_answers_and_the_pauses_double() {
    let mut machine = Machine::new(false);
    let times: Vec<_> = sent(&machine.run(400)).iter().map(|sent| sent.at).collect();
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (pause, expected) in pauses.iter().zip([4u64, 8, 16, 32, 64, 64]) {
        assert!(pause.abs_diff(expected) <= 2, "{pauses:?}");
    }
    assert!(pauses.len() >= 6);
}

#[test]
fn an_offer_that_is_not_granted_is_given_up() {
    let mut machine = Machine::new(false);
    machine.run(0);
    machine.answer(Kind::Offer, granted());
    let kinds: Vec<_> = sent(&machine.run(70)).iter().map(|sent| sent.kind).collect();
    assert_eq!(kinds[..4], [Kind::Request, Kind::Request, Kind::Request, Kind::Discover]);
    machine.answer(Kind::Offer, granted());
    assert_eq!(machine.answer(Kind::Nak, granted()), []);
    let kinds: Vec<_> = sent(&machine.run(81)).iter().map(|sent| sent.kind).collect();
    assert_eq!(kinds, [Kind::Discover]);
}

#[test]
fn a_lease_is_renewed_then_rebound_then_lost() {
    let mut machine = Machine::bound(false);
    let renewal = sent(&machine.run(1800));
    assert_eq!(renewal, [Sent { at: 0, kind: Kind::Request, to: SERVER, client: ADDRESS, requested: None }]);
    let all = machine.run(3599);
    let (renewals, rebindings): (Vec<_>, Vec<_>) = sent(&all).into_iter().partition(|sent| sent.to == SERVER);
    assert!(renewals.len() >= 3 && rebindings.len() >= 3, "{renewals:?} {rebindings:?}");
    assert!(rebindings.iter().all(|sent| sent.to == Ipv4Addr::BROADCAST && sent.client == ADDRESS));
    assert!(machine.client.lease().is_some());
    let actions = machine.run(3600);
    assert_eq!(actions[0], Action::Deconfigure);
    assert_eq!(sent(&actions), [to_all(Kind::Discover, None)]);
}

#[test]
fn a_renewed_lease_runs_from_when_it_was_asked_for() {
    for at in [1800, 3300] {
        let mut machine = Machine::bound(false);
        machine.run(at);
        machine.run(at + 2);
        let began = machine.client.began;
        let actions = machine.answer(Kind::Ack, granted());
        assert!(matches!(actions[..], [Action::Configure(_)]));
        assert_eq!(machine.client.deadline(), Some(began + 1800 * SECOND));
        assert!(began <= at * SECOND);
    }
}

#[test]
fn a_refused_renewal_ends_the_lease() {
    let mut machine = Machine::bound(false);
    machine.run(1800);
    assert_eq!(machine.answer(Kind::Nak, Options { server_id: Some(ADDRESS), ..granted() }), []);
    assert_eq!(machine.answer(Kind::Nak, granted()), [Action::Deconfigure]);
    assert_eq!(machine.client.lease(), None);
    assert_eq!(sent(&machine.run(1811)), [to_all(Kind::Discover, None)]);
}

#[test]
fn an_address_that_a_neighbor_has_is_declined() {
    let mut machine = Machine::bound(true);
    assert_eq!(machine.client.lease(), None);
    let actions = machine.act(|client, turn| client.on_conflict(ADDRESS, turn));
    assert_eq!(sent(&actions), [to_all(Kind::Decline, Some(ADDRESS))]);
    assert_eq!(sent(&machine.run(11)).len(), 1);

    let mut machine = Machine::bound(true);
    assert_eq!(machine.act(|client, turn| client.on_conflict(SERVER, turn)), []);
    let actions = machine.run(5);
    assert_eq!(actions[..2], [Action::Probe(ADDRESS), Action::Probe(ADDRESS)]);
    assert!(matches!(actions[2..], [Action::Configure(_)]));
    let actions = machine.act(|client, turn| client.on_conflict(ADDRESS, turn));
    assert_eq!(actions.last(), Some(&Action::Deconfigure));
}

#[test]
fn a_stopped_client_gives_the_lease_back() {
    let mut machine = Machine::bound(false);
    let actions = machine.act(Client::stop);
    let release = Sent { at: 0, kind: Kind::Release, to: SERVER, client: ADDRESS, requested: None };
    assert_eq!(sent(&actions), [release]);
    assert_eq!((actions.last(), machine.client.deadline()), (Some(&Action::Deconfigure), None));
    assert_eq!(machine.answer(Kind::Ack, granted()), []);
}

#[test]
fn answers_that_make_no_sense_are_ignored() {
    let mut machine = Machine::new(false);
    machine.run(0);
    assert_eq!(machine.answer(Kind::Ack, granted()), []);
    assert_eq!(machine.answer(Kind::Offer, Options { server_id: None, ..granted() }), []);
    let other = machine.client.transaction;
    machine.client.transaction ^= 1;
    assert_eq!(machine.client.state, State::Selecting);
    machine.client.transaction = other;
    machine.answer(Kind::Offer, granted());
    for lease_time in [None, Some(0), Some(9)] {
        assert_eq!(machine.answer(Kind::Ack, Options { lease_time, ..granted() }), []);
    }
    assert_eq!(machine.answer(Kind::Ack, granted()).len(), 1);
}

#[test]
fn a_lease_for_ever_is_not_renewed() {
    let mut machine = Machine::new(false);
    machine.run(0);
    machine.answer(Kind::Offer, granted());
    machine.answer(Kind::Ack, Options { lease_time: Some(u32::MAX), ..granted() });
    assert_eq!(machine.client.deadline(), None);
}
