//! The Internet layer, in pieces that know neither device nor lock nor clock.
//!
//! Each piece is told what happened and what time it is, and says what to do: packets to send and
//! changes to the other pieces are values, appended to a list of actions. Its `deadline` says when its `on_timer`
//! wants to be called: never later than needed, sometimes earlier. Time is a `u64` of nanoseconds that never falls;
//! random numbers are drawn from a source that the caller passes. Whatever others can make grow is bounded.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod arp;
pub mod dhcp;
pub mod fragment;
pub mod icmp;
pub mod multicast;
pub mod nd;
pub mod neighbor;
pub mod pmtu;
pub mod prefix;
pub mod route;
pub mod slaac;
pub mod source;
pub mod time;

/// Index of an interface, as Linux counts them: from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interface(pub u32);
