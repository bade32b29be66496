//! When to acknowledge (RFC 1122 §4.2.3.2, RFC 5681 §4.2), as Linux does it: at once while a connection
//! is young or was idle, so that the sender's window grows; later with data of our own or for two
//! segments together; never later than 200 ms.

use crate::config::MILLISECOND;

/// Linux's `TCP_ATO_MIN`: the least delay.
const DELAY_MIN: u64 = 40 * MILLISECOND;
/// Linux's `TCP_DELACK_MAX`.
const DELAY_MAX: u64 = 200 * MILLISECOND;
/// Linux's `TCP_MAX_QUICKACKS`: segments acknowledged at once.
const QUICK: u8 = 16;
/// The size of full segments before any came (Linux's `TCP_MSS_DEFAULT`, RFC 9293 §3.7.1).
const SEGMENT_DEFAULT: u32 = 536;

/// What is owed to the peer.
pub(crate) struct Acks {
    /// An acknowledgment is due at once.
    pub(crate) due: bool,
    /// Data waits for an acknowledgment.
    pub(crate) pending: bool,
    /// How many more are sent at once.
    quick: u8,
    /// We answer with data, on which acknowledgments ride.
    conversation: bool,
    /// How long the next may be delayed, adapted to the gaps between segments; zero before the first.
    delay: u64,
    /// When data last came.
    last_data: u64,
    /// What a full segment of the peer's seems to be.
    segment: u32,
}

impl Acks {
    pub(crate) const fn new() -> Self {
        let segment = SEGMENT_DEFAULT;
        Self { due: false, pending: false, quick: 0, conversation: false, delay: 0, last_data: 0, segment }
    }

    /// The peer's segment size as seen.
    pub(crate) fn segment(&self) -> u32 {
        self.segment
    }

    /// When data last came.
    pub(crate) fn last_data(&self) -> u64 {
        self.last_data
    }

    /// The present delay, in ns.
    pub(crate) fn delay(&self) -> u64 {
        self.delay
    }

    /// `len` bytes came; the peer's segments are at most `mss`, `window` is ours.
    pub(crate) fn on_data(&mut self, now: u64, len: u32, mss: u16, window: u64, rto: u64) {
        // A row that was merged on the way counts as full segments.
        self.segment = self.segment.max(len.min(mss.into()));
        self.pending = true;
        let gap = now.saturating_sub(self.last_data);
        if self.delay == 0 {
            self.quicken(window);
            self.delay = DELAY_MIN;
        } else if gap <= DELAY_MIN / 2 {
            self.delay = self.delay / 2 + DELAY_MIN / 2;
        } else if gap < self.delay {
            self.delay = (self.delay / 2 + gap).min(rto);
        } else if gap > rto {
            // The sender was idle and may start with a small window.
            self.quicken(window);
        }
        self.last_data = now;
    }

    /// Something came out of order or twice: the sender wants to know (RFC 5681 §4.2).
    pub(crate) fn on_disorder(&mut self) {
        self.due = true;
        self.quick = QUICK;
        self.conversation = false;
        self.delay = DELAY_MIN;
    }

    /// The network is congested on the peer's way, or was (RFC 3168 §6.1.3): it hears of it at once, and of the next
    /// segment, too (as in Linux).
    pub(crate) fn on_mark(&mut self) {
        self.due = true;
        self.quick = self.quick.max(2);
        self.conversation = false;
        self.delay = DELAY_MIN;
    }

    /// Data came in order and is noted by [`Acks::on_data`]: now, or when it is time?
    /// `unacknowledged` bytes lie since the last acknowledgment.
    pub(crate) fn decide(&mut self, unacknowledged: u64) {
        // RFC 1122 §4.2.3.2: at least every second full segment.
        let two = unacknowledged > u64::from(self.segment);
        self.due |= two || (self.quick > 0 && !self.conversation);
    }

    /// How long the pending acknowledgment may wait.
    pub(crate) fn wait(&self, smoothed: Option<u64>) -> u64 {
        let bound = smoothed.map_or(DELAY_MAX, |rtt| rtt.clamp(DELAY_MIN, DELAY_MAX));
        let most = if self.conversation { DELAY_MAX } else { bound };
        self.delay.clamp(DELAY_MIN, most)
    }

    /// The delay was used up: conversations that end are seen by this.
    pub(crate) fn expired(&mut self, rto: u64) {
        if self.conversation {
            self.conversation = false;
            self.delay = DELAY_MIN;
        } else {
            self.delay = (self.delay * 2).min(rto);
        }
        self.due = true;
    }

    /// An acknowledgment went out.
    pub(crate) fn sent(&mut self) {
        self.due = false;
        self.pending = false;
        self.quick = self.quick.saturating_sub(1);
    }

    /// Data of ours went out. Soon after theirs, it is an answer.
    pub(crate) fn sent_data(&mut self, now: u64) {
        if self.delay > 0 && now.saturating_sub(self.last_data) < self.delay {
            self.conversation = true;
        }
    }

    /// `TCP_QUICKACK`.
    pub(crate) fn set_quick(&mut self, quick: bool) {
        self.conversation = !quick;
        self.due |= quick && self.pending;
    }

    fn quicken(&mut self, window: u64) {
        let segments = (window / (2 * u64::from(self.segment))).clamp(2, QUICK.into());
        self.quick = self.quick.max(segments as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTO: u64 = 200 * MILLISECOND;

    #[test]
    fn the_first_segments_are_acknowledged_at_once_then_every_second() {
        let mut acks = Acks::new();
        for _ in 0..16 {
            acks.on_data(0, 1000, 1460, 65536, RTO);
            acks.decide(1000);
            assert!(acks.due);
            acks.sent();
        }
        acks.on_data(1, 1000, 1460, 65536, RTO);
        acks.decide(1000);
        assert!(!acks.due && acks.pending);
        acks.on_data(1, 1000, 1460, 65536, RTO);
        acks.decide(2000);
        assert!(acks.due);
    }

    #[test]
    fn an_answer_carries_the_acknowledgment() {
        let mut acks = Acks::new();
        acks.on_data(0, 100, 1460, 65536, RTO);
        acks.sent_data(MILLISECOND);
        acks.on_data(2 * MILLISECOND, 100, 1460, 65536, RTO);
        acks.decide(100);
        assert!(!acks.due);
        assert!((DELAY_MIN..=DELAY_MAX).contains(&acks.wait(None)));
        acks.expired(RTO);
        assert!(acks.due);
    }
}
