//! How a device thread sleeps for two kinds of things at once: doorbells, futexes in windows that
//! enclaves ring, and descriptors (TAP, socket).
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
    /// The descriptor: the same one at the same place for the life of the waiter.
    pub fd: BorrowedFd<'a>,
    /// `POLLIN`, `POLLOUT`, both, or 0: not now.
    pub events: i16,
}

/// Sleeps on a fixed set of doorbells, and on descriptors.
///
/// [`Waiter::arm`], look at every source of work once more, [`Waiter::wait`] if there is none,
/// [`Waiter::disarm`].
pub struct Waiter {
    bells: Vec<(Doorbell, u32)>,
    way: Way,
}

/// A way of sleeping.
enum Way {
    /// `futex(2)`: for one doorbell and no descriptor.
    Futex,
    /// One ring that waits for futexes and descriptors.
    Uring(Box<UringWaiter>),
    /// A helper thread a doorbell that turns it into an eventfd.
    Notifier(Notifier),
}

impl Waiter {
    /// The best waiter that this kernel offers.
    ///
    /// # Errors
    /// If the kernel denies even an eventfd or a thread.
    pub fn new(bells: Vec<Doorbell>, has_descriptor: bool) -> io::Result<Self> {
        if bells.len() == 1 && !has_descriptor {
            return Ok(Self::on(bells, Way::Futex));
        }
        Self::with_uring(bells.clone()).or_else(|_| Self::with_notifier(bells))
    }

    /// A waiter through io_uring. It belongs to the calling thread.
    ///
    /// # Errors
    /// `Unsupported` on kernels whose io_uring cannot wait for futexes (before 6.7); those of
    /// `io_uring_setup(2)`.
    pub fn with_uring(bells: Vec<Doorbell>) -> io::Result<Self> {
        let ring = UringWaiter::new(bells.len())?;
        Ok(Self::on(bells, Way::Uring(Box::new(ring))))
    }

    /// A waiter through helper threads.
    ///
    /// # Errors
    /// If the kernel denies an eventfd or a thread.
    pub fn with_notifier(bells: Vec<Doorbell>) -> io::Result<Self> {
        let notifier = Notifier::spawn(&bells)?;
        Ok(Self::on(bells, Way::Notifier(notifier)))
    }

    fn on(bells: Vec<Doorbell>, way: Way) -> Self {
        Self { bells: bells.into_iter().map(|bell| (bell, 0)).collect(), way }
    }

    /// Says at every doorbell that the thread is about to sleep.
    pub fn arm(&mut self) {
        for (bell, seen) in &mut self.bells {
            *seen = bell.arm();
        }
    }

    /// Says at every doorbell that the thread is awake.
    pub fn disarm(&mut self) {
        for (bell, _) in &self.bells {
            bell.disarm();
        }
    }

