//! UDP sockets (udp(7)), and those of UDP-Lite (udplite(7)). Datagrams between two sockets of the enclave do not touch the stack.

mod cork;
mod lite;
mod options;
mod queue;

pub(crate) use lite::Transports;
pub(crate) use queue::UdpPorts;

use crate::NetStack;
use crate::address::{self, Address, destination};
use crate::bind::Binder;
use crate::census::{Description, Names, state};
use crate::ip_options::Asked;
use crate::options::{Kind, Options, from_int};
use crate::patience::Patience;
use crate::ports::{Binding, Sharing};
use crate::socket::{Control, MSG_ZEROCOPY, Outgoing, Received, Shutdown, Socket};
use crate::stack::{Guard, Incoming, Manner, Undelivered};
use crate::statistics::{Count, Family};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use cork::{Pending, taken};
use queue::{Datagram, Queue};
use rkt_linux_abi::{Errno, Result, general::*, net::*};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_user::{IoSink, IoSource};
use rkt_wire::{icmpv4, icmpv6, udp};

/// Most payload bytes (ip(7): 65,535 less the headers).
const MAX_PAYLOAD: usize = 65_507;
/// Most datagrams of a row (UDP_MAX_SEGMENTS of linux/udp.h).
const MAX_SEGMENTS: usize = 128;
/// The loopback's index.
const LOOPBACK: u32 = 1;
/// Time to live of datagrams that do not leave.
const LOCAL_TTL: u8 = 64;

struct State {
    binding: Option<Binding<Queue>>,
    guard: Option<Guard>,
    /// bind(2) named the port.
    port_chosen: bool,
    /// The address that bind(2) named, which stays when the port goes.
    kept: Option<IpAddr>,
    /// Address that datagrams come from, if the port is bound to all.
    source: Option<IpAddr>,
    read_shut: bool,
    write_shut: bool,
    v6_only: bool,
    /// UDP_CORK, and the datagram that waits for more.
    cork: bool,
    pending: Option<Pending>,
    /// UDP_SEGMENT and UDP_GRO.
    segment: u16,
    gro: bool,
    /// UDPLITE_SEND_CSCOV: 0 for all.
    send_coverage: u16,
}

/// A UDP socket.
pub(crate) struct UdpSocket {
    net: Arc<NetStack>,
    v6: bool,
    /// It is of UDP-Lite.
    lite: bool,
    queue: Arc<Queue>,
    options: Mutex<Options>,
    state: Mutex<State>,
}

/// How a datagram is to go: from where, and how.
struct Route {
    from: IpAddr,
    manner: Manner,
}

impl UdpSocket {
    /// A fresh socket of AF_INET or AF_INET6.
    pub fn new(net: Arc<NetStack>, v6: bool, lite: bool) -> Arc<Self> {
        let family = if v6 { address::AF_INET6 } else { address::AF_INET };
        let protocol = if lite { SOL_UDPLITE } else { SOL_UDP };
        let options = Options::new(family, Kind::Datagram, protocol);
        let queue = Queue::new(options.receive_buffer, v6, net.statistics.clone());
        let state = State {
            binding: None,
            guard: None,
            port_chosen: false,
            kept: None,
            source: None,
            read_shut: false,
            write_shut: false,
            v6_only: false,
            cork: false,
            pending: None,
            segment: 0,
            gro: false,
            send_coverage: 0,
        };
        Arc::new(Self { net, v6, lite, queue, options: Mutex::new(options), state: Mutex::new(state) })
    }

    fn ports(&self) -> &Arc<UdpPorts> {
        if self.lite { &self.net.lite_ports } else { &self.net.udp_ports }
    }

    fn wildcard(&self) -> IpAddr {
        if self.v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
    }

    /// Binds the socket if it is not bound; gives its address.
    fn bind_to(&self, state: &mut State, to: SocketAddr) -> Result<SocketAddr> {
        if let Some(binding) = &state.binding {
            return Ok(binding.address());
        }
        let sharing = {
            let options = self.options.lock();
            Sharing { reuse_address: options.reuse_address, reuse_port: options.reuse_port, v6_only: state.v6_only }
        };
        self.queue.inner.lock().reuse_port = sharing.reuse_port;
        let binding = self.ports().table.bind(to, sharing)?;
        binding.own(&self.queue, false)?;
        let address = binding.address();
        // What the stack does not know of comes to UDP-Lite as to raw sockets.
        let outside = !address.ip().is_loopback() && !self.lite;
        if outside && let Some(stack) = self.net.stack() {
            state.guard = Some(stack.open_port(address.port(), self.net.udp_ports.clone())?);
        }
        state.binding = Some(binding);
        Ok(address)
    }

