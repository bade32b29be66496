//! Socket addresses as the application writes and reads them (`struct sockaddr`).

use alloc::vec::Vec;
use arrayvec::ArrayVec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use rkt_linux_abi::{Errno, Result};

/// Address families (socket(2)).
pub const AF_UNSPEC: u16 = 0;
/// Local sockets.
pub const AF_UNIX: u16 = 1;
/// IPv4.
pub const AF_INET: u16 = 2;
/// IPv6.
pub const AF_INET6: u16 = 10;
/// Frames (packet(7)).
pub const AF_PACKET: u16 = 17;
/// The kernel itself (netlink(7)).
pub const AF_NETLINK: u16 = 16;

/// Bytes of `struct sockaddr_in`.
const INET_LEN: usize = 16;
/// Bytes of `struct sockaddr_in6` without `sin6_scope_id` (RFC 2133), which Linux still takes.
const INET6_MIN_LEN: usize = 24;
/// Bytes of `struct sockaddr_nl`.
const NETLINK_LEN: usize = 12;
/// Bytes of `struct sockaddr_ll`, and of it up to the address.
const LINK_LEN: usize = 20;
const LINK_HEAD: usize = 12;
/// Bytes of `sun_path` (unix(7)).
const UNIX_PATH_LEN: usize = 108;
/// Bytes of the largest address that is given out: the family, `sun_path` and the NUL that Linux
/// adds behind a path that fills it.
const MAX_LEN: usize = 2 + UNIX_PATH_LEN + 1;

/// A socket address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// AF_UNSPEC: dissolves an association in connect(2).
    Unspecified {
        /// What `struct sockaddr_in` says behind the family, if it is that long.
        v4: Option<SocketAddrV4>,
        /// Bytes of it.
        len: usize,
    },
    /// AF_INET or AF_INET6. As it was written: mapped ones of IPv4 are of IPv6.
    Inet(SocketAddr),
    /// AF_UNIX.
    Unix(UnixAddress),
    /// AF_NETLINK.
    Netlink {
        /// `nl_pid`: a socket, 0 is the kernel.
        port: u32,
        /// `nl_groups`: multicast groups, a bit each.
        groups: u32,
    },
    /// AF_PACKET.
    Link(LinkAddress),
    /// Of a family that is not known, or too short or too long for its own. What is wrong is told when a socket comes
    /// to look at the address: others may come first.
    Unusable {
        /// Bytes of it.
        len: usize,
    },
}

/// An interface and an address on its link (`struct sockaddr_ll`, packet(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkAddress {
    /// Ethernet type of the packets.
    pub protocol: u16,
    /// The interface's number.
    pub interface: u32,
    /// Its ARP hardware type.
    pub hardware: u16,
    /// For whom a frame was (PACKET_HOST and its like).
    pub kind: u8,
    /// Bytes of the address.
    pub address_len: u8,
    /// The address.
    pub address: [u8; 8],
    /// All of the structure is shown, not only up to the address's end.
    pub padded: bool,
}

/// The name of a local socket (unix(7)).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UnixAddress {
    /// Has none.
    Unnamed,
    /// A file, without NUL.
    Path(Vec<u8>),
    /// A name in the abstract name space, without the leading NUL.
    Abstract(Vec<u8>),
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    bytes.get(at..at + N).and_then(|part| part.try_into().ok()).ok_or(Errno::EINVAL)
}

impl Address {
    /// Reads an address as the application passed it.
    pub fn parse(bytes: &[u8]) -> Self {
        Self::parse_known(bytes).unwrap_or(Self::Unusable { len: bytes.len() })
    }

    /// # Errors
    /// `EINVAL` if it is too short to have a family.
    fn parse_known(bytes: &[u8]) -> Result<Self> {
        match u16::from_le_bytes(array(bytes, 0)?) {
            AF_UNSPEC => Ok(Self::Unspecified { v4: inet_v4(bytes), len: bytes.len() }),
            AF_INET if let Some(v4) = inet_v4(bytes) => Ok(Self::Inet(v4.into())),
            AF_INET6 if bytes.len() >= INET6_MIN_LEN => {
                let port = u16::from_be_bytes(array(bytes, 2)?);
                // Other addresses are the same everywhere.
                let scope = array(bytes, INET6_MIN_LEN).map_or(0, u32::from_le_bytes);
                let ip = Ipv6Addr::from(array::<16>(bytes, 8)?);
                let scope = if is_of_link(ip) { scope } else { 0 };
                Ok(Self::Inet(SocketAddrV6::new(ip, port, 0, scope).into()))
            }
            AF_UNIX if bytes.len() <= 2 + UNIX_PATH_LEN => {
                let name = bytes.get(2..).unwrap_or(&[]);
                Ok(Self::Unix(match name {
                    [] => UnixAddress::Unnamed,
                    [0, rest @ ..] => UnixAddress::Abstract(rest.to_vec()),
                    _ => UnixAddress::Path(name.split(|&byte| byte == 0).next().unwrap_or(&[]).to_vec()),
                }))
            }
            AF_NETLINK if bytes.len() >= NETLINK_LEN => Ok(Self::Netlink {
                port: u32::from_ne_bytes(array(bytes, 4)?),
                groups: u32::from_ne_bytes(array(bytes, 8)?),
            }),
            AF_PACKET if bytes.len() >= LINK_LEN => Ok(Self::Link(LinkAddress {
                protocol: u16::from_be_bytes(array(bytes, 2)?),
                interface: u32::from_ne_bytes(array(bytes, 4)?),
                hardware: u16::from_ne_bytes(array(bytes, 8)?),
                kind: bytes.get(10).copied().unwrap_or(0),
                address_len: bytes.get(11).copied().unwrap_or(0),
                address: array(bytes, LINK_HEAD)?,
                padded: false,
            })),
            _ => Ok(Self::Unusable { len: bytes.len() }),
        }
    }

