//! TCP/IP over the enclave's network cards.
//!
//! The protocols themselves are pure: `rkt-tcp` is a connection, `rkt-inet` the Internet layer, `rkt-wire`
//! the formats. The engine has the cards, the locks and the clock: it finds the flow of a segment by a
//! hash, calls the state machine, sends what that wants sent, keeps its timers in wheels, and wakes
//! who waits.
//!
//! A connection is under a lock of its own, a pair of the card's queues under another, which its
//! vCPU rarely shares. They are taken in the order port, flow, link. Waiters and acceptors are told when
//! all locks were let go ([`round::Round`]).

mod arrival;
mod budget;
mod change;
mod configure;
mod connection;
mod counting;
mod datagram;
mod ending;
mod flow;
mod fragments;
mod headers;
mod input;
mod link;
mod listen;
mod neighbors;
mod output;
mod poll;
mod port;
mod rare;
mod round;
mod setup;
mod table;
mod wheel;

use crate::Interface;
use crate::netstack::Card;
use crate::stack::{
    Acceptor, Configuration, Connection, DatagramSink, FrameSink, Guard, Insertion, LinkChange, Manner, NeighborChange,
    PacketSink, Stack,
};
use crate::statistics::{Count, Statistics};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use budget::Budget;
use core::net::{IpAddr, SocketAddr};
use core::sync::atomic::AtomicU64;
use datagram::Datagrams;
use flow::Flow;
use link::Link;
use listen::Listeners;
use rkt_inet::icmp::Limiter;
use rkt_inet::multicast::{Filter, JoinError, Member};
use rkt_inet::neighbor::Neighbor;
use rkt_inet::{pmtu, route};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitQueue;
use rkt_sync::{Mutex, RwLock};
use rkt_tcp::{Config, Key};
use rkt_wire::ip::Addresses;
use table::{Keyed, Pair, Table};
use wheel::Wheel;

/// Time to live of packets (RFC 1700; net.ipv4.ip_default_ttl).
const DEFAULT_TTL: u8 = 64;

/// What a timer is for.
enum Timer {
    Flow(Arc<Flow>),
    Listener(Arc<listen::Listening>),
}

/// A vCPU's timers.
struct Timers {
    wheel: Mutex<Wheel<Timer>>,
    /// When the wheel's next entry comes up, in nanoseconds.
    next: AtomicU64,
}

/// The stack.
pub(crate) struct Engine {
    me: Weak<Engine>,
    /// Of all hashes that others must not foresee.
    key: Key,
    /// Of SYN cookies.
    cookie_key: Key,
    /// Limits the ICMP errors that are sent.
    complaints: Mutex<Limiter>,
    links: Vec<Link>,
    routes: RwLock<route::Table>,
    /// What paths take that are narrower than their links.
    paths: Mutex<pmtu::Cache>,
    /// Who waits for changes of addresses, routes and resolvers.
    changes: Arc<WaitQueue>,
    flows: Table<Flow>,
    /// Of all flows' buffers.
    budget: Arc<Budget>,
    listeners: Listeners,
    datagrams: Datagrams,
    /// Raw sockets.
    raw: Arc<dyn PacketSink>,
    statistics: Arc<Statistics>,
    /// By vCPU.
    timers: Vec<Timers>,
    /// When links and the Internet layer want to be looked after, in nanoseconds.
    housekeeping: AtomicU64,
}

/// Where packets to a destination go.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// Index of the link.
    link: usize,
    /// The neighbour.
    next_hop: IpAddr,
    /// Own address that they come from.
    source: IpAddr,
}

/// The interface that an address names, if it is only good on a link (RFC 4007 §6).
fn scope(to: SocketAddr) -> Option<u32> {
    match to {
        SocketAddr::V6(to) if to.scope_id() != 0 => Some(to.scope_id()),
        _ => None,
    }
}

/// The address without the name of a link, as flows are known.
fn unscoped(address: SocketAddr) -> SocketAddr {
    (address.ip(), address.port()).into()
}

fn random_key() -> Key {
    let mut bytes = [0; 16];
    rkt_platform::random(&mut bytes);
    let (words, _) = bytes.as_chunks::<8>();
    core::array::from_fn(|nth| words.get(nth).map_or(0, |word| u64::from_le_bytes(*word)))
}

