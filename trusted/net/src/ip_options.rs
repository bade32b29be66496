//! Options of the IP level (ip(7), ipv6(7)), the same for all sockets of the Internet.

use crate::options::{from_int, int};
use crate::socket::Control;
use crate::stack::{Fragmentation, Manner};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};

/// What values an option takes.
#[derive(Clone, Copy)]
enum Kind {
    /// On or off.
    Flag,
    /// From here to there; −1, where it is among them, stands for the default.
    Range(i32, i32),
}
use Kind::{Flag, Range};

/// Options that are numbers: level, name, default, values.
const NUMBERS: [(u32, u32, i32, Kind); 29] = [
    (SOL_IP, IP_TOS, 0, Range(0, 255)),
    (SOL_IP, IP_TTL, 64, Range(-1, 255)),
    (SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT as i32, Range(0, 5)),
    (SOL_IP, IP_RECVERR, 0, Flag),
    (SOL_IP, IP_BIND_ADDRESS_NO_PORT, 0, Flag),
    (SOL_IP, IP_FREEBIND, 0, Flag),
    (SOL_IP, IP_PKTINFO, 0, Flag),
    (SOL_IP, IP_RECVTTL, 0, Flag),
    (SOL_IP, IP_RECVTOS, 0, Flag),
    (SOL_IP, IP_RECVORIGDSTADDR, 0, Flag),
    // Options of headers are passed over when packets come in: there are none to tell.
    (SOL_IP, IP_RECVOPTS, 0, Flag),
    (SOL_IP, IP_RETOPTS, 0, Flag),
    (SOL_IP, IP_MINTTL, 0, Range(0, 255)),
    (SOL_IP, IP_MULTICAST_TTL, 1, Range(-1, 255)),
    (SOL_IP, IP_MULTICAST_LOOP, 1, Flag),
    (SOL_IP, IP_MULTICAST_ALL, 1, Range(0, 1)),
    (SOL_IPV6, IPV6_TCLASS, 0, Range(-1, 255)),
    (SOL_IPV6, IPV6_UNICAST_HOPS, 64, Range(-1, 255)),
    (SOL_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_WANT as i32, Range(0, 5)),
    (SOL_IPV6, IPV6_DONTFRAG, 0, Flag),
    (SOL_IPV6, IPV6_RECVERR, 0, Flag),
    (SOL_IPV6, IPV6_AUTOFLOWLABEL, 1, Flag),
    (SOL_IPV6, IPV6_FREEBIND, 0, Flag),
    (SOL_IPV6, IPV6_RECVPKTINFO, 0, Flag),
    (SOL_IPV6, IPV6_RECVHOPLIMIT, 0, Flag),
    (SOL_IPV6, IPV6_RECVTCLASS, 0, Flag),
    (SOL_IPV6, IPV6_MULTICAST_HOPS, 1, Range(-1, 255)),
    (SOL_IPV6, IPV6_MULTICAST_LOOP, 1, Range(0, 1)),
    (SOL_IPV6, IPV6_MULTICAST_ALL, 1, Range(0, 1)),
];

fn known(level: u32, name: u32) -> Result<&'static (u32, u32, i32, Kind)> {
    NUMBERS.iter().find(|option| (option.0, option.1) == (level, name)).ok_or(Errno::ENOPROTOOPT)
}

/// The values that differ from the defaults.
#[derive(Clone, Default)]
pub(crate) struct IpOptions {
    values: Vec<(u32, u32, i32)>,
}

/// What is known of a packet that came, beside its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Where it was sent, and the port if its protocol has them.
    pub local: IpAddr,
    pub port: u16,
    pub interface: u32,
    pub ttl: u8,
    pub tos: u8,
}

/// What control messages say of a packet that is to be sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub source: Option<IpAddr>,
    pub interface: Option<u32>,
    pub ttl: Option<u8>,
    pub tos: Option<u8>,
    pub segment: Option<u16>,
}

