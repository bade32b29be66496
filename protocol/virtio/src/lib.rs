//! Virtio 1.2: constants, ring layouts, device headers.
#![no_std]
#![forbid(unsafe_code)]
