//! Options of raw and ping sockets (raw(7), icmp(7), RFC 3542).

use super::RawSocket;
use crate::options::{from_int, int};
use alloc::vec::Vec;
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};
use rkt_wire::checksum::Sum;
use rkt_wire::ip::{Addresses, protocol};

/// ICMP_FILTER of linux/icmp.h, ICMPV6_FILTER of linux/icmpv6.h.
const ICMP_FILTER: u32 = 1;
const ICMPV6_FILTER: u32 = 1;

impl RawSocket {
    /// Stores the checksum of this socket's protocol.
    pub(super) fn fill(&self, message: &mut [u8], at: usize, addresses: &Addresses) {
        crate::loopback::put(message, at, [0; 2]);
        let sum = (addresses.pseudo(self.queue.protocol, message.len()) + Sum::of(message)).finish();
        crate::loopback::put(message, at, sum.to_be_bytes());
    }

    /// Whether ICMP_FILTER or its like has a meaning at this level.
    fn filters(&self, level: u32) -> bool {
        let of = match level {
            SOL_RAW => protocol::ICMP,
            SOL_ICMPV6 => protocol::ICMPV6,
            _ => return false,
        };
        self.queue.protocol == of && !self.queue.ping
    }

    /// setsockopt(2).
    pub(super) fn change_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        let v6 = self.queue.v6;
        match (level, name) {
            (SOL_SOCKET, _) => {
                if let Some(outcome) = self.queue.inner.lock().socket_filter.set(name, value) {
                    return outcome;
                }
                self.net.set_shared(&self.options, name, value)?;
                let options = self.options.lock();
                let mut inner = self.queue.inner.lock();
                inner.limit = options.receive_buffer;
                inner.device = options.device;
                Ok(())
            }
            (SOL_RAW, ICMP_FILTER) if self.filters(level) => self.set_filter(value),
            (SOL_ICMPV6, ICMPV6_FILTER) if self.filters(level) => self.set_filter(value),
            (SOL_IPV6 | SOL_RAW, IPV6_CHECKSUM) if v6 && !self.queue.ping => self.set_checksum(int(value)?),
            (SOL_IPV6, IPV6_V6ONLY) if v6 => Err(Errno::EINVAL),
            (SOL_IP, _) if !v6 => self.change_ip(level, name, value),
            (SOL_IPV6, _) if v6 => self.change_ip(level, name, value),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn set_filter(&self, value: &[u8]) -> Result<()> {
        let mut inner = self.queue.inner.lock();
        let (words, _) = value.as_chunks::<4>();
        if words.is_empty() {
            return Err(Errno::EINVAL);
        }
        for (into, word) in inner.filter.iter_mut().zip(words) {
            *into = u32::from_ne_bytes(*word);
        }
        Ok(())
    }

    /// IPV6_CHECKSUM: an even offset, or a negative number for none (RFC 3542 §3.1).
    fn set_checksum(&self, at: i32) -> Result<()> {
        if self.queue.protocol == protocol::ICMPV6 || at > 0 && at & 1 == 1 {
            return Err(Errno::EINVAL);
        }
        self.state.lock().checksum_at = usize::try_from(at).ok();
        Ok(())
    }

    fn change_ip(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        self.net.check_privilege(level, name, value)?;
        let interfaces = self.net.interfaces_for(level, name);
        let mut inner = self.queue.inner.lock();
        match inner.memberships.set(&self.net, level, name, value) {
            Err(Errno::ENOPROTOOPT) => {}
            outcome => return outcome,
        }
        inner.ip.set(level, name, value, &interfaces)
    }

    /// getsockopt(2).
    pub(super) fn read_option(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        let v6 = self.queue.v6;
        match (level, name) {
            (SOL_SOCKET, SO_ERROR) => {
                let error = self.queue.inner.lock().error.take();
                Ok(from_int(error.map_or(0, Errno::raw)))
            }
            (SOL_SOCKET, SO_ACCEPTCONN) => Ok(from_int(0)),
            (SOL_SOCKET, _) => {
                let filter = self.queue.inner.lock().socket_filter.get(name);
                filter.map_or_else(|| self.net.shared(self, &self.options, name), Ok)
            }
            (SOL_RAW, ICMP_FILTER) if self.filters(level) => {
                let inner = self.queue.inner.lock();
                Ok(inner.filter.iter().take(1).flat_map(|word| word.to_ne_bytes()).collect())
            }
            (SOL_ICMPV6, ICMPV6_FILTER) if self.filters(level) => {
                Ok(self.queue.inner.lock().filter.iter().flat_map(|word| word.to_ne_bytes()).collect())
            }
            (SOL_IPV6 | SOL_RAW, IPV6_CHECKSUM) if v6 && !self.queue.ping => {
                let at = self.state.lock().checksum_at.and_then(|at| i32::try_from(at).ok());
                Ok(from_int(at.unwrap_or(-1)))
            }
            // A raw socket is bound to its protocol from the start: it stays as it is.
            (SOL_IPV6, IPV6_V6ONLY) if v6 => Ok(from_int(0)),
            // Nobody keeps the route to a peer, which would know.
            (SOL_IP, IP_MTU) | (SOL_IPV6, IPV6_MTU) if v6 == (level == SOL_IPV6) => Err(Errno::ENOTCONN),
            (SOL_IP, _) if !v6 => self.read_ip(level, name),
            (SOL_IPV6, _) if v6 => self.read_ip(level, name),
            // Asked of the IP level in the end, whose two versions do not answer alike.
            _ if v6 => Err(Errno::ENOPROTOOPT),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    fn read_ip(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        let inner = self.queue.inner.lock();
        inner.memberships.get(level, name).map_or_else(|| inner.ip.get(level, name), Ok)
    }
}
