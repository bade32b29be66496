//! TCP (RFC 9293) as a state machine for one connection.
//!
//! It knows no device, no lock, no clock, no address and no socket. The engine around it parses headers
//! into [`Segment`]s, finds the connection, and calls [`Tcb::on_segment`]; asks [`Tcb::deadline`] when to
//! call [`Tcb::on_timer`]; and after each call takes with [`Tcb::transmit`] what there is to send. Time is
//! a `u64` of nanoseconds that never falls. Connections that do not exist yet are a [`Listen`]'s, those
//! that exist no more a [`TimeWait`]'s, and both are small.
//!
//! Rules carry the section they come from. Where the RFCs leave a choice it is Linux's.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod acks;
mod buffer;
mod calls;
mod config;
mod congestion;
mod cookie;
mod info;
mod input;
mod isn;
mod listen;
mod look;
mod output;
mod ranges;
mod receiver;
mod recovery;
mod rtt;
mod scoreboard;
mod segment;
mod sender;
mod seq;
mod siphash;
mod state;
mod tcb;
mod timers;
mod timewait;
mod tuning;
mod urgent;

pub use config::{Algorithm, BufferSize, Config, KeepAlive, Setting};
pub use info::{RecoveryState, TcpInfo};
pub use isn::{initial_sequence, timestamp_offset};
pub use listen::{Accepted, Answer, Listen, ListenConfig, Origin, Secret};
pub use segment::{Flags, Outgoing, Payload, SackBlocks, Segment, Timestamps, reply_to_closed};
pub use siphash::{Key, hash as keyed_hash};
pub use state::{Changes, Error, SendError, SendFlags, State};
pub use tcb::Tcb;
pub use timewait::{TimeWait, Verdict};
pub use urgent::UrgentError;