    /// As the application reads it: the bytes, and how many there are.
    pub fn encode(&self) -> ArrayVec<u8, MAX_LEN> {
        let mut out = ArrayVec::new();
        // What does not fit is cut off; nothing that was parsed is longer.
        let mut put = |bytes: &[u8]| out.extend(bytes.iter().copied().take(MAX_LEN - out.len()));
        match self {
            Self::Unspecified { .. } | Self::Unusable { .. } => put(&AF_UNSPEC.to_le_bytes()),
            Self::Inet(SocketAddr::V4(addr)) => {
                put(&AF_INET.to_le_bytes());
                put(&addr.port().to_be_bytes());
                put(&addr.ip().octets());
                put(&[0; 8]);
            }
            Self::Inet(SocketAddr::V6(addr)) => {
                put(&AF_INET6.to_le_bytes());
                put(&addr.port().to_be_bytes());
                put(&addr.flowinfo().to_be_bytes());
                put(&addr.ip().octets());
                put(&addr.scope_id().to_le_bytes());
            }
            Self::Netlink { port, groups } => {
                put(&AF_NETLINK.to_le_bytes());
                put(&[0; 2]);
                put(&port.to_ne_bytes());
                put(&groups.to_ne_bytes());
            }
            Self::Link(link) => {
                put(&AF_PACKET.to_le_bytes());
                put(&link.protocol.to_be_bytes());
                put(&link.interface.to_ne_bytes());
                put(&link.hardware.to_ne_bytes());
                put(&[link.kind, link.address_len]);
                let len = if link.padded { link.address.len() } else { usize::from(link.address_len) };
                put(link.address.get(..len).unwrap_or(&link.address));
            }
            Self::Unix(name) => {
                put(&AF_UNIX.to_le_bytes());
                match name {
                    UnixAddress::Unnamed => {}
                    UnixAddress::Path(path) => {
                        put(path);
                        put(&[0]);
                    }
                    UnixAddress::Abstract(name) => {
                        put(&[0]);
                        put(name);
                    }
                }
            }
        }
        out
    }

    /// How a socket of this family shows the address: AF_INET6 shows IPv4 as mapped.
    pub(crate) fn shown(addr: SocketAddr, v6: bool) -> Self {
        Self::Inet(match addr {
            SocketAddr::V4(v4) if v6 && v4.ip().is_unspecified() => {
                SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, v4.port(), 0, 0).into()
            }
            SocketAddr::V4(v4) if v6 => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
            other => other,
        })
    }

    /// An address of IPv4 that is written as one of IPv6, as such.
    pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
        match addr.ip().to_canonical() {
            IpAddr::V4(ip) => (ip, addr.port()).into(),
            IpAddr::V6(_) => addr,
        }
    }

    /// The address that a socket of AF_INET is to have. Old programs name the wildcard by AF_UNSPEC.
    ///
    /// # Errors
    /// `EINVAL` if it is too short, `EAFNOSUPPORT`.
    pub(crate) fn own_v4(&self) -> Result<SocketAddrV4> {
        match self {
            Self::Inet(SocketAddr::V4(addr)) => Ok(*addr),
            Self::Unspecified { v4: Some(addr), .. } if addr.ip().is_unspecified() => Ok(*addr),
            Self::Unspecified { v4: None, .. } => Err(Errno::EINVAL),
            Self::Unusable { len } if *len < INET_LEN => Err(Errno::EINVAL),
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }

    /// The address that a socket of AF_INET6 is to have.
    ///
    /// # Errors
    /// As [`Address::own_v4`].
    pub(crate) fn own_v6(&self) -> Result<SocketAddrV6> {
        match self {
            Self::Inet(SocketAddr::V6(addr)) => Ok(*addr),
            Self::Inet(SocketAddr::V4(_)) => Err(Errno::EINVAL),
            Self::Unspecified { len, .. } | Self::Unusable { len } if *len < INET6_MIN_LEN => Err(Errno::EINVAL),
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }

    /// The Internet address, for a socket of this family.
    ///
    /// # Errors
    /// `EAFNOSUPPORT` if it is none, or an IPv6 address for an IPv4 socket; `EINVAL` if it is too short.
    pub(crate) fn inet(&self, v6: bool) -> Result<SocketAddr> {
        match self {
            Self::Inet(addr) if v6 || addr.is_ipv4() => Ok(Self::canonical(*addr)),
            Self::Unusable { len } if *len < if v6 { INET6_MIN_LEN } else { INET_LEN } => Err(Errno::EINVAL),
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }
}

/// `struct sockaddr_in` behind its family, if there is one.
fn inet_v4(bytes: &[u8]) -> Option<SocketAddrV4> {
    let [_, _, p0, p1, a, b, c, d, ..] = *bytes.first_chunk::<INET_LEN>()?;
    Some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([p0, p1])))
}

/// Whether an address is only good on one link, which it may name (RFC 4007).
pub(crate) fn is_of_link(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local() || matches!(ip.octets(), [0xff, flags_and_scope, ..] if flags_and_scope & 15 == 2)
}

/// Where packets to this address go in the end: to oneself for the unspecified address, as Linux has it.
pub(crate) fn destination(addr: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        _ => return addr,
    };
    (ip, addr.port()).into()
}
