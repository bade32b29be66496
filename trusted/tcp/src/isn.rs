//! Where sequence numbers and timestamps start.

use crate::siphash::{self, Key};

/// One tick of the clock M of RFC 6528 §3: Linux's 64 ns, so that numbers are not used twice within the
/// life of a segment even at 100 Gb/s.
const TICK: u64 = 64;

/// The initial sequence number of a connection (RFC 6528 §3): a clock, and a keyed hash of the
/// connection's addresses and ports. `connection` is those as words, in an order that both sides of a
/// reuse see the same.
pub fn initial_sequence(key: Key, connection: &[u64], now: u64) -> u32 {
    (siphash::hash(key, connection) as u32).wrapping_add((now / TICK) as u32)
}

/// What to add to the clock for a connection's timestamps (RFC 7323 §5.4, §7.1): hides the uptime. Give
/// the addresses only, so that timestamps of one peer keep rising from connection to connection.
pub fn timestamp_offset(key: Key, addresses: &[u64]) -> u32 {
    (siphash::hash(key, addresses) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_with_time_and_differ_between_connections() {
        let key = [1, 2];
        let isn = initial_sequence(key, &[3, 4], 0);
        assert_eq!(initial_sequence(key, &[3, 4], 6400), isn.wrapping_add(100));
        assert_ne!(initial_sequence(key, &[3, 5], 0), isn);
        assert_ne!(initial_sequence([1, 3], &[3, 4], 0), isn);
        assert_ne!(timestamp_offset(key, &[3, 4]), isn);
    }
}
