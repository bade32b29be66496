//! Network device (§5.1).

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Index of the first receive queue (§5.1.2).
pub const RX_QUEUE: u16 = 0;
/// Index of the first transmit queue (§5.1.2).
pub const TX_QUEUE: u16 = 1;

/// Feature bits (§5.1.3). "Host" is the device, "guest" the driver: `GUEST_TSO4` means that the
/// driver takes merged TCP segments, `HOST_TSO4` that the device splits them.
pub mod features {
    /// The device completes checksums of packets that it is given.
    pub const CSUM: u64 = 1 << 0;
    /// The driver takes packets whose checksum is partial or already checked.
    pub const GUEST_CSUM: u64 = 1 << 1;
    /// Offloads can be changed through the control queue.
    pub const CTRL_GUEST_OFFLOADS: u64 = 1 << 2;
    /// The configuration space holds an MTU.
    pub const MTU: u64 = 1 << 3;
    /// The configuration space holds a MAC address.
    pub const MAC: u64 = 1 << 5;
    /// The driver takes TSO packets over IPv4.
    pub const GUEST_TSO4: u64 = 1 << 7;
    /// The driver takes TSO packets over IPv6.
    pub const GUEST_TSO6: u64 = 1 << 8;
    /// The driver takes TSO packets with ECN.
    pub const GUEST_ECN: u64 = 1 << 9;
    /// The driver takes UDP fragmentation offload.
    pub const GUEST_UFO: u64 = 1 << 10;
    /// The device takes TSO packets over IPv4.
    pub const HOST_TSO4: u64 = 1 << 11;
    /// The device takes TSO packets over IPv6.
    pub const HOST_TSO6: u64 = 1 << 12;
    /// The device takes TSO packets with ECN.
    pub const HOST_ECN: u64 = 1 << 13;
    /// The device takes UDP fragmentation offload.
    pub const HOST_UFO: u64 = 1 << 14;
    /// A received packet may span several buffers.
    pub const MRG_RXBUF: u64 = 1 << 15;
    /// The configuration space holds a link status.
    pub const STATUS: u64 = 1 << 16;
    /// There is a control queue.
    pub const CTRL_VQ: u64 = 1 << 17;
    /// There are several pairs of queues.
    pub const MQ: u64 = 1 << 22;
    /// The device spreads packets over queues by a hash.
    pub const RSS: u64 = 1 << 60;
    /// The driver takes UDP segmentation offload over IPv4.
    pub const GUEST_USO4: u64 = 1 << 54;
    /// The driver takes UDP segmentation offload over IPv6.
    pub const GUEST_USO6: u64 = 1 << 55;
    /// The device takes UDP segmentation offload.
    pub const HOST_USO: u64 = 1 << 56;
}

/// Bits of [`Header::flags`] (§5.1.6).
pub mod header_flags {
    /// The checksum from `csum_start` on is still to be computed.
    pub const NEEDS_CSUM: u8 = 1;
    /// The device has checked the checksum (receive only).
    pub const DATA_VALID: u8 = 2;
    /// `csum_start` and `csum_offset` count coalesced segments (receive only, `RSC_EXT`).
    pub const RSC_INFO: u8 = 4;
}

/// Values of [`Header::gso_type`] (§5.1.6).
pub mod gso {
    /// Not segmented.
    pub const NONE: u8 = 0;
    /// TCP over IPv4.
    pub const TCPV4: u8 = 1;
    /// UDP fragmentation.
    pub const UDP: u8 = 3;
    /// TCP over IPv6.
    pub const TCPV6: u8 = 4;
    /// UDP segmentation.
    pub const UDP_L4: u8 = 5;
    /// Bit beside a TCP type: the segments have ECN set.
    pub const ECN: u8 = 0x80;
}

/// The header before each packet, `struct virtio_net_hdr` as `VERSION_1` has it (§5.1.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    /// Bits of [`header_flags`].
    pub flags: u8,
    /// One of [`gso`].
    pub gso_type: u8,
    /// Length of the headers, Ethernet to transport, that each segment repeats: a hint.
    pub hdr_len: U16,
    /// Most payload bytes of a segment.
    pub gso_size: U16,
    /// Where the checksum starts, from the start of the packet.
    pub csum_start: U16,
    /// Where the checksum is stored, from `csum_start`.
    pub csum_offset: U16,
    /// Buffers that the received packet spans; 0 when transmitted (§5.1.6.2).
    pub num_buffers: U16,
}

/// Bytes of a [`Header`].
pub const HEADER_LEN: usize = size_of::<Header>();

/// Configuration space (§5.1.4). A field counts only if its feature was offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Config {
    /// Address of the card (`MAC`).
    pub mac: [u8; 6],
    /// Bit 0: the link is up (`STATUS`).
    pub status: U16,
    /// Pairs of queues (`MQ`).
    pub max_virtqueue_pairs: U16,
    /// Largest payload of an Ethernet frame (`MTU`).
    pub mtu: U16,
    /// Mbit/s (`SPEED_DUPLEX`).
    pub speed: U32,
    /// 0 half, 1 full, 0xff unknown (`SPEED_DUPLEX`).
    pub duplex: u8,
    /// Longest key in bytes (`RSS`).
    pub rss_max_key_size: u8,
    /// Longest table in entries (`RSS`).
    pub rss_max_indirection_table_length: U16,
    /// Bits of [`hash_types`] (`RSS`).
    pub supported_hash_types: U32,
}

/// Over what a hash can be (§5.1.6.4.3.1).
pub mod hash_types {
    /// IPv4 addresses.
    pub const IPV4: u32 = 1 << 0;
    /// IPv4 addresses and TCP ports.
    pub const TCPV4: u32 = 1 << 1;
    /// IPv4 addresses and UDP ports.
    pub const UDPV4: u32 = 1 << 2;
    /// IPv6 addresses.
    pub const IPV6: u32 = 1 << 3;
    /// IPv6 addresses and TCP ports.
    pub const TCPV6: u32 = 1 << 4;
    /// IPv6 addresses and UDP ports.
    pub const UDPV6: u32 = 1 << 5;
}

/// The control queue (§5.1.6.5): a command is a class and a number, data that depend on them, and a
/// byte for the device's answer.
pub mod control {
    /// Class: pairs of queues (§5.1.6.5.5).
    pub const MQ: u8 = 4;
    /// Command of [`MQ`]: how many pairs are in use; data: u16.
    pub const MQ_VQ_PAIRS_SET: u8 = 0;
    /// Command of [`MQ`]: hash, key and table (§5.1.6.5.7).
    pub const MQ_RSS_CONFIG: u8 = 1;
    /// Answer: done.
    pub const OK: u8 = 0;
    /// Answer: refused.
    pub const ERR: u8 = 1;
}

/// Most pairs of queues (§5.1.6.5.5).
pub const MAX_PAIRS: u16 = 0x8000;

/// Bit of [`Config::status`]: the link is up.
pub const STATUS_LINK_UP: u16 = 1;
/// Smallest MTU a device may claim (§5.1.4.1).
pub const MIN_MTU: u16 = 68;
