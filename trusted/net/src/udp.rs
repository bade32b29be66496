//! UDP sockets (udp(7)): queues of datagrams. Those between two sockets of the enclave do not
//! touch the stack.

use crate::NetStack;
use crate::address::{self, Address, destination};
use crate::ip_options::IpOptions;
use crate::options::{Kind, Options, from_int, int};
use crate::patience::Patience;
use crate::ports::{Binding, PortTable, Sharing};
use crate::socket::{Outgoing, Received, Shutdown, Socket};
use crate::stack::{DatagramSink, Guard, Undelivered};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use rkt_linux_abi::{Errno, Result, general::*, net::*};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_user::{IoSink, IoSource};

/// Most payload bytes (ip(7): 65,535 less the headers).
const MAX_PAYLOAD: usize = 65_507;
/// What a queued datagram counts beside its bytes, about Linux's `sk_buff`.
const OVERHEAD: usize = 576;

/// The ports of UDP.
pub(crate) struct UdpPorts {
    table: Arc<PortTable<Queue>>,
}

impl UdpPorts {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { table: PortTable::new(false) })
    }
}

impl DatagramSink for UdpPorts {
    fn deliver(&self, local: SocketAddr, from: SocketAddr, payload: Vec<u8>) {
        let owners = self.table.owners(local);
        // A connected socket that knows the sender comes before one that takes all (udp(7)).
        let peer = |queue: &&Arc<Queue>| queue.inner.lock().peer;
        let connected = owners.iter().find(|queue| peer(queue) == Some(from));
        if let Some(queue) = connected.or_else(|| owners.iter().find(|queue| peer(queue).is_none())) {
            queue.push(from, payload);
        }
    }

    fn undelivered(&self, what: &Undelivered) {
        // Without IP_RECVERR only connected sockets hear of it (RFC 1122 §4.1.3.3).
        for queue in self.table.owners(what.local) {
            let told = {
                let mut inner = queue.inner.lock();
                let told = what.hard && inner.peer == Some(what.to);
                if told {
                    inner.error = Some(what.errno);
                }
                told
            };
            if told {
                queue.waiters.wake_all(POLLERR);
            }
        }
    }
}

struct Datagram {
    from: SocketAddr,
    payload: Vec<u8>,
}

struct Inner {
    datagrams: VecDeque<Datagram>,
    /// Bytes that the datagrams count, and may.
    used: usize,
    limit: usize,
    peer: Option<SocketAddr>,
    error: Option<Errno>,
}

/// The receiving side, known to the port table.
pub(crate) struct Queue {
    waiters: Arc<WaitQueue>,
    inner: Mutex<Inner>,
}

impl Queue {
    /// Adds a datagram if there is room, else drops it.
    fn push(&self, from: SocketAddr, payload: Vec<u8>) {
        {
            let mut inner = self.inner.lock();
            if inner.used >= inner.limit {
                return;
            }
            inner.used += payload.len() + OVERHEAD;
            inner.datagrams.push_back(Datagram { from, payload });
        }
        self.waiters.wake_all(POLLIN | POLLRDNORM);
    }
}

struct State {
    binding: Option<Binding<Queue>>,
    guard: Option<Guard>,
    /// Address that datagrams come from, if the port is bound to all.
    source: Option<IpAddr>,
    read_shut: bool,
    write_shut: bool,
    v6_only: bool,
}

/// A UDP socket.
pub(crate) struct UdpSocket {
    net: Arc<NetStack>,
    v6: bool,
    queue: Arc<Queue>,
    options: Mutex<Options>,
    ip: Mutex<IpOptions>,
    state: Mutex<State>,
}

