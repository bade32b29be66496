//! Every interleaving of a sleeper and its kickers at a doorbell, over a futex that wakes only
//! who waits. `RUSTFLAGS="--cfg loom" cargo test --release -p rkt-window --test loom`
#![cfg(loom)]

use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use rkt_window::Doorbell;

struct Sleeper {
    bell: Doorbell,
    bucket: Mutex<()>,
    woken: Condvar,
    work: [AtomicU32; 2],
}

impl Sleeper {
    fn new() -> Self {
        let word = || &*Box::leak(Box::new(AtomicU32::new(0)));
        Self {
            bell: Doorbell::of(word(), word()),
            bucket: Mutex::new(()),
            woken: Condvar::new(),
            work: [AtomicU32::new(0), AtomicU32::new(0)],
        }
    }

    /// Looks for this piece of work and parks as the doorbell's description says until it is
    /// there. A kick that is lost is a deadlock, which loom reports.
    fn await_work(&self, piece: usize) {
        let found = || self.work[piece].load(Relaxed) == 1;
        while !found() {
            let seen = self.bell.arm();
            if !found() {
                // FUTEX_WAIT: compares and goes to sleep in one step.
                let bucket = self.bucket.lock().unwrap();
                if self.bell.word().load(Relaxed) == seen {
                    drop(self.woken.wait(bucket).unwrap());
                }
            }
            self.bell.disarm();
        }
    }

    fn kick(&self, piece: usize) {
        self.work[piece].store(1, Relaxed);
        if self.bell.ring() {
            let _bucket = self.bucket.lock().unwrap();
            self.woken.notify_all();
        }
    }
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn a_kick_is_not_lost() {
    check(|| {
        let sleeper = Arc::new(Sleeper::new());
        let kicker = {
            let sleeper = sleeper.clone();
            thread::spawn(move || sleeper.kick(0))
        };
        sleeper.await_work(0);
        kicker.join().unwrap();
    });
}

#[test]
fn the_second_park_is_as_safe_as_the_first() {
    check(|| {
        let sleeper = Arc::new(Sleeper::new());
        let kicker = {
            let sleeper = sleeper.clone();
            thread::spawn(move || {
                sleeper.kick(0);
                sleeper.kick(1);
            })
        };
        sleeper.await_work(0);
        sleeper.await_work(1);
        kicker.join().unwrap();
    });
}

#[test]
fn two_kickers_at_once() {
    check(|| {
        let sleeper = Arc::new(Sleeper::new());
        let kickers = [0, 1].map(|piece| {
            let sleeper = sleeper.clone();
            thread::spawn(move || sleeper.kick(piece))
        });
        sleeper.await_work(0);
        sleeper.await_work(1);
        kickers.into_iter().for_each(|kicker| kicker.join().unwrap());
    });
}
