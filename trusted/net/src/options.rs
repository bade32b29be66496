//! Options of the socket level (socket(7)), the same for all families.

use crate::address::{AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX};
use crate::socket::Credentials;
use crate::stamps::Stamps;
use alloc::vec::Vec;
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};

/// net.core.wmem_default and rmem_default.
pub(crate) const DEFAULT_BUFFER: usize = 212_992;
/// net.core.wmem_max and rmem_max.
const MAX_BUFFER: usize = 212_992;
/// The first sizes of net.ipv4.tcp_wmem and tcp_rmem.
const TCP_SEND_BUFFER: usize = 16_384;
const TCP_RECEIVE_BUFFER: usize = 131_072;
/// SOCK_MIN_SNDBUF of Linux on x86-64.
const MIN_SEND_BUFFER: usize = 4608;
/// SOCK_MIN_RCVBUF of Linux on x86-64.
const MIN_RECEIVE_BUFFER: usize = 2304;
const NS_PER_S: u64 = 1_000_000_000;
/// CONFIG_HZ of Debian's kernels.
const TICKS_PER_S: i64 = 250;
/// Clocks of SO_TXTIME: those of the realtime, monotonic and international atomic time (linux/time.h).
const TXTIME_CLOCKS: [i32; 3] = [0, 1, 11];
/// Flags of SO_TXTIME (linux/net_tstamp.h).
const TXTIME_FLAGS: i32 = 3;

/// Socket types (socket(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Stream = 1,
    Datagram = 2,
    Raw = 3,
    SeqPacket = 5,
}

/// The values.
pub(crate) struct Options {
    family: u16,
    kind: Kind,
    protocol: u32,
    pub reuse_address: bool,
    pub reuse_port: bool,
    pub keep_alive: bool,
    pub broadcast: bool,
    pub pass_credentials: bool,
    pub send_buffer: usize,
    pub receive_buffer: usize,
    /// The program chose the sizes (SO_SNDBUF, SO_RCVBUF): they are not tuned.
    buffers_chosen: (bool, bool),
    /// Nanoseconds, 0: none.
    pub send_timeout: u64,
    /// Nanoseconds, 0: none.
    pub receive_timeout: u64,
    /// SO_LINGER: whether, and seconds.
    lingers: bool,
    linger_time: i32,
    pub receive_low: usize,
    /// SO_TIMESTAMP and its like.
    pub stamps: Stamps,
    /// SO_PEEK_OFF; negative: MSG_PEEK starts at the front, and that does not move.
    peek_offset: i32,
    /// SO_BINDTOIFINDEX and SO_BINDTODEVICE.
    pub device: Option<u32>,
    /// SO_MAX_PACING_RATE: nothing is paced, whatever the limit.
    pacing: u64,
    /// SO_TXTIME: the clock and flags; no discipline waits for a packet's time.
    departure: [u8; 8],
    /// Those of [`KEPT`] that were set.
    kept: Vec<(u32, i32)>,
}

/// What values an option takes that is kept for who reads it back.
#[derive(Clone, Copy)]
enum Values {
    /// On or off.
    Flag,
    /// 0 or 1.
    Boolean,
    /// 0 and above.
    Positive,
    Any,
}

