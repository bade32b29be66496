//! How fast the time-stamp counter runs, for the clocks inside the enclave.

use crate::sys;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::Duration;

/// The shortest time over which the counter's rate is measured: at 30 ns of error a reading,
/// 2 ms give 30 parts per million.
const SPAN_NS: u64 = 2_000_000;

/// One simultaneous reading of the counter and a clock.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    tsc: u64,
    ns: u64,
}

/// What the window's header says about time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Counter at the moment of `wall_ns`.
    pub tsc: u64,
    /// Nanoseconds since the Unix epoch.
    pub wall_ns: u64,
    /// Counter ticks a second.
    pub tsc_hz: u64,
}

fn nanoseconds(t: Timespec) -> u64 {
    (t.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(t.tv_nsec as u64)
}

/// Reads a clock between two readings of the counter, and keeps the tightest of a few tries:
/// an interrupt between the readings would shift one against the other.
fn read(clock: ClockId) -> Reading {
    let mut best = (u64::MAX, Reading { tsc: 0, ns: 0 });
    for _ in 0..5 {
        let before = sys::tsc();
        let ns = nanoseconds(clock_gettime(clock));
        let width = sys::tsc().wrapping_sub(before);
        if width < best.0 {
            best = (width, Reading { tsc: before.wrapping_add(width / 2), ns });
        }
    }
    best.1
}

impl Reading {
    /// Reads `CLOCK_MONOTONIC_RAW`. Taken when the command starts, so that by the time the
    /// window is filled the measurement has cost no waiting.
    pub fn now() -> Self {
        read(ClockId::MonotonicRaw)
    }

    /// The counter's rate since this reading, and the wall clock.
    pub fn finish(self) -> Clock {
        let mut now = Self::now();
        let elapsed = now.ns.saturating_sub(self.ns);
        if elapsed < SPAN_NS {
            std::thread::sleep(Duration::from_nanos(SPAN_NS - elapsed));
            now = Self::now();
        }
        let ticks = u128::from(now.tsc.wrapping_sub(self.tsc));
        let ns = u128::from(now.ns.saturating_sub(self.ns).max(1));
        let wall = read(ClockId::Realtime);
        Clock { tsc: wall.tsc, wall_ns: wall.ns, tsc_hz: (ticks * 1_000_000_000 / ns) as u64 }
    }
}
