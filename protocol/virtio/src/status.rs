//! Bits of the device status field (§2.1). Zero is "reset".

/// The driver has noticed the device.
pub const ACKNOWLEDGE: u8 = 1;
/// The driver knows how to drive the device.
pub const DRIVER: u8 = 2;
/// The driver is set up: the device may use the queues.
pub const DRIVER_OK: u8 = 4;
/// Driver: the features are chosen. Device: keeps the bit if it accepts them.
pub const FEATURES_OK: u8 = 8;
/// The device has met an error that only a reset cures.
pub const DEVICE_NEEDS_RESET: u8 = 64;
/// The driver has given up on the device.
pub const FAILED: u8 = 128;
