//! When something came: SO_TIMESTAMP, SO_TIMESTAMPNS and SO_TIMESTAMPING (Documentation/networking/timestamping.rst of
//! Linux). Stamps are software's; cards and what was sent have none.

use crate::options::from_int;
use crate::socket::Control;
use alloc::vec::Vec;
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};

const NS_PER_S: u64 = 1_000_000_000;
/// SOF_TIMESTAMPING_* of linux/net_tstamp.h.
const RX_SOFTWARE: i32 = 1 << 3;
const SOFTWARE: i32 = 1 << 4;
const OPT_ID: i32 = 1 << 7;
const OPT_TSONLY: i32 = 1 << 11;
const OPT_STATS: i32 = 1 << 12;
const OPT_ID_TCP: i32 = 1 << 16;
const KNOWN: i32 = (1 << 19) - 1;
/// Bytes of `struct so_timestamping` and of the three stamps of `struct scm_timestamping`.
const VALUE_LEN: usize = 8;
const STAMPS_LEN: usize = 48;

/// What a receiver wants to know.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stamps {
    /// SO_TIMESTAMP or SO_TIMESTAMPNS: the name by which it was set; 0: none.
    plain: u32,
    /// SO_TIMESTAMPING: the name by which it was set, and the flags.
    detailed: (u32, i32),
}

impl Stamps {
    /// Whether an option is one of those here.
    pub fn has(name: u32) -> bool {
        matches!(
            name,
            SO_TIMESTAMP
                | SO_TIMESTAMP_NEW
                | SO_TIMESTAMPNS
                | SO_TIMESTAMPNS_NEW
                | SO_TIMESTAMPING
                | SO_TIMESTAMPING_NEW
        )
    }

    /// Whether arrivals are to be stamped.
    pub fn wanted(&self) -> bool {
        self.plain != 0 || self.detailed.1 & RX_SOFTWARE != 0
    }

    /// setsockopt(2).
    ///
    /// # Errors
    /// `EINVAL` for flags that there are not, or that want others.
    pub fn set(&mut self, name: u32, value: i32) -> Result<()> {
        if !matches!(name, SO_TIMESTAMPING | SO_TIMESTAMPING_NEW) {
            self.plain = if value != 0 { name } else { 0 };
            return Ok(());
        }
        let lacks = |flag: i32, other: i32| value & flag != 0 && value & other == 0;
        if value & !KNOWN != 0 || lacks(OPT_ID_TCP, OPT_ID) || lacks(OPT_STATS, OPT_TSONLY) {
            return Err(Errno::EINVAL);
        }
        self.detailed = (name, value);
        Ok(())
    }

    /// getsockopt(2).
    pub fn get(&self, name: u32) -> Vec<u8> {
        if !matches!(name, SO_TIMESTAMPING | SO_TIMESTAMPING_NEW) {
            return from_int(self.plain == name);
        }
        let mut value = from_int(self.detailed.1);
        value.resize(VALUE_LEN, 0);
        value
    }

    /// What a receiver is told of what came at this time, in nanoseconds since 1970; 0: it was not stamped.
    pub fn controls(&self, at: u64) -> Vec<Control> {
        let mut out = Vec::new();
        if self.plain != 0 {
            // Who asks after it came is told the time of now (`__sock_recv_timestamp`).
            let at = if at == 0 { rkt_platform::wall() } else { at };
            let micros = matches!(self.plain, SO_TIMESTAMP | SO_TIMESTAMP_NEW);
            let data = [at / NS_PER_S, at % NS_PER_S / if micros { 1000 } else { 1 }];
            let data = data.iter().flat_map(|word| word.to_ne_bytes()).collect();
            out.push(Control { level: SOL_SOCKET, kind: self.plain, data });
        }
        let (name, flags) = self.detailed;
        if at != 0 && flags & SOFTWARE != 0 && flags & RX_SOFTWARE != 0 {
            // The stamp of software; the one that is no more; the card's.
            let mut data: Vec<u8> = [at / NS_PER_S, at % NS_PER_S].iter().flat_map(|word| word.to_ne_bytes()).collect();
            data.resize(STAMPS_LEN, 0);
            out.push(Control { level: SOL_SOCKET, kind: name, data });
        }
        out
    }
}
