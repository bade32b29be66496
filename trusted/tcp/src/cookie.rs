//! SYN cookies (RFC 4987 §3.6 and appendix A): an initial sequence number that proves itself.
//!
//! Eight bits count minutes, so that a cookie ages; the rest is a keyed hash to which the index of the
//! segment size is added. All is hidden under a second hash and the peer's number.

use crate::config::SECOND;
use crate::siphash::{self, Key};

/// One tick of the counter.
const MINUTE: u64 = 60 * SECOND;
/// For how many ticks a cookie holds (Linux's `MAX_SYNCOOKIE_AGE`).
const AGE: u32 = 2;
/// The longest that a cookie can hold.
pub(crate) const LIFETIME: u64 = AGE as u64 * MINUTE;
/// Segment sizes that a cookie can name: those that most peers have (Linux's `msstab`).
const SIZES: [u16; 4] = [536, 1300, 1440, 1460];
/// Bits below the counter.
const LOW: u32 = 0x00ff_ffff;
/// Bits of a timestamp that hold options.
const OPTION_BITS: u32 = 6;
/// No window scaling.
const NO_SCALE: u32 = 0xf;
/// SACK is permitted.
const SACK: u32 = 0x10;

/// The cookie for a SYN with number `irs`.
pub(crate) fn bake(key: Key, connection: &[u64], irs: u32, mss: u16, now: u64) -> u32 {
    let index = SIZES.iter().rposition(|&size| size <= mss).unwrap_or(0) as u32;
    let count = minutes(now);
    let inner = mac(key, connection, count, 1).wrapping_add(index) & LOW;
    mac(key, connection, 0, 0).wrapping_add(irs).wrapping_add(count << 24).wrapping_add(inner)
}

/// The segment size that the cookie `iss` names, if it is one of ours and not too old.
pub(crate) fn check(key: Key, connection: &[u64], irs: u32, iss: u32, now: u64) -> Option<u16> {
    let inner = iss.wrapping_sub(mac(key, connection, 0, 0)).wrapping_sub(irs);
    let now = minutes(now);
    let age = now.wrapping_sub(inner >> 24) & 0xff;
    if age >= AGE {
        return None;
    }
    let index = inner.wrapping_sub(mac(key, connection, now.wrapping_sub(age), 1)) & LOW;
    SIZES.get(index as usize).copied()
}

fn minutes(now: u64) -> u32 {
    (now / MINUTE) as u32
}

fn mac(key: Key, connection: &[u64], count: u32, domain: u64) -> u32 {
    let connection = siphash::hash(key, connection);
    siphash::hash(key, &[connection, u64::from(count & 0xff), domain]) as u32
}

/// Options of a SYN that the timestamp keeps, as Linux lays them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) scale: Option<u8>,
    pub(crate) sack: bool,
}

impl Options {
    /// The largest timestamp not above `clock` whose low bits are these options.
    pub(crate) fn into_timestamp(self, clock: u32) -> u32 {
        let scale = self.scale.map_or(NO_SCALE, |scale| u32::from(scale.min(14)));
        let bits = scale | if self.sack { SACK } else { 0 };
        let stamp = (clock >> OPTION_BITS << OPTION_BITS) | bits;
        if stamp > clock { stamp.wrapping_sub(1 << OPTION_BITS) } else { stamp }
    }

    /// What an echoed timestamp says.
    pub(crate) fn from_timestamp(echo: u32) -> Self {
        let scale = echo & NO_SCALE;
        Self { scale: (scale != NO_SCALE).then_some(scale as u8), sack: echo & SACK != 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [1, 2];

    #[test]
    fn a_cookie_names_the_segment_size_and_ages() {
        for (mss, named) in [(1460, 1460), (9000, 1460), (1459, 1440), (100, 536)] {
            let cookie = bake(KEY, &[3], 77, mss, 90 * SECOND);
            assert_eq!(check(KEY, &[3], 77, cookie, 90 * SECOND), Some(named));
            assert_eq!(check(KEY, &[3], 77, cookie, 150 * SECOND), Some(named));
            assert_eq!(check(KEY, &[3], 77, cookie, 190 * SECOND), None);
        }
    }

    #[test]
    fn a_cookie_is_for_one_peer_and_number() {
        let cookie = bake(KEY, &[3], 77, 1460, 0);
        assert_eq!(check(KEY, &[4], 77, cookie, 0), None);
        assert_eq!(check(KEY, &[3], 77, cookie ^ 0x100, 0), None);
        assert_eq!(check([1, 3], &[3], 77, cookie, 0), None);
    }

    #[test]
    fn the_counter_may_wrap() {
        let late = 256 * MINUTE - 1;
        let cookie = bake(KEY, &[3], 77, 1460, late);
        assert_eq!(check(KEY, &[3], 77, cookie, late + 1), Some(1460));
    }

    #[test]
    fn options_travel_in_the_timestamp() {
        for options in [Options { scale: Some(7), sack: true }, Options { scale: None, sack: false }] {
            for clock in [1000, 1023, 1024, 0x3f] {
                let stamp = options.into_timestamp(clock);
                assert_eq!(Options::from_timestamp(stamp), options);
                assert!(clock.wrapping_sub(stamp) < 128);
            }
        }
    }
}
