//! CUBIC's window (RFC 9438), in integers: bytes and milliseconds.

use super::Ack;
use crate::config::MILLISECOND;

/// The window after a loss is 7/10 of the one before (β, RFC 9438 §4.6).
const BETA: (u64, u64) = (7, 10);
/// C = 0.4 segments/s³ (RFC 9438 §5) as a fraction, over the 10⁹ ms³ of a s³.
const C: (u128, u128) = (4, 10 * 1_000_000_000);
/// α of the Reno-friendly region, 3(1-β)/(1+β) = 9/17 (RFC 9438 §4.3).
const ALPHA: (u64, u64) = (9, 17);
/// Before the first loss the function knows no plateau to aim at, and would hardly move where slow start ended
/// early: the window grows by one part in so many a round trip at least (as in Linux).
const UNKNOWN_PATH: u64 = 20;
/// Times are cut here (ms), far beyond any epoch that matters, so that cubes fit.
const LONGEST: u64 = 1 << 24;

/// Congestion avoidance along a cubic function of the time since the last loss.
#[derive(Default)]
pub(super) struct Cubic {
    /// W_max in bytes, zero before the first loss.
    max: u64,
    /// The window just before the last loss (cwnd_prior).
    prior: u64,
    /// `max` before the last reduction.
    undo_max: u64,
    epoch: Option<Epoch>,
    /// The remainder of a growth in whole bytes.
    rest: u64,
}

/// A stretch of congestion avoidance (RFC 9438 §4.2).
struct Epoch {
    /// When it started, in ns.
    start: u64,
    /// The window of the plateau, W_max or the window at the start if that is larger.
    plateau: u64,
    /// K in ms: when the plateau is reached.
    k: u64,
    /// W_est of the Reno-friendly region, in bytes, and the remainder of its growth.
    estimate: u64,
    estimate_rest: u64,
}

impl Cubic {
    /// How much the window grows.
    pub(super) fn growth(&mut self, ack: &Ack, cwnd: u64) -> u64 {
        let least = if self.max == 0 { ack.delivered / UNKNOWN_PATH } else { 0 };
        self.along_the_curve(ack, cwnd).max(least)
    }

    fn along_the_curve(&mut self, ack: &Ack, cwnd: u64) -> u64 {
        let (max, prior) = (self.max, self.prior);
        let epoch = self.epoch.get_or_insert_with(|| Epoch::new(ack, cwnd, max));
        let friendly = epoch.reno_friendly(ack, cwnd, prior);
        let elapsed = ack.now.saturating_sub(epoch.start);
        if epoch.window(elapsed, ack.mss) < friendly {
            return friendly.saturating_sub(cwnd);
        }
        // RFC 9438 §4.4: aim at where the function is a round trip from now, but grow by at most half a
        // window a round trip.
        let target = epoch.window(elapsed.saturating_add(ack.smoothed), ack.mss).clamp(cwnd, cwnd + cwnd / 2);
        let total = (target - cwnd).saturating_mul(ack.delivered).saturating_add(self.rest);
        self.rest = total % cwnd.max(1);
        total / cwnd.max(1)
    }

    /// The threshold after a loss.
    pub(super) fn reduced(&mut self, cwnd: u64) -> u64 {
        self.undo_max = self.max;
        self.prior = cwnd;
        // Fast convergence (RFC 9438 §4.7): who loses below its old maximum makes room.
        self.max = if cwnd < self.max { cwnd * (BETA.1 + BETA.0) / (2 * BETA.1) } else { cwnd };
        self.epoch = None;
        cwnd * BETA.0 / BETA.1
    }

    /// The last reduction did not happen (RFC 9438 §4.9).
    pub(super) fn undo(&mut self) {
        self.max = self.undo_max;
        self.epoch = None;
    }

    /// Time during which nothing was sent does not count (RFC 9438 §5.8).
    pub(super) fn skip(&mut self, idle: u64) {
        if let Some(epoch) = &mut self.epoch {
            epoch.start = epoch.start.saturating_add(idle);
        }
    }
}

impl Epoch {
    fn new(ack: &Ack, cwnd: u64, max: u64) -> Self {
        let plateau = max.max(cwnd);
        // K = ∛((W_max - cwnd) / C), in segments and seconds (RFC 9438 §4.2).
        let cube = u128::from(plateau - cwnd) * C.1 / (C.0 * u128::from(ack.mss.max(1)));
        Self { start: ack.now, plateau, k: cube_root(cube), estimate: cwnd, estimate_rest: 0 }
    }

