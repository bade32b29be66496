//! UDP: ports that are open, and datagrams that leave.

use super::headers::Envelope;
use super::output::Departure;
use super::round::Round;
use super::{DEFAULT_TTL, Engine};
use crate::stack::{DatagramSink, Guard};
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::net::SocketAddr;
use hashbrown::HashMap;
use rkt_linux_abi::{Errno, Result};
use rkt_sync::RwLock;
use rkt_wire::checksum::Sum;
use rkt_wire::ip::{Addresses, protocol};
use rkt_wire::udp;

struct Open {
    sink: Arc<dyn DatagramSink>,
    times: usize,
}

/// Open ports.
pub(super) struct Datagrams {
    ports: RwLock<HashMap<u16, Open>>,
}

/// Closes the port when dropped.
struct PortGuard {
    engine: Weak<Engine>,
    port: u16,
}

impl Drop for PortGuard {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.upgrade() {
            engine.datagrams.close(self.port);
        }
    }
}

impl Datagrams {
    pub fn new() -> Self {
        Self { ports: RwLock::new(HashMap::new()) }
    }

    /// Opens a port, once more if it is open.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` for port 0.
    pub fn open(&self, port: u16, sink: Arc<dyn DatagramSink>, engine: Weak<Engine>) -> Result<Guard> {
        if port == 0 {
            return Err(Errno::EADDRNOTAVAIL);
        }
        self.ports.write().entry(port).or_insert(Open { sink, times: 0 }).times += 1;
        Ok(Box::new(PortGuard { engine, port }))
    }

    fn close(&self, port: u16) {
        let mut ports = self.ports.write();
        let Some(open) = ports.get_mut(&port) else { return };
        open.times = open.times.saturating_sub(1);
        let gone = if open.times == 0 { ports.remove(&port) } else { None };
        drop(ports);
        drop(gone);
    }

    /// Who takes datagrams for a port.
    pub fn find(&self, port: u16) -> Option<Arc<dyn DatagramSink>> {
        self.ports.read().get(&port).map(|open| open.sink.clone())
    }
}

impl Engine {
    /// Sends a datagram.
    ///
    /// # Errors
    /// `EMSGSIZE` if it is longer than IP takes; `ENETUNREACH`, `ENETDOWN`.
    pub(super) fn send_udp(&self, local: SocketAddr, to: SocketAddr, payload: &[u8]) -> Result<()> {
        let way = self.way(to.ip(), None)?;
        let link = self.links.get(way.link).ok_or(Errno::ENETUNREACH)?;
        let addresses = Addresses::new(local.ip(), to.ip()).ok_or(Errno::ENETUNREACH)?;
        let mut header = udp::Header { source_port: local.port(), destination_port: to.port(), checksum: 0 };
        let sum = header.sum(payload.len(), &addresses);
        let len = payload.len().saturating_add(udp::HEADER_LEN);
        // The card completes checksums of whole datagrams only.
        let by_card = link.card.tx_checksum && len <= link.room(to.is_ipv4());
        header.checksum = if by_card {
            addresses.pseudo(protocol::UDP, len).partial()
        } else {
            (sum + Sum::of(payload)).finish_udp()
        };
        let mut bytes = [0; udp::HEADER_LEN];
        header.emit(payload.len(), &mut bytes).map_err(|_| Errno::EMSGSIZE)?;
        let envelope = Envelope {
            from: link.mac,
            to: link.mac,
            addresses,
            ttl: if to.ip().is_multicast() { 1 } else { DEFAULT_TTL },
            tos: 0,
            id: crate::ports::random() as u16,
            fragmentable: true,
        };
        let checksum_at = by_card.then_some(udp::CHECKSUM_OFFSET);
        let departure = Departure {
            envelope,
            protocol: protocol::UDP,
            next_hop: way.next_hop,
            checksum_at,
            parts: [&bytes, payload],
        };
        let mut round = Round::new();
        {
            let mut port = link.port().ok_or(Errno::ENETDOWN)?.lock();
            self.depart(link, &mut port, &departure, &mut round);
            port.kick();
        }
        round.tell();
        Ok(())
    }
}
