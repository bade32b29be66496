//! inotify(7).

use crate::anon::AnonInode;
use crate::file::{FileOps, OpenFile};
use crate::inode::Inode;
use crate::mount::Path;
use crate::poll::{PollTable, READABLE};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use rkt_linux_abi::general::{
    IN_ALL_EVENTS, IN_EXCL_UNLINK, IN_IGNORED, IN_ISDIR, IN_MASK_ADD, IN_MASK_CREATE, IN_ONESHOT, IN_Q_OVERFLOW,
    IN_UNMOUNT, O_NONBLOCK, O_RDONLY,
};
use rkt_linux_abi::ioctl::FIONREAD;
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitQueue;
use rkt_sync::{Mutex, RwLock};
use rkt_user::{IoSink, UserPtr};

/// Events that wait to be read (/proc/sys/fs/inotify/max_queued_events).
const MAX_EVENTS: usize = 16384;
/// Watches an instance may have (/proc/sys/fs/inotify/max_user_watches).
const MAX_WATCHES: usize = 65536;

struct Event {
    watch: i32,
    mask: u32,
    cookie: u32,
    name: Vec<u8>,
}

impl Event {
    /// `struct inotify_event` with its name, padded to a multiple of 16 bytes (inotify(7)).
    fn to_bytes(&self) -> Vec<u8> {
        let len = if self.name.is_empty() { 0 } else { (self.name.len() + 1).next_multiple_of(16) };
        let mut bytes = Vec::with_capacity(16 + len);
        bytes.extend_from_slice(&self.watch.to_ne_bytes());
        bytes.extend_from_slice(&self.mask.to_ne_bytes());
        bytes.extend_from_slice(&self.cookie.to_ne_bytes());
        bytes.extend_from_slice(&(len as u32).to_ne_bytes());
        bytes.extend_from_slice(&self.name);
        bytes.resize(16 + len, 0);
        bytes
    }
}

/// Who watches an inode.
struct Watcher {
    instance: Weak<Inotify>,
    watch: i32,
    mask: u32,
}

/// By the inode's address, which its watch keeps taken.
static WATCHERS: RwLock<BTreeMap<usize, Vec<Watcher>>> = RwLock::new(BTreeMap::new());
static WATCHES: AtomicUsize = AtomicUsize::new(0);

/// Whether anybody watches anything.
#[inline]
pub(crate) fn active() -> bool {
    WATCHES.load(Ordering::Relaxed) > 0
}

fn address(inode: &Arc<dyn Inode>) -> usize {
    Arc::as_ptr(inode).cast::<()>().addr()
}

#[derive(Default)]
struct State {
    events: VecDeque<Event>,
    watches: BTreeMap<i32, Arc<dyn Inode>>,
    last: i32,
}

/// An inotify instance.
pub struct Inotify {
    me: Weak<Inotify>,
    state: Mutex<State>,
    readers: Arc<WaitQueue>,
}

impl Inotify {
    /// inotify_init1(2); `flags` is `O_NONBLOCK` or nothing.
    pub fn create(flags: u32) -> Arc<OpenFile> {
        let instance =
            Arc::new_cyclic(|me| Inotify { me: me.clone(), state: Mutex::default(), readers: Arc::default() });
        let inode = Arc::new(AnonInode::new(0o600));
        OpenFile::anonymous(inode, b"anon_inode:inotify", instance, O_RDONLY | flags & O_NONBLOCK)
    }

    /// The instance behind an open file.
    ///
    /// # Errors
    /// `EINVAL` if it is none.
    pub fn of(file: &OpenFile) -> Result<&Inotify> {
        file.ops_as().ok_or(Errno::EINVAL)
    }

    /// inotify_add_watch(2), after the path was resolved and found readable.
    ///
    /// # Errors
    /// `EEXIST`, `ENOSPC`.
    pub fn add_watch(&self, at: &Path, mask: u32) -> Result<i32> {
        let kept = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
        let mut all = WATCHERS.write();
        let watchers = all.entry(address(at.inode())).or_default();
        let mine = watchers.iter_mut().find(|watcher| Weak::ptr_eq(&watcher.instance, &self.me));
        if let Some(watcher) = mine {
            if mask & IN_MASK_CREATE != 0 {
                return Err(Errno::EEXIST);
            }
            watcher.mask = if mask & IN_MASK_ADD != 0 { watcher.mask | kept } else { kept };
            return Ok(watcher.watch);
        }
        let mut state = self.state.lock();
        if state.watches.len() >= MAX_WATCHES {
            return Err(Errno::ENOSPC);
        }
        state.last = state.last.checked_add(1).ok_or(Errno::ENOSPC)?;
        let watch = state.last;
        state.watches.insert(watch, at.inode().clone());
        watchers.push(Watcher { instance: self.me.clone(), watch, mask: kept });
        WATCHES.fetch_add(1, Ordering::Relaxed);
        Ok(watch)
    }

    /// inotify_rm_watch(2).
    ///
    /// # Errors
    /// `EINVAL` if there is no such watch.
    pub fn remove_watch(&self, watch: i32) -> Result<()> {
        let inode = self.state.lock().watches.remove(&watch).ok_or(Errno::EINVAL)?;
        self.forget(&inode);
        self.push(Event { watch, mask: IN_IGNORED, cookie: 0, name: Vec::new() });
        Ok(())
    }

