//! The front end of vhost-user (QEMU's docs/interop/vhost-user.rst): a disk that a daemon serves, say
//! `qemu-storage-daemon`, as a virtio disk in the window.
//!
//! The daemon works on the queues in the window itself; its memory table is the DMA area, nothing else.
//! The thread here only translates: doorbells to eventfds and back, and the driver's handshake to messages.
//! Each reset of the driver is a new connection, so that the daemon has let go of all that was before; a
//! daemon that goes away is a device that needs a reset.
#![forbid(unsafe_code)]

mod connection;
mod daemon;
mod message;
mod service;

pub use service::VhostUserDisk;
