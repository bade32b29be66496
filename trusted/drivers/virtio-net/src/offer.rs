//! What the device offers and what of it the driver takes.

use rkt_netdev::{Capabilities, ETHERNET_HEADER_LEN, RSS_KEY_LEN};
use rkt_virtio::features as common;
use rkt_virtio::net::{self, features, hash_types};
use rkt_virtio_transport::{DriverRegs, MAX_QUEUES};
use rkt_virtqueue::{CHUNK_LEN, DeviceError, VirtioError};
use zerocopy::IntoBytes;

/// Largest frame of all: the largest IP packet after an Ethernet header.
pub(crate) const MAX_FRAME: usize = u16::MAX as usize + ETHERNET_HEADER_LEN;

/// Chunks that a frame of [`MAX_FRAME`] bytes and its virtio header take.
pub(crate) const MAX_FRAME_CHUNKS: u16 = (MAX_FRAME + net::HEADER_LEN).div_ceil(CHUNK_LEN) as u16;

/// Payload bytes of a frame if the device does not say (IEEE 802.3).
const DEFAULT_MTU: u16 = 1500;

/// What the driver takes of the offer, for this many pairs of queues. A feature without the one that
/// it builds on (§5.1.3.1) is not taken: the device contradicts itself.
pub(crate) fn choose(offered: u64, pairs: u16) -> u64 {
    let has = |feature| offered & feature != 0;
    let mut chosen = common::EVENT_IDX | common::RING_PACKED;
    chosen |= features::MTU | features::STATUS | features::CSUM | features::GUEST_CSUM | features::MRG_RXBUF;
    if has(features::CSUM) {
        chosen |= features::HOST_TSO4 | features::HOST_TSO6 | features::HOST_USO;
    }
    // Without merging, each receive buffer would have to hold a whole segmented frame (§5.1.6.3.1).
    if has(features::GUEST_CSUM) && has(features::MRG_RXBUF) {
        chosen |= features::GUEST_TSO4 | features::GUEST_TSO6;
        // The header does not tell which IP a segmented datagram is in, so they are taken both or none.
        if has(features::GUEST_USO4) && has(features::GUEST_USO6) {
            chosen |= features::GUEST_USO4 | features::GUEST_USO6;
        }
    }
    if pairs > 1 && has(features::CTRL_VQ) && has(features::MQ) {
        chosen |= features::CTRL_VQ | features::MQ | features::RSS;
    }
    chosen
}

/// What the device says of itself, checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) can: Capabilities,
    /// Pairs of queues that it has.
    pub(crate) pairs: u16,
    /// It spreads frames by a hash over what the stack knows a flow by.
    pub(crate) hashes: bool,
}

/// Entries of the table by which a device spreads frames: as many as each has to have (§5.1.4.1).
pub(crate) const RSS_TABLE_LEN: u16 = 128;

/// The kinds of flows that a device has to tell apart for its hash to be of use.
pub(crate) const HASH_TYPES: u32 =
    hash_types::IPV4 | hash_types::TCPV4 | hash_types::UDPV4 | hash_types::IPV6 | hash_types::TCPV6 | hash_types::UDPV6;

/// Reads the configuration.
pub(crate) fn read(regs: &DriverRegs, agreed: u64) -> Result<Offer, VirtioError> {
    let mut config = net::Config::default();
    regs.read_config(config.as_mut_bytes())?;
    let wrong = |field, value| Err(DeviceError::ConfigValue { field, value }.into());
    let pairs = if agreed & features::MQ != 0 { config.max_virtqueue_pairs.get() } else { 1 };
    // The control queue comes behind all pairs (§5.1.2).
    if !(1..=MAX_QUEUES / 2).contains(&pairs) {
        return wrong("max_virtqueue_pairs", pairs.into());
    }
    let mut hashes = agreed & features::RSS != 0;
    if hashes {
        let (key, table) = (config.rss_max_key_size, config.rss_max_indirection_table_length.get());
        if usize::from(key) < RSS_KEY_LEN {
            return wrong("rss_max_key_size", key.into());
        }
        if table < RSS_TABLE_LEN {
            return wrong("rss_max_indirection_table_length", table.into());
        }
        hashes = config.supported_hash_types.get() & HASH_TYPES == HASH_TYPES;
    }
    Ok(Offer { can: capabilities(&config, agreed)?, pairs, hashes })
}

fn capabilities(config: &net::Config, agreed: u64) -> Result<Capabilities, VirtioError> {
    let has = |feature| agreed & feature != 0;

    let [first, ..] = config.mac;
    if first & 1 != 0 || config.mac == [0; 6] {
        let value = config.mac.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        return Err(DeviceError::ConfigValue { field: "mac", value }.into());
    }
    let mut mtu = if has(features::MTU) { config.mtu.get() } else { DEFAULT_MTU };
    if mtu < net::MIN_MTU {
        return Err(DeviceError::ConfigValue { field: "mtu", value: mtu.into() }.into());
    }
    if !has(features::MRG_RXBUF) {
        mtu = mtu.min((CHUNK_LEN - net::HEADER_LEN - ETHERNET_HEADER_LEN) as u16);
    }
    let frame = usize::from(mtu).saturating_add(ETHERNET_HEADER_LEN);
    let longest = |segmented: bool| if segmented { MAX_FRAME } else { frame };
    Ok(Capabilities {
        mac: config.mac,
        mtu,
        tx_checksum: has(features::CSUM),
        tx_tso4: has(features::HOST_TSO4),
        tx_tso6: has(features::HOST_TSO6),
        tx_uso: has(features::HOST_USO),
        max_tx_frame: longest(has(features::HOST_TSO4 | features::HOST_TSO6 | features::HOST_USO)),
        max_rx_frame: longest(has(features::GUEST_TSO4 | features::GUEST_TSO6 | features::GUEST_USO4)),
    })
}

/// Whether the device says that the link is up; one that does not tell has it up (§5.1.4.2).
pub(crate) fn link_up(regs: &DriverRegs, agreed: u64) -> bool {
    let mut config = net::Config::default();
    if agreed & features::STATUS == 0 {
        return true;
    }
    regs.read_config(config.as_mut_bytes()).is_ok() && config.status.get() & net::STATUS_LINK_UP != 0
}
