//! Raw sockets (raw(7)) and the sockets of ping (icmp(7), "ping socket"), which need no privilege.

mod options;
mod queue;

pub(crate) use queue::RawTable;

use crate::NetStack;
use crate::address::{self, Address, destination};
use crate::census::{Description, Names, state};
use crate::error_queue::ErrorQueue;
use crate::filter::Filter;
use crate::ip_options::{Asked, IpOptions};
use crate::loopback::{self, put};
use crate::memberships::Memberships;
use crate::options::{Kind, Options};
use crate::patience::Patience;
use crate::socket::{Outgoing, Received, Shutdown, Socket};
use crate::stack::Manner;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use queue::{Inner, Queue};
use rkt_linux_abi::{Errno, Result, general::*, net::*};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_user::{IoSink, IoSource};
use rkt_wire::checksum::Sum;
use rkt_wire::ip::{Addresses, protocol};
use rkt_wire::{icmpv4, icmpv6, ipv4};

/// Most bytes of a packet.
const MAX_LEN: usize = 0xffff;
/// IPPROTO_RAW: sends with a header, receives nothing.
const RAW: u8 = 255;
/// Where the checksum of ICMP and ICMPv6 lies.
const ICMP_CHECKSUM: usize = 2;

struct State {
    /// IPV6_CHECKSUM: where the checksum lies.
    checksum_at: Option<usize>,
    shut: (bool, bool),
    source: Option<IpAddr>,
}

/// A raw socket, or one of ping.
pub(crate) struct RawSocket {
    net: Arc<NetStack>,
    queue: Arc<Queue>,
    options: Mutex<Options>,
    state: Mutex<State>,
}

impl RawSocket {
    /// A fresh socket of AF_INET or AF_INET6; a ping socket takes and gives echoes only.
    pub fn new(net: Arc<NetStack>, v6: bool, protocol: u8, ping: bool) -> Arc<Self> {
        let family = if v6 { address::AF_INET6 } else { address::AF_INET };
        let kind = if ping { Kind::Datagram } else { Kind::Raw };
        let options = Options::new(family, kind, protocol.into());
        let mut ip = IpOptions::new(kind, v6);
        ip.put(SOL_IP, IP_HDRINCL, (!v6 && protocol == RAW).into());
        let inner = Inner {
            packets: VecDeque::new(),
            used: 0,
            limit: options.receive_buffer,
            bound: None,
            peer: None,
            device: None,
            error: None,
            errors: ErrorQueue::default(),
            ip,
            memberships: Memberships::new(),
            socket_filter: Filter::default(),
            filter: [0; 8],
            echo_id: if ping { crate::ports::random() as u16 } else { 0 },
        };
        let waiters = Arc::new(WaitQueue::new());
        let queue = Arc::new(Queue { v6, ping, protocol, waiters, inner: Mutex::new(inner) });
        net.raw.add(&queue);
        let checksum_at = (protocol == protocol::ICMPV6).then_some(ICMP_CHECKSUM);
        let state = State { checksum_at, shut: (false, false), source: None };
        Arc::new(Self { net, queue, options: Mutex::new(options), state: Mutex::new(state) })
    }

    /// Where packets to `to` come from, and how they leave.
    fn route(&self, to: SocketAddr, asked: &Asked) -> Result<(IpAddr, Manner)> {
        let inner = self.queue.inner.lock();
        let group = to.ip().is_multicast();
        let mut manner = asked.over(inner.ip.manner(to.ip()));
        let scope = match to {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Some(v6.scope_id()),
            _ => None,
        };
        let outlet = inner.memberships.outlet(to.is_ipv4());
        manner.interface =
            manner.interface.or(scope).or(inner.device).or(if group { outlet } else { inner.ip.outlet(to.is_ipv4()) });
        let from = match asked.source.or(inner.bound) {
            Some(own) => own,
            None => self.net.source(to.ip(), manner.interface)?,
        };
        Ok((from, manner))
    }

    /// Completes the message of a ping socket: an echo request with this socket's identifier.
    fn complete_echo(&self, message: &mut [u8]) -> Result<()> {
        let request = if self.queue.v6 { icmpv6::kind::ECHO_REQUEST } else { icmpv4::kind::ECHO_REQUEST };
        if message.len() < icmpv4::HEADER_LEN || message.get(..2) != Some(&[request, 0]) {
            return Err(Errno::EINVAL);
        }
        let id = self.queue.inner.lock().echo_id.to_be_bytes();
        put(message, 4, id);
        if !self.queue.v6 {
            put(message, ICMP_CHECKSUM, [0; 2]);
            let sum = Sum::of(message).finish();
            put(message, ICMP_CHECKSUM, sum.to_be_bytes());
        }
        Ok(())
    }

