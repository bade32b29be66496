//! The ioctls that make and configure an interface (netdevice(7), tuntap.rst).

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// `struct in6_ifreq` of linux/ipv6.h.
#[repr(C)]
struct In6Ifreq {
    address: libc::in6_addr,
    prefix_len: u32,
    index: i32,
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero.
    for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

/// # Safety
/// `argument` must be what the kernel's `code` takes.
unsafe fn ioctl<T>(fd: BorrowedFd<'_>, code: libc::Ioctl, argument: *mut T) -> io::Result<()> {
    // SAFETY: the caller's contract.
    match unsafe { libc::ioctl(fd.as_raw_fd(), code, argument) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Attaches an open `/dev/net/tun` to the TAP `name`, making it if there is none; returns its
/// name (`%d` in `name` becomes the first free number). `several`: as one of several queues.
///
/// # Errors
/// Those of `TUNSETIFF`.
pub fn attach_tap(tun: &File, name: &str, several: bool) -> io::Result<String> {
    let mut request = request(name);
    let several = if several { libc::IFF_MULTI_QUEUE } else { 0 };
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | several) as i16;
    // SAFETY: TUNSETIFF takes an ifreq.
    unsafe { ioctl(tun.as_fd(), libc::TUNSETIFF, &raw mut request)? };
    let name = request.ifr_name.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    String::from_utf8(name).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Has the kernel use one of several queues, or not.
///
/// # Errors
/// Those of `TUNSETQUEUE`.
pub fn use_queue(tun: &File, used: bool) -> io::Result<()> {
    let mut request = request("");
    let flag = if used { libc::IFF_ATTACH_QUEUE } else { libc::IFF_DETACH_QUEUE };
    request.ifr_ifru.ifru_flags = flag as i16;
    // SAFETY: TUNSETQUEUE takes an ifreq.
    unsafe { ioctl(tun.as_fd(), libc::TUNSETQUEUE, &raw mut request) }
}

/// Sets the length of the virtio header before each packet.
///
/// # Errors
/// Those of `TUNSETVNETHDRSZ`.
pub fn set_header_len(tun: &File, mut len: i32) -> io::Result<()> {
    // SAFETY: TUNSETVNETHDRSZ takes a pointer to an int.
    unsafe { ioctl(tun.as_fd(), libc::TUNSETVNETHDRSZ, &raw mut len) }
}

/// Sets what packets may be read, `TUN_F_*`.
///
/// # Errors
/// Those of `TUNSETOFFLOAD`.
pub fn set_offload(tun: &File, flags: u32) -> io::Result<()> {
    // SAFETY: TUNSETOFFLOAD takes a number in place of the pointer.
    unsafe { ioctl(tun.as_fd(), libc::TUNSETOFFLOAD, flags as usize as *mut u8) }
}

/// Configures one interface.
pub struct Control<'a> {
    socket: OwnedFd,
    name: &'a str,
}

impl<'a> Control<'a> {
    /// For the interface `name` in the calling thread's network namespace.
    ///
    /// # Errors
    /// Those of `socket(2)`.
    pub fn open(name: &'a str) -> io::Result<Self> {
        Ok(Self { socket: datagram_socket(rustix::net::AddressFamily::INET)?, name })
    }

    fn call(&self, code: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
        // SAFETY: the SIOC[GS]IF* codes used here take an ifreq.
        unsafe { ioctl(self.socket.as_fd(), code, request) }
    }

    /// The MTU now.
    ///
    /// # Errors
    /// Those of `SIOCGIFMTU`.
    pub fn mtu(&self) -> io::Result<u16> {
        let mut request = request(self.name);
        self.call(libc::SIOCGIFMTU, &mut request)?;
        // SAFETY: SIOCGIFMTU has filled in the MTU.
        let mtu = unsafe { request.ifr_ifru.ifru_mtu };
        Ok(u16::try_from(mtu).unwrap_or(u16::MAX))
    }

    /// Sets the MTU.
    ///
    /// # Errors
    /// Those of `SIOCSIFMTU`.
    pub fn set_mtu(&self, mtu: u16) -> io::Result<()> {
        let mut request = request(self.name);
        request.ifr_ifru.ifru_mtu = mtu.into();
        self.call(libc::SIOCSIFMTU, &mut request)
    }

    /// The IPv4 address now, if there is one.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        let mut request = request(self.name);
        self.call(libc::SIOCGIFADDR, &mut request).ok()?;
        // SAFETY: SIOCGIFADDR has filled in a sockaddr, whose bytes are those of a sockaddr_in.
        let address = unsafe { std::mem::transmute::<libc::sockaddr, libc::sockaddr_in>(request.ifr_ifru.ifru_addr) };
        Some(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes()))
    }

    /// Sets address and netmask; the kernel adds the route to the subnet.
    ///
    /// # Errors
    /// Those of `SIOCSIFADDR` and `SIOCSIFNETMASK`; `InvalidInput` for a prefix beyond 32.
    pub fn set_ipv4(&self, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let host_bits = 32u32.checked_sub(prefix.into()).ok_or(io::ErrorKind::InvalidInput)?;
        let mask = Ipv4Addr::from_bits(u32::MAX.checked_shl(host_bits).unwrap_or(0));
        let mut address = with_ipv4(self.name, address);
        self.call(libc::SIOCSIFADDR, &mut address)?;
        self.call(libc::SIOCSIFNETMASK, &mut with_ipv4(self.name, mask))
    }

    /// Adds an IPv6 address.
    ///
    /// # Errors
    /// Those of `SIOCGIFINDEX` and `SIOCSIFADDR`.
    pub fn set_ipv6(&self, address: Ipv6Addr, prefix: u8) -> io::Result<()> {
        let mut index = request(self.name);
        self.call(libc::SIOCGIFINDEX, &mut index)?;
        let mut request = In6Ifreq {
            address: libc::in6_addr { s6_addr: address.octets() },
            prefix_len: prefix.into(),
            // SAFETY: SIOCGIFINDEX has filled in the index.
            index: unsafe { index.ifr_ifru.ifru_ifindex },
        };
        let socket = datagram_socket(rustix::net::AddressFamily::INET6)?;
        // SAFETY: SIOCSIFADDR on an IPv6 socket takes an in6_ifreq.
        unsafe { ioctl(socket.as_fd(), libc::SIOCSIFADDR, &raw mut request) }
    }

    /// Sets the interface up if it is not.
    ///
    /// # Errors
    /// Those of `SIOCGIFFLAGS` and `SIOCSIFFLAGS`.
    pub fn bring_up(&self) -> io::Result<()> {
        let mut request = request(self.name);
        self.call(libc::SIOCGIFFLAGS, &mut request)?;
        // SAFETY: SIOCGIFFLAGS has filled in the flags.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        if flags & libc::IFF_UP as i16 != 0 {
            return Ok(());
        }
        request.ifr_ifru.ifru_flags = flags | libc::IFF_UP as i16;
        self.call(libc::SIOCSIFFLAGS, &mut request)
    }
}

fn datagram_socket(family: rustix::net::AddressFamily) -> io::Result<OwnedFd> {
    use rustix::net::{SocketFlags, SocketType, socket_with};
    Ok(socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?)
}

fn with_ipv4(name: &str, address: Ipv4Addr) -> libc::ifreq {
    let mut request = request(name);
    let socket_address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
        sin_zero: [0; 8],
    };
    // SAFETY: sockaddr_in and sockaddr have the same size; any bytes are a valid sockaddr.
    request.ifr_ifru.ifru_addr = unsafe { std::mem::transmute::<libc::sockaddr_in, libc::sockaddr>(socket_address) };
    request
}
