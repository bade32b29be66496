//! Options of the IP level (ip(7), ipv6(7)), the same for all sockets of the Internet.

use crate::options::{Kind, from_int, int};
use crate::socket::Control;
use crate::stack::{Fragmentation, Manner};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};

/// Least MTU of a link of IPv6 (RFC 8200 §5).
const MIN_MTU: i32 = 1280;

/// What values an option takes.
#[derive(Clone, Copy)]
enum Values {
    /// On or off.
    Flag,
    /// 0 or 1.
    Boolean,
    /// From here to there; −1, where it is among them, stands for the default.
    Range(i32, i32),
    /// The lowest eight bits; of streams without those of congestion notification, which are the protocol's (RFC 3168).
    Class,
    /// The number of an interface; of IPv4 in the byte order of the network.
    Interface,
    /// 0, or a size of packets that a link of IPv6 must take (RFC 8200 §5).
    Size,
}
use Values::{Boolean, Class, Flag, Interface, Range, Size};

/// How many bytes a value must have. Of IPv4 one byte will do for all (ip(7)), of IPv6 it takes an `int`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Least {
    /// Nothing stands for 0.
    None,
    Value,
    /// An `int`, and no more than that.
    Exact,
}
use Least::{Exact, Value};

/// Whose option it is.
#[derive(Clone, Copy)]
enum Owners {
    All,
    /// Where there are datagrams; the error for streams.
    NoStreams(Errno),
    /// Raw sockets.
    Raw,
}
use Owners::{All, NoStreams, Raw};

/// An option: level, name, default, values, lengths, owners.
type Number = (u32, u32, i32, Values, Least, Owners);

/// Options that are numbers.
const NUMBERS: [Number; 43] = [
    (SOL_IP, IP_TOS, 0, Class, Least::None, All),
    (SOL_IP, IP_TTL, 64, Range(-1, 255), Value, All),
    (SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT as i32, Range(0, 5), Least::None, All),
    (SOL_IP, IP_RECVERR, 0, Flag, Least::None, All),
    (SOL_IP, IP_BIND_ADDRESS_NO_PORT, 0, Flag, Least::None, All),
    (SOL_IP, IP_FREEBIND, 0, Flag, Value, All),
    (SOL_IP, IP_TRANSPARENT, 0, Flag, Value, All),
    (SOL_IP, IP_PKTINFO, 0, Flag, Least::None, All),
    (SOL_IP, IP_RECVTTL, 0, Flag, Least::None, All),
    (SOL_IP, IP_RECVTOS, 0, Flag, Least::None, All),
    (SOL_IP, IP_RECVORIGDSTADDR, 0, Flag, Least::None, All),
    // Options of headers are passed over when packets come in, cards give no sums, there are no labels of security:
    // none of them is ever told.
    (SOL_IP, IP_RECVOPTS, 0, Flag, Least::None, All),
    (SOL_IP, IP_RETOPTS, 0, Flag, Least::None, All),
    (SOL_IP, IP_CHECKSUM, 0, Flag, Least::None, All),
    (SOL_IP, IP_PASSSEC, 0, Flag, Least::None, All),
    (SOL_IP, IP_MINTTL, 0, Range(0, 255), Value, All),
    (SOL_IP, IP_MULTICAST_TTL, 1, Range(-1, 255), Value, NoStreams(Errno::EINVAL)),
    (SOL_IP, IP_MULTICAST_LOOP, 1, Flag, Value, All),
    (SOL_IP, IP_MULTICAST_ALL, 1, Boolean, Value, All),
    (SOL_IP, IP_UNICAST_IF, 0, Interface, Exact, All),
    (SOL_IP, IP_HDRINCL, 0, Flag, Least::None, Raw),
    // There is no tracking of connections for which fragments would be put together.
    (SOL_IP, IP_NODEFRAG, 0, Flag, Least::None, Raw),
    (SOL_IPV6, IPV6_TCLASS, 0, Class, Value, All),
    (SOL_IPV6, IPV6_UNICAST_HOPS, 64, Range(-1, 255), Value, All),
    (SOL_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_WANT as i32, Range(0, 5), Value, All),
    (SOL_IPV6, IPV6_DONTFRAG, 0, Flag, Least::None, All),
    (SOL_IPV6, IPV6_MTU, 0, Size, Value, All),
    (SOL_IPV6, IPV6_RECVERR, 0, Flag, Value, All),
    (SOL_IPV6, IPV6_AUTOFLOWLABEL, 1, Flag, Least::None, All),
    (SOL_IPV6, IPV6_FREEBIND, 0, Flag, Value, All),
    (SOL_IPV6, IPV6_TRANSPARENT, 0, Flag, Value, All),
    (SOL_IPV6, IPV6_RECVPKTINFO, 0, Flag, Value, All),
    (SOL_IPV6, IPV6_RECVHOPLIMIT, 0, Flag, Value, All),
    (SOL_IPV6, IPV6_RECVTCLASS, 0, Flag, Value, All),
    (SOL_IPV6, IPV6_RECVORIGDSTADDR, 0, Flag, Value, All),
    // As of IPv4: extension headers are passed over.
    (SOL_IPV6, IPV6_RECVRTHDR, 0, Flag, Value, All),
    (SOL_IPV6, IPV6_RECVHOPOPTS, 0, Flag, Value, All),
    (SOL_IPV6, IPV6_RECVDSTOPTS, 0, Flag, Value, All),
    (SOL_IPV6, IPV6_MULTICAST_HOPS, 1, Range(-1, 255), Value, NoStreams(Errno::ENOPROTOOPT)),
    (SOL_IPV6, IPV6_MULTICAST_LOOP, 1, Boolean, Value, All),
    (SOL_IPV6, IPV6_MULTICAST_ALL, 1, Flag, Value, All),
    (SOL_IPV6, IPV6_UNICAST_IF, 0, Interface, Exact, All),
    (SOL_IPV6, IPV6_MINHOPCOUNT, 0, Range(0, 255), Value, All),
];
/// The lowest bits of the type of service (RFC 3168 §5).
const CONGESTION_BITS: i32 = 3;