impl IpOptions {
    /// setsockopt(2) at SOL_IP and SOL_IPV6.
    ///
    /// # Errors
    /// `ENOPROTOOPT`, `EINVAL`.
    pub fn set(&mut self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        // ip(7): a byte will do.
        let value = match value {
            [byte] if level == SOL_IP => i32::from(*byte),
            _ => int(value)?,
        };
        let &(.., default, kind) = known(level, name)?;
        let value = match kind {
            Flag => i32::from(value != 0),
            Range(least, most) if !(least..=most).contains(&value) => return Err(Errno::EINVAL),
            // A time to live of 0 would reach nobody.
            Range(..) if (level, name, value) == (SOL_IP, IP_TTL, 0) => return Err(Errno::EINVAL),
            Range(..) if value == -1 => default,
            Range(..) => value,
        };
        self.values.retain(|kept| (kept.0, kept.1) != (level, name));
        self.values.push((level, name, value));
        Ok(())
    }

    /// getsockopt(2) at SOL_IP and SOL_IPV6.
    ///
    /// # Errors
    /// `ENOPROTOOPT`.
    pub fn get(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        let known = known(level, name)?;
        Ok(from_int(self.chosen(level, name).unwrap_or(known.2)))
    }

    /// The value, if it was set.
    fn chosen(&self, level: u32, name: u32) -> Option<i32> {
        self.values.iter().find(|kept| (kept.0, kept.1) == (level, name)).map(|kept| kept.2)
    }

    /// The value of a number.
    pub fn number(&self, level: u32, name: u32) -> i32 {
        let default = known(level, name).map_or(0, |known| known.2);
        self.chosen(level, name).unwrap_or(default)
    }

    /// Whether an option is on.
    pub fn is_on(&self, level: u32, name: u32) -> bool {
        self.number(level, name) != 0
    }

    /// Whether errors go to the error queue.
    pub fn receives_errors(&self, v4: bool) -> bool {
        if v4 { self.is_on(SOL_IP, IP_RECVERR) } else { self.is_on(SOL_IPV6, IPV6_RECVERR) }
    }

    /// Whether groups that this socket sends to hear it on this machine, too.
    pub fn loops(&self, v4: bool) -> bool {
        if v4 { self.is_on(SOL_IP, IP_MULTICAST_LOOP) } else { self.is_on(SOL_IPV6, IPV6_MULTICAST_LOOP) }
    }

    /// How packets to `to` leave.
    pub fn manner(&self, to: IpAddr) -> Manner {
        let v4 = to.is_ipv4();
        let (level, tos, hops, group_hops, discover) = match v4 {
            true => (SOL_IP, IP_TOS, IP_TTL, IP_MULTICAST_TTL, IP_MTU_DISCOVER),
            false => (SOL_IPV6, IPV6_TCLASS, IPV6_UNICAST_HOPS, IPV6_MULTICAST_HOPS, IPV6_MTU_DISCOVER),
        };
        let hops = if to.is_multicast() { Some(self.number(level, group_hops)) } else { self.chosen(level, hops) };
        let fragmentation = match self.number(level, discover) as u32 {
            _ if !v4 && self.is_on(SOL_IPV6, IPV6_DONTFRAG) => Fragmentation::Never,
            IP_PMTUDISC_DO => Fragmentation::Never,
            IP_PMTUDISC_PROBE | IP_PMTUDISC_INTERFACE => Fragmentation::Probe,
            IP_PMTUDISC_DONT | IP_PMTUDISC_OMIT => Fragmentation::Anywhere,
            _ => Fragmentation::Local,
        };
        Manner {
            ttl: hops.map(|hops| hops as u8),
            tos: self.number(level, tos) as u8,
            fragmentation,
            ..Manner::default()
        }
    }

