//! Parks, wakes, wait queues, timers and interruption under random schedules.
#![cfg(not(loom))]

use rkt_platform::SpaceId;
use rkt_platform_mock::{chance, each_seed, pick, simulate, spawn};
use rkt_sched::{Interrupted, Notify, Timer, WaitError, WaitQueue, current, schedule, sleep_until, yield_now};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

const NONE: SpaceId = SpaceId::NONE;

#[test]
fn no_wake_is_lost_between_threads_that_play_ball() {
    each_seed(300, |seed| {
        simulate(seed, || {
            let ball = Arc::new((AtomicU64::new(0), WaitQueue::new()));
            for player in 0..3 {
                let ball = ball.clone();
                spawn(NONE, move || {
                    for _ in 0..20 {
                        ball.1.wait(None, || (ball.0.load(Relaxed) % 3 == player).then_some(())).unwrap();
                        ball.0.fetch_add(1, Relaxed);
                        ball.1.wake_all(0);
                        if chance(5) {
                            yield_now();
                        }
                    }
                });
            }
        });
    });
}

#[test]
fn a_wake_before_the_park_makes_it_return_at_once() {
    each_seed(50, |seed| {
        simulate(seed, || {
            let me = current().to_arc();
            me.wake();
            me.wake();
            schedule();
            let other = spawn(NONE, move || me.wake());
            schedule();
            drop(other);
        });
    });
}

#[test]
fn parks_and_wakes_match_in_any_order() {
    each_seed(200, |seed| {
        simulate(seed, || {
            let work = Arc::new(AtomicU64::new(0));
            let done = Arc::new(AtomicU64::new(0));
            let worker = {
                let (work, done) = (work.clone(), done.clone());
                spawn(NONE, move || {
                    while done.load(Relaxed) < 100 {
                        if work.load(Relaxed) == 0 {
                            schedule();
                            continue;
                        }
                        work.fetch_sub(1, Relaxed);
                        done.fetch_add(1, Relaxed);
                    }
                })
            };
            for _ in 0..4 {
                let (work, worker) = (work.clone(), worker.clone());
                spawn(NONE, move || {
                    for _ in 0..25 {
                        work.fetch_add(1, Relaxed);
                        worker.wake();
                        if chance(3) {
                            yield_now();
                        }
                    }
                });
            }
        });
    });
}

