//! Loss recovery: what phase the sender is in, and how fast it may send (RFC 5681 §3.2, RFC 6582, RFC 6675,
//! RFC 6937). What is lost is found by [`rack`], or counted in duplicates where the peer has no SACK.

mod rack;
mod undo;

pub(crate) use rack::Rack;
pub(crate) use undo::Undo;

/// Duplicate acknowledgments that mean loss (RFC 5681 §3.2).
pub(crate) const DUPLICATES: u64 = 3;

/// The sender's phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// All is well.
    Open,
    /// Loss was found by acknowledgments; ends when `until` is acknowledged.
    Recovery {
        /// SND.NXT at the start.
        until: u64,
        /// How fast to send.
        rate: Rate,
    },
    /// The network is congested and nothing was lost (RFC 3168 §6.1.2); ends when more than `until` is acknowledged.
    Reduction {
        /// SND.NXT at the start.
        until: u64,
        /// How fast to send.
        rate: Rate,
    },
    /// The retransmission timer expired; ends when `until` is acknowledged.
    Loss {
        /// SND.NXT at the expiry.
        until: u64,
    },
}

/// Proportional rate reduction (RFC 6937 §3): sends in proportion to what is delivered, so that the
/// window reaches the threshold smoothly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    /// RecoverFS: bytes in the network at the start.
    start: u64,
    /// prr_delivered.
    delivered: u64,
    /// prr_out.
    out: u64,
}

impl Rate {
    pub(crate) fn new(flight: u64) -> Self {
        Self { start: flight.max(1), delivered: 0, out: 0 }
    }

    /// The congestion window after `delivered` bytes more. `advancing`: SND.UNA moved and nothing more was
    /// lost, so the pipe can be refilled as in slow start.
    pub(crate) fn window(&mut self, delivered: u64, pipe: u64, ssthresh: u64, mss: u64, advancing: bool) -> u64 {
        let first = self.out == 0;
        self.delivered += delivered;
        let quota = if pipe > ssthresh {
            let share = u128::from(self.delivered) * u128::from(ssthresh);
            (share.div_ceil(self.start.into()) as u64).saturating_sub(self.out)
        } else {
            let owed = self.delivered.saturating_sub(self.out);
            let limit = if advancing { owed.max(delivered) + mss } else { owed };
            limit.min(ssthresh - pipe)
        };
        // The first retransmission goes out whatever the pipe says (RFC 6675 §5 step 4.3).
        let quota = if first { quota.max(mss) } else { quota };
        pipe + quota
    }

    /// `len` bytes went out.
    pub(crate) fn sent(&mut self, len: u64) {
        self.out += len;
    }
}

/// A tail loss probe that is out (RFC 8985 §7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    /// TLP.end_seq.
    pub(crate) end: u64,
    /// TLP.is_retrans.
    pub(crate) resent: bool,
}

/// Recovery's state.
pub(crate) struct Recovery {
    pub(crate) phase: Phase,
    pub(crate) rack: Rack,
    pub(crate) undo: Undo,
    /// The probe that is out.
    pub(crate) probe: Option<Probe>,
    /// A probe is due.
    pub(crate) probe_due: bool,
    /// Duplicate acknowledgments, where the peer has no SACK.
    pub(crate) duplicates: u64,
    /// NewReno (RFC 6582 §3.2): no second recovery below this.
    pub(crate) recover: u64,
    /// When what is sent again was first sent; zero if nothing is.
    pub(crate) trouble_since: u64,
}

impl Recovery {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Open,
            rack: Rack::default(),
            undo: Undo::default(),
            probe: None,
            probe_due: false,
            duplicates: 0,
            recover: 0,
            trouble_since: 0,
        }
    }

    /// How fast to send, while the window is being reduced.
    pub(crate) fn rate(&mut self) -> Option<&mut Rate> {
        match &mut self.phase {
            Phase::Recovery { rate, .. } | Phase::Reduction { rate, .. } => Some(rate),
            Phase::Open | Phase::Loss { .. } => None,
        }
    }

    /// Whether loss that is found now begins a recovery.
    pub(crate) fn is_calm(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Reduction { .. })
    }

    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u64 = 1000;

    #[test]
    fn the_rate_falls_to_the_threshold_in_one_round_trip() {
        let mut rate = Rate::new(20 * MSS);
        let mut pipe = 19 * MSS;
        for _ in 0..19 {
            pipe -= MSS;
            let cwnd = rate.window(MSS, pipe, 14 * MSS, MSS, false);
            while pipe + MSS <= cwnd {
                pipe += MSS;
                rate.sent(MSS);
            }
        }
        assert!((13 * MSS..=14 * MSS).contains(&pipe), "{pipe}");
    }

    #[test]
    fn below_the_threshold_it_sends_what_was_delivered() {
        let mut rate = Rate::new(20 * MSS);
        assert_eq!(rate.window(0, 2 * MSS, 10 * MSS, MSS, false), 3 * MSS);
        rate.sent(MSS);
        assert_eq!(rate.window(3 * MSS, 2 * MSS, 10 * MSS, MSS, false), 4 * MSS);
        assert_eq!(rate.window(0, 2 * MSS, 10 * MSS, MSS, true), 5 * MSS);
    }
}
