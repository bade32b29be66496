//! Futexes under random schedules.

mod common;

use common::{MEMORY, Program, run};
use rkt_platform_mock::each_seed;

const FUTEX: u64 = 202;
const WAIT: u64 = 128;
const WAKE: u64 = 129;
const CMP_REQUEUE: u64 = 132;
const LOCK_PI: u64 = 134;
const UNLOCK_PI: u64 = 135;
const ALL: u64 = i32::MAX as u64;

const LOCK: u64 = MEMORY;
const COUNTER: u64 = MEMORY + 8;
const CONDITION: u64 = MEMORY + 16;
const READY: u64 = MEMORY + 24;

/// Drepper, "Futexes Are Tricky", the second mutex.
fn lock(program: &mut Program<'_>) {
    if program.exchange(LOCK, 0, 1) != 0 {
        while program.update(LOCK, |_| 2) != 0 {
            let result = program.call(FUTEX, &[LOCK, WAIT, 2]);
            assert!(result == 0 || result == -11, "wait: {result}");
        }
    }
}

fn unlock(program: &mut Program<'_>) {
    if program.update(LOCK, |_| 0) == 2 {
        assert!(program.call(FUTEX, &[LOCK, WAKE, 1]) <= 1);
    }
}

/// Adds one in two steps that others must not come between.
fn count(program: &mut Program<'_>) {
    let n = program.load(COUNTER);
    program.call(39, &[]);
    program.store(COUNTER, n + 1);
}

#[test]
fn a_lock_of_wait_and_wake() {
    each_seed(60, |seed| {
        run(seed, &[4], |program| {
            for _ in 0..10 {
                lock(program);
                count(program);
                unlock(program);
            }
            if program.update(READY, |n| n + 1) == 3 {
                assert_eq!(program.load(COUNTER), 40);
            }
        });
    });
}

#[test]
fn a_lock_that_passes_itself_on() {
    each_seed(60, |seed| {
        run(seed, &[4], |program| {
            let tid = program.call(186, &[]) as u32;
            for _ in 0..10 {
                if program.exchange(LOCK, 0, tid) != 0 {
                    assert_eq!(program.call(FUTEX, &[LOCK, LOCK_PI]), 0);
                }
                assert_eq!(program.load32(LOCK) & 0x3fff_ffff, tid);
                assert_eq!(program.call(FUTEX, &[LOCK, LOCK_PI]), -35, "EDEADLK");
                count(program);
                if program.exchange(LOCK, tid, 0) != tid {
                    assert_eq!(program.call(FUTEX, &[LOCK, UNLOCK_PI]), 0);
                }
            }
            if program.update(READY, |n| n + 1) == 3 {
                assert_eq!(program.load(COUNTER), 40);
            }
        });
    });
}

#[test]
fn requeued_waiters_are_woken_one_by_one() {
    each_seed(60, |seed| {
        run(seed, &[4], |program| {
            if program.task > 0 {
                program.update(READY, |n| n + 1);
                assert!(matches!(program.call(FUTEX, &[CONDITION, WAIT, 0]), 0 | -11));
                program.update(COUNTER, |n| n + 1);
                return;
            }
            while program.load32(READY) < 3 {
                program.call(24, &[]);
            }
            // Those that do not sleep yet will see the new value.
            let old = program.load32(CONDITION);
            assert_eq!(program.call(FUTEX, &[CONDITION, CMP_REQUEUE, 1, ALL, LOCK, 99]), -11);
            let moved = program.call(FUTEX, &[CONDITION, CMP_REQUEUE, 0, ALL, LOCK, u64::from(old)]);
            program.update(CONDITION, |n| n + 1);
            let late = program.call(FUTEX, &[CONDITION, WAKE, ALL]);
            assert!(moved + late <= 3);
            for _ in 0..moved {
                assert_eq!(program.call(FUTEX, &[LOCK, WAKE, 1]), 1);
            }
            assert_eq!(program.call(FUTEX, &[LOCK, WAKE, 1]), 0);
        });
    });
}

#[test]
fn waits_end_in_time() {
    each_seed(20, |seed| {
        run(seed, &[1], |program| {
            let at = program.scratch();
            program.store(at, 0);
            program.store(at + 8, 1_000_000);
            assert_eq!(program.call(FUTEX, &[CONDITION, WAIT, 0, at]), -110, "ETIMEDOUT");
            program.store(at + 8, 1_000_000_000);
            assert_eq!(program.call(FUTEX, &[CONDITION, WAIT, 0, at]), -22, "EINVAL");
            assert_eq!(program.call(FUTEX, &[CONDITION + 2, WAIT, 0]), -22, "EINVAL");
            assert_eq!(program.call(FUTEX, &[8, WAIT, 0]), -14, "EFAULT");
            assert_eq!(program.call(FUTEX, &[CONDITION, WAKE, 1]), 0, "nobody is left behind");
        });
    });
}

/// The list of robust futexes: its head, then one entry whose word lies 8 bytes behind it.
#[test]
fn a_dead_owner_is_reported() {
    each_seed(20, |seed| {
        run(seed, &[2], |program| {
            const HEAD: u64 = MEMORY + 256;
            const ENTRY: u64 = MEMORY + 512;
            const WORD: u64 = ENTRY + 8;
            if program.task == 0 {
                let tid = program.call(186, &[]) as u64;
                for (at, word) in [(HEAD, ENTRY), (HEAD + 8, 8), (HEAD + 16, 0), (ENTRY, HEAD), (WORD, tid)] {
                    program.store(at, word);
                }
                assert_eq!(program.call(273, &[HEAD, 23]), -22, "EINVAL");
                assert_eq!(program.call(273, &[HEAD, 24]), 0);
                program.update(READY, |_| 1);
                return;
            }
            while program.load32(READY) == 0 {
                program.call(24, &[]);
            }
            let found = program.update(WORD, |word| if word & 0x4000_0000 == 0 { word | 0x8000_0000 } else { word });
            if found & 0x4000_0000 == 0 {
                let expected = u64::from(found | 0x8000_0000);
                assert!(matches!(program.call(FUTEX, &[WORD, 0, expected]), 0 | -11));
            }
            assert_eq!(program.load32(WORD) & 0x7fff_ffff, 0x4000_0000);
        });
    });
}
