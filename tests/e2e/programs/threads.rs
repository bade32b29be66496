//! 64 threads: channels, locks, barriers, thread-local storage.

use std::cell::Cell;
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

const THREADS: u64 = 64;

thread_local!(static OWN: Cell<u64> = const { Cell::new(0) });

fn main() {
    let (sender, receiver) = mpsc::channel();
    let (barrier, total) = (Arc::new(Barrier::new(THREADS as usize)), Arc::new(Mutex::new(0)));
    let threads: Vec<_> = (0..THREADS)
        .map(|id| {
            let (sender, barrier, total) = (sender.clone(), barrier.clone(), total.clone());
            thread::spawn(move || {
                for round in 0..50 {
                    barrier.wait();
                    OWN.with(|own| own.set(own.get() + round * id));
                    *total.lock().unwrap() += id;
                }
                sender.send((id, OWN.with(Cell::get))).unwrap();
            })
        })
        .collect();
    drop(sender);
    let mut results: Vec<_> = receiver.iter().collect();
    results.sort();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    println!("{results:?}\ntotal {}", total.lock().unwrap());
}
