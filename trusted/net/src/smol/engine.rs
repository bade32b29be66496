//! The state behind the lock, and the poll.

use super::conn::{SmolConnection, is_finished};
use super::listen::Port;
use super::port::OpenPort;
use super::shim::{Shim, Syn};
use super::wake::{News, Owner, Watch};
use super::{Smol, endpoint};
use crate::Interface;
use crate::stack::{Acceptor, Connection, DatagramSink};
use crate::tcp::MAX_WINDOW;
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicBool, Ordering};
use hashbrown::HashMap;
use rkt_linux_abi::{Errno, Result, general::*};
use rkt_netdev::NetDevice;
use rkt_sched::WaitQueue;
use smoltcp::iface::{Config, PollIngressSingleResult, PollResult, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{self, CongestionControl, State};
use smoltcp::socket::{AnySocket, Socket, udp};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, IpEndpoint};

/// Bytes of send buffer.
const SEND_BUFFER: usize = 256 << 10;
/// Frames a poll takes at most, so that the vCPU can look at other things.
const BUDGET: usize = 256;
/// Rounds over all sockets a flush makes at most; each sends one packet a socket.
const MAX_ROUNDS: usize = 1024;
/// Closed sockets whose buffers are kept for the next connection.
const MAX_SPARE: usize = 32;
/// Orphans at a time (net.ipv4.tcp_max_orphans); the oldest goes first.
const MAX_ORPHANS: usize = 256;
const NS_PER_S: u64 = 1_000_000_000;
/// How long an orphan may wait for the peer's FIN (net.ipv4.tcp_fin_timeout).
const FIN_TIMEOUT: u64 = 60 * NS_PER_S;
/// How long sent bytes may stay unacknowledged (net.ipv4.tcp_retries2, RFC 1122 §4.2.3.5).
const USER_TIMEOUT: u64 = 924 * NS_PER_S;
/// How long a handshake may take (net.ipv4.tcp_syn_retries).
const SYN_TIMEOUT: Duration = Duration::from_secs(127);
/// When to try again to send frames for which the card had no room.
const BACKLOG_RETRY: u64 = 50_000;
/// Between two looks at the ages of things, and between two attempts to reset the card.
const HOUSEKEEPING: u64 = NS_PER_S;

/// A datagram that came.
struct Datagram {
    sink: Arc<dyn DatagramSink>,
    local: SocketAddr,
    from: SocketAddr,
    payload: Vec<u8>,
}

/// What is to be told when the lock was let go.
#[derive(Default)]
pub(super) struct Events {
    wakes: Vec<(Arc<WaitQueue>, u32)>,
    offers: Vec<(Arc<dyn Acceptor>, Arc<dyn Connection>)>,
    datagrams: Vec<Datagram>,
}

impl Events {
    /// Tells.
    pub fn tell(self) {
        for (acceptor, connection) in self.offers {
            acceptor.offer(connection);
        }
        for (queue, events) in self.wakes {
            queue.wake_all(events);
        }
        for datagram in self.datagrams {
            datagram.sink.deliver(datagram.local, datagram.from, &datagram.payload);
        }
    }

    pub fn offer(&mut self, acceptor: Arc<dyn Acceptor>, connection: Arc<dyn Connection>) {
        self.offers.push((acceptor, connection));
    }

    pub fn datagram(&mut self, sink: Arc<dyn DatagramSink>, local: SocketAddr, from: SocketAddr, payload: &[u8]) {
        self.datagrams.push(Datagram { sink, local, from, payload: payload.to_vec() });
    }

    fn wake(&mut self, watch: &Watch, events: u32) {
        if events != 0 && !watch.queue.is_empty() {
            self.wakes.push((watch.queue.clone(), events));
        }
    }
}

/// What made a connection end, if it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// A segment came in: RST.
    Segment,
    /// Something went out: a timer ended it.
    Timer,
}

