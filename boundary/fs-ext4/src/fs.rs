//! A mounted file system: how operations become transactions, and when these become durable.

use crate::core::Core;
use crate::disk::{Disk, Environment, Event};
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::map::{Lists, Recent};
use crate::seal::Sealed;
use crate::shape::Shape;
use alloc::sync::Arc;
use alloc::vec::Vec;
use lock_api::{Mutex, RawMutex};
use rkt_ext4_format::features::Incompat;
use rkt_ext4_format::superblock;
use zerocopy::little_endian::{U16, U32};

/// Nanoseconds after which changes become durable without anybody asking, as `commit=5` of
/// ext4(5).
const INTERVAL: i64 = 5_000_000_000;
/// Error that the journal records of a damaged file system (`EFSCORRUPTED`).
const ERROR_CORRUPT: u32 = 117;
/// Locks of files; those of two files may be the same.
const FILE_LOCKS: usize = 64;

/// What to do when the disk turns out to be damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// Report and go on.
    Continue,
    /// Report and write nothing more.
    ReadOnly,
}

/// How to mount.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Write nothing, not even a replay of the journal.
    pub read_only: bool,
    /// What to do when the disk turns out to be damaged.
    pub on_error: OnError,
    /// Blocks of metadata to keep in memory beyond those that must be.
    pub cached_blocks: usize,
    /// Inodes to keep in memory beyond those that must be.
    pub cached_inodes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { read_only: false, on_error: OnError::ReadOnly, cached_blocks: 16_384, cached_inodes: 65_536 }
    }
}

/// A mounted ext4. `L` is a lock that may be held while its holder waits for the disk.
///
/// Locks are taken in this order: that of a file, that of the journal, that of the core. The
/// core's is held for each operation but never while data or the journal is written.
pub struct Ext4<L: RawMutex> {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) shape: Arc<Shape>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) recent: Arc<dyn Recent>,
    pub(crate) core: Mutex<L, Core>,
    pub(crate) journal: Mutex<L, Option<Journal>>,
    /// Not in place: stacks of kernels are short, and this value moves over several.
    file_locks: Vec<Mutex<L, ()>>,
    on_error: OnError,
}

impl<L: RawMutex> Ext4<L> {
    pub(crate) fn assemble(
        disk: Arc<dyn Disk>,
        environment: Arc<dyn Environment>,
        mut core: Core,
        journal: Option<Journal>,
        on_error: OnError,
    ) -> Self
    where
        L: Send + Sync + 'static,
    {
        let shape = core.shape.clone();
        let recent: Arc<dyn Recent> = Arc::new(Lists::<L>::new());
        core.recent = recent.clone();
        let file_locks = (0..FILE_LOCKS).map(|_| Mutex::new(())).collect();
        let (core, journal) = (Mutex::new(core), Mutex::new(journal));
        Self { disk, shape, environment, recent, core, journal, file_locks, on_error }
    }

