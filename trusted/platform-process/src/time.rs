//! Clocks from the time-stamp counter, which is invariant on the processors that we run on.

use core::sync::atomic::{AtomicU64, Ordering};

static START_TSC: AtomicU64 = AtomicU64::new(0);
static START_WALL: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds a tick, times 2^32.
static SCALE: AtomicU64 = AtomicU64::new(0);
static TICKS_PER_US: AtomicU64 = AtomicU64::new(1);

/// Reads the time-stamp counter.
#[inline]
pub fn tsc() -> u64 {
    // SAFETY: RDTSC is allowed at user level (CR4.TSD clear on Linux).
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Starts the clocks with what the host said: the counter's frequency, and the wall clock at a
/// value of the counter. Both are hints; nonsense is refused.
pub fn start(hz: u64, at_tsc: u64, wall_ns: u64) -> bool {
    if !(100_000_000..=20_000_000_000).contains(&hz) {
        return false;
    }
    SCALE.store(((1_000_000_000u128 << 32) / u128::from(hz)) as u64, Ordering::Relaxed);
    TICKS_PER_US.store(hz / 1_000_000, Ordering::Relaxed);
    let now = tsc();
    START_TSC.store(now, Ordering::Relaxed);
    START_WALL.store(wall_ns.saturating_add(scale(now.saturating_sub(at_tsc))), Ordering::Relaxed);
    true
}

fn scale(ticks: u64) -> u64 {
    ((u128::from(ticks) * u128::from(SCALE.load(Ordering::Relaxed))) >> 32) as u64
}

/// Nanoseconds since the clocks were started.
pub fn now() -> u64 {
    scale(tsc().saturating_sub(START_TSC.load(Ordering::Relaxed)))
}

/// Nanoseconds since the epoch.
pub fn wall() -> u64 {
    START_WALL.load(Ordering::Relaxed).saturating_add(now())
}

/// Ticks a microsecond.
pub fn ticks_per_us() -> u64 {
    TICKS_PER_US.load(Ordering::Relaxed)
}

/// What the clocks are computed from: the counter at the start, nanoseconds a tick times 2^32, and the
/// wall clock at the start.
pub fn parameters() -> [u64; 3] {
    [&START_TSC, &SCALE, &START_WALL].map(|value| value.load(Ordering::Relaxed))
}
