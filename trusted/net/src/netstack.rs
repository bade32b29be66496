//! The network of the enclave as a whole.

use crate::Interface;
use crate::address::{AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX};
use crate::census::Census;
use crate::engine::Engine;
use crate::netlink::{Monitor, NetlinkSocket};
use crate::options::Kind;
use crate::packet::{PacketSocket, Taps};
use crate::ports::PortTable;
use crate::raw::{RawSocket, RawTable};
use crate::socket::{Hooks, Socket};
use crate::stack::{Configuration, FrameSink, Stack};
use crate::statistics::Statistics;
use crate::tcp::{Listener, TcpSocket};
use crate::udp::{Transports, UdpPorts, UdpSocket};
use crate::unix::{self, Names};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use rkt_inet::neighbor::Neighbor;
use rkt_inet::route::Route;
use rkt_linux_abi::{Errno, Result, general::CAP_NET_RAW, net::*, netlink::NETLINK_ROUTE, netlink::NETLINK_SOCK_DIAG};
use rkt_netdev::NetDevice;
use rkt_sched::{Notify, Registration};
use rkt_sync::Mutex;

/// Behind the last type of sockets and the last family (SOCK_MAX and NPROTO of Linux).
const KIND_END: u32 = 11;
const FAMILY_END: u32 = 46;
/// Type bits that socket(2) takes beside the type; they are the descriptor's.
const TYPE_FLAGS: u32 = rkt_linux_abi::general::O_NONBLOCK | rkt_linux_abi::general::O_CLOEXEC;

/// A network card and its static configuration.
pub struct Card {
    /// The driver.
    pub device: Box<dyn NetDevice>,
    /// Name of the interface.
    pub name: String,
    /// Own addresses, each with the bits of it that name its network.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Where packets to other networks go, one for each version of IP.
    pub gateways: Vec<IpAddr>,
    /// A server is asked for an address of IPv4 (DHCP).
    pub dhcp: bool,
    /// Routers are asked for addresses of IPv6.
    pub slaac: bool,
    /// The name told to a server.
    pub host_name: Vec<u8>,
}

/// The network: makes sockets, and looks after the card.
pub struct NetStack {
    stack: Option<Arc<dyn Stack>>,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) raw: Arc<RawTable>,
    pub(crate) taps: Arc<Taps>,
    pub(crate) tcp_ports: Arc<PortTable<Listener>>,
    pub(crate) udp_ports: Arc<UdpPorts>,
    pub(crate) lite_ports: Arc<UdpPorts>,
    pub(crate) names: Arc<Names>,
    pub(crate) statistics: Arc<Statistics>,
    pub(crate) census: Census,
    pub(crate) monitor: Monitor,
    /// Has the monitor look when servers and routers change something.
    watch: Mutex<Option<Registration>>,
}

/// Is told when the configuration changes.
struct Watcher(Weak<NetStack>);

impl Notify for Watcher {
    fn notify(self: Arc<Self>, _events: u32) {
        if let Some(net) = self.0.upgrade() {
            net.monitor.look(&net);
        }
    }
}

impl NetStack {
    /// The network over these cards, whose frames `capture` sees; with none of them the loopback alone.
    pub fn new(cards: Vec<Card>, hooks: Arc<dyn Hooks>, capture: Option<Arc<dyn FrameSink>>) -> Arc<Self> {
        let raw = Arc::new(RawTable::default());
        let taps = Arc::new(Taps::new(capture));
        let lite_ports = UdpPorts::new();
        let transports = Arc::new(Transports { raw: raw.clone(), lite: lite_ports.clone() });
        let statistics = Arc::new(Statistics::default());
        let counted = statistics.clone();
        let engine = |cards| Engine::new(cards, transports, taps.clone(), counted, hooks.memory()) as Arc<dyn Stack>;
        let stack = (!cards.is_empty()).then(|| engine(cards));
        let net = Arc::new(Self {
            stack,
            hooks,
            raw,
            taps,
            tcp_ports: PortTable::new(true),
            udp_ports: UdpPorts::new(),
            lite_ports,
            names: Names::new(),
            statistics,
            census: Census::default(),
            monitor: Monitor::default(),
            watch: Mutex::new(None),
        });
        if let Some(stack) = &net.stack {
            let watcher = Arc::new(Watcher(Arc::downgrade(&net)));
            *net.watch.lock() = Some(stack.changes().register(watcher, false));
        }
        net
    }

