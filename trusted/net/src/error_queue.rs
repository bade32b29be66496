//! Errors that wait for recvmsg(2) with MSG_ERRQUEUE (ip(7), IP_RECVERR).

use crate::address::Address;
use crate::socket::{Control, Received};
use crate::stack::Undelivered;
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

/// The queue.
#[derive(Default)]
pub(crate) struct ErrorQueue {
    errors: VecDeque<Undelivered>,
}

impl ErrorQueue {
    /// Adds an error.
    pub fn push(&mut self, error: Undelivered) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push_back(error);
        }
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Drops all.
    pub fn clear(&mut self) {
        self.errors.clear();
    }

    /// Takes the first error, for a socket of IPv6 or of IPv4; gives also the number of the next one from the network.
    ///
    /// # Errors
    /// `EAGAIN` if none waits; `EFAULT`.
    pub fn receive(&mut self, sink: &mut IoSink<'_>, v6: bool) -> Result<(Received, Option<Errno>)> {
        let error = self.errors.pop_front().ok_or(Errno::EAGAIN)?;
        let stored = if sink.is_full() || error.payload.is_empty() { 0 } else { sink.put(&error.payload)? };
        let truncated = if stored < error.payload.len() { MSG_TRUNC } else { 0 };
        let received = Received {
            len: stored,
            from: Some(Address::shown(error.to, v6)),
            flags: MSG_ERRQUEUE | truncated,
            controls: Vec::from([control(&error)]),
            ..Received::default()
        };
        let next = self.errors.front().filter(|next| next.reporter.is_some()).map(|next| next.errno);
        Ok((received, next))
    }
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
