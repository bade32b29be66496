//! The state behind the lock, and the poll.

use super::conn::SmolConnection;
use super::flow::{Cause, Flow, Owner, Pair};
use super::listen::{Answer, Port};
use super::port::OpenPort;
use super::shim::{Incoming, Shim};
use super::table::{Slot, Table};
use super::{Smol, endpoint};
use crate::Interface;
use crate::stack::{Acceptor, Connection, DatagramSink};
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicBool, Ordering};
use hashbrown::HashMap;
use rkt_linux_abi::{Errno, Result, general::*};
use rkt_netdev::NetDevice;
use rkt_sched::WaitQueue;
use smoltcp::iface::{Config, PollResult, SocketSet};
use smoltcp::socket::tcp::{CongestionControl, State};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};

/// Frames a poll takes at most, so that the vCPU can look at other things.
const BUDGET: usize = 256;
/// Packets a flow sends at a time at most.
const MAX_BURST: usize = 256;
/// Orphans at a time (net.ipv4.tcp_max_orphans); the oldest goes first.
const MAX_ORPHANS: usize = 256;
const NS_PER_S: u64 = 1_000_000_000;
/// How long an orphan may wait for the peer's FIN (net.ipv4.tcp_fin_timeout).
const FIN_TIMEOUT: u64 = 60 * NS_PER_S;
/// How long sent bytes may stay unacknowledged (net.ipv4.tcp_retries2, RFC 1122 §4.2.3.5).
const USER_TIMEOUT: u64 = 924 * NS_PER_S;
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

    fn wake(&mut self, owner: &Owner, events: u32) {
        if let Owner::Connection(queue) = owner
            && events != 0
            && !queue.is_empty()
        {
            self.wakes.push((queue.clone(), events));
        }
    }
}

