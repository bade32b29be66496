//! Feature bits that do not depend on the device type (§6). Those of a type are in its module.

/// Chains may be described by a table elsewhere (§2.7.5.3).
pub const INDIRECT_DESC: u64 = 1 << 28;
/// Notification suppression by index (§2.7.10).
pub const EVENT_IDX: u64 = 1 << 29;
/// Compliance with this specification: never without it (§6.1).
pub const VERSION_1: u64 = 1 << 32;
/// The device's access to memory is limited and translated by the platform.
pub const ACCESS_PLATFORM: u64 = 1 << 33;
/// Packed virtqueues (§2.8).
pub const RING_PACKED: u64 = 1 << 34;
/// Buffers are used in the order in which they were made available (§2.7.11).
pub const IN_ORDER: u64 = 1 << 35;
/// Memory accesses are ordered as the platform orders them.
pub const ORDER_PLATFORM: u64 = 1 << 36;
/// A queue can be reset alone (§2.6.1).
pub const RING_RESET: u64 = 1 << 40;
