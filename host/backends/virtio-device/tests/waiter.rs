//! Every way of sleeping is ended by the doorbell and by the descriptor, whichever comes first, and
//! never sleeps through either.

use rkt_virtio_device::{Interest, Waiter, futex_wake};
use rkt_window::{Doorbell, Region};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Longer than anything here takes.
const WATCHDOG: Duration = Duration::from_secs(8);
const ROUNDS: u32 = 5000;

fn doorbell() -> Doorbell {
    #[repr(align(64))]
    struct Line([u8; 64]);
    let line = Box::leak(Box::new(Line([0; 64])));
    // SAFETY: leaked, and reached through the region alone from here on.
    let region = unsafe { Region::from_raw(line.0.as_mut_ptr(), 64) };
    Doorbell::at(&region, 0).unwrap()
}

fn pipe() -> (File, File) {
    let (read, write) = std::io::pipe().unwrap();
    (File::from(std::os::fd::OwnedFd::from(read)), File::from(std::os::fd::OwnedFd::from(write)))
}

/// Sleeps until `done`; false if a sleep went on for the whole watchdog.
fn sleep_until(waiter: &mut Waiter, pipe: &File, done: impl Fn() -> bool) -> bool {
    let since = std::time::Instant::now();
    while !done() {
        waiter.arm();
        if !done() {
            waiter.wait(&[Interest { fd: pipe.as_fd(), events: libc::POLLIN }], WATCHDOG).unwrap();
        }
        waiter.disarm();
        if since.elapsed() >= WATCHDOG {
            return false;
        }
    }
    true
}

/// One thread publishes numbers and rings one of several doorbells, another puts bytes into the pipe;
/// both wait for each number and byte to be taken.
fn both_sources_wake(bells: usize, make: impl FnOnce(Vec<Doorbell>) -> Waiter) {
    let doorbells: Vec<Doorbell> = (0..bells).map(|_| doorbell()).collect();
    let published = Arc::new(AtomicU32::new(0));
    let taken = Arc::new(AtomicU32::new(0));
    let (mut read, mut write) = pipe();
    let ringer = std::thread::spawn({
        let (published, taken) = (Arc::clone(&published), Arc::clone(&taken));
        let doorbells = doorbells.clone();
        move || {
            for (number, doorbell) in (1..=ROUNDS).zip(doorbells.iter().cycle()) {
                published.store(number, Ordering::Release);
                if doorbell.ring() {
                    futex_wake(doorbell.word());
                }
                while taken.load(Ordering::Acquire) < number {
                    std::thread::yield_now();
                }
            }
        }
    });
    let writer = std::thread::spawn(move || {
        for _ in 0..ROUNDS {
            write.write_all(&[1]).unwrap();
            std::thread::yield_now();
        }
        write
    });
    let mut waiter = make(doorbells);
    let mut bytes = 0;
    let readable = |pipe: &File| {
        let mut poll = libc::pollfd { fd: std::os::fd::AsRawFd::as_raw_fd(pipe), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
    };
    while bytes < ROUNDS as usize || taken.load(Ordering::Relaxed) < ROUNDS {
        let news = || readable(&read) || published.load(Ordering::Acquire) != taken.load(Ordering::Relaxed);
        assert!(sleep_until(&mut waiter, &read, news), "slept through a wake-up");
        taken.store(published.load(Ordering::Acquire), Ordering::Release);
        if readable(&read) {
            bytes += read.read(&mut [0; 64]).unwrap();
        }
    }
    ringer.join().unwrap();
    writer.join().unwrap();
}

#[test]
fn uring() {
    match Waiter::with_uring(vec![doorbell()]) {
        // The ring belongs to the thread that makes it.
        Ok(_) => [1, 3].into_iter().for_each(|n| both_sources_wake(n, |bells| Waiter::with_uring(bells).unwrap())),
        Err(e) => eprintln!("skipped: this kernel has no io_uring that waits for futexes ({e})"),
    }
}

#[test]
fn notifier() {
    for bells in [1, 3] {
        both_sources_wake(bells, |bells| Waiter::with_notifier(bells).unwrap());
    }
}

/// A wait for input must not end by output, and the other way round, when the interest changes
/// between two sleeps.
#[test]
fn interest_may_change_between_sleeps() {
    let best = Waiter::new(vec![doorbell()], true).unwrap();
    for mut waiter in [best, Waiter::with_notifier(vec![doorbell()]).unwrap()] {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut sleep = |events, timeout| {
            waiter.arm();
            waiter.wait(&[Interest { fd: ours.as_fd(), events }], timeout).unwrap();
            waiter.disarm();
        };
        sleep(libc::POLLIN, Duration::from_millis(1));
        sleep(libc::POLLOUT, WATCHDOG);
        sleep(libc::POLLIN, Duration::from_millis(1));
        (&theirs).write_all(&[1]).unwrap();
        sleep(libc::POLLIN, WATCHDOG);
        sleep(libc::POLLIN | libc::POLLOUT, WATCHDOG);
    }
}
