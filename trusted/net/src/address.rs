//! Socket addresses as the application writes and reads them (`struct sockaddr`).

use alloc::vec::Vec;
use arrayvec::ArrayVec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use rkt_linux_abi::{Errno, Result};

/// Address families (socket(2)).
pub const AF_UNSPEC: u16 = 0;
/// Local sockets.
pub const AF_UNIX: u16 = 1;
/// IPv4.
pub const AF_INET: u16 = 2;
/// IPv6.
pub const AF_INET6: u16 = 10;
/// The kernel itself (netlink(7)).
pub const AF_NETLINK: u16 = 16;

/// Bytes of `struct sockaddr_in`.
const INET_LEN: usize = 16;
/// Bytes of `struct sockaddr_in6` without `sin6_scope_id` (RFC 2133), which Linux still takes.
const INET6_MIN_LEN: usize = 24;
/// Bytes of `struct sockaddr_nl`.
const NETLINK_LEN: usize = 12;
/// Bytes of `sun_path` (unix(7)).
const UNIX_PATH_LEN: usize = 108;
/// Bytes of the largest address that is given out: the family, `sun_path` and the NUL that Linux
/// adds behind a path that fills it.
const MAX_LEN: usize = 2 + UNIX_PATH_LEN + 1;

/// A socket address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// AF_UNSPEC: dissolves an association in connect(2).
    Unspecified,
    /// AF_INET or AF_INET6. IPv4-mapped addresses are held as IPv4.
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
    /// Of a family that is not known, or too short or too long for its own. The error is told when
    /// a socket comes to look at the address: others may come first.
    Unusable(Errno),
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
    ///
    /// # Errors
    /// `EINVAL` if it has no family.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        match u16::from_le_bytes(array(bytes, 0)?) {
            AF_UNSPEC => Ok(Self::Unspecified),
            AF_INET if bytes.len() >= INET_LEN => {
                let ip = Ipv4Addr::from(array::<4>(bytes, 4)?);
                Ok(Self::Inet((ip, u16::from_be_bytes(array(bytes, 2)?)).into()))
            }
            AF_INET6 if bytes.len() >= INET6_MIN_LEN => {
                let port = u16::from_be_bytes(array(bytes, 2)?);
                // Other addresses are the same everywhere.
                let scope = array(bytes, INET6_MIN_LEN).map_or(0, u32::from_le_bytes);
                Ok(Self::Inet(match Ipv6Addr::from(array::<16>(bytes, 8)?).to_canonical() {
                    IpAddr::V6(ip) if is_of_link(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
                    ip => (ip, port).into(),
                }))
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
            AF_INET | AF_INET6 | AF_UNIX | AF_NETLINK => Ok(Self::Unusable(Errno::EINVAL)),
            _ => Ok(Self::Unusable(Errno::EAFNOSUPPORT)),
        }
    }

    /// As the application reads it: the bytes, and how many there are.
    pub fn encode(&self) -> ArrayVec<u8, MAX_LEN> {
        let mut out = ArrayVec::new();
        // What does not fit is cut off; nothing that was parsed is longer.
        let mut put = |bytes: &[u8]| out.extend(bytes.iter().copied().take(MAX_LEN - out.len()));
        match self {
            Self::Unspecified | Self::Unusable(_) => put(&AF_UNSPEC.to_le_bytes()),
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

    /// The Internet address, for a socket of this family.
    ///
    /// # Errors
    /// `EAFNOSUPPORT` if it is none, or an IPv6 address for an IPv4 socket; `EINVAL` if it is too short.
    pub(crate) fn inet(&self, v6: bool) -> Result<SocketAddr> {
        match self {
            Self::Inet(addr) if v6 || addr.is_ipv4() => Ok(*addr),
            Self::Unusable(error) => Err(*error),
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }
}

/// Whether an address is only good on one link, which it may name (RFC 4007).
fn is_of_link(ip: Ipv6Addr) -> bool {
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
