//! Locks on ranges of files: POSIX, open file description, and flock(2).

use crate::lease::Leases;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{F_RDLCK, F_UNLCK, F_WRLCK};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{WaitError, WaitQueue};
use rkt_sync::Mutex;

/// Who holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOwner {
    /// A process, by an ID that threads share (POSIX locks); also what `F_GETLK` tells.
    Process(u64),
    /// An open file description, by [`open_file_id`] (`F_OFD_` locks and flock(2)).
    OpenFile(u64),
}

/// The ID of an open file description as the owner of locks.
pub fn open_file_id(file: &crate::OpenFile) -> u64 {
    core::ptr::from_ref(file).addr() as u64
}

/// A lock on the bytes `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLock {
    /// Who holds it.
    pub owner: LockOwner,
    /// Shared (read) or exclusive (write).
    pub exclusive: bool,
    /// First byte.
    pub start: u64,
    /// Behind the last byte; `u64::MAX` reaches to the end of the file, however it grows.
    pub end: u64,
}

impl FileLock {
    /// From the fields of `struct flock`; `base` is what `l_whence` refers to. None: `F_UNLCK`,
    /// given back as an exclusive lock with `unlock` set.
    ///
    /// # Errors
    /// `EINVAL`, `EOVERFLOW` for a range that does not exist.
    pub fn from_flock(owner: LockOwner, kind: u32, base: u64, start: i64, len: i64) -> Result<(Self, bool)> {
        if !matches!(kind, F_RDLCK | F_WRLCK | F_UNLCK) {
            return Err(Errno::EINVAL);
        }
        let base = i64::try_from(base).map_err(|_| Errno::EOVERFLOW)?;
        let at = base.checked_add(start).ok_or(Errno::EOVERFLOW)?;
        // A negative length means the bytes in front of the start (fcntl(2)).
        let (from, to) = match len {
            0 => (at, None),
            1.. => (at, Some(at.checked_add(len - 1).ok_or(Errno::EOVERFLOW)?)),
            _ => (at.checked_add(len).ok_or(Errno::EINVAL)?, Some(at - 1)),
        };
        let start = u64::try_from(from).map_err(|_| Errno::EINVAL)?;
        let end = match to {
            Some(last) => u64::try_from(last).map_err(|_| Errno::EINVAL)? + 1,
            None => u64::MAX,
        };
        Ok((Self { owner, exclusive: kind == F_WRLCK, start, end }, kind == F_UNLCK))
    }

    fn overlaps(&self, other: &FileLock) -> bool {
        self.start < other.end && other.start < self.end
    }

    fn conflicts(&self, other: &FileLock) -> bool {
        self.owner != other.owner && (self.exclusive || other.exclusive) && self.overlaps(other)
    }

    /// What of this lock remains outside of a range.
    fn outside(&self, range: &FileLock) -> impl Iterator<Item = FileLock> + use<> {
        let before = FileLock { end: self.end.min(range.start), ..*self };
        let behind = FileLock { start: self.start.max(range.end), ..*self };
        [before, behind].into_iter().filter(|lock| lock.start < lock.end)
    }
}

/// Processes that wait for others: (waiting, holding). For `EDEADLK`.
static WAITING: Mutex<Vec<(LockOwner, LockOwner)>> = Mutex::new(Vec::new());

/// The locks of one inode.
#[derive(Default)]
pub struct FileLocks {
    ranges: Mutex<Vec<FileLock>>,
    /// flock(2): whole-file locks, which do not see the others.
    whole: Mutex<Vec<FileLock>>,
    waiters: Arc<WaitQueue>,
    pub(crate) leases: Leases,
}

impl FileLocks {
    /// `F_GETLK`: a lock that keeps this one from being set.
    pub fn conflict(&self, lock: &FileLock) -> Option<FileLock> {
        self.ranges.lock().iter().find(|held| held.conflicts(lock)).copied()
    }

    /// `F_SETLK` and `F_SETLKW` (`wait`), for both kinds of owners.
    ///
    /// # Errors
    /// `EAGAIN` if it would have to wait, `EDEADLK`, `ERESTARTSYS`.
    pub fn set(&self, lock: &FileLock, wait: bool) -> Result<()> {
        self.acquire(&self.ranges, lock, wait)
    }

    /// `F_UNLCK`.
    pub fn unset(&self, range: &FileLock) {
        Self::cut(&mut self.ranges.lock(), range);
        self.waiters.wake_all(0);
    }

