//! HyStart++ (RFC 9406): leaves slow start when the round trip grows, before the queue overflows.

use super::Ack;
use crate::config::MILLISECOND;

/// MIN_RTT_THRESH and MAX_RTT_THRESH (RFC 9406 §4.3).
const THRESHOLD: (u64, u64) = (4 * MILLISECOND, 16 * MILLISECOND);
/// MIN_RTT_DIVISOR.
const RTT_DIVISOR: u64 = 8;
/// N_RTT_SAMPLE: samples of a round before it is judged.
const SAMPLES: u8 = 8;
/// CSS_GROWTH_DIVISOR.
const GROWTH_DIVISOR: u64 = 4;
/// CSS_ROUNDS.
const ROUNDS: u8 = 5;

#[derive(Default, PartialEq, Eq)]
enum Phase {
    #[default]
    SlowStart,
    /// Conservative slow start: was leaving premature?
    Conservative { baseline: u64, rounds: u8 },
    /// It was not: slow start shall end.
    Leave,
    /// Nothing more to judge.
    Off,
}

/// The rounds of slow start.
pub(super) struct HyStart {
    phase: Phase,
    /// The round ends when this is acknowledged.
    round_end: u64,
    last_min: u64,
    current_min: u64,
    samples: u8,
}

impl Default for HyStart {
    fn default() -> Self {
        Self { phase: Phase::SlowStart, round_end: 0, last_min: u64::MAX, current_min: u64::MAX, samples: 0 }
    }
}

impl HyStart {
    /// Slow start shall end; said once.
    pub(super) fn leaves(&mut self) -> bool {
        let leaves = self.phase == Phase::Leave;
        if leaves {
            self.phase = Phase::Off;
        }
        leaves
    }

    /// Loss ended slow start: later ones, after an RTO, are without HyStart++ (RFC 9406 §4.3).
    pub(super) fn stop(&mut self) {
        self.phase = Phase::Off;
    }

    /// How much the window grows in slow start.
    pub(super) fn growth(&mut self, ack: &Ack, cwnd: u64) -> u64 {
        if self.phase == Phase::Off {
            return ack.delivered;
        }
        if ack.una >= self.round_end {
            self.next_round(ack.nxt);
        }
        if let Some(rtt) = ack.rtt {
            self.current_min = self.current_min.min(rtt);
            self.samples = self.samples.saturating_add(1);
        }
        self.judge();
        match self.phase {
            Phase::Conservative { .. } => (ack.delivered / GROWTH_DIVISOR).min(cwnd),
            _ => ack.delivered,
        }
    }

    fn next_round(&mut self, nxt: u64) {
        self.round_end = nxt;
        self.last_min = self.current_min;
        self.current_min = u64::MAX;
        self.samples = 0;
        if let Phase::Conservative { rounds, .. } = &mut self.phase {
            *rounds += 1;
            if *rounds >= ROUNDS {
                self.phase = Phase::Leave;
            }
        }
    }

    fn judge(&mut self) {
        if self.samples < SAMPLES || self.current_min == u64::MAX {
            return;
        }
        match self.phase {
            Phase::SlowStart if self.last_min != u64::MAX => {
                let threshold = (self.last_min / RTT_DIVISOR).clamp(THRESHOLD.0, THRESHOLD.1);
                if self.current_min >= self.last_min.saturating_add(threshold) {
                    self.phase = Phase::Conservative { baseline: self.current_min, rounds: 0 };
                }
            }
            Phase::Conservative { baseline, .. } if self.current_min < baseline => self.phase = Phase::SlowStart,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round of `SAMPLES` acknowledgments with this RTT.
    fn round(hystart: &mut HyStart, number: u64, rtt: u64) -> u64 {
        let ack = |una| Ack { now: 0, delivered: 1000, mss: 1000, rtt: Some(rtt), smoothed: rtt, una, nxt: number + 1 };
        (0..SAMPLES).map(|_| hystart.growth(&ack(number), 100_000)).sum()
    }

    #[test]
    fn a_growing_round_trip_slows_the_growth_and_then_ends_it() {
        let mut hystart = HyStart::default();
        assert_eq!(round(&mut hystart, 1, 20 * MILLISECOND), 8000);
        assert_eq!(round(&mut hystart, 2, 21 * MILLISECOND), 8000);
        assert!(round(&mut hystart, 3, 30 * MILLISECOND) < 8000);
        for number in 4..8 {
            assert_eq!(round(&mut hystart, number, 31 * MILLISECOND), 2000);
            assert!(!hystart.leaves());
        }
        round(&mut hystart, 8, 31 * MILLISECOND);
        assert!(hystart.leaves() && !hystart.leaves());
    }

    #[test]
    fn a_passing_delay_is_forgiven() {
        let mut hystart = HyStart::default();
        round(&mut hystart, 1, 20 * MILLISECOND);
        round(&mut hystart, 2, 30 * MILLISECOND);
        round(&mut hystart, 3, 20 * MILLISECOND);
        assert_eq!(round(&mut hystart, 4, 20 * MILLISECOND), 8000);
    }
}
