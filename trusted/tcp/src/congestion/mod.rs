//! Congestion control (RFC 5681): how many bytes may be in the network.
//!
//! What all algorithms share is here; how the window grows in congestion avoidance and how far it falls
//! is theirs. Recovery (which bytes, how fast) is not: see `recovery`.

mod cubic;
mod hystart;
mod reno;

use crate::config::Algorithm;
use cubic::Cubic;
use hystart::HyStart;
use reno::Reno;

/// Segments of the initial window (RFC 6928 §2).
const INITIAL_SEGMENTS: u64 = 10;
/// Segments of the loss window's floor for `ssthresh` (RFC 5681 equation 4).
const LEAST_SEGMENTS: u64 = 2;

/// What an acknowledgment tells the algorithms.
#[derive(Clone, Copy)]
pub(crate) struct Ack {
    /// Now, in ns.
    pub(crate) now: u64,
    /// Bytes newly delivered.
    pub(crate) delivered: u64,
    /// Sender's maximum segment size.
    pub(crate) mss: u64,
    /// The RTT it measured.
    pub(crate) rtt: Option<u64>,
    /// The smoothed RTT, zero before the first measurement.
    pub(crate) smoothed: u64,
    /// SND.UNA and SND.NXT behind it.
    pub(crate) una: u64,
    /// See `una`.
    pub(crate) nxt: u64,
}

enum Control {
    Reno(Reno),
    Cubic(Cubic),
}

/// A connection's congestion window.
pub(crate) struct Congestion {
    /// Bytes.
    cwnd: u64,
    /// Bytes; `u64::MAX` before the first loss.
    ssthresh: u64,
    control: Control,
    hystart: HyStart,
    /// The window and the threshold before the last reduction, to undo it.
    before: Option<(u64, u64)>,
    usage: Usage,
}

/// Whether the window was what limited the sender (RFC 7661; Linux's `tcp_cwnd_validate`): a window that
/// is not used must not grow.
#[derive(Default)]
struct Usage {
    limited: bool,
    most: u64,
    until: u64,
}

impl Congestion {
    pub(crate) fn new(algorithm: Algorithm, mss: u64) -> Self {
        Self {
            cwnd: INITIAL_SEGMENTS * mss,
            ssthresh: u64::MAX,
            control: Control::new(algorithm),
            hystart: HyStart::default(),
            before: None,
            usage: Usage::default(),
        }
    }

    pub(crate) fn cwnd(&self) -> u64 {
        self.cwnd
    }

    pub(crate) fn ssthresh(&self) -> u64 {
        self.ssthresh
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self.control {
            Control::Reno(_) => Algorithm::Reno,
            Control::Cubic(_) => Algorithm::Cubic,
        }
    }

    /// The other algorithm takes over, with the window as it is.
    pub(crate) fn switch(&mut self, algorithm: Algorithm) {
        if algorithm != self.algorithm() {
            self.control = Control::new(algorithm);
        }
    }

