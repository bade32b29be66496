//! Starts, watches and serves one enclave of the `process` platform.
//!
//! The supervisor makes the window, starts `rkt-enclave` with nothing but the window and the
//! root image, moves standard streams, log, signals and terminal settings across, and turns the
//! enclave's end into an exit status. When it dies, however it dies, the enclave dies with it.
//!
//! Everything that the enclave writes is hostile input here, too: a program inside may be.
#![deny(unsafe_code)]

mod bell;
mod clock;
mod console;
mod devices;
mod exec;
mod live;
mod locate;
mod outcome;
mod pump;
mod sessions;
mod stats;
mod supervise;
#[allow(unsafe_code)]
mod sys;
mod terminal;
mod window;

pub use clock::{Clock, Reading};
pub use console::{Failure, Output};
pub use devices::{DeviceReport, Devices, Network};
pub use exec::exec;
pub use live::{Live, Row};
pub use locate::enclave_binary;
pub use outcome::{Outcome, signal_name};
pub use rkt_virtio_device::Stats as DeviceStats;
pub use stats::Stats;
pub use supervise::{Launch, Observer, Report, Supervisor};
pub use window::{DEFAULT_LEN, Header, SharedWindow};
