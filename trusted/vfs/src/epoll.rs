//! epoll(7): the wait queues of the watched files fill a list of those that may be ready, so
//! that waiting costs by ready files and not by watched ones.

use crate::anon::AnonInode;
use crate::file::{FileOps, OpenFile};
use crate::poll::{PollTable, READABLE};
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use hashbrown::HashMap;
use rkt_linux_abi::general::{
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT,
    EPOLLOUT, EPOLLWAKEUP, O_RDWR,
};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{Notify, WaitError, WaitQueue};
use rkt_sync::Mutex;

/// Bits of an interest that are no events.
const FLAGS: u32 = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP;
/// What may stand beside `EPOLLEXCLUSIVE` (epoll_ctl(2)).
const WITH_EXCLUSIVE: u32 = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
/// How deep epoll instances may watch each other: five in a row (epoll_ctl(2), `ELOOP`).
const MAX_NESTING: u32 = 4;

/// A descriptor number and the open file behind it: what one registration is known by.
type Key = (i32, usize);

fn key(fd: i32, file: &OpenFile) -> Key {
    (fd, core::ptr::from_ref(file).addr())
}

/// A watched file.
pub(crate) struct Item {
    key: Key,
    file: Weak<OpenFile>,
    epoll: Weak<Epoll>,
    /// Events and flags; only flags once a `EPOLLONESHOT` has fired.
    interest: AtomicU32,
    data: AtomicU64,
    /// Whether it is on the ready list.
    queued: AtomicBool,
    table: Mutex<Option<PollTable>>,
}

impl Item {
    fn interest(&self) -> u32 {
        self.interest.load(Ordering::Relaxed)
    }

    /// Events that hold and are asked for.
    fn events(&self, file: &OpenFile) -> u32 {
        file.poll(None) & self.interest() & !FLAGS
    }

    /// Registers with the file's wait queues; gives the events that hold already.
    fn watch(self: &Arc<Self>, file: &OpenFile) -> u32 {
        let exclusive = self.interest() & EPOLLEXCLUSIVE != 0;
        let mut table = if exclusive { PollTable::exclusive(self.clone()) } else { PollTable::new(self.clone()) };
        let events = file.poll(Some(&mut table));
        let before = self.table.lock().replace(table);
        drop(before);
        events & self.interest() & !FLAGS
    }

    fn unwatch(&self) {
        let table = self.table.lock().take();
        drop(table);
    }
}

impl Notify for Item {
    fn notify(self: Arc<Self>, events: u32) {
        let interest = self.interest();
        // An exclusive registration has left the queue by now and must be renewed, come what may.
        let exclusive = interest & EPOLLEXCLUSIVE != 0;
        if interest & !FLAGS == 0 || (events != 0 && events & interest == 0 && !exclusive) {
            return;
        }
        if let Some(epoll) = self.epoll.upgrade() {
            epoll.enqueue(self);
            epoll.waiters.wake_all(READABLE);
        }
    }
}

/// The epoll instances that watch an open file.
#[derive(Default)]
pub(crate) struct Watchers {
    items: Mutex<Vec<Weak<Item>>>,
}

impl Watchers {
    fn add(&self, item: &Arc<Item>) {
        let mut items = self.items.lock();
        items.retain(|item| item.strong_count() > 0);
        items.push(Arc::downgrade(item));
    }

    /// The open file is gone: so are its registrations (epoll(7), question 6).
    pub(crate) fn file_closed(&self) {
        let items = core::mem::take(&mut *self.items.lock());
        for item in items.iter().filter_map(Weak::upgrade) {
            if let Some(epoll) = item.epoll.upgrade() {
                let _ = epoll.remove(item.key);
            }
        }
    }
}

/// An epoll instance.
pub struct Epoll {
    me: Weak<Epoll>,
    items: Mutex<HashMap<Key, Arc<Item>>>,
    /// Files that may have events: those of level-triggered ones stay until found without.
    ready: Mutex<VecDeque<Arc<Item>>>,
    waiters: Arc<WaitQueue>,
}

