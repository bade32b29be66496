//! A mounted disk.

use crate::convert::{errno, result};
use crate::node::{Content, Node, describe};
use crate::writeback;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use hashbrown::HashMap;
use rkt_ext4::{Disk, Environment, Error, Event, Ext4, MountError, Options, Stat, State};
use rkt_linux_abi::general::FS_EXTENT_FL;
use rkt_linux_abi::{Errno, Result};
use rkt_platform::SpaceId;
use rkt_sched::{ParkLock, Thread, WaitQueue};
use rkt_sync::Mutex;
use rkt_vfs::{Acl, AclKind, Acls, FileExtent, FileSystem, FsStatistics, Inode, Metadata, new_anonymous_device};

/// EXT4_SUPER_MAGIC of linux/magic.h.
const MAGIC: u64 = 0xef53;

/// How to mount.
pub struct MountOptions {
    /// Write nothing.
    pub read_only: bool,
    /// Most bytes of clean content to keep in memory.
    pub cache: u64,
    /// Most bytes that may wait to be written back before writers have to.
    pub dirty: u64,
    /// Whom to tell of damage and the like.
    pub tell: fn(&Event),
}

/// What the nodes of a disk share.
pub struct Shared {
    pub fs: Ext4<ParkLock>,
    device: u64,
    options: MountOptions,
    nodes: Mutex<HashMap<u32, Weak<Node>>>,
    /// Nodes that have content which the disk does not: kept until it has.
    dirty: Mutex<BTreeMap<u32, Arc<Node>>>,
    /// Bytes that the disk does not have.
    dirty_bytes: AtomicU64,
    /// The thread that writes back waits here.
    flusher: WaitQueue,
    /// It has been called.
    called: AtomicBool,
    /// Inodes whose nodes have gone, to be released.
    gone: Mutex<Vec<u32>>,
    /// Bytes of folios, about.
    cached: AtomicU64,
}

struct Surroundings(fn(&Event));

impl Environment for Surroundings {
    fn now(&self) -> i64 {
        i64::try_from(rkt_platform::wall()).unwrap_or(i64::MAX)
    }

    fn event(&self, event: &Event) {
        (self.0)(event);
    }
}

impl Shared {
    /// What stat(2) tells.
    pub fn describe(&self, stat: &Stat) -> Metadata {
        describe(stat, self.device, self.fs.block_size() as u32)
    }

    /// The node of an inode that is already there.
    pub fn known(&self, ino: u32) -> Option<Arc<Node>> {
        self.nodes.lock().get(&ino)?.upgrade()
    }

    /// The node of an inode.
    pub fn node(self: &Arc<Self>, ino: u32) -> Result<Arc<Node>> {
        if let Some(node) = self.known(ino) {
            return Ok(node);
        }
        result(self.fs.hold(ino))?;
        let found = result(self.fs.stat(ino)).and_then(|stat| Ok((stat, self.acls(ino)?)));
        let (stat, acls) = found.inspect_err(|_| self.let_go(ino))?;
        let fresh = Node::new(self, &stat, acls);
        let mut nodes = self.nodes.lock();
        if let Some(other) = nodes.get(&ino).and_then(Weak::upgrade) {
            drop(nodes);
            return Ok(other); // somebody was faster; the fresh one lets go of its hold
        }
        nodes.insert(ino, Arc::downgrade(&fresh));
        Ok(fresh)
    }

    /// The access control lists of an inode.
    fn acls(&self, ino: u32) -> Result<Acls> {
        let mut acls = Acls::default();
        for kind in [AclKind::Access, AclKind::Default] {
            match self.fs.xattr(ino, kind.name()) {
                Ok(list) => acls.set(kind, Acl::parse(&list)?.map(Arc::new)),
                Err(Error::NoData) => {}
                Err(error) => return Err(errno(error)),
            }
        }
        Ok(acls)
    }

