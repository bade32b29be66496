//! TCP/IP by smoltcp over one network card: the first [`Stack`].
//!
//! One lock guards smoltcp's state and the card. What has to be told to others (waiters, acceptors,
//! datagrams) is collected in [`engine::Events`] and told when the lock was let go.

mod conn;
mod engine;
mod flow;
mod frame;
mod listen;
mod port;
mod shim;
mod table;

use crate::netstack::Card;
use crate::stack::{Acceptor, Connection, DatagramSink, Guard, Stack};
use crate::{Interface, ports};
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicBool, Ordering};
use engine::{Events, Inner};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use smoltcp::wire::{IpAddress, IpEndpoint};

/// The stack.
pub(crate) struct Smol {
    me: Weak<Smol>,
    inner: Mutex<Inner>,
    up: Arc<AtomicBool>,
    interface: Interface,
}

/// smoltcp's address as the standard library's.
fn endpoint_address(endpoint: IpEndpoint) -> SocketAddr {
    (IpAddr::from(endpoint.addr), endpoint.port).into()
}

/// The standard library's address as smoltcp's; IPv4 only.
fn endpoint(addr: SocketAddr) -> Result<IpEndpoint> {
    match addr {
        SocketAddr::V4(v4) => Ok(IpEndpoint::new(IpAddress::Ipv4(*v4.ip()), v4.port())),
        SocketAddr::V6(_) => Err(Errno::ENETUNREACH),
    }
}

impl Smol {
    /// Over this card.
    pub fn new(card: Card) -> Arc<Self> {
        let caps = card.device.capabilities();
        let interface = Interface {
            index: 2,
            name: "eth0",
            mac: caps.mac,
            mtu: u32::from(caps.mtu),
            address: card.address,
            prefix: card.prefix.min(32),
            gateway: card.gateway,
            up: true,
        };
        let up = Arc::new(AtomicBool::new(true));
        let seed = u64::from(ports::random()) << 32 | u64::from(ports::random());
        Arc::new_cyclic(|me| {
            let inner = Inner::new(card.device, &interface, card.gateway, seed, me.clone(), up.clone());
            Self { me: me.clone(), inner: Mutex::new(inner), up, interface }
        })
    }

    /// Runs `f` with the lock held, and tells what came of it afterwards.
    fn with<R>(&self, f: impl FnOnce(&mut Inner, &mut Events) -> R) -> R {
        let mut events = Events::default();
        let result = {
            let mut inner = self.inner.lock();
            let result = f(&mut inner, &mut events);
            inner.settle_failure(&mut events);
            result
        };
        events.tell();
        result
    }

    fn check_up(&self) -> Result<()> {
        if self.up.load(Ordering::Relaxed) { Ok(()) } else { Err(Errno::ENETDOWN) }
    }
}

impl Stack for Smol {
    fn interface(&self) -> Interface {
        Interface { up: self.up.load(Ordering::Relaxed), ..self.interface.clone() }
    }

    fn source(&self, to: IpAddr) -> Result<Ipv4Addr> {
        self.check_up()?;
        match to {
            IpAddr::V4(ip) if self.interface.gateway.is_some() || self.interface.contains(ip) || ip.is_broadcast() => {
                Ok(self.interface.address)
            }
            _ => Err(Errno::ENETUNREACH),
        }
    }

    fn connect(&self, local: SocketAddr, to: SocketAddr, queue: Arc<WaitQueue>) -> Result<Arc<dyn Connection>> {
        self.source(to.ip())?;
        let IpAddr::V4(ip) = to.ip() else { return Err(Errno::ENETUNREACH) };
        if ip.is_multicast() || ip.is_broadcast() || ip == self.interface.broadcast() {
            return Err(Errno::ENETUNREACH);
        }
        self.with(|inner, events| {
            let slot = inner.connect((local, to), queue.clone(), events)?;
            inner.connection(slot, queue, (local, to)).ok_or(Errno::ENETDOWN)
        })
    }

    fn listen(&self, address: Option<Ipv4Addr>, port: u16, acceptor: Arc<dyn Acceptor>) -> Result<Guard> {
        let id = self.with(|inner, _| inner.listen(address, port, acceptor));
        Ok(Box::new(listen::ListenGuard { engine: self.me.clone(), id }))
    }

    fn open_port(&self, port: u16, sink: Arc<dyn DatagramSink>) -> Result<Guard> {
        self.with(|inner, _| inner.open_port(port, sink))?;
        Ok(Box::new(port::PortGuard { engine: self.me.clone(), port }))
    }

    fn send_datagram(&self, local: SocketAddr, to: SocketAddr, payload: &[u8]) -> Result<()> {
        self.source(to.ip())?;
        let (local, to) = (endpoint(local)?, endpoint(to)?);
        self.with(|inner, _| {
            inner.send_datagram(local, to, payload)?;
            inner.flush_datagrams();
            Ok(())
        })
    }

    fn poll(&self) -> bool {
        let mut events = Events::default();
        let worked = {
            let Some(mut inner) = self.inner.try_lock() else { return false };
            let worked = inner.poll(&mut events);
            inner.settle_failure(&mut events);
            worked
        };
        events.tell();
        worked
    }

    fn has_work(&self) -> bool {
        // Who holds the lock may be through with looking at the card: then this vCPU has to look again.
        self.inner.try_lock().is_none_or(|inner| inner.has_work())
    }

    fn deadline(&self) -> u64 {
        self.inner.try_lock().map_or(0, |inner| inner.deadline())
    }
}
