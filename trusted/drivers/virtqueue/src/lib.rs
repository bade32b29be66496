//! Driver side of split virtqueues.
#![no_std]
#![forbid(unsafe_code)]