/// Held while one instance is put into another: what watches what stays the same meanwhile.
static NESTING: Mutex<()> = Mutex::new(());

impl Epoll {
    /// epoll_create1(2).
    pub fn create() -> Arc<OpenFile> {
        let epoll = Arc::new_cyclic(|me| Epoll {
            me: me.clone(),
            items: Mutex::new(HashMap::new()),
            ready: Mutex::new(VecDeque::new()),
            waiters: Arc::default(),
        });
        OpenFile::anonymous(Arc::new(AnonInode::new(0o600)), b"anon_inode:[eventpoll]", epoll, O_RDWR)
    }

    /// The instance behind an open file.
    ///
    /// # Errors
    /// `EINVAL` if it is none.
    pub fn of(file: &OpenFile) -> Result<&Epoll> {
        file.ops_as().ok_or(Errno::EINVAL)
    }

    fn enqueue(&self, item: Arc<Item>) {
        if !item.queued.swap(true, Ordering::AcqRel) {
            self.ready.lock().push_back(item);
        }
    }

    fn enqueue_and_wake(&self, item: Arc<Item>) {
        self.enqueue(item);
        self.waiters.wake_all(READABLE);
    }

    /// epoll_ctl(2) on the file that `fd` refers to.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `EPERM` if the file cannot be polled, `EINVAL`, `ELOOP`.
    pub fn control(&self, operation: u32, fd: i32, file: &Arc<OpenFile>, events: u32, data: u64) -> Result<()> {
        if !file.ops().pollable() {
            return Err(Errno::EPERM);
        }
        let nested = file.ops_as::<Epoll>();
        if nested.is_some_and(|other| core::ptr::eq(other, self)) {
            return Err(Errno::EINVAL);
        }
        let exclusive = events & EPOLLEXCLUSIVE != 0;
        if exclusive
            && (operation == EPOLL_CTL_MOD
                || operation == EPOLL_CTL_ADD && (nested.is_some() || events & !WITH_EXCLUSIVE != 0))
        {
            return Err(Errno::EINVAL);
        }
        let interest = events | EPOLLERR | EPOLLHUP;
        match operation {
            EPOLL_CTL_ADD => self.add(fd, file, interest, data),
            EPOLL_CTL_DEL => self.remove(key(fd, file)),
            EPOLL_CTL_MOD => self.modify(key(fd, file), file, interest, data),
            _ => Err(Errno::EINVAL),
        }
    }

    fn add(&self, fd: i32, file: &Arc<OpenFile>, interest: u32, data: u64) -> Result<()> {
        let nesting = file.ops_as::<Epoll>().map(|other| (other, NESTING.lock()));
        if let Some((other, _)) = &nesting
            && other.reaches(self, MAX_NESTING)
        {
            return Err(Errno::ELOOP);
        }
        let item = Arc::new(Item {
            key: key(fd, file),
            file: Arc::downgrade(file),
            epoll: self.me.clone(),
            interest: AtomicU32::new(interest),
            data: AtomicU64::new(data),
            queued: AtomicBool::new(false),
            table: Mutex::new(None),
        });
        {
            let mut items = self.items.lock();
            if items.contains_key(&item.key) {
                return Err(Errno::EEXIST);
            }
            items.insert(item.key, item.clone());
        }
        drop(nesting);
        file.watchers().add(&item);
        if item.watch(file) != 0 {
            self.enqueue_and_wake(item);
        }
        Ok(())
    }

    fn modify(&self, key: Key, file: &OpenFile, interest: u32, data: u64) -> Result<()> {
        let item = self.items.lock().get(&key).cloned().ok_or(Errno::ENOENT)?;
        if item.interest() & EPOLLEXCLUSIVE != 0 {
            return Err(Errno::EINVAL);
        }
        item.data.store(data, Ordering::Relaxed);
        item.interest.store(interest, Ordering::SeqCst);
        if item.events(file) != 0 {
            self.enqueue_and_wake(item);
        }
        Ok(())
    }

