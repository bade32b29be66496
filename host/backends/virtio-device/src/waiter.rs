//! How a device thread sleeps for two things at once: its doorbell, a futex in the window that
//! the enclave rings, and its descriptor (TAP, socket).
//!
//! One thread a device with one sleep for both was chosen over a thread a queue: on a small
//! machine the enclave, its client and the back end share the processors, and a request that
//! comes in and its answer that goes out then cost one wake-up of one thread with warm caches,
//! not one wake-up each of two. io_uring can wait for a futex (Linux 6.7) and a descriptor in one
//! call; a round trip through it takes 8 us where a bare futex takes 6 us and an eventfd 8.7 us
//! (both sides on one CPU; across two idle CPUs 105, 78 and 95-114 us, most of it the halt).
//! Where io_uring is missing or forbidden, a helper thread waits for the futex and writes an
//! eventfd. A device without a descriptor needs neither.

use crate::sys;
use io_uring::{IoUring, opcode, types};
use rkt_window::Doorbell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A descriptor to wait for.
#[derive(Clone, Copy)]
pub struct Interest<'a> {
    /// The descriptor: the same one for the life of the device.
    pub fd: BorrowedFd<'a>,
    /// `POLLIN`, `POLLOUT` or both.
    pub events: i16,
}

/// A way of sleeping.
pub enum Waiter {
    /// `futex(2)`: for devices without a descriptor.
    Futex,
    /// One ring that waits for futex and descriptor.
    Uring(Box<UringWaiter>),
    /// A helper thread that turns the doorbell into an eventfd.
    Notifier(Notifier),
}

impl Waiter {
    /// The best waiter that this kernel offers.
    ///
    /// # Errors
    /// If the kernel denies even an eventfd or a thread.
    pub fn new(doorbell: Doorbell, has_descriptor: bool) -> io::Result<Self> {
        if !has_descriptor {
            return Ok(Self::Futex);
        }
        match UringWaiter::new() {
            Ok(ring) => Ok(Self::Uring(Box::new(ring))),
            Err(_) => Notifier::spawn(doorbell).map(Self::Notifier),
        }
    }

    /// Sleeps until the doorbell's word is no longer `seen` (from [`Doorbell::arm`]), the
    /// descriptor is ready, or the time is over. May wake for nothing.
    ///
    /// # Errors
    /// Those of the kernel; the caller cannot go on sleeping this way.
    pub fn wait(
        &mut self,
        doorbell: &Doorbell,
        seen: u32,
        interest: Option<Interest<'_>>,
        timeout: Duration,
    ) -> io::Result<()> {
        match self {
            Self::Futex => {
                sys::futex_wait(doorbell.word(), seen, timeout);
                Ok(())
            }
            Self::Uring(ring) => ring.wait(doorbell, seen, interest, timeout),
            Self::Notifier(notifier) => notifier.wait(interest, timeout),
        }
    }
}

const FUTEX_DONE: u64 = 1;
const REMOVE_DONE: u64 = 2;
/// With the poll mask in the low bits.
const POLL_DONE: u64 = 1 << 32;

/// `FUTEX2_SIZE_U32` (futex2(2)): a 32-bit word, shared between processes.
const FUTEX2_SIZE_U32: u32 = 2;
/// `FUTEX_BITSET_MATCH_ANY`.
const MATCH_ANY: u64 = 0xffff_ffff;

/// Waits through io_uring. A wait for the futex or the descriptor that has not ended stays in
/// the ring for the next sleep: any later wake of the word still ends it, whatever value it was
/// started for.
pub struct UringWaiter {
    ring: IoUring,
    futex_pending: bool,
    poll_pending: Option<i16>,
}

