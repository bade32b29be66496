//! Every interleaving of the lock and the once cell, with a futex that loses no wake-up but those
//! that the callers lose. `RUSTFLAGS="--cfg loom" cargo test --release -p rkt-sync --test loom`
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use rkt_sync::{OnceCell, RawLock};

struct Counter {
    lock: RawLock,
    count: UnsafeCell<usize>,
}

// SAFETY: the count is touched only under the lock; loom reports it if that is not so.
unsafe impl Sync for Counter {}
// SAFETY: as above.
unsafe impl Send for Counter {}

impl Counter {
    fn add(&self) {
        self.lock.acquire();
        // SAFETY: under the lock.
        self.count.with_mut(|count| unsafe { *count += 1 });
        self.lock.release();
    }
}

fn count(others: usize, each: usize) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let counter = Arc::new(Counter { lock: RawLock::new(), count: UnsafeCell::new(0) });
        let work = move |counter: Arc<Counter>| (0..each).for_each(|_| counter.add());
        let threads: Vec<_> = (0..others)
            .map(|_| {
                let counter = counter.clone();
                thread::spawn(move || work(counter))
            })
            .collect();
        work(counter.clone());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        counter.lock.acquire();
        // SAFETY: under the lock.
        assert_eq!(counter.count.with(|count| unsafe { *count }), (others + 1) * each);
    });
}

#[test]
fn lock_excludes_two_repeatedly() {
    count(1, 2);
}

#[test]
fn lock_excludes_three() {
    count(2, 1);
}

/// A value that loom watches: reading it before it is written, as seen from the reader, is an error.
struct Watched(UnsafeCell<usize>);

// SAFETY: only read once the cell has published it; loom reports it if that is not so.
unsafe impl Sync for Watched {}
// SAFETY: as above.
unsafe impl Send for Watched {}

impl Watched {
    fn new(value: usize) -> Self {
        let watched = Self(UnsafeCell::new(0));
        // SAFETY: nobody else knows it yet.
        watched.0.with_mut(|cell| unsafe { *cell = value });
        watched
    }

    fn read(&self) -> usize {
        // SAFETY: nobody writes any more.
        self.0.with(|cell| unsafe { *cell })
    }
}

#[test]
fn once_cell_publishes() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let cell = Arc::new(OnceCell::new());
        let make = |value| {
            let cell = cell.clone();
            thread::spawn(move || cell.get_or_init(|| Watched::new(value)).read())
        };
        let threads = [make(1), make(2)];
        let early = cell.get().map(Watched::read);
        let seen = threads.map(|thread| thread.join().unwrap());
        assert_eq!(seen[0], seen[1]);
        assert!(early.is_none_or(|value| value == seen[0]));
    });
}
