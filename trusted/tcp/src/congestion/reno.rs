//! NewReno's window (RFC 5681 §3.1).

use super::Ack;

/// Congestion avoidance: one segment a round trip.
#[derive(Default)]
pub(super) struct Reno {
    /// Bytes acknowledged since the window last grew (appropriate byte counting, RFC 3465 §2.1).
    counted: u64,
}

impl Reno {
    /// How much the window grows.
    pub(super) fn growth(&mut self, ack: &Ack, cwnd: u64) -> u64 {
        self.counted += ack.delivered;
        let segments = self.counted / cwnd.max(1);
        self.counted -= segments * cwnd;
        segments * ack.mss
    }

    /// The threshold after a loss (equation 4).
    pub(super) fn reduced(&mut self, flight: u64) -> u64 {
        self.counted = 0;
        flight / 2
    }
}
