//! The Linux system-call ABI: numbers, errors, flags and structures.
#![no_std]
#![forbid(unsafe_code)]
