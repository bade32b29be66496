//! Leases (fcntl(2), `F_SETLEASE`): who holds one is told before somebody else opens the file in
//! a way that conflicts with it, and has some time to prepare.

use crate::async_io::{self, Readiness};
use crate::file::OpenFile;
use crate::lock::open_file_id;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use rkt_linux_abi::general::{F_RDLCK, F_UNLCK, F_WRLCK, O_ACCMODE, O_NONBLOCK, O_RDONLY};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{WaitError, WaitQueue};
use rkt_sync::Mutex;

/// Nanoseconds that a holder has (/proc/sys/fs/lease-break-time: 45 seconds).
const BREAK_TIME: u64 = 45_000_000_000;
/// References to the name of a file that nobody but the caller has open: the directory's, and his.
const ALONE: usize = 2;

struct Lease {
    holder: u64,
    file: Weak<OpenFile>,
    /// The descriptor that its signals name.
    fd: i32,
    /// `F_RDLCK` or `F_WRLCK`.
    kind: u32,
    /// What it has to become, and until when.
    breaking: Option<(u32, u64)>,
}

impl Lease {
    /// Whether it is in the way of who wants to write, or only to read.
    fn conflicts(&self, writes: bool) -> bool {
        writes || self.kind == F_WRLCK
    }

    /// The kind that it has, or is about to have.
    fn target(&self) -> u32 {
        self.breaking.map_or(self.kind, |(target, _)| target)
    }
}

/// The leases on one inode.
#[derive(Default)]
pub(crate) struct Leases {
    held: Mutex<Vec<Lease>>,
    /// Their number, for those who only want to know whether there are any.
    number: AtomicUsize,
    waiters: Arc<WaitQueue>,
}

impl Leases {
    /// `F_GETLEASE`.
    pub fn kind(&self, file: &OpenFile) -> u32 {
        let holder = open_file_id(file);
        self.held.lock().iter().find(|lease| lease.holder == holder).map_or(F_UNLCK, Lease::target)
    }

    /// `F_SETLEASE` with `F_RDLCK` or `F_WRLCK`. `writers` says whether anybody has the file open for
    /// writing.
    ///
    /// # Errors
    /// `EAGAIN` if others have the file open in a way that conflicts.
    pub fn set(&self, file: &Arc<OpenFile>, fd: i32, kind: u32, writers: bool) -> Result<()> {
        let shared = Arc::strong_count(&file.path().dentry) > ALONE;
        if kind == F_RDLCK && writers || kind == F_WRLCK && shared {
            return Err(Errno::EAGAIN);
        }
        let holder = open_file_id(file);
        let mut held = self.held.lock();
        let mut others = held.iter().filter(|lease| lease.holder != holder);
        if others.any(|lease| kind == F_WRLCK || lease.target() == F_UNLCK) {
            return Err(Errno::EAGAIN);
        }
        match held.iter_mut().find(|lease| lease.holder == holder) {
            Some(own) => {
                own.kind = kind;
                own.breaking = own.breaking.filter(|&(target, _)| target != F_RDLCK);
            }
            None => held.push(Lease { holder, file: Arc::downgrade(file), fd, kind, breaking: None }),
        }
        self.changed(held.len());
        drop(held);
        self.waiters.wake_all(0);
        Ok(())
    }

    fn changed(&self, number: usize) {
        self.number.store(number, Ordering::Release);
    }

    /// `F_SETLEASE` with `F_UNLCK`, and the end of an open file: whether there was one.
    pub fn remove(&self, holder: u64) -> bool {
        if self.number.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut held = self.held.lock();
        let before = held.len();
        held.retain(|lease| lease.holder != holder);
        let found = held.len() < before;
        self.changed(held.len());
        drop(held);
        self.waiters.wake_all(0);
        found
    }

    /// Waits until no lease is in the way of an open with these flags; its holders are told.
    ///
    /// # Errors
    /// `EAGAIN` for `O_NONBLOCK`; `ERESTARTSYS`.
    pub fn make_way(&self, flags: u32) -> Result<()> {
        if self.number.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let writes = flags & O_ACCMODE != O_RDONLY;
        let now = rkt_platform::now();
        let (told, until) = self.start_breaking(writes, now);
        for (file, fd) in told {
            async_io::tell(file.owner(), fd, Readiness::LEASE);
        }
        let Some(until) = until else { return Ok(()) };
        if flags & O_NONBLOCK != 0 {
            return Err(Errno::EAGAIN);
        }
        let gone = || (!self.held.lock().iter().any(|lease| lease.conflicts(writes))).then_some(());
        match self.waiters.wait(Some(until), gone) {
            Ok(()) => Ok(()),
            Err(WaitError::Interrupted) => Err(Errno::ERESTARTSYS),
            Err(WaitError::TimedOut) => {
                self.expire(writes);
                Ok(())
            }
        }
    }

    /// Marks the conflicting leases; gives the holders to tell, and until when there is to be
    /// waited if there are any.
    fn start_breaking(&self, writes: bool, now: u64) -> (Vec<(Arc<OpenFile>, i32)>, Option<u64>) {
        let target = if writes { F_UNLCK } else { F_RDLCK };
        let mut told = Vec::new();
        let mut until = None;
        let mut held = self.held.lock();
        for lease in held.iter_mut().filter(|lease| lease.conflicts(writes)) {
            let known = lease.breaking.is_some_and(|(known, _)| known == target || known == F_UNLCK);
            if !known {
                lease.breaking = Some((target, now.saturating_add(BREAK_TIME)));
                told.extend(lease.file.upgrade().map(|file| (file, lease.fd)));
            }
            until = until.max(lease.breaking.map(|(_, until)| until));
        }
        drop(held);
        (told, until)
    }

    /// The time of the holders is over.
    fn expire(&self, writes: bool) {
        let mut held = self.held.lock();
        if writes {
            held.clear();
        }
        held.iter_mut().for_each(|lease| (lease.kind, lease.breaking) = (F_RDLCK, None));
        self.changed(held.len());
        drop(held);
        self.waiters.wake_all(0);
    }
}
