//! The network card's part of the device.

use crate::{Chain, Device};
use rkt_virtio::net::{Config, HEADER_LEN, Header, RX_QUEUE, STATUS_LINK_UP, TX_QUEUE, features};
use rkt_virtio::{device_id, features as common};
use rkt_window::Window;
use zerocopy::{FromBytes, IntoBytes};

const RX: usize = RX_QUEUE as usize;
const TX: usize = TX_QUEUE as usize;

/// The address that the card claims.
pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// An honest configuration.
pub fn net_config() -> Config {
    Config { mac: MAC, mtu: 1500.into(), status: STATUS_LINK_UP.into(), ..Config::default() }
}

/// An honest configuration of a card with several pairs of queues.
pub fn pairs_config(pairs: u16) -> Config {
    Config {
        max_virtqueue_pairs: pairs.into(),
        rss_max_key_size: 40,
        rss_max_indirection_table_length: 128.into(),
        supported_hash_types: 0x3f.into(),
        ..net_config()
    }
}

impl Device {
    /// All that the driver may want.
    pub const NET_FEATURES: u64 = common::VERSION_1
        | common::EVENT_IDX
        | features::CSUM
        | features::GUEST_CSUM
        | features::MTU
        | features::MAC
        | features::GUEST_TSO4
        | features::GUEST_TSO6
        | features::HOST_TSO4
        | features::HOST_TSO6
        | features::HOST_USO
        | features::GUEST_USO4
        | features::GUEST_USO6
        | features::STATUS
        | features::MRG_RXBUF;

    /// The same with packed queues.
    pub const PACKED_FEATURES: u64 = Self::NET_FEATURES | common::RING_PACKED;

    /// An honest card with these features.
    pub fn net(window: &Window, features: u64) -> Self {
        Self::new(window, device_id::NET, features, &[256, 256], net_config().as_bytes())
    }

    /// An honest card with this many pairs of queues, which spreads frames by a hash if `RSS` is among
    /// the features.
    pub fn net_pairs(window: &Window, features: u64, pairs: u16) -> Self {
        let mut sizes = vec![256; 2 * usize::from(pairs)];
        sizes.push(64);
        Self::new(window, device_id::NET, features | Self::PAIRS, &sizes, pairs_config(pairs).as_bytes())
    }

    /// What a card with several pairs has to offer.
    pub const PAIRS: u64 = features::CTRL_VQ | features::MQ;

    /// Takes a command out of control queue `queue` and answers it. None if there is none.
    pub fn take_command(&mut self, queue: usize, answer: u8) -> Option<Vec<u8>> {
        let chain = self.next(queue)?;
        let command = self.gather(&chain);
        let written = self.fill(&chain, &[answer]);
        self.use_chain(queue, chain.head, written as u32);
        Some(command)
    }

    /// The next receive buffer.
    pub fn rx_buffer(&mut self) -> Option<Chain> {
        self.next(RX)
    }

    /// Delivers a frame over as many buffers as it takes, `num_buffers` set to their number. False
    /// if there are too few.
    pub fn deliver(&mut self, header: Header, frame: &[u8]) -> bool {
        self.deliver_on(RX, header, frame)
    }

    /// The same in receive queue `queue`.
    pub fn deliver_on(&mut self, queue: usize, mut header: Header, frame: &[u8]) -> bool {
        let mut rest = [header.as_bytes(), frame].concat();
        let mut filled: Vec<(Chain, Vec<u8>)> = Vec::new();
        while !rest.is_empty() {
            let Some(chain) = self.next(queue) else { return false };
            let room: usize = chain.buffers.iter().map(|buffer| buffer.len).sum();
            let later = rest.split_off(room.min(rest.len()));
            filled.push((chain, std::mem::replace(&mut rest, later)));
        }
        header.num_buffers = (filled.len() as u16).into();
        if let Some((_, first)) = filled.first_mut() {
            first[..HEADER_LEN].copy_from_slice(header.as_bytes());
        }
        for (chain, bytes) in &filled {
            self.fill(chain, bytes);
            self.stage_used(queue, chain.head, bytes.len() as u32);
        }
        self.publish_used(queue);
        true
    }

    /// Delivers a frame in one buffer with the header just as it is.
    pub fn deliver_raw(&mut self, header: Header, frame: &[u8]) {
        let chain = self.rx_buffer().expect("a receive buffer");
        let bytes = [header.as_bytes(), frame].concat();
        self.fill(&chain, &bytes);
        self.use_chain(RX, chain.head, bytes.len() as u32);
    }

    /// Takes the next frame that the driver sends.
    pub fn take_frame(&mut self) -> Option<(Header, Vec<u8>)> {
        self.take_frame_on(TX)
    }

    /// The same from transmit queue `queue`.
    pub fn take_frame_on(&mut self, queue: usize) -> Option<(Header, Vec<u8>)> {
        let chain = self.next(queue)?;
        let mut bytes = self.gather(&chain);
        self.use_chain(queue, chain.head, 0);
        let frame = bytes.split_off(HEADER_LEN.min(bytes.len()));
        Some((Header::read_from_bytes(&bytes).ok()?, frame))
    }
}
