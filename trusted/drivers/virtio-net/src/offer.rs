//! What the device offers and what of it the driver takes.

use rkt_netdev::{Capabilities, ETHERNET_HEADER_LEN};
use rkt_virtio::net::{self, features};
use rkt_virtio_transport::DriverRegs;
use rkt_virtqueue::{CHUNK_LEN, DeviceError, VirtioError};
use zerocopy::IntoBytes;

/// Largest frame of all: the largest IP packet after an Ethernet header.
pub(crate) const MAX_FRAME: usize = u16::MAX as usize + ETHERNET_HEADER_LEN;

/// Chunks that a frame of [`MAX_FRAME`] bytes and its virtio header take.
pub(crate) const MAX_FRAME_CHUNKS: u16 = (MAX_FRAME + net::HEADER_LEN).div_ceil(CHUNK_LEN) as u16;

/// Payload bytes of a frame if the device does not say (IEEE 802.3).
const DEFAULT_MTU: u16 = 1500;

/// What the driver takes of the offer. An offload without the one that it builds on
/// (§5.1.3.1) is not taken: the device contradicts itself.
pub(crate) fn choose(offered: u64) -> u64 {
    let mut chosen = features::MTU | features::STATUS | features::CSUM | features::GUEST_CSUM | features::MRG_RXBUF;
    if offered & features::CSUM != 0 {
        chosen |= features::HOST_TSO4 | features::HOST_TSO6 | features::HOST_USO;
    }
    // Without merging, each receive buffer would have to hold a whole segmented frame (§5.1.6.3.1).
    if offered & features::GUEST_CSUM != 0 && offered & features::MRG_RXBUF != 0 {
        chosen |= features::GUEST_TSO4 | features::GUEST_TSO6;
        // The header does not tell which IP a segmented datagram is in, so they are taken both or none.
        let both = features::GUEST_USO4 | features::GUEST_USO6;
        if offered & both == both {
            chosen |= both;
        }
    }
    chosen
}

/// Reads the configuration and derives what the card can do.
pub(crate) fn capabilities(regs: &DriverRegs, agreed: u64) -> Result<Capabilities, VirtioError> {
    let mut config = net::Config::default();
    regs.read_config(config.as_mut_bytes())?;
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
