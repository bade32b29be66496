//! The table of open files of a process.

use crate::users::Users;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};
use rkt_sync::Mutex;
use rkt_vfs::OpenFile;

#[derive(Clone)]
struct Slot {
    file: Arc<OpenFile>,
    close_on_exec: bool,
}

#[derive(Clone, Default)]
struct Slots {
    slots: Vec<Option<Slot>>,
    /// No slot below is free.
    first_free: usize,
}

/// Open files by number.
#[derive(Default)]
pub struct FileTable {
    /// Processes that share it.
    pub users: Users,
    inner: Mutex<Slots>,
}

fn index(fd: i32) -> Result<usize> {
    usize::try_from(fd).map_err(|_| Errno::EBADF)
}

impl FileTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy: fork(2).
    pub fn fork(&self) -> Self {
        Self { users: Users::default(), inner: Mutex::new(self.inner.lock().clone()) }
    }

    /// The open file with this number.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn get(&self, fd: i32) -> Result<Arc<OpenFile>> {
        let inner = self.inner.lock();
        let slot = inner.slots.get(index(fd)?).and_then(Option::as_ref).ok_or(Errno::EBADF)?;
        Ok(slot.file.clone())
    }

    /// Gives a file the lowest free number that is at least `from`; `limit` is RLIMIT_NOFILE.
    ///
    /// # Errors
    /// `EMFILE`, `EINVAL` if `from` is not below the limit, `ENOMEM`.
    pub fn insert(&self, file: Arc<OpenFile>, close_on_exec: bool, from: usize, limit: u64) -> Result<i32> {
        if from as u64 >= limit && from > 0 {
            return Err(Errno::EINVAL);
        }
        let mut inner = self.inner.lock();
        let at = inner.lowest_free(from, limit)?;
        inner.put(at, Slot { file, close_on_exec })?;
        if from <= inner.first_free {
            inner.first_free = at + 1;
        }
        Ok(at as i32)
    }

    /// Whether there is a free number below the limit.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn check_room(&self, limit: u64) -> Result<()> {
        self.inner.lock().lowest_free(0, limit).map(drop)
    }

    /// Gives a file this number; gives the file that had it.
    ///
    /// # Errors
    /// `EBADF` if the number is not below the limit, `ENOMEM`.
    pub fn replace(
        &self,
        fd: i32,
        file: Arc<OpenFile>,
        close_on_exec: bool,
        limit: u64,
    ) -> Result<Option<Arc<OpenFile>>> {
        let at = index(fd)?;
        if at as u64 >= limit {
            return Err(Errno::EBADF);
        }
        let mut inner = self.inner.lock();
        let old = inner.put(at, Slot { file, close_on_exec })?;
        Ok(old.map(|slot| slot.file))
    }

    /// Frees a number; gives the file, which is closed when it is dropped.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn remove(&self, fd: i32) -> Result<Arc<OpenFile>> {
        let at = index(fd)?;
        let mut inner = self.inner.lock();
        let slot = inner.slots.get_mut(at).and_then(Option::take).ok_or(Errno::EBADF)?;
        inner.first_free = inner.first_free.min(at);
        Ok(slot.file)
    }

    /// Whether the number is closed by execve.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn close_on_exec(&self, fd: i32) -> Result<bool> {
        let inner = self.inner.lock();
        inner.slots.get(index(fd)?).and_then(Option::as_ref).map(|slot| slot.close_on_exec).ok_or(Errno::EBADF)
    }

    /// Sets whether the number is closed by execve.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn set_close_on_exec(&self, fd: i32, on: bool) -> Result<()> {
        let mut inner = self.inner.lock();
        let slot = inner.slots.get_mut(index(fd)?).and_then(Option::as_mut).ok_or(Errno::EBADF)?;
        slot.close_on_exec = on;
        Ok(())
    }

    /// Numbers in use, in order.
    pub fn numbers(&self) -> Vec<i32> {
        let inner = self.inner.lock();
        inner.slots.iter().enumerate().filter(|(_, slot)| slot.is_some()).map(|(at, _)| at as i32).collect()
    }

    /// Closes what execve closes.
    pub fn close_for_exec(&self) -> Vec<Arc<OpenFile>> {
        self.take_if(|_, slot| slot.close_on_exec)
    }

    /// Closes everything.
    pub fn close_all(&self) -> Vec<Arc<OpenFile>> {
        self.take_if(|_, _| true)
    }

    /// close_range(2): closes the numbers `first` to `last`.
    pub fn close_range(&self, first: usize, last: usize) -> Vec<Arc<OpenFile>> {
        self.take_if(|at, _| (first..=last).contains(&at))
    }

    /// close_range(2) with CLOSE_RANGE_CLOEXEC.
    pub fn mark_range(&self, first: usize, last: usize) {
        let mut inner = self.inner.lock();
        let slots = inner.slots.iter_mut().enumerate().skip(first).take_while(|(at, _)| *at <= last);
        for slot in slots.filter_map(|(_, slot)| slot.as_mut()) {
            slot.close_on_exec = true;
        }
    }

    fn take_if(&self, which: impl Fn(usize, &Slot) -> bool) -> Vec<Arc<OpenFile>> {
        let mut inner = self.inner.lock();
        let mut taken = Vec::new();
        for (at, slot) in inner.slots.iter_mut().enumerate() {
            if slot.as_ref().is_some_and(|slot| which(at, slot)) {
                taken.extend(slot.take().map(|slot| slot.file));
            }
        }
        inner.first_free = 0;
        taken
    }
}

impl Slots {
    /// The lowest free number that is at least `from`.
    fn lowest_free(&self, from: usize, limit: u64) -> Result<usize> {
        let start = from.max(self.first_free);
        let free = (start..self.slots.len()).find(|&at| self.slots.get(at).is_some_and(Option::is_none));
        let at = free.unwrap_or(self.slots.len().max(start));
        if at as u64 >= limit || at > i32::MAX as usize { Err(Errno::EMFILE) } else { Ok(at) }
    }

    fn put(&mut self, at: usize, slot: Slot) -> Result<Option<Slot>> {
        if at >= self.slots.len() {
            let more = at + 1 - self.slots.len();
            self.slots.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
            self.slots.resize(at + 1, None);
        }
        Ok(self.slots.get_mut(at).and_then(|place| place.replace(slot)))
    }
}
