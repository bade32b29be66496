//! Signals under random schedules.

mod common;

use common::{MEMORY, run};
use rkt_platform_mock::each_seed;

const SIGPROCMASK: u64 = 14;
const KILL: u64 = 62;
const SA_SIGINFO: u64 = 4;
const SA_RESTART: u64 = 0x1000_0000;
const SA_ONSTACK: u64 = 0x0800_0000;
const RT: u64 = 40;
const EINTR: i64 = -4;

const PID: u64 = MEMORY;
const READY: u64 = MEMORY + 8;
const SEEN: u64 = MEMORY + 16;

/// What the interrupted program has in its registers comes back, whatever the handler does.
#[test]
fn queued_signals_arrive_in_order_and_leave_no_trace() {
    each_seed(60, |seed| {
        run(seed, &[1, 1], |program| {
            const COUNT: u64 = 12;
            if program.process == 0 {
                program.handle(RT, SA_SIGINFO, 0);
                let pid = program.call(39, &[]) as u64;
                program.store(PID, pid);
                program.user.registers().rbx = 0xabcd;
                program.user.set_vector([7; 832]);
                while program.handled.len() < COUNT as usize {
                    program.call(24, &[]);
                    assert_eq!(program.user.registers().rbx, 0xabcd);
                    assert_eq!(program.user.vector()[160..416], [7; 256], "xmm0 to xmm15");
                }
                let expected: Vec<_> = (0..COUNT).map(|n| (RT, n)).collect();
                assert_eq!(program.handled, expected);
                return;
            }
            while program.load(PID) == 0 {
                program.call(24, &[]);
            }
            let (at, pid) = (program.scratch(), program.load(PID));
            for n in 0..COUNT {
                // si_signo, si_errno, si_code = SI_QUEUE, padding, si_pid and si_uid, si_value.
                for (offset, word) in [(0, RT), (8, 0xffff_ffff), (16, 0), (24, n)] {
                    program.store(at + offset, word);
                }
                assert_eq!(program.call(129, &[pid, RT, at]), 0);
            }
        });
    });
}

#[test]
fn waits_end_for_a_handler_or_go_on_after_it() {
    each_seed(60, |seed| {
        run(seed, &[1, 1], |program| {
            if program.process == 0 {
                program.handle(10, 0, 0);
                program.handle(12, SA_RESTART, 0);
                let pid = program.call(39, &[]) as u64;
                program.store(PID, pid);
                // A futex wait goes on after the one handler and ends for the other.
                let result = program.call(202, &[SEEN, 128, 0]);
                assert_eq!(result, EINTR);
                assert_eq!(program.handled.last().map(|handled| handled.0), Some(10));
                let at = program.scratch();
                program.store(at, 1);
                program.store(at + 8, 0);
                program.store(READY, 1);
                assert_eq!(program.call(35, &[at, at + 16]), EINTR);
                assert!(program.load(at + 16) == 0 && program.load(at + 24) < 1_000_000_000, "what was left");
                return;
            }
            while program.load(PID) == 0 {
                program.call(24, &[]);
            }
            let pid = program.load(PID);
            program.call(KILL, &[pid, 12]);
            while program.load(READY) == 0 {
                assert_eq!(program.call(KILL, &[pid, 10]), 0);
                program.call(24, &[]);
            }
            // Until it is gone: the nap must not be missed.
            while program.call(KILL, &[pid, 12]) == 0 && program.load(SEEN) < 1000 {
                program.store(SEEN, program.load(SEEN) + 1);
                program.call(24, &[]);
            }
        });
    });
}

#[test]
fn a_blocked_signal_waits_for_sigsuspend() {
    each_seed(40, |seed| {
        run(seed, &[2], |program| {
            let pid = program.call(39, &[]) as u64;
            let at = program.scratch();
            let all = u64::MAX;
            if program.task == 1 {
                program.store(at, all);
                assert_eq!(program.call(SIGPROCMASK, &[2, at, 0, 8]), 0);
                program.store(READY, 1);
                while program.load(READY) == 1 {
                    program.call(24, &[]);
                }
                assert_eq!(program.call(KILL, &[pid, 10]), 0);
                return;
            }
            program.handle(10, 0, 0);
            program.store(at, 1 << 9);
            assert_eq!(program.call(SIGPROCMASK, &[0, at, 0, 8]), 0);
            while program.load(READY) == 0 {
                program.call(24, &[]);
            }
            assert_eq!(program.call(KILL, &[pid, 10]), 0);
            program.call(24, &[]);
            assert_eq!(program.handled, []);
            assert_eq!(program.call(127, &[at + 8, 8]), 0);
            assert_eq!(program.load(at + 8), 1 << 9);
            program.store(at, 0);
            assert_eq!(program.call(130, &[at, 8]), EINTR);
            assert_eq!(program.handled.len(), 1);
            assert_eq!(program.call(SIGPROCMASK, &[0, 0, at, 8]), 0);
            assert_eq!(program.load(at), 1 << 9, "the mask is back");
            // And once more by sigtimedwait, without a handler.
            program.store(READY, 2);
            program.store(at, 1 << 9);
            assert_eq!(program.call(128, &[at, 0, 0, 8]), 10);
            assert_eq!(program.handled.len(), 1);
        });
    });
}

#[test]
fn a_stopped_process_does_nothing_until_it_is_continued() {
    each_seed(40, |seed| {
        run(seed, &[2, 1], |program| {
            if program.process == 0 {
                let pid = program.call(39, &[]) as u64;
                program.store(PID, pid);
                while program.load(READY) == 0 {
                    program.update(SEEN, |n| n + 1);
                    program.call(24, &[]);
                }
                return;
            }
            while program.load(PID) == 0 {
                program.call(24, &[]);
            }
            let pid = program.load(PID);
            assert_eq!(program.call(KILL, &[pid, 19]), 0);
            let nap = program.scratch();
            program.store(nap, 0);
            program.store(nap + 8, 50_000_000);
            program.call(35, &[nap, 0]);
            let before = program.load32(SEEN);
            program.store(READY, 1);
            program.call(35, &[nap, 0]);
            assert_eq!(program.load32(SEEN), before);
            assert_eq!(program.call(KILL, &[pid, 18]), 0);
        });
    });
}

#[test]
fn an_alarm_goes_off_as_often_as_it_was_set_to() {
    each_seed(20, |seed| {
        run(seed, &[1], |program| {
            program.handle(14, SA_ONSTACK, 0);
            let at = program.scratch();
            for (n, word) in [0, 10_000, 0, 5_000].into_iter().enumerate() {
                program.store(at + n as u64 * 8, word);
            }
            assert_eq!(program.call(38, &[0, at, 0]), 0);
            for n in 1..=3 {
                assert_eq!(program.call(34, &[]), EINTR);
                assert!(program.handled.len() >= n);
            }
            (0..4).for_each(|n| program.store(at + n * 8, 0));
            assert_eq!(program.call(38, &[0, at, at + 32]), 0);
            assert_eq!(program.load(at + 40), 10_000, "the period");
        });
    });
}

#[test]
fn default_actions_end_the_process() {
    each_seed(20, |seed| {
        run(seed, &[3], |program| {
            if program.task == 0 {
                let pid = program.call(39, &[]) as u64;
                program.call(KILL, &[pid, 15]);
                unreachable!("SIGTERM");
            }
            program.call(34, &[]);
            unreachable!("pause without a handler");
        });
    });
}
