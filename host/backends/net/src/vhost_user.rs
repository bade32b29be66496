//! A network card that a vhost-user back end plays (DPDK, Open vSwitch).

use crate::device::{config, consistent, queue_sizes};
use rkt_backend_vhost_user::{Configuration, Model};
use rkt_virtio::device_id;
use rkt_virtio::features::{EVENT_IDX, RING_PACKED, VERSION_1};
use rkt_virtio::net::features;

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

/// The card that a back end is to play: its address, group bit clear, and its largest IP packet, in bytes.
pub fn vhost_user_card(mac: [u8; 6], mtu: u16) -> Model {
    Model {
        kind: device_id::NET,
        passed_on: PASSED_ON,
        ours: features::MAC | features::MTU | features::STATUS,
        queue_sizes: queue_sizes(1),
        configuration: Configuration::Ours(config(mac, mtu, 1)),
        consistent,
        reconnects: false,
    }
}
