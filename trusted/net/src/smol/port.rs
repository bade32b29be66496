//! Open UDP ports: one smoltcp socket each, on all addresses. Who of several sockets at a port a
//! datagram is for is decided above.

use super::engine::{Events, Inner};
use super::{Smol, endpoint_address};
use crate::stack::DatagramSink;
use alloc::sync::{Arc, Weak};
use alloc::vec;
use core::net::SocketAddr;
use rkt_linux_abi::{Errno, Result};
use smoltcp::iface::SocketHandle;
use smoltcp::phy::PacketMeta;
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, SendError, Socket, UdpMetadata};
use smoltcp::wire::IpEndpoint;

/// Datagrams, and bytes of them, that wait for a poll to end or for room in the transmit queue.
const PACKETS: usize = 128;
const BYTES: usize = 128 << 10;
/// Bytes of the IPv4 and UDP headers.
const HEADERS: usize = 28;

/// An open port.
pub(super) struct OpenPort {
    handle: SocketHandle,
    sink: Arc<dyn DatagramSink>,
    opened: usize,
}

/// Closes the port when dropped.
pub(super) struct PortGuard {
    pub engine: Weak<Smol>,
    pub port: u16,
}

impl Drop for PortGuard {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.upgrade() {
            // The sink goes when the lock was let go.
            drop(engine.with(|inner, _| inner.close_port(self.port)));
        }
    }
}

fn buffer() -> PacketBuffer<'static> {
    PacketBuffer::new(vec![PacketMetadata::EMPTY; PACKETS], vec![0; BYTES])
}

impl Inner {
    /// Opens a port, once more if it is open.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` for port 0.
    pub fn open_port(&mut self, port: u16, sink: Arc<dyn DatagramSink>) -> Result<()> {
        if let Some(open) = self.open_ports.get_mut(&port) {
            open.opened += 1;
            return Ok(());
        }
        let mut socket = Socket::new(buffer(), buffer());
        socket.bind(port).map_err(|_| Errno::EADDRNOTAVAIL)?;
        let handle = self.rest.add(socket);
        self.open_ports.insert(port, OpenPort { handle, sink, opened: 1 });
        Ok(())
    }

    fn close_port(&mut self, port: u16) -> Option<OpenPort> {
        let open = self.open_ports.get_mut(&port)?;
        open.opened -= 1;
        if open.opened > 0 {
            return None;
        }
        let open = self.open_ports.remove(&port)?;
        self.rest.remove(open.handle);
        Some(open)
    }

    /// Queues a datagram. As in Linux, it is lost without a word if too many wait for the
    /// receiver's hardware address.
    ///
    /// # Errors
    /// `EMSGSIZE`, `ENETUNREACH`.
    pub fn send_datagram(&mut self, local: IpEndpoint, to: IpEndpoint, payload: &[u8]) -> Result<()> {
        if payload.len() + HEADERS > self.mtu {
            // IPv4 fragments are not sent.
            return Err(Errno::EMSGSIZE);
        }
        let handle = self.open_ports.get(&local.port).ok_or(Errno::EINVAL)?.handle;
        let meta = UdpMetadata { endpoint: to, local_address: Some(local.addr), meta: PacketMeta::default() };
        match self.rest.get_mut::<Socket<'static>>(handle).send_slice(payload, meta) {
            Ok(()) | Err(SendError::BufferFull) => Ok(()),
            Err(SendError::Unaddressable) => Err(Errno::ENETUNREACH),
        }
    }

    /// Hands on what came to a port.
    pub fn settle_port(&mut self, port: u16, events: &mut Events) {
        let Some(open) = self.open_ports.get(&port) else { return };
        let socket = self.rest.get_mut::<Socket<'static>>(open.handle);
        while let Ok((payload, meta)) = socket.recv() {
            let Some(local) = meta.local_address else { continue };
            let local: SocketAddr = endpoint_address(IpEndpoint::new(local, port));
            events.datagram(open.sink.clone(), local, endpoint_address(meta.endpoint), payload);
        }
    }
}