    /// What a receiver is told of a packet, in Linux's order.
    pub fn controls(&self, facts: &Facts, v6: bool) -> Vec<Control> {
        let mut out = Vec::new();
        let mut tell = |level, kind, data: &[u8]| out.push(Control { level, kind, data: data.to_vec() });
        let hops = i32::from(facts.ttl).to_ne_bytes();
        if v6 {
            let ip = match facts.local {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            if self.is_on(SOL_IPV6, IPV6_RECVPKTINFO) {
                tell(SOL_IPV6, IPV6_PKTINFO, &[ip.octets().as_slice(), &facts.interface.to_ne_bytes()].concat());
            }
            if facts.local.is_ipv6() && self.is_on(SOL_IPV6, IPV6_RECVHOPLIMIT) {
                tell(SOL_IPV6, IPV6_HOPLIMIT, &hops);
            }
            if facts.local.is_ipv6() && self.is_on(SOL_IPV6, IPV6_RECVTCLASS) {
                tell(SOL_IPV6, IPV6_TCLASS, &i32::from(facts.tos).to_ne_bytes());
            }
        }
        if let IpAddr::V4(ip) = facts.local {
            if self.is_on(SOL_IP, IP_PKTINFO) {
                let octets = ip.octets();
                tell(SOL_IP, IP_PKTINFO, &[facts.interface.to_ne_bytes(), octets, octets].concat());
            }
            if self.is_on(SOL_IP, IP_RECVTTL) {
                tell(SOL_IP, IP_TTL, &hops);
            }
            if self.is_on(SOL_IP, IP_RECVTOS) {
                tell(SOL_IP, IP_TOS, &[facts.tos]);
            }
            if self.is_on(SOL_IP, IP_RECVORIGDSTADDR) {
                let address = crate::Address::Inet((ip, facts.port).into()).encode();
                tell(SOL_IP, IP_ORIGDSTADDR, &address);
            }
        }
        out
    }
}

impl Asked {
    /// What control messages ask for.
    ///
    /// # Errors
    /// `EINVAL` for values that make no sense, and for names that mean nothing here.
    pub fn from_controls(controls: &[Control], v6: bool) -> Result<Self> {
        let mut asked = Self::default();
        for control in controls {
            match (control.level, control.kind) {
                (SOL_IP, IP_PKTINFO) => asked.take_v4(&control.data)?,
                (SOL_IP, IP_TTL) => asked.ttl = Some(ranged(&control.data, 1)?),
                (SOL_IP, IP_TOS) => {
                    asked.tos = Some(match control.data.as_slice() {
                        [byte] => *byte,
                        _ => ranged(&control.data, 0)?,
                    });
                }
                (SOL_IPV6, IPV6_PKTINFO) if v6 => asked.take_v6(&control.data)?,
                // −1 asks for the default.
                (SOL_IPV6, IPV6_HOPLIMIT) if v6 && int(&control.data)? == -1 => {}
                (SOL_IPV6, IPV6_HOPLIMIT) if v6 => asked.ttl = Some(ranged(&control.data, 0)?),
                (SOL_IPV6, IPV6_TCLASS) if v6 && int(&control.data)? == -1 => {}
                (SOL_IPV6, IPV6_TCLASS) if v6 => asked.tos = Some(ranged(&control.data, 0)?),
                (SOL_UDP, UDP_SEGMENT) => {
                    let bytes = <[u8; 2]>::try_from(control.data.as_slice()).map_err(|_| Errno::EINVAL)?;
                    asked.segment = Some(u16::from_ne_bytes(bytes)).filter(|segment| *segment != 0);
                }
                (SOL_IP | SOL_IPV6 | SOL_UDP, _) => return Err(Errno::EINVAL),
                _ => {}
            }
        }
        Ok(asked)
    }

    fn take_v4(&mut self, data: &[u8]) -> Result<()> {
        // `struct in_pktinfo`: the interface, the source, the destination, which is of no interest.
        let [a, b, c, d, rest @ ..] = data else { return Err(Errno::EINVAL) };
        let source: [u8; 4] = rest.first_chunk().copied().ok_or(Errno::EINVAL)?;
        self.interface = Some(u32::from_ne_bytes([*a, *b, *c, *d])).filter(|index| *index != 0);
        self.source = Some(Ipv4Addr::from(source)).filter(|ip| !ip.is_unspecified()).map(IpAddr::V4);
        Ok(())
    }

    fn take_v6(&mut self, data: &[u8]) -> Result<()> {
        // `struct in6_pktinfo`.
        let (source, index) = data.split_first_chunk::<16>().ok_or(Errno::EINVAL)?;
        self.interface = Some(int(index)? as u32).filter(|index| *index != 0);
        let source = Ipv6Addr::from(*source);
        self.source = Some(source).filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_canonical());
        Ok(())
    }

    /// The manner with what is asked for in it.
    pub fn over(&self, manner: Manner) -> Manner {
        Manner {
            interface: self.interface.or(manner.interface),
            ttl: self.ttl.or(manner.ttl),
            tos: self.tos.unwrap_or(manner.tos),
            segment: self.segment.or(manner.segment),
            ..manner
        }
    }
}

/// UDP_SEGMENT of linux/udp.h.
pub(crate) const UDP_SEGMENT: u32 = 103;

fn ranged(data: &[u8], least: i32) -> Result<u8> {
    u8::try_from(int(data)?).ok().filter(|value| i32::from(*value) >= least).ok_or(Errno::EINVAL)
}
