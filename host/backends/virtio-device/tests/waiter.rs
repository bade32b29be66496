//! Every way of sleeping is ended by the doorbell and by the descriptor, whichever comes first, and
//! never sleeps through either.

use rkt_virtio_device::{Interest, Notifier, UringWaiter, Waiter, futex_wake};
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
fn sleep_until(waiter: &mut Waiter, doorbell: &Doorbell, pipe: &File, done: impl Fn() -> bool) -> bool {
    let since = std::time::Instant::now();
    while !done() {
        let seen = doorbell.arm();
        if !done() {
            let interest = Interest { fd: pipe.as_fd(), events: libc::POLLIN };
            waiter.wait(doorbell, seen, Some(interest), WATCHDOG).unwrap();
        }
        doorbell.disarm();
        if since.elapsed() >= WATCHDOG {
            return false;
        }
    }
    true
}

/// One thread publishes numbers and rings, another puts bytes into the pipe; both wait for each
/// number and byte to be taken.
fn both_sources_wake(make: impl FnOnce(Doorbell) -> Waiter) {
    let doorbell = doorbell();
    let published = Arc::new(AtomicU32::new(0));
    let taken = Arc::new(AtomicU32::new(0));
    let (mut read, mut write) = pipe();
    let ringer = std::thread::spawn({
        let (published, taken) = (Arc::clone(&published), Arc::clone(&taken));
        move || {
            for number in 1..=ROUNDS {
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
    let mut waiter = make(doorbell);
    let mut bytes = 0;
    let readable = |pipe: &File| {
        let mut poll = libc::pollfd { fd: std::os::fd::AsRawFd::as_raw_fd(pipe), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
    };
    while bytes < ROUNDS as usize || taken.load(Ordering::Relaxed) < ROUNDS {
        let news = || readable(&read) || published.load(Ordering::Acquire) != taken.load(Ordering::Relaxed);
        assert!(sleep_until(&mut waiter, &doorbell, &read, news), "slept through a wake-up");
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
    match UringWaiter::new() {
        // The ring belongs to the thread that makes it.
        Ok(_) => both_sources_wake(|_| Waiter::Uring(Box::new(UringWaiter::new().unwrap()))),
        Err(e) => eprintln!("skipped: this kernel has no io_uring that waits for futexes ({e})"),
    }
}

#[test]
fn notifier() {
    both_sources_wake(|doorbell| Waiter::Notifier(Notifier::spawn(doorbell).unwrap()));
}

/// A wait for input must not end by output, and the other way round, when the interest changes
/// between two sleeps.
#[test]
fn interest_may_change_between_sleeps() {
    let kinds: [fn(Doorbell) -> Waiter; 2] = [
        |doorbell| UringWaiter::new().map_or_else(|_| notifier_for(doorbell), |ring| Waiter::Uring(Box::new(ring))),
        notifier_for,
    ];
    for make in kinds {
        let doorbell = doorbell();
        let mut waiter = make(doorbell);
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut sleep = |events, timeout| {
            let seen = doorbell.arm();
            waiter.wait(&doorbell, seen, Some(Interest { fd: ours.as_fd(), events }), timeout).unwrap();
            doorbell.disarm();
        };
        sleep(libc::POLLIN, Duration::from_millis(1));
        sleep(libc::POLLOUT, WATCHDOG);
        sleep(libc::POLLIN, Duration::from_millis(1));
        (&theirs).write_all(&[1]).unwrap();
        sleep(libc::POLLIN, WATCHDOG);
        sleep(libc::POLLIN | libc::POLLOUT, WATCHDOG);
    }
}

fn notifier_for(doorbell: Doorbell) -> Waiter {
    Waiter::Notifier(Notifier::spawn(doorbell).unwrap())
}
