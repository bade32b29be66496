//! Every interleaving of the park token, the wait queue's look without a lock, and both together
//! as threads use them. `RUSTFLAGS="--cfg loom" cargo test --release -p rkt-sched --test loom`
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use rkt_sched::{Occupancy, Token};

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// A thread as the scheduler sees it, and the one run queue that it can be on.
struct Thread {
    token: Token,
    /// Saved stack pointer: written by the vCPU that leaves, read by the one that resumes.
    saved: UnsafeCell<usize>,
    ready: Mutex<usize>,
    enqueued: Condvar,
}

// SAFETY: `saved` is what the token guards; loom reports it if it does not.
unsafe impl Sync for Thread {}
// SAFETY: as above.
unsafe impl Send for Thread {}

impl Thread {
    fn running() -> Self {
        let token = Token::parked();
        token.notify();
        token.consume();
        Self { token, saved: UnsafeCell::new(0), ready: Mutex::new(0), enqueued: Condvar::new() }
    }

    /// Whoever puts the thread on a run queue owns it, and what was saved of it.
    fn enqueue(&self) {
        // SAFETY: see above; that it is so is what the model checks.
        self.saved.with_mut(|saved| unsafe { *saved += 1 });
        let mut ready = self.ready.lock().unwrap();
        *ready += 1;
        assert_eq!(*ready, 1, "a thread is on a run queue at most once");
        self.enqueued.notify_one();
    }

    /// As `Thread::wake`.
    fn wake(&self) {
        if self.token.notify() {
            self.enqueue();
        }
    }

    /// As `schedule`, `finish_switch` and the vCPU that picks the thread from the queue. A lost
    /// wake is a deadlock here, which loom reports.
    fn schedule(&self) {
        if !self.token.begin_park() {
            return;
        }
        // SAFETY: on its way out, nobody else may use it.
        self.saved.with_mut(|saved| unsafe { *saved += 1 });
        if !self.token.finish_park() {
            self.enqueue();
        }
        let mut ready = self.ready.lock().unwrap();
        while *ready == 0 {
            ready = self.enqueued.wait(ready).unwrap();
        }
        *ready -= 1;
        drop(ready);
        // SAFETY: taken from the queue.
        self.saved.with_mut(|saved| unsafe { *saved += 1 });
        self.token.consume();
    }
}

#[test]
fn a_wake_is_not_lost_whenever_it_comes() {
    check(|| {
        let me = Arc::new(Thread::running());
        let condition = Arc::new(AtomicUsize::new(0));
        let waker = {
            let (me, condition) = (me.clone(), condition.clone());
            thread::spawn(move || {
                condition.store(1, Relaxed);
                me.wake();
            })
        };
        while condition.load(Relaxed) == 0 {
            me.schedule();
        }
        waker.join().unwrap();
    });
}

#[test]
fn the_second_of_two_wakes_is_not_lost_in_the_first() {
    check(|| {
        let me = Arc::new(Thread::running());
        let conditions = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let wakers = [0, 1].map(|n| {
            let (me, conditions) = (me.clone(), conditions.clone());
            thread::spawn(move || {
                conditions[n].store(1, Relaxed);
                me.wake();
            })
        });
        while conditions.iter().any(|condition| condition.load(Relaxed) == 0) {
            me.schedule();
        }
        wakers.into_iter().for_each(|waker| waker.join().unwrap());
    });
}

/// As `WaitQueue` with room for one, but with the fast path, the lock and the fences it has.
struct Queue {
    occupancy: Occupancy,
    entry: Mutex<Option<Arc<Thread>>>,
}

impl Queue {
    fn add(&self, thread: &Arc<Thread>) {
        let mut entry = self.entry.lock().unwrap();
        *entry = Some(thread.clone());
        self.occupancy.publish(1);
    }

    fn remove(&self) {
        let mut entry = self.entry.lock().unwrap();
        *entry = None;
        self.occupancy.publish(0);
    }

    fn wake_all(&self) {
        if self.occupancy.any()
            && let Some(thread) = &*self.entry.lock().unwrap()
        {
            thread.wake();
        }
    }
}

#[test]
fn a_waiter_and_a_waker_do_not_miss_each_other() {
    check(|| {
        let queue = Arc::new(Queue { occupancy: Occupancy::new(), entry: Mutex::new(None) });
        let condition = Arc::new(AtomicUsize::new(0));
        let waker = {
            let (queue, condition) = (queue.clone(), condition.clone());
            thread::spawn(move || {
                condition.store(1, Relaxed);
                queue.wake_all();
            })
        };
        let me = Arc::new(Thread::running());
        queue.add(&me);
        while condition.load(Relaxed) == 0 {
            me.schedule();
        }
        queue.remove();
        waker.join().unwrap();
    });
}

/// The fast path by itself: the lock of the queue, which orders more than it has to, is left out.
#[test]
fn one_side_sees_the_other() {
    check(|| {
        let state = Arc::new((Occupancy::new(), AtomicUsize::new(0)));
        let waker = {
            let state = state.clone();
            thread::spawn(move || {
                state.1.store(1, Relaxed);
                state.0.any()
            })
        };
        state.0.publish(1);
        let saw_condition = state.1.load(Relaxed) == 1;
        let saw_waiter = waker.join().unwrap();
        assert!(saw_condition || saw_waiter);
    });
}
