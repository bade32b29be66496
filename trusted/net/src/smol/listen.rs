//! Listening ports. A SYN makes the socket that answers it, so listening costs nothing.

use super::Smol;
use super::engine::{Events, Inner};
use super::flow::{Owner, Pair};
use super::table::Slot;
use crate::stack::Acceptor;
use alloc::sync::{Arc, Weak};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use rkt_sched::WaitQueue;
use smoltcp::socket::tcp::State;
use smoltcp::wire::IpListenEndpoint;

/// Handshakes at a port at a time. (net.ipv4.tcp_max_syn_backlog is larger, but takes no buffers.)
const MAX_HANDSHAKES: usize = 128;

/// A listening port.
pub(super) struct Port {
    id: u64,
    address: Option<Ipv4Addr>,
    port: u16,
    acceptor: Arc<dyn Acceptor>,
    handshakes: usize,
}

/// Ends listening when dropped.
pub(super) struct ListenGuard {
    pub engine: Weak<Smol>,
    pub id: u64,
}

impl Drop for ListenGuard {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.upgrade() {
            // The acceptor goes when the lock was let go.
            drop(engine.with(|inner, events| inner.unlisten(self.id, events)));
        }
    }
}

/// What to do with a SYN.
pub(super) enum Answer {
    /// This socket waits for it.
    Socket(Slot),
    /// Nothing: the peer will try again.
    Silence,
    /// Nobody listens: RST.
    Refusal,
}

impl Inner {
    /// Starts to listen; gives the number of the port.
    pub fn listen(&mut self, address: Option<Ipv4Addr>, port: u16, acceptor: Arc<dyn Acceptor>) -> u64 {
        self.next_id += 1;
        self.ports.push(Port { id: self.next_id, address, port, acceptor, handshakes: 0 });
        self.next_id
    }

    fn unlisten(&mut self, id: u64, events: &mut Events) -> Option<Port> {
        for slot in self.table.slots() {
            let Some(flow) = self.table.get(slot) else { continue };
            if matches!(flow.owner, Owner::Handshake(port) if port == id) {
                flow.socket().abort();
                self.orphan(slot);
                self.flush(slot, events);
            }
        }
        let at = self.ports.iter().position(|port| port.id == id)?;
        Some(self.ports.swap_remove(at))
    }

    /// Finds or makes what answers a SYN from a pair of addresses without a flow.
    pub fn answer(&mut self, pair: Pair) -> Answer {
        let (local, peer) = pair;
        let Some(port) = self.choose(local, peer) else { return Answer::Refusal };
        if port.handshakes >= MAX_HANDSHAKES || !port.acceptor.has_room() {
            return Answer::Silence;
        }
        let id = port.id;
        port.handshakes += 1;
        let slot = self.table.take(Owner::Handshake(id), rkt_platform::now());
        self.table.set_pair(slot, Some(pair));
        let endpoint = IpListenEndpoint { addr: None, port: local.port() };
        if let Some(flow) = self.table.get(slot) {
            // Fails for port 0 only, to which nobody listens.
            let _ = flow.socket().listen(endpoint);
            flow.state = State::Listen;
        }
        Answer::Socket(slot)
    }

    /// The listener for a connection: one of this address before one of all, and of several of
    /// the same (SO_REUSEPORT) always the same for the same peer.
    fn choose(&mut self, local: SocketAddr, peer: SocketAddr) -> Option<&mut Port> {
        let exact = |port: &Port| port.address.is_some_and(|ip| IpAddr::V4(ip) == local.ip());
        let here = |port: &&mut Port| port.port == local.port();
        let any_exact = self.ports.iter_mut().filter(here).any(|port| exact(port));
        let fits = |port: &&mut Port| here(port) && if any_exact { exact(port) } else { port.address.is_none() };
        let count = self.ports.iter_mut().filter(fits).count();
        let nth = usize::from(peer.port()).checked_rem(count)?;
        self.ports.iter_mut().filter(fits).nth(nth)
    }

    /// Looks at what became of a handshake.
    pub fn settle_handshake(&mut self, slot: Slot, id: u64, events: &mut Events) {
        let Some(flow) = self.table.get(slot) else { return };
        let state = flow.socket().state();
        flow.state = state;
        let (pair, port) = (flow.pair, self.ports.iter_mut().find(|port| port.id == id));
        if state == State::SynReceived {
            return;
        }
        let acceptor = port.map(|port| {
            port.handshakes = port.handshakes.saturating_sub(1);
            port.acceptor.clone()
        });
        match (state, acceptor, pair) {
            // The SYN was no good, or was reset.
            (State::Listen, ..) => self.table.release(slot),
            (State::Closed, ..) | (_, None, _) | (_, _, None) => self.orphan(slot),
            (_, Some(acceptor), Some(pair)) => {
                let queue = Arc::new(WaitQueue::new());
                flow.socket().set_timeout(None);
                flow.owner = Owner::Connection(queue.clone());
                self.control_congestion(slot);
                match self.connection(slot, queue, pair) {
                    Some(connection) => events.offer(acceptor, connection),
                    None => self.orphan(slot),
                }
            }
        }
    }
}
