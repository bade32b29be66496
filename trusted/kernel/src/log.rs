//! What the kernel tells the supervisor about itself (boundary/log), and `--stats`.

use core::sync::atomic::{AtomicU64, Ordering};
use rkt_log::{Encoded, Event, Stat};
use rkt_window::layout::header;

/// Logs an event with its integers.
pub fn event(event: Event, values: &[u64]) {
    rkt_platform::log(Encoded::integers(event, values).as_bytes());
}

/// Logs a refusal to start, with text.
pub fn refusal(event: Event, text: &str) {
    rkt_platform::log(Encoded::text(event, text).as_bytes());
}

/// Logs an event with text that holds nothing of the program's.
pub fn text(event: Event, text: &str) {
    rkt_platform::log(Encoded::text(event, text).as_bytes());
}

/// Bits of the unknown calls that were logged already.
static LOGGED: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];

/// Logs an unknown system call, once a number.
pub fn unknown_syscall(number: u64) {
    let at = (number as usize / 64).min(LOGGED.len() - 1);
    let bit = 1 << (number % 64);
    if LOGGED.get(at).is_some_and(|word| word.fetch_or(bit, Ordering::Relaxed) & bit == 0) {
        event(Event::UnknownSyscall, &[number]);
    }
}

/// Sets a counter of `--stats`.
pub fn set(stat: Stat, value: u64) {
    let _ = rkt_platform::window().write_u64(header::STATS + stat as usize * 8, value);
}

/// Publishes the counters.
pub fn publish_stats() {
    let (calls, unknown) = crate::syscall::counters();
    let [patched, traps, ticks] = rkt_platform::counters();
    let run = rkt_sched::counters();
    let memory = rkt_heap::REGION.stats();
    set(Stat::Syscalls, calls);
    set(Stat::UnknownSyscalls, unknown);
    set(Stat::PatchedSites, patched);
    set(Stat::Traps, traps);
    set(Stat::Ticks, ticks);
    set(Stat::ContextSwitches, run.switches);
    set(Stat::MemoryUsed, (memory.used as u64) * 4096);
    crate::boot::publish_device_stats();
}

/// Last words: the counters and what interception did.
pub fn finish() {
    publish_stats();
    let [patched, traps, _] = rkt_platform::counters();
    event(Event::PatchStatistics, &[patched, 0, traps]);
}
