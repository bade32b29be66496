//! The simulation's own promises: mappings as Linux makes them, ends, and one seed for all.

use rkt_heap::{Folio, PAGE as PAGE_LEN, REGION};
use rkt_platform::{Exit, MapError, Protection, SpaceId, UserFault};
use rkt_platform_mock::{Config, Report, each_seed, pick, set_application, simulate, spawn};
use rkt_sched::{WaitQueue, current, exit_current, sleep_until, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};

const PAGE: u64 = PAGE_LEN as u64;
const BASE: u64 = 0x10_0000;
const NONE: Protection = Protection { read: false, write: false, execute: false };
const READ: Protection = Protection { read: true, write: false, execute: false };
const WRITE: Protection = Protection { read: true, write: true, execute: false };

fn put(addr: u64, byte: u8) -> bool {
    rkt_platform::copy_to_user(addr, &byte, 1) == 0
}

fn get(addr: u64) -> Option<u8> {
    let mut byte = 0;
    (rkt_platform::copy_from_user(&mut byte, addr, 1) == 0).then_some(byte)
}

#[test]
fn mappings_replace_split_and_go() {
    simulate(0, || {
        rkt_platform::map_anon(BASE, 8 * PAGE, WRITE).unwrap();
        (0..8).for_each(|i| assert!(put(BASE + i * PAGE, i as u8 + 1)));
        rkt_platform::unmap(BASE + 2 * PAGE, PAGE).unwrap();
        rkt_platform::unmap(BASE + 2 * PAGE, PAGE).unwrap();
        rkt_platform::map_anon(BASE + 4 * PAGE, PAGE, READ).unwrap();
        let seen: Vec<_> = (0..9).map(|i| get(BASE + i * PAGE)).collect();
        assert_eq!(seen, [Some(1), Some(2), None, Some(4), Some(0), Some(6), Some(7), Some(8), None]);
        assert!(!put(BASE + 4 * PAGE, 1));
        // mprotect(2) changes what lies before the first hole, then fails.
        assert_eq!(rkt_platform::protect(BASE, 4 * PAGE, NONE), Err(MapError::NoMemory));
        assert_eq!((get(BASE + PAGE), get(BASE + 3 * PAGE)), (None, Some(4)));
        assert_eq!(rkt_platform::protect(BASE, 2 * PAGE, WRITE), Ok(()));
        assert_eq!(get(BASE + PAGE), Some(2), "the content outlasts the rights");
        // madvise(2) with MADV_DONTNEED does the rest, too.
        assert_eq!(rkt_platform::discard(BASE + PAGE, 3 * PAGE), Err(MapError::NoMemory));
        assert_eq!((get(BASE), get(BASE + PAGE), get(BASE + 3 * PAGE)), (Some(1), Some(0), Some(0)));
        assert_eq!(rkt_platform::load_user(BASE), Ok(1));
        assert_eq!(rkt_platform::load_user(BASE + 2 * PAGE), Err(UserFault));
    });
}

#[test]
fn folios_are_shared_and_private_pages_are_not() {
    simulate(1, || {
        let folio = Folio::zeroed(&REGION, 4).unwrap();
        rkt_platform::map_anon(BASE, PAGE, WRITE).unwrap();
        rkt_platform::map_folio(BASE + PAGE, folio.addr(), 4 * PAGE, WRITE).unwrap();
        assert!(put(BASE, 1) && put(BASE + 2 * PAGE, 2));
        let mut byte = [0];
        folio.copy_out(PAGE_LEN, &mut byte).unwrap();
        assert_eq!(byte, [2]);
        rkt_platform::fork(SpaceId(1)).unwrap();
        let child = spawn(SpaceId(1), || {
            assert_eq!((get(BASE), get(BASE + 2 * PAGE)), (Some(1), Some(2)));
            assert!(put(BASE, 3) && put(BASE + 2 * PAGE, 4));
        });
        while std::sync::Arc::strong_count(&child) > 1 {
            sleep_until(rkt_platform::now() + 1000).unwrap();
        }
        assert_eq!((get(BASE), get(BASE + 2 * PAGE)), (Some(1), Some(4)));
        rkt_platform::discard(BASE + PAGE, 4 * PAGE).unwrap();
        assert_eq!(get(BASE + 2 * PAGE), Some(4), "shared memory is not discarded");
    });
}