    fn transmit(&self, addresses: Addresses, protocol: u8, bytes: &[u8], manner: &Manner) -> Result<()> {
        if self.net.is_local(addresses.destination()) {
            loopback::turn_back(&self.net, addresses, protocol, bytes, manner);
            return Ok(());
        }
        self.net.stack().ok_or(Errno::ENETUNREACH)?.send_packet(addresses, protocol, bytes, manner)
    }

    /// Sends what starts with a header of IP, of which Linux fills in the rest (raw(7)).
    fn send_whole(&self, bytes: &[u8], to: Ipv4Addr, manner: Manner) -> Result<()> {
        let ipv4::Packet { header, payload, .. } = ipv4::Packet::parse_quote(bytes).map_err(|_| Errno::EINVAL)?;
        // Options and fragments made by hand are not sent.
        if bytes.first() != Some(&0x45) || header.is_fragment() {
            return Err(Errno::EINVAL);
        }
        let source = match header.source.is_unspecified() {
            true => self.net.source(to.into(), manner.interface)?,
            false => header.source.into(),
        };
        let addresses = Addresses::new(source, to.into()).ok_or(Errno::EINVAL)?;
        let manner = Manner { ttl: Some(header.ttl), tos: header.tos, ..manner };
        self.transmit(addresses, header.protocol, payload, &manner)
    }
}

impl Drop for RawSocket {
    fn drop(&mut self) {
        self.net.raw.prune(&self.queue);
        self.queue.inner.lock().memberships.leave_all(&self.net);
    }
}

impl Socket for RawSocket {
    fn wait_queue(&self) -> &Arc<WaitQueue> {
        &self.queue.waiters
    }

    fn is_stream(&self) -> bool {
        false
    }

    fn poll(&self) -> u32 {
        let (read_shut, write_shut) = self.state.lock().shut;
        let inner = self.queue.inner.lock();
        let mut events = POLLOUT | POLLWRNORM;
        events |= if !inner.packets.is_empty() || read_shut { POLLIN | POLLRDNORM } else { 0 };
        events |= if read_shut { POLLRDHUP } else { 0 };
        events |= if read_shut && write_shut { POLLHUP } else { 0 };
        events |= if inner.error.is_some() || !inner.errors.is_empty() { POLLERR } else { 0 };
        events
    }

