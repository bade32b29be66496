//! A network card that a vhost-user back end plays (DPDK, Open vSwitch): its queues lie in the window's DMA
//! area, which is the only memory that it is given.
//!
//! A back end that ends leaves a device that needs a reset; with the driver's next reset the socket is connected
//! to again.

mod message;

use crate::device::{config, queue_sizes};
use message::{Connection, PROTOCOL_FEATURES, REPLY_ACK, Request};
use rkt_virtio::device_id;
use rkt_virtio::features::{EVENT_IDX, RING_PACKED, VERSION_1};
use rkt_virtio::net::features;
use rkt_virtio_device::{Interest, Remote};
use rkt_virtio_transport::QueueSetup;
use rkt_window::layout::DMA;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use smallvec::{SmallVec, smallvec};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// Features that are between driver and back end alone.
const PASSED_ON: u64 = VERSION_1
    | EVENT_IDX
    | RING_PACKED
    | features::MRG_RXBUF
    | features::CSUM
    | features::GUEST_CSUM
    | features::HOST_TSO4
    | features::HOST_TSO6
    | features::HOST_ECN
    | features::GUEST_TSO4
    | features::GUEST_TSO6
    | features::GUEST_ECN;
/// Features that the front end has.
const OURS: u64 = features::MAC | features::MTU | features::STATUS;
/// Base of a fresh packed queue: index 0 and wrap counter 1, of the available and the used side.
const PACKED_START: u32 = 1 << 15 | 1 << 31;
/// The descriptor that comes with a request about a queue is its last part; bit 8 would say that there is none.
const QUEUE_MASK: u64 = 0xff;

/// How the card is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VhostUserOptions {
    /// The socket that the back end listens at.
    pub path: PathBuf,
    /// Address, its group bit clear.
    pub mac: [u8; 6],
    /// Largest IP packet, in bytes.
    pub mtu: u16,
}

/// A card that a back end plays.
pub struct VhostUser {
    options: VhostUserOptions,
    /// The window's memory, and bytes of it.
    window: OwnedFd,
    len: usize,
    connection: Option<Connection>,
    /// What the back end offered first; one that comes later has to offer it, too.
    offered: u64,
    sizes: Vec<u16>,
    /// What is asked of the driver's side of each queue in use.
    kicks: Vec<(u16, OwnedFd)>,
    /// The back end's notice that it has done something, for all queues.
    call: OwnedFd,
    /// Waits for the notice and for the connection's end: one descriptor, whichever the connection is.
    waits: OwnedFd,
    packed: bool,
}