    /// Keeps changes of one file's blocks apart.
    pub(crate) fn lock_file(&self, ino: u32) -> Option<lock_api::MutexGuard<'_, L, ()>> {
        self.file_locks.get(ino as usize % FILE_LOCKS).map(Mutex::lock)
    }

    /// Does something that changes nothing.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut Core) -> Result<T>) -> Result<T> {
        let mut core = self.core.lock();
        let result = look(&mut core);
        self.judge(&mut core, result)
    }

    /// Does something that changes at most so many blocks, as part of one transaction. Done again
    /// if there is no space but will be when the running transaction is durable.
    pub(crate) fn change<T>(&self, blocks: usize, mut change: impl FnMut(&mut Core) -> Result<T>) -> Result<T> {
        let mut retried = false;
        loop {
            let mut core = self.core.lock();
            core.check_writable()?;
            if core.has_room(blocks) || core.cache.dirty_count() == 0 {
                let now = core.now();
                core.running.since.get_or_insert(now);
                let result = change(&mut core);
                let wait = matches!(result, Err(Error::NoSpace)) && core.pending_free > 0 && !retried;
                if !wait {
                    return self.judge(&mut core, result);
                }
                retried = true;
            }
            let tid = core.running.tid;
            drop(core);
            self.commit(tid)?;
        }
    }

    /// Reports damage.
    fn judge<T>(&self, core: &mut Core, result: Result<T>) -> Result<T> {
        if let Err(Error::Corrupt(corruption)) = &result {
            self.environment.event(&Event::Corrupt(*corruption));
            if self.on_error == OnError::ReadOnly {
                core.damaged = true;
                self.stop(core);
            }
        }
        result
    }

    /// Nothing more will be written.
    fn stop(&self, core: &mut Core) {
        if !core.read_only {
            core.read_only = true;
            self.environment.event(&Event::ReadOnly);
        }
    }

    /// Makes transactions up to `tid` durable.
    pub(crate) fn commit(&self, tid: u32) -> Result<()> {
        let mut journal = self.journal.lock();
        let sealed = {
            let mut core = self.core.lock();
            if core.committed.wrapping_sub(tid).cast_signed() >= 0 {
                return Ok(());
            }
            core.check_writable()?;
            let sealed = core.seal();
            self.judge(&mut core, sealed)?
        };
        let Some(sealed) = sealed else { return Ok(self.disk.flush()?) };
        if let Err(error) = self.write(journal.as_mut(), &sealed) {
            let mut core = self.core.lock();
            self.environment.event(&Event::JournalFailed);
            self.stop(&mut core);
            return Err(error);
        }
        let mut core = self.core.lock();
        if let Some(journal) = journal.as_mut() {
            let (done, tid) = journal.take_done();
            core.cache.checkpointed(tid, done.into_iter());
        } else {
            core.cache.checkpointed(sealed.tid, sealed.blocks.iter().map(|(block, _)| *block));
        }
        let finished = core.finish(sealed.tid, &sealed.freed);
        self.judge(&mut core, finished)
    }

    /// Writes a transaction to the journal, or without one to its place.
    fn write(&self, journal: Option<&mut Journal>, sealed: &Sealed) -> Result<()> {
        if let Some(journal) = journal {
            return journal.commit(sealed, self.environment.now());
        }
        let size = self.shape.block_size as u64;
        let pieces: Vec<(u64, &[u8])> = sealed.blocks.iter().map(|(block, bytes)| (block * size, &**bytes)).collect();
        self.disk.write_many(&pieces)?;
        Ok(self.disk.flush()?)
    }

    /// Makes what was written to a file durable: with `data_only` its contents and what is needed
    /// to read them, else all of the inode.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn fsync(&self, ino: u32, data_only: bool) -> Result<()> {
        let tid = {
            let mut core = self.core.lock();
            let (committed, sealed) = (core.committed, core.running.tid.wrapping_sub(1));
            let slot = core.inodes.peek(ino);
            let tid = slot.map_or(0, |slot| if data_only { slot.data_tid } else { slot.tid });
            // What is not known was changed by a transaction that is sealed at least.
            let tid = if tid == 0 { sealed } else { tid };
            let durable = committed.wrapping_sub(tid).cast_signed() >= 0;
            (!durable).then_some(tid)
        };
        match tid {
            Some(tid) => self.commit(tid),
            None => Ok(self.disk.flush()?),
        }
    }

    /// Makes all changes durable.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync(&self) -> Result<()> {
        let tid = self.core.lock().running.tid;
        if self.core.lock().read_only { Ok(self.disk.flush()?) } else { self.commit(tid) }
    }

    /// To be called every second or so: makes changes durable that are older than five.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn tick(&self) -> Result<()> {
        let due = {
            let core = self.core.lock();
            core.running.since.is_some_and(|since| core.now() - since >= INTERVAL) && !core.read_only
        };
        if due { self.sync() } else { Ok(()) }
    }

    /// Brings everything to its place and stops all operations until the result is dropped: for a
    /// copy of the disk that needs no replay.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn freeze(&self) -> Result<Frozen<'_, L>> {
        loop {
            self.sync()?;
            let mut journal = self.journal.lock();
            let mut core = self.core.lock();
            if core.read_only {
                return Ok(Frozen { _core: core });
            }
            if core.cache.dirty_count() > 0 {
                continue;
            }
            if let Some(journal) = journal.as_mut() {
                journal.checkpoint()?;
                let (done, tid) = journal.take_done();
                core.cache.checkpointed(tid, done.into_iter());
                journal.reset()?;
            }
            return Ok(Frozen { _core: core });
        }
    }

    /// Makes everything durable and in its place: what is on the disk then needs no replay. The
    /// file system is read-only afterwards. Nobody else may change anything meanwhile.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn unmount(&self) -> Result<()> {
        if !self.core.lock().read_only {
            self.delete_unnamed()?;
            self.sync()?;
        }
        let mut journal = self.journal.lock();
        let mut core = self.core.lock();
        if core.damaged {
            if let Some(journal) = journal.as_mut() {
                journal.record_error(ERROR_CORRUPT)?;
            }
            return Ok(());
        }
        if core.read_only {
            return Ok(());
        }
        core.read_only = true;
        if let Some(journal) = journal.as_mut() {
            journal.checkpoint()?;
            journal.reset()?;
        }
        core.superblock.feature_incompat &= U32::new(!Incompat::RECOVER.bits());
        core.superblock.state |= U16::new(superblock::STATE_VALID);
        core.write_superblock(&*self.disk)
    }
}

impl<L: RawMutex> Ext4<L> {
    /// Deletes inodes without names that somebody still held: with the file system all holders go.
    fn delete_unnamed(&self) -> Result<()> {
        let unnamed: Vec<u32> = self.core.lock().orphans.keys().copied().collect();
        for ino in unnamed {
            self.look(|core| {
                core.slot(ino)?.holds = 0;
                Ok(())
            })?;
            self.delete(ino)?;
        }
        Ok(())
    }
}

/// All operations wait until this is dropped.
pub struct Frozen<'a, L: RawMutex> {
    _core: lock_api::MutexGuard<'a, L, Core>,
}
