//! Device side of the virtio transport: queues, the thread of a device, and how it sleeps.
//!
//! A back end implements [`Device`]; [`RunningDevice::spawn`] puts it into a slot of the window.
//! Each device has one thread, which serves all its queues. A [`Relay`] puts a device there that somebody
//! else plays.

mod device;
mod parts;
mod place;
mod queue;
mod relay;
mod slot;
mod stats;
mod sys;
mod waiter;

pub use device::{Device, Fault, Model, Pause, Polling, RunningDevice};
pub use parts::{cut, gather, scatter, total_len};
pub use place::Company;
pub use queue::{Chain, Queue, QueueError};
pub use relay::{Relay, Remote};
pub use slot::{Queues, Slot};
pub use stats::{Counter, Counters, Stats};
pub use sys::{MAX_PARTS, Parts, futex_wait, futex_wake};
pub use waiter::{Interest, Waiter};
