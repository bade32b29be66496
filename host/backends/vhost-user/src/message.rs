//! Messages and their payloads. Names of sections are those of vhost-user.rst.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Requests of the front end ("Front-end message types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Request {
    GetFeatures = 1,
    SetFeatures = 2,
    SetOwner = 3,
    SetMemTable = 5,
    SetVringNum = 8,
    SetVringAddr = 9,
    SetVringBase = 10,
    GetVringBase = 11,
    SetVringKick = 12,
    SetVringCall = 13,
    GetProtocolFeatures = 15,
    SetProtocolFeatures = 16,
    SetVringEnable = 18,
    GetConfig = 24,
}

/// Bit of the features that says that there are protocol features.
pub const PROTOCOL_FEATURES: u64 = 1 << 30;
/// Protocol feature: a request can ask for an answer.
pub const REPLY_ACK: u64 = 1 << 3;
/// Protocol feature: the configuration space can be read.
pub const CONFIG: u64 = 1 << 9;

/// "Header".
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
pub struct Header {
    pub request: u32,
    pub flags: u32,
    pub size: u32,
}

/// Flags of a header: the version, that it is an answer, and that one is wanted.
pub const VERSION: u32 = 1;
pub const VERSION_MASK: u32 = 3;
pub const REPLY: u32 = 1 << 2;
pub const NEED_REPLY: u32 = 1 << 3;

/// "A vring state description".
#[repr(C)]
#[derive(Clone, Copy, Debug, IntoBytes, Immutable)]
pub struct VringState {
    pub index: u32,
    pub number: u32,
}

/// "A vring address description".
#[repr(C)]
#[derive(Clone, Copy, Debug, IntoBytes, Immutable)]
pub struct VringAddress {
    pub index: u32,
    pub flags: u32,
    pub descriptors: u64,
    pub used: u64,
    pub available: u64,
    pub log: u64,
}

/// "Memory regions description" with one region.
#[repr(C)]
#[derive(Clone, Copy, Debug, IntoBytes, Immutable)]
pub struct MemoryTable {
    pub count: u32,
    pub padding: u32,
    pub guest_address: u64,
    pub size: u64,
    pub user_address: u64,
    pub mmap_offset: u64,
}

/// "Virtio device config space", before its bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
pub struct ConfigHead {
    pub offset: u32,
    pub size: u32,
    pub flags: u32,
}
