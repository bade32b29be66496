//! The device, as its relay sees it.

use crate::connection::Connection;
use crate::message::{
    CONFIG, ConfigHead, MemoryTable, PROTOCOL_FEATURES, REPLY_ACK, Request, VringAddress, VringState,
};
use crate::model::{Configuration, Model};
use rkt_virtio::features::{RING_PACKED, VERSION_1};
use rkt_virtio_device::{Interest, Remote};
use rkt_virtio_transport::QueueSetup;
use rkt_window::layout::DMA;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFlags, eventfd};
use smallvec::{SmallVec, smallvec};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use zerocopy::IntoBytes;

/// Base of a fresh packed queue: index 0 and wrap counter 1, of the available and the used side.
const PACKED_START: u32 = 1 << 15 | 1 << 31;
/// The descriptor that comes with a request about a queue is its last part; bit 8 would say that there is none.
const QUEUE_MASK: u64 = 0xff;

/// A device that a back end plays. One that ends leaves a device that needs a reset; with the driver's next reset
/// the socket is connected to again.
pub struct VhostUser {
    path: PathBuf,
    model: Model,
    /// The window's memory, and bytes of it.
    window: OwnedFd,
    len: usize,
    connection: Option<Connection>,
    /// What the back end offered first; one that comes later has to offer it, too.
    offered: u64,
    config: Vec<u8>,
    /// What is asked of the driver's side of each queue in use.
    kicks: Vec<(u16, OwnedFd)>,
    /// The back end's notice that it has done something, for all queues.
    call: OwnedFd,
    /// Waits for the notice and for the connection's end: one descriptor, whichever the connection is.
    waits: OwnedFd,
    packed: bool,
}

impl VhostUser {
    /// Connects to the back end that listens at `path`. `window` is the memory of the window, `len` bytes.
    ///
    /// # Errors
    /// Nobody listens, or who does is no such back end.
    pub fn connect(path: &Path, model: Model, window: OwnedFd, len: usize) -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let (call, waits) = (eventfd(0, flags)?, epoll::create(epoll::CreateFlags::CLOEXEC)?);
        epoll::add(&waits, &call, EventData::new_u64(0), EventFlags::IN)?;
        let mut device = Self {
            path: path.to_owned(),
            model,
            window,
            len,
            connection: None,
            offered: 0,
            config: Vec::new(),
            kicks: Vec::new(),
            call,
            waits,
            packed: false,
        };
        device.offered = device.greet()?;
        Ok(device)
    }

    fn connection(&mut self) -> io::Result<&mut Connection> {
        self.connection.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Connects and says who we are. What the back end offers.
    fn greet(&mut self) -> io::Result<u64> {
        let mut connection = Connection::open(&self.path)?;
        let offered = connection.ask_number(Request::GetFeatures)?;
        if offered & VERSION_1 == 0 {
            return Err(io::Error::other("the back end knows no virtio 1"));
        }
        connection.tell(Request::SetOwner, &[], None)?;
        let mut protocol = 0;
        if offered & PROTOCOL_FEATURES != 0 {
            protocol = connection.ask_number(Request::GetProtocolFeatures)? & (REPLY_ACK | CONFIG);
            connection.tell(Request::SetProtocolFeatures, protocol.as_bytes(), None)?;
            connection.confirms = protocol & REPLY_ACK != 0;
        }
        self.config = match &self.model.configuration {
            Configuration::Ours(config) => config.clone(),
            Configuration::Theirs(_) if protocol & CONFIG == 0 => {
                return Err(io::Error::other("the back end does not tell its configuration"));
            }
            Configuration::Theirs(len) => read_config(&mut connection, *len)?,
        };
        epoll::add(&self.waits, &connection, EventData::new_u64(1), EventFlags::IN)?;
        self.connection = Some(connection);
        Ok(offered & (self.model.passed_on | PROTOCOL_FEATURES))
    }

    /// Gives the back end the DMA area, under the addresses that descriptors name: offsets in the window, for
    /// both kinds of addresses.
    fn share_memory(&mut self) -> io::Result<()> {
        let table = MemoryTable {
            count: 1,
            padding: 0,
            guest_address: DMA as u64,
            size: self.len.saturating_sub(DMA) as u64,
            user_address: DMA as u64,
            mmap_offset: DMA as u64,
        };
        let Self { connection: Some(connection), window, .. } = self else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        connection.tell(Request::SetMemTable, table.as_bytes(), Some(window.as_fd()))
    }

    fn set_queue(&mut self, queue: u16, setup: &QueueSetup) -> io::Result<()> {
        let kick = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let base = if self.packed { PACKED_START } else { 0 };
        let Self { connection: Some(connection), call, .. } = self else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let state = |number| VringState { index: queue.into(), number };
        connection.tell(Request::SetVringNum, state(setup.size.into()).as_bytes(), None)?;
        connection.tell(Request::SetVringBase, state(base).as_bytes(), None)?;
        let address = VringAddress {
            index: queue.into(),
            flags: 0,
            descriptors: setup.desc,
            used: setup.device,
            available: setup.driver,
            log: 0,
        };
        connection.tell(Request::SetVringAddr, address.as_bytes(), None)?;
        let number = u64::from(queue) & QUEUE_MASK;
        connection.tell(Request::SetVringCall, number.as_bytes(), Some(call.as_fd()))?;
        connection.tell(Request::SetVringKick, number.as_bytes(), Some(kick.as_fd()))?;
        self.kicks.push((queue, kick));
        Ok(())
    }

    /// Stops all queues; forgets a connection that does not answer.
    fn stop(&mut self) {
        let queues: Vec<u16> = self.kicks.drain(..).map(|(queue, _)| queue).collect();
        let Some(connection) = &mut self.connection else { return };
        let stopped = queues.iter().try_for_each(|queue| connection.stop_queue(*queue));
        if self.model.reconnects || stopped.is_err() || !connection.is_open() {
            // Closing it takes it out of the set, too.
            self.connection = None;
        }
    }
}