/// The number that an option's value says.
fn number(level: u32, least: Least, value: &[u8]) -> Result<i32> {
    if least == Exact && value.len() != 4 {
        return Err(Errno::EINVAL);
    }
    match value {
        [_, _, _, _, ..] => int(value),
        [byte, ..] if level == SOL_IP => Ok((*byte).into()),
        _ if least == Least::None => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

fn known(level: u32, name: u32) -> Result<&'static Number> {
    NUMBERS.iter().find(|option| (option.0, option.1) == (level, name)).ok_or(Errno::ENOPROTOOPT)
}

/// The values that differ from the defaults.
#[derive(Clone)]
pub(crate) struct IpOptions {
    kind: Kind,
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
    /// Of the row; 0: it is none.
    pub segment: Option<u16>,
}

impl IpOptions {
    /// Those of a fresh socket.
    pub fn new(kind: Kind, v6: bool) -> Self {
        // A socket of IPv6 hears groups of IPv4 only where it joined them.
        let values = if v6 { Vec::from([(SOL_IP, IP_MULTICAST_ALL, 0)]) } else { Vec::new() };
        Self { kind, values }
    }

    /// setsockopt(2) at SOL_IP and SOL_IPV6; `interfaces` are the numbers of those that there are.
    ///
    /// # Errors
    /// `ENOPROTOOPT`, `EINVAL`, `EADDRNOTAVAIL` for an interface that there is not.
    pub fn set(&mut self, level: u32, name: u32, value: &[u8], interfaces: &[u32]) -> Result<()> {
        let &(.., default, values, least, owners) = known(level, name)?;
        match owners {
            NoStreams(error) if self.kind == Kind::Stream => return Err(error),
            Raw if self.kind != Kind::Raw => return Err(Errno::ENOPROTOOPT),
            _ => {}
        }
        let value = number(level, least, value)?;
        let value = match values {
            Flag => i32::from(value != 0),
            Boolean if !(0..=1).contains(&value) => return Err(Errno::EINVAL),
            Class if level == SOL_IPV6 && !(-1..=255).contains(&value) => return Err(Errno::EINVAL),
            Class if level == SOL_IPV6 && value == -1 => 0,
            Class if self.kind == Kind::Stream => value & 0xff & !CONGESTION_BITS,
            Class => value & 0xff,
            Range(least, most) if !(least..=most).contains(&value) => return Err(Errno::EINVAL),
            // A time to live of 0 would reach nobody.
            Range(..) if (level, name, value) == (SOL_IP, IP_TTL, 0) => return Err(Errno::EINVAL),
            Range(..) if value == -1 => default,
            Size if value != 0 && value < MIN_MTU => return Err(Errno::EINVAL),
            Interface if value != 0 && !interfaces.contains(&u32::from_be(value as u32)) => {
                return Err(Errno::EADDRNOTAVAIL);
            }
            Boolean | Range(..) | Size | Interface => value,
        };
        self.put(level, name, value);
        Ok(())
    }

    /// Sets a number.
    pub fn put(&mut self, level: u32, name: u32, value: i32) {
        self.values.retain(|kept| (kept.0, kept.1) != (level, name));
        self.values.push((level, name, value));
    }

    /// The interface that packets leave by where no other is named (IP_UNICAST_IF).
    pub fn outlet(&self, v4: bool) -> Option<u32> {
        let (level, name) = if v4 { (SOL_IP, IP_UNICAST_IF) } else { (SOL_IPV6, IPV6_UNICAST_IF) };
        Some(u32::from_be(self.number(level, name) as u32)).filter(|index| *index != 0)
    }

    /// Whether addresses that are nobody's may be bound to (ip(7), IP_FREEBIND and IP_TRANSPARENT).
    pub fn binds_freely(&self) -> bool {
        [(SOL_IP, IP_FREEBIND), (SOL_IP, IP_TRANSPARENT), (SOL_IPV6, IPV6_FREEBIND), (SOL_IPV6, IPV6_TRANSPARENT)]
            .into_iter()
            .any(|(level, name)| self.is_on(level, name))
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
            mtu: if v4 { None } else { u16::try_from(self.number(SOL_IPV6, IPV6_MTU)).ok().filter(|mtu| *mtu != 0) },
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
            if facts.local.is_ipv6() && self.is_on(SOL_IPV6, IPV6_RECVORIGDSTADDR) {
                let address = crate::Address::Inet((ip, facts.port).into()).encode();
                tell(SOL_IPV6, IPV6_ORIGDSTADDR, &address);
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
                (SOL_IP, IP_TTL) if control.data.len() != 4 => return Err(Errno::EINVAL),
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
                    asked.segment = Some(u16::from_ne_bytes(bytes));
                }
                (SOL_IP | SOL_IPV6 | SOL_UDP, _) => return Err(Errno::EINVAL),
                _ => {}
            }
        }
        Ok(asked)
    }

    fn take_v4(&mut self, data: &[u8]) -> Result<()> {
        // `struct in_pktinfo`: the interface, the source, the destination, which is of no interest.
        let &[a, b, c, d, s0, s1, s2, s3, _, _, _, _] = data else { return Err(Errno::EINVAL) };
        let source = [s0, s1, s2, s3];
        self.interface = Some(u32::from_ne_bytes([a, b, c, d])).filter(|index| *index != 0);
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
