//! The idle loop, which is the poller.

use crate::{cpu, timer};
use core::sync::atomic::{AtomicU64, Ordering};

/// Functions that look after devices and other sources of work.
#[derive(Clone, Copy)]
pub struct Poller {
    /// Does what there is to do; true if there was anything.
    pub poll: fn() -> bool,
    /// Whether `poll` would find anything. Called after the vCPU declared itself parked.
    pub has_work: fn() -> bool,
    /// When `poll` wants to run next for its own timers, monotonic nanoseconds; `u64::MAX` = never.
    pub deadline: fn() -> u64,
    /// Called before a vCPU parks: queues should kick this one.
    pub parking: fn(cpu: usize),
}

/// How long an idle vCPU looks for work before it parks, in microseconds; `u64::MAX` = always (`--poll busy`).
static SPIN_US: AtomicU64 = AtomicU64::new(20);

/// Sets the poll budget, see [`idle_loop`].
pub fn set_spin(us: u64) {
    SPIN_US.store(us, Ordering::Relaxed);
}

fn poll() -> bool {
    let fired = timer::expire();
    let polled = cpu::poller().is_some_and(|poller| (poller.poll)());
    fired || polled
}

fn has_work() -> bool {
    cpu::any_ready() || cpu::poller().is_some_and(|poller| (poller.has_work)())
}

fn deadline() -> u64 {
    timer::next_deadline().min(cpu::poller().map_or(u64::MAX, |poller| (poller.deadline)()))
}

/// Runs ready threads, polls when there is none, and parks when polling finds nothing for the
/// poll budget. Never returns; every carrier that is not in a thread is in here.
pub fn idle_loop() -> ! {
    cpu::finish_switch();
    let mut idle_since = rkt_platform::tsc();
    loop {
        cpu::note_turn();
        // Before anything else: a fresh address space pays a fault for each page that polling touches.
        if let Some(thread) = cpu::take_picked() {
            cpu::run(thread);
            idle_since = rkt_platform::tsc();
        }
        let busy = poll();
        if let Some(thread) = cpu::pick() {
            let space = thread.space();
            if space != rkt_platform::SpaceId::NONE && space != rkt_platform::space() {
                cpu::keep_picked(thread);
                rkt_platform::pass(space);
            } else {
                cpu::run(thread);
            }
            idle_since = rkt_platform::tsc();
            continue;
        }
        if busy {
            idle_since = rkt_platform::tsc();
            continue;
        }
        let spun_us = rkt_platform::tsc().saturating_sub(idle_since) / rkt_platform::tsc_per_us().max(1);
        if spun_us < SPIN_US.load(Ordering::Relaxed) {
            core::hint::spin_loop();
            continue;
        }
        if let Some(poller) = cpu::poller() {
            (poller.parking)(rkt_platform::cpu());
        }
        rkt_platform::park(deadline(), &mut has_work);
        idle_since = rkt_platform::tsc();
    }
}
