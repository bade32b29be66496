//! QEMU as a device server, without a guest: its one CPU halts, its memory is a file that is our window
//! too, and its devices' registers are reached over the `qtest` socket. What drives its NVMe controller and its
//! virtio network card are the enclave's drivers, as they are.
#![forbid(unsafe_code)]

mod machine;
mod pci;
mod qtest;
mod traffic;
mod virtio;

pub use machine::{Machine, RAM_LEN};
pub use pci::{Bar, Function};
pub use qtest::Qtest;
pub use traffic::{Driver, Traffic};
pub use virtio::VirtioPci;
