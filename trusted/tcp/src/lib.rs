//! TCP (RFC 9293) as a state machine for one connection.
//!
//! It knows no device, no lock, no clock, no address and no socket. The engine around it parses headers
//! into [`Segment`]s, finds the connection, and calls [`Tcb::on_segment`]; asks [`Tcb::deadline`] when to
//! call [`Tcb::on_timer`]; and after each call takes with [`Tcb::transmit`] what there is to send. Time is
//! a `u64` of nanoseconds that never falls. Connections that do not exist yet are a [`Listen`]'s, those
//! that exist no more a [`TimeWait`]'s, and both are small.
//!
//! Rules carry the section they come from. Where the RFCs leave a choice it is Linux's.
//!
//! ```
//! use rkt_tcp::{Answer, Changes, Config, Listen, ListenConfig, Origin, Secret, SendFlags, Tcb};
//!
//! let (now, config) = (0, Config::default());
//! let secret = Secret { sequence: [1, 2], timestamps: [3, 4], cookies: [5, 6] };
//! let origin = Origin { connection: &[1, 2, 3], addresses: &[1, 2], sequence: None };
//! let mut listen = Listen::new(config, ListenConfig::default(), secret);
//! let mut client = Tcb::connect(now, 1000, 0, &config);
//!
//! let syn = client.transmit(now, 0).unwrap().segment;
//! let Answer::Reply(syn_ack) = listen.on_segment(now, "client", &origin, &syn) else { panic!() };
//! let changes = client.on_segment(now, &syn_ack, &mut &[][..]);
//! assert!(changes.contains(Changes::CONNECTED | Changes::OUTPUT));
//!
//! let ack = client.transmit(now, 0).unwrap().segment;
//! let Answer::Accept(accepted) = listen.on_segment(now, "client", &origin, &ack) else { panic!() };
//! let mut server = Tcb::accepted(now, &accepted, &config);
//! server.on_segment(now, &ack, &mut &[][..]);
//!
//! client.send(now, SendFlags::empty(), &mut |into| { into[..5].copy_from_slice(b"hello"); 5 }).unwrap();
//! let data = client.transmit(now, 0).unwrap();
//! let mut payload = client.payload(&data).0;
//! assert_eq!(server.on_segment(now, &data.segment, &mut payload), Changes::READABLE | Changes::OUTPUT);
//! server.receive(now, &mut |bytes| { assert_eq!(bytes, b"hello"); bytes.len() });
//! ```
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
mod ecn;
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
pub use ecn::{CE, ECT};
pub use info::{RecoveryState, Repairs, TcpInfo};
pub use isn::{initial_sequence, timestamp_offset};
pub use listen::{Accepted, Answer, Listen, ListenConfig, Origin, Secret};
pub use segment::{Flags, Outgoing, Payload, SackBlocks, Segment, Timestamps, reply_to_closed};
pub use siphash::{Key, hash as keyed_hash};
pub use state::{Changes, Error, SendError, SendFlags, State};
pub use tcb::Tcb;
pub use timewait::{TimeWait, Verdict};
pub use urgent::UrgentError;
