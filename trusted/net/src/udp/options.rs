//! Options of UDP sockets.

use super::UdpSocket;
use crate::ip_options::UDP_SEGMENT;
use crate::options::{from_int, int};
use alloc::vec::Vec;
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};

/// UDP_CORK and UDP_GRO of linux/udp.h.
const UDP_CORK: u32 = 1;
const UDP_GRO: u32 = 104;

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
                inner.stamps = options.timestamps != 0;
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
            (SOL_UDP, UDP_CORK) => self.set_cork(int(value)? != 0),
            (SOL_UDP, UDP_SEGMENT) => {
                self.state.lock().segment = u16::try_from(int(value)?).map_err(|_| Errno::EINVAL)?;
                Ok(())
            }
            // Rows are taken in one by one: nothing has to be told of their size.
            (SOL_UDP, UDP_GRO) => {
                self.state.lock().gro = int(value)? != 0;
                Ok(())
            }
            (SOL_IP, _) => self.change_ip(level, name, value),
            (SOL_IPV6, _) if self.v6 => self.change_ip(level, name, value),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn change_ip(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        self.net.check_privilege(level, name, value)?;
        let interfaces = self.net.interfaces_for(level, name);
        let mut inner = self.queue.inner.lock();
        match inner.memberships.set(&self.net, level, name, value) {
            Err(Errno::ENOPROTOOPT) => {}
            outcome => return outcome,
        }
        inner.ip.set(level, name, value, &interfaces)?;
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
            (SOL_UDP, UDP_CORK) => Ok(from_int(self.state.lock().cork)),
            (SOL_UDP, UDP_SEGMENT) => Ok(from_int(self.state.lock().segment)),
            (SOL_UDP, UDP_GRO) => Ok(from_int(self.state.lock().gro)),
            (SOL_UDP, _) => Err(Errno::ENOPROTOOPT),
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
