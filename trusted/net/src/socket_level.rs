//! SOL_SOCKET where it takes more than the socket itself: interfaces, peers, capabilities.

use crate::NetStack;
use crate::options::{Options, int};
use crate::socket::Socket;
use alloc::vec::Vec;
use core::net::IpAddr;
use rkt_linux_abi::general::{CAP_NET_ADMIN, CAP_NET_RAW};
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};
use rkt_sync::Mutex;

/// Bytes of an interface's name without its end (IFNAMSIZ).
const NAME_LEN: usize = 15;
/// SO_PRIORITY that everybody may set.
const PRIORITIES: core::ops::RangeInclusive<i32> = 0..=6;

impl NetStack {
    /// setsockopt(2) at SOL_SOCKET of what all families share.
    ///
    /// # Errors
    /// `EPERM`, `EACCES`, `ENODEV`, and as [`Options::set`].
    pub(crate) fn set_shared(&self, options: &Mutex<Options>, name: u32, value: &[u8]) -> Result<()> {
        self.check_privilege(SOL_SOCKET, name, value)?;
        if name != SO_BINDTODEVICE {
            return options.lock().set(name, value);
        }
        let device = self.device(value)?;
        options.lock().device = device;
        Ok(())
    }

    /// getsockopt(2) at SOL_SOCKET of what all families share.
    ///
    /// # Errors
    /// `ENODEV` if the interface has gone, and as [`Options::get`].
    pub(crate) fn shared(&self, socket: &dyn Socket, options: &Mutex<Options>, name: u32) -> Result<Vec<u8>> {
        match name {
            SO_PEERNAME => Ok(socket.peer_address()?.encode().to_vec()),
            SO_BINDTODEVICE => self.device_name(options.lock().device),
            _ => options.lock().get(name),
        }
    }

    /// What only some may set (socket(7), ip(7)).
    ///
    /// # Errors
    /// `EPERM`, `EACCES`.
    pub(crate) fn check_privilege(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        let Ok(value) = int(value) else { return Ok(()) };
        let admin = || self.hooks.capable(CAP_NET_ADMIN);
        let raw = || self.hooks.capable(CAP_NET_RAW) || admin();
        let good = match (level, name) {
            (SOL_SOCKET, SO_DEBUG) if value != 0 && !admin() => return Err(Errno::EACCES),
            (SOL_SOCKET, SO_SNDBUFFORCE | SO_RCVBUFFORCE) => admin(),
            (SOL_SOCKET, SO_PRIORITY) => PRIORITIES.contains(&value) || raw(),
            (SOL_SOCKET, SO_MARK | SO_RCVMARK) => raw(),
            (SOL_SOCKET, SO_PREFER_BUSY_POLL | SO_BUSY_POLL) => value <= 0 || admin(),
            (SOL_IP, IP_TRANSPARENT) | (SOL_IPV6, IPV6_TRANSPARENT) => value == 0 || raw(),
            _ => true,
        };
        if good { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// Most bytes of packets on the path to an address (ip(7), IP_MTU).
    ///
    /// # Errors
    /// `ENETUNREACH`.
    pub(crate) fn mtu_to(&self, to: IpAddr) -> Result<u32> {
        /// Of the loopback (IP_MAX_MTU and IP6_MAX_MTU of Linux).
        const LOOPBACK: (u32, u32) = (0xffff, 0x1_0000);
        if self.is_local(to) {
            return Ok(if to.is_ipv4() { LOOPBACK.0 } else { LOOPBACK.1 });
        }
        self.stack().ok_or(Errno::ENETUNREACH)?.path_mtu(to).map(u32::from)
    }

    /// The numbers of the interfaces, for an option that names one; none for others, which need not know.
    pub(crate) fn interfaces_for(&self, level: u32, name: u32) -> Vec<u32> {
        match (level, name) {
            (SOL_IP, IP_UNICAST_IF) | (SOL_IPV6, IPV6_UNICAST_IF) => {
                self.interfaces().iter().map(|interface| interface.index).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The interface that SO_BINDTODEVICE names; none: any.
    fn device(&self, value: &[u8]) -> Result<Option<u32>> {
        let value = value.get(..NAME_LEN).unwrap_or(value);
        let name = value.split(|&byte| byte == 0).next().unwrap_or(&[]);
        if name.is_empty() {
            return Ok(None);
        }
        let interfaces = self.interfaces();
        let found = interfaces.iter().find(|interface| interface.name.as_bytes() == name);
        found.map(|interface| Some(interface.index)).ok_or(Errno::ENODEV)
    }

    /// The name of an interface and its NUL; nothing where none is chosen.
    fn device_name(&self, index: Option<u32>) -> Result<Vec<u8>> {
        let Some(index) = index else { return Ok(Vec::new()) };
        let interfaces = self.interfaces();
        let found = interfaces.iter().find(|interface| interface.index == index).ok_or(Errno::ENODEV)?;
        Ok([found.name.as_bytes(), &[0]].concat())
    }
}