    /// Where `[from, to)` of an inode lies on the disk.
    pub fn extents(&self, ino: u32, from: u64, to: u64, emit: &mut dyn FnMut(&FileExtent) -> bool) -> Result<()> {
        let block = self.fs.block_size() as u64;
        // Only files with extents may have blocks behind their end.
        let stat = result(self.fs.stat(ino))?;
        let end = if stat.flags & FS_EXTENT_FL != 0 { self.fs.max_size() } else { stat.size };
        let (mut at, end) = (from / block, to.min(end).div_ceil(block));
        while at < end {
            let logical = u32::try_from(at).map_err(|_| Errno::EFBIG)?;
            let found = result(self.fs.map(ino, logical, u32::try_from(end - at).unwrap_or(u32::MAX)))?;
            let place = match found.state {
                State::Hole => None,
                State::Written(place) => Some((place, false)),
                State::Unwritten(place) => Some((place, true)),
            };
            let len = u64::from(found.len.max(1));
            if let Some((place, unwritten)) = place {
                let extent = FileExtent {
                    logical: at * block,
                    physical: place.saturating_mul(block),
                    len: len * block,
                    unwritten,
                };
                if !emit(&extent) {
                    break;
                }
            }
            at += len;
        }
        Ok(())
    }

    /// A node has gone: its inode is released by whoever has time next.
    pub fn let_go(&self, ino: u32) {
        self.gone.lock().push(ino);
    }

    /// Releases the inodes of nodes that have gone.
    pub fn collect(&self) {
        let gone = core::mem::take(&mut *self.gone.lock());
        for ino in gone {
            {
                let mut nodes = self.nodes.lock();
                if nodes.get(&ino).is_some_and(|node| node.strong_count() == 0) {
                    nodes.remove(&ino);
                }
            }
            // A disk that fails has told so; the orphan list has the inode.
            let _ = self.fs.release(ino);
        }
    }

    /// Counts what the disk does not have of a node. Its work lock is held.
    pub fn count_dirty(&self, content: &Content) {
        let now = content.pages.read().dirty();
        let before = content.counted.swap(now, Ordering::AcqRel);
        // Wrapping: the sum over all nodes is what counts.
        self.dirty_bytes.fetch_add(now.wrapping_sub(before), Ordering::AcqRel);
    }

    /// The node has something that the disk does not: bytes, times, or a mapping that may write.
    pub fn note_dirty(&self, node: &Node) {
        let mut dirty = self.dirty.lock();
        if !dirty.contains_key(&node.ino)
            && let Some(node) = node.me.upgrade()
        {
            dirty.insert(node.ino, node);
        }
    }

    /// So much waits for the disk that the thread that writes back is called, or that whoever made it so has
    /// to do it himself.
    pub fn throttle(&self, node: &Node) -> Result<()> {
        let waiting = self.dirty_bytes.load(Ordering::Acquire);
        if waiting > self.options.dirty {
            return node.write_back();
        }
        if waiting > self.options.dirty / 2 && !self.called.swap(true, Ordering::AcqRel) {
            self.flusher.wake_all(0);
        }
        Ok(())
    }

    /// Waits until so much waits for the disk that somebody calls, or the deadline is over; true if called.
    pub fn wait_for_call(&self, deadline: u64) -> bool {
        let called = || self.called.swap(false, Ordering::AcqRel).then_some(());
        self.flusher.wait(Some(deadline), called).is_ok()
    }

    /// The disk has all of the node's content.
    pub fn note_clean(&self, ino: u32) {
        let gone = self.dirty.lock().remove(&ino);
        drop(gone);
    }

    /// Drops files without names that nobody uses any more, instead of writing them back.
    pub fn drop_unnamed(&self) {
        let unnamed: Vec<Arc<Node>> = {
            let mut dirty = self.dirty.lock();
            let unused = |node: &Arc<Node>| Arc::strong_count(node) == 1 && node.is_unnamed();
            let inos: Vec<u32> = dirty.iter().filter(|(_, node)| unused(node)).map(|(ino, _)| *ino).collect();
            inos.iter().filter_map(|ino| dirty.remove(ino)).collect()
        };
        for node in unnamed {
            node.discard();
        }
    }

    /// Makes room on a full disk: what has gone is deleted, and its blocks can be used once that is durable.
    /// False if there was nothing.
    pub fn make_room(&self) -> Result<bool> {
        self.drop_unnamed();
        self.collect();
        if !self.fs.has_pending_free() {
            return Ok(false);
        }
        result(self.fs.sync())?;
        Ok(true)
    }