/// Options that are hints to queueing disciplines and drivers, of tracing, or ask for what no packet here has; and
/// those that others look up with [`Options::kept`]. Name, default, values.
const KEPT: [(u32, i32, Values); 19] = [
    (SO_DEBUG, 0, Values::Flag),
    (SO_DONTROUTE, 0, Values::Flag),
    (SO_OOBINLINE, 0, Values::Flag),
    (SO_NO_CHECK, 0, Values::Flag),
    (SO_PRIORITY, 0, Values::Any),
    (SO_MARK, 0, Values::Any),
    (SO_PASSSEC, 0, Values::Flag),
    (SO_RXQ_OVFL, 0, Values::Flag),
    (SO_WIFI_STATUS, 0, Values::Flag),
    (SO_NOFCS, 0, Values::Flag),
    (SO_SELECT_ERR_QUEUE, 0, Values::Flag),
    (SO_BUSY_POLL, 0, Values::Positive),
    (SO_PREFER_BUSY_POLL, 0, Values::Flag),
    (SO_BUSY_POLL_BUDGET, 8, Values::Positive),
    (SO_INCOMING_CPU, -1, Values::Any),
    (SO_ZEROCOPY, 0, Values::Boolean),
    (SO_TXREHASH, 1, Values::Boolean),
    (SO_RCVMARK, 0, Values::Flag),
    (SO_RCVPRIORITY, 0, Values::Flag),
];
/// SO_RCVPRIORITY of asm-generic/socket.h.
const SO_RCVPRIORITY: u32 = 82;

/// An option's value as `int`.
///
/// # Errors
/// `EINVAL` if it is shorter.
pub(crate) fn int(value: &[u8]) -> Result<i32> {
    let bytes = value.get(..4).and_then(|part| part.try_into().ok()).ok_or(Errno::EINVAL)?;
    Ok(i32::from_le_bytes(bytes))
}

/// An `int` as an option's value.
pub(crate) fn from_int(value: impl TryInto<i32>) -> Vec<u8> {
    value.try_into().unwrap_or(i32::MAX).to_le_bytes().to_vec()
}

impl Options {
    pub fn new(family: u16, kind: Kind, protocol: u32) -> Self {
        Self {
            family,
            kind,
            protocol,
            // Raw sockets are born so in Linux.
            reuse_address: kind == Kind::Raw && family != AF_PACKET,
            reuse_port: false,
            keep_alive: false,
            broadcast: false,
            pass_credentials: false,
            send_buffer: DEFAULT_BUFFER,
            receive_buffer: DEFAULT_BUFFER,
            buffers_chosen: (false, false),
            send_timeout: 0,
            receive_timeout: 0,
            lingers: false,
            linger_time: 0,
            receive_low: 1,
            stamps: Stamps::default(),
            peek_offset: -1,
            device: None,
            pacing: u64::MAX,
            departure: [0; 8],
            kept: Vec::new(),
        }
    }

    /// Those of a TCP socket, whose buffers are tuned.
    pub fn stream(family: u16, protocol: u32) -> Self {
        let new = Self::new(family, Kind::Stream, protocol);
        Self { send_buffer: TCP_SEND_BUFFER, receive_buffer: TCP_RECEIVE_BUFFER, ..new }
    }

    /// SO_SNDBUF, if the program chose it.
    pub fn chosen_send_buffer(&self) -> Option<usize> {
        self.buffers_chosen.0.then_some(self.send_buffer)
    }

    /// SO_RCVBUF, if the program chose it.
    pub fn chosen_receive_buffer(&self) -> Option<usize> {
        self.buffers_chosen.1.then_some(self.receive_buffer)
    }

    /// Whether close(2) resets a connection (socket(7), SO_LINGER with no time).
    pub fn resets(&self) -> bool {
        self.lingers && self.linger_time == 0
    }

    /// IP_TOS was set, which SO_PRIORITY follows (Linux's `rt_tos2priority`).
    pub fn follow_class(&mut self, class: u8) {
        /// Bits of the type of service (RFC 1349) that say so, and what each of its quarters is worth.
        const TYPE: u8 = 0x1e;
        const PRIORITIES: [i32; 4] = [0, 2, 6, 4];
        let priority = PRIORITIES.get(usize::from((class & TYPE) >> 3)).copied().unwrap_or(0);
        // Any value will do.
        let _ = self.keep(SO_PRIORITY, priority);
    }

    /// SO_OOBINLINE.
    pub fn urgent_inline(&self) -> bool {
        self.kept(SO_OOBINLINE) != 0
    }