impl Engine {
    /// Over these cards, in a kernel with so many bytes of memory; raw sockets see all packets, packet
    /// sockets all frames.
    pub fn new(
        cards: Vec<Card>,
        raw: Arc<dyn PacketSink>,
        frames: Arc<dyn FrameSink>,
        statistics: Arc<Statistics>,
        memory: usize,
    ) -> Arc<Self> {
        let now = rkt_platform::now();
        let mut routes = route::Table::new();
        let links: Vec<Link> = (2..)
            .zip(cards)
            .map(|(index, card)| configure::bring_up(index, card, frames.clone(), &mut routes))
            .collect();
        let timers = || Timers { wheel: Mutex::new(Wheel::new(now)), next: AtomicU64::new(u64::MAX) };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            key: random_key(),
            cookie_key: random_key(),
            complaints: Mutex::new(Limiter::new(now)),
            links,
            routes: RwLock::new(routes),
            paths: Mutex::new(pmtu::Cache::new()),
            changes: Arc::new(WaitQueue::new()),
            flows: Table::new(),
            budget: Budget::of(memory),
            listeners: Listeners::new(),
            datagrams: Datagrams::new(),
            raw,
            statistics,
            timers: (0..rkt_platform::cpus()).map(|_| timers()).collect(),
            housekeeping: AtomicU64::new(now),
        })
    }

    /// Sends what a round outside of a poll left, and tells.
    fn send_round(&self, nth: usize, link: &Link, mut round: round::Round) {
        if let Some(port) = link.port() {
            self.finish(nth, link, &mut port.lock(), &mut round);
        }
        round.tell();
    }

    /// Most bytes of packets to a destination, and whether they may be cut on the way.
    fn mtu_of(&self, link: &Link, to: IpAddr, now: u64) -> (usize, bool) {
        let of_link = link.mtu(to.is_ipv4());
        match self.paths.lock().get(to, now) {
            Some(path) => (of_link.min(path.mtu.into()), path.may_fragment),
            None => (of_link, false),
        }
    }

    /// The link with this interface number.
    fn link_of(&self, interface: rkt_inet::Interface) -> Option<usize> {
        self.links.iter().position(|link| link.interface == interface)
    }

    /// How to reach a destination, out of a certain interface if one is named.
    ///
    /// # Errors
    /// `ENETUNREACH` without a route or address, `EHOSTUNREACH` and `EACCES` if a route refuses, `ENETDOWN`.
    fn way(&self, to: IpAddr, interface: Option<u32>) -> Result<Way> {
        let interface = interface.map(rkt_inet::Interface);
        let routes = self.routes.read();
        let route = routes.lookup(to, interface).ok_or_else(|| {
            self.count(to, Count::OutNoRoutes);
            Errno::ENETUNREACH
        })?;
        match route.kind {
            route::Kind::Unicast => {}
            route::Kind::Prohibit => return Err(Errno::EACCES),
            route::Kind::Unreachable => return Err(Errno::EHOSTUNREACH),
            route::Kind::Local | route::Kind::Blackhole => return Err(Errno::EINVAL),
        }
        let nth = self.link_of(route.interface).ok_or(Errno::ENETUNREACH)?;
        let link = self.links.get(nth).ok_or(Errno::ENETUNREACH)?;
        if !link.is_up() {
            return Err(Errno::ENETDOWN);
        }
        let source = route.source.or_else(|| configure::source(&self.links, link, to)).ok_or(match to {
            IpAddr::V4(_) => Errno::ENETUNREACH,
            IpAddr::V6(_) => Errno::EADDRNOTAVAIL,
        })?;
        Ok(Way { link: nth, next_hop: route.next_hop(to), source })
    }
}

impl Stack for Engine {
    fn interfaces(&self) -> Vec<Interface> {
        self.links.iter().map(configure::describe).collect()
    }

    fn routes(&self) -> Vec<route::Route> {
        self.routes.read().iter().copied().collect()
    }

    fn neighbors(&self) -> Vec<(u32, Neighbor)> {
        let of = |link: &Link| -> Vec<_> {
            link.neighbors.lock().iter().map(|neighbor| (link.interface.0, neighbor)).collect()
        };
        self.links.iter().flat_map(of).collect()
    }

    fn route_to(&self, to: IpAddr, interface: Option<u32>) -> Result<(u32, Option<IpAddr>, IpAddr)> {
        let way = self.way(to, interface)?;
        let link = self.links.get(way.link).ok_or(Errno::ENETUNREACH)?;
        Ok((link.interface.0, Some(way.next_hop).filter(|hop| *hop != to), way.source))
    }

    fn is_local(&self, ip: IpAddr) -> bool {
        self.links.iter().any(|link| link.owns(ip))
    }

    fn is_broadcast(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else { return false };
        ip.is_broadcast() || self.links.iter().any(|link| link.is_broadcast(ip))
    }

    fn source(&self, to: IpAddr, interface: Option<u32>) -> Result<IpAddr> {
        Ok(self.way(to, interface)?.source)
    }

    fn connect(
        &self,
        local: SocketAddr,
        to: SocketAddr,
        queue: Arc<WaitQueue>,
        config: &Config,
        manner: &Manner,
    ) -> Result<Arc<dyn Connection>> {
        let way = self.way(to.ip(), manner.interface.or(scope(to)))?;
        let (local, to) = (unscoped(local), unscoped(to));
        if to.ip().is_multicast() || self.is_broadcast(to.ip()) {
            return Err(Errno::ENETUNREACH);
        }
        self.open(Pair { local, peer: to }, way, queue, config, manner)
    }

