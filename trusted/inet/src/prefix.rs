//! Prefixes of addresses of both versions.

use core::fmt;
use core::net::IpAddr;

/// An address and how many of its bits count; the others are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: IpAddr,
    len: u8,
}

impl Prefix {
    /// The prefix of `len` bits of `address`. More bits than it has count as all.
    pub fn new(address: IpAddr, len: u8) -> Self {
        let len = len.min(width(address));
        Self { address: mask(address, len), len }
    }

    /// All addresses of the version of `like`.
    pub fn default_of(like: IpAddr) -> Self {
        Self::new(like, 0)
    }

    /// One address alone.
    pub fn host(address: IpAddr) -> Self {
        Self { address, len: width(address) }
    }

    /// The address, bits that do not count cleared.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Bits that count.
    pub const fn len(&self) -> u8 {
        self.len
    }

    /// Whether no bit counts: the prefix of a default route.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it is that of a single address.
    pub fn is_host(&self) -> bool {
        self.len == width(self.address)
    }

    /// Whether `address` begins with it.
    pub fn contains(&self, address: IpAddr) -> bool {
        mask(address, self.len) == self.address
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

/// Bits of an address.
pub const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// `address` with all but its first `len` bits cleared.
#[inline]
fn mask(address: IpAddr, len: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(len.min(32))).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(len.min(128))).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

/// How many bits two addresses share from the start; 0 if their versions differ.
pub fn common(a: IpAddr, b: IpAddr) -> u8 {
    let bits = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => 0,
    };
    bits as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn prefixes_contain_what_begins_with_them() {
        let prefix = Prefix::new(ip("192.0.2.77"), 26);
        assert_eq!(prefix.to_string(), "192.0.2.64/26");
        assert!(prefix.contains(ip("192.0.2.127")) && !prefix.contains(ip("192.0.2.128")));
        assert!(!prefix.contains(ip("::")));
        let all = Prefix::default_of(ip("2001:db8::1"));
        assert!(all.contains(ip("fe80::1")) && !all.contains(ip("1.2.3.4")) && all.is_empty());
        let host = Prefix::host(ip("2001:db8::1"));
        assert!(host.contains(ip("2001:db8::1")) && !host.contains(ip("2001:db8::2")) && host.is_host());
        assert_eq!(Prefix::new(ip("1.2.3.4"), 99), Prefix::host(ip("1.2.3.4")));
    }

    #[test]
    fn shared_bits_are_counted() {
        assert_eq!(common(ip("192.0.2.1"), ip("192.0.2.3")), 30);
        assert_eq!(common(ip("::1"), ip("::1")), 128);
        assert_eq!(common(ip("0.0.0.1"), ip("::1")), 0);
    }
}
