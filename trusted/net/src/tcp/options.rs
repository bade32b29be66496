//! Options of the TCP and IP levels (tcp(7), ip(7)).

use crate::ip_options::IpOptions;
use crate::options::{from_int, int};
use crate::stack::{Phase, Status};
use alloc::vec;
use alloc::vec::Vec;
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};

/// tcp_keepalive_time in seconds.
const KEEP_IDLE: u32 = 7200;
/// Bytes of `struct tcp_info` in Linux 6.1.
const TCP_INFO_LEN: usize = 240;
/// TCP_MAXSEG of a fresh socket: RFC 9293 §3.7.1.
const DEFAULT_MSS: i32 = 536;

/// The values.
#[derive(Clone)]
pub(super) struct TcpOptions {
    pub no_delay: bool,
    pub cork: bool,
    /// Seconds.
    pub keep_idle: u32,
    keep_interval: i32,
    keep_count: i32,
    user_timeout: i32,
    quick_ack: bool,
    defer_accept: i32,
    fast_open: i32,
    ip: IpOptions,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            no_delay: false,
            cork: false,
            keep_idle: KEEP_IDLE,
            keep_interval: 75,
            keep_count: 9,
            user_timeout: 0,
            quick_ack: true,
            defer_accept: 0,
            fast_open: 0,
            ip: IpOptions::default(),
        }
    }
}

impl TcpOptions {
    /// Seconds without a word after which the peer counts as dead, once it is asked for signs of life.
    pub fn dead_after(&self) -> u32 {
        self.keep_idle.saturating_add((self.keep_interval * self.keep_count).max(0) as u32)
    }
}

/// A value within the limits.
fn within(value: i32, limits: core::ops::RangeInclusive<i32>) -> Result<i32> {
    if limits.contains(&value) { Ok(value) } else { Err(Errno::EINVAL) }
}

impl TcpOptions {
    /// setsockopt(2) at SOL_TCP, SOL_IP and SOL_IPV6.
    ///
    /// # Errors
    /// `ENOPROTOOPT`, `EINVAL`.
    pub fn set(&mut self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        if level != SOL_TCP {
            return self.ip.set(level, name, value);
        }
        if name == TCP_CONGESTION {
            // The algorithm is chosen by where the peer is.
            return Err(Errno::ENOENT);
        }
        let value = int(value)?;
        match name {
            TCP_NODELAY => self.no_delay = value != 0,
            TCP_CORK => self.cork = value != 0,
            TCP_KEEPIDLE => self.keep_idle = within(value, 1..=32767)? as u32,
            TCP_KEEPINTVL => self.keep_interval = within(value, 1..=32767)?,
            TCP_KEEPCNT => self.keep_count = within(value, 1..=127)?,
            TCP_USER_TIMEOUT => self.user_timeout = within(value, 0..=i32::MAX)?,
            TCP_QUICKACK => self.quick_ack = value != 0,
            TCP_DEFER_ACCEPT => self.defer_accept = value.max(0),
            TCP_FASTOPEN => self.fast_open = within(value, 0..=i32::MAX)?,
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    /// getsockopt(2) at SOL_TCP, SOL_IP and SOL_IPV6.
    ///
    /// # Errors
    /// `ENOPROTOOPT`.
    pub fn get(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        if level != SOL_TCP {
            return self.ip.get(level, name);
        }
        Ok(match name {
            TCP_NODELAY => from_int(self.no_delay),
            TCP_CORK => from_int(self.cork),
            TCP_MAXSEG => from_int(DEFAULT_MSS),
            TCP_KEEPIDLE => from_int(self.keep_idle),
            TCP_KEEPINTVL => from_int(self.keep_interval),
            TCP_KEEPCNT => from_int(self.keep_count),
            TCP_USER_TIMEOUT => from_int(self.user_timeout),
            TCP_QUICKACK => from_int(self.quick_ack),
            TCP_DEFER_ACCEPT => from_int(self.defer_accept),
            TCP_FASTOPEN => from_int(self.fast_open),
            TCP_CONGESTION => b"reno\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
            _ => return Err(Errno::ENOPROTOOPT),
        })
    }
}

/// `struct tcp_info`: the state and what is under way; what is not measured is zero.
pub(super) fn tcp_info(status: Option<Status>, listening: bool) -> Vec<u8> {
    // Numbers of the states: include/net/tcp_states.h.
    let state = match status {
        _ if listening => 10,
        None => 7,
        Some(status) => match (status.phase, status.finished) {
            (Phase::Connecting, _) => 2,
            (Phase::Open, false) => 1,
            (Phase::Open, true) => 8,
            (Phase::Closed, _) => 7,
        },
    };
    let mut info = vec![0; TCP_INFO_LEN];
    if let Some(first) = info.first_mut() {
        *first = state;
    }
    info
}