    /// The value of an option that is only kept.
    pub fn kept(&self, name: u32) -> i32 {
        let set = self.kept.iter().find(|(kept, _)| *kept == name).map(|kept| kept.1);
        let default = || KEPT.iter().find(|option| option.0 == name).map(|option| option.1);
        set.or_else(default).unwrap_or(0)
    }

    /// Whether a socket of this family can have an option at all.
    fn check_family(&self, name: u32) -> Result<()> {
        let internet = matches!(self.family, AF_INET | AF_INET6);
        let good = match name {
            SO_PASSCRED | SO_PASSSEC => matches!(self.family, AF_UNIX | AF_NETLINK),
            SO_ZEROCOPY => internet && self.kind != Kind::Raw,
            SO_PEEK_OFF => self.family == AF_UNIX || internet && self.kind != Kind::Raw,
            SO_REUSEPORT => internet,
            _ => true,
        };
        if good { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
    }

    /// What an accepted socket has from the one that listened.
    pub fn inherit(&mut self, from: &Options) {
        self.keep_alive = from.keep_alive;
        self.reuse_address = from.reuse_address;
        self.reuse_port = from.reuse_port;
        self.send_buffer = from.send_buffer;
        self.receive_buffer = from.receive_buffer;
        self.buffers_chosen = from.buffers_chosen;
        self.send_timeout = from.send_timeout;
        self.receive_timeout = from.receive_timeout;
        (self.lingers, self.linger_time) = (from.lingers, from.linger_time);
        self.receive_low = from.receive_low;
        self.broadcast = from.broadcast;
        self.stamps = from.stamps;
        self.peek_offset = from.peek_offset;
        self.device = from.device;
        self.pacing = from.pacing;
        // The priority is that of each connection.
        self.kept = from.kept.iter().copied().filter(|kept| kept.0 != SO_PRIORITY).collect();
    }

    /// Where a look with MSG_PEEK starts (SO_PEEK_OFF).
    pub fn peek_start(&self) -> usize {
        self.peek_offset.max(0) as usize
    }

    /// So many bytes were looked at, or taken.
    pub fn advance(&mut self, peek: bool, len: usize) {
        let len = i32::try_from(len).unwrap_or(i32::MAX);
        if self.peek_offset >= 0 {
            self.peek_offset = match peek {
                true => self.peek_offset.saturating_add(len),
                false => self.peek_offset.saturating_sub(len).max(0),
            };
        }
    }

    /// setsockopt(2) at SOL_SOCKET.
    ///
    /// # Errors
    /// `ENOPROTOOPT` for unknown and read-only names, `EINVAL`, `EDOM`.
    pub fn set(&mut self, name: u32, value: &[u8]) -> Result<()> {
        match name {
            SO_RCVTIMEO | SO_RCVTIMEO_NEW => self.receive_timeout = timeout(value)?,
            SO_SNDTIMEO | SO_SNDTIMEO_NEW => self.send_timeout = timeout(value)?,
            SO_LINGER => {
                let on = int(value)?;
                let seconds = int(value.get(4..).unwrap_or(&[]))?;
                self.lingers = on != 0;
                // Switched off, it keeps the time.
                self.linger_time = if on != 0 { seconds } else { self.linger_time };
            }
            SO_MAX_PACING_RATE => {
                let rate = value.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
                self.pacing = match (rate, int(value)?) {
                    (Some(rate), _) => rate,
                    (None, -1) => u64::MAX,
                    (None, rate) => u64::from(rate as u32),
                };
            }
            SO_TXTIME => {
                let given: [u8; 8] = value.try_into().map_err(|_| Errno::EINVAL)?;
                let has_clock = TXTIME_CLOCKS.contains(&int(value)?);
                if int(value.get(4..).unwrap_or(&[]))? & !TXTIME_FLAGS != 0 || !has_clock {
                    return Err(Errno::EINVAL);
                }
                self.departure = given;
            }
            SO_REUSEPORT if int(value)? == 0 => self.reuse_port = false,
            _ => self.set_int(name, int(value)?)?,
        }
        Ok(())
    }

    fn set_int(&mut self, name: u32, value: i32) -> Result<()> {
        self.check_family(name)?;
        let on = value != 0;
        match name {
            SO_REUSEADDR => self.reuse_address = on,
            SO_REUSEPORT => self.reuse_port = on,
            SO_KEEPALIVE => self.keep_alive = on,
            SO_BROADCAST => self.broadcast = on,
            SO_PASSCRED => self.pass_credentials = on,
            // socket(7): the kernel doubles the value for its own bookkeeping.
            SO_SNDBUF => (self.send_buffer, self.buffers_chosen.0) = (limited(value, MIN_SEND_BUFFER), true),
            SO_RCVBUF => (self.receive_buffer, self.buffers_chosen.1) = (limited(value, MIN_RECEIVE_BUFFER), true),
            SO_SNDBUFFORCE => (self.send_buffer, self.buffers_chosen.0) = (forced(value, MIN_SEND_BUFFER), true),
            SO_RCVBUFFORCE => {
                (self.receive_buffer, self.buffers_chosen.1) = (forced(value, MIN_RECEIVE_BUFFER), true);
            }
            SO_PEEK_OFF => self.peek_offset = value,
            _ if Stamps::has(name) => self.stamps.set(name, value)?,
            SO_RCVLOWAT => self.receive_low = if value < 0 { i32::MAX as usize } else { value.max(1) as usize },
            // A number alone: whether there is such an interface is seen when something is sent.
            SO_BINDTOIFINDEX if value < 0 => return Err(Errno::EINVAL),
            SO_BINDTOIFINDEX => self.device = Some(value as u32).filter(|index| *index != 0),
            _ => return self.keep(name, value),
        }
        Ok(())
    }

    /// Keeps the value of an option of [`KEPT`].
    fn keep(&mut self, name: u32, value: i32) -> Result<()> {
        let known = KEPT.iter().find(|option| option.0 == name).ok_or(Errno::ENOPROTOOPT)?;
        let value = match known.2 {
            Values::Flag => i32::from(value != 0),
            Values::Boolean if !(0..=1).contains(&value) => return Err(Errno::EINVAL),
            Values::Positive if value < 0 => return Err(Errno::EINVAL),
            _ => value,
        };
        self.kept.retain(|kept| kept.0 != name);
        self.kept.push((name, value));
        Ok(())
    }

    /// getsockopt(2) at SOL_SOCKET.
    ///
    /// # Errors
    /// `ENOPROTOOPT`.
    pub fn get(&self, name: u32) -> Result<Vec<u8>> {
        Ok(match name {
            SO_TYPE => from_int(self.kind as i32),
            SO_DOMAIN => from_int(self.family),
            SO_PROTOCOL => from_int(self.protocol),
            SO_REUSEADDR => from_int(self.reuse_address),
            SO_REUSEPORT => from_int(self.reuse_port),
            SO_KEEPALIVE => from_int(self.keep_alive),
            SO_BROADCAST => from_int(self.broadcast),
            SO_PASSCRED | SO_PASSSEC => {
                self.check_family(name)?;
                from_int(if name == SO_PASSCRED { self.pass_credentials.into() } else { self.kept(name) })
            }
            SO_SNDBUF => from_int(self.send_buffer),
            SO_RCVBUF => from_int(self.receive_buffer),
            SO_RCVLOWAT => from_int(self.receive_low),
            SO_SNDLOWAT => from_int(1),
            _ if Stamps::has(name) => self.stamps.get(name),
            SO_PEEK_OFF => {
                self.check_family(name)?;
                from_int(self.peek_offset)
            }
            SO_BINDTOIFINDEX => from_int(self.device.unwrap_or(0)),
            SO_MAX_PACING_RATE => self.pacing.to_ne_bytes().to_vec(),
            SO_TXTIME => self.departure.to_vec(),
            SO_RCVTIMEO | SO_RCVTIMEO_NEW => from_timeout(self.receive_timeout),
            SO_SNDTIMEO | SO_SNDTIMEO_NEW => from_timeout(self.send_timeout),
            SO_LINGER => {
                // More than can be waited for is for ever, in ticks.
                let time = if self.linger_time < 0 { (i64::MAX / TICKS_PER_S) as i32 } else { self.linger_time };
                [from_int(self.lingers), from_int(time)].concat()
            }
            // What nobody is connected to.
            SO_PEERCRED => Credentials::NONE.encode().to_vec(),
            _ if KEPT.iter().any(|option| option.0 == name) => from_int(self.kept(name)),
            _ => return Err(Errno::ENOPROTOOPT),
        })
    }
}

/// What of an option's value is stored where there is room for so many bytes, as Linux cuts each.
///
/// # Errors
/// `EINVAL` where the value does not fit and is not cut, or must be exact.
pub fn fit_option(level: u32, name: u32, mut value: Vec<u8>, room: usize) -> Result<Vec<u8>> {
    /// IFNAMSIZ of linux/if.h.
    const NAME_ROOM: usize = 16;
    let room = match (level, name) {
        (SOL_SOCKET, SO_BINDTODEVICE) if !value.is_empty() && room < NAME_ROOM => return Err(Errno::EINVAL),
        (SOL_SOCKET, SO_PEERNAME) if value.len() < room => return Err(Errno::EINVAL),
        (SOL_SOCKET, SO_MAX_PACING_RATE) if room < value.len() => {
            let rate = value.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
            value = u32::try_from(rate).unwrap_or(u32::MAX).to_ne_bytes().to_vec();
            room
        }
        // A small number fits a byte, whatever more there is room for (ip(7)).
        (SOL_IP, _)
            if (1..4).contains(&room) && is_number(name) && int(&value).is_ok_and(|n| (0..256).contains(&n)) =>
        {
            1
        }
        _ => room,
    };
    value.truncate(room);
    Ok(value)
}

/// Whether an option of SOL_IP is a number, not an address or a structure.
fn is_number(name: u32) -> bool {
    !matches!(name, IP_MULTICAST_IF | IP_OPTIONS | IP_MSFILTER | MCAST_MSFILTER | IP_PKTOPTIONS)
}

/// A size that the system limits, doubled. A negative one counts as huge, as in Linux.
fn limited(value: i32, min: usize) -> usize {
    let value = usize::try_from(value).unwrap_or(MAX_BUFFER).min(MAX_BUFFER);
    (value * 2).max(min)
}

/// A size that only the type of the value limits, doubled. A negative one counts as none.
fn forced(value: i32, min: usize) -> usize {
    let value = usize::try_from(value).unwrap_or(0).min(i32::MAX as usize / 2);
    (value * 2).max(min)
}

/// A `struct timeval` in nanoseconds.
fn timeout(value: &[u8]) -> Result<u64> {
    let word = |at: usize| -> Result<i64> {
        let bytes = value.get(at..at + 8).and_then(|part| part.try_into().ok()).ok_or(Errno::EINVAL)?;
        Ok(i64::from_le_bytes(bytes))
    };
    let (seconds, micros) = (word(0)?, word(8)?);
    if !(0..1_000_000).contains(&micros) {
        return Err(Errno::EDOM);
    }
    if seconds < 0 {
        // Over before it begins, while 0 means for ever.
        return Ok(1);
    }
    // Counted in ticks.
    let part = (micros as u64 * 1000).next_multiple_of(NS_PER_S / TICKS_PER_S as u64);
    Ok((seconds as u64).saturating_mul(NS_PER_S).saturating_add(part))
}

fn from_timeout(ns: u64) -> Vec<u8> {
    let mut out = (ns / NS_PER_S).to_le_bytes().to_vec();
    out.extend_from_slice(&(ns % NS_PER_S / 1000).to_le_bytes());
    out
}