    /// Binds to a free port if the socket is not bound.
    fn auto_bind(&self, state: &mut State) -> Result<SocketAddr> {
        let ip = state.kept.unwrap_or(self.wildcard());
        self.bind_to(state, (ip, 0).into())
    }

    /// To whom sendto(2) sends; nobody where it leaves that to the connection.
    fn addressee(&self, to: &Address) -> Result<Option<SocketAddr>> {
        let to = match to {
            // Linux takes AF_UNSPEC for AF_INET here.
            Address::Unspecified { v4: Some(to), .. } if !self.v6 => (*to).into(),
            Address::Unspecified { v4: None, .. } if !self.v6 => return Err(Errno::EINVAL),
            Address::Unspecified { .. } => return Ok(None),
            Address::Unusable { .. } if self.v6 => return Err(Errno::EINVAL),
            other => other.inet(self.v6)?,
        };
        if to.is_ipv4() && self.state.lock().v6_only { Err(Errno::ENETUNREACH) } else { Ok(Some(destination(to))) }
    }

    /// The peer that connect(2) names.
    fn peer_of(&self, to: &Address) -> Result<SocketAddr> {
        let v6_only = self.state.lock().v6_only;
        match to.inet(self.v6)? {
            SocketAddr::V4(_) if v6_only && matches!(to, Address::Inet(SocketAddr::V4(_))) => Err(Errno::EAFNOSUPPORT),
            SocketAddr::V4(_) if v6_only => Err(Errno::ENETUNREACH),
            to => Ok(destination(to)),
        }
    }

    /// No peer any more; a port that was given out is free again (`__udp_disconnect` of Linux).
    fn dissolve(&self) {
        self.queue.inner.lock().peer = None;
        let mut state = self.state.lock();
        state.source = None;
        let freed = if state.port_chosen { None } else { Some((state.binding.take(), state.guard.take())) };
        drop(state);
        drop(freed);
    }

    /// The way to a destination: by what the message asks for, what was bound, and the routes.
    fn route(&self, to: SocketAddr, asked: &Asked) -> Result<Route> {
        if asked.interface.is_some_and(|named| !self.net.interfaces().iter().any(|one| one.index == named)) {
            return Err(Errno::ENODEV);
        }
        let device = self.options.lock().device;
        let (manner, outlet, unicast, source) = {
            let inner = self.queue.inner.lock();
            let outlet = inner.memberships.outlet(to.is_ipv4());
            (inner.ip.manner(to.ip()), outlet, inner.ip.outlet(to.is_ipv4()), inner.memberships.source())
        };
        let scope = match to {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Some(v6.scope_id()),
            _ => None,
        };
        let mut manner = asked.over(manner);
        let group = to.ip().is_multicast();
        manner.interface = manner.interface.or(scope).or(device).or(if group { outlet } else { unicast });
        let from = match (asked.source, source) {
            (Some(own), _) if !self.net.is_local(own) => return Err(Errno::ENETUNREACH),
            (Some(own), _) => own,
            (None, Some(named)) if group && to.is_ipv4() => named.into(),
            _ if group && manner.interface == Some(LOOPBACK) => match to.is_ipv4() {
                true => Ipv4Addr::LOCALHOST.into(),
                false => Ipv6Addr::LOCALHOST.into(),
            },
            _ => self.net.source(to.ip(), manner.interface)?,
        };
        Ok(Route { from, manner })
    }

    /// Sends a datagram to wherever it goes: here, away, or both.
    fn deliver(&self, from: SocketAddr, to: SocketAddr, payload: Vec<u8>, manner: &Manner) -> Result<()> {
        let many = to.ip().is_multicast() || self.net.is_broadcast(to.ip());
        let incoming = |payload: Vec<u8>, interface: u32| Incoming {
            local: to,
            from,
            coverage: self.coverage(payload.len()),
            payload,
            interface,
            ttl: manner.ttl.unwrap_or(LOCAL_TTL),
            tos: manner.tos,
            to_all: many,
            segment: manner.segment,
        };
        if many {
            let interface = manner.interface.or_else(|| self.outlet(to.ip())).unwrap_or(LOOPBACK);
            let loops = !to.ip().is_multicast() || self.queue.inner.lock().ip.loops(to.is_ipv4());
            if loops {
                self.ports().give_all(&incoming(payload.clone(), interface));
            }
            if interface == LOOPBACK {
                return Ok(());
            }
        } else if self.net.is_local(to.ip()) {
            if !self.lite {
                crate::loopback::show_udp(&self.net, from, to, &payload, manner);
            }
            if let Err(unheard) = self.ports().give(incoming(payload, LOOPBACK)) {
                self.count(to.ip(), Count::UdpNoPorts);
                self.refused(from, to, unheard.payload);
            }
            return Ok(());
        }
        let stack = self.net.stack().ok_or(Errno::ENETUNREACH)?;
        if self.lite {
            return lite::send(&**stack, from, to, &payload, self.coverage(payload.len()), manner);
        }
        stack.send_datagram(from, to, &payload, manner)
    }