    fn bind(&self, to: &Address) -> Result<()> {
        let to = to.inet(self.queue.v6)?;
        if to.is_ipv4() == self.queue.v6 && !to.ip().is_unspecified() {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let ip = to.ip();
        let free = self.queue.inner.lock().ip.binds_freely();
        if !ip.is_unspecified() && !ip.is_multicast() && !self.net.is_local(ip) && !free {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let mut inner = self.queue.inner.lock();
        inner.bound = Some(ip).filter(|ip| !ip.is_unspecified());
        if self.queue.ping && to.port() != 0 {
            inner.echo_id = to.port();
        }
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
            self.queue.inner.lock().peer = None;
            self.state.lock().source = None;
            return Ok(());
        }
        let to = destination(to.inet(self.queue.v6)?);
        let (source, _) = self.route(to, &Asked::default())?;
        self.state.lock().source = Some(source);
        let mut inner = self.queue.inner.lock();
        (inner.peer, inner.error) = (Some(to.ip()), None);
        Ok(())
    }

    fn send(&self, source: &mut IoSource<'_>, message: &mut Outgoing<'_>) -> Result<usize> {
        let len = source.remaining();
        if len > MAX_LEN {
            return Err(Errno::EMSGSIZE);
        }
        if message.flags & MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if let Some(error) = self.queue.inner.lock().error.take() {
            return Err(error);
        }
        let to = match message.to {
            Some(to) => destination(to.inet(self.queue.v6)?),
            None => (self.queue.inner.lock().peer.ok_or(Errno::EDESTADDRREQ)?, 0).into(),
        };
        if self.net.stack().is_some_and(|stack| stack.is_broadcast(to.ip())) && !self.options.lock().broadcast {
            return Err(Errno::EACCES);
        }
        let asked = Asked::from_controls(&message.controls, self.queue.v6)?;
        let (from, manner) = self.route(to, &asked)?;
        let (header_included, checksum_at) = {
            let state = self.state.lock();
            if state.shut.1 {
                return Err(Errno::EPIPE);
            }
            (self.queue.inner.lock().ip.is_on(SOL_IP, IP_HDRINCL), state.checksum_at)
        };
        let mut bytes = vec![0; len];
        if len > 0 && source.take(&mut bytes)? < len {
            return Err(Errno::EFAULT);
        }
        if let (true, IpAddr::V4(to)) = (header_included, to.ip()) {
            self.send_whole(&bytes, to, manner)?;
            return Ok(len);
        }
        let addresses = Addresses::new(from, to.ip()).ok_or(Errno::EINVAL)?;
        if self.queue.ping {
            self.complete_echo(&mut bytes)?;
        }
        if let Some(at) = checksum_at.filter(|_| self.queue.v6) {
            if at.saturating_add(2) > len {
                return Err(Errno::EINVAL);
            }
            self.fill(&mut bytes, at, &addresses);
        }
        self.transmit(addresses, self.queue.protocol, &bytes, &manner)?;
        Ok(len)
    }

    fn receive(&self, sink: &mut IoSink<'_>, flags: u32, nonblocking: bool) -> Result<Received> {
        let v6 = self.queue.v6;
        if flags & MSG_ERRQUEUE != 0 {
            let stamps = self.options.lock().stamps;
            let mut inner = self.queue.inner.lock();
            let (received, next) = inner.errors.receive(sink, v6, stamps)?;
            inner.error = next;
            return Ok(received);
        }
        let timeout = self.options.lock().receive_timeout;
        let patience = Patience::new(nonblocking, flags, timeout);
        patience.until(&self.queue.waiters, || {
            let waiting = {
                let mut inner = self.queue.inner.lock();
                if let Some(error) = inner.error.take() {
                    return Err(error);
                }
                let Some(first) = inner.packets.front() else {
                    drop(inner);
                    let ended = patience.waits() && self.state.lock().shut.0;
                    return if ended { Ok(Received::default()) } else { Err(Errno::EAGAIN) };
                };
                if flags & MSG_PEEK != 0 {
                    first.clone()
                } else {
                    let cost = first.cost();
                    inner.used = inner.used.saturating_sub(cost);
                    inner.packets.pop_front().ok_or(Errno::EAGAIN)?
                }
            };
            let whole = waiting.bytes.len();
            let stored = if sink.is_full() || whole == 0 { 0 } else { sink.put(&waiting.bytes)? };
            let mut controls = self.options.lock().stamps.controls(waiting.at);
            controls.extend(self.queue.inner.lock().ip.controls(&waiting.facts, v6));
            Ok(Received {
                len: if flags & MSG_TRUNC != 0 { whole } else { stored },
                from: Some(Address::shown((waiting.from, 0).into(), v6)),
                flags: if stored < whole { MSG_TRUNC } else { 0 },
                controls,
                ..Received::default()
            })
        })
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        {
            let mut state = self.state.lock();
            state.shut.0 |= how.reads();
            state.shut.1 |= how.writes();
        }
        self.queue.waiters.wake_all(POLLIN | POLLHUP | POLLRDHUP);
        if self.queue.inner.lock().peer.is_some() { Ok(()) } else { Err(Errno::ENOTCONN) }
    }

    fn local_address(&self) -> Address {
        let source = self.state.lock().source;
        let inner = self.queue.inner.lock();
        let any = if self.queue.v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let port = if self.queue.ping { inner.echo_id } else { self.queue.protocol.into() };
        Address::shown((inner.bound.or(source).unwrap_or(any), port).into(), self.queue.v6)
    }

    fn peer_address(&self) -> Result<Address> {
        let peer = self.queue.inner.lock().peer.ok_or(Errno::ENOTCONN)?;
        Ok(Address::shown((peer, 0).into(), self.queue.v6))
    }

    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        self.change_option(level, name, value)
    }

    fn option(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        self.read_option(level, name)
    }

    fn queued_input(&self) -> Result<usize> {
        Ok(self.queue.inner.lock().packets.front().map_or(0, |waiting| waiting.bytes.len()))
    }

    fn queued_output(&self) -> Result<usize> {
        Ok(0)
    }

    fn describe(&self) -> Option<Description> {
        let Address::Inet(local) = self.local_address() else { return None };
        let inner = self.queue.inner.lock();
        let peer = inner.peer.map(|ip| (ip, 0).into());
        let (info, congestion) = (Vec::new(), Vec::new());
        Some(Description {
            family: if self.queue.v6 { address::AF_INET6 } else { address::AF_INET },
            kind: if self.queue.ping { Kind::Datagram as u8 } else { Kind::Raw as u8 },
            protocol: self.queue.protocol.into(),
            state: if peer.is_some() { state::ESTABLISHED } else { state::CLOSE },
            receive_queue: inner.used as u32,
            send_queue: 0,
            inode: 0,
            uid: 0,
            names: Names::Internet { local, peer, info, congestion, v6_only: false },
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