    /// Writes back all that the disk does not have.
    fn write_back(&self) -> Result<()> {
        self.dirty_inodes().into_iter().filter_map(|ino| self.dirty_node(ino)).try_for_each(|node| node.write_back())
    }

    /// Inodes with content that the disk does not have.
    pub fn dirty_inodes(&self) -> Vec<u32> {
        self.dirty.lock().keys().copied().collect()
    }

    /// The node of one of them, if that is still so.
    pub fn dirty_node(&self, ino: u32) -> Option<Arc<Node>> {
        self.dirty.lock().get(&ino).cloned()
    }

    /// So many bytes of folios were made. If they are too many, clean ones go.
    pub fn note_cached(&self, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let cached = self.cached.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if cached > self.options.cache {
            self.shrink();
        }
    }

    /// Drops clean folios, those first that nobody used since the last look.
    fn shrink(&self) {
        let nodes: Vec<Arc<Node>> = self.nodes.lock().values().filter_map(Weak::upgrade).collect();
        let contents = || nodes.iter().filter_map(|node| node.content.as_ref());
        let held: u64 = contents().map(|content| content.pages.read().held()).sum();
        let mut surplus = held.saturating_sub(self.options.cache / 8 * 7);
        let wanted = surplus;
        for _ in 0..2 {
            for content in contents() {
                if surplus > 0 {
                    surplus -= content.pages.write().shrink(surplus).min(surplus);
                }
            }
        }
        self.cached.store(held - (wanted - surplus), Ordering::Relaxed);
    }
}

/// ext4 on a disk.
pub struct DiskFs {
    shared: Arc<Shared>,
    root: Arc<Node>,
}

impl DiskFs {
    /// Mounts, and starts the thread that writes back.
    ///
    /// # Errors
    /// Why it cannot be mounted.
    pub fn mount(disk: Arc<dyn Disk>, options: MountOptions) -> core::result::Result<Arc<Self>, MountError> {
        let how = Options { read_only: options.read_only, ..Options::default() };
        let fs = Ext4::mount(disk, Arc::new(Surroundings(options.tell)), how)?;
        let shared = Arc::new(Shared {
            fs,
            device: new_anonymous_device(),
            options,
            nodes: Mutex::new(HashMap::new()),
            dirty: Mutex::new(BTreeMap::new()),
            dirty_bytes: AtomicU64::new(0),
            flusher: WaitQueue::new(),
            called: AtomicBool::new(false),
            gone: Mutex::new(Vec::new()),
            cached: AtomicU64::new(0),
        });
        let root = shared.node(shared.fs.root()).map_err(|_| MountError::Disk)?;
        Ok(Arc::new(Self { shared, root }))
    }

    /// Starts the thread that writes back, in an address space that lives as long as the kernel.
    ///
    /// # Errors
    /// False if there is no memory for it.
    #[must_use]
    pub fn start(&self, space: SpaceId) -> bool {
        let shared = self.shared.clone();
        match Thread::new(space, None, Box::new(move || writeback::run(&shared))) {
            Some(thread) => {
                thread.wake();
                true
            }
            None => false,
        }
    }

    /// Writes everything back and leaves the disk so that it needs no replay. Nothing can be written
    /// afterwards.
    ///
    /// # Errors
    /// `EIO`.
    pub fn unmount(&self) -> Result<()> {
        self.shared.write_back()?;
        self.shared.collect();
        result(self.shared.fs.unmount())
    }
}

impl FileSystem for DiskFs {
    fn type_name(&self) -> &'static str {
        "ext4"
    }

    fn root(&self) -> Arc<dyn Inode> {
        self.root.clone()
    }

    fn statistics(&self) -> FsStatistics {
        let known = self.shared.fs.statistics();
        FsStatistics {
            magic: MAGIC,
            block_size: known.block_size,
            blocks: known.blocks,
            free: known.free,
            inodes: known.inodes,
            free_inodes: known.free_inodes,
            name_max: 255,
        }
    }

    fn device(&self) -> u64 {
        self.shared.device
    }

    fn sync(&self) -> Result<()> {
        self.shared.write_back()?;
        result(self.shared.fs.sync())
    }
}