impl UdpSocket {
    /// A fresh socket of AF_INET or AF_INET6.
    pub fn new(net: Arc<NetStack>, v6: bool) -> Arc<Self> {
        let family = if v6 { address::AF_INET6 } else { address::AF_INET };
        let options = Options::new(family, Kind::Datagram, IPPROTO_UDP as u32);
        let (datagrams, limit) = (VecDeque::new(), options.receive_buffer);
        let inner = Inner { datagrams, used: 0, limit, peer: None, error: None };
        let state =
            State { binding: None, guard: None, source: None, read_shut: false, write_shut: false, v6_only: false };
        Arc::new(Self {
            net,
            v6,
            queue: Arc::new(Queue { waiters: Arc::new(WaitQueue::new()), inner: Mutex::new(inner) }),
            options: Mutex::new(options),
            ip: Mutex::new(IpOptions::default()),
            state: Mutex::new(state),
        })
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
        let binding = self.net.udp_ports.table.bind(to, sharing)?;
        binding.own(&self.queue, false)?;
        let address = binding.address();
        let outside = !address.ip().is_loopback();
        if outside && let Some(stack) = self.net.stack() {
            state.guard = Some(stack.open_port(address.port(), self.net.udp_ports.clone())?);
        }
        state.binding = Some(binding);
        Ok(address)
    }

    fn deliver(&self, from: SocketAddr, to: SocketAddr, payload: Vec<u8>) -> Result<()> {
        if self.net.is_local(to.ip()) {
            if self.net.udp_ports.table.owners(to).is_empty() {
                // Port unreachable (RFC 1122 §4.1.3.3) reaches connected sockets only.
                let mut inner = self.queue.inner.lock();
                if inner.peer == Some(to) {
                    inner.error = Some(Errno::ECONNREFUSED);
                }
                return Ok(());
            }
            self.net.udp_ports.deliver(to, from, payload);
            return Ok(());
        }
        self.net.stack().ok_or(Errno::ENETUNREACH)?.send_datagram(from, to, &payload)
    }

    fn take_error(&self) -> Option<Errno> {
        self.queue.inner.lock().error.take()
    }

    fn is_broadcast(&self, ip: IpAddr) -> bool {
        matches!(ip, IpAddr::V4(ip) if ip.is_broadcast())
            || self.net.stack().is_some_and(|stack| stack.is_broadcast(ip))
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
        let inner = self.queue.inner.lock();
        let mut events = POLLOUT | POLLWRNORM;
        if !inner.datagrams.is_empty() || read_shut {
            events |= POLLIN | POLLRDNORM;
        }
        events |= if read_shut { POLLRDHUP } else { 0 };
        events |= if read_shut && write_shut { POLLHUP } else { 0 };
        events |= if inner.error.is_some() { POLLERR } else { 0 };
        events
    }

    fn bind(&self, to: &Address) -> Result<()> {
        let to = match to {
            Address::Unspecified if !self.v6 => (self.wildcard(), 0).into(),
            other => other.inet(self.v6)?,
        };
        let mut state = self.state.lock();
        if state.binding.is_some() {
            return Err(Errno::EINVAL);
        }
        let ip = to.ip();
        if !ip.is_unspecified() && !ip.is_multicast() && !self.net.is_local(ip) && !self.is_broadcast(ip) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        self.bind_to(&mut state, to).map(drop)
    }

    fn listen(&self, _backlog: i32) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn accept(&self, _nonblocking: bool) -> Result<(Arc<dyn Socket>, Address)> {
        Err(Errno::EOPNOTSUPP)
    }

    fn connect(&self, to: &Address, _nonblocking: bool) -> Result<()> {
        let mut state = self.state.lock();
        if *to == Address::Unspecified {
            state.source = None;
            self.queue.inner.lock().peer = None;
            return Ok(());
        }
        let to = destination(to.inet(self.v6)?);
        if self.is_broadcast(to.ip()) && !self.options.lock().broadcast {
            return Err(Errno::EACCES);
        }
        let source = self.net.source(to.ip())?;
        self.bind_to(&mut state, (self.wildcard(), 0).into())?;
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
        if let Some(error) = self.take_error() {
            return Err(error);
        }
        let to = match message.to {
            Some(to) => destination(to.inet(self.v6)?),
            None => self.queue.inner.lock().peer.ok_or(Errno::EDESTADDRREQ)?,
        };
        if to.port() == 0 {
            return Err(Errno::EINVAL);
        }
        if self.is_broadcast(to.ip()) && !self.options.lock().broadcast {
            return Err(Errno::EACCES);
        }
        let route = self.net.source(to.ip())?;
        let from = {
            let mut state = self.state.lock();
            if state.write_shut {
                return Err(Errno::EPIPE);
            }
            let bound = self.bind_to(&mut state, (self.wildcard(), 0).into())?;
            if bound.ip().is_unspecified() { (route, bound.port()).into() } else { bound }
        };
        let mut payload = vec![0; len];
        if source.take(&mut payload)? < len {
            return Err(Errno::EFAULT);
        }
        self.deliver(from, to, payload)?;
        Ok(len)
    }