/// smoltcp, the card, and what belongs to whom.
pub(super) struct Inner {
    engine: Weak<Smol>,
    up: Arc<AtomicBool>,
    pub mtu: usize,
    network: IpCidr,
    iface: smoltcp::iface::Interface,
    shim: Shim,
    pub table: Table,
    /// Flows to be looked at in this poll.
    due: Vec<Slot>,
    pub ports: Vec<Port>,
    pub next_id: u64,
    /// The UDP sockets.
    pub rest: SocketSet<'static>,
    pub open_ports: HashMap<u16, OpenPort>,
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
            up,
            mtu: interface.mtu as usize,
            network: own,
            iface,
            shim,
            table: Table::default(),
            due: Vec::new(),
            ports: Vec::new(),
            next_id: 0,
            rest: SocketSet::new(Vec::new()),
            open_ports: HashMap::new(),
            next_housekeeping: 0,
        }
    }

    /// The monotonic clock.
    pub fn now(&self) -> u64 {
        rkt_platform::now()
    }

    // ---- flows -----------------------------------------------------------------------------

    /// Starts a connection.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` if the pair of addresses is in use, `ENETUNREACH`.
    pub fn connect(&mut self, pair: Pair, queue: Arc<WaitQueue>, events: &mut Events) -> Result<Slot> {
        let (local, to) = (endpoint(pair.0)?, endpoint(pair.1)?);
        if !self.table.vacate(&pair) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let slot = self.table.take(Owner::Connection(queue), rkt_platform::now());
        let context = self.iface.context();
        let started = self.table.get(slot).map(|flow| {
            flow.state = State::SynSent;
            flow.socket().connect(context, to, local)
        });
        if !matches!(started, Some(Ok(()))) {
            self.table.release(slot);
            return Err(Errno::ENETUNREACH);
        }
        self.table.set_pair(slot, Some(pair));
        self.control_congestion(slot);
        self.flush(slot, events);
        Ok(slot)
    }

    /// The connection over a flow; none if the stack is going away.
    pub fn connection(&self, slot: Slot, queue: Arc<WaitQueue>, pair: Pair) -> Option<Arc<dyn Connection>> {
        Some(SmolConnection::new(self.engine.upgrade()?, slot, queue, pair))
    }

    /// Nobody holds the flow any more: it lives on until the protocol is done with it.
    pub fn orphan(&mut self, slot: Slot) {
        if let Some(oldest) = self.table.orphan(slot, MAX_ORPHANS, rkt_platform::now()) {
            self.table.release(oldest);
        }
        self.touch(slot);
    }

    /// Congestion control where there is a network between: on the own link the window and the
    /// card's queue hold the sender back, and smoltcp's Reno starts with two segments (not the ten
    /// of RFC 6928).
    pub fn control_congestion(&mut self, slot: Slot) {
        let network = self.network;
        let Some(flow) = self.table.get(slot) else { return };
        let socket = flow.socket();
        let near = socket.remote_endpoint().is_some_and(|peer| network.contains_addr(&peer.addr));
        socket.set_congestion_control(if near { CongestionControl::None } else { CongestionControl::Reno });
    }

    // ---- work ------------------------------------------------------------------------------

    /// Has the flow looked at by the next poll.
    pub fn touch(&mut self, slot: Slot) {
        if let Some(flow) = self.table.get(slot)
            && !core::mem::replace(&mut flow.due, true)
        {
            self.due.push(slot);
        }
    }

    /// Sends what is due of a flow, and tells the card.
    pub fn flush(&mut self, slot: Slot, events: &mut Events) {
        self.look_at(slot, rkt_platform::now(), events);
        self.shim.tx.kick();
    }

    /// Sends queued datagrams, and tells the card.
    pub fn flush_datagrams(&mut self) {
        self.send_datagrams(rkt_platform::now());
        self.shim.tx.kick();
    }

    fn send_datagrams(&mut self, now: u64) {
        for _ in 0..MAX_BURST {
            if self.iface.poll_egress(instant(now), &mut self.shim, &mut self.rest) == PollResult::None {
                break;
            }
        }
    }

    /// Deals with what came for a flow, sends what is due, and sets its timer.
    fn look_at(&mut self, slot: Slot, now: u64, events: &mut Events) {
        self.settle(slot, Cause::Segment, now, events);
        let Some(flow) = self.table.get(slot) else { return };
        flow.decide_nagle();
        for _ in 0..MAX_BURST {
            if self.iface.poll_egress(instant(now), &mut self.shim, &mut flow.set) == PollResult::None {
                break;
            }
        }
        self.settle(slot, Cause::Timer, now, events);
        let Some(flow) = self.table.get(slot) else { return };
        let at = self.iface.poll_at(instant(now), &flow.set);
        let at = at.map_or(u64::MAX, |at| (at.total_micros().max(0) as u64).saturating_mul(1000).max(now));
        // A timer that moved back stays in the list: it finds nothing to do and is set again.
        if at < flow.timer {
            self.table.set_timer(slot, at);
        }
    }

    /// Tells of the changes of a flow.
    fn settle(&mut self, slot: Slot, cause: Cause, now: u64, events: &mut Events) {
        let Some(flow) = self.table.get(slot) else { return };
        match &flow.owner {
            Owner::Free => {}
            Owner::Handshake(id) => {
                let id = *id;
                self.settle_handshake(slot, id, events);
            }
            Owner::Connection(_) => {
                let bits = flow.news(cause, now);
                events.wake(&flow.owner, bits);
            }
            Owner::Orphan => {
                let socket = flow.socket();
                if socket.state() == State::Closed && socket.local_endpoint().is_none() {
                    self.table.release(slot);
                } else if socket.recv_queue() > 0 && socket.state() != State::Closed {
                    // Bytes that nobody will read (RFC 9293 §3.6.1): the peer gets a RST.
                    socket.abort();
                    self.touch(slot);
                }
            }
        }
    }

    /// Takes frames in, sends what is due, looks after timers. Whether there was anything.
    pub fn poll(&mut self, events: &mut Events) -> bool {
        let now = rkt_platform::now();
        if now >= self.next_housekeeping {
            self.next_housekeeping = now.saturating_add(HOUSEKEEPING);
            self.keep_house(now);
        }
        if !self.is_up() {
            return false;
        }
        let mut worked = self.shim.tx.is_backed_up() && self.shim.tx.flush_backlog();
        worked |= self.shim.has_work() && self.receive(now, events);
        while let Some(slot) = self.table.expired(now) {
            self.touch(slot);
        }
        // Looking at one may make another due, or the same again: for the next poll.
        let mut due = core::mem::take(&mut self.due);
        worked |= !due.is_empty();
        for slot in due.drain(..) {
            if let Some(flow) = self.table.get(slot) {
                flow.due = false;
            }
            self.look_at(slot, now, events);
        }
        if self.due.is_empty() {
            self.due = due;
        }
        if worked {
            self.shim.tx.kick();
        }
        worked
    }

    fn receive(&mut self, now: u64, events: &mut Events) -> bool {
        let mut any = false;
        for _ in 0..BUDGET {
            let Some(incoming) = self.shim.next_frame() else { break };
            any = true;
            match incoming {
                Incoming::Segment(pair, opens) => self.take_segment(pair, opens, now),
                Incoming::Datagram(port) => {
                    self.take_rest(now);
                    self.settle_port(port, events);
                }
                Incoming::Other => self.take_rest(now),
                Incoming::Arp => {
                    self.take_rest(now);
                    // Who waited for it is not known here.
                    self.table.slots().into_iter().for_each(|slot| self.touch(slot));
                    self.send_datagrams(now);
                }
            }
        }
        any
    }

    fn take_rest(&mut self, now: u64) {
        self.iface.poll_ingress_single(instant(now), &mut self.shim, &mut self.rest);
    }

    fn take_segment(&mut self, pair: Pair, opens: bool, now: u64) {
        let known = if opens && self.table.vacate(&pair) { None } else { self.table.find(&pair) };
        let slot = match known {
            Some(slot) => Some(slot),
            None if opens => match self.answer(pair) {
                Answer::Socket(slot) => Some(slot),
                Answer::Silence => return self.shim.drop_frame(),
                Answer::Refusal => None,
            },
            None => None,
        };
        match slot.and_then(|slot| self.table.get(slot)) {
            Some(flow) => {
                self.iface.poll_ingress_single(instant(now), &mut self.shim, &mut flow.set);
                slot.into_iter().for_each(|slot| self.touch(slot));
            }
            // Answered with RST.
            None => self.take_rest(now),
        }
    }

    fn keep_house(&mut self, now: u64) {
        if !self.is_up() {
            self.revive();
        }
        for slot in self.table.slots() {
            let Some(flow) = self.table.get(slot) else { continue };
            let (age, state) = (now.saturating_sub(flow.since), flow.socket().state());
            match flow.owner {
                Owner::Orphan if age > FIN_TIMEOUT && matches!(state, State::FinWait2 | State::Closed) => {
                    self.table.release(slot);
                }
                Owner::Connection(_) if age > USER_TIMEOUT => {
                    give_up(flow);
                    self.touch(slot);
                }
                _ => {}
            }
        }
    }

    /// When [`Inner::poll`] has to run next.
    pub fn deadline(&self) -> u64 {
        if !self.is_up() {
            return self.next_housekeeping;
        }
        if !self.due.is_empty() {
            return 0;
        }
        let housekeeping = if self.table.is_empty() { u64::MAX } else { self.next_housekeeping };
        let retry = if self.shim.tx.is_backed_up() { self.now().saturating_add(BACKLOG_RETRY) } else { u64::MAX };
        self.table.next_timer().min(housekeeping).min(retry)
    }

    /// Whether [`Inner::poll`] would find anything.
    pub fn has_work(&self) -> bool {
        self.is_up() && (!self.due.is_empty() || self.shim.has_work())
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
        for slot in self.table.slots() {
            let Some(flow) = self.table.get(slot) else { continue };
            flow.socket().abort();
            if let Owner::Connection(_) = flow.owner {
                flow.error = Some(Errno::ENETDOWN);
                flow.state = State::Closed;
                events.wake(&flow.owner, POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
            }
        }
        self.revive();
    }

    fn revive(&mut self) {
        let revived = self.shim.tx.reset();
        self.up.store(revived, Ordering::Relaxed);
    }
}

/// Ends a connection if it has bytes that stay unacknowledged.
fn give_up(flow: &mut Flow) {
    let socket = flow.socket();
    if socket.send_queue() > 0 && socket.state() != State::Closed {
        socket.abort();
        flow.error = Some(Errno::ETIMEDOUT);
    }
}
