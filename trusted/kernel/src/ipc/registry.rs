//! Objects by key and by id.

use super::{IPC_CREAT, IPC_EXCL, IPC_PRIVATE};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use rkt_linux_abi::general::{CAP_IPC_OWNER, CAP_SYS_ADMIN};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::Mutex;
use rkt_vfs::Credentials;

/// Most objects of a kind (SHMMNI, SEMMNI, MSGMNI: 4096 to 32000 in Linux).
pub const MOST: usize = 4096;
/// Bits of an id below its generation (IPCMNI_SHIFT).
const INDEX_BITS: u32 = 15;

/// Reading and writing, as bits of the lowest three of a mode.
pub const READ: u32 = 4;
#[allow(missing_docs)]
pub const WRITE: u32 = 2;

/// Who may do what with an object.
#[derive(Clone, Copy, Debug)]
pub struct Permissions {
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Creator.
    pub creator_uid: u32,
    /// Creator's group.
    pub creator_gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// An object and what all kinds have.
pub struct Object<T> {
    /// Its number.
    pub id: i32,
    key: AtomicI32,
    removed: AtomicBool,
    /// Who may do what.
    pub permissions: Mutex<Permissions>,
    /// The object itself.
    pub body: T,
}

impl<T> Object<T> {
    /// Its key; private ones have 0.
    pub fn key(&self) -> i32 {
        self.key.load(Ordering::Relaxed)
    }

    /// Generation of the id.
    pub fn sequence(&self) -> u16 {
        (self.id >> INDEX_BITS) as u16
    }

    /// Whether it was removed.
    pub fn is_removed(&self) -> bool {
        self.removed.load(Ordering::SeqCst)
    }

    /// Checks access for `wanted` ([`READ`], [`WRITE`]).
    ///
    /// # Errors
    /// `EACCES`.
    pub fn check(&self, who: &Credentials, wanted: u32) -> Result<()> {
        let permissions = *self.permissions.lock();
        let member = |gid| who.gid == gid || who.groups.contains(&gid);
        let granted = if who.uid == permissions.uid || who.uid == permissions.creator_uid {
            permissions.mode >> 6
        } else if member(permissions.gid) || member(permissions.creator_gid) {
            permissions.mode >> 3
        } else {
            permissions.mode
        };
        if wanted & !granted == 0 || who.capable(CAP_IPC_OWNER) { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Checks that the caller may change or remove the object.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn check_owner(&self, who: &Credentials) -> Result<()> {
        let permissions = *self.permissions.lock();
        let owns = who.uid == permissions.uid || who.uid == permissions.creator_uid;
        if owns || who.capable(CAP_SYS_ADMIN) { Ok(()) } else { Err(Errno::EPERM) }
    }
}

struct Objects<T> {
    by_index: BTreeMap<i32, Arc<Object<T>>>,
    sequence: i32,
}

/// All objects of a kind.
pub struct Registry<T> {
    objects: Mutex<Objects<T>>,
}

impl<T> Registry<T> {
    /// No objects.
    pub const fn new() -> Self {
        Self { objects: Mutex::new(Objects { by_index: BTreeMap::new(), sequence: 0 }) }
    }

    /// The object with this key, or a new one, as `flags` say (shmget(2)); `fits` checks one that is there.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST`, `EACCES`, `ENOSPC`, and those of `fits` and `make`.
    pub fn get(
        &self,
        key: i32,
        flags: u32,
        who: &Credentials,
        fits: impl FnOnce(&T) -> Result<()>,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<i32> {
        let mut objects = self.objects.lock();
        let found = objects.by_index.values().find(|object| key != IPC_PRIVATE && object.key() == key);
        if let Some(object) = found {
            if flags & (IPC_CREAT | IPC_EXCL) == IPC_CREAT | IPC_EXCL {
                return Err(Errno::EEXIST);
            }
            fits(&object.body)?;
            // Whoever asks for a permission by the mode has to have it.
            let wanted = (flags >> 6 | flags >> 3 | flags) & 7;
            object.check(who, wanted)?;
            return Ok(object.id);
        }
        if key != IPC_PRIVATE && flags & IPC_CREAT == 0 {
            return Err(Errno::ENOENT);
        }
        let index = (0..MOST as i32).find(|index| !objects.by_index.contains_key(index)).ok_or(Errno::ENOSPC)?;
        let id = objects.sequence << INDEX_BITS | index;
        let permissions =
            Permissions { uid: who.uid, gid: who.gid, creator_uid: who.uid, creator_gid: who.gid, mode: flags & 0o777 };
        let object = Object {
            id,
            key: AtomicI32::new(key),
            removed: AtomicBool::new(false),
            permissions: Mutex::new(permissions),
            body: make()?,
        };
        objects.sequence = (objects.sequence + 1) & 0x7fff;
        objects.by_index.insert(index, Arc::new(object));
        Ok(id)
    }

    /// The object with this id.
    ///
    /// # Errors
    /// `EINVAL` if there is none.
    pub fn find(&self, id: i32) -> Result<Arc<Object<T>>> {
        if id < 0 {
            return Err(Errno::EINVAL);
        }
        let objects = self.objects.lock();
        let index = id & ((1 << INDEX_BITS) - 1);
        objects.by_index.get(&index).filter(|object| object.id == id).cloned().ok_or(Errno::EINVAL)
    }

    /// The object at this index, for the _STAT commands of ipcs(1).
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn at(&self, index: i32) -> Result<Arc<Object<T>>> {
        self.objects.lock().by_index.get(&index).cloned().ok_or(Errno::EINVAL)
    }

    /// All objects in the order of their indices.
    pub fn all(&self) -> Vec<Arc<Object<T>>> {
        self.objects.lock().by_index.values().cloned().collect()
    }

    /// The highest index in use; 0 if there is none.
    pub fn highest(&self) -> u64 {
        self.objects.lock().by_index.keys().next_back().map_or(0, |&index| index as u64)
    }

    /// Marks an object as removed: nobody finds it by its key any more.
    pub fn mark_removed(&self, object: &Object<T>) {
        object.removed.store(true, Ordering::SeqCst);
        object.key.store(IPC_PRIVATE, Ordering::Relaxed);
    }

    /// Takes an object off the books.
    pub fn remove(&self, object: &Object<T>) {
        self.mark_removed(object);
        let index = object.id & ((1 << INDEX_BITS) - 1);
        let mut objects = self.objects.lock();
        if objects.by_index.get(&index).is_some_and(|there| there.id == object.id) {
            let gone = objects.by_index.remove(&index);
            drop(objects);
            drop(gone);
        }
    }
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self::new()
    }
}
