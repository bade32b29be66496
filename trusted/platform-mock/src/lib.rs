//! A deterministic platform for tests of the kernel crates.
