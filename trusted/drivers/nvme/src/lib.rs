//! NVMe driver: a controller, and *lanes*, each of which is a queue pair with a namespace and a
//! [`rkt_blockdev::BlockDevice`] for one vCPU.
//!
//! What is decided is decided by parts that touch no memory: `Cursor` knows heads, tails and phases of
//! a queue pair, `Interview` what a controller is asked and what its answers are worth, `Notices` what
//! is done about events. Thin shells around them write commands and registers. Queues, PRP lists and data
//! lie in the window; what matters about them is in trusted memory and never read back.
//!
//! A controller that fails (a fatal state, silence) is reset, and all requests without completion are sent
//! again: repeating a read, a write, a flush or a deallocation that nobody was told of changes nothing.
//! A controller that lies is given up: requests fail, until somebody asks for a reset. Time is what the
//! clock of the [`Options`] says, and passes in [`rkt_blockdev::BlockDevice::poll`] and `kick`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod admin;
mod controller;
mod cursor;
mod device;
mod error;
mod identity;
mod interview;
mod lane;
mod notice;
mod options;
mod pair;
mod quirks;
mod slots;
mod watch;

pub use device::{Lane, Namespace, NvmeDriver};
pub use error::{DeviceError, NvmeError, Phase};
pub use notice::Notice;
pub use options::Options;
pub use quirks::{QUIRKS, Quirk};

pub(crate) use cursor::Cursor;
