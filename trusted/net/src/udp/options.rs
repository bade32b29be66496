//! Options of UDP sockets.

use super::UdpSocket;
use crate::ip_options::UDP_SEGMENT;
use crate::options::{from_int, int};
use alloc::vec::Vec;
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};
use rkt_wire::udp;

/// UDP_CORK and UDP_GRO of linux/udp.h.
const UDP_CORK: u32 = 1;
pub(super) const UDP_GRO: u32 = 104;
/// UDPLITE_SEND_CSCOV and UDPLITE_RECV_CSCOV (udplite(7)).
const SEND_COVERAGE: u32 = 10;
const RECEIVE_COVERAGE: u32 = 11;

impl UdpSocket {
    /// setsockopt(2).
    pub(super) fn change_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
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
                inner.stamps = options.stamps.wanted();
                Ok(())
            }
            (SOL_IPV6, IPV6_V6ONLY) if self.v6 => {
                let value = int(value)?;
                if self.state.lock().binding.is_some() {
                    return Err(Errno::EINVAL);
                }
                self.state.lock().v6_only = value != 0;
                Ok(())
            }
            (SOL_UDP | SOL_UDPLITE, _) => self.change_udp(name, int(value)?),
            (SOL_IP, _) => self.change_ip(level, name, value),
            (SOL_IPV6, _) if self.v6 => self.change_ip(level, name, value),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn change_udp(&self, name: u32, value: i32) -> Result<()> {
        match name {
            UDP_CORK => return self.set_cork(value != 0),
            UDP_SEGMENT => self.state.lock().segment = u16::try_from(value).map_err(|_| Errno::EINVAL)?,
            UDP_GRO => {
                self.state.lock().gro = value != 0;
                self.queue.inner.lock().rows = value != 0;
            }
            SEND_COVERAGE if self.lite => self.state.lock().send_coverage = coverage(value),
            RECEIVE_COVERAGE if self.lite => self.queue.inner.lock().coverage = Some(coverage(value)),
            _ => return Err(Errno::ENOPROTOOPT),
        }
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
        let before = inner.ip.number(SOL_IP, IP_TOS);
        inner.ip.set(level, name, value, &interfaces)?;
        let class = inner.ip.number(SOL_IP, IP_TOS);
        if class != before {
            self.options.lock().follow_class(class as u8);
        }
        if matches!((level, name), (SOL_IP, IP_RECVERR) | (SOL_IPV6, IPV6_RECVERR)) && !inner.ip.is_on(level, name) {
            inner.errors.clear();
        }
        Ok(())
    }

    /// getsockopt(2).
    pub(super) fn read_option(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        match (level, name) {
            (SOL_SOCKET, SO_ERROR) => Ok(from_int(self.take_error().map_or(0, Errno::raw))),
            (SOL_SOCKET, SO_ACCEPTCONN) => Ok(from_int(0)),
            (SOL_SOCKET, _) => {
                let filter = self.queue.inner.lock().socket_filter.get(name);
                filter.map_or_else(|| self.net.shared(self, &self.options, name), Ok)
            }
            (SOL_IPV6, IPV6_V6ONLY) if self.v6 => Ok(from_int(self.state.lock().v6_only)),
            (SOL_IP, IP_MTU) => self.mtu(),
            (SOL_IPV6, IPV6_MTU) if self.v6 => self.mtu(),
            (SOL_IP, _) => self.read_ip(level, name),
            (SOL_IPV6, _) if self.v6 => self.read_ip(level, name),
            (SOL_UDP | SOL_UDPLITE, UDP_CORK) => Ok(from_int(self.state.lock().cork)),
            (SOL_UDP | SOL_UDPLITE, UDP_SEGMENT) => Ok(from_int(self.state.lock().segment)),
            (SOL_UDP | SOL_UDPLITE, UDP_GRO) => Ok(from_int(self.state.lock().gro)),
            (SOL_UDP | SOL_UDPLITE, SEND_COVERAGE) => Ok(from_int(self.state.lock().send_coverage)),
            (SOL_UDP | SOL_UDPLITE, RECEIVE_COVERAGE) => Ok(from_int(self.queue.inner.lock().coverage.unwrap_or(0))),
            (SOL_UDP | SOL_UDPLITE, _) => Err(Errno::ENOPROTOOPT),
            // Asked of the IP level in the end, whose two versions do not answer alike.
            _ if self.v6 => Err(Errno::ENOPROTOOPT),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    fn read_ip(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        let inner = self.queue.inner.lock();
        inner.memberships.get(level, name).map_or_else(|| inner.ip.get(level, name), Ok)
    }

    /// IP_MTU: of the path to the peer.
    fn mtu(&self) -> Result<Vec<u8>> {
        let peer = self.queue.inner.lock().peer.ok_or(Errno::ENOTCONN)?.ip();
        self.net.mtu_to(peer).map(from_int)
    }
}

/// A coverage as it is kept: 0 for all, else at least the header (RFC 3828 §3.1).
fn coverage(value: i32) -> u16 {
    if value == 0 { 0 } else { value.clamp(udp::HEADER_LEN as i32, u16::MAX.into()) as u16 }
}
