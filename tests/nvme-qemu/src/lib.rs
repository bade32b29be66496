//! QEMU as a device server, without a guest: its one CPU halts, its memory is a file that is our window
//! too, and its devices' registers are reached over the `qtest` socket. What drives its NVMe controller is
//! the enclave's driver, as it is.
#![forbid(unsafe_code)]

mod machine;
mod pci;
mod qtest;

pub use machine::{Machine, RAM_LEN};
pub use pci::Bar;
pub use qtest::Qtest;
