//! Which of our addresses a packet comes from (RFC 6724 §5).

use crate::Interface;
use crate::prefix::common;
use core::cmp::Reverse;
use core::net::{IpAddr, Ipv6Addr};

/// An address of ours that may be a source: neither tentative nor of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The address.
    pub address: IpAddr,
    /// Bits of its prefix.
    pub prefix_len: u8,
    /// Where it is assigned.
    pub interface: Interface,
    /// Past its preferred lifetime.
    pub deprecated: bool,
}

/// How far an address is known (RFC 4007 §5, RFC 6724 §3.1, §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// On this machine.
    Interface,
    /// On the link.
    Link,
    /// Within a site or organisation: groups only.
    Site,
    /// Everywhere.
    Global,
}

impl Scope {
    /// The scope of `address`.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) if address.is_loopback() || address.is_link_local() => Self::Link,
            // 224.0.0.0/24 stays on the link (RFC 5771 §4).
            IpAddr::V4(address) if address.octets().starts_with(&[224, 0, 0]) => Self::Link,
            IpAddr::V4(_) => Self::Global,
            IpAddr::V6(address) if address.is_multicast() => match address.octets() {
                [_, flags_and_scope, ..] if flags_and_scope & 15 <= 1 => Self::Interface,
                [_, flags_and_scope, ..] if flags_and_scope & 15 == 2 => Self::Link,
                [_, flags_and_scope, ..] if flags_and_scope & 15 < 14 => Self::Site,
                _ => Self::Global,
            },
            // Loopback counts as of the link (RFC 4007 §4).
            IpAddr::V6(address) if address.is_loopback() || address.is_unicast_link_local() => Self::Link,
            IpAddr::V6(_) => Self::Global,
        }
    }
}

/// The best source for packets to `destination` that go out of `interface`. Of equal ones the first counts.
pub fn select(
    destination: IpAddr,
    interface: Interface,
    candidates: impl IntoIterator<Item = Candidate>,
) -> Option<IpAddr> {
    let wanted = Scope::of(destination);
    let rank = |candidate: &Candidate| {
        let scope = Scope::of(candidate.address);
        // Rule 2: the smallest scope that reaches; if none does, the largest.
        let reaches = scope >= wanted;
        let smallest = reaches.then_some(Reverse(scope));
        let largest = (!reaches).then_some(scope);
        (
            candidate.address == destination, // Rule 1
            reaches,
            smallest,
            largest,                                                          // Rule 2
            !candidate.deprecated,                                            // Rule 3
            candidate.interface == interface,                                 // Rule 5
            label(candidate.address) == label(destination),                   // Rule 6
            common(candidate.address, destination).min(candidate.prefix_len), // Rule 8
        )
    };
    let same_version = candidates.into_iter().filter(|candidate| candidate.address.is_ipv4() == destination.is_ipv4());
    let mut best: Option<(Candidate, _)> = None;
    for candidate in same_version {
        let rank = rank(&candidate);
        if best.as_ref().is_none_or(|(_, best)| rank > *best) {
            best = Some((candidate, rank));
        }
    }
    best.map(|(candidate, _)| candidate.address)
}

/// The label of the default policy table (RFC 6724 §2.1).
fn label(address: IpAddr) -> u8 {
    let IpAddr::V6(address) = address else { return 4 };
    match address.segments() {
        _ if address == Ipv6Addr::LOCALHOST => 0,
        [0x2002, ..] => 2,
        [0x2001, 0, ..] => 5,
        [0x3ffe, ..] => 12,
        [first, ..] if first & 0xfe00 == 0xfc00 => 13,
        [first, ..] if first & 0xffc0 == 0xfec0 => 11,
        [0, 0, 0, 0, 0, 0xffff, ..] => 4,
        [0, 0, 0, 0, 0, 0, ..] => 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETH0: Interface = Interface(2);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn candidate(text: &str) -> Candidate {
        let address = ip(text);
        let prefix_len = if address.is_ipv4() { 24 } else { 64 };
        Candidate { address, prefix_len, interface: ETH0, deprecated: false }
    }

    fn choose(destination: &str, candidates: &[&str]) -> Option<IpAddr> {
        select(ip(destination), ETH0, candidates.iter().map(|text| candidate(text)))
    }

    #[test]
    fn the_examples_of_rfc_6724() {
        // §10.1, in its order.
        let cases = [
            ("2001:db8:1::1", &["2001:db8:3::1", "fe80::1"][..], "2001:db8:3::1"),
            ("ff05::1", &["2001:db8:3::1", "fe80::1"], "2001:db8:3::1"),
            ("2001:db8:1::1", &["2001:db8:1::1", "2001:db8:2::1"], "2001:db8:1::1"),
            ("fe80::1", &["2001:db8:2::1", "fe80::2"], "fe80::2"),
            ("2001:db8:1::1", &["2001:db8:1::2", "2001:db8:3::2"], "2001:db8:1::2"),
            (
                "2002:c633:6401::1",
                &["2002:c633:6401::d5e3:7953:13eb:22e8", "2001:db8:1::2"],
                "2002:c633:6401::d5e3:7953:13eb:22e8",
            ),
        ];
        for (destination, candidates, best) in cases {
            assert_eq!(choose(destination, candidates), Some(ip(best)), "{destination}");
            let turned: std::vec::Vec<_> = candidates.iter().rev().copied().collect();
            assert_eq!(choose(destination, &turned), Some(ip(best)), "{destination}, turned");
        }
    }

    #[test]
    fn deprecated_and_foreign_addresses_are_not_preferred() {
        let old = Candidate { deprecated: true, ..candidate("2001:db8:1::2") };
        let other = Candidate { interface: Interface(9), ..candidate("2001:db8:1::3") };
        let far = candidate("2001:db8:9::4");
        let destination = ip("2001:db8:1::1");
        assert_eq!(select(destination, ETH0, [old, other, far]), Some(far.address));
        assert_eq!(select(destination, ETH0, [old, other]), Some(other.address));
        assert_eq!(select(destination, ETH0, [old]), Some(old.address));
    }

    #[test]
    fn of_several_ipv4_addresses_that_of_the_subnet_counts() {
        let ours = ["192.0.2.5", "198.51.100.5", "127.0.0.1"];
        assert_eq!(choose("198.51.100.77", &ours), Some(ip("198.51.100.5")));
        assert_eq!(choose("127.0.0.1", &ours), Some(ip("127.0.0.1")));
        assert_eq!(choose("8.8.8.8", &["192.0.2.5", "192.0.2.6"]), Some(ip("192.0.2.5")));
        assert_eq!(choose("8.8.8.8", &["::1"]), None);
    }
}
