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

impl Device {
    /// All that the driver may want.
    pub const NET_FEATURES: u64 = common::VERSION_1
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

    /// An honest card with these features.
    pub fn net(window: &Window, features: u64) -> Self {
        Self::new(window, device_id::NET, features, &[256, 256], net_config().as_bytes())
    }

    /// The next receive buffer.
    pub fn rx_buffer(&mut self) -> Option<Chain> {
        self.next(RX)
    }

    /// Delivers a frame over as many buffers as it takes, `num_buffers` set to their number. False
    /// if there are too few.
    pub fn deliver(&mut self, mut header: Header, frame: &[u8]) -> bool {
        let mut rest = [header.as_bytes(), frame].concat();
        let mut filled: Vec<(Chain, Vec<u8>)> = Vec::new();
        while !rest.is_empty() {
            let Some(chain) = self.rx_buffer() else { return false };
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
            self.stage_used(RX, chain.head, bytes.len() as u32);
        }
        self.publish_used(RX);
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
        let chain = self.next(TX)?;
        let mut bytes = self.gather(&chain);
        self.use_chain(TX, chain.head, 0);
        let frame = bytes.split_off(HEADER_LEN.min(bytes.len()));
        Some((Header::read_from_bytes(&bytes).ok()?, frame))
    }
}
