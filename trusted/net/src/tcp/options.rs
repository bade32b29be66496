//! Options of the TCP and IP levels (tcp(7), ip(7)).

use crate::ip_options::IpOptions;
use crate::options::{Kind, Options, from_int, int};
use crate::stack::Manner;
use alloc::vec::Vec;
use core::net::IpAddr;
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};
use rkt_tcp::{Algorithm, BufferSize, Config, KeepAlive, Setting};

const SECOND: u64 = 1_000_000_000;
/// TCP_MAXSEG of a fresh socket: RFC 9293 §3.7.1.
const DEFAULT_MSS: u16 = 536;
/// Smallest and largest TCP_MAXSEG that is taken (TCP_MIN_MSS, MAX_TCP_WINDOW of Linux).
const MSS_RANGE: core::ops::RangeInclusive<i32> = 88..=32_767;
/// Bytes that TCP_CONGESTION reads as: TCP_CA_NAME_MAX.
const NAME_LEN: usize = 16;
/// Highest number of retransmissions of SYN (MAX_TCP_SYNCNT).
const MAX_SYN_COUNT: i32 = 127;
/// Longest time in FIN-WAIT-2 that can be set, in seconds (TCP_FIN_TIMEOUT_MAX).
const MAX_LINGER: i32 = 120;
/// And where nothing is set (net.ipv4.tcp_fin_timeout).
const LINGER: i32 = 60;
/// Least TCP_WINDOW_CLAMP: half of SOCK_MIN_RCVBUF.
const MIN_WINDOW_CLAMP: i32 = 1152;

/// The values.
#[derive(Clone)]
pub(super) struct TcpOptions {
    no_delay: bool,
    cork: bool,
    /// Seconds.
    keep_idle: u32,
    keep_interval: u32,
    keep_count: u8,
    /// Milliseconds; 0: the system's.
    user_timeout: u32,
    quick_ack: bool,
    /// Seconds; 0: off.
    defer_accept: u32,
    fast_open: i32,
    /// TCP_FASTOPEN_CONNECT and TCP_FASTOPEN_NO_COOKIE.
    fast_connect: bool,
    no_cookie: bool,
    syn_count: u8,
    /// Seconds in FIN-WAIT-2; negative: none.
    linger: i32,
    /// TCP_MAXSEG, if it was set.
    segment: Option<u16>,
    congestion: Algorithm,
    /// TCP_WINDOW_CLAMP, kept for who reads it back.
    window_clamp: i32,
    notsent_low: u32,
    /// TCP_INQ: who receives is told what is left.
    pub tell_left: bool,
    /// TCP_THIN_LINEAR_TIMEOUTS, kept for who reads it back: all connections back off alike.
    thin: bool,
    ip: IpOptions,
}

impl TcpOptions {
    /// Those of a fresh socket.
    pub fn new(v6: bool) -> Self {
        Self {
            no_delay: false,
            cork: false,
            keep_idle: 7200,
            keep_interval: 75,
            keep_count: 9,
            user_timeout: 0,
            quick_ack: true,
            defer_accept: 0,
            fast_open: 0,
            fast_connect: false,
            no_cookie: false,
            syn_count: 6,
            linger: LINGER,
            segment: None,
            congestion: Algorithm::Cubic,
            window_clamp: 0,
            notsent_low: 0,
            tell_left: false,
            thin: false,
            ip: IpOptions::new(Kind::Stream, v6),
        }
    }
}

/// How long SYN+ACKs are sent again, in seconds, the time of each but the first twice the one before, until it is
/// `seconds` (TCP_DEFER_ACCEPT counts them).
fn rounded(seconds: i32) -> u32 {
    const MOST: u32 = 120;
    let Some(wanted) = u32::try_from(seconds).ok().filter(|seconds| *seconds > 0) else { return 0 };
    let (mut period, mut timeout) = (1u32, 1u32);
    for _ in 1..u8::MAX {
        if wanted <= period {
            break;
        }
        timeout = (timeout * 2).min(MOST);
        period += timeout;
    }
    period
}

/// A value within the limits.
fn within(value: i32, limits: core::ops::RangeInclusive<i32>) -> Result<i32> {
    if limits.contains(&value) { Ok(value) } else { Err(Errno::EINVAL) }
}

/// What TCP_CONGESTION calls an algorithm.
fn name_of(algorithm: Algorithm) -> &'static [u8] {
    match algorithm {
        Algorithm::Reno => b"reno",
        Algorithm::Cubic => b"cubic",
    }
}