    /// Takes the instance off an inode's watchers.
    fn forget(&self, inode: &Arc<dyn Inode>) {
        let mut all = WATCHERS.write();
        let Some(watchers) = all.get_mut(&address(inode)) else { return };
        let before = watchers.len();
        watchers.retain(|watcher| !Weak::ptr_eq(&watcher.instance, &self.me));
        WATCHES.fetch_sub(before - watchers.len(), Ordering::Relaxed);
        if watchers.is_empty() {
            all.remove(&address(inode));
        }
    }

    fn push(&self, event: Event) {
        let mut state = self.state.lock();
        let full = state.events.len() >= MAX_EVENTS;
        let event = if full { Event { watch: -1, mask: IN_Q_OVERFLOW, cookie: 0, name: Vec::new() } } else { event };
        // An event equal to the last one that waits says nothing new (inotify(7)).
        let repeated = state.events.back().is_some_and(|last| {
            (last.watch, last.mask, last.cookie) == (event.watch, event.mask, event.cookie) && last.name == event.name
        });
        if !repeated {
            state.events.push_back(event);
        }
        drop(state);
        self.readers.wake_all(READABLE);
    }

    /// Copies out as many whole events as fit; none if there are none.
    fn take(&self, into: &mut IoSink<'_>) -> Result<Option<usize>> {
        let mut state = self.state.lock();
        let mut done = 0;
        while let Some(event) = state.events.front() {
            let bytes = event.to_bytes();
            if bytes.len() > into.remaining() {
                return if done > 0 { Ok(Some(done)) } else { Err(Errno::EINVAL) };
            }
            // Gone, even if it cannot be stored.
            state.events.pop_front();
            done += into.put(&bytes)?;
        }
        Ok((done > 0).then_some(done))
    }
}

/// What watchers are told.
#[derive(Clone, Copy, Default)]
pub(crate) struct Happened {
    /// The event, with `IN_ISDIR`.
    pub mask: u32,
    /// What joins the two halves of a move.
    pub cookie: u32,
    /// By a name that was removed: not for those who asked for `IN_EXCL_UNLINK`.
    pub unlinked: bool,
}

/// Tells the watchers of an inode; `name` is that of an entry if the inode is its directory.
pub(crate) fn emit(inode: &Arc<dyn Inode>, happened: Happened, name: &[u8]) {
    if !active() {
        return;
    }
    let Happened { mask, cookie, unlinked } = happened;
    let mut told = Vec::new();
    if let Some(watchers) = WATCHERS.read().get(&address(inode)) {
        let asked = |watcher: &&Watcher| {
            (watcher.mask & IN_ALL_EVENTS | IN_UNMOUNT) & mask & !IN_ISDIR != 0
                && !(unlinked && watcher.mask & IN_EXCL_UNLINK != 0)
        };
        told.extend(
            watchers.iter().filter(asked).filter_map(|watcher| {
                Some((watcher.instance.upgrade()?, watcher.watch, watcher.mask & IN_ONESHOT != 0))
            }),
        );
    }
    for (instance, watch, once) in told {
        instance.push(Event { watch, mask, cookie, name: name.to_vec() });
        if once {
            let _ = instance.remove_watch(watch);
        }
    }
}

/// The inode is gone: its watches end.
pub(crate) fn end_watches(inode: &Arc<dyn Inode>) {
    if !active() {
        return;
    }
    let mut ended = Vec::new();
    if let Some(watchers) = WATCHERS.read().get(&address(inode)) {
        ended.extend(watchers.iter().filter_map(|watcher| Some((watcher.instance.upgrade()?, watcher.watch))));
    }
    for (instance, watch) in ended {
        let _ = instance.remove_watch(watch);
    }
}

impl FileOps for Inotify {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        loop {
            if let Some(done) = self.take(into)? {
                return Ok(done);
            }
            if file.nonblocking() {
                return Err(Errno::EAGAIN);
            }
            let ready = || (!self.state.lock().events.is_empty()).then_some(());
            self.readers.wait(None, ready).map_err(|_| Errno::ERESTARTSYS)?;
        }
    }

    fn seek(&self, _: &OpenFile, position: u64, _: i64, _: u32) -> Result<u64> {
        Ok(position) // noop_llseek of the kernel: lseek succeeds without a position
    }

    fn pollable(&self) -> bool {
        true
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        if let Some(table) = table {
            table.watch(&self.readers);
        }
        if self.state.lock().events.is_empty() { 0 } else { READABLE }
    }

    fn ioctl(&self, _: &OpenFile, command: u32, argument: u64) -> Result<i64> {
        if command != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let bytes: usize = self.state.lock().events.iter().map(|event| event.to_bytes().len()).sum();
        UserPtr::<i32>::new(argument).write(&i32::try_from(bytes).unwrap_or(i32::MAX))?;
        Ok(0)
    }

    fn release(&self, _: &OpenFile) {
        let watches = core::mem::take(&mut self.state.lock().watches);
        for inode in watches.values() {
            self.forget(inode);
        }
    }
}
