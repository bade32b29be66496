//! Options of the socket level (socket(7)), the same for all families.

use crate::socket::Control;
use alloc::string::String;
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
    /// SO_LINGER in seconds.
    pub linger: Option<u32>,
    pub receive_low: usize,
    /// SO_TIMESTAMP and SO_TIMESTAMPNS: the name by which it was set; 0: none.
    pub timestamps: u32,
    /// SO_BINDTODEVICE: index and name of the interface.
    pub device: Option<(u32, String)>,
    /// Options without an effect on what is sent here, kept for who reads them back.
    hints: Vec<(u32, u32)>,
}

/// Options that are hints to queueing disciplines and drivers, or of tracing.
const HINTS: [u32; 8] =
    [SO_PRIORITY, SO_DONTROUTE, SO_OOBINLINE, SO_BUSY_POLL, SO_INCOMING_CPU, SO_ZEROCOPY, SO_MARK, SO_DEBUG];

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
            reuse_address: false,
            reuse_port: false,
            keep_alive: false,
            broadcast: false,
            pass_credentials: false,
            send_buffer: DEFAULT_BUFFER,
            receive_buffer: DEFAULT_BUFFER,
            buffers_chosen: (false, false),
            send_timeout: 0,
            receive_timeout: 0,
            linger: None,
            receive_low: 1,
            timestamps: 0,
            device: None,
            hints: Vec::new(),
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

    /// SO_OOBINLINE.
    pub fn urgent_inline(&self) -> bool {
        self.hints.iter().any(|&(hint, value)| hint == SO_OOBINLINE && value != 0)
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
        self.linger = from.linger;
        self.receive_low = from.receive_low;
    }

    /// What a receiver is told of when something came, in nanoseconds since 1970.
    pub fn timestamp(&self, at: u64) -> Option<Control> {
        let fraction = match self.timestamps {
            0 => return None,
            SO_TIMESTAMPNS | SO_TIMESTAMPNS_NEW => at % NS_PER_S,
            _ => at % NS_PER_S / 1000,
        };
        let data = [(at / NS_PER_S).to_ne_bytes(), fraction.to_ne_bytes()].concat();
        Some(Control { level: SOL_SOCKET, kind: self.timestamps, data })
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
                self.linger = (on != 0).then_some(seconds.max(0) as u32);
            }
            _ => self.set_int(name, int(value)?)?,
        }
        Ok(())
    }

    fn set_int(&mut self, name: u32, value: i32) -> Result<()> {
        let on = value != 0;
        match name {
            SO_REUSEADDR => self.reuse_address = on,
            SO_REUSEPORT => self.reuse_port = on,
            SO_KEEPALIVE => self.keep_alive = on,
            SO_BROADCAST => self.broadcast = on,
            SO_PASSCRED => self.pass_credentials = on,
            // socket(7): the kernel doubles the value for its own bookkeeping.
            SO_SNDBUF | SO_SNDBUFFORCE => {
                (self.send_buffer, self.buffers_chosen.0) = (doubled(value, MIN_SEND_BUFFER), true);
            }
            SO_RCVBUF | SO_RCVBUFFORCE => {
                (self.receive_buffer, self.buffers_chosen.1) = (doubled(value, MIN_RECEIVE_BUFFER), true);
            }
            SO_TIMESTAMP | SO_TIMESTAMPNS | SO_TIMESTAMP_NEW | SO_TIMESTAMPNS_NEW => {
                self.timestamps = if on { name } else { 0 };
            }
            SO_RCVLOWAT => self.receive_low = if value < 0 { i32::MAX as usize } else { value.max(1) as usize },
            _ if HINTS.contains(&name) => match self.hints.iter_mut().find(|(hint, _)| *hint == name) {
                Some(hint) => hint.1 = value as u32,
                None => self.hints.push((name, value as u32)),
            },
            _ => return Err(Errno::ENOPROTOOPT),
        }
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
            SO_PASSCRED => from_int(self.pass_credentials),
            SO_SNDBUF => from_int(self.send_buffer),
            SO_RCVBUF => from_int(self.receive_buffer),
            SO_RCVLOWAT => from_int(self.receive_low),
            SO_SNDLOWAT => from_int(1),
            SO_TIMESTAMP | SO_TIMESTAMPNS | SO_TIMESTAMP_NEW | SO_TIMESTAMPNS_NEW => from_int(self.timestamps == name),
            SO_BINDTOIFINDEX => from_int(self.device.as_ref().map_or(0, |(index, _)| *index)),
            SO_BINDTODEVICE => match &self.device {
                // The name and its NUL.
                Some((_, name)) => [name.as_bytes(), &[0]].concat(),
                None => Vec::new(),
            },
            SO_RCVTIMEO | SO_RCVTIMEO_NEW => from_timeout(self.receive_timeout),
            SO_SNDTIMEO | SO_SNDTIMEO_NEW => from_timeout(self.send_timeout),
            SO_LINGER => {
                let mut out = from_int(self.linger.is_some());
                out.extend_from_slice(&from_int(self.linger.unwrap_or(0)));
                out
            }
            _ if HINTS.contains(&name) => {
                let hint = self.hints.iter().find(|(hint, _)| *hint == name);
                hint.map_or(0, |hint| hint.1).to_le_bytes().to_vec()
            }
            _ => return Err(Errno::ENOPROTOOPT),
        })
    }
}

fn doubled(value: i32, min: usize) -> usize {
    // A negative value counts as huge, as in Linux.
    let value = if value < 0 { MAX_BUFFER } else { (value as usize).min(MAX_BUFFER) };
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
    Ok((seconds as u64).saturating_mul(NS_PER_S).saturating_add(micros as u64 * 1000))
}

fn from_timeout(ns: u64) -> Vec<u8> {
    let mut out = (ns / NS_PER_S).to_le_bytes().to_vec();
    out.extend_from_slice(&(ns % NS_PER_S / 1000).to_le_bytes());
    out
}