    /// How much of a datagram its checksum covers, if not all of it.
    fn coverage(&self, payload: usize) -> Option<u16> {
        if !self.lite {
            return None;
        }
        let wanted = self.state.lock().send_coverage;
        (wanted != 0 && usize::from(wanted) < payload.saturating_add(udp::HEADER_LEN)).then_some(wanted)
    }

    /// The interface that packets to a group or to everyone leave by.
    fn outlet(&self, to: IpAddr) -> Option<u32> {
        let routed = self.net.routes().into_iter().find(|route| route.prefix.contains(to));
        routed.map(|route| route.interface.0)
    }

    /// Nobody here has the port: what an ICMP error would say (RFC 1122 §4.1.3.1).
    fn refused(&self, local: SocketAddr, to: SocketAddr, payload: Vec<u8>) {
        let (kind, code) = match to {
            SocketAddr::V4(_) => (icmpv4::kind::UNREACHABLE, icmpv4::unreachable::PORT),
            SocketAddr::V6(_) => (icmpv6::kind::UNREACHABLE, icmpv6::unreachable::PORT),
        };
        let (errno, reporter) = (Errno::ECONNREFUSED, Some(to.ip()));
        self.queue.report(&Undelivered { local, to, errno, hard: true, kind, code, info: 0, reporter, payload });
    }

    /// A datagram is longer than the path takes, and is not to be cut: who wants errors is told how long it may be.
    fn too_long(&self, local: SocketAddr, to: SocketAddr) {
        let Some(mtu) = self.net.stack().and_then(|stack| stack.path_mtu(to.ip()).ok()) else { return };
        let mut inner = self.queue.inner.lock();
        if inner.ip.receives_errors(to.is_ipv4()) {
            let (errno, info) = (Errno::EMSGSIZE, u32::from(mtu));
            let (hard, kind, code, reporter) = (true, 0, 0, None);
            let payload = Vec::new();
            inner.errors.push(Undelivered { local, to, errno, hard, kind, code, info, reporter, payload });
        }
    }

    fn count(&self, ip: IpAddr, what: Count) {
        self.net.statistics.count(Family::of_datagram(ip, self.lite), what);
    }

    fn take_error(&self) -> Option<Errno> {
        self.queue.inner.lock().error.take()
    }

    fn receive_error(&self, sink: &mut IoSink<'_>) -> Result<Received> {
        let stamps = self.options.lock().stamps;
        let mut inner = self.queue.inner.lock();
        let (received, next) = inner.errors.receive(sink, self.v6, stamps)?;
        inner.error = next;
        Ok(received)
    }

    /// What a receiver gets of a datagram.
    fn received(&self, datagram: &Datagram, stored: usize, flags: u32) -> Received {
        let whole = datagram.payload.len();
        let mut controls = self.options.lock().stamps.controls(datagram.at);
        if datagram.lost > 0 && self.options.lock().kept(SO_RXQ_OVFL) != 0 {
            let data = datagram.lost.to_ne_bytes().to_vec();
            controls.push(Control { level: SOL_SOCKET, kind: SO_RXQ_OVFL, data });
        }
        if let Some(segment) = datagram.segment.filter(|_| self.state.lock().gro) {
            controls.push(Control { level: SOL_UDP, kind: options::UDP_GRO, data: from_int(segment) });
        }
        controls.extend(self.queue.inner.lock().ip.controls(&datagram.facts, self.v6));
        Received {
            len: if flags & MSG_TRUNC != 0 { whole } else { stored },
            from: Some(Address::shown(datagram.from, self.v6)),
            flags: if stored < whole { MSG_TRUNC } else { 0 },
            controls,
            ..Received::default()
        }
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.queue.inner.lock().memberships.leave_all(&self.net);
    }
}

