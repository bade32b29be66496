//! Packet sockets (packet(7)): whole frames, as they come in and go out.

mod options;
mod ring;
mod tap;

pub use ring::Ring;
pub(crate) use tap::Taps;

use crate::NetStack;
use crate::address::{AF_PACKET, Address, LinkAddress};
use crate::census::{Description, Names, state};
use crate::interface::Interface;
use crate::options::{Kind, Options};
use crate::patience::Patience;
use crate::socket::{Control, Outgoing, Received, Shutdown, Socket};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;
use rkt_linux_abi::{Errno, Result, general::*, net::*};
use rkt_netdev::ETHERNET_HEADER_LEN;
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_user::{IoSink, IoSource};
use tap::{Bound, Tap, Waiting};

/// SOL_PACKET of linux/socket.h.
pub(crate) const SOL_PACKET: u32 = 263;
/// Bytes of a VLAN's tag, which may stand in a frame beyond the MTU.
const VLAN_LEN: usize = 4;
/// Bytes of an Ethernet address.
const MAC_LEN: usize = 6;
/// What recvmsg(2) takes here.
const RECEIVE_FLAGS: u32 = MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE;

/// A packet socket.
pub(crate) struct PacketSocket {
    net: Arc<NetStack>,
    tap: Arc<Tap>,
    options: Mutex<Options>,
}

impl PacketSocket {
    /// A fresh socket; `cooked` ones see packets without the link's header.
    pub fn new(net: Arc<NetStack>, cooked: bool, protocol: u16) -> Arc<Self> {
        let kind = if cooked { Kind::Datagram } else { Kind::Raw };
        let options = Options::new(AF_PACKET, kind, 0);
        let tap = net.taps.add(cooked, protocol, options.receive_buffer);
        Arc::new(Self { net, tap, options: Mutex::new(options) })
    }

    fn interface(&self, index: u32) -> Option<Interface> {
        self.net.interfaces().into_iter().find(|interface| interface.index == index)
    }

    /// `struct tpacket_auxdata` (packet(7), PACKET_AUXDATA).
    fn auxiliary(&self, waiting: &Waiting) -> Control {
        const PACKET_AUXDATA: u32 = 8;
        let network = if self.tap.cooked { 0 } else { ETHERNET_HEADER_LEN as u16 };
        let words = [waiting.status, waiting.whole as u32, waiting.bytes.len() as u32];
        let halves = [0, network, 0, 0u16];
        let mut data: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        data.extend(halves.iter().flat_map(|half| half.to_ne_bytes()));
        Control { level: SOL_PACKET, kind: PACKET_AUXDATA, data }
    }

    /// The frame that a message becomes: of a raw socket what it is, of a cooked one behind a header made for it.
    fn frame(&self, interface: &Interface, to: Option<&LinkAddress>, protocol: u16, body: &[u8]) -> Result<Vec<u8>> {
        let header = ETHERNET_HEADER_LEN;
        let most = interface.mtu as usize + if self.tap.cooked { 0 } else { header + VLAN_LEN };
        if body.len() > most {
            return Err(Errno::EMSGSIZE);
        }
        if !self.tap.cooked {
            return if body.len() < header { Err(Errno::EINVAL) } else { Ok(body.to_vec()) };
        }
        let destination = match to {
            Some(to) if usize::from(to.address_len) < MAC_LEN => return Err(Errno::EINVAL),
            Some(to) => to.address,
            None => [0; 8],
        };
        let mut frame = destination.get(..MAC_LEN).unwrap_or(&[]).to_vec();
        frame.extend_from_slice(&interface.mac);
        frame.extend_from_slice(&protocol.to_be_bytes());
        frame.extend_from_slice(body);
        Ok(frame)
    }
}

/// The ring of a packet socket: what mmap(2) maps.
///
/// # Errors
/// `ENODEV` for other sockets, `EINVAL` if there is no ring.
pub fn ring_of(socket: &dyn Socket) -> Result<Arc<Ring>> {
    let socket = socket.as_any().downcast_ref::<PacketSocket>().ok_or(Errno::ENODEV)?;
    socket.tap.inner.lock().ring.clone().ok_or(Errno::EINVAL)
}

impl Drop for PacketSocket {
    fn drop(&mut self) {
        self.net.taps.remove(&self.tap);
    }
}

impl Socket for PacketSocket {
    fn wait_queue(&self) -> &Arc<WaitQueue> {
        &self.tap.waiters
    }

    fn is_stream(&self) -> bool {
        false
    }

    fn poll(&self) -> u32 {
        let inner = self.tap.inner.lock();
        let readable = !inner.frames.is_empty() || inner.ring.as_ref().is_some_and(|ring| ring.has_frames());
        let mut events = POLLOUT | POLLWRNORM | POLLWRBAND;
        events |= if readable { POLLIN | POLLRDNORM } else { 0 };
        events | if inner.error.is_some() { POLLERR } else { 0 }
    }