#[test]
fn moved_pages_keep_content_and_backing() {
    simulate(2, || {
        let folio = Folio::zeroed(&REGION, 4).unwrap();
        folio.copy_in(2 * PAGE_LEN, &[7]).unwrap();
        rkt_platform::map_anon(BASE, 4 * PAGE, WRITE).unwrap();
        (0..4).for_each(|i| assert!(put(BASE + i * PAGE, i as u8 + 1)));
        let far = BASE + 100 * PAGE;
        rkt_platform::move_pages(BASE + PAGE, 2 * PAGE, 3 * PAGE, far).unwrap();
        let seen: Vec<_> = (0..4).map(|i| (get(BASE + i * PAGE), get(far + i * PAGE))).collect();
        assert_eq!(seen, [(Some(1), Some(2)), (None, Some(3)), (None, Some(0)), (Some(4), None)]);
        rkt_platform::map_folio(BASE, folio.addr(), 4 * PAGE, READ).unwrap();
        rkt_platform::move_pages(BASE + PAGE, 3 * PAGE, PAGE, far).unwrap();
        assert_eq!((get(far), get(far + PAGE), get(BASE + PAGE)), (Some(0), Some(3), None));
        rkt_platform::move_pages(far, PAGE, 2 * PAGE, BASE + 10 * PAGE).unwrap();
        assert_eq!(get(BASE + 11 * PAGE), Some(7), "it grows into the rest of the folio");
    });
}

fn failure(run: impl FnOnce() -> Report) -> String {
    let payload = catch_unwind(AssertUnwindSafe(run)).expect_err("the simulation should fail");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().unwrap_or(&"").to_string(),
    }
}

#[test]
fn failures_are_told_and_leave_nothing_behind() {
    // Not by the thousand: the stacks of threads that cannot end are lost.
    for seed in 0..12 {
        let text = failure(|| simulate(seed, || WaitQueue::new().wait_uninterruptible(|| None)));
        assert!(text.contains("deadlock") && text.contains(&format!("seed {seed}")), "{text}");
        let text = failure(|| {
            simulate(seed, || {
                spawn(SpaceId::NONE, || panic!("in a thread"));
                sleep_until(u64::MAX).unwrap();
            })
        });
        assert_eq!(text, "in a thread");
        let text = failure(|| {
            let mut config = Config::new(seed);
            config.limit = 10_000;
            config.run(|| {
                loop {
                    yield_now();
                    rkt_platform::now();
                }
            })
        });
        assert!(text.contains("still running"), "{text}");
        let lock: &'static rkt_sync::Mutex<()> = Box::leak(Box::new(rkt_sync::Mutex::new(())));
        let text = failure(|| {
            simulate(seed, || {
                let _held = lock.lock();
                drop(lock.lock());
            })
        });
        assert!(text.contains("lock") || text.contains("still running"), "{text}");
        assert_eq!(simulate(seed, || ()).exit, None);
    }
}

#[test]
fn misuse_of_the_door_is_a_panic() {
    let misuses: [(fn(), &str); 6] = [
        (|| assert!(rkt_platform::map_anon(BASE + 1, PAGE, READ).is_err()), "unaligned"),
        (|| assert!(rkt_platform::unmap(rkt_platform::USER_END, PAGE).is_err()), "not the user's"),
        (|| assert!(rkt_platform::map_folio(BASE, 0x1000, PAGE, READ).is_err()), "not in the trusted region"),
        (|| assert!(rkt_platform::move_pages(BASE, PAGE, PAGE, BASE + PAGE).is_err()), "EFAULT"),
        (|| assert!(rkt_platform::fork(SpaceId::FIRST).is_err()), "exists"),
        (|| rkt_platform::end_space(SpaceId::FIRST), "still runs"),
    ];
    for (misuse, complaint) in misuses {
        let text = failure(|| simulate(0, misuse));
        assert!(text.contains(complaint), "{text:?} should say {complaint:?}");
    }
}

#[test]
fn one_seed_is_one_history() {
    let history = |seed| {
        let report = simulate(seed, || {
            for n in 0..4u8 {
                spawn(SpaceId::NONE, move || {
                    for _ in 0..10 {
                        let mut random = [0; 4];
                        rkt_platform::random(&mut random);
                        rkt_platform::log(&[&[n, rkt_platform::cpu() as u8][..], &random].concat());
                        sleep_until(rkt_platform::now() + pick(500)).unwrap();
                    }
                });
            }
        });
        (report.elapsed, report.log)
    };
    each_seed(8, |seed| assert_eq!(history(seed), history(seed)));
    assert_ne!(history(1), history(2));
}

#[test]
fn memory_fails_as_often_as_asked() {
    let mut config = Config::new(5);
    config.no_memory = 3;
    config.run(|| {
        let failed = (0..300).filter(|_| rkt_platform::map_anon(BASE, PAGE, READ).is_err()).count();
        assert!((50..150).contains(&failed), "{failed} of 300");
    });
}