/// smoltcp, the card, and what belongs to whom.
pub(super) struct Inner {
    engine: Weak<Smol>,
    pub news: Arc<News>,
    up: Arc<AtomicBool>,
    pub mtu: usize,
    network: IpCidr,
    iface: smoltcp::iface::Interface,
    pub sockets: SocketSet<'static>,
    pub shim: Shim,
    watches: HashMap<SocketHandle, Arc<Watch>>,
    pub ports: Vec<Port>,
    pub next_id: u64,
    pub open_ports: HashMap<u16, OpenPort>,
    orphans: Vec<Arc<Watch>>,
    spare: Vec<tcp::Socket<'static>>,
    /// Something may be due to be sent.
    egress: bool,
    /// When smoltcp's next timer expires, if `timer_known`; monotonic nanoseconds.
    timer: u64,
    timer_known: bool,
    next_housekeeping: u64,
}

fn instant(ns: u64) -> Instant {
    Instant::from_micros((ns / 1000) as i64)
}

impl Inner {
    pub fn new(
        device: Box<dyn NetDevice>,
        interface: &Interface,
        gateway: Option<Ipv4Addr>,
        seed: u64,
        engine: Weak<Smol>,
        news: Arc<News>,
        up: Arc<AtomicBool>,
    ) -> Self {
        let mut shim = Shim::new(device);
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(interface.mac)));
        config.random_seed = seed;
        let mut iface = smoltcp::iface::Interface::new(config, &mut shim, instant(rkt_platform::now()));
        let own = IpCidr::new(IpAddress::Ipv4(interface.address), interface.prefix);
        iface.update_ip_addrs(|addresses| {
            // There is room for two.
            let _ = addresses.push(own);
        });
        if let Some(gateway) = gateway {
            // The table is empty.
            let _ = iface.routes_mut().add_default_ipv4_route(gateway);
        }
        Self {
            engine,
            news,
            up,
            mtu: interface.mtu as usize,
            network: own,
            iface,
            sockets: SocketSet::new(Vec::new()),
            shim,
            watches: HashMap::new(),
            ports: Vec::new(),
            next_id: 0,
            open_ports: HashMap::new(),
            orphans: Vec::new(),
            spare: Vec::new(),
            egress: false,
            timer: u64::MAX,
            timer_known: false,
            next_housekeeping: 0,
        }
    }

    // ---- sockets ---------------------------------------------------------------------------

    /// The TCP socket of a handle, which is valid as long as its watch is not `Removed`.
    pub fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    pub fn now_ns(&self) -> u64 {
        rkt_platform::now()
    }

    /// A closed TCP socket with Linux's defaults.
    pub fn fresh_socket(&mut self) -> tcp::Socket<'static> {
        let mut socket = self.spare.pop().unwrap_or_else(|| {
            let (rx, tx) = (vec![0; MAX_WINDOW], vec![0; SEND_BUFFER]);
            tcp::Socket::new(tcp::SocketBuffer::new(rx), tcp::SocketBuffer::new(tx))
        });
        socket.set_timeout(Some(SYN_TIMEOUT));
        socket.set_keep_alive(None);
        socket.set_nagle_enabled(true);
        socket
    }

    /// Congestion control where there is a network between: on the own link the window and the
    /// card's queue hold the sender back, and smoltcp's Reno starts with two segments (not the ten
    /// of RFC 6928).
    pub fn control_congestion(&mut self, handle: SocketHandle) {
        let network = self.network;
        let socket = self.tcp(handle);
        let near = socket.remote_endpoint().is_some_and(|peer| network.contains_addr(&peer.addr));
        socket.set_congestion_control(if near { CongestionControl::None } else { CongestionControl::Reno });
    }

    /// Adds a socket and watches it.
    pub fn add<T: AnySocket<'static>>(&mut self, socket: T, queue: Arc<WaitQueue>, owner: Owner) -> Arc<Watch> {
        let handle = self.sockets.add(socket);
        let watch = Watch::new(handle, queue, owner, &self.news);
        self.watches.insert(handle, watch.clone());
        self.rearm(&watch, owner);
        watch
    }

    /// smoltcp forgets a waker when it has used it.
    fn rearm(&mut self, watch: &Arc<Watch>, owner: Owner) {
        let waker = watch.waker();
        if matches!(owner, Owner::Port(_)) {
            self.sockets.get_mut::<udp::Socket<'static>>(watch.handle).register_recv_waker(&waker);
        } else {
            let socket = self.tcp(watch.handle);
            socket.register_recv_waker(&waker);
            socket.register_send_waker(&waker);
        }
    }

    pub fn watches_of(&self, owner: Owner) -> Vec<Arc<Watch>> {
        self.watches.values().filter(|watch| watch.seen.lock().owner == owner).cloned().collect()
    }

    /// Takes a socket out for good.
    pub fn remove(&mut self, handle: SocketHandle) {
        let Some(watch) = self.watches.remove(&handle) else { return };
        watch.seen.lock().owner = Owner::Removed;
        if let Socket::Tcp(mut socket) = self.sockets.remove(handle)
            && self.spare.len() < MAX_SPARE
        {
            socket.abort();
            self.spare.push(socket);
        }
    }

    /// Nobody holds the socket any more: it lives on until the protocol is done with it.
    pub fn orphan(&mut self, watch: &Arc<Watch>) {
        {
            let mut seen = watch.seen.lock();
            seen.owner = Owner::Orphan;
            seen.since = rkt_platform::now();
        }
        self.orphans.push(watch.clone());
        if self.orphans.len() > MAX_ORPHANS {
            let oldest = self.orphans.remove(0);
            self.remove(oldest.handle);
        }
        watch.list();
    }

    pub fn connect(&mut self, local: IpEndpoint, to: IpEndpoint, queue: Arc<WaitQueue>) -> Result<Arc<Watch>> {
        self.clear_pair(local, to)?;
        let mut socket = self.fresh_socket();
        socket.connect(self.iface.context(), to, local).map_err(|_| Errno::ENETUNREACH)?;
        let watch = self.add(socket, queue, Owner::Connection);
        watch.seen.lock().state = State::SynSent;
        self.control_congestion(watch.handle);
        Ok(watch)
    }

    /// Makes sure that no socket has this pair of addresses; one in TIME-WAIT gives way (RFC 6191).
    fn clear_pair(&mut self, local: IpEndpoint, to: IpEndpoint) -> Result<()> {
        let same = self.sockets.iter().find_map(|(handle, socket)| match socket {
            Socket::Tcp(tcp) if tcp.local_endpoint() == Some(local) && tcp.remote_endpoint() == Some(to) => {
                Some((handle, tcp.state()))
            }
            _ => None,
        });
        let Some((handle, state)) = same else { return Ok(()) };
        let orphaned = self.orphans.iter().position(|watch| watch.handle == handle);
        match orphaned {
            Some(at) if state == State::TimeWait => {
                self.orphans.swap_remove(at);
                self.remove(handle);
                Ok(())
            }
            _ => Err(Errno::EADDRNOTAVAIL),
        }
    }

    pub fn connection(&mut self, watch: &Arc<Watch>) -> Option<Arc<dyn Connection>> {
        let engine = self.engine.upgrade()?;
        let socket = self.tcp(watch.handle);
        Some(SmolConnection::new(engine, watch.clone(), socket)?)
    }

    // ---- work ------------------------------------------------------------------------------

    /// Something is due to be sent, but not at once.
    pub fn flush_later(&mut self) {
        self.egress = true;
        self.timer_known = false;
    }

    /// Sends what is due, and tells the card once.
    pub fn flush(&mut self, events: &mut Events) {
        self.send_due(rkt_platform::now(), events);
        self.shim.tx.kick();
    }

    fn send_due(&mut self, now: u64, events: &mut Events) {
        self.egress = false;
        self.timer_known = false;
        self.shim.tx.flush_backlog();
        for _ in 0..MAX_ROUNDS {
            if self.iface.poll_egress(instant(now), &mut self.shim, &mut self.sockets) == PollResult::None {
                break;
            }
        }
        self.settle(Cause::Timer, now, events);
    }

    /// Takes frames in, sends what is due, looks after timers. Whether there was anything.
    pub fn poll(&mut self, events: &mut Events) -> bool {
        let now = rkt_platform::now();
        if now >= self.next_housekeeping {
            self.next_housekeeping = now.saturating_add(HOUSEKEEPING);
            self.keep_house(now, events);
        }
        if !self.is_up() {
            return false;
        }
        let received = self.shim.has_work() && self.receive(now, events);
        let due = received || self.egress || self.news.any() || self.shim.tx.is_backed_up();
        if !due && now < self.next_timer(now) {
            return false;
        }
        self.send_due(now, events);
        self.shim.tx.kick();
        true
    }

    fn receive(&mut self, now: u64, events: &mut Events) -> bool {
        let mut any = false;
        for _ in 0..BUDGET {
            let result = self.iface.poll_ingress_single(instant(now), &mut self.shim, &mut self.sockets);
            if result != PollIngressSingleResult::None {
                any = true;
            } else if let Some(syn) = self.shim.rx.take_syn() {
                self.prepare_for(syn, now, events);
            } else {
                break;
            }
        }
        self.settle(Cause::Segment, now, events);
        any
    }

    /// A SYN is next: it finds a listening socket, and none in TIME-WAIT in its way.
    fn prepare_for(&mut self, syn: Syn, now: u64, events: &mut Events) {
        self.settle(Cause::Segment, now, events);
        self.refill();
        if !self.takes_syn(syn.to.port()) {
            // The backlog is full: the peer will try again.
            self.shim.rx.drop_held();
        } else if let (Ok(local), Ok(remote)) = (endpoint(syn.to), endpoint(syn.from)) {
            // A pair in use is smoltcp's to answer.
            let _ = self.clear_pair(local, remote);
        }
    }

    /// Deals with the news of sockets.
    fn settle(&mut self, cause: Cause, now: u64, events: &mut Events) {
        // What settling one socket does may be news of another, but never without end: a socket
        // ends up as removed.
        while let Some(watch) = self.news.take() {
            let owner = watch.seen.lock().owner;
            match owner {
                Owner::Removed => continue,
                Owner::Port(port) => self.settle_port(port, events),
                Owner::Listener(id) => {
                    let state = self.tcp(watch.handle).state();
                    let before = core::mem::replace(&mut watch.seen.lock().state, state);
                    self.settle_listening(id, &watch, before, events);
                }
                Owner::Connection => self.settle_connection(&watch, cause, now, events),
                Owner::Orphan => self.settle_orphan(&watch),
            }
            let owner = watch.seen.lock().owner;
            if owner != Owner::Removed {
                self.rearm(&watch, owner);
            }
        }
    }

    fn settle_connection(&mut self, watch: &Watch, cause: Cause, now: u64, events: &mut Events) {
        let socket = self.tcp(watch.handle);
        let (state, queued) = (socket.state(), socket.recv_queue());
        let room = socket.send_capacity() - socket.send_queue();
        let mut seen = watch.seen.lock();
        seen.finished |= is_finished(socket);
        seen.since = now;
        let mut bits = 0;
        if state != seen.state {
            if seen.state == State::SynSent && state != State::Closed {
                socket.set_timeout(None);
            }
            if state == State::Closed && seen.error.is_none() {
                seen.error = ending(seen.state, cause);
            }
            let closed = matches!(state, State::Closed | State::TimeWait);
            bits |= if seen.finished || closed { POLLIN | POLLRDNORM | POLLRDHUP } else { 0 };
            bits |= if closed { POLLHUP | POLLOUT | POLLWRNORM } else { 0 };
            bits |= if seen.error.is_some() { POLLERR } else { 0 };
            bits |= if seen.state == State::SynSent { POLLOUT | POLLWRNORM } else { 0 };
            seen.state = state;
        }
        if queued > seen.queued {
            bits |= POLLIN | POLLRDNORM;
        }
        seen.queued = queued;
        if seen.starved && room >= socket.send_capacity() / 3 {
            seen.starved = false;
            bits |= POLLOUT | POLLWRNORM;
        }
        drop(seen);
        events.wake(watch, bits);
    }

    fn settle_orphan(&mut self, watch: &Arc<Watch>) {
        let socket = self.tcp(watch.handle);
        // Bytes that nobody will read (RFC 9293 §3.6.1): the peer gets a RST.
        if socket.recv_queue() > 0 && socket.state() != State::Closed {
            socket.abort();
            self.egress = true;
        }
        let socket = self.tcp(watch.handle);
        if socket.state() == State::Closed && socket.local_endpoint().is_none() {
            self.orphans.retain(|orphan| !Arc::ptr_eq(orphan, watch));
            self.remove(watch.handle);
        }
    }

    fn keep_house(&mut self, now: u64, events: &mut Events) {
        if !self.is_up() {
            self.revive();
        }
        let aged = |watch: &&Arc<Watch>| now.saturating_sub(watch.seen.lock().since) > FIN_TIMEOUT;
        let old: Vec<_> = self.orphans.iter().filter(aged).cloned().collect();
        for watch in old {
            let socket = self.tcp(watch.handle);
            if matches!(socket.state(), State::FinWait2 | State::Closed | State::TimeWait) {
                self.orphans.retain(|orphan| !Arc::ptr_eq(orphan, &watch));
                self.remove(watch.handle);
            }
        }
        for watch in self.watches_of(Owner::Connection) {
            let socket = self.tcp(watch.handle);
            let waiting = socket.send_queue() > 0 && socket.state() != State::Closed;
            if waiting && now.saturating_sub(watch.seen.lock().since) > USER_TIMEOUT {
                socket.abort();
                watch.seen.lock().error = Some(Errno::ETIMEDOUT);
                watch.list();
            }
        }
        self.settle(Cause::Timer, now, events);
    }

    /// When smoltcp's next timer expires.
    fn next_timer(&mut self, now: u64) -> u64 {
        if !self.timer_known {
            let at = self.iface.poll_at(instant(now), &self.sockets);
            self.timer = at.map_or(u64::MAX, |at| (at.total_micros().max(0) as u64).saturating_mul(1000));
            self.timer_known = true;
        }
        self.timer
    }

    /// When [`Inner::poll`] has to run next.
    pub fn deadline(&mut self) -> u64 {
        let housekeeping = if self.watches.is_empty() { u64::MAX } else { self.next_housekeeping };
        if !self.is_up() {
            return self.next_housekeeping;
        }
        let now = rkt_platform::now();
        let backlog = if self.shim.tx.is_backed_up() { now.saturating_add(BACKLOG_RETRY) } else { u64::MAX };
        if self.egress { now } else { self.next_timer(now).min(housekeeping).min(backlog) }
    }

    /// Whether [`Inner::poll`] would find anything.
    pub fn has_work(&self) -> bool {
        self.is_up() && (self.egress || self.shim.has_work())
    }

    fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    // ---- the card's failures ---------------------------------------------------------------

    /// If the card failed: its connections end with `ENETDOWN`, and it is reset.
    pub fn settle_failure(&mut self, events: &mut Events) {
        if !core::mem::take(&mut self.shim.tx.failed) || !self.up.swap(false, Ordering::Relaxed) {
            return;
        }
        for watch in self.watches_of(Owner::Connection) {
            self.tcp(watch.handle).abort();
            {
                let mut seen = watch.seen.lock();
                seen.error = Some(Errno::ENETDOWN);
                seen.state = State::Closed;
            }
            events.wake(&watch, POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
        }
        self.revive();
    }

    fn revive(&mut self) {
        let revived = self.shim.tx.device.reset(&mut core::hint::spin_loop).is_ok();
        self.shim.tx.failed = false;
        self.up.store(revived, Ordering::Relaxed);
    }
}

/// The error of a connection that was in state `before` and is closed.
fn ending(before: State, cause: Cause) -> Option<Errno> {
    match (before, cause) {
        // Both sides were done.
        (State::LastAck | State::TimeWait | State::Closing | State::Closed, _) => None,
        (_, Cause::Timer) => Some(Errno::ETIMEDOUT),
        (State::SynSent | State::SynReceived, Cause::Segment) => Some(Errno::ECONNREFUSED),
        (State::CloseWait, Cause::Segment) => Some(Errno::EPIPE),
        _ => Some(Errno::ECONNRESET),
    }
}