    /// What the protocols have counted.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// socket(2). The flags SOCK_NONBLOCK and SOCK_CLOEXEC are ignored here.
    ///
    /// # Errors
    /// `EAFNOSUPPORT`, `EINVAL`, `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`; `EPERM` for raw sockets without CAP_NET_RAW.
    pub fn socket(self: &Arc<Self>, family: u32, kind: u32, protocol: u32) -> Result<Arc<dyn Socket>> {
        const TCP: u32 = IPPROTO_TCP as u32;
        const UDP: u32 = IPPROTO_UDP as u32;
        const ICMP: u32 = IPPROTO_ICMP as u32;
        const ICMPV6: u32 = IPPROTO_ICMPV6;
        /// Behind the last protocol number, IPPROTO_MPTCP.
        const END: u32 = IPPROTO_MPTCP as u32 + 1;
        let family = u16::try_from(family).map_err(|_| Errno::EAFNOSUPPORT)?;
        let kind = kind & !TYPE_FLAGS;
        if kind >= KIND_END && u32::from(family) < FAMILY_END {
            return Err(Errno::EINVAL);
        }
        match (family, kind, protocol) {
            (AF_UNIX, _, 0 | 1) => Ok(unix::socket(self.clone(), unix_kind(kind)?)),
            (AF_UNIX, ..) => Err(Errno::EPROTONOSUPPORT),
            (AF_INET | AF_INET6, 1, 0 | TCP) => Ok(TcpSocket::new(self.clone(), family == AF_INET6)),
            (AF_INET | AF_INET6, 2, 0 | UDP | SOL_UDPLITE) => {
                Ok(UdpSocket::new(self.clone(), family == AF_INET6, protocol == SOL_UDPLITE))
            }
            (AF_INET | AF_INET6, _, END..) => Err(Errno::EINVAL),
            (AF_INET, 2, ICMP) => Ok(RawSocket::new(self.clone(), false, ICMP as u8, true)),
            (AF_INET6, 2, ICMPV6) => Ok(RawSocket::new(self.clone(), true, ICMPV6 as u8, true)),
            (AF_INET | AF_INET6, 1 | 2, _) => Err(Errno::EPROTONOSUPPORT),
            (AF_INET | AF_INET6, 3, 0 | 256..) => Err(Errno::EPROTONOSUPPORT),
            (AF_INET | AF_INET6, 3, _) if !self.hooks.capable(CAP_NET_RAW) => Err(Errno::EPERM),
            (AF_INET | AF_INET6, 3, _) => Ok(RawSocket::new(self.clone(), family == AF_INET6, protocol as u8, false)),
            (AF_INET | AF_INET6, ..) => Err(Errno::ESOCKTNOSUPPORT),
            (AF_PACKET, ..) if !self.hooks.capable(CAP_NET_RAW) => Err(Errno::EPERM),
            // The protocol is in the byte order of the network.
            (AF_PACKET, 2 | 3, _) => Ok(PacketSocket::new(self.clone(), kind == 2, (protocol as u16).swap_bytes())),
            (AF_PACKET, ..) => Err(Errno::ESOCKTNOSUPPORT),
            (AF_NETLINK, 2 | 3, NETLINK_ROUTE | NETLINK_SOCK_DIAG) => {
                let kind = if kind == 2 { Kind::Datagram } else { Kind::Raw };
                Ok(NetlinkSocket::new(self.clone(), kind, protocol))
            }
            (AF_NETLINK, 2 | 3, _) => Err(Errno::EPROTONOSUPPORT),
            (AF_NETLINK, ..) => Err(Errno::ESOCKTNOSUPPORT),
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }

    /// socketpair(2).
    ///
    /// # Errors
    /// `EOPNOTSUPP` for families other than AF_UNIX, and as [`NetStack::socket`].
    pub fn socketpair(
        self: &Arc<Self>,
        family: u32,
        kind: u32,
        protocol: u32,
    ) -> Result<(Arc<dyn Socket>, Arc<dyn Socket>)> {
        if family != u32::from(AF_UNIX) {
            // The sockets are made first, so that their errors come first.
            self.socket(family, kind, protocol)?;
            return Err(Errno::EOPNOTSUPP);
        }
        if protocol > 1 {
            return Err(Errno::EPROTONOSUPPORT);
        }
        Ok(unix::pair(self.clone(), unix_kind(kind & !TYPE_FLAGS)?))
    }

    /// The interfaces: the loopback, and the cards'.
    pub fn interfaces(&self) -> Vec<Interface> {
        let mut all = Vec::from([Interface::loopback()]);
        all.extend(self.stack.iter().flat_map(|stack| stack.interfaces()));
        all
    }

    /// The routes, but for those of the loopback.
    pub fn routes(&self) -> Vec<Route> {
        self.stack.as_ref().map(|stack| stack.routes()).unwrap_or_default()
    }

    /// Neighbours on the cards' networks, with the interface behind which each is.
    pub fn neighbors(&self) -> Vec<(u32, Neighbor)> {
        self.stack.as_ref().map(|stack| stack.neighbors()).unwrap_or_default()
    }

    /// What the network says of itself now.
    pub fn configuration(&self) -> Configuration {
        let nothing_to_ask = Configuration { complete: true, resolvers: Vec::new() };
        self.stack.as_ref().map_or(nothing_to_ask, |stack| stack.configuration())
    }

    /// Waits until the configuration is another than `known`, or for its completion; not longer than to `deadline`.
    pub fn await_configuration(&self, known: &Configuration, deadline: Option<u64>) -> Configuration {
        let Some(stack) = &self.stack else { return self.configuration() };
        let changed = || Some(stack.configuration()).filter(|now| now != known);
        stack.changes().wait(deadline, changed).unwrap_or_else(|_| stack.configuration())
    }

    /// The program ends: closes all connections, and waits until their peers have everything that was written, and
    /// know that it is all; not longer than to `deadline`.
    pub fn close_all(&self, deadline: u64) {
        if let Some(stack) = &self.stack {
            stack.close_all(deadline);
        }
    }

    /// Does what there is to do; true if there was anything. Does nothing if another vCPU is at it.
    pub fn poll(&self) -> bool {
        self.stack.as_ref().is_some_and(|stack| stack.poll())
    }

    /// Whether [`NetStack::poll`] would find anything.
    pub fn has_work(&self) -> bool {
        self.stack.as_ref().is_some_and(|stack| stack.has_work())
    }

    /// When [`NetStack::poll`] is due for its own timers: monotonic nanoseconds, `u64::MAX` = never.
    pub fn deadline(&self) -> u64 {
        self.stack.as_ref().map_or(u64::MAX, |stack| stack.deadline())
    }

    pub(crate) fn stack(&self) -> Option<&Arc<dyn Stack>> {
        self.stack.as_ref()
    }

    /// Whether an address is the enclave's own.
    pub(crate) fn is_local(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.stack.as_ref().is_some_and(|stack| stack.is_local(ip))
    }

    /// The own address that packets to `to` come from.
    ///
    /// # Errors
    /// `ENETUNREACH`, `ENETDOWN`.
    pub(crate) fn source(&self, to: IpAddr, interface: Option<u32>) -> Result<IpAddr> {
        match to {
            IpAddr::V4(ip) if ip.is_loopback() => Ok(Ipv4Addr::LOCALHOST.into()),
            ip if self.is_local(ip) => Ok(ip),
            ip => self.stack.as_ref().ok_or(Errno::ENETUNREACH)?.source(ip, interface),
        }
    }
}

fn unix_kind(kind: u32) -> Result<Kind> {
    match kind {
        1 => Ok(Kind::Stream),
        // SOCK_RAW means SOCK_DGRAM here, as in Linux.
        2 | 3 => Ok(Kind::Datagram),
        5 => Ok(Kind::SeqPacket),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}