impl VhostUser {
    /// Connects to the back end. `window` is the memory of the window, `len` bytes.
    ///
    /// # Errors
    /// Nobody listens, or who does is no such back end.
    pub fn connect(options: VhostUserOptions, window: OwnedFd, len: usize) -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let (call, waits) = (eventfd(0, flags)?, epoll::create(epoll::CreateFlags::CLOEXEC)?);
        epoll::add(&waits, &call, EventData::new_u64(0), EventFlags::IN)?;
        let mut card = Self {
            options,
            window,
            len,
            connection: None,
            offered: 0,
            sizes: queue_sizes(1),
            kicks: Vec::new(),
            call,
            waits,
            packed: false,
        };
        card.offered = card.greet()?;
        Ok(card)
    }

    fn connection(&mut self) -> io::Result<&mut Connection> {
        self.connection.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Connects and says who we are. What the back end offers.
    fn greet(&mut self) -> io::Result<u64> {
        let mut connection = Connection::open(&self.options.path)?;
        let offered = connection.ask_number(Request::GetFeatures)?;
        if offered & PROTOCOL_FEATURES != 0 {
            let protocol = connection.ask_number(Request::GetProtocolFeatures)? & REPLY_ACK;
            connection.tell_number(Request::SetProtocolFeatures, protocol)?;
            connection.confirms = protocol & REPLY_ACK != 0;
        }
        connection.tell(Request::SetOwner, &[], &[])?;
        epoll::add(&self.waits, &connection, EventData::new_u64(1), EventFlags::IN)?;
        self.connection = Some(connection);
        Ok(offered & (PASSED_ON | PROTOCOL_FEATURES))
    }

    /// Gives the back end the DMA area, under the addresses that descriptors name: offsets in the window.
    fn share_memory(&mut self) -> io::Result<()> {
        let len = self.len.saturating_sub(DMA) as u64;
        // One region; its address for the device, its size, its address in rings, its place in the descriptor.
        let region = [DMA as u64, len, DMA as u64, DMA as u64].map(u64::to_le_bytes);
        let payload = [&[1, 0, 0, 0, 0, 0, 0, 0][..], region.as_flattened()].concat();
        let Self { connection: Some(connection), window, .. } = self else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        connection.tell(Request::SetMemTable, &payload, &[window.as_fd()])
    }

    fn set_queue(&mut self, queue: u16, setup: &QueueSetup) -> io::Result<()> {
        let kick = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let base = if self.packed { PACKED_START } else { 0 };
        let Self { connection: Some(connection), call, .. } = self else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        connection.tell_queue(Request::SetVringNum, queue, setup.size.into())?;
        connection.tell_queue(Request::SetVringBase, queue, base)?;
        // Index, no flags; descriptors, used ring, available ring, no log.
        let addresses = [u64::from(queue), setup.desc, setup.device, setup.driver, 0].map(u64::to_le_bytes);
        connection.tell(Request::SetVringAddr, addresses.as_flattened(), &[])?;
        let with = |connection: &mut Connection, request, fd: BorrowedFd<'_>| {
            connection.tell(request, &(u64::from(queue) & QUEUE_MASK).to_le_bytes(), &[fd])
        };
        with(connection, Request::SetVringCall, call.as_fd())?;
        with(connection, Request::SetVringKick, kick.as_fd())?;
        self.kicks.push((queue, kick));
        Ok(())
    }

    /// Stops all queues; forgets a connection that does not answer.
    fn stop(&mut self) {
        let queues: Vec<u16> = self.kicks.drain(..).map(|(queue, _)| queue).collect();
        let Some(connection) = &mut self.connection else { return };
        let stopped = queues.iter().try_for_each(|queue| connection.stop_queue(*queue));
        if stopped.is_err() || !connection.is_open() {
            // Closing it takes it out of the set, too.
            self.connection = None;
        }
    }
}

impl Remote for VhostUser {
    fn kind(&self) -> u32 {
        device_id::NET
    }

    fn features(&self) -> u64 {
        self.offered & PASSED_ON | OURS
    }

    fn queue_sizes(&self) -> &[u16] {
        &self.sizes
    }

    fn config(&self) -> Vec<u8> {
        config(self.options.mac, self.options.mtu, 1)
    }

    fn reset(&mut self) -> io::Result<()> {
        self.stop();
        if self.connection.is_none() && self.greet()? & self.offered != self.offered {
            self.connection = None;
            return Err(io::Error::other("the back end came back with fewer features"));
        }
        Ok(())
    }

    fn accept(&mut self, features: u64) -> io::Result<bool> {
        self.packed = features & RING_PACKED != 0;
        let features = features & PASSED_ON | self.offered & PROTOCOL_FEATURES;
        self.connection()?.tell_number(Request::SetFeatures, features)?;
        Ok(crate::device::consistent(features))
    }

    fn start(&mut self, queues: &[(u16, QueueSetup)]) -> io::Result<()> {
        self.share_memory()?;
        queues.iter().try_for_each(|(queue, setup)| self.set_queue(*queue, setup))?;
        if self.offered & PROTOCOL_FEATURES != 0 {
            let connection = self.connection()?;
            queues.iter().try_for_each(|(queue, _)| connection.tell_queue(Request::SetVringEnable, *queue, 1))?;
        }
        Ok(())
    }

    fn kick(&mut self) -> io::Result<()> {
        for (_, kick) in &self.kicks {
            // Full (EAGAIN) means that the back end has not even looked at the last one.
            let _ = rustix::io::write(kick, &1u64.to_ne_bytes());
        }
        Ok(())
    }

    fn descriptors(&self) -> SmallVec<[Interest<'_>; 4]> {
        smallvec![Interest { fd: self.waits.as_fd(), events: libc::POLLIN }]
    }

    fn heed(&mut self) -> io::Result<bool> {
        if !self.connection.as_ref().is_some_and(Connection::is_open) {
            self.connection = None;
            return Err(io::ErrorKind::NotConnected.into());
        }
        // Nothing to read (EAGAIN) means that there is no notice.
        Ok(rustix::io::read(&self.call, &mut [0u8; 8][..]).is_ok())
    }
}