    /// flock(2). None unlocks.
    ///
    /// # Errors
    /// `EAGAIN`, `ERESTARTSYS`.
    pub fn flock(&self, owner: LockOwner, exclusive: Option<bool>, wait: bool) -> Result<()> {
        let lock = FileLock { owner, exclusive: exclusive.unwrap_or(true), start: 0, end: u64::MAX };
        if exclusive.is_some() {
            // Changing the kind is not atomic: the old lock goes first (flock(2)).
            let held = self.whole.lock().iter().any(|held| held.owner == owner && held.exclusive == lock.exclusive);
            if held {
                return Ok(());
            }
            Self::cut(&mut self.whole.lock(), &lock);
            self.waiters.wake_all(0);
            return self.acquire(&self.whole, &lock, wait);
        }
        Self::cut(&mut self.whole.lock(), &lock);
        self.waiters.wake_all(0);
        Ok(())
    }

    /// All POSIX locks of a process go.
    pub fn release_process(&self, id: u64) {
        self.release(LockOwner::Process(id));
    }

    pub(crate) fn release_open_file(&self, id: u64) {
        self.release(LockOwner::OpenFile(id));
    }

    fn release(&self, owner: LockOwner) {
        let mut removed = false;
        for table in [&self.ranges, &self.whole] {
            let mut held = table.lock();
            let before = held.len();
            held.retain(|lock| lock.owner != owner);
            removed |= held.len() != before;
        }
        if removed {
            self.waiters.wake_all(0);
        }
    }

    fn acquire(&self, table: &Mutex<Vec<FileLock>>, lock: &FileLock, wait: bool) -> Result<()> {
        let Some(holder) = Self::try_acquire(table, lock) else { return Ok(()) };
        if !wait {
            return Err(Errno::EAGAIN);
        }
        let posix = matches!(lock.owner, LockOwner::Process(_));
        if posix {
            Self::wait_for(lock.owner, holder)?;
        }
        let result = self.waiters.wait(None, || match Self::try_acquire(table, lock) {
            None => Some(Ok(())),
            Some(holder) if posix => Self::wait_for(lock.owner, holder).err().map(Err),
            Some(_) => None,
        });
        WAITING.lock().retain(|(waiting, _)| *waiting != lock.owner);
        match result {
            Ok(done) => done,
            Err(WaitError::Interrupted | WaitError::TimedOut) => Err(Errno::ERESTARTSYS),
        }
    }

    /// Notes who waits for whom.
    fn wait_for(waiting: LockOwner, holder: LockOwner) -> Result<()> {
        let mut edges = WAITING.lock();
        edges.retain(|(owner, _)| *owner != waiting);
        let mut at = holder;
        // Each owner waits for one other: as many steps as there are edges find every cycle.
        for _ in 0..=edges.len() {
            match edges.iter().find(|(owner, _)| *owner == at) {
                Some((_, next)) if *next == waiting => return Err(Errno::EDEADLK),
                Some((_, next)) => at = *next,
                None => break,
            }
        }
        edges.push((waiting, holder));
        Ok(())
    }

    /// Sets the lock, or tells who holds one in its way.
    fn try_acquire(table: &Mutex<Vec<FileLock>>, lock: &FileLock) -> Option<LockOwner> {
        let mut held = table.lock();
        if let Some(other) = held.iter().find(|held| held.conflicts(lock)) {
            return Some(other.owner);
        }
        Self::cut(&mut held, lock);
        let mut lock = *lock;
        // Neighbours of the same kind become one lock.
        held.retain(|other| {
            let joins = other.owner == lock.owner
                && other.exclusive == lock.exclusive
                && other.start <= lock.end
                && lock.start <= other.end;
            if joins {
                lock.start = lock.start.min(other.start);
                lock.end = lock.end.max(other.end);
            }
            !joins
        });
        Self::insert(&mut held, lock);
        None
    }

    /// Keeps an owner's locks together and in order: which one `F_GETLK` tells depends on it.
    fn insert(held: &mut Vec<FileLock>, lock: FileLock) {
        let own = |other: &FileLock| other.owner == lock.owner;
        let behind = held.iter().position(|other| own(other) && other.start > lock.start);
        let at = behind.or_else(|| held.iter().rposition(own).map(|last| last + 1)).unwrap_or(held.len());
        held.insert(at, lock);
    }

    /// Takes a range away from an owner's locks.
    fn cut(held: &mut Vec<FileLock>, range: &FileLock) {
        let mut parts = Vec::new();
        held.retain(|lock| {
            let hit = lock.owner == range.owner && lock.overlaps(range);
            if hit {
                parts.extend(lock.outside(range));
            }
            !hit
        });
        parts.into_iter().for_each(|part| Self::insert(held, part));
    }
}
