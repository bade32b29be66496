//! What is asked of a daemon, in order.

use crate::connection::Connection;
use crate::message::{
    CONFIG, ConfigHead, MemoryTable, PROTOCOL_FEATURES, REPLY_ACK, Request, VringAddress, VringState,
};
use rkt_virtio::blk::{Config, features as blk};
use rkt_virtio::features::VERSION_1;
use rkt_virtio_transport::QueueSetup;
use rkt_window::layout::DMA;
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use zerocopy::IntoBytes;

/// Features that are passed on: those of disks that change nothing about who reaches which memory.
const PASSED: u64 =
    VERSION_1 | blk::SIZE_MAX | blk::SEG_MAX | blk::RO | blk::BLK_SIZE | blk::FLUSH | blk::DISCARD | blk::WRITE_ZEROES;

/// A daemon that was asked what it is.
pub struct Daemon {
    connection: Connection,
    /// Features that a driver can have.
    pub features: u64,
    /// The configuration space.
    pub config: Vec<u8>,
}

/// The two bells of a queue: the daemon's and ours.
pub struct Bells {
    pub kick: OwnedFd,
    pub call: OwnedFd,
}

impl Daemon {
    /// Connects, and asks for features and configuration.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let mut connection = Connection::open(path)?;
        let features = connection.ask_number(Request::GetFeatures)?;
        let needed = VERSION_1 | PROTOCOL_FEATURES;
        if features & needed != needed {
            return Err(io::Error::other(format!("the daemon's features {features:#x} lack some of {needed:#x}")));
        }
        connection.tell(Request::SetOwner, &[])?;
        let protocol = connection.ask_number(Request::GetProtocolFeatures)?;
        let needed = CONFIG | REPLY_ACK;
        if protocol & needed != needed {
            return Err(io::Error::other(format!("the daemon's protocol {protocol:#x} lacks some of {needed:#x}")));
        }
        connection.tell(Request::SetProtocolFeatures, needed.as_bytes())?;
        let config = read_config(&mut connection)?;
        Ok(Self { connection, features: features & PASSED, config })
    }

    /// Whether it is gone.
    pub fn is_gone(&self) -> bool {
        self.connection.is_over()
    }

    /// Has it work on a queue that begins at index 0.
    pub fn start(
        &mut self,
        features: u64,
        window: BorrowedFd<'_>,
        window_len: usize,
        queue: &QueueSetup,
    ) -> io::Result<Bells> {
        let connection = &mut self.connection;
        let bell = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let bells = Bells { kick: bell()?, call: bell()? };
        connection.order(Request::SetFeatures, (features | PROTOCOL_FEATURES).as_bytes(), None)?;
        // Offsets in the window are the addresses, for both kinds of them.
        let table = MemoryTable {
            count: 1,
            padding: 0,
            guest_address: DMA as u64,
            size: window_len.saturating_sub(DMA) as u64,
            user_address: DMA as u64,
            mmap_offset: DMA as u64,
        };
        connection.order(Request::SetMemTable, table.as_bytes(), Some(window))?;
        let state = |number| VringState { index: 0, number };
        connection.order(Request::SetVringNum, state(queue.size.into()).as_bytes(), None)?;
        connection.order(Request::SetVringBase, state(0).as_bytes(), None)?;
        let address = VringAddress {
            index: 0,
            flags: 0,
            descriptors: queue.desc,
            used: queue.device,
            available: queue.driver,
            log: 0,
        };
        connection.order(Request::SetVringAddr, address.as_bytes(), None)?;
        connection.order(Request::SetVringCall, 0u64.as_bytes(), Some(bells.call.as_fd()))?;
        connection.order(Request::SetVringKick, 0u64.as_bytes(), Some(bells.kick.as_fd()))?;
        connection.order(Request::SetVringEnable, state(1).as_bytes(), None)?;
        Ok(bells)
    }
}

impl AsFd for Daemon {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

fn read_config(connection: &mut Connection) -> io::Result<Vec<u8>> {
    let size = size_of::<Config>();
    let head = ConfigHead { offset: 0, size: size as u32, flags: 0 };
    let answer = connection.ask(Request::GetConfig, &[head.as_bytes(), &vec![0; size]].concat())?;
    match answer.get(size_of::<ConfigHead>()..) {
        Some(config) if config.len() == size => Ok(config.to_vec()),
        _ => Err(io::Error::other("the daemon has no configuration of a disk")),
    }
}
