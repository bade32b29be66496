//! Threads, vCPUs and address spaces.
#![cfg(not(loom))]

use rkt_platform::{Registers, SpaceId};
use rkt_platform_mock::{Config, advance, chance, each_seed, pick, set_application, simulate, spawn};
use rkt_sched::{Thread, WaitQueue, current, exit_current, sleep_until, yield_now};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

const NONE: SpaceId = SpaceId::NONE;

fn pages_used() -> usize {
    rkt_heap::REGION.stats().used
}

#[test]
fn ended_threads_give_their_stacks_back() {
    each_seed(30, |seed| {
        simulate(seed, || {
            let before = pages_used();
            for round in 0..20 {
                let left = Arc::new((AtomicUsize::new(10), WaitQueue::new()));
                for _ in 0..10 {
                    let left = left.clone();
                    spawn(NONE, move || {
                        sleep_until(rkt_platform::now() + pick(1000)).unwrap();
                        left.0.fetch_sub(1, Relaxed);
                        left.1.wake_all(0);
                    });
                }
                assert!(round > 0 || pages_used() >= before + 16, "a stack takes pages");
                left.1.wait(None, || (left.0.load(Relaxed) == 0).then_some(())).unwrap();
            }
            // The last ones may be on their way out.
            let deadline = rkt_platform::now() + 1_000_000;
            while pages_used() > before && rkt_platform::now() < deadline {
                sleep_until(rkt_platform::now() + 1000).unwrap();
            }
            assert_eq!(pages_used(), before);
        });
    });
}

#[test]
fn a_thread_may_end_in_the_middle() {
    simulate(1, || {
        let value = Arc::new(());
        let weak = Arc::downgrade(&value);
        rkt_sched::spawn(NONE, Box::new(|| exit_current())).unwrap();
        rkt_sched::spawn(NONE, Box::new(move || drop(value))).unwrap();
        while weak.upgrade().is_some() {
            yield_now();
        }
    });
}

#[test]
fn a_thread_that_is_never_started_is_freed() {
    simulate(1, || {
        let before = pages_used();
        let thread = Thread::new(NONE, Some(Arc::new(5u8)), Box::new(|| ())).unwrap();
        assert_eq!(thread.data().and_then(|data| data.downcast_ref::<u8>()), Some(&5));
        drop(thread);
        assert_eq!(pages_used(), before);
    });
}

#[test]
fn yielding_is_fair() {
    each_seed(20, |seed| {
        let mut config = Config::new(seed);
        config.cpus = 1;
        config.run(|| {
            let turns = Arc::new(Mutex::new(Vec::new()));
            for me in 0..4 {
                let turns = turns.clone();
                spawn(NONE, move || {
                    for _ in 0..25 {
                        turns.lock().unwrap().push(me);
                        yield_now();
                    }
                    if turns.lock().unwrap().len() == 100 {
                        let turns = turns.lock().unwrap();
                        assert!(turns.chunks(4).all(|round| round == [0, 1, 2, 3]), "{turns:?}");
                    }
                });
            }
        });
    });
}

/// Makes the next of its kind and ends, as daemons do.
fn link(ended: Arc<AtomicUsize>) {
    if ended.fetch_add(1, Relaxed) < 10_000 {
        advance(100_000);
        spawn(NONE, move || link(ended));
    }
}

#[test]
fn a_chain_of_threads_is_one_of_many() {
    each_seed(20, |seed| {
        let mut config = Config::new(seed);
        config.cpus = 1;
        config.run(|| {
            let ended = Arc::new(AtomicUsize::new(0));
            let chain = ended.clone();
            spawn(NONE, move || link(chain));
            for _ in 0..10 {
                advance(100_000);
                yield_now();
            }
            // Ten turns of this thread, and what a newcomer may be ahead.
            let links = ended.load(Relaxed);
            assert!(links < 200, "{links} links of the chain came first");
            ended.store(10_000, Relaxed);
        });
    });
}

#[test]
fn affinity_holds_a_thread_on_its_cpus() {
    each_seed(60, |seed| {
        let mut config = Config::new(seed);
        config.cpus = 4;
        config.run(|| {
            for mask in [1u64, 2, 8, 0b110, u64::MAX, 0, 1 << 40] {
                let thread = Thread::new(
                    NONE,
                    None,
                    Box::new(move || {
                        for _ in 0..10 {
                            let cpu = rkt_platform::cpu();
                            assert!(mask & 0xf == 0 || mask & (1 << cpu) != 0, "vCPU {cpu} is not in {mask:#x}");
                            if chance(2) {
                                yield_now();
                            } else {
                                sleep_until(rkt_platform::now() + pick(5000)).unwrap();
                            }
                        }
                        DONE.fetch_add(1, Relaxed);
                    }),
                )
                .unwrap();
                thread.set_affinity(mask);
                thread.wake();
            }
            while DONE.load(Relaxed) < 7 {
                sleep_until(rkt_platform::now() + 100_000).unwrap();
            }
            DONE.store(0, Relaxed);
        });
    });
    static DONE: AtomicU64 = AtomicU64::new(0);
}

#[test]
fn the_cpu_of_a_pinned_thread_is_woken() {
    // No timer runs here, and no park ends early: nothing but the kick can do it.
    each_seed(60, |seed| {
        let mut config = Config::new(seed);
        (config.cpus, config.spurious) = (3, 0);
        config.run(|| {
            let turn = Arc::new((AtomicU64::new(0), WaitQueue::new()));
            for cpu in 0..3 {
                let turn = turn.clone();
                let thread = Thread::new(
                    NONE,
                    None,
                    Box::new(move || {
                        for round in 0..10 {
                            let mine = round * 3 + cpu;
                            turn.1.wait(None, || (turn.0.load(Relaxed) == mine).then_some(())).unwrap();
                            turn.0.store(mine + 1, Relaxed);
                            turn.1.wake_all(0);
                        }
                    }),
                )
                .unwrap();
                thread.set_affinity(1 << cpu);
                thread.wake();
            }
            turn.1.wait(None, || (turn.0.load(Relaxed) == 30).then_some(())).unwrap();
        });
    });
}

