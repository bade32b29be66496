//! What programs ask about network interfaces (netdevice(7)).

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use rkt_linux_abi::ioctl::*;
use rkt_linux_abi::{Errno, Result};
use rkt_netdev::NetStats;

/// Bytes of `ifr_name`.
const NAME_LEN: usize = 16;
/// SIOCETHTOOL of linux/sockios.h.
const SIOCETHTOOL: u32 = 0x8946;
/// ARP hardware types (`sa_family` of SIOCGIFHWADDR).
pub(crate) const ARPHRD_ETHER: u16 = 1;
pub(crate) const ARPHRD_LOOPBACK: u16 = 772;
/// `IFF_*` (netdevice(7)).
const IFF_UP: u16 = 1;
const IFF_BROADCAST: u16 = 2;
const IFF_LOOPBACK: u16 = 8;
const IFF_RUNNING: u16 = 64;
const IFF_MULTICAST: u16 = 4096;

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The address.
    pub ip: IpAddr,
    /// Bits of it that name the network.
    pub prefix: u8,
    /// Not yet known to be nobody else's: not used (RFC 4862 §5.4).
    pub tentative: bool,
    /// Past its preferred lifetime.
    pub deprecated: bool,
    /// Somebody else has it: not used.
    pub duplicate: bool,
    /// Seconds for which it is preferred; none: for ever.
    pub preferred: Option<u32>,
    /// Seconds for which it is valid; none: for ever.
    pub valid: Option<u32>,
}

/// A network interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its number, from 1.
    pub index: u32,
    /// Its name: `lo`, `eth0`.
    pub name: String,
    /// Ethernet address; zeroes for the loopback.
    pub mac: [u8; 6],
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Its addresses.
    pub addresses: Vec<Assigned>,
    /// Groups that it is in, and how many joined each.
    pub groups: Vec<(IpAddr, usize)>,
    /// Whether it works.
    pub up: bool,
    /// It leads back to this machine.
    pub loopback: bool,
    /// What its card counts. What goes over the loopback are no packets, and is not counted.
    pub counters: NetStats,
    /// And what each pair of its queues does.
    pub queues: Vec<NetStats>,
}

impl Assigned {
    /// A configured address.
    pub const fn new(ip: IpAddr, prefix: u8) -> Self {
        let (tentative, deprecated, duplicate) = (false, false, false);
        Self { ip, prefix, tentative, deprecated, duplicate, preferred: None, valid: None }
    }

    /// `IFA_F_*` of linux/if_addr.h.
    pub fn flags(&self) -> u8 {
        const DADFAILED: u8 = 0x08;
        const DEPRECATED: u8 = 0x20;
        const TENTATIVE: u8 = 0x40;
        const PERMANENT: u8 = 0x80;
        let flags = [
            (self.valid.is_none(), PERMANENT),
            (self.tentative, TENTATIVE),
            (self.duplicate, DADFAILED),
            (self.deprecated, DEPRECATED),
        ];
        flags.iter().filter(|(holds, _)| *holds).fold(0, |all, (_, flag)| all | flag)
    }

    /// The mask of the network, for an address of IPv4.
    pub fn netmask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0))
    }

    /// The broadcast address of the network, for an address of IPv4.
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        match self.ip {
            IpAddr::V4(ip) => Some(Ipv4Addr::from_bits(ip.to_bits() | !self.netmask().to_bits())),
            IpAddr::V6(_) => None,
        }
    }
}

impl Interface {
    /// The loopback.
    pub(crate) fn loopback() -> Self {
        let counters = NetStats::default();
        let addresses =
            Vec::from([Assigned::new(Ipv4Addr::LOCALHOST.into(), 8), Assigned::new(Ipv6Addr::LOCALHOST.into(), 128)]);
        Self {
            index: 1,
            name: String::from("lo"),
            mac: [0; 6],
            mtu: 65536,
            addresses,
            groups: Vec::new(),
            up: true,
            loopback: true,
            counters,
            queues: Vec::new(),
        }
    }

    /// `IFF_*` bits.
    pub fn flags(&self) -> u16 {
        let kind = if self.loopback { IFF_LOOPBACK } else { IFF_BROADCAST | IFF_MULTICAST };
        kind | if self.up { IFF_UP | IFF_RUNNING } else { 0 }
    }

    /// The ARP hardware type.
    pub fn hardware(&self) -> u16 {
        if self.loopback { ARPHRD_LOOPBACK } else { ARPHRD_ETHER }
    }

    /// The first IPv4 address.
    pub fn v4(&self) -> Option<Assigned> {
        self.addresses.iter().find(|assigned| assigned.ip.is_ipv4()).copied()
    }