impl Socket for UdpSocket {
    fn wait_queue(&self) -> &Arc<WaitQueue> {
        &self.queue.waiters
    }

    fn is_stream(&self) -> bool {
        false
    }

    fn poll(&self) -> u32 {
        let (read_shut, write_shut) = {
            let state = self.state.lock();
            (state.read_shut, state.write_shut)
        };
        let marks_errors = self.options.lock().kept(SO_SELECT_ERR_QUEUE) != 0;
        let inner = self.queue.inner.lock();
        let mut events = POLLOUT | POLLWRNORM | POLLWRBAND;
        if !inner.datagrams.is_empty() || read_shut {
            events |= POLLIN | POLLRDNORM;
        }
        events |= if read_shut { POLLRDHUP } else { 0 };
        events |= if read_shut && write_shut { POLLHUP } else { 0 };
        events |= if inner.error.is_some() || !inner.errors.is_empty() { POLLERR } else { 0 };
        // Errors in the queue are urgent for who wants select(2) to tell them apart (SO_SELECT_ERR_QUEUE).
        events | if marks_errors && !inner.errors.is_empty() { POLLPRI } else { 0 }
    }

    fn bind(&self, to: &Address) -> Result<()> {
        let free = self.queue.inner.lock().ip.binds_freely();
        let device = self.options.lock().device;
        let mut state = self.state.lock();
        let to = self.net.bindable(
            to,
            &Binder {
                v6: self.v6,
                stream: false,
                v6_only: state.v6_only,
                free,
                bound: state.binding.is_some(),
                device,
            },
        )?;
        self.bind_to(&mut state, (to.ip(), to.port()).into())?;
        state.port_chosen = to.port() != 0;
        state.kept = Some(to.ip());
        Ok(())
    }

    fn listen(&self, _backlog: i32) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn accept(&self, _nonblocking: bool) -> Result<(Arc<dyn Socket>, Address)> {
        Err(Errno::EOPNOTSUPP)
    }

    fn connect(&self, to: &Address, _nonblocking: bool) -> Result<()> {
        if matches!(to, Address::Unspecified { .. }) {
            self.dissolve();
            return Ok(());
        }
        let to = self.peer_of(to)?;
        if self.net.is_broadcast(to.ip()) && !self.options.lock().broadcast {
            return Err(Errno::EACCES);
        }
        let source = self.route(to, &Asked::default())?.from;
        let mut state = self.state.lock();
        self.auto_bind(&mut state)?;
        state.source = Some(source);
        let mut inner = self.queue.inner.lock();
        inner.peer = Some(to);
        inner.error = None;
        Ok(())
    }

    fn send(&self, source: &mut IoSource<'_>, message: &mut Outgoing<'_>) -> Result<usize> {
        let len = source.remaining();
        if len > MAX_PAYLOAD {
            return Err(Errno::EMSGSIZE);
        }
        if message.flags & MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let more = message.flags & MSG_MORE != 0 || self.state.lock().cork;
        if let Some(outcome) = self.append(source, more) {
            return outcome;
        }
        if let Some(error) = self.take_error() {
            return Err(error);
        }
        let to = match message.to {
            Some(to) => self.addressee(to)?,
            None => None,
        };
        let to = match to {
            Some(to) if to.port() == 0 => return Err(Errno::EINVAL),
            Some(to) => to,
            None => self.queue.inner.lock().peer.ok_or(Errno::EDESTADDRREQ)?,
        };
        if self.net.is_broadcast(to.ip()) && !self.options.lock().broadcast {
            return Err(Errno::EACCES);
        }
        let mut asked = Asked::from_controls(&message.controls, self.v6)?;
        let segment = asked.segment.unwrap_or(self.state.lock().segment);
        asked.segment = Some(segment).filter(|segment| *segment != 0);
        if asked.segment.is_some_and(|segment| len > usize::from(segment).saturating_mul(MAX_SEGMENTS)) {
            return Err(Errno::EINVAL);
        }
        if asked.segment.is_some() && self.lite {
            return Err(Errno::EIO);
        }
        let Route { from, manner } = self.route(to, &asked)?;
        let from = {
            let mut state = self.state.lock();
            if state.write_shut {
                return Err(Errno::EPIPE);
            }
            let bound = self.auto_bind(&mut state)?;
            let free = bound.ip().is_unspecified() || bound.ip().is_multicast() || asked.source.is_some();
            if free { (from, bound.port()).into() } else { bound }
        };
        let pending = Pending { from, to, manner, payload: taken(source)? };
        if more {
            self.state.lock().pending = Some(pending);
            return Ok(len);
        }
        self.dispatch(pending)?;
        if message.flags & MSG_ZEROCOPY != 0 && len > 0 && self.options.lock().kept(SO_ZEROCOPY) != 0 {
            self.queue.inner.lock().errors.push_copied();
        }
        Ok(len)
    }

