//! Listening ports. smoltcp's listening socket becomes the connection when a SYN comes, so a port
//! has a few of them ready and gets new ones as they are used up.

use super::Smol;
use super::engine::{Events, Inner};
use super::wake::{Owner, Watch};
use crate::stack::Acceptor;
use alloc::sync::{Arc, Weak};
use core::net::Ipv4Addr;
use rkt_sched::WaitQueue;
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::wire::{IpAddress, IpListenEndpoint};

/// Sockets that listen at a port at a time: SYNs that one frame after the other may bring.
const READY: usize = 4;
/// Handshakes at a port at a time (net.ipv4.tcp_max_syn_backlog is larger, but takes no buffers).
const MAX_HANDSHAKES: usize = 128;

/// A listening port.
pub(super) struct Port {
    id: u64,
    endpoint: IpListenEndpoint,
    acceptor: Arc<dyn Acceptor>,
    /// Sockets in LISTEN.
    ready: usize,
    /// Sockets in SYN-RECEIVED.
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
            engine.with(|inner, events| inner.unlisten(self.id, events));
        }
    }
}

impl Inner {
    /// Starts to listen; gives the number of the port in the list.
    pub fn listen(&mut self, address: Option<Ipv4Addr>, port: u16, acceptor: Arc<dyn Acceptor>) -> u64 {
        self.next_id += 1;
        let endpoint = IpListenEndpoint { addr: address.map(IpAddress::Ipv4), port };
        self.ports.push(Port { id: self.next_id, endpoint, acceptor, ready: 0, handshakes: 0 });
        self.refill();
        self.next_id
    }

    fn unlisten(&mut self, id: u64, events: &mut Events) {
        self.ports.retain(|port| port.id != id);
        for watch in self.watches_of(Owner::Listener(id)) {
            self.tcp(watch.handle).abort();
            self.orphan(&watch);
        }
        self.refill();
        self.flush(events);
    }

    /// Gives each port as many listening sockets as it may have.
    pub fn refill(&mut self) {
        for at in 0..self.ports.len() {
            while let Some(port) = self.ports.get(at)
                && port.ready < READY
                && port.handshakes < MAX_HANDSHAKES
                && port.acceptor.has_room()
            {
                let (id, endpoint) = (port.id, port.endpoint);
                if !self.add_listening(id, endpoint) {
                    break;
                }
                if let Some(port) = self.ports.get_mut(at) {
                    port.ready += 1;
                }
            }
        }
    }

    /// Whether a SYN to this port would find a socket: true if nobody listens there, which is
    /// answered with RST.
    pub fn takes_syn(&self, port: u16) -> bool {
        let mut here = self.ports.iter().filter(|entry| entry.endpoint.port == port).peekable();
        here.peek().is_none() || here.any(|entry| entry.ready > 0)
    }

    fn add_listening(&mut self, id: u64, endpoint: IpListenEndpoint) -> bool {
        let mut socket = self.fresh_socket();
        if socket.listen(endpoint).is_err() {
            return false;
        }
        let watch = self.add(socket, Arc::new(WaitQueue::new()), Owner::Listener(id));
        watch.seen.lock().state = State::Listen;
        true
    }

    /// A socket of a port changed from state `before`.
    pub fn settle_listening(&mut self, id: u64, watch: &Arc<Watch>, before: State, events: &mut Events) {
        let now = self.tcp(watch.handle).state();
        let Some(port) = self.ports.iter_mut().find(|port| port.id == id) else { return };
        match before {
            State::Listen => port.ready = port.ready.saturating_sub(1),
            State::SynReceived => port.handshakes = port.handshakes.saturating_sub(1),
            _ => {}
        }
        match now {
            State::Listen => port.ready += 1,
            State::SynReceived => port.handshakes += 1,
            State::Closed => self.orphan(watch),
            _ => {
                let acceptor = port.acceptor.clone();
                self.accept(watch, acceptor, events);
            }
        }
    }

    fn accept(&mut self, watch: &Arc<Watch>, acceptor: Arc<dyn Acceptor>, events: &mut Events) {
        let socket: &mut Socket<'static> = self.tcp(watch.handle);
        socket.set_timeout(None);
        self.control_congestion(watch.handle);
        match self.connection(watch) {
            Some(connection) => {
                watch.seen.lock().owner = Owner::Connection;
                events.offer(acceptor, connection);
            }
            None => self.orphan(watch),
        }
    }
}
