//! Receive window tuning (Linux's dynamic right-sizing): the window is to be twice what the application
//! takes in a round trip, so that the sender's window can double.

use crate::config::BufferSize;

/// How much of a buffer is window: half, as with Linux's `tcp_adv_win_scale` 1; the rest stands for
/// overhead that Linux has and we have not.
pub(crate) const fn window_of(buffer: u32) -> u64 {
    buffer as u64 / 2
}

/// The least receive buffer (Linux's `SOCK_MIN_RCVBUF`).
pub(crate) const LEAST: u32 = 2304;

/// What is taken before anything was: an initial window of the peer's (RFC 6928).
const FIRST_ROUND: u64 = 10 * 1460;

/// The receive buffer's size and the measurement that it is tuned by.
pub(crate) struct Tuning {
    /// Present size, in Linux's units.
    buffer: u32,
    /// Bound of tuning; the present size if that was set by hand.
    max: u32,
    /// The receiver's estimate of the round trip in ns; zero before the first.
    rtt: u64,
    /// Measurement of the round trip by the window (Linux's `rcv_rtt_est`): from when, up to which byte.
    window_round: (u64, u64),
    /// Measurement of what is taken: from when, from which byte.
    taken_round: (u64, u64),
    /// What was taken in a round trip at most.
    taken: u64,
}

impl Tuning {
    pub(crate) fn new(size: BufferSize, now: u64, first: u64) -> Self {
        let max = size.max.max(size.initial);
        Self {
            buffer: size.initial,
            max,
            rtt: 0,
            window_round: (now, 0),
            taken_round: (now, first),
            taken: FIRST_ROUND,
        }
    }

    /// The most that the window can be.
    pub(crate) fn window(&self) -> u64 {
        window_of(self.buffer)
    }

    /// The present size in Linux's units.
    pub(crate) fn buffer(&self) -> u32 {
        self.buffer
    }

    /// The receiver's estimate of the round trip; zero before the first.
    pub(crate) fn rtt(&self) -> u64 {
        self.rtt
    }

    /// What the application takes in a round trip.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// `SO_RCVBUF`: the size is set and stays.
    pub(crate) fn fix(&mut self, buffer: u32) {
        (self.buffer, self.max) = (buffer, buffer);
    }

    /// The stream has reached `nxt`; a window ends at `edge`. `echoed`: a round trip by timestamps, of a
    /// full segment.
    pub(crate) fn on_data(&mut self, now: u64, nxt: u64, edge: u64, echoed: Option<u64>) {
        if let Some(rtt) = echoed {
            self.sample(rtt.max(1));
            return;
        }
        let (since, until) = self.window_round;
        if nxt >= until {
            // A whole window took at least a round trip; the least seen is near it.
            if until != 0 {
                let rtt = now.saturating_sub(since).max(1);
                self.rtt = if self.rtt == 0 { rtt } else { self.rtt.min(rtt) };
            }
            self.window_round = (now, edge);
        }
    }

    /// The application has read up to `read`. True: the buffer grew.
    pub(crate) fn on_read(&mut self, now: u64, read: u64, segment: u64) -> bool {
        let (since, from) = self.taken_round;
        if self.rtt == 0 || now.saturating_sub(since) < self.rtt {
            return false;
        }
        let taken = read.saturating_sub(from);
        self.taken_round = (now, read);
        if taken <= self.taken {
            return false;
        }
        // Twice what was taken, some segments of slack, and by how much the rate has grown.
        let window = 2 * taken + 16 * segment;
        let growth = window.saturating_mul(taken - self.taken) / self.taken;
        self.taken = taken;
        let wanted = window.saturating_add(growth.saturating_mul(2)).saturating_mul(2).min(self.max.into()) as u32;
        let grows = wanted > self.buffer;
        self.buffer = self.buffer.max(wanted);
        grows
    }

    fn sample(&mut self, rtt: u64) {
        self.rtt = match self.rtt {
            0 => rtt,
            old => (7 * old + rtt) / 8,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_follows_the_rate_up_to_its_bound() {
        let mut tuning = Tuning::new(BufferSize { initial: 131_072, max: 1_000_000 }, 0, 0);
        assert!(!tuning.on_read(100, 60_000, 1000), "no round trip is known");
        tuning.on_data(100, 0, 0, Some(50));
        assert!(tuning.on_read(200, 2 * 14_600, 1000));
        assert_eq!(tuning.buffer(), 2 * 3 * (4 * 14_600 + 16_000));
        assert!(!tuning.on_read(260, 3 * 14_600, 1000), "slower than before");
        assert!(tuning.on_read(400, 1_000_000, 1000));
        assert_eq!(tuning.window(), 500_000);
        tuning.fix(8192);
        assert!(!tuning.on_read(1000, 9_000_000, 1000));
        assert_eq!(tuning.window(), 4096);
    }

    #[test]
    fn without_timestamps_a_window_is_a_round_trip() {
        let mut tuning = Tuning::new(BufferSize { initial: 131_072, max: 1_000_000 }, 0, 0);
        tuning.on_data(10, 1000, 66_000, None);
        tuning.on_data(40, 60_000, 120_000, None);
        assert_eq!(tuning.rtt(), 0);
        tuning.on_data(70, 66_000, 130_000, None);
        assert_eq!(tuning.rtt(), 60);
    }
}
