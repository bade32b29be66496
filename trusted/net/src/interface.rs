//! What programs ask about network interfaces (netdevice(7)).

use core::net::Ipv4Addr;
use rkt_linux_abi::ioctl::*;
use rkt_linux_abi::{Errno, Result};

/// Bytes of `ifr_name`.
const NAME_LEN: usize = 16;
/// ARP hardware types (`sa_family` of SIOCGIFHWADDR).
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
/// `IFF_*` (netdevice(7)).
const IFF_UP: u16 = 1;
const IFF_BROADCAST: u16 = 2;
const IFF_LOOPBACK: u16 = 8;
const IFF_RUNNING: u16 = 64;
const IFF_MULTICAST: u16 = 4096;

/// A network interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its number, from 1.
    pub index: u32,
    /// Its name: `lo`, `eth0`.
    pub name: &'static str,
    /// Ethernet address; zeroes for the loopback.
    pub mac: [u8; 6],
    /// Largest packet in bytes.
    pub mtu: u32,
    /// IPv4 address.
    pub address: Ipv4Addr,
    /// Bits of the address that name the network.
    pub prefix: u8,
    /// Where packets to other networks go.
    pub gateway: Option<Ipv4Addr>,
    /// Whether it works.
    pub up: bool,
}

impl Interface {
    /// The loopback.
    pub(crate) fn loopback() -> Self {
        let name = "lo";
        let address = Ipv4Addr::LOCALHOST;
        Self { index: 1, name, mac: [0; 6], mtu: 65536, address, prefix: 8, gateway: None, up: true }
    }

    /// `IFF_*` bits.
    pub fn flags(&self) -> u16 {
        let kind = if self.address.is_loopback() { IFF_LOOPBACK } else { IFF_BROADCAST | IFF_MULTICAST };
        kind | if self.up { IFF_UP | IFF_RUNNING } else { 0 }
    }

    /// The network mask.
    pub fn netmask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0))
    }

    /// The address of the network itself.
    pub fn network(&self) -> Ipv4Addr {
        self.address & self.netmask()
    }

    /// The ARP hardware type.
    pub fn hardware(&self) -> u16 {
        if self.address.is_loopback() { ARPHRD_LOOPBACK } else { ARPHRD_ETHER }
    }

    /// The broadcast address of the network.
    pub fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | !self.netmask().to_bits())
    }

    /// Whether an address is on this network.
    pub fn contains(&self, ip: Ipv4Addr) -> bool {
        (ip.to_bits() ^ self.address.to_bits()) & self.netmask().to_bits() == 0
    }

    /// The `struct ifreq` of SIOCGIFCONF: name and address.
    pub fn request(&self) -> [u8; 40] {
        let mut request = [0; 40];
        for (into, from) in request.iter_mut().take(NAME_LEN - 1).zip(self.name.bytes()) {
            *into = from;
        }
        put_address(&mut request, self.address);
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
        SIOCGIFADDR | SIOCGIFDSTADDR => put_address(request, interface.address),
        SIOCGIFNETMASK => put_address(request, interface.netmask()),
        SIOCGIFBRDADDR => put_address(request, interface.broadcast()),
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
        SIOCSIFFLAGS | SIOCSIFADDR | SIOCSIFNETMASK | SIOCSIFMTU | SIOCSIFHWADDR => return Err(Errno::EPERM),
        _ => return Err(Errno::ENOTTY),
    }
    Ok(())
}
