//! What waits for recvmsg(2) with MSG_ERRQUEUE: errors (ip(7), IP_RECVERR), and that buffers of MSG_ZEROCOPY are the
//! program's again (Documentation/networking/msg_zerocopy.rst of Linux), and when datagrams left (timestamping.rst).

use crate::address::Address;
use crate::socket::{Control, Received};
use crate::stack::Undelivered;
use crate::stamps::Stamps;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use rkt_linux_abi::net::{IP_RECVERR, IPV6_RECVERR, MSG_ERRQUEUE, MSG_TRUNC, SOL_IP, SOL_IPV6};
use rkt_linux_abi::{Errno, Result};
use rkt_user::IoSink;

/// Errors that wait at most; later ones are dropped.
const MAX_ERRORS: usize = 256;
/// `SO_EE_ORIGIN_*` of linux/errqueue.h.
const ORIGIN_LOCAL: u8 = 1;
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;
const ORIGIN_TIMESTAMPING: u8 = 4;
const ORIGIN_ZEROCOPY: u8 = 5;
/// SO_EE_CODE_ZEROCOPY_COPIED: the bytes were copied after all.
const COPIED: u8 = 1;

enum Entry {
    Error(Undelivered),
    Departure(Departed),
    /// The buffers of these sends, counted from the socket's first, are no longer used.
    Done {
        first: u32,
        last: u32,
    },
}

/// A datagram went.
pub(crate) struct Departed {
    /// SCM_TSTAMP_*.
    pub moment: u32,
    /// Which it was.
    pub number: u32,
    /// Nanoseconds since 1970.
    pub at: u64,
    /// The packet, if that is wanted.
    pub packet: Vec<u8>,
}

/// The queue.
#[derive(Default)]
pub(crate) struct ErrorQueue {
    entries: VecDeque<Entry>,
    /// Sends with MSG_ZEROCOPY so far.
    sends: u32,
}

impl ErrorQueue {
    /// Adds an error.
    pub fn push(&mut self, error: Undelivered) {
        self.add(Entry::Error(error));
    }

    fn add(&mut self, entry: Entry) {
        if self.entries.len() < MAX_ERRORS {
            self.entries.push_back(entry);
        }
    }

    /// A send with MSG_ZEROCOPY was copied, and is done with its buffer.
    pub fn push_copied(&mut self) {
        let send = self.sends;
        self.sends = send.wrapping_add(1);
        match self.entries.back_mut() {
            Some(Entry::Done { last, .. }) if last.wrapping_add(1) == send => *last = send,
            _ => self.add(Entry::Done { first: send, last: send }),
        }
    }

    /// A datagram went.
    pub fn push_departed(&mut self, departed: Departed) {
        self.add(Entry::Departure(departed));
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops all errors.
    pub fn clear(&mut self) {
        self.entries.retain(|entry| !matches!(entry, Entry::Error(_)));
    }

    /// Takes the first error, for a socket of IPv6 or of IPv4 that wants these stamps; gives also the number of the next one from the network.
    ///
    /// # Errors
    /// `EAGAIN` if none waits; `EFAULT`.
    pub fn receive(&mut self, sink: &mut IoSink<'_>, v6: bool, stamps: Stamps) -> Result<(Received, Option<Errno>)> {
        let error = match self.entries.pop_front().ok_or(Errno::EAGAIN)? {
            Entry::Error(error) => error,
            Entry::Departure(departed) => return Ok((told(&departed, sink, v6, stamps)?, self.next())),
            Entry::Done { first, last } => return Ok((done(first, last, v6), self.next())),
        };
        let stored = if sink.is_full() || error.payload.is_empty() { 0 } else { sink.put(&error.payload)? };
        let truncated = if stored < error.payload.len() { MSG_TRUNC } else { 0 };
        let received = Received {
            len: stored,
            from: Some(Address::shown(error.to, v6)),
            flags: MSG_ERRQUEUE | truncated,
            controls: Vec::from([control(&error)]),
            ..Received::default()
        };
        Ok((received, self.next()))
    }

    /// The number of the first error, if it is from the network.
    fn next(&self) -> Option<Errno> {
        match self.entries.front() {
            Some(Entry::Error(next)) if next.reporter.is_some() => Some(next.errno),
            _ => None,
        }
    }
}

/// When a datagram went: the stamp, then which one it was.
fn told(departed: &Departed, sink: &mut IoSink<'_>, v6: bool, stamps: Stamps) -> Result<Received> {
    let packet = &departed.packet;
    let stored = if sink.is_full() || packet.is_empty() { 0 } else { sink.put(packet)? };
    let mut controls: Vec<Control> = stamps.sent(departed.at).into_iter().collect();
    let mut data = u32::from(Errno::ENOMSG.raw()).to_ne_bytes().to_vec();
    data.extend_from_slice(&[ORIGIN_TIMESTAMPING, 0, 0, 0]);
    data.extend_from_slice(&departed.moment.to_ne_bytes());
    data.extend_from_slice(&departed.number.to_ne_bytes());
    controls.push(from_nobody(data, v6));
    let truncated = if stored < packet.len() { MSG_TRUNC } else { 0 };
    Ok(Received { len: stored, flags: MSG_ERRQUEUE | truncated, controls, ..Received::default() })
}

/// That the buffers of these sends are no longer used.
fn done(first: u32, last: u32, v6: bool) -> Received {
    let mut data = [0; 4].to_vec();
    data.extend_from_slice(&[ORIGIN_ZEROCOPY, 0, COPIED, 0]);
    data.extend_from_slice(&first.to_ne_bytes());
    data.extend_from_slice(&last.to_ne_bytes());
    let controls = Vec::from([from_nobody(data, v6)]);
    Received { flags: MSG_ERRQUEUE, controls, ..Received::default() }
}

/// A `struct sock_extended_err` that nobody reported.
fn from_nobody(mut data: Vec<u8>, v6: bool) -> Control {
    data.resize(data.len() + if v6 { 28 } else { 16 }, 0);
    let (level, kind) = if v6 { (SOL_IPV6, IPV6_RECVERR) } else { (SOL_IP, IP_RECVERR) };
    Control { level, kind, data }
}

/// `struct sock_extended_err` and the address of who reports.
fn control(error: &Undelivered) -> Control {
    let v4 = error.to.is_ipv4();
    let origin = match error.reporter {
        None => ORIGIN_LOCAL,
        Some(IpAddr::V4(_)) => ORIGIN_ICMP,
        Some(IpAddr::V6(_)) => ORIGIN_ICMP6,
    };
    let mut data = u32::from(error.errno.raw()).to_ne_bytes().to_vec();
    data.extend_from_slice(&[origin, error.kind, error.code, 0]);
    data.extend_from_slice(&error.info.to_ne_bytes());
    data.extend_from_slice(&[0; 4]);
    match error.reporter {
        Some(reporter) => data.extend_from_slice(&Address::Inet(SocketAddr::new(reporter, 0)).encode()),
        None => data.resize(data.len() + if v4 { 16 } else { 28 }, 0),
    }
    let (level, kind) = if v4 { (SOL_IP, IP_RECVERR) } else { (SOL_IPV6, IPV6_RECVERR) };
    Control { level, kind, data }
}
