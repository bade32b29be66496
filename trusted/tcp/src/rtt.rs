//! Round-trip time and retransmission timeout (RFC 6298).

use crate::config::{MILLISECOND, SECOND};

/// RTO before the first measurement (RFC 6298 §2.1).
const INITIAL: u64 = SECOND;
/// The same if a SYN was lost (RFC 6298 §5.7).
const INITIAL_LOST: u64 = 3 * SECOND;
/// Linux's `TCP_RTO_MIN`; RFC 6298 §2.4 says one second, which nobody keeps.
pub(crate) const RTO_MIN: u64 = 200 * MILLISECOND;
/// Linux's `TCP_RTO_MAX`; RFC 6298 §2.5 wants at least 60 s.
pub(crate) const RTO_MAX: u64 = 120 * SECOND;
/// How long a minimum counts (Linux's `tcp_min_rtt_wlen`).
const MIN_LIFETIME: u64 = 300 * SECOND;

/// The estimator. Times are in ns.
pub(crate) struct Rtt {
    smoothed: Option<u64>,
    initial: u64,
    variation: u64,
    min: u64,
    min_at: u64,
    backoff: u8,
}

impl Rtt {
    pub(crate) const fn new() -> Self {
        Self { smoothed: None, initial: INITIAL, variation: 0, min: u64::MAX, min_at: 0, backoff: 0 }
    }

    /// A measurement of segments that were sent once (Karn's rule, RFC 6298 §3): `rtt` of the first that an
    /// acknowledgment names, which includes its delay, `least` of the last. Ends back-off.
    pub(crate) fn sample(&mut self, now: u64, rtt: u64, least: u64) {
        let rtt = rtt.clamp(1, RTO_MAX);
        if least <= self.min || now.saturating_sub(self.min_at) > MIN_LIFETIME {
            self.min = least.max(1);
            self.min_at = now;
        }
        self.backoff = 0;
        match &mut self.smoothed {
            None => {
                self.smoothed = Some(rtt);
                self.variation = rtt / 2;
            }
            // RFC 6298 §2.3: alpha 1/8, beta 1/4, the variation first.
            Some(smoothed) => {
                self.variation = (3 * self.variation + smoothed.abs_diff(rtt)) / 4;
                *smoothed = (7 * *smoothed + rtt) / 8;
            }
        }
    }

    /// A SYN was lost, and nothing measured.
    pub(crate) fn distrust(&mut self) {
        self.initial = INITIAL_LOST;
    }

    /// SRTT, if anything was measured.
    pub(crate) fn smoothed(&self) -> Option<u64> {
        self.smoothed
    }

    /// RTTVAR.
    pub(crate) fn variation(&self) -> u64 {
        self.variation
    }

    /// The least measured lately; `u64::MAX` before.
    pub(crate) fn min(&self) -> u64 {
        self.min
    }

    /// The timeout without back-off. As in Linux, the minimum bounds the term of the variation.
    pub(crate) fn base(&self) -> u64 {
        let timeout = self.smoothed.map_or(self.initial, |smoothed| smoothed + (4 * self.variation).max(RTO_MIN));
        timeout.min(RTO_MAX)
    }

    /// The timeout, doubled for each expiry (RFC 6298 §5.5).
    pub(crate) fn timeout(&self) -> u64 {
        (self.base() << self.backoff.min(16)).min(RTO_MAX)
    }

    /// The timer expired.
    pub(crate) fn back_off(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
    }

    /// Expiries in a row.
    pub(crate) fn backoff(&self) -> u8 {
        self.backoff
    }

    /// The peer answered.
    pub(crate) fn reset_backoff(&mut self) {
        self.backoff = 0;
    }
}

/// How long `retries` expiries take that start with the least timeout: what `tcp_retries2` stands for.
pub(crate) fn patience(retries: u8) -> u64 {
    (0..=retries).map(|n| (RTO_MIN << n.min(16)).min(RTO_MAX)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_samples_by_the_rfc() {
        let mut rtt = Rtt::new();
        assert_eq!(rtt.timeout(), SECOND);
        rtt.sample(0, 100 * MILLISECOND, 100 * MILLISECOND);
        assert_eq!((rtt.smoothed(), rtt.variation()), (Some(100 * MILLISECOND), 50 * MILLISECOND));
        assert_eq!(rtt.timeout(), 300 * MILLISECOND);
        rtt.sample(1, 180 * MILLISECOND, 180 * MILLISECOND);
        assert_eq!((rtt.smoothed(), rtt.variation()), (Some(110 * MILLISECOND), 57_500_000));
    }

    #[test]
    fn the_timeout_doubles_and_is_bounded() {
        let mut rtt = Rtt::new();
        for expected in [1, 2, 4, 8, 16, 32, 64, 120, 120] {
            assert_eq!(rtt.timeout(), expected * SECOND);
            rtt.back_off();
        }
        rtt.reset_backoff();
        assert_eq!(rtt.timeout(), SECOND);
    }

    #[test]
    fn fifteen_retries_are_924_seconds() {
        assert_eq!(patience(15), 924_600 * MILLISECOND);
    }

    #[test]
    fn an_old_minimum_is_forgotten() {
        let mut rtt = Rtt::new();
        rtt.sample(0, 10, 10);
        rtt.sample(1, 20, 20);
        assert_eq!(rtt.min(), 10);
        rtt.sample(2 + MIN_LIFETIME, 30, 30);
        assert_eq!(rtt.min(), 30);
    }
}
