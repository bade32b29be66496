//! Mounting: checks, replay of the journal, orphans.

use crate::cache::{Bytes, Cache};
use crate::core::{Core, Running};
use crate::disk::{Disk, Environment, Event, Overlay, read_vec};
use crate::error::{Error, MountError, Result};
use crate::fs::{Ext4, Options};
use crate::groups::Groups;
use crate::inodes::Inodes;
use crate::journal::{Journal, Log, Plan};
use crate::map::Nothing;
use crate::shape::{Shape, read_superblock};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use lock_api::RawMutex;
use rkt_ext4_format::features::{Compat, Incompat, RoCompat};
use rkt_ext4_format::inode::ROOT;
use rkt_ext4_format::superblock::{STATE_VALID, Superblock};
use zerocopy::little_endian::{U16, U32};

/// Reads what every mounted file system needs.
fn load(disk: &Arc<dyn Disk>, environment: &Arc<dyn Environment>, options: &Options) -> Result<Core, MountError> {
    let superblock = read_superblock(&**disk)?;
    load_with(disk, environment, options, superblock)
}

fn load_with(
    disk: &Arc<dyn Disk>,
    environment: &Arc<dyn Environment>,
    options: &Options,
    superblock: Superblock,
) -> Result<Core, MountError> {
    let shape = Shape::new(&superblock, disk.len(), options.read_only)?;
    let size = shape.block_size;
    let groups =
        Groups::load(&shape, &superblock, |block| Ok(Bytes::from(read_vec(&**disk, block * size as u64, size)?)))?;
    Ok(Core {
        cache: Cache::new(disk.clone(), size, shape.blocks, options.cached_blocks.max(64)),
        shape: Arc::new(shape),
        environment: environment.clone(),
        superblock,
        groups,
        inodes: Inodes::new(options.cached_inodes.max(64)),
        recent: Arc::new(Nothing),
        running: Running { tid: 1, ..Running::default() },
        committed: 0,
        largest: usize::MAX,
        orphans: BTreeMap::new(),
        orphans_changed: 0,
        reserved: 0,
        pending_free: 0,
        read_only: options.read_only,
        damaged: false,
    })
}

/// The journal, if there is one, found through a superblock that may be half written: what is
/// needed to find it never changes, and replay brings a whole one.
fn open_log(
    disk: &Arc<dyn Disk>,
    environment: &Arc<dyn Environment>,
    options: &Options,
) -> Result<Option<Log>, MountError> {
    let mut superblock = read_superblock(&**disk)?;
    if !superblock.compat().contains(Compat::HAS_JOURNAL) {
        return Ok(None);
    }
    if superblock.incompat().contains(Incompat::RECOVER) {
        superblock.checksum = U32::new(superblock.sum());
    }
    let mut core = load_with(disk, environment, options, superblock)?;
    Log::open(&mut core, disk.clone()).map(Some)
}

impl<L: RawMutex + Send + Sync + 'static> Ext4<L> {
    /// Mounts a disk.
    ///
    /// # Errors
    /// If there is no ext4 on it, or one with unknown features, or the disk fails or is damaged.
    pub fn mount(disk: Arc<dyn Disk>, environment: Arc<dyn Environment>, options: Options) -> Result<Self, MountError> {
        let log = open_log(&disk, &environment, &options)?;
        let plan = log.as_ref().filter(|log| log.is_dirty()).map(Plan::make).transpose()?;
        let disk = match (&log, &plan) {
            (Some(log), Some(plan)) => replay(disk, &environment, &options, log, plan)?,
            _ => disk,
        };
        let mut core = load(&disk, &environment, &options)?;
        core.live_inode(ROOT)?;
        if options.read_only {
            return Ok(Self::assemble(disk, environment, core, None, options.on_error));
        }
        let journal = match log {
            None => None,
            Some(log) => {
                if log.errno() != 0 {
                    core.superblock.state |= U16::new(rkt_ext4_format::superblock::STATE_ERROR);
                }
                let next = plan.map_or(log.next_transaction(), |plan| plan.next.wrapping_add(1)).max(1);
                let mut journal = Journal::new(log, &core.shape, next);
                journal.reset()?;
                core.running.tid = next;
                core.committed = next.wrapping_sub(1);
                core.largest = journal.largest();
                Some(journal)
            }
        };
        core.mark_mounted(&*disk, journal.is_some())?;
        let mounted = Self::assemble(disk, environment, core, journal, options.on_error);
        mounted.clean_up()?;
        Ok(mounted)
    }

    /// Finishes what a crash interrupted: deletes inodes without names, and truncates.
    fn clean_up(&self) -> Result<()> {
        let filed = self.core.lock().superblock.ro_compat().contains(RoCompat::ORPHAN_PRESENT);
        let orphans = self.look(|core| {
            let mut all = core.listed_orphans()?;
            if filed {
                all.extend(core.filed_orphans()?);
            }
            let distinct: BTreeSet<u32> = all.into_iter().collect();
            Ok(distinct)
        })?;
        if orphans.is_empty() && !filed {
            return Ok(());
        }
        self.change(2 * orphans.len() + 64, |core| {
            orphans.iter().try_for_each(|ino| core.add_orphan(*ino))?;
            if filed {
                core.clear_orphan_file()?;
                core.superblock.feature_ro_compat &= U32::new(!RoCompat::ORPHAN_PRESENT.bits());
                core.touch_superblock()?;
            }
            Ok(())
        })?;
        for ino in &orphans {
            let (links, size) = self.look(|core| core.inode(*ino).map(|found| (found.links, found.size)))?;
            if links == 0 {
                self.delete(*ino)?;
            } else {
                self.cut(*ino, size)?;
            }
        }
        self.environment.event(&Event::Orphans(orphans.len()));
        Ok(())
    }
}

/// Brings the blocks of the journal to their places, or over the disk if that must not change.
fn replay(
    disk: Arc<dyn Disk>,
    environment: &Arc<dyn Environment>,
    options: &Options,
    log: &Log,
    plan: &Plan,
) -> Result<Arc<dyn Disk>, MountError> {
    let size = log.block_size();
    let disk = if options.read_only {
        let mut blocks: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        plan.replay(log, |block, bytes| {
            blocks.insert(block, bytes);
            Ok(())
        })?;
        Arc::new(Overlay::new(disk, size, blocks))
    } else {
        plan.replay(log, |block, bytes| Ok(disk.write(block * size as u64, &bytes)?))?;
        disk.flush()?;
        disk
    };
    environment.event(&Event::Replayed { transactions: plan.transactions, blocks: plan.len() });
    Ok(disk)
}

impl Core {
    /// Says on the disk that the file system is in use.
    fn mark_mounted(&mut self, disk: &dyn Disk, journal: bool) -> Result<(), Error> {
        let seconds = self.seconds();
        self.superblock.set_mtime(seconds);
        self.superblock.mnt_count += U16::new(1);
        if journal {
            // Who finds this flag replays the journal.
            self.superblock.feature_incompat |= U32::new(Incompat::RECOVER.bits());
        } else {
            self.superblock.state &= U16::new(!STATE_VALID);
        }
        self.write_superblock(disk)
    }
}
