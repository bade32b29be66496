//! Virtio registers of a device slot in the window.
#![no_std]
#![forbid(unsafe_code)]
