//! What bind(2) checks of an address of the Internet, in Linux's order (`__inet_bind`, `__inet6_bind`).

use crate::NetStack;
use crate::address::Address;
use core::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use rkt_linux_abi::general::CAP_NET_BIND_SERVICE;
use rkt_linux_abi::{Errno, Result};

/// Ports below are for who has CAP_NET_BIND_SERVICE (net.ipv4.ip_unprivileged_port_start).
const FREE_PORTS: u16 = 1024;

/// The socket that wants a name.
pub(crate) struct Binder {
    pub v6: bool,
    pub stream: bool,
    pub v6_only: bool,
    /// Addresses that are nobody's will do, too.
    pub free: bool,
    /// It has one.
    pub bound: bool,
    pub device: Option<u32>,
}

impl NetStack {
    /// The address that is named, if `who` may have it.
    ///
    /// # Errors
    /// `EINVAL`, `EAFNOSUPPORT`, `EADDRNOTAVAIL`, `EACCES`.
    pub(crate) fn bindable(&self, to: &Address, who: &Binder) -> Result<SocketAddr> {
        if !who.v6 {
            let to = to.own_v4()?;
            self.check_v4(*to.ip(), who)?;
            self.check_port(to.port())?;
            return if who.bound { Err(Errno::EINVAL) } else { Ok(to.into()) };
        }
        let to = to.own_v6()?;
        if to.ip().is_multicast() && who.stream {
            return Err(Errno::EINVAL);
        }
        self.check_port(to.port())?;
        if who.bound {
            return Err(Errno::EINVAL);
        }
        match to.ip().to_canonical() {
            IpAddr::V4(_) if who.v6_only => return Err(Errno::EINVAL),
            IpAddr::V4(ip) => self.check_v4(ip, who)?,
            IpAddr::V6(_) => self.check_v6(&to, who)?,
        }
        Ok(Address::canonical(to.into()))
    }

    fn check_port(&self, port: u16) -> Result<()> {
        let free = port == 0 || port >= FREE_PORTS || self.hooks.capable(CAP_NET_BIND_SERVICE);
        if free { Ok(()) } else { Err(Errno::EACCES) }
    }

    fn check_v4(&self, ip: Ipv4Addr, who: &Binder) -> Result<()> {
        let many = ip.is_multicast() || self.is_broadcast(ip.into());
        let good = ip.is_unspecified() || many || who.free || self.is_local(ip.into());
        if good { Ok(()) } else { Err(Errno::EADDRNOTAVAIL) }
    }

    fn check_v6(&self, to: &SocketAddrV6, who: &Binder) -> Result<()> {
        let ip = *to.ip();
        if crate::address::is_of_link(ip) && to.scope_id() == 0 && who.device.is_none() {
            return Err(Errno::EINVAL);
        }
        let good = ip.is_unspecified() || ip.is_multicast() || who.free || self.is_local(ip.into());
        if good { Ok(()) } else { Err(Errno::EADDRNOTAVAIL) }
    }

    /// Whether packets to an address go to everybody on a network.
    pub(crate) fn is_broadcast(&self, ip: IpAddr) -> bool {
        match self.stack() {
            Some(stack) => stack.is_broadcast(ip),
            None => ip == IpAddr::V4(Ipv4Addr::BROADCAST),
        }
    }
}
