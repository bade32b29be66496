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
mod configure;
mod connection;
mod datagram;
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
mod table;
mod wheel;

use crate::Interface;
use crate::netstack::Card;
use crate::stack::{Acceptor, Connection, DatagramSink, Guard, Stack};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::sync::atomic::AtomicU64;
use datagram::Datagrams;
use flow::Flow;
use link::Link;
use listen::Listeners;
use rkt_inet::icmp::Limiter;
use rkt_inet::route;
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitQueue;
use rkt_sync::{Mutex, RwLock};
use rkt_tcp::{Config, Key};
use table::{Pair, Table};
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
    flows: Table<Flow>,
    listeners: Listeners,
    datagrams: Datagrams,
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

fn random_key() -> Key {
    let mut bytes = [0; 16];
    rkt_platform::random(&mut bytes);
    let (words, _) = bytes.as_chunks::<8>();
    core::array::from_fn(|nth| words.get(nth).map_or(0, |word| u64::from_le_bytes(*word)))
}

impl Engine {
    /// Over these cards.
    pub fn new(cards: Vec<Card>) -> Arc<Self> {
        let now = rkt_platform::now();
        let mut routes = route::Table::new();
        let links: Vec<Link> =
            (2..).zip(cards).map(|(index, card)| configure::bring_up(index, card, &mut routes)).collect();
        let timers = || Timers { wheel: Mutex::new(Wheel::new(now)), next: AtomicU64::new(u64::MAX) };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            key: random_key(),
            cookie_key: random_key(),
            complaints: Mutex::new(Limiter::new(now)),
            links,
            routes: RwLock::new(routes),
            flows: Table::new(),
            listeners: Listeners::new(),
            datagrams: Datagrams::new(),
            timers: (0..rkt_platform::cpus()).map(|_| timers()).collect(),
            housekeeping: AtomicU64::new(now),
        })
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
        let route = routes.lookup(to, interface).ok_or(Errno::ENETUNREACH)?;
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
    ) -> Result<Arc<dyn Connection>> {
        let way = self.way(to.ip(), None)?;
        if to.ip().is_multicast() || self.is_broadcast(to.ip()) {
            return Err(Errno::ENETUNREACH);
        }
        self.open(Pair { local, peer: to }, way, queue, config)
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

    fn send_datagram(&self, local: SocketAddr, to: SocketAddr, payload: &[u8]) -> Result<()> {
        self.send_udp(local, to, payload)
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