    fn bind(&self, to: &Address) -> Result<()> {
        let Address::Link(to) = to else { return Err(Errno::EINVAL) };
        let mut error = None;
        if to.interface != 0 {
            let interface = self.interface(to.interface).ok_or(Errno::ENODEV)?;
            error = (!interface.up).then_some(Errno::ENETDOWN);
        }
        let mut inner = self.tap.inner.lock();
        // A protocol of 0 leaves the one that there is.
        let protocol = if to.protocol == 0 { inner.bound.protocol } else { to.protocol };
        inner.bound = Bound { protocol, interface: Some(to.interface).filter(|index| *index != 0) };
        inner.error = error;
        drop(inner);
        self.net.taps.changed();
        Ok(())
    }

    fn listen(&self, _backlog: i32) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn accept(&self, _nonblocking: bool) -> Result<(Arc<dyn Socket>, Address)> {
        Err(Errno::EOPNOTSUPP)
    }

    fn connect(&self, _to: &Address, _nonblocking: bool) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn send(&self, source: &mut IoSource<'_>, message: &mut Outgoing<'_>) -> Result<usize> {
        let bound = self.tap.inner.lock().bound;
        let to = match message.to {
            None => None,
            Some(Address::Link(to)) => Some(to),
            Some(_) => return Err(Errno::EINVAL),
        };
        let (index, protocol) = match to {
            Some(to) => (Some(to.interface), to.protocol),
            None => (bound.interface, bound.protocol),
        };
        let interface = index.and_then(|index| self.interface(index)).ok_or(Errno::ENXIO)?;
        if let Some(error) = self.tap.inner.lock().error.take() {
            return Err(error);
        }
        if !interface.up {
            return Err(Errno::ENETDOWN);
        }
        let len = source.remaining();
        if len > interface.mtu as usize + ETHERNET_HEADER_LEN + VLAN_LEN {
            return Err(Errno::EMSGSIZE);
        }
        let mut body = vec![0; len];
        if len > 0 && source.take(&mut body)? < len {
            return Err(Errno::EFAULT);
        }
        let frame = self.frame(&interface, to, protocol, &body)?;
        if interface.loopback {
            crate::loopback::inject(&self.net, &frame, self.tap.id);
        } else {
            self.net.stack().ok_or(Errno::ENXIO)?.send_frame(interface.index, &frame, self.tap.id)?;
        }
        Ok(len)
    }

    fn receive(&self, sink: &mut IoSink<'_>, flags: u32, nonblocking: bool) -> Result<Received> {
        if flags & !RECEIVE_FLAGS != 0 {
            return Err(Errno::EINVAL);
        }
        if flags & MSG_ERRQUEUE != 0 {
            return Err(Errno::EAGAIN);
        }
        let timeout = self.options.lock().receive_timeout;
        Patience::new(nonblocking, flags, timeout).until(&self.tap.waiters, || {
            let waiting = self.tap.take(flags & MSG_PEEK != 0)?;
            let whole = waiting.bytes.len();
            let stored = if sink.is_full() || whole == 0 { 0 } else { sink.put(&waiting.bytes)? };
            let mut controls = self.options.lock().stamps.controls(waiting.at);
            if self.tap.inner.lock().auxiliary {
                controls.push(self.auxiliary(&waiting));
            }
            Ok(Received {
                len: if flags & MSG_TRUNC != 0 { whole } else { stored },
                from: Some(Address::Link(waiting.from)),
                flags: if stored < whole { MSG_TRUNC } else { 0 },
                controls,
                ..Received::default()
            })
        })
    }

    fn shutdown(&self, _how: Shutdown) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn local_address(&self) -> Address {
        let bound = self.tap.inner.lock().bound;
        let interface = bound.interface.and_then(|index| self.interface(index));
        let mut address = [0; 8];
        for (into, from) in address.iter_mut().zip(interface.iter().flat_map(|interface| interface.mac)) {
            *into = from;
        }
        Address::Link(LinkAddress {
            protocol: bound.protocol,
            interface: bound.interface.unwrap_or(0),
            hardware: interface.as_ref().map_or(0, Interface::hardware),
            kind: 0,
            address_len: if interface.is_some() { MAC_LEN as u8 } else { 0 },
            address,
            padded: false,
        })
    }

    fn peer_address(&self) -> Result<Address> {
        Err(Errno::EOPNOTSUPP)
    }

    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        self.change_option(level, name, value)
    }

    fn option(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        self.read_option(level, name, &[])
    }

    fn option_of(&self, level: u32, name: u32, given: &[u8]) -> Result<Vec<u8>> {
        self.read_option(level, name, given)
    }

    fn queued_input(&self) -> Result<usize> {
        Ok(self.tap.inner.lock().frames.front().map_or(0, |waiting| waiting.bytes.len()))
    }

    fn queued_output(&self) -> Result<usize> {
        Ok(0)
    }

    fn describe(&self) -> Option<Description> {
        let Address::Link(bound) = self.local_address() else { return None };
        let used = self.tap.inner.lock().used;
        Some(Description {
            family: AF_PACKET,
            kind: if self.tap.cooked { Kind::Datagram as u8 } else { Kind::Raw as u8 },
            protocol: bound.protocol,
            state: state::CLOSE,
            receive_queue: used as u32,
            send_queue: 0,
            inode: 0,
            uid: 0,
            names: Names::Packet(bound),
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