#[test]
fn time_out_neither_early_nor_never() {
    each_seed(100, |seed| {
        simulate(seed, || {
            for _ in 0..10 {
                spawn(NONE, || {
                    let deadline = rkt_platform::now() + pick(1_000_000);
                    let nothing = WaitQueue::new();
                    assert_eq!(nothing.wait(Some(deadline), || None::<()>), Err(WaitError::TimedOut));
                    assert!(nothing.is_empty(), "who waits no more is in no queue");
                    assert!(rkt_platform::now() >= deadline);
                });
            }
            assert_eq!(WaitQueue::new().wait(Some(0), || Some(7)), Ok(7), "a true condition beats a past deadline");
            sleep_until(rkt_platform::now() + 3_000_000).unwrap();
        });
    });
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines() {
    struct Order(u64, Arc<Mutex<Vec<u64>>>);
    impl Notify for Order {
        fn notify(self: Arc<Self>, _: u32) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    each_seed(50, |seed| {
        // With one vCPU, since several take timers off in order but notify at the same time.
        let mut config = rkt_platform_mock::Config::new(seed);
        config.cpus = 1;
        config.run(|| {
            let fired = Arc::new(Mutex::new(Vec::new()));
            let start = rkt_platform::now() + 1_000_000;
            let mut timers: Vec<Timer> = Vec::new();
            let mut expected = Vec::new();
            for _ in 0..20 {
                let deadline = start + pick(10);
                timers.push(Timer::arm(deadline, Arc::new(Order(deadline, fired.clone()))));
                expected.push(deadline);
            }
            assert_eq!(rkt_sched::next_deadline(), *expected.iter().min().unwrap());
            // Those that are dropped never fire.
            for _ in 0..5 {
                let at = pick(timers.len() as u64) as usize;
                drop((timers.remove(at), expected.remove(at)));
            }
            expected.sort();
            sleep_until(start + 20).unwrap();
            assert_eq!(*fired.lock().unwrap(), expected);
            assert_eq!(rkt_sched::next_deadline(), u64::MAX);
        });
    });
}

#[test]
fn interruption_ends_what_may_be_interrupted() {
    each_seed(100, |seed| {
        simulate(seed, || {
            let open = Arc::new((AtomicU64::new(0), WaitQueue::new()));
            let sleeper = spawn(NONE, || {
                assert_eq!(sleep_until(u64::MAX), Err(Interrupted));
                assert_eq!(current().check_interrupt(), Err(Interrupted));
                current().clear_interrupt();
                assert_eq!(sleep_until(rkt_platform::now() + 10), Ok(()));
            });
            let stubborn = {
                let open = open.clone();
                spawn(NONE, move || {
                    open.1.wait_uninterruptible(|| (open.0.load(Relaxed) == 1).then_some(()));
                    assert!(current().interrupted(), "the request outlasts a wait that ignores it");
                })
            };
            if chance(2) {
                sleep_until(rkt_platform::now() + 10_000).unwrap();
            }
            sleeper.interrupt();
            stubborn.interrupt();
            sleep_until(rkt_platform::now() + 10_000).unwrap();
            open.0.store(1, Relaxed);
            open.1.wake_all(0);
        });
    });
}

/// Counts notifications and remembers the events.
#[derive(Default)]
struct Count(AtomicUsize, AtomicUsize);

impl Notify for Count {
    fn notify(self: Arc<Self>, events: u32) {
        self.0.fetch_add(1, Relaxed);
        self.1.fetch_or(events as usize, Relaxed);
    }
}

#[test]
fn exclusive_waiters_are_woken_in_turn_and_shared_ones_always() {
    simulate(0, || {
        let queue = Arc::new(WaitQueue::new());
        let counts: Vec<Arc<Count>> = (0..4).map(|_| Arc::new(Count::default())).collect();
        let exclusive = [true, false, true, true];
        let registered: Vec<_> = counts.iter().zip(exclusive).map(|(c, x)| queue.register(c.clone(), x)).collect();
        let seen = || counts.iter().map(|count| count.0.load(Relaxed)).collect::<Vec<_>>();
        assert_eq!(queue.wake(1, 4), 1);
        assert_eq!(seen(), [1, 1, 0, 0]);
        assert_eq!(counts[0].1.load(Relaxed), 4);
        assert_eq!(queue.wake(1, 1), 1);
        assert_eq!(seen(), [1, 2, 1, 0], "first come, first served");
        assert!(!registered[0].leave(), "taken by the first wake");
        assert!(registered[3].leave(), "still in the queue");
        assert_eq!(queue.wake(9, 1), 0);
        assert_eq!(seen(), [1, 3, 1, 0]);
        queue.wake_all(8);
        assert_eq!(seen(), [1, 4, 1, 0]);
        drop(registered);
        assert!(queue.is_empty());
    });
}

#[test]
fn an_exclusive_target_may_leave_the_queue_when_it_is_dropped() {
    struct Holder(Mutex<Option<rkt_sched::Registration>>);
    impl Notify for Holder {
        fn notify(self: Arc<Self>, _: u32) {}
    }
    simulate(0, || {
        let queue = Arc::new(WaitQueue::new());
        let holder = Arc::new(Holder(Mutex::new(None)));
        let inner = queue.register(Arc::new(Count::default()), false);
        *holder.0.lock().unwrap() = Some(inner);
        let outer = queue.register(holder, true);
        assert_eq!(queue.wake(1, 0), 1);
        assert!(queue.is_empty());
        drop(outer);
    });
}

#[test]
fn each_permit_reaches_one_exclusive_waiter() {
    struct Permits(AtomicU64, Arc<WaitQueue>);
    each_seed(200, |seed| {
        simulate(seed, || {
            let permits = Arc::new(Permits(AtomicU64::new(0), Arc::new(WaitQueue::new())));
            for _ in 0..5 {
                let permits = permits.clone();
                spawn(NONE, move || {
                    for _ in 0..10 {
                        let mut registration = permits.1.register(current().to_arc(), true);
                        while permits.0.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).is_err() {
                            schedule();
                            // A spurious return finds the entry in place, a wake has taken it.
                            if !registration.leave() || chance(2) {
                                registration = permits.1.register(current().to_arc(), true);
                                continue;
                            }
                            registration = permits.1.register(current().to_arc(), true);
                        }
                        if !registration.leave() {
                            permits.1.wake(1, 0);
                        }
                    }
                });
            }
            for _ in 0..50 {
                permits.0.fetch_add(1, Relaxed);
                permits.1.wake(1, 0);
                if chance(2) {
                    yield_now();
                }
            }
        });
    });
}