    fn listen(
        &self,
        address: Option<IpAddr>,
        v6_only: bool,
        port: u16,
        acceptor: Arc<dyn Acceptor>,
        config: &Config,
    ) -> Result<Guard> {
        self.start_listening(address, v6_only, port, acceptor, config)
    }

    fn open_port(&self, port: u16, sink: Arc<dyn DatagramSink>) -> Result<Guard> {
        self.datagrams.open(port, sink, self.me.clone())
    }

    fn send_datagram(&self, local: SocketAddr, to: SocketAddr, payload: &[u8], manner: &Manner) -> Result<()> {
        self.send_udp(local, to, payload, manner)
    }

    fn send_packet(&self, addresses: Addresses, protocol: u8, bytes: &[u8], manner: &Manner) -> Result<()> {
        self.send_any(addresses, protocol, bytes, manner)
    }

    fn send_frame(&self, interface: u32, frame: &[u8], sender: u64) -> Result<()> {
        let nth = self.link_of(rkt_inet::Interface(interface)).ok_or(Errno::ENXIO)?;
        let link = self.links.get(nth).ok_or(Errno::ENXIO)?;
        let mut port = link.port().ok_or(Errno::ENETDOWN)?.lock();
        port.send_as(&rkt_netdev::TxMeta::default(), &[frame], sender);
        port.kick();
        Ok(())
    }

    fn path_mtu(&self, to: IpAddr) -> Result<u16> {
        let way = self.way(to, None)?;
        let link = self.links.get(way.link).ok_or(Errno::ENETUNREACH)?;
        Ok(self.mtu_of(link, to, rkt_platform::now()).0 as u16)
    }

    fn set_group(&self, interface: u32, member: Member, group: IpAddr, filter: Filter) -> Result<()> {
        let nth = self.link_of(rkt_inet::Interface(interface)).ok_or(Errno::ENODEV)?;
        let link = self.links.get(nth).ok_or(Errno::ENODEV)?;
        let mut round = round::Round::new();
        let now = round.now;
        let outcome = self.set_up(link, &mut round, |setup, wants| {
            let random = &mut crate::ports::random;
            let turn = &mut setup::turn(now, random, &mut wants.groups);
            setup.groups.set(member, group, filter, turn)
        });
        self.send_round(nth, link, round);
        outcome.map_err(|error| match error {
            JoinError::NoGroup => Errno::EINVAL,
            JoinError::Full => Errno::ENOBUFS,
        })
    }

    fn set_link(&self, interface: u32, change: LinkChange) -> Result<()> {
        self.change_link(interface, change)
    }

    fn add_address(&self, interface: u32, ip: IpAddr, prefix: u8) -> Result<()> {
        self.insert_address(interface, ip, prefix)
    }

    fn remove_address(&self, interface: u32, ip: IpAddr, prefix: Option<u8>) -> Result<()> {
        self.delete_address(interface, ip, prefix)
    }

    fn add_route(&self, route: route::Route, how: Insertion, interface: Option<u32>) -> Result<()> {
        self.insert_route(route, how, interface)
    }

    fn remove_route(&self, is_it: &dyn Fn(&route::Route) -> bool) -> Result<()> {
        let mut routes = self.routes.write();
        let first = routes.iter().find(|route| is_it(route)).copied().ok_or(Errno::ESRCH)?;
        routes.remove_if(|route| *route == first);
        Ok(())
    }

    fn set_neighbor(&self, interface: u32, ip: IpAddr, change: NeighborChange) -> Result<()> {
        self.change_neighbor(interface, ip, change)
    }

    fn connections(&self) -> Vec<(SocketAddr, SocketAddr, u8)> {
        let state = |flow: &Flow| {
            let mut inner = flow.inner.lock();
            match &mut *inner {
                flow::Inner { time_wait: Some(_), .. } => crate::state::TIME_WAIT,
                flow::Inner { tcb: Some(tcb), .. } => tcb.info(rkt_platform::now()).state,
                _ => crate::state::CLOSE,
            }
        };
        let all = self.flows.all();
        all.iter().map(|flow| (flow.pair().local, flow.pair().peer, state(flow))).collect()
    }

    fn configuration(&self) -> Configuration {
        let mut all = Configuration { complete: true, resolvers: Vec::new() };
        for link in &self.links {
            let setup = link.setup.lock();
            all.complete &= setup.is_complete();
            all.resolvers.extend(setup.resolvers());
        }
        all
    }

    fn changes(&self) -> &Arc<WaitQueue> {
        &self.changes
    }

    fn close_all(&self, deadline: u64) {
        Engine::close_all(self, deadline);
    }

    fn poll(&self) -> bool {
        self.poll_links()
    }

    fn has_work(&self) -> bool {
        self.links.iter().any(|link| (0..link.ports.len()).any(|nth| link.has_work(nth)))
    }

    fn deadline(&self) -> u64 {
        self.next_deadline()
    }
}