    /// Sleeps until a doorbell was rung since [`Waiter::arm`], a descriptor is ready, or the time is
    /// over. May wake for nothing.
    ///
    /// # Errors
    /// Those of the kernel; the caller cannot go on sleeping this way.
    pub fn wait(&mut self, interests: &[Interest<'_>], timeout: Duration) -> io::Result<()> {
        match (&mut self.way, self.bells.as_slice()) {
            (Way::Futex, [(bell, seen), ..]) => sys::futex_wait(bell.word(), *seen, timeout),
            (Way::Futex, []) => {}
            (Way::Uring(ring), bells) => ring.wait(bells, interests, timeout)?,
            (Way::Notifier(notifier), _) => notifier.wait(interests, timeout)?,
        }
        Ok(())
    }
}

/// Completion of a wait for the doorbell with the number in the low bits.
const FUTEX_DONE: u64 = 1 << 32;
/// Completion of a wait for a descriptor: its number from bit 16 on, the poll mask in the low bits.
const POLL_DONE: u64 = 1 << 33;
const REMOVE_DONE: u64 = 1 << 34;

/// `FUTEX2_SIZE_U32` (futex2(2)): a 32-bit word, shared between processes.
const FUTEX2_SIZE_U32: u32 = 2;
/// `FUTEX_BITSET_MATCH_ANY`.
const MATCH_ANY: u64 = 0xffff_ffff;

/// Waits through io_uring. A wait for a futex or a descriptor that has not ended stays in
/// the ring for the next sleep: any later wake of the word still ends it, whatever value it was
/// started for.
struct UringWaiter {
    ring: IoUring,
    futexes: Vec<bool>,
    polls: Vec<Option<i16>>,
}

fn poll_tag(index: usize, events: i16) -> u64 {
    POLL_DONE | (index as u64) << 16 | u64::from(events as u16)
}

impl UringWaiter {
    /// A ring that can wait for so many futexes.
    fn new(bells: usize) -> io::Result<Self> {
        let entries = (4 * bells as u32 + 8).next_power_of_two();
        let ring = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(entries)?;
        let mut probe = io_uring::Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::FutexWait::CODE) || !ring.params().is_feature_ext_arg() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Self { ring, futexes: vec![false; bells], polls: Vec::new() })
    }

    fn push(ring: &mut IoUring, entry: &io_uring::squeue::Entry) -> io::Result<()> {
        // SAFETY: the entries of this module name only futex words, which are mapped until
        // the process ends, and descriptors, which the kernel checks.
        unsafe { ring.submission().push(entry) }.map_err(|_| io::ErrorKind::QuotaExceeded.into())
    }

    fn wait(&mut self, bells: &[(Doorbell, u32)], interests: &[Interest<'_>], timeout: Duration) -> io::Result<()> {
        for (index, ((bell, seen), pending)) in bells.iter().zip(&mut self.futexes).enumerate() {
            if !std::mem::replace(pending, true) {
                let wait = opcode::FutexWait::new(bell.word().as_ptr(), (*seen).into(), MATCH_ANY, FUTEX2_SIZE_U32);
                Self::push(&mut self.ring, &wait.build().user_data(FUTEX_DONE | index as u64))?;
            }
        }
        self.polls.resize(interests.len().max(self.polls.len()), None);
        for (index, (Interest { fd, events }, pending)) in interests.iter().zip(&mut self.polls).enumerate() {
            let wanted = Some(*events).filter(|events| *events != 0);
            if *pending == wanted {
                continue;
            }
            if let Some(old) = pending.take() {
                let remove = opcode::PollRemove::new(poll_tag(index, old)).build().user_data(REMOVE_DONE);
                Self::push(&mut self.ring, &remove)?;
            }
            if let Some(events) = wanted {
                let poll = opcode::PollAdd::new(types::Fd(fd.as_raw_fd()), events as u32).build();
                Self::push(&mut self.ring, &poll.user_data(poll_tag(index, events)))?;
                *pending = wanted;
            }
        }
        let time = types::Timespec::from(timeout);
        let args = types::SubmitArgs::new().timespec(&time);
        match self.ring.submitter().submit_with_args(1, &args) {
            Err(e) if !matches!(e.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY)) => return Err(e),
            _ => {}
        }
        for done in self.ring.completion() {
            let tag = done.user_data();
            if tag & FUTEX_DONE != 0 {
                if let Some(pending) = self.futexes.get_mut((tag & 0xffff) as usize) {
                    *pending = false;
                }
            } else if tag & POLL_DONE != 0 {
                let index = (tag >> 16 & 0xffff) as usize;
                if let Some(pending) = self.polls.get_mut(index)
                    && pending.is_some_and(|mask| poll_tag(index, mask) == tag)
                {
                    *pending = None;
                }
            }
        }
        Ok(())
    }
}

/// Waits for doorbells on behalf of a thread that waits for descriptors.
struct Notifier {
    bell: Arc<File>,
    stop: Arc<AtomicBool>,
    threads: Vec<(Doorbell, JoinHandle<()>)>,
}

impl Notifier {
    /// Starts the helper threads.
    fn spawn(doorbells: &[Doorbell]) -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and is owned by nobody else.
        let bell = Arc::new(unsafe { File::from_raw_fd(fd) });
        let mut notifier = Self { bell, stop: Arc::default(), threads: Vec::new() };
        for doorbell in doorbells {
            notifier.help(*doorbell)?;
        }
        Ok(notifier)
    }

    fn help(&mut self, doorbell: Doorbell) -> io::Result<()> {
        let (writer, stopped) = (Arc::clone(&self.bell), Arc::clone(&self.stop));
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
        self.threads.push((doorbell, thread));
        Ok(())
    }

    fn wait(&self, interests: &[Interest<'_>], timeout: Duration) -> io::Result<()> {
        let wanted = interests.iter().filter(|interest| interest.events != 0);
        sys::poll_any(wanted.map(|i| (i.fd, i.events)), self.bell.as_fd(), timeout)?;
        // Nothing to read (EAGAIN) means that a descriptor or the clock woke us.
        let _ = (&*self.bell).read(&mut [0; 8]);
        Ok(())
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for (doorbell, thread) in self.threads.drain(..) {
            doorbell.word().fetch_add(1, Ordering::Release);
            sys::futex_wake(doorbell.word());
            // A helper that panicked has nothing left to clean up.
            let _ = thread.join();
        }
    }
}
