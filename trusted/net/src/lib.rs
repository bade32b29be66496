//! The sockets API and the network stack behind it.
#![no_std]
#![forbid(unsafe_code)]