impl Remote for VhostUser {
    fn kind(&self) -> u32 {
        self.model.kind
    }

    fn features(&self) -> u64 {
        self.offered & self.model.passed_on | self.model.ours
    }

    fn queue_sizes(&self) -> &[u16] {
        &self.model.queue_sizes
    }

    fn config(&self) -> Vec<u8> {
        self.config.clone()
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
        let features = features & self.model.passed_on | self.offered & PROTOCOL_FEATURES;
        self.connection()?.tell(Request::SetFeatures, features.as_bytes(), None)?;
        Ok((self.model.consistent)(features))
    }

    fn start(&mut self, queues: &[(u16, QueueSetup)]) -> io::Result<()> {
        self.share_memory()?;
        queues.iter().try_for_each(|(queue, setup)| self.set_queue(*queue, setup))?;
        if self.offered & PROTOCOL_FEATURES != 0 {
            let connection = self.connection()?;
            for (queue, _) in queues {
                let enabled = VringState { index: u32::from(*queue), number: 1 };
                connection.tell(Request::SetVringEnable, enabled.as_bytes(), None)?;
            }
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
        smallvec![Interest { fd: self.waits.as_fd(), events: PollFlags::IN.bits() as i16 }]
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

fn read_config(connection: &mut Connection, len: usize) -> io::Result<Vec<u8>> {
    let head = ConfigHead { offset: 0, size: len as u32, flags: 0 };
    let answer = connection.ask(Request::GetConfig, &[head.as_bytes(), &vec![0; len]].concat())?;
    match answer.get(size_of::<ConfigHead>()..) {
        Some(config) if config.len() == len => Ok(config.to_vec()),
        _ => Err(io::Error::other("the back end has no such configuration")),
    }
}
