//! The system calls that act on window memory: futexes and vectored I/O.
//!
//! The kernel reads and writes the window directly, so no byte is copied in this process and no
//! Rust reference to window memory is made.

use rkt_window::Region;
use smallvec::SmallVec;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Most parts of one vectored call: enough for 64 KiB in buffers of 256 bytes, a quarter of the
/// kernel's own limit (`IOV_MAX`, 1024).
pub const MAX_PARTS: usize = 256;

/// Sleeps while `word` is `seen`, at most for `timeout`. Wakes for nothing now and then, and does
/// not say why it woke: the caller looks at its sources of work anyway.
pub fn futex_wait(word: &AtomicU32, seen: u32, timeout: Duration) {
    let timeout = timespec(timeout);
    // SAFETY: both pointers live through the call; the futex is not private, as the waker is
    // another process.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, seen, &raw const timeout);
    }
}

/// Wakes the sleepers on `word`.
pub fn futex_wake(word: &AtomicU32) {
    // SAFETY: the word outlives the call.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX);
    }
}

fn timespec(d: Duration) -> libc::timespec {
    libc::timespec { tv_sec: d.as_secs().min(i64::MAX as u64) as i64, tv_nsec: d.subsec_nanos().into() }
}

/// Processors of the host.
pub(crate) struct Processors(libc::cpu_set_t);

impl Processors {
    /// Those that the calling thread may use.
    pub(crate) fn allowed() -> Option<Self> {
        let mut set = Self::none();
        // SAFETY: the set outlives the call.
        let answer = unsafe { libc::sched_getaffinity(0, size_of_val(&set.0), &raw mut set.0) };
        (answer == 0).then_some(set)
    }

    /// This one; none if there can be no such processor.
    pub(crate) fn only(number: usize) -> Self {
        let mut set = Self::none();
        if number < libc::CPU_SETSIZE as usize {
            // SAFETY: the number lies within the set.
            unsafe { libc::CPU_SET(number, &mut set.0) };
        }
        set
    }

    fn none() -> Self {
        // SAFETY: all zeroes is an empty set.
        Self(unsafe { std::mem::zeroed() })
    }

    pub(crate) fn count(&self) -> i32 {
        // SAFETY: it only reads the set.
        unsafe { libc::CPU_COUNT(&self.0) }
    }

    /// Keeps a thread to these, the calling one for 0. What the host refuses changes nothing.
    pub(crate) fn keep(&self, thread: i32) {
        // SAFETY: the set outlives the call.
        unsafe { libc::sched_setaffinity(thread, size_of_val(&self.0), &raw const self.0) };
    }
}

/// The process group of a process; negative if there is no such process.
pub(crate) fn group_of(process: i32) -> i32 {
    // SAFETY: no pointers.
    unsafe { libc::getpgid(process) }
}

/// The parts of a vectored transfer: window regions, and bytes of this process around them.
///
/// A few lie in place, so that making and passing the list on costs next to nothing.
#[derive(Default)]
pub struct Parts(SmallVec<[libc::iovec; 6]>);

