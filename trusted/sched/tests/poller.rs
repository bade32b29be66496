//! The idle loop with a device to look after.
#![cfg(not(loom))]

use rkt_platform::SpaceId;
use rkt_platform_mock::{Config, chance, each_seed, pick, spawn};
use rkt_sched::{Poller, WaitQueue, set_poller, set_spin, sleep_until};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Requests made, completed by the device, and seen by the poller.
static MADE: AtomicU64 = AtomicU64::new(0);
static COMPLETED: AtomicU64 = AtomicU64::new(0);
static SEEN: AtomicU64 = AtomicU64::new(0);
/// When the device completes the next request; its interrupt is the poller's deadline.
static DUE: AtomicU64 = AtomicU64::new(u64::MAX);
/// The vCPU that last said that it parks, plus one.
static PARKING: AtomicU64 = AtomicU64::new(0);
static QUEUE: WaitQueue = WaitQueue::new();

fn complete_what_is_due() {
    if rkt_platform::now() >= DUE.load(Relaxed) {
        DUE.store(u64::MAX, Relaxed);
        COMPLETED.store(MADE.load(Relaxed), Relaxed);
    }
}

fn has_work() -> bool {
    complete_what_is_due();
    COMPLETED.load(Relaxed) > SEEN.load(Relaxed)
}

fn poll() -> bool {
    if !has_work() {
        return false;
    }
    SEEN.store(COMPLETED.load(Relaxed), Relaxed);
    QUEUE.wake_all(0);
    true
}

#[test]
fn completions_reach_their_threads_however_the_cpus_sleep() {
    set_poller(Poller {
        poll,
        has_work,
        deadline: || DUE.load(Relaxed),
        parking: |cpu| PARKING.store(cpu as u64 + 1, Relaxed),
    });
    each_seed(200, |seed| {
        [&MADE, &COMPLETED, &SEEN, &PARKING].iter().for_each(|counter| counter.store(0, Relaxed));
        DUE.store(u64::MAX, Relaxed);
        let mut config = Config::new(seed);
        config.spurious = 0;
        config.run(|| {
            if chance(8) {
                set_spin(u64::MAX);
            }
            for _ in 0..4 {
                spawn(SpaceId::NONE, || {
                    for _ in 0..10 {
                        let mine = MADE.fetch_add(1, Relaxed) + 1;
                        DUE.fetch_min(rkt_platform::now() + pick(3000), Relaxed);
                        QUEUE.wait(None, || (SEEN.load(Relaxed) >= mine).then_some(())).unwrap();
                        if chance(4) {
                            sleep_until(rkt_platform::now() + pick(10_000)).unwrap();
                        }
                    }
                });
            }
        });
        assert_eq!(SEEN.load(Relaxed), 40);
        assert!(PARKING.load(Relaxed) <= seed % 4 + 1, "no vCPU that does not exist");
    });
}
