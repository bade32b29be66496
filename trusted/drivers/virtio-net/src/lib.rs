//! Virtio network driver.
#![no_std]
#![forbid(unsafe_code)]