impl Parts {
    /// The regions, [`MAX_PARTS`] at most.
    ///
    /// # Errors
    /// `InvalidInput` if there are more.
    pub fn of(regions: &[Region]) -> io::Result<Self> {
        let mut parts = Self::default();
        if regions.iter().all(|region| parts.push(*region)) {
            Ok(parts)
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }

    /// Adds a window region. False if there are [`MAX_PARTS`] already.
    fn push(&mut self, region: Region) -> bool {
        self.push_raw(region.address(), region.len())
    }

    fn push_raw(&mut self, address: usize, len: usize) -> bool {
        let room = self.0.len() < MAX_PARTS;
        if room {
            self.0.push(libc::iovec { iov_base: address as *mut libc::c_void, iov_len: len });
        }
        room
    }

    /// Bytes in all parts.
    pub fn len(&self) -> usize {
        self.0.iter().map(|part| part.iov_len).sum()
    }

    /// Whether there is no byte to transfer.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops the first `n` bytes, for going on after a short transfer.
    fn advance(&mut self, mut n: usize) {
        let whole = self
            .0
            .iter()
            .take_while(|part| {
                let fits = part.iov_len <= n;
                if fits {
                    n -= part.iov_len;
                }
                fits
            })
            .count();
        self.0.drain(..whole);
        if let Some(part) = self.0.first_mut() {
            part.iov_base = part.iov_base.wrapping_byte_add(n);
            part.iov_len -= n;
        }
    }

    /// `readv(2)` with `spill` after the parts, for a message that is longer than they are.
    ///
    /// # Errors
    /// Those of the call, `EAGAIN` among them; `InvalidInput` beyond [`MAX_PARTS`].
    pub fn read_with_spill(mut self, fd: BorrowedFd<'_>, spill: &mut [u8]) -> io::Result<usize> {
        if !self.push_raw(spill.as_mut_ptr() as usize, spill.len()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: every part is a window region or `spill`, borrowed mutably for the call.
        check(unsafe { libc::readv(fd.as_raw_fd(), self.0.as_ptr(), self.0.len() as i32) })
    }

    /// `writev(2)`.
    ///
    /// # Errors
    /// Those of the call, `EAGAIN` among them.
    pub fn write_to(&self, fd: BorrowedFd<'_>) -> io::Result<usize> {
        // SAFETY: every part is a window region (mapped until the process ends).
        check(unsafe { libc::writev(fd.as_raw_fd(), self.0.as_ptr(), self.0.len() as i32) })
    }

    /// `sendmsg(2)` on a socket, `prefix` before the parts, without `SIGPIPE`.
    ///
    /// # Errors
    /// Those of the call, `EAGAIN` among them; `InvalidInput` beyond [`MAX_PARTS`].
    pub fn send_with_prefix(mut self, fd: BorrowedFd<'_>, prefix: &[u8]) -> io::Result<usize> {
        let first = libc::iovec { iov_base: prefix.as_ptr().cast_mut().cast(), iov_len: prefix.len() };
        if self.0.len() >= MAX_PARTS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.0.insert(0, first);
        // SAFETY: all zeroes is an empty message.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = self.0.as_mut_ptr();
        message.msg_iovlen = self.0.len();
        // SAFETY: every part is a window region or `prefix`, borrowed for the call, which only reads.
        check(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) })
    }

    /// `preadv(2)` until all parts are full or the file ends; returns the bytes read.
    ///
    /// # Errors
    /// Those of the call.
    pub fn read_at(mut self, fd: BorrowedFd<'_>, offset: u64) -> io::Result<usize> {
        self.whole(offset, |parts, at| {
            // SAFETY: every part is a window region (mapped until the process ends).
            unsafe { libc::preadv(fd.as_raw_fd(), parts.as_ptr(), parts.len() as i32, at) }
        })
    }

    /// `pwritev(2)` until all parts are written; returns the bytes written.
    ///
    /// # Errors
    /// Those of the call.
    pub fn write_at(mut self, fd: BorrowedFd<'_>, offset: u64) -> io::Result<usize> {
        self.whole(offset, |parts, at| {
            // SAFETY: as in `write_to`.
            unsafe { libc::pwritev(fd.as_raw_fd(), parts.as_ptr(), parts.len() as i32, at) }
        })
    }

    fn whole(&mut self, offset: u64, call: impl Fn(&[libc::iovec], i64) -> isize) -> io::Result<usize> {
        let mut done = 0;
        while !self.is_empty() {
            let at = i64::try_from(offset.saturating_add(done as u64)).map_err(|_| io::ErrorKind::InvalidInput)?;
            match check(call(&self.0, at)) {
                Ok(0) => break,
                Ok(n) => {
                    done += n;
                    self.advance(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }
}

fn check(returned: isize) -> io::Result<usize> {
    usize::try_from(returned).map_err(|_| io::Error::last_os_error())
}

/// Waits until one of `fds` has one of its events (`POLLIN`, `POLLOUT`) or `other` is readable.
///
/// # Errors
/// Those of `ppoll(2)` but for `EINTR`, which counts as a wake-up.
pub(crate) fn poll_any<'a>(
    fds: impl Iterator<Item = (BorrowedFd<'a>, i16)>,
    other: BorrowedFd<'_>,
    timeout: Duration,
) -> io::Result<()> {
    let poll = |fd: BorrowedFd<'_>, events| libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    let mut fds: SmallVec<[libc::pollfd; 4]> = fds.map(|(fd, events)| poll(fd, events)).collect();
    fds.push(poll(other, libc::POLLIN));
    let timeout = timespec(timeout);
    // SAFETY: the array and the timespec outlive the call.
    let n = unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as u64, &raw const timeout, std::ptr::null()) };
    match check(n as isize) {
        Err(e) if e.kind() != io::ErrorKind::Interrupted => Err(e),
        _ => Ok(()),
    }
}