    fn remove(&self, key: Key) -> Result<()> {
        let item = self.items.lock().remove(&key).ok_or(Errno::ENOENT)?;
        item.unwatch();
        if item.queued.load(Ordering::Acquire) {
            self.ready.lock().retain(|ready| !Arc::ptr_eq(ready, &item));
        }
        Ok(())
    }

    /// Whether this instance watches `target`, itself or through others, or others nest too deep.
    fn reaches(&self, target: &Epoll, depth: u32) -> bool {
        if core::ptr::eq(self, target) || depth == 0 {
            return true;
        }
        let watched: Vec<_> = self.items.lock().values().filter_map(|item| item.file.upgrade()).collect();
        watched.iter().any(|file| file.ops_as::<Epoll>().is_some_and(|other| other.reaches(target, depth - 1)))
    }

    /// epoll_wait(2): waits until the monotonic clock reaches `deadline` (nanoseconds; none = for
    /// ever, 0 = not at all) and gives up to `max` events to `emit`, each with its data. If `emit`
    /// fails, its event stays.
    ///
    /// # Errors
    /// `EINTR` if a signal is pending; that of `emit` for the first event.
    pub fn wait(
        &self,
        max: usize,
        deadline: Option<u64>,
        emit: &mut dyn FnMut(u32, u64) -> Result<()>,
    ) -> Result<usize> {
        loop {
            let found = self.collect(max, emit)?;
            if found > 0 || deadline == Some(0) {
                return Ok(found);
            }
            match self.waiters.wait(deadline, || (!self.ready.lock().is_empty()).then_some(())) {
                Ok(()) => {}
                Err(WaitError::TimedOut) => return Ok(0),
                Err(WaitError::Interrupted) => return Err(Errno::EINTR),
            }
        }
    }

    fn collect(&self, max: usize, emit: &mut dyn FnMut(u32, u64) -> Result<()>) -> Result<usize> {
        let mut found = 0;
        let mut left = self.ready.lock().len();
        let mut stays_ready = false;
        while found < max && left > 0 {
            left -= 1;
            let Some(item) = self.ready.lock().pop_front() else { break };
            // Before looking: whatever happens from here on queues it again.
            item.queued.store(false, Ordering::SeqCst);
            let Some(file) = item.file.upgrade() else { continue };
            let interest = item.interest();
            let exclusive = interest & EPOLLEXCLUSIVE != 0;
            let events = if exclusive { item.watch(&file) } else { item.events(&file) };
            if events == 0 {
                continue;
            }
            if let Err(error) = emit(events, item.data.load(Ordering::Relaxed)) {
                self.enqueue(item);
                return if found > 0 { Ok(found) } else { Err(error) };
            }
            found += 1;
            if interest & EPOLLONESHOT != 0 {
                item.interest.fetch_and(FLAGS, Ordering::Relaxed);
            } else if interest & EPOLLET == 0 {
                self.enqueue(item);
                stays_ready = true;
            }
        }
        if stays_ready && !self.waiters.is_empty() {
            self.waiters.wake_all(READABLE);
        }
        Ok(found)
    }
}

impl FileOps for Epoll {
    fn seek(&self, _: &OpenFile, position: u64, _: i64, _: u32) -> Result<u64> {
        Ok(position) // noop_llseek of the kernel: lseek succeeds without a position
    }

    fn pollable(&self) -> bool {
        true
    }

    fn ioctl(&self, _: &OpenFile, _: u32, _: u64) -> Result<i64> {
        Err(Errno::EINVAL) // it has commands since Linux 6.9, none that is served here
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        if let Some(table) = table {
            table.watch(&self.waiters);
        }
        let candidates: Vec<_> = self.ready.lock().iter().cloned().collect();
        let ready = |item: &Arc<Item>| item.file.upgrade().is_some_and(|file| item.events(&file) != 0);
        if candidates.iter().any(ready) { READABLE } else { 0 }
    }

    fn release(&self, _: &OpenFile) {
        // Registrations end here and not in the drop of the instance, which may happen inside of
        // a notification.
        let items = core::mem::take(&mut *self.items.lock());
        for item in items.values() {
            item.unwatch();
        }
        self.ready.lock().clear();
    }
}