    fn receive(&self, sink: &mut IoSink<'_>, flags: u32, nonblocking: bool) -> Result<Received> {
        if flags & MSG_ERRQUEUE != 0 {
            return self.receive_error(sink);
        }
        let timeout = self.options.lock().receive_timeout;
        let peek = flags & MSG_PEEK != 0;
        let patience = Patience::new(nonblocking, flags, timeout);
        patience.until(&self.queue.waiters, || {
            let start = if peek { self.options.lock().peek_start() } else { 0 };
            let (datagram, skipped) = {
                let mut inner = self.queue.inner.lock();
                if let Some(error) = inner.error.take() {
                    return Err(error);
                }
                let Some((first, skipped)) = inner.at(start) else {
                    drop(inner);
                    // Only who would wait is told that nothing will come (`__skb_wait_for_more_packets`).
                    let ended = patience.waits() && self.state.lock().read_shut;
                    return if ended { Ok(Received::default()) } else { Err(Errno::EAGAIN) };
                };
                if peek {
                    (first.clone(), skipped)
                } else {
                    let cost = first.cost();
                    inner.used = inner.used.saturating_sub(cost);
                    let taken = inner.datagrams.pop_front().ok_or(Errno::EAGAIN)?;
                    self.count(taken.from.ip(), Count::UdpInDatagrams);
                    (taken, 0)
                }
            };
            let payload = datagram.payload.get(skipped..).unwrap_or(&[]);
            let stored = if payload.is_empty() { 0 } else { sink_put(sink, payload)? };
            let received = self.received(&datagram, stored, flags);
            self.options.lock().advance(peek, received.len);
            Ok(received)
        })
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        let connected = self.queue.inner.lock().peer.is_some();
        {
            // Linux marks the socket even where it then complains.
            let mut state = self.state.lock();
            state.read_shut |= how.reads();
            state.write_shut |= how.writes();
        }
        self.queue.waiters.wake_all(POLLIN | POLLHUP | POLLRDHUP);
        if connected { Ok(()) } else { Err(Errno::ENOTCONN) }
    }

    fn local_address(&self) -> Address {
        let state = self.state.lock();
        let none = || (state.kept.unwrap_or(self.wildcard()), 0).into();
        let bound = state.binding.as_ref().map_or_else(none, Binding::address);
        let addr = match state.source {
            Some(source) if bound.ip().is_unspecified() => (source, bound.port()).into(),
            _ => bound,
        };
        Address::shown(addr, self.v6)
    }

    fn peer_address(&self) -> Result<Address> {
        let peer = self.queue.inner.lock().peer.filter(|peer| peer.port() != 0).ok_or(Errno::ENOTCONN)?;
        Ok(Address::shown(peer, self.v6))
    }

    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        self.change_option(level, name, value)
    }

    fn option(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        self.read_option(level, name)
    }

    fn queued_input(&self) -> Result<usize> {
        Ok(self.queue.inner.lock().datagrams.front().map_or(0, |datagram| datagram.payload.len()))
    }

    fn queued_output(&self) -> Result<usize> {
        Ok(0)
    }

    fn describe(&self) -> Option<Description> {
        let Address::Inet(local) = self.local_address() else { return None };
        let v6_only = self.state.lock().v6_only;
        let inner = self.queue.inner.lock();
        let (info, congestion) = (Vec::new(), Vec::new());
        Some(Description {
            family: if self.v6 { address::AF_INET6 } else { address::AF_INET },
            kind: Kind::Datagram as u8,
            protocol: if self.lite { SOL_UDPLITE as u16 } else { IPPROTO_UDP as u16 },
            state: if inner.peer.is_some() { state::ESTABLISHED } else { state::CLOSE },
            receive_queue: inner.used as u32,
            send_queue: 0,
            inode: 0,
            uid: 0,
            names: Names::Internet { local, peer: inner.peer, info, congestion, v6_only },
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Stores what fits: the rest of a datagram is lost.
fn sink_put(sink: &mut IoSink<'_>, payload: &[u8]) -> Result<usize> {
    if sink.is_full() { Ok(0) } else { sink.put(payload) }
}
