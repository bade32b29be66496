//! The Internet checksum (RFC 1071).

use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::{Add, AddAssign};

/// A one's complement sum of 16-bit words, not yet complemented. Sums of parts add up to the sum of
/// the whole, in any order, if each part starts at an even offset or is [`swapped`](Sum::swapped).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u16);

impl Sum {
    /// The sum of nothing.
    pub const ZERO: Self = Self(0);

    /// The sum of `bytes`; an odd last byte is the high half of a word (RFC 1071 §4.1).
    #[inline]
    pub fn of(bytes: &[u8]) -> Self {
        // The sum does not depend on the order of bytes within words, but for a swap (§2 B).
        Self(u16::from_be(fold(wide(bytes))))
    }

    /// As [`of`](Self::of), for a header whose length the compiler knows.
    #[inline(always)]
    pub fn of_header<const N: usize>(bytes: &[u8; N]) -> Self {
        Self(u16::from_be(fold(wide(bytes))))
    }

    /// The sum of one word.
    pub const fn word(word: u16) -> Self {
        Self(word)
    }

    /// The sum of the two words of `value`.
    pub const fn double(value: u32) -> Self {
        Self(fold(value as u64))
    }

    /// What the same bytes add if they start at an odd offset (RFC 1071 §2 B).
    #[must_use]
    pub const fn swapped(self) -> Self {
        Self(self.0.swap_bytes())
    }

    /// The sum of the pseudo-header of TCP and UDP over IPv4 (RFC 9293 §3.1). `len` counts the
    /// transport header and what follows.
    #[inline]
    pub fn pseudo_v4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, len: u32) -> Self {
        let addresses = u64::from(source.to_bits()) + u64::from(destination.to_bits());
        Self(fold(addresses + u64::from(len) + u64::from(protocol)))
    }

    /// The sum of the pseudo-header of upper layers over IPv6 (RFC 8200 §8.1). `len` counts the
    /// upper-layer header and what follows.
    #[inline]
    pub fn pseudo_v6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, len: u32) -> Self {
        let addresses = Self::of_header(&source.octets()) + Self::of_header(&destination.octets());
        addresses + Self(fold(u64::from(len) + u64::from(protocol)))
    }

    /// The checksum to store in the header whose field was zero while this was summed.
    pub const fn finish(self) -> u16 {
        !self.0
    }

    /// As [`finish`](Self::finish), for UDP: 0 would mean that there is none (RFC 768).
    pub const fn finish_udp(self) -> u16 {
        match self.finish() {
            0 => 0xffff,
            checksum => checksum,
        }
    }

    /// What a card that completes the checksum wants to find in its field: the pseudo-header's sum,
    /// not complemented (virtio 1.2 §5.1.6.2).
    pub const fn partial(self) -> u16 {
        self.0
    }

    /// Whether a sum that includes the checksum field is right (RFC 1071 §1).
    pub const fn is_valid(self) -> bool {
        self.0 == 0xffff
    }

    /// The checksum after words that add up to `from` have become words that add up to `to` (RFC 1624 §3).
    pub fn update(checksum: u16, from: Self, to: Self) -> u16 {
        (Self(!checksum) + Self(!from.0) + to).finish()
    }
}

impl Add for Sum {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        let (sum, carry) = self.0.overflowing_add(other.0);
        // Cannot overflow again: a sum that carried is at most 0xfffe.
        Self(sum.wrapping_add(u16::from(carry)))
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// Folds carries back in until 16 bits are left.
#[inline]
const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// The sum of words in the machine's order, with carries kept. Eight independent lanes of 64 bits become vector
/// additions; no sum of 32-bit words overflows them below 16 GiB.
#[inline(always)]
fn wide(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let (mut low, mut high) = ([0u64; 4], [0u64; 4]);
    for block in blocks {
        for ((word, low), high) in block.as_chunks::<8>().0.iter().zip(&mut low).zip(&mut high) {
            let word = u64::from_ne_bytes(*word);
            *low = low.wrapping_add(word & 0xffff_ffff);
            *high = high.wrapping_add(word >> 32);
        }
    }
    let mut sum = low.iter().chain(&high).fold(0u64, |sum, lane| sum.wrapping_add(*lane));
    let (words, tail) = rest.as_chunks::<4>();
    for word in words {
        sum = sum.wrapping_add(u64::from(u32::from_ne_bytes(*word)));
    }
    let last = match *tail {
        [a] => u32::from_ne_bytes([a, 0, 0, 0]),
        [a, b] => u32::from_ne_bytes([a, b, 0, 0]),
        [a, b, c] => u32::from_ne_bytes([a, b, c, 0]),
        _ => 0,
    };
    sum.wrapping_add(u64::from(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// RFC 1071 §4.1, as it stands there.
    fn naive(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        }
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    #[test]
    fn the_example_of_rfc_1071() {
        // §3: the sum of 0001 f203 f4f5 f6f7 is ddf2.
        let sum = Sum::of(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum, Sum::word(0xddf2));
        assert_eq!(sum.finish(), 0x220d);
    }

    #[test]
    fn every_length_equals_the_plain_loop() {
        let bytes = bytes(400);
        for len in 0..bytes.len() {
            assert_eq!(Sum::of(&bytes[..len]).0, naive(&bytes[..len]), "{len}");
        }
        assert_eq!(Sum::of_header(bytes.first_chunk::<38>().unwrap()).0, naive(&bytes[..38]));
        let ones = [0xff; 131];
        for len in 0..ones.len() {
            assert_eq!(Sum::of(&ones[..len]).0, naive(&ones[..len]), "{len}");
        }
    }

    #[test]
    fn parts_at_even_and_odd_offsets_add_up() {
        let bytes = bytes(97);
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let tail = Sum::of(tail);
            let tail = if cut % 2 == 0 { tail } else { tail.swapped() };
            assert_eq!(Sum::of(head) + tail, Sum::of(&bytes), "{cut}");
        }
    }

    #[test]
    fn an_update_equals_a_fresh_sum() {
        let mut bytes = bytes(64);
        let before = Sum::of(&bytes).finish();
        let old = Sum::of(&bytes[10..14]);
        bytes[10..14].copy_from_slice(&[9, 8, 7, 0xff]);
        assert_eq!(Sum::update(before, old, Sum::of(&bytes[10..14])), Sum::of(&bytes).finish());
    }

    #[test]
    fn pseudo_headers_equal_their_bytes() {
        let (a, b) = (Ipv4Addr::new(192, 0, 2, 255), Ipv4Addr::new(255, 255, 3, 4));
        let mut header = Vec::from(a.octets());
        header.extend(b.octets());
        header.extend([0, 17, 0x12, 0x34]);
        assert_eq!(Sum::pseudo_v4(a, b, 17, 0x1234), Sum::of(&header));

        let (a, b) = (Ipv6Addr::from_bits(u128::MAX - 5), Ipv6Addr::from_bits(0xfe80 << 112 | 77));
        let mut header = Vec::from(a.octets());
        header.extend(b.octets());
        header.extend([0, 1, 0x86, 0xa0, 0, 0, 0, 58]);
        assert_eq!(Sum::pseudo_v6(a, b, 58, 100_000), Sum::of(&header));
    }

    #[test]
    fn udp_never_stores_zero() {
        assert_eq!(Sum::word(0xffff).finish_udp(), 0xffff);
        assert_eq!(Sum::word(0xff00).finish_udp(), 0x00ff);
    }
}
