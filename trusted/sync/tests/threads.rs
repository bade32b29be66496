//! The locks between threads, waiting through hooks that behave like futex(2).
#![cfg(not(loom))]

use std::panic;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Barrier, Condvar, Mutex as StdMutex};
use std::thread;

use rkt_sync::{Hooks, Mutex, Once, OnceCell, RwLock, install};

static BUCKET: StdMutex<()> = StdMutex::new(());
static WOKEN: Condvar = Condvar::new();
static HOOKS: Hooks = Hooks {
    wait: |word, expected| {
        let bucket = BUCKET.lock().unwrap();
        if word.load(Ordering::Relaxed) == expected {
            drop(WOKEN.wait(bucket).unwrap());
        }
    },
    wake: |_, _| {
        let _bucket = BUCKET.lock().unwrap();
        WOKEN.notify_all();
    },
};

const THREADS: usize = 4;

/// Runs `work(thread)` on several threads that start together.
fn together(work: impl Fn(usize) + Sync) {
    install(&HOOKS);
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for index in 0..THREADS {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                work(index);
            });
        }
    });
}

#[test]
fn mutex_excludes() {
    let pair = Mutex::new((0, 0));
    together(|_| {
        for round in 0..20_000 {
            let mut pair = pair.lock();
            assert_eq!(pair.0, pair.1);
            pair.0 += 1;
            if round % 1000 == 0 {
                thread::yield_now();
            }
            pair.1 += 1;
        }
    });
    assert_eq!(*pair.lock(), (20_000 * THREADS, 20_000 * THREADS));
}

#[test]
fn try_lock_does_not_wait() {
    let lock = Mutex::new(1);
    let held = lock.lock();
    assert!(lock.try_lock().is_none());
    drop(held);
    assert_eq!(lock.try_lock().map(|value| *value), Some(1));
}

#[test]
fn writers_exclude_everybody() {
    let pair = RwLock::new((0, 0));
    together(|_| {
        for round in 0..10_000 {
            if round % 4 == 0 {
                let mut pair = pair.write();
                pair.0 += 1;
                if round % 1000 == 0 {
                    thread::yield_now();
                }
                pair.1 += 1;
            } else {
                let pair = pair.read();
                assert_eq!(pair.0, pair.1);
            }
        }
    });
    assert_eq!(*pair.read(), (2500 * THREADS, 2500 * THREADS));
}

#[test]
fn readers_share() {
    let lock = RwLock::new(());
    let both = Barrier::new(THREADS);
    together(|_| {
        let _reading = lock.read();
        both.wait();
        assert!(lock.try_write().is_none());
        both.wait();
    });
    assert!(lock.try_write().is_some());
}

#[test]
fn once_cell_is_made_once() {
    for _ in 0..200 {
        let cell = OnceCell::new();
        let made = AtomicUsize::new(0);
        together(|index| {
            let value = cell.get_or_init(|| {
                made.fetch_add(1, Ordering::Relaxed);
                thread::yield_now();
                vec![index; 10]
            });
            assert!(value.iter().all(|&each| each == value[0]));
        });
        assert_eq!(made.into_inner(), 1);
        assert_eq!(cell.set(vec![]), Err(vec![]));
    }
}

#[test]
fn once_cell_drops_its_value() {
    struct Counted<'a>(&'a AtomicU32);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let drops = AtomicU32::new(0);
    let cell = OnceCell::new();
    assert!(cell.set(Counted(&drops)).is_ok());
    assert!(cell.set(Counted(&drops)).is_err());
    drop(cell);
    drop(OnceCell::<Counted<'_>>::new());
    assert_eq!(drops.into_inner(), 2);
}

#[test]
fn once_cell_survives_a_failed_maker() {
    let cell = OnceCell::new();
    let failed = panic::catch_unwind(panic::AssertUnwindSafe(|| cell.get_or_init(|| panic!("on purpose"))));
    assert!(failed.is_err());
    assert_eq!(cell.get(), None);
    assert_eq!(*cell.get_or_init(|| 3), 3);
}

#[test]
fn once_runs_once() {
    static ONCE: Once = Once::new();
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    assert!(!ONCE.is_completed());
    together(|_| {
        ONCE.call_once(|| {
            RUNS.fetch_add(1, Ordering::Relaxed);
        });
        assert!(ONCE.is_completed());
        assert_eq!(RUNS.load(Ordering::Relaxed), 1);
    });
}
