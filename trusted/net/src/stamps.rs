//! When something came or went: SO_TIMESTAMP, SO_TIMESTAMPNS and SO_TIMESTAMPING (Documentation/networking/timestamping.rst of
//! Linux). Stamps are software's; cards have none, nor has what TCP sends.

use crate::options::from_int;
use crate::socket::Control;
use alloc::vec::Vec;
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};

const NS_PER_S: u64 = 1_000_000_000;
/// SOF_TIMESTAMPING_* of linux/net_tstamp.h.
const TX_SOFTWARE: i32 = 1 << 1;
const RX_SOFTWARE: i32 = 1 << 3;
const SOFTWARE: i32 = 1 << 4;
const OPT_ID: i32 = 1 << 7;
const TX_SCHED: i32 = 1 << 8;
const OPT_TSONLY: i32 = 1 << 11;
const OPT_STATS: i32 = 1 << 12;
const OPT_ID_TCP: i32 = 1 << 16;
const KNOWN: i32 = (1 << 19) - 1;
/// Bytes of `struct so_timestamping` and of the three stamps of `struct scm_timestamping`.
const VALUE_LEN: usize = 8;
const STAMPS_LEN: usize = 48;

/// SCM_TSTAMP_*: it left, and it was about to.
const LEFT: u32 = 0;
const QUEUED: u32 = 1;

/// What is to be told of a datagram that is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    /// The moments, of SCM_TSTAMP_*.
    moments: [Option<u32>; 2],
    /// Its number, from the option on.
    pub number: u32,
    /// Without the packet.
    pub alone: bool,
}

impl Departure {
    /// The moments, as they pass.
    pub fn moments(&self) -> impl Iterator<Item = u32> {
        self.moments.into_iter().flatten()
    }
}

/// What a receiver wants to know.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stamps {
    /// SO_TIMESTAMP or SO_TIMESTAMPNS: the name by which it was set; 0: none.
    plain: u32,
    /// SO_TIMESTAMPING: the name by which it was set, and the flags.
    detailed: (u32, i32),
    /// Datagrams sent since they are numbered (SOF_TIMESTAMPING_OPT_ID).
    sent: u32,
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
        if value & OPT_ID != 0 && self.detailed.1 & OPT_ID == 0 {
            self.sent = 0;
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

    /// A datagram is sent: what is to be told of it, if anything.
    pub fn departure(&mut self) -> Option<Departure> {
        let flags = self.detailed.1;
        let moment = |flag: i32, which: u32| (flags & flag != 0).then_some(which);
        let moments = [moment(TX_SCHED, QUEUED), moment(TX_SOFTWARE, LEFT)];
        moments.iter().flatten().next()?;
        let number = if flags & OPT_ID != 0 { self.sent } else { 0 };
        self.sent = self.sent.wrapping_add(u32::from(flags & OPT_ID != 0));
        Some(Departure { moments, number, alone: flags & OPT_TSONLY != 0 })
    }

    /// What is told of what was sent at this time.
    pub fn sent(&self, at: u64) -> Option<Control> {
        (self.detailed.1 & SOFTWARE != 0).then(|| self.detail(at))
    }

    fn detail(&self, at: u64) -> Control {
        // The stamp of software; the one that is no more; the card's.
        let mut data: Vec<u8> = [at / NS_PER_S, at % NS_PER_S].iter().flat_map(|word| word.to_ne_bytes()).collect();
        data.resize(STAMPS_LEN, 0);
        Control { level: SOL_SOCKET, kind: self.detailed.0, data }
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
        let flags = self.detailed.1;
        if at != 0 && flags & SOFTWARE != 0 && flags & RX_SOFTWARE != 0 {
            out.push(self.detail(at));
        }
        out
    }
}
