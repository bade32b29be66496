//! Time and chance.

use alloc::vec::Vec;

/// Nanoseconds of a microsecond.
pub const MICROSECOND: u64 = 1000;
/// Nanoseconds of a millisecond.
pub const MILLISECOND: u64 = 1000 * MICROSECOND;
/// Nanoseconds of a second.
pub const SECOND: u64 = 1000 * MILLISECOND;

/// The time `span` nanoseconds after `now`, or the end of time.
pub const fn after(now: u64, span: u64) -> u64 {
    now.saturating_add(span)
}

/// When a lifetime of `seconds` that begins now ends; `None`: never, which all ones say
/// (RFC 4861 §4.6.2, RFC 2131 §3.3).
pub const fn lifetime(now: u64, seconds: u32) -> Option<u64> {
    if seconds == u32::MAX { None } else { Some(now.saturating_add(seconds as u64 * SECOND)) }
}

/// A source of random numbers.
pub type Random<'a> = dyn FnMut() -> u32 + 'a;

/// What a piece gets when it may act.
pub struct Turn<'a, A> {
    /// The time.
    pub now: u64,
    /// A source of random numbers.
    pub random: &'a mut Random<'a>,
    /// Where to put what is to be done.
    pub actions: &'a mut Vec<A>,
}

impl<A> Turn<'_, A> {
    /// Wants something done.
    pub fn act(&mut self, action: A) {
        self.actions.push(action);
    }

    /// A random time from now on, at most `most` nanoseconds away.
    pub fn soon(&mut self, most: u64) -> u64 {
        after(self.now, random_span(most, self.random))
    }
}

/// A random span from 0 to `most`, in steps of its 2^32nd part if it is longer than that.
pub fn random_span(most: u64, random: &mut Random<'_>) -> u64 {
    // The product of `most` and a fraction of 32 bits.
    (((u128::from(most) + 1) * u128::from(random())) >> 32) as u64
}

/// The earlier of two deadlines, of which `None` never comes.
pub fn earlier(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_reach_both_ends() {
        assert_eq!(random_span(1000, &mut || 0), 0);
        assert_eq!(random_span(1000, &mut || u32::MAX), 1000);
        assert_eq!(random_span(0, &mut || u32::MAX), 0);
        assert!(random_span(u64::MAX, &mut || u32::MAX) >= u64::MAX - u64::from(u32::MAX));
    }

    #[test]
    fn all_ones_last_for_ever() {
        assert_eq!(lifetime(5, 2), Some(5 + 2 * SECOND));
        assert_eq!(lifetime(5, u32::MAX), None);
        assert_eq!(earlier(None, Some(3)), Some(3));
        assert_eq!(earlier(Some(2), Some(3)), Some(2));
    }
}
