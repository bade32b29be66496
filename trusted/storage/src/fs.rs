//! A mounted disk.

use crate::convert::result;
use crate::node::{Node, describe};
use crate::writeback;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use hashbrown::HashMap;
use rkt_ext4::{Disk, Environment, Event, Ext4, MountError, Options, Stat};
use rkt_linux_abi::Result;
use rkt_platform::SpaceId;
use rkt_sched::{ParkLock, Thread};
use rkt_sync::Mutex;
use rkt_vfs::{FileSystem, FsStatistics, Inode, Metadata, new_anonymous_device};

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
    dirty: Mutex<BTreeMap<u32, (Arc<Node>, u64)>>,
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
        let stat = match result(self.fs.stat(ino)) {
            Ok(stat) => stat,
            Err(error) => {
                self.let_go(ino);
                return Err(error);
            }
        };
        let fresh = Node::new(self, &stat);
        let mut nodes = self.nodes.lock();
        if let Some(other) = nodes.get(&ino).and_then(Weak::upgrade) {
            drop(nodes);
            return Ok(other); // somebody was faster; the fresh one lets go of its hold
        }
        nodes.insert(ino, Arc::downgrade(&fresh));
        Ok(fresh)
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

    /// The node has so many bytes that the disk does not. Whoever makes too many writes back himself.
    pub fn note_dirty(&self, node: &Node, bytes: u64) -> Result<()> {
        let Some(node) = node.me.upgrade() else { return Ok(()) };
        let total: u64 = {
            let mut dirty = self.dirty.lock();
            dirty.insert(node.ino, (node.clone(), bytes));
            dirty.values().map(|(_, bytes)| bytes).sum()
        };
        if total > self.options.dirty { node.write_back() } else { Ok(()) }
    }

    /// A mapping may have written to the node.
    pub fn note_mapped(&self, node: &Node) {
        if let Some(node) = node.me.upgrade() {
            self.dirty.lock().entry(node.ino).or_insert((node, 0));
        }
    }

    /// The disk has all of the node's content.
    pub fn note_clean(&self, ino: u32) {
        let gone = self.dirty.lock().remove(&ino);
        drop(gone);
    }

    /// Nodes with content that the disk does not have.
    pub fn dirty_nodes(&self) -> Vec<Arc<Node>> {
        self.dirty.lock().values().map(|(node, _)| node.clone()).collect()
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

    fn shrink(&self) {
        let nodes: Vec<Arc<Node>> = self.nodes.lock().values().filter_map(Weak::upgrade).collect();
        let mut held = 0;
        for node in nodes {
            if let Some(content) = &node.content {
                // Whoever works on the file has its lock, and may count on what he just filled.
                let mut pages = content.pages.write();
                if held + pages.held() > self.options.cache / 2 {
                    pages.shrink();
                }
                held += pages.held();
            }
        }
        self.cached.store(held, Ordering::Relaxed);
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
        for node in self.shared.dirty_nodes() {
            node.write_back()?;
        }
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
        for node in self.shared.dirty_nodes() {
            node.write_back()?;
        }
        result(self.shared.fs.sync())
    }
}
