//! Options of the IP level (ip(7), ipv6(7)), the same for TCP and UDP.

use crate::options::{from_int, int};
use alloc::vec::Vec;
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};

/// Options that are kept for who reads them back, with their defaults and limits. What they ask of
/// the packets is what they get (no fragments, no fixed source port), or a hint to routers.
const KEPT: [(u32, u32, i32, core::ops::RangeInclusive<i32>); 10] = [
    (SOL_IP, IP_TOS, 0, 0..=255),
    (SOL_IP, IP_TTL, 64, -1..=255),
    (SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT as i32, 0..=5),
    (SOL_IP, IP_RECVERR, 0, i32::MIN..=i32::MAX),
    (SOL_IP, IP_BIND_ADDRESS_NO_PORT, 0, i32::MIN..=i32::MAX),
    (SOL_IPV6, IPV6_TCLASS, 0, -1..=255),
    (SOL_IPV6, IPV6_UNICAST_HOPS, 64, -1..=255),
    (SOL_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_WANT as i32, 0..=5),
    (SOL_IPV6, IPV6_RECVERR, 0, i32::MIN..=i32::MAX),
    (SOL_IPV6, IPV6_AUTOFLOWLABEL, 1, i32::MIN..=i32::MAX),
];

/// The values that differ from the defaults.
#[derive(Clone, Default)]
pub(crate) struct IpOptions {
    values: Vec<(u32, u32, i32)>,
}

impl IpOptions {
    /// setsockopt(2) at SOL_IP and SOL_IPV6.
    ///
    /// # Errors
    /// `ENOPROTOOPT`, `EINVAL`.
    pub fn set(&mut self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        // ip(7): a byte will do.
        let value = match value {
            [byte] => i32::from(*byte),
            _ => int(value)?,
        };
        let known = KEPT.iter().find(|option| (option.0, option.1) == (level, name)).ok_or(Errno::ENOPROTOOPT)?;
        if !known.3.contains(&value) {
            return Err(Errno::EINVAL);
        }
        // -1 stands for the default.
        let value = if value == -1 { known.2 } else { value };
        self.values.retain(|kept| (kept.0, kept.1) != (level, name));
        self.values.push((level, name, value));
        Ok(())
    }

    /// getsockopt(2) at SOL_IP and SOL_IPV6.
    ///
    /// # Errors
    /// `ENOPROTOOPT`.
    pub fn get(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        let known = KEPT.iter().find(|option| (option.0, option.1) == (level, name)).ok_or(Errno::ENOPROTOOPT)?;
        let kept = self.values.iter().find(|kept| (kept.0, kept.1) == (level, name));
        Ok(from_int(kept.map_or(known.2, |kept| kept.2)))
    }
}