/// A kernel with fork (57), exit_group (231), and getpid (39), which gives the space.
fn syscall(registers: &mut rkt_platform::Registers) {
    match registers.rax {
        39 => registers.rax = u64::from(rkt_platform::space().0),
        57 => {
            rkt_platform::fork(SpaceId(1)).unwrap();
            let child = rkt_sched::Thread::new(SpaceId(1), None, Box::new(|| rkt_platform::enter_user())).unwrap();
            let copy = rkt_platform::Registers { rax: 0, ..*registers };
            current().with_user(|mine| {
                rkt_platform::complete(mine);
                child.prepare_user(&copy, |state| state.xsave = mine.xsave);
            });
            child.wake();
            registers.rax = 1;
        }
        231 if rkt_platform::space() == SpaceId(1) => rkt_platform::exit(Exit::Code(registers.rdi as u8)),
        231 => exit_current(),
        number => panic!("system call {number}"),
    }
}

#[test]
fn an_application_forks() {
    each_seed(20, |seed| {
        let mut config = Config::new(seed);
        config.upcalls.syscall = syscall;
        let report = config.run(|| {
            rkt_platform::map_anon(BASE, PAGE, WRITE).unwrap();
            set_application(SpaceId::FIRST, |user| {
                const FORKED: u64 = 7;
                let mut byte = [0];
                if user.registers().rip == FORKED {
                    assert_eq!(user.registers().rax, 0);
                    assert_eq!(user.syscall(39, [0; 6]), 1);
                    user.read(BASE, &mut byte).unwrap();
                    assert_eq!((byte, user.vector()), ([1], [5; 832]));
                    user.syscall(231, [42, 0, 0, 0, 0, 0]);
                }
                user.write(BASE, &[1]).unwrap();
                user.set_vector([5; 832]);
                user.registers().rip = FORKED;
                assert_eq!(user.syscall(57, [0; 6]), 1);
                user.write(BASE, &[2]).unwrap();
                assert_eq!((user.syscall(39, [0; 6]), user.vector()), (0, [5; 832]));
                assert_eq!(user.read(0, &mut byte), Err(UserFault));
            });
            let first = rkt_sched::Thread::new(SpaceId::FIRST, None, Box::new(|| rkt_platform::enter_user())).unwrap();
            first.wake();
            sleep_until(u64::MAX).unwrap();
        });
        assert_eq!(report.exit, Some(Exit::Code(42)));
    });
}

#[test]
fn faults_and_ticks_reach_the_kernel() {
    use rkt_platform::{Fault, FaultKind};
    let mut config = Config::new(2);
    config.upcalls.tick = |registers, _| registers.rbx += 1;
    config.upcalls.fault = |registers, fault| registers.rip = fault.address;
    config.upcalls.syscall = |registers| rkt_platform::exit(Exit::Code(registers.rbx as u8));
    let report = config.run(|| {
        set_application(SpaceId::FIRST, |user| {
            user.tick();
            user.tick();
            user.fault(Fault { kind: FaultKind::Segment, address: 99, code: 1, trap: (14, 4) });
            assert_eq!((user.registers().rip, user.registers().orig_rax), (99, u64::MAX));
        });
        rkt_sched::Thread::new(SpaceId::FIRST, None, Box::new(|| rkt_platform::enter_user())).unwrap().wake();
        sleep_until(u64::MAX).unwrap();
    });
    assert_eq!(report.exit, Some(Exit::Code(2)), "the closure's return is exit_group");
}

#[test]
fn a_foreign_vector_state_is_made_safe() {
    simulate(0, || {
        let (size, mask) = rkt_platform::xsave_size();
        let mut state = Box::new(rkt_platform::UserState { xsave: [0xff; 2752], ..Default::default() });
        rkt_platform::sanitise(&mut state, size);
        let word = |state: &rkt_platform::UserState, at: usize| {
            u64::from_le_bytes(state.xsave[at..at + 8].try_into().unwrap())
        };
        assert_eq!((word(&state, 512), word(&state, 520)), (mask, 0));
        assert_eq!(state.xsave[26..28], [0, 0], "reserved bits of MXCSR");
        assert!(state.xsave[size..].iter().all(|&byte| byte == 0) && state.xsave[size - 1] == 0xff);
        rkt_platform::sanitise(&mut state, 512);
        assert_eq!(word(&state, 512), 3, "x87 and SSE are all that was given");
    });
}

#[test]
fn the_window_is_as_the_supervisor_makes_it() {
    use rkt_window::layout::{self, header};
    let mut config = Config::new(0);
    config.cpus = 3;
    for _ in 0..2 {
        let report = config.run(|| {
            let window = rkt_platform::window();
            assert_eq!(window.read_u64(header::MAGIC), Ok(layout::MAGIC));
            assert_eq!(window.read_u32(header::VCPUS), Ok(3));
            assert_eq!(window.read_u64(layout::DMA), Ok(0), "nothing of the last simulation is left");
            window.write_u64(layout::DMA, 1).unwrap();
            rkt_platform::ring_device(2);
            rkt_platform::ring_console();
        });
        assert_eq!((report.device_rings[2], report.console_rings), (1, 1));
    }
}