    /// W_cubic(t) = C(t - K)³ + W_max (RFC 9438 §4.2), `elapsed` in ns.
    fn window(&self, elapsed: u64, mss: u64) -> u64 {
        let t = elapsed / MILLISECOND;
        let distance = u128::from(t.abs_diff(self.k).min(LONGEST));
        let delta = distance * distance * distance * u128::from(mss) * C.0 / C.1;
        let delta = u64::try_from(delta).unwrap_or(u64::MAX);
        if t < self.k { self.plateau.saturating_sub(delta) } else { self.plateau.saturating_add(delta) }
    }

    /// What Reno's window would be (RFC 9438 §4.3).
    fn reno_friendly(&mut self, ack: &Ack, cwnd: u64, prior: u64) -> u64 {
        let (num, den) = if self.estimate >= prior { (1, 1) } else { ALPHA };
        let per = den * cwnd.max(1);
        let total = (num * ack.mss).saturating_mul(ack.delivered).saturating_add(self.estimate_rest);
        self.estimate = self.estimate.saturating_add(total / per);
        self.estimate_rest = total % per;
        self.estimate
    }
}

/// The largest integer whose cube is at most `value`; at most [`LONGEST`].
fn cube_root(value: u128) -> u64 {
    let (mut low, mut high) = (0, LONGEST);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if u128::from(middle).pow(3) <= value { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SECOND;

    const MSS: u64 = 1000;

    #[test]
    fn cube_roots() {
        for (value, root) in [(0, 0), (1, 1), (7, 1), (8, 2), (26, 2), (27, 3), (u128::MAX, LONGEST)] {
            assert_eq!(cube_root(value), root);
        }
    }

    /// From 70 segments to the plateau of 100 it takes ∛(30/0.4) = 4.217 s.
    #[test]
    fn the_window_returns_to_the_plateau_in_the_time_of_the_rfc() {
        let mut cubic = Cubic::default();
        let mut cwnd = cubic.reduced(100 * MSS);
        assert_eq!(cwnd, 70 * MSS);
        let rtt = 100 * MILLISECOND;
        let mut now = 0;
        let ack = |now| Ack { now, delivered: MSS, mss: MSS, rtt: None, smoothed: rtt, una: 0, nxt: 0 };
        let mut reached = 0;
        while now < 8 * SECOND {
            for _ in 0..cwnd / MSS {
                cwnd += cubic.growth(&ack(now), cwnd);
            }
            now += rtt;
            if reached == 0 && cwnd >= 99 * MSS {
                reached = now;
            }
        }
        assert!((3 * SECOND..9 * SECOND / 2).contains(&reached), "{reached}");
        // (8 - 4.217)³ · 0.4 = 21.6 segments above.
        assert!((119 * MSS..128 * MSS).contains(&cwnd), "{cwnd}");
    }

    #[test]
    fn a_loss_below_the_maximum_converges_fast() {
        let mut cubic = Cubic::default();
        cubic.reduced(100 * MSS);
        cubic.reduced(80 * MSS);
        assert_eq!(cubic.max, 68 * MSS);
        cubic.undo();
        assert_eq!(cubic.max, 100 * MSS);
    }

    #[test]
    fn before_the_first_loss_it_grows_by_a_twentieth_a_round_trip() {
        let mut cubic = Cubic::default();
        let mut cwnd = 1000 * MSS;
        let rtt = 100 * MILLISECOND;
        let ack = |now| Ack { now, delivered: MSS, mss: MSS, rtt: None, smoothed: rtt, una: 0, nxt: 0 };
        for round in 0..3 {
            for _ in 0..cwnd / MSS {
                cwnd += cubic.growth(&ack(round * rtt), cwnd);
            }
        }
        assert!((1150 * MSS..1165 * MSS).contains(&cwnd), "{cwnd}");
    }

    #[test]
    fn at_short_round_trips_it_grows_as_reno_does() {
        let mut cubic = Cubic::default();
        let mut cwnd = cubic.reduced(20 * MSS);
        let ack = |now| Ack { now, delivered: MSS, mss: MSS, rtt: None, smoothed: MILLISECOND, una: 0, nxt: 0 };
        for round in 0..100 {
            for _ in 0..cwnd / MSS {
                cwnd += cubic.growth(&ack(round * MILLISECOND), cwnd);
            }
        }
        assert!(cwnd > 40 * MSS, "{cwnd}");
    }
}