impl TcpOptions {
    /// The keep-alive times, if SO_KEEPALIVE is set.
    fn keepalive(&self, on: bool) -> Option<KeepAlive> {
        let times = KeepAlive {
            idle: u64::from(self.keep_idle) * SECOND,
            interval: u64::from(self.keep_interval) * SECOND,
            count: self.keep_count,
        };
        on.then_some(times)
    }

    fn user_timeout(&self) -> Option<u64> {
        (self.user_timeout != 0).then(|| u64::from(self.user_timeout) * 1_000_000)
    }

    /// TCP_DEFER_ACCEPT in nanoseconds.
    pub fn defer(&self) -> Option<u64> {
        (self.defer_accept != 0).then(|| u64::from(self.defer_accept) * SECOND)
    }

    /// TCP_QUICKACK.
    pub fn quick_ack(&self) -> bool {
        self.quick_ack
    }

    /// IP_TOS.
    pub fn class(&self) -> u8 {
        self.ip.number(SOL_IP, IP_TOS) as u8
    }

    /// Whether any address may be bound to.
    pub fn binds_freely(&self) -> bool {
        self.ip.binds_freely()
    }

    /// How segments to `to` leave.
    pub fn manner(&self, to: IpAddr) -> Manner {
        let manner = self.ip.manner(to);
        Manner { interface: self.ip.outlet(to.is_ipv4()), ..manner }
    }

    /// What a connection starts with.
    pub fn config(&self, options: &Options) -> Config {
        let defaults = Config::default();
        let buffer = |chosen: Option<usize>, default: BufferSize| match chosen {
            Some(size) => BufferSize { initial: size as u32, max: size as u32 },
            None => default,
        };
        Config {
            mss: self.segment.unwrap_or(u16::MAX),
            receive_buffer: buffer(options.chosen_receive_buffer(), defaults.receive_buffer),
            send_buffer: buffer(options.chosen_send_buffer(), defaults.send_buffer),
            congestion: self.congestion,
            nodelay: self.no_delay,
            cork: self.cork,
            keepalive: self.keepalive(options.keep_alive),
            user_timeout: self.user_timeout(),
            syn_retries: self.syn_count,
            fin_timeout: u64::from(self.linger.max(0) as u32) * SECOND,
            urgent_inline: options.urgent_inline(),
            ..defaults
        }
    }

    /// What changes in a connection when an option is set.
    pub fn setting(&self, options: &Options, level: u32, name: u32) -> Option<Setting> {
        Some(match (level, name) {
            (SOL_TCP, TCP_NODELAY) => Setting::NoDelay(self.no_delay),
            (SOL_TCP, TCP_CORK) => Setting::Cork(self.cork),
            (SOL_TCP, TCP_KEEPIDLE | TCP_KEEPINTVL | TCP_KEEPCNT) | (SOL_SOCKET, SO_KEEPALIVE) => {
                Setting::KeepAlive(self.keepalive(options.keep_alive))
            }
            (SOL_TCP, TCP_USER_TIMEOUT) => Setting::UserTimeout(self.user_timeout()),
            (SOL_TCP, TCP_QUICKACK) => Setting::QuickAck(self.quick_ack),
            (SOL_TCP, TCP_SYNCNT) => Setting::SynRetries(self.syn_count),
            (SOL_TCP, TCP_LINGER2) => Setting::FinTimeout(u64::from(self.linger.max(0) as u32) * SECOND),
            (SOL_TCP, TCP_CONGESTION) => Setting::Congestion(self.congestion),
            (SOL_SOCKET, SO_OOBINLINE) => Setting::UrgentInline(options.urgent_inline()),
            (SOL_SOCKET, SO_RCVBUF | SO_RCVBUFFORCE) => Setting::ReceiveBuffer(options.receive_buffer as u32),
            (SOL_SOCKET, SO_SNDBUF | SO_SNDBUFFORCE) => Setting::SendBuffer(options.send_buffer as u32),
            _ => return None,
        })
    }

