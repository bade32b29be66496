//! The sockets API and the network stack behind it.
//!
//! The system-call layer sees [`NetStack`], which makes sockets, and [`Socket`], what can be done
//! with one. Behind them:
//! - `tcp` and `udp` give Linux's semantics to whatever carries the bytes: a [`Connection`]
//!   inside the enclave (loopback: a pair of byte rings, no packets) or one of the [`Stack`];
//! - the [`Stack`] speaks TCP/IP over network cards: `engine`, with `rkt-tcp` and `rkt-inet`;
//! - `unix` is AF_UNIX, and `netlink` AF_NETLINK, which need neither.
//!
//! Locks are held for microseconds and never while waiting. Waiters are woken after the locks
//! that guard their condition were let go.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod address;
mod engine;
mod error_queue;
mod interface;
mod ip_options;
mod memberships;
mod netlink;
mod netstack;
mod options;
mod patience;
mod ports;
mod raw;
mod ring;
mod socket;
mod stack;
mod tcp;
mod udp;
mod unix;

pub use address::{Address, UnixAddress};
pub use interface::{Interface, ioctl_if};
pub use netlink::{check_netlink, netlink_deliver};
pub use netstack::{Card, NetStack};
pub use socket::{Ancillary, Control, Credentials, Hooks, Outgoing, Received, Shutdown, Socket};
pub use stack::{
    Acceptor, Configuration, Connection, DatagramSink, Fragmentation, Incoming, Manner, Packet, PacketSink, Phase,
    Stack, Status, Undelivered,
};
pub use unix::UnixNode;
