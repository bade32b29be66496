//! The Linux personality: processes, memory, signals, system calls.
#![no_std]
#![forbid(unsafe_code)]
