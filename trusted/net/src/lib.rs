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
mod bind;
mod census;
mod engine;
mod error_queue;
mod filter;
mod interface;
mod ip_options;
mod loopback;
mod memberships;
mod netlink;
mod netstack;
mod options;
mod packet;
mod patience;
mod ports;
mod raw;
mod ring;
mod socket;
mod socket_level;
mod stack;
mod stamps;
mod statistics;
mod tcp;
mod udp;
mod unix;

pub use address::{Address, LinkAddress, UnixAddress};
pub use census::{Description, Names, state};
pub use interface::{Interface, ioctl_if};
pub use netlink::{check_netlink, netlink_deliver};
pub use netstack::{Card, NetStack};
pub use options::fit_option;
pub use packet::{Ring, ring_of};
pub use socket::{Ancillary, Control, Credentials, Hooks, Outgoing, Received, Shutdown, Socket};
pub use stack::{
    Acceptor, Configuration, Connection, DatagramSink, Fragmentation, Frame, FrameKind, FrameSink, Incoming, Insertion,
    LinkChange, Manner, NeighborChange, Packet, PacketSink, Phase, Stack, Status, Undelivered,
};
pub use statistics::{Count, Family, Statistics};
pub use unix::UnixNode;