    /// setsockopt(2) at SOL_TCP, SOL_IP and SOL_IPV6.
    ///
    /// # Errors
    /// `ENOPROTOOPT`, `EINVAL`, `ENOENT` for an unknown TCP_CONGESTION.
    pub fn set(&mut self, level: u32, name: u32, value: &[u8], interfaces: &[u32]) -> Result<()> {
        if level != SOL_TCP {
            return self.ip.set(level, name, value, interfaces);
        }
        if name == TCP_CONGESTION {
            if value.is_empty() {
                return Err(Errno::EINVAL);
            }
            let text = value.split(|&byte| byte == 0).next().unwrap_or(&[]);
            let known = [Algorithm::Reno, Algorithm::Cubic];
            self.congestion = known.into_iter().find(|&known| name_of(known) == text).ok_or(Errno::ENOENT)?;
            return Ok(());
        }
        let value = int(value)?;
        match name {
            TCP_NODELAY => self.no_delay = value != 0,
            TCP_CORK => self.cork = value != 0,
            TCP_KEEPIDLE => self.keep_idle = within(value, 1..=32_767)? as u32,
            TCP_KEEPINTVL => self.keep_interval = within(value, 1..=32_767)? as u32,
            TCP_KEEPCNT => self.keep_count = within(value, 1..=127)? as u8,
            TCP_USER_TIMEOUT => self.user_timeout = within(value, 0..=i32::MAX)? as u32,
            TCP_QUICKACK => self.quick_ack = value != 0,
            TCP_DEFER_ACCEPT => self.defer_accept = rounded(value),
            TCP_FASTOPEN => self.fast_open = within(value, 0..=i32::MAX)?,
            TCP_FASTOPEN_CONNECT => self.fast_connect = within(value, 0..=1)? != 0,
            TCP_FASTOPEN_NO_COOKIE => self.no_cookie = within(value, 0..=1)? != 0,
            TCP_SYNCNT => self.syn_count = within(value, 1..=MAX_SYN_COUNT)? as u8,
            TCP_LINGER2 if value < 0 => self.linger = -1,
            // 0 stands for the system's.
            TCP_LINGER2 if value == 0 => self.linger = LINGER,
            TCP_LINGER2 => self.linger = value.min(MAX_LINGER),
            TCP_MAXSEG if value == 0 => self.segment = None,
            TCP_MAXSEG => self.segment = Some(within(value, MSS_RANGE)? as u16),
            TCP_WINDOW_CLAMP if value == 0 => self.window_clamp = 0,
            TCP_WINDOW_CLAMP => self.window_clamp = value.max(MIN_WINDOW_CLAMP),
            TCP_NOTSENT_LOWAT => self.notsent_low = value as u32,
            TCP_INQ => self.tell_left = within(value, 0..=1)? != 0,
            TCP_THIN_LINEAR_TIMEOUTS => self.thin = within(value, 0..=1)? != 0,
            // Of earlier kernels, and without a meaning since.
            TCP_THIN_DUPACK => within(value, 0..=1).map(drop)?,
            // Connections are not put together by hand.
            TCP_REPAIR | TCP_REPAIR_QUEUE => return Err(Errno::EPERM),
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    /// getsockopt(2) at SOL_TCP, SOL_IP and SOL_IPV6. `mss` is the connection's, if there is one.
    ///
    /// # Errors
    /// `ENOPROTOOPT`.
    pub fn get(&self, level: u32, name: u32, mss: Option<u32>) -> Result<Vec<u8>> {
        if level != SOL_TCP {
            return self.ip.get(level, name);
        }
        Ok(match name {
            TCP_NODELAY => from_int(self.no_delay),
            TCP_CORK => from_int(self.cork),
            TCP_MAXSEG => from_int(mss.unwrap_or(self.segment.unwrap_or(DEFAULT_MSS).into())),
            TCP_KEEPIDLE => from_int(self.keep_idle),
            TCP_KEEPINTVL => from_int(self.keep_interval),
            TCP_KEEPCNT => from_int(self.keep_count),
            TCP_USER_TIMEOUT => from_int(self.user_timeout),
            TCP_QUICKACK => from_int(self.quick_ack),
            TCP_DEFER_ACCEPT => from_int(self.defer_accept),
            TCP_FASTOPEN => from_int(self.fast_open),
            TCP_FASTOPEN_CONNECT => from_int(self.fast_connect),
            TCP_FASTOPEN_NO_COOKIE => from_int(self.no_cookie),
            TCP_SYNCNT => from_int(self.syn_count),
            TCP_LINGER2 => from_int(self.linger),
            TCP_WINDOW_CLAMP => from_int(self.window_clamp),
            TCP_INQ => from_int(self.tell_left),
            TCP_THIN_LINEAR_TIMEOUTS => from_int(self.thin),
            TCP_THIN_DUPACK | TCP_REPAIR => from_int(0),
            TCP_REPAIR_QUEUE => return Err(Errno::EINVAL),
            TCP_NOTSENT_LOWAT => self.notsent_low.to_le_bytes().to_vec(),
            TCP_CONGESTION => {
                let mut name = name_of(self.congestion).to_vec();
                name.resize(NAME_LEN, 0);
                name
            }
            _ => return Err(Errno::ENOPROTOOPT),
        })
    }
}
