//! Many transfers at once, through io_uring; and a sleep that ends when one of them does, or when the
//! doorbell rings (Linux 6.7).

use crate::transfer::{Direction, Parts};
use io_uring::{IoUring, opcode, squeue, types};
use rkt_window::Doorbell;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// Transfers that the kernel may have at once.
const DEPTH: u32 = 256;
/// What the wait for the doorbell is called.
const DOORBELL: u64 = u64::MAX;
/// `FUTEX2_SIZE_U32` (futex2(2)): a 32-bit word, shared between processes.
const FUTEX2_SIZE_U32: u32 = 2;
/// `FUTEX_BITSET_MATCH_ANY`.
const MATCH_ANY: u64 = 0xffff_ffff;

/// What to do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Move bytes, from or to this offset.
    Transfer(Direction, u64),
    /// `fdatasync(2)`.
    Flush,
}

/// A request that the kernel has.
struct Request {
    fd: RawFd,
    operation: Operation,
    /// Boxed: the kernel may read the list until the request is complete.
    parts: Box<Parts>,
    done: u64,
    tag: u64,
}

/// A ring. Each request has a tag of the caller's, with which it comes back.
pub(crate) struct Ring {
    ring: IoUring,
    requests: Vec<Option<Request>>,
    free: Vec<usize>,
    /// Requests to be handed to the kernel: fresh ones, and the rest of short ones.
    staged: Vec<usize>,
    /// The kernel has a wait for the doorbell.
    listening: bool,
}

impl Ring {
    /// A ring, to be used by the thread that makes it.
    ///
    /// # Errors
    /// Those of `io_uring_setup(2)`; `Unsupported` if the kernel's cannot wait for futexes.
    pub(crate) fn new() -> io::Result<Self> {
        let ring = IoUring::builder().setup_coop_taskrun().setup_taskrun_flag().setup_single_issuer().build(DEPTH)?;
        let mut probe = io_uring::Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::FutexWait::CODE) || !ring.params().is_feature_ext_arg() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let depth = DEPTH as usize;
        let requests = (0..depth).map(|_| None).collect();
        Ok(Self { ring, requests, free: (0..depth).rev().collect(), staged: Vec::new(), listening: false })
    }

    /// Requests in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.requests.len() - self.free.len()
    }

    /// Whether there is room for another request.
    pub(crate) fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// Stages a request on `file`, which has to stay open until it is complete. Only if there is room.
    pub(crate) fn push(&mut self, file: &File, operation: Operation, parts: Parts, tag: u64) {
        let Some(index) = self.free.pop() else { return };
        let parts = Box::new(parts);
        self.requests[index] = Some(Request { fd: file.as_raw_fd(), operation, parts, done: 0, tag });
        self.staged.push(index);
    }

    fn enqueue(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: entries name descriptors, which the kernel checks; the doorbell's word, which is mapped
        // until the process ends; and parts of window memory, likewise, in a list that the request keeps
        // until its completion has been seen.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.ring.submit()?;
        }
        Ok(())
    }

    /// Hands what is staged to the kernel, and lets it deliver what has completed.
    ///
    /// # Errors
    /// Those of `io_uring_enter(2)`.
    pub(crate) fn submit(&mut self) -> io::Result<()> {
        while let Some(index) = self.staged.pop() {
            if let Some(entry) = self.requests[index].as_ref().map(|request| request.entry(index as u64)) {
                self.enqueue(&entry)?;
            }
        }
        let queue = self.ring.submission();
        let (staged, undelivered) = (!queue.is_empty(), queue.taskrun());
        drop(queue);
        if staged || undelivered {
            match self.ring.submitter().submit() {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// The next request that is complete: its tag, and how it ended. A transfer that the end of the file
    /// cut short is `UnexpectedEof`.
    pub(crate) fn take(&mut self) -> Option<(u64, io::Result<()>)> {
        loop {
            let entry = self.ring.completion().next()?;
            if entry.user_data() == DOORBELL {
                self.listening = false;
                continue;
            }
            let index = entry.user_data() as usize;
            let Some(request) = self.requests[index].as_mut() else { continue };
            match request.advance(entry.result()) {
                None => self.staged.push(index),
                Some(result) => {
                    let tag = request.tag;
                    self.requests[index] = None;
                    self.free.push(index);
                    return Some((tag, result));
                }
            }
        }
    }

    /// Sleeps until a request is complete, the doorbell's word is no longer `seen`, or the time is over.
    /// May wake for nothing.
    ///
    /// # Errors
    /// Those of `io_uring_enter(2)`.
    pub(crate) fn sleep(&mut self, doorbell: &Doorbell, seen: u32, timeout: Duration) -> io::Result<()> {
        if !self.listening {
            let word = doorbell.word().as_ptr().cast_const();
            let wait = opcode::FutexWait::new(word, seen.into(), MATCH_ANY, FUTEX2_SIZE_U32).build();
            self.enqueue(&wait.user_data(DOORBELL))?;
            self.listening = true;
        }
        self.wait(timeout)
    }

    fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        let timeout = types::Timespec::from(timeout);
        let args = types::SubmitArgs::new().timespec(&timeout);
        match self.ring.submitter().submit_with_args(1, &args) {
            Err(e) if e.raw_os_error() != Some(libc::ETIME) && e.kind() != io::ErrorKind::Interrupted => Err(e),
            _ => Ok(()),
        }
    }
}

impl Request {
    fn entry(&self, index: u64) -> squeue::Entry {
        let (fd, raw) = (types::Fd(self.fd), self.parts.raw());
        let (list, count) = (raw.as_ptr(), raw.len() as u32);
        let entry = match self.operation {
            Operation::Transfer(Direction::Read, offset) => {
                opcode::Readv::new(fd, list, count).offset(offset + self.done).build()
            }
            Operation::Transfer(direction, offset) => {
                let write = opcode::Writev::new(fd, list, count).offset(offset + self.done);
                write.rw_flags(direction.flags()).build()
            }
            Operation::Flush => opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC).build(),
        };
        entry.user_data(index)
    }

    /// Counts what the kernel did. `None` if there is more to do.
    fn advance(&mut self, result: i32) -> Option<io::Result<()>> {
        match (usize::try_from(result), self.operation) {
            (Err(_), _) if result == -libc::EINTR || result == -libc::EAGAIN => None,
            (Err(_), _) => Some(Err(io::Error::from_raw_os_error(-result))),
            (Ok(_), Operation::Flush) => Some(Ok(())),
            (Ok(0), _) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            (Ok(n), _) => {
                self.done += n as u64;
                self.parts.advance(n);
                self.parts.is_empty().then_some(Ok(()))
            }
        }
    }
}

impl Drop for Ring {
    /// The kernel uses the lists of parts until each request is complete.
    fn drop(&mut self) {
        while self.in_flight() > 0 {
            while self.take().is_some() {}
            if self.in_flight() > 0 && (self.submit().is_err() || self.wait(Duration::from_secs(1)).is_err()) {
                // Leaked rather than freed under the kernel's hands.
                self.requests.drain(..).for_each(std::mem::forget);
                return;
            }
        }
    }
}