    /// The `struct ifreq` of SIOCGIFCONF: name and address.
    pub fn request(&self) -> [u8; 40] {
        let mut request = [0; 40];
        for (into, from) in request.iter_mut().take(NAME_LEN - 1).zip(self.name.bytes()) {
            *into = from;
        }
        if let Some(Assigned { ip: IpAddr::V4(ip), .. }) = self.v4() {
            put_address(&mut request, ip);
        }
        request
    }
}

/// Stores at the start of the union behind the name.
fn put(request: &mut [u8; 40], bytes: &[u8]) {
    for (into, from) in request.iter_mut().skip(NAME_LEN).zip(bytes) {
        *into = *from;
    }
}

/// Stores a `struct sockaddr_in`.
fn put_address(request: &mut [u8; 40], address: Ipv4Addr) {
    put(request, &crate::Address::Inet((address, 0).into()).encode());
}

/// Answers the SIOCGIF* calls over a `struct ifreq` (all but SIOCGIFCONF, whose array is made of
/// [`Interface::request`]).
///
/// # Errors
/// `ENODEV` if there is no such interface, `ENOTTY` for other calls, `EPERM` for those that change something.
pub fn ioctl_if(interfaces: &[Interface], cmd: u32, request: &mut [u8; 40]) -> Result<()> {
    /// What this answers.
    const KNOWN: [u32; 18] = [
        SIOCGIFNAME,
        SIOCGIFINDEX,
        SIOCGIFFLAGS,
        SIOCGIFADDR,
        SIOCGIFDSTADDR,
        SIOCGIFNETMASK,
        SIOCGIFBRDADDR,
        SIOCGIFMTU,
        SIOCGIFMETRIC,
        SIOCGIFTXQLEN,
        SIOCGIFHWADDR,
        SIOCGIFMAP,
        SIOCSIFFLAGS,
        SIOCSIFADDR,
        SIOCSIFNETMASK,
        SIOCSIFMTU,
        SIOCSIFHWADDR,
        SIOCETHTOOL,
    ];
    if !KNOWN.contains(&cmd) {
        return Err(Errno::ENOTTY);
    }
    let found = if cmd == SIOCGIFNAME {
        let index = request.get(NAME_LEN..NAME_LEN + 4).and_then(|part| part.try_into().ok()).map(u32::from_le_bytes);
        interfaces.iter().find(|interface| Some(interface.index) == index)
    } else {
        let name = request.get(..NAME_LEN).and_then(|name| name.split(|&byte| byte == 0).next());
        interfaces.iter().find(|interface| Some(interface.name.as_bytes()) == name)
    };
    let interface = found.ok_or(Errno::ENODEV)?;
    match cmd {
        SIOCGIFNAME => {
            let name = interface.request();
            for (into, from) in request.iter_mut().zip(name.iter().take(NAME_LEN)) {
                *into = *from;
            }
        }
        SIOCGIFINDEX => put(request, &interface.index.to_le_bytes()),
        SIOCGIFFLAGS => put(request, &interface.flags().to_le_bytes()),
        SIOCGIFADDR | SIOCGIFDSTADDR | SIOCGIFNETMASK | SIOCGIFBRDADDR => {
            let assigned = interface.v4().ok_or(Errno::EADDRNOTAVAIL)?;
            let broadcast = assigned.broadcast().filter(|_| !interface.loopback);
            let address = match (cmd, assigned.ip) {
                (SIOCGIFNETMASK, _) => assigned.netmask(),
                (SIOCGIFBRDADDR, _) => broadcast.unwrap_or(Ipv4Addr::UNSPECIFIED),
                (_, IpAddr::V4(ip)) => ip,
                (_, IpAddr::V6(_)) => return Err(Errno::EADDRNOTAVAIL),
            };
            put_address(request, address);
        }
        SIOCGIFMTU => put(request, &interface.mtu.to_le_bytes()),
        SIOCGIFMETRIC => put(request, &0u32.to_le_bytes()),
        SIOCGIFTXQLEN => put(request, &1000u32.to_le_bytes()),
        SIOCGIFHWADDR => {
            put(request, &[0; 16]);
            let mut address = [0; 8];
            for (into, from) in address.iter_mut().zip(interface.hardware().to_le_bytes().iter().chain(&interface.mac))
            {
                *into = *from;
            }
            put(request, &address);
        }
        // The cards have nothing to set (linux/ethtool.h).
        SIOCETHTOOL => return Err(Errno::EOPNOTSUPP),
        SIOCSIFFLAGS | SIOCSIFADDR | SIOCSIFNETMASK | SIOCSIFMTU | SIOCSIFHWADDR => return Err(Errno::EPERM),
        _ => return Err(Errno::ENOTTY),
    }
    Ok(())
}
