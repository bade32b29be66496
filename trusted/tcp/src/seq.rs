//! Sequence numbers, without their wrap.
//!
//! On the wire a sequence number has 32 bits and is compared modulo 2³² (RFC 9293 §3.4). Inside, it is
//! a `u64` whose low 32 bits are those of the wire: numbers compare, sort and subtract as numbers do. A
//! number that arrives is read as the one nearest to a number we know, which is what the comparison
//! modulo 2³² means.

/// The first number of a stream that starts at `isn`. Older numbers fit below.
pub(crate) const fn first(isn: u32) -> u64 {
    (1 << 32) | isn as u64
}

/// The number nearest to `known` that is `wire` on the wire.
pub(crate) const fn near(known: u64, wire: u32) -> u64 {
    let distance = wire.wrapping_sub(known as u32) as i32;
    known.wrapping_add_signed(distance as i64)
}

/// Whether the timestamp `a` is older than `b` (RFC 7323 §5.2: modulo 2³²).
pub(crate) const fn older(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_where_the_wire_wraps() {
        let start = first(0xffff_fff0);
        assert_eq!(near(start, 0x10), start + 0x20);
        assert_eq!(near(start + 0x20, 0xffff_fff0), start);
        assert_eq!(near(first(0), 0xffff_ffff), first(0) - 1);
        assert_eq!(near(start + 0x20, 0x10) as u32, 0x10);
    }

    #[test]
    fn timestamps_wrap() {
        assert!(older(0xffff_ffff, 0) && !older(0, 0xffff_ffff) && !older(7, 7));
    }
}
