//! Identify data (base §5.17, nvm §4.1.5).

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of each identify data structure.
pub const IDENTIFY_LEN: usize = 4096;
/// Most identifiers in a list of namespaces.
pub const MAX_LISTED_NAMESPACES: usize = 1024;

/// "Controller or namespace structure" (base §5.17.1).
pub mod cns {
    /// A namespace (nvm §4.1.5.1).
    pub const NAMESPACE: u8 = 0x00;
    /// The controller (base §5.17.2.1).
    pub const CONTROLLER: u8 = 0x01;
    /// Active namespaces with identifiers above the command's (base §5.17.2.2).
    pub const ACTIVE_NAMESPACES: u8 = 0x02;
    /// Descriptors of a namespace (base §5.17.2.3).
    pub const NAMESPACE_DESCRIPTORS: u8 = 0x03;
}

/// Bits of [`IdentifyController::oacs`]: optional admin commands.
pub mod oacs {
    /// Doorbell buffer config.
    pub const DOORBELL_BUFFER: u16 = 1 << 8;
}

/// Bits of [`IdentifyController::oaes`]: optional asynchronous events.
pub mod oaes {
    /// Namespace attribute notices.
    pub const NAMESPACE_ATTRIBUTES: u32 = 1 << 8;
}

/// Bits of [`IdentifyController::oncs`]: optional NVM commands.
pub mod oncs {
    /// Dataset management.
    pub const DATASET_MANAGEMENT: u16 = 1 << 2;
    /// Write zeroes.
    pub const WRITE_ZEROES: u16 = 1 << 3;
}

/// Identify controller (base §5.17.2.1).
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IdentifyController {
    /// PCI vendor.
    pub vid: U16,
    /// PCI subsystem vendor.
    pub ssvid: U16,
    /// Serial number, ASCII padded with spaces.
    pub serial: [u8; 20],
    /// Model number, likewise.
    pub model: [u8; 40],
    /// Firmware revision, likewise.
    pub firmware: [u8; 8],
    _72: [u8; 5],
    /// Log2 of the longest transfer in smallest pages; 0 = no limit.
    pub mdts: u8,
    /// Controller id.
    pub cntlid: U16,
    /// Version, as in `VS`.
    pub ver: U32,
    _84: [u8; 8],
    /// Optional asynchronous events.
    pub oaes: U32,
    _96: [u8; 160],
    /// Optional admin commands.
    pub oacs: U16,
    /// Concurrent aborts less one.
    pub acl: u8,
    /// Concurrent asynchronous event requests less one.
    pub aerl: u8,
    _260: [u8; 2],
    /// Entries of the error log less one.
    pub elpe: u8,
    _263: [u8; 249],
    /// Log2 of submission queue entry lengths: least in bits 0 to 3, most in bits 4 to 7.
    pub sqes: u8,
    /// Log2 of completion queue entry lengths, likewise.
    pub cqes: u8,
    /// Most commands in flight, 0 = not stated.
    pub maxcmd: U16,
    /// Highest namespace identifier.
    pub nn: U32,
    /// Optional NVM commands.
    pub oncs: U16,
    _522: [u8; 3],
    /// Volatile write cache: bit 0 = there is one.
    pub vwc: u8,
    _526: [u8; 242],
    /// NVM subsystem qualified name.
    pub subnqn: [u8; 256],
    _1024: [u8; 3072],
}

/// A format of blocks (nvm §4.1.5.1, figure "LBA format").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct LbaFormat {
    /// Bytes of metadata a block.
    pub metadata: U16,
    /// Log2 of the bytes of a block; below 9 = not available.
    pub block_shift: u8,
    /// Relative performance.
    pub performance: u8,
}

/// Identify namespace for the NVM command set (nvm §4.1.5.1).
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IdentifyNamespace {
    /// Size in blocks; 0 = not active.
    pub nsze: U64,
    /// Capacity in blocks.
    pub ncap: U64,
    /// Blocks in use.
    pub nuse: U64,
    /// Features.
    pub nsfeat: u8,
    /// Number of formats less one.
    pub nlbaf: u8,
    /// The format in use.
    pub flbas: u8,
    _27: [u8; 2],
    /// End-to-end protection in use.
    pub dps: u8,
    _30: [u8; 3],
    /// What deallocated blocks read as.
    pub dlfeat: u8,
    _34: [u8; 65],
    /// Attributes: bit 0 = write protected.
    pub nsattr: u8,
    _100: [u8; 4],
    /// Globally unique identifier; zeroes = none.
    pub nguid: [u8; 16],
    /// IEEE extended unique identifier; zeroes = none.
    pub eui64: [u8; 8],
    /// Formats.
    pub lbaf: [LbaFormat; 64],
    _384: [u8; 3712],
}

impl IdentifyNamespace {
    /// Index of the format in use: four bits, and two more above them where there are more formats (`FLBAS`).
    pub fn format_index(&self) -> u8 {
        let low = self.flbas & 0xf;
        if self.nlbaf < 16 { low } else { low | (self.flbas >> 1 & 0x30) }
    }

    /// The format in use; `None` if it is none of those listed.
    pub fn format(&self) -> Option<LbaFormat> {
        let index = self.format_index();
        self.lbaf.get(usize::from(index)).filter(|_| index <= self.nlbaf).copied()
    }
}

/// A list of namespaces (base §4.4.2): identifiers in rising order, zeroes behind them.
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct NamespaceList {
    /// The identifiers.
    pub ids: [U32; MAX_LISTED_NAMESPACES],
}

impl NamespaceList {
    /// The identifiers before the first zero.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.ids.iter().map(|id| id.get()).take_while(|id| *id != 0)
    }
}

const _: () = assert!(size_of::<IdentifyController>() == IDENTIFY_LEN);
const _: () = assert!(size_of::<IdentifyNamespace>() == IDENTIFY_LEN);
const _: () = assert!(size_of::<NamespaceList>() == IDENTIFY_LEN);
const _: () = assert!(core::mem::offset_of!(IdentifyController, oacs) == 256);
const _: () = assert!(core::mem::offset_of!(IdentifyController, sqes) == 512);
const _: () = assert!(core::mem::offset_of!(IdentifyController, vwc) == 525);
const _: () = assert!(core::mem::offset_of!(IdentifyController, subnqn) == 768);
const _: () = assert!(core::mem::offset_of!(IdentifyNamespace, nsattr) == 99);
const _: () = assert!(core::mem::offset_of!(IdentifyNamespace, lbaf) == 128);