impl UringWaiter {
    /// A ring that can wait for futexes.
    ///
    /// # Errors
    /// `Unsupported` on kernels that cannot (before 6.7); those of `io_uring_setup(2)`.
    pub fn new() -> io::Result<Self> {
        let ring = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(8)?;
        let mut probe = io_uring::Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::FutexWait::CODE) || !ring.params().is_feature_ext_arg() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Self { ring, futex_pending: false, poll_pending: None })
    }

    fn push(&mut self, entry: &io_uring::squeue::Entry) -> io::Result<()> {
        // SAFETY: the entries of this module name only the futex word, which is mapped until
        // the process ends, and descriptors, which the kernel checks.
        unsafe { self.ring.submission().push(entry) }.map_err(|_| io::ErrorKind::QuotaExceeded.into())
    }

    fn wait(
        &mut self,
        doorbell: &Doorbell,
        seen: u32,
        interest: Option<Interest<'_>>,
        timeout: Duration,
    ) -> io::Result<()> {
        if !self.futex_pending {
            let wait = opcode::FutexWait::new(doorbell.word().as_ptr(), seen.into(), MATCH_ANY, FUTEX2_SIZE_U32);
            self.push(&wait.build().user_data(FUTEX_DONE))?;
            self.futex_pending = true;
        }
        let wanted = interest.map(|i| i.events);
        if let Some(old) = self.poll_pending
            && wanted != Some(old)
        {
            self.push(&opcode::PollRemove::new(POLL_DONE | old as u64).build().user_data(REMOVE_DONE))?;
            self.poll_pending = None;
        }
        if let (Some(Interest { fd, events }), None) = (interest, self.poll_pending) {
            let poll = opcode::PollAdd::new(types::Fd(fd.as_raw_fd()), events as u32);
            self.push(&poll.build().user_data(POLL_DONE | events as u64))?;
            self.poll_pending = Some(events);
        }
        let time = types::Timespec::from(timeout);
        let args = types::SubmitArgs::new().timespec(&time);
        match self.ring.submitter().submit_with_args(1, &args) {
            Err(e) if !matches!(e.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY)) => return Err(e),
            _ => {}
        }
        for done in self.ring.completion() {
            match done.user_data() {
                FUTEX_DONE => self.futex_pending = false,
                poll if self.poll_pending.is_some_and(|mask| poll == POLL_DONE | mask as u64) => {
                    self.poll_pending = None;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Waits for the doorbell on behalf of a thread that waits for descriptors.
pub struct Notifier {
    bell: Arc<File>,
    doorbell: Doorbell,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Notifier {
    /// Starts the helper thread.
    ///
    /// # Errors
    /// If the kernel denies an eventfd or a thread.
    pub fn spawn(doorbell: Doorbell) -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and is owned by nobody else.
        let bell = Arc::new(unsafe { File::from_raw_fd(fd) });
        let stop = Arc::new(AtomicBool::new(false));
        let (writer, stopped) = (Arc::clone(&bell), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("rkt-notifier".into()).spawn(move || {
            let mut last = doorbell.word().load(Ordering::Acquire);
            while !stopped.load(Ordering::Acquire) {
                sys::futex_wait(doorbell.word(), last, Duration::from_secs(1));
                let now = doorbell.word().load(Ordering::Acquire);
                if now != last {
                    last = now;
                    // Full (EAGAIN) means that the waiter has not even looked at the last one.
                    let _ = (&*writer).write(&1u64.to_ne_bytes());
                }
            }
        })?;
        Ok(Self { bell, doorbell, stop, thread: Some(thread) })
    }

    fn wait(&self, interest: Option<Interest<'_>>, timeout: Duration) -> io::Result<()> {
        sys::poll_two(interest.map(|i| (i.fd, i.events)), self.bell.as_fd(), timeout)?;
        // Nothing to read (EAGAIN) means that the descriptor or the clock woke us.
        let _ = (&*self.bell).read(&mut [0; 8]);
        Ok(())
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.doorbell.word().fetch_add(1, Ordering::Release);
        sys::futex_wake(self.doorbell.word());
        if let Some(thread) = self.thread.take() {
            // A helper that panicked has nothing left to clean up.
            let _ = thread.join();
        }
    }
}