    fn receive(&self, sink: &mut IoSink<'_>, flags: u32, nonblocking: bool) -> Result<Received> {
        let timeout = self.options.lock().receive_timeout;
        let peek = flags & MSG_PEEK != 0;
        let patience = Patience::new(nonblocking, flags, timeout);
        patience.until(&self.queue.waiters, || {
            let datagram = {
                let mut inner = self.queue.inner.lock();
                if let Some(error) = inner.error.take() {
                    return Err(error);
                }
                let Some(first) = inner.datagrams.front() else {
                    drop(inner);
                    // Only who would wait is told that nothing will come (`__skb_wait_for_more_packets`).
                    let ended = patience.waits() && self.state.lock().read_shut;
                    return if ended { Ok(Received::default()) } else { Err(Errno::EAGAIN) };
                };
                if peek {
                    Datagram { from: first.from, payload: first.payload.clone() }
                } else {
                    inner.used = inner.used.saturating_sub(first.payload.len() + OVERHEAD);
                    inner.datagrams.pop_front().ok_or(Errno::EAGAIN)?
                }
            };
            let stored = if datagram.payload.is_empty() { 0 } else { sink_put(sink, &datagram.payload)? };
            let whole = datagram.payload.len();
            Ok(Received {
                len: if flags & MSG_TRUNC != 0 { whole } else { stored },
                from: Some(Address::shown(datagram.from, self.v6)),
                flags: if stored < whole { MSG_TRUNC } else { 0 },
                ..Received::default()
            })
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
        let bound = state.binding.as_ref().map_or((self.wildcard(), 0).into(), Binding::address);
        let addr = match state.source {
            Some(source) if bound.ip().is_unspecified() => (source, bound.port()).into(),
            _ => bound,
        };
        Address::shown(addr, self.v6)
    }

    fn peer_address(&self) -> Result<Address> {
        let peer = self.queue.inner.lock().peer.ok_or(Errno::ENOTCONN)?;
        Ok(Address::shown(peer, self.v6))
    }

    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        match (level, name) {
            (SOL_SOCKET, _) => {
                let mut options = self.options.lock();
                options.set(name, value)?;
                self.queue.inner.lock().limit = options.receive_buffer;
                Ok(())
            }
            (SOL_IPV6, IPV6_V6ONLY) if self.v6 => {
                self.state.lock().v6_only = int(value)? != 0;
                Ok(())
            }
            (SOL_IP, _) => self.ip.lock().set(level, name, value),
            (SOL_IPV6, _) if self.v6 => self.ip.lock().set(level, name, value),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn option(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        match (level, name) {
            (SOL_SOCKET, SO_ERROR) => Ok(from_int(self.take_error().map_or(0, Errno::raw))),
            (SOL_SOCKET, SO_ACCEPTCONN) => Ok(from_int(0)),
            (SOL_SOCKET, _) => self.options.lock().get(name),
            (SOL_IPV6, IPV6_V6ONLY) if self.v6 => Ok(from_int(self.state.lock().v6_only)),
            (SOL_IP, _) => self.ip.lock().get(level, name),
            (SOL_IPV6, _) if self.v6 => self.ip.lock().get(level, name),
            (SOL_UDP, _) => Err(Errno::ENOPROTOOPT),
            // Asked of the IP level in the end, whose two versions do not answer alike.
            _ if self.v6 => Err(Errno::ENOPROTOOPT),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    fn queued_input(&self) -> Result<usize> {
        Ok(self.queue.inner.lock().datagrams.front().map_or(0, |datagram| datagram.payload.len()))
    }

    fn queued_output(&self) -> Result<usize> {
        Ok(0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Stores what fits: the rest of a datagram is lost.
fn sink_put(sink: &mut IoSink<'_>, payload: &[u8]) -> Result<usize> {
    if sink.is_full() { Ok(0) } else { sink.put(payload) }
}