#[test]
fn a_queued_thread_goes_where_its_new_affinity_says() {
    each_seed(60, |seed| {
        let mut config = Config::new(seed);
        (config.cpus, config.spurious) = (2, 0);
        config.run(|| {
            let ran_on = Arc::new((AtomicU64::new(u64::MAX), WaitQueue::new()));
            let told = ran_on.clone();
            let ran = Box::new(move || {
                told.0.store(rkt_platform::cpu() as u64, Relaxed);
                told.1.wake_all(0);
            });
            let thread = Thread::new(NONE, None, ran).unwrap();
            let here = rkt_platform::cpu();
            thread.set_affinity(1 << here);
            thread.wake();
            thread.set_affinity(1 << (1 - here));
            let ran_on = ran_on.1.wait(None, || Some(ran_on.0.load(Relaxed)).filter(|&cpu| cpu != u64::MAX)).unwrap();
            assert_eq!(ran_on, 1 - here as u64);
        });
    });
}

#[test]
fn idle_cpus_take_work_from_busy_ones() {
    let mut config = Config::new(3);
    config.cpus = 4;
    config.run(|| {
        let seen = Arc::new(AtomicU64::new(0));
        for _ in 0..20 {
            let seen = seen.clone();
            spawn(NONE, move || {
                for _ in 0..50 {
                    seen.fetch_or(1 << rkt_platform::cpu(), Relaxed);
                    yield_now();
                }
            });
        }
        while seen.load(Relaxed) != 0b1111 {
            yield_now();
        }
    });
}

#[test]
fn threads_run_in_their_own_address_space_on_every_cpu() {
    each_seed(100, |seed| {
        simulate(seed, || {
            for space in 1..4 {
                rkt_platform::fork(SpaceId(space)).unwrap();
            }
            let left = Arc::new((AtomicUsize::new(8), WaitQueue::new()));
            for n in 0..8 {
                let left = left.clone();
                spawn(SpaceId(n % 4), move || {
                    for _ in 0..20 {
                        assert_eq!(rkt_platform::space(), SpaceId(n % 4));
                        match pick(3) {
                            0 => yield_now(),
                            1 => sleep_until(rkt_platform::now() + pick(2000)).unwrap(),
                            _ => (),
                        }
                    }
                    left.0.fetch_sub(1, Relaxed);
                    left.1.wake_all(0);
                });
            }
            left.1.wait(None, || (left.0.load(Relaxed) == 0).then_some(())).unwrap();
        });
    });
}

#[test]
fn a_thread_that_moves_to_another_space_takes_no_one_along() {
    each_seed(100, |seed| {
        simulate(seed, || {
            rkt_platform::fork(SpaceId(1)).unwrap();
            for n in 0..4 {
                spawn(SpaceId(n % 2), move || {
                    for turn in 0..10 {
                        let space = SpaceId((n + turn) % 2);
                        current().set_space(space);
                        // Whether this parks is chance; a sleep this long surely does.
                        sleep_until(rkt_platform::now() + 1_000_000).unwrap();
                        assert_eq!(rkt_platform::space(), space);
                    }
                });
            }
        });
    });
}

/// System call 1 of the test kernel yields, 2 looks at the whole processor state.
fn syscall(registers: &mut Registers) {
    match registers.rax {
        1 => yield_now(),
        2 => current().with_user(|state| {
            rkt_platform::complete(state);
            registers.rax = u64::from(state.xsave[700]);
            state.xsave[700] ^= 0xff;
        }),
        231 => {
            let left = current().data().and_then(|data| data.clone().downcast::<AtomicUsize>().ok()).unwrap();
            if left.fetch_sub(1, Relaxed) == 1 {
                rkt_platform::exit(rkt_platform::Exit::Code(registers.rdi as u8));
            }
            drop(left);
            exit_current();
        }
        number => panic!("system call {number}"),
    }
}

#[test]
fn each_thread_finds_its_own_processor_state() {
    each_seed(60, |seed| {
        let mut config = Config::new(seed);
        config.upcalls.syscall = syscall;
        let report = config.run(|| {
            set_application(SpaceId::FIRST, |user| {
                let mine = user.registers().rdi as u8;
                assert_eq!(user.fs_base(), u64::from(mine) * 4096);
                for turn in 0..10 {
                    let image = [mine.wrapping_mul(16) ^ turn; 832];
                    user.set_vector(image);
                    user.syscall(1, [0; 6]);
                    assert_eq!(user.vector(), image);
                    assert_eq!(user.syscall(2, [0; 6]), i64::from(image[0]));
                    assert_eq!(user.vector()[700], !image[0], "the kernel changed it");
                    assert_eq!(user.fs_base(), u64::from(mine) * 4096);
                }
            });
            let left: Arc<AtomicUsize> = Arc::new(AtomicUsize::new(5));
            for n in 1..6 {
                let data = left.clone();
                let thread = Thread::new(SpaceId::FIRST, Some(data), Box::new(|| rkt_platform::enter_user())).unwrap();
                let registers = Registers { rdi: n, ..Registers::default() };
                thread.prepare_user(&registers, |state| state.fs_base = n * 4096);
                thread.wake();
            }
            sleep_until(u64::MAX).unwrap();
        });
        assert_eq!(report.exit, Some(rkt_platform::Exit::Code(0)));
    });
}