    pub(crate) fn in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }

    /// The window of the start: after a lost SYN it is one segment (RFC 5681 §3.1).
    pub(crate) fn start(&mut self, mss: u64, syn_was_lost: bool) {
        self.cwnd = if syn_was_lost { mss } else { INITIAL_SEGMENTS * mss };
    }

    /// The segment size changed: the window stays as many segments.
    pub(crate) fn scale(&mut self, old_mss: u64, new_mss: u64) {
        self.cwnd = (self.cwnd / old_mss.max(1)).max(1) * new_mss;
    }

    /// Something was sent: `pipe` bytes are now in the network, up to SND.NXT `nxt`. `limited`: the window
    /// kept us from sending more.
    pub(crate) fn on_transmit(&mut self, una: u64, nxt: u64, pipe: u64, limited: bool) {
        let usage = &mut self.usage;
        if una >= usage.until || limited || (!usage.limited && pipe > usage.most) {
            *usage = Usage { limited, most: pipe, until: nxt };
        }
    }

    fn is_used(&self) -> bool {
        // In slow start a window that is half used may double (Linux's `tcp_is_cwnd_limited`).
        self.usage.limited || (self.in_slow_start() && self.cwnd < 2 * self.usage.most)
    }

    /// New data was delivered, outside of recovery.
    pub(crate) fn on_ack(&mut self, ack: &Ack) {
        if !self.is_used() {
            return;
        }
        let mut rest = ack.delivered;
        if self.in_slow_start() {
            // Each byte acknowledged is one byte more (RFC 5681 §3.1, RFC 3465 without its limit, as the
            // peer may merge acknowledgments).
            let growth = match &self.control {
                Control::Cubic(_) => self.hystart.growth(ack, self.cwnd),
                Control::Reno(_) => ack.delivered,
            };
            let grown = self.cwnd.saturating_add(growth).min(self.ssthresh);
            rest = growth.saturating_sub(grown - self.cwnd);
            self.cwnd = grown;
            if self.hystart.leaves() {
                self.ssthresh = self.cwnd;
            }
        }
        if rest > 0 && !self.in_slow_start() {
            let ack = Ack { delivered: rest, ..*ack };
            self.cwnd += match &mut self.control {
                Control::Reno(reno) => reno.growth(&ack, self.cwnd),
                Control::Cubic(cubic) => cubic.growth(&ack, self.cwnd),
            };
        }
    }

    /// Loss was found (RFC 5681 §3.2, RFC 9438 §4.6): the threshold falls; where the window goes is up to
    /// recovery. `flight` is what is outstanding, in bytes.
    pub(crate) fn on_loss(&mut self, flight: u64, mss: u64) {
        self.before = Some((self.cwnd, self.ssthresh));
        let reduced = match &mut self.control {
            Control::Reno(reno) => reno.reduced(self.cwnd.min(flight.max(mss))),
            Control::Cubic(cubic) => cubic.reduced(self.cwnd),
        };
        self.ssthresh = reduced.max(LEAST_SEGMENTS * mss);
        self.hystart.stop();
    }

    /// Recovery says where the window is.
    pub(crate) fn set_cwnd(&mut self, cwnd: u64) {
        self.cwnd = cwnd;
    }

    /// The last reduction was not deserved (RFC 4015).
    pub(crate) fn undo(&mut self) {
        if let Some((cwnd, ssthresh)) = self.before.take() {
            self.cwnd = self.cwnd.max(cwnd);
            self.ssthresh = self.ssthresh.max(ssthresh);
            if let Control::Cubic(cubic) = &mut self.control {
                cubic.undo();
            }
        }
    }

    /// Data is sent after silence of `idle` ns (RFC 5681 §4.1): the window halves for each RTO, down to
    /// the initial one, as in Linux. Time during silence does not count for the cubic function.
    pub(crate) fn on_restart(&mut self, idle: u64, rto: u64, mss: u64) {
        if let Control::Cubic(cubic) = &mut self.control {
            cubic.skip(idle);
        }
        if idle <= rto {
            return;
        }
        // Three quarters of a window that was in use are remembered (Linux's `tcp_current_ssthresh`).
        if !self.in_slow_start() {
            self.ssthresh = self.ssthresh.max(self.cwnd / 4 * 3);
        }
        let least = self.cwnd.min(INITIAL_SEGMENTS * mss);
        let halvings = (idle / rto.max(1)).min(63) as u32;
        self.cwnd = (self.cwnd >> halvings).max(least);
        self.usage = Usage::default();
    }
}

impl Control {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Reno => Self::Reno(Reno::default()),
            Algorithm::Cubic => Self::Cubic(Cubic::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MILLISECOND;

    const MSS: u64 = 1000;

    fn ack(now: u64, delivered: u64) -> Ack {
        Ack { now, delivered, mss: MSS, rtt: None, smoothed: 100 * MILLISECOND, una: 0, nxt: 0 }
    }

    fn used(algorithm: Algorithm) -> Congestion {
        let mut congestion = Congestion::new(algorithm, MSS);
        congestion.on_transmit(0, u64::MAX, 10 * MSS, true);
        congestion
    }

    #[test]
    fn slow_start_doubles_a_window_that_is_used() {
        for algorithm in [Algorithm::Reno, Algorithm::Cubic] {
            let mut congestion = used(algorithm);
            congestion.on_ack(&ack(0, 10 * MSS));
            assert_eq!(congestion.cwnd(), 20 * MSS);
            let mut idle = Congestion::new(algorithm, MSS);
            idle.on_transmit(0, 1, MSS, false);
            idle.on_ack(&ack(0, MSS));
            assert_eq!(idle.cwnd(), 10 * MSS);
        }
    }

    #[test]
    fn reno_halves_the_flight_and_adds_a_segment_a_round() {
        let mut congestion = used(Algorithm::Reno);
        congestion.on_loss(8 * MSS, MSS);
        assert_eq!(congestion.ssthresh(), 4 * MSS);
        congestion.set_cwnd(4 * MSS);
        (0..4).for_each(|_| congestion.on_ack(&ack(0, MSS)));
        assert_eq!(congestion.cwnd(), 5 * MSS);
        congestion.undo();
        assert_eq!((congestion.cwnd(), congestion.ssthresh()), (10 * MSS, u64::MAX));
    }

    #[test]
    fn silence_halves_the_window_down_to_the_initial_one() {
        let mut congestion = used(Algorithm::Cubic);
        congestion.set_cwnd(100 * MSS);
        congestion.on_restart(200 * MILLISECOND, 200 * MILLISECOND, MSS);
        assert_eq!(congestion.cwnd(), 100 * MSS);
        congestion.on_restart(450 * MILLISECOND, 200 * MILLISECOND, MSS);
        assert_eq!(congestion.cwnd(), 25 * MSS);
        congestion.on_restart(u64::MAX, 200 * MILLISECOND, MSS);
        assert_eq!(congestion.cwnd(), 10 * MSS);
    }
}
