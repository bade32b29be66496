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
        super::put(message, at, [0; 2]);
        let sum = (addresses.pseudo(self.queue.protocol, message.len()) + Sum::of(message)).finish();
        super::put(message, at, sum.to_be_bytes());
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
            (SOL_SOCKET, SO_BINDTODEVICE | SO_BINDTOIFINDEX) => {
                let device = self.net.device(name, value)?;
                self.queue.inner.lock().device = device.as_ref().map(|(index, _)| *index);
                self.options.lock().device = device;
                Ok(())
            }
            (SOL_SOCKET, _) => {
                let mut options = self.options.lock();
                options.set(name, value)?;
                self.queue.inner.lock().limit = options.receive_buffer;
                Ok(())
            }
            (SOL_RAW, ICMP_FILTER) if self.filters(level) => self.set_filter(value),
            (SOL_ICMPV6, ICMPV6_FILTER) if self.filters(level) => self.set_filter(value),
            (SOL_IP, IP_HDRINCL) if !v6 && !self.queue.ping => {
                self.state.lock().header_included = int(value)? != 0;
                Ok(())
            }
            (SOL_IPV6 | SOL_RAW, IPV6_CHECKSUM) if v6 && !self.queue.ping => self.set_checksum(int(value)?),
            (SOL_IP, _) => self.change_ip(level, name, value),
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
        let mut inner = self.queue.inner.lock();
        match inner.memberships.set(&self.net, level, name, value) {
            Err(Errno::ENOPROTOOPT) => inner.ip.set(level, name, value),
            outcome => outcome,
        }
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
            (SOL_SOCKET, _) => self.options.lock().get(name),
            (SOL_RAW, ICMP_FILTER) if self.filters(level) => {
                let inner = self.queue.inner.lock();
                Ok(inner.filter.iter().take(1).flat_map(|word| word.to_ne_bytes()).collect())
            }
            (SOL_ICMPV6, ICMPV6_FILTER) if self.filters(level) => {
                Ok(self.queue.inner.lock().filter.iter().flat_map(|word| word.to_ne_bytes()).collect())
            }
            (SOL_IP, IP_HDRINCL) if !v6 && !self.queue.ping => Ok(from_int(self.state.lock().header_included)),
            (SOL_IPV6 | SOL_RAW, IPV6_CHECKSUM) if v6 && !self.queue.ping => {
                let at = self.state.lock().checksum_at.and_then(|at| i32::try_from(at).ok());
                Ok(from_int(at.unwrap_or(-1)))
            }
            (SOL_IP, _) => self.read_ip(level, name),
            (SOL_IPV6, _) if v6 => self.read_ip(level, name),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn read_ip(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        let inner = self.queue.inner.lock();
        inner.memberships.get(level, name).map_or_else(|| inner.ip.get(level, name), Ok)
    }
}
