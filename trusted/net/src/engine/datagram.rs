//! UDP: ports that are open, and datagrams that leave.

use super::flow::Flow;
use super::headers::Envelope;
use super::link::Link;
use super::output::Departure;
use super::port::Port;
use super::round::Round;
use super::{Engine, scope};
use crate::stack::{DatagramSink, Fragmentation, Guard, Manner};
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::net::{IpAddr, SocketAddr};
use hashbrown::HashMap;
use rkt_linux_abi::{Errno, Result};
use rkt_netdev::ETHERNET_HEADER_LEN;
use rkt_sync::RwLock;
use rkt_wire::checksum::Sum;
use rkt_wire::ip::{Addresses, protocol};
use rkt_wire::{ipv4, ipv6, udp};

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
    /// `EMSGSIZE` if it is longer than IP takes, or than the path if it is not to be cut; `EINVAL` if a row is of
    /// longer datagrams than the path takes; `ENETUNREACH`, `ENETDOWN`.
    pub(super) fn send_udp(&self, local: SocketAddr, to: SocketAddr, payload: &[u8], manner: &Manner) -> Result<()> {
        let way = self.way(to.ip(), manner.interface.or(scope(to)))?;
        let link = self.links.get(way.link).ok_or(Errno::ENETUNREACH)?;
        let addresses = Addresses::new(local.ip(), to.ip()).ok_or(Errno::ENETUNREACH)?;
        let mut round = Round::new();
        let (path, narrow) = self.mtu_of(link, to.ip(), round.now);
        let path = manner.mtu.map_or(path, |most| path.min(most.into()));
        let v4 = to.is_ipv4();
        let ip_header = if v4 { ipv4::HEADER_LEN } else { ipv6::HEADER_LEN };
        let mtu = match manner.fragmentation {
            Fragmentation::Probe => link.mtu(v4),
            _ => path,
        };
        let most = mtu.saturating_sub(ip_header + udp::HEADER_LEN);
        let row = manner.segment.filter(|segment| payload.len() > usize::from(*segment));
        if row.is_some_and(|segment| usize::from(segment) > most) {
            return Err(Errno::EINVAL);
        }
        let cut = matches!(manner.fragmentation, Fragmentation::Local | Fragmentation::Anywhere);
        if row.is_none() && payload.len() > most && !cut {
            return Err(Errno::EMSGSIZE);
        }
        let envelope = Envelope {
            from: link.mac,
            to: link.mac,
            addresses,
            ttl: manner.ttl.unwrap_or(if to.ip().is_multicast() { 1 } else { link.ttl(v4) }),
            tos: manner.tos,
            id: crate::ports::random() as u16,
            fragmentable: manner.fragmentation == Fragmentation::Anywhere || cut && narrow,
        };
        let way = Outlet { link, next_hop: way.next_hop, mtu, ports: (local.port(), to.port()) };
        {
            let mut port = link.port().ok_or(Errno::ENETDOWN)?.lock();
            let longest = link.card.max_tx_frame.min(ipv4::MAX_LEN);
            let fits = payload.len() + ip_header + udp::HEADER_LEN + ETHERNET_HEADER_LEN <= longest;
            match row {
                Some(segment) if !(link.card.tx_uso && link.card.tx_checksum && fits) => {
                    for piece in payload.chunks(segment.into()) {
                        self.send_one(&way, &mut port, &envelope, piece, None, &mut round)?;
                    }
                }
                row => self.send_one(&way, &mut port, &envelope, payload, row, &mut round)?,
            }
            port.kick();
        }
        round.tell();
        Ok(())
    }

    /// Sends a packet of any transport.
    ///
    /// # Errors
    /// `EMSGSIZE` if it is longer than the path takes and is not to be cut; `ENETUNREACH`, `ENETDOWN`.
    pub(super) fn send_any(&self, addresses: Addresses, protocol: u8, bytes: &[u8], manner: &Manner) -> Result<()> {
        let to = addresses.destination();
        let way = self.way(to, manner.interface)?;
        let link = self.links.get(way.link).ok_or(Errno::ENETUNREACH)?;
        let mut round = Round::new();
        let (mtu, narrow) = self.mtu_of(link, to, round.now);
        let mtu = manner.mtu.map_or(mtu, |most| mtu.min(most.into()));
        let header = if to.is_ipv4() { ipv4::HEADER_LEN } else { ipv6::HEADER_LEN };
        let cut = matches!(manner.fragmentation, Fragmentation::Local | Fragmentation::Anywhere);
        if bytes.len() > mtu.saturating_sub(header) && !cut || bytes.len() > ipv4::MAX_LEN - ipv4::HEADER_LEN {
            return Err(Errno::EMSGSIZE);
        }
        let envelope = Envelope {
            from: link.mac,
            to: link.mac,
            addresses,
            ttl: manner.ttl.unwrap_or(if to.is_multicast() { 1 } else { link.ttl(to.is_ipv4()) }),
            tos: manner.tos,
            id: crate::ports::random() as u16,
            fragmentable: manner.fragmentation == Fragmentation::Anywhere || cut && narrow,
        };
        let (next_hop, parts): (_, [&[u8]; 2]) = (way.next_hop, [bytes, &[]]);
        let departure = Departure { envelope, protocol, next_hop, checksum_at: None, segment: None, mtu, parts };
        {
            let mut port = link.port().ok_or(Errno::ENETDOWN)?.lock();
            self.depart(link, &mut port, &departure, &mut round);
            port.kick();
        }
        round.tell();
        Ok(())
    }

    /// Sends one datagram, or a row of them for the card to cut.
    fn send_one(
        &self,
        Outlet { link, next_hop, mtu, ports }: &Outlet<'_>,
        port: &mut Port<Flow>,
        envelope: &Envelope,
        payload: &[u8],
        segment: Option<u16>,
        round: &mut Round,
    ) -> Result<()> {
        let addresses = envelope.addresses;
        let mut header = udp::Header { source_port: ports.0, destination_port: ports.1, checksum: 0 };
        let sum = header.sum(payload.len(), &addresses);
        let len = payload.len().saturating_add(udp::HEADER_LEN);
        // The card completes checksums of whole datagrams only.
        let header_len = if next_hop.is_ipv4() { ipv4::HEADER_LEN } else { ipv6::HEADER_LEN };
        let by_card = link.card.tx_checksum && (segment.is_some() || len + header_len <= *mtu);
        header.checksum = if by_card {
            addresses.pseudo(protocol::UDP, len).partial()
        } else {
            (sum + Sum::of(payload)).finish_udp()
        };
        let mut bytes = [0; udp::HEADER_LEN];
        header.emit(payload.len(), &mut bytes).map_err(|_| Errno::EMSGSIZE)?;
        let checksum_at = by_card.then_some(udp::CHECKSUM_OFFSET);
        let departure = Departure {
            envelope: *envelope,
            protocol: protocol::UDP,
            next_hop: *next_hop,
            checksum_at,
            segment,
            mtu: *mtu,
            parts: [&bytes, payload],
        };
        self.depart(link, port, &departure, round);
        Ok(())
    }
}

/// How datagrams leave.
struct Outlet<'a> {
    link: &'a Link,
    next_hop: IpAddr,
    /// Most bytes of a packet.
    mtu: usize,
    /// From and to.
    ports: (u16, u16),
}
