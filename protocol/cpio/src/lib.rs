//! The newc cpio format.
#![no_std]
#![forbid(unsafe_code)]
