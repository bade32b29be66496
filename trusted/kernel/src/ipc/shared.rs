//! Shared memory segments (shmget(2), shmat(2)): nameless files that are mapped. Who holds a mapping
//! of one holds its open file, and so attachments are counted without counting.

use super::registry::{Object, READ, Registry, WRITE};
use super::{PermissionsAbi, seconds};
use crate::mm::{MapRequest, Marks, Mm, Placement};
use crate::process::Process;
use alloc::format;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use rkt_linux_abi::general::{O_RDONLY, O_RDWR};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::Protection;
use rkt_sync::Mutex;
use rkt_vfs::{OpenFile, tmpfs};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// SHM_RDONLY, SHM_RND, SHM_REMAP, SHM_EXEC of linux/shm.h.
pub const SHM_RDONLY: u32 = 0o10000;
const SHM_RND: u32 = 0o20000;
const SHM_REMAP: u32 = 0o40000;
const SHM_EXEC: u32 = 0o100000;
/// SHM_DEST: removed, and gone with the last attachment.
const SHM_DEST: u32 = 0o1000;
/// SHM_LOCKED: it was locked into memory.
const SHM_LOCKED: u32 = 0o2000;
/// SHM_HUGETLB: in huge pages.
const SHM_HUGETLB: u32 = 0o4000;
/// Most bytes of a segment, and most pages of all: no limit (SHMMAX and SHMALL of linux/shm.h).
pub const SHMMAX: u64 = u64::MAX - (1 << 24);
const PAGE: u64 = 4096;

/// A segment.
pub struct Segment {
    /// Bytes asked for.
    pub size: u64,
    file: Arc<OpenFile>,
    attached: Mutex<Vec<Weak<OpenFile>>>,
    creator: i32,
    last: AtomicI32,
    attached_at: AtomicI64,
    detached_at: AtomicI64,
    changed_at: AtomicI64,
    /// SHM_LOCK: nothing is paged out here, so it is only told.
    locked: AtomicBool,
}

/// `struct shmid64_ds`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SegmentAbi {
    /// Who may do what.
    pub permissions: PermissionsAbi,
    /// Bytes asked for.
    pub size: u64,
    /// When it was last attached.
    pub attached_at: i64,
    /// When it was last detached.
    pub detached_at: i64,
    /// When it was made or set.
    pub changed_at: i64,
    /// Who made it.
    pub creator: i32,
    /// Who attached or detached last.
    pub last: i32,
    /// Attachments.
    pub attached: u64,
    unused: [u64; 2],
}

static SEGMENTS: Registry<Segment> = Registry::new();

impl Segment {
    /// Bytes that have memory.
    pub fn resident(&self) -> u64 {
        self.file.metadata().blocks * 512
    }

    /// Mappings that there are.
    fn attachments(&self) -> usize {
        let mut attached = self.attached.lock();
        attached.retain(|file| file.strong_count() > 0);
        attached.iter().map(Weak::strong_count).sum()
    }
}

/// All segments; those that were removed go with their last attachment.
pub fn segments() -> &'static Registry<Segment> {
    for object in SEGMENTS.all() {
        if object.is_removed() && object.body.attachments() == 0 {
            SEGMENTS.remove(&object);
        }
    }
    &SEGMENTS
}

/// shmget(2).
///
/// # Errors
/// As there.
pub fn get(process: &Process, key: i32, size: u64, flags: u32) -> Result<i32> {
    let credentials = process.credentials();
    let fits = |segment: &Segment| if segment.size < size { Err(Errno::EINVAL) } else { Ok(()) };
    let make = || {
        if size == 0 || size > i64::MAX as u64 - PAGE {
            return Err(Errno::EINVAL);
        }
        // No huge pages are set aside.
        if flags & SHM_HUGETLB != 0 || size > crate::boot::memory() {
            return Err(Errno::ENOMEM);
        }
        let file = tmpfs::memfd(format!("SYSV{key:08x}").as_bytes(), 0, credentials.clone())?;
        file.truncate(size.next_multiple_of(PAGE) as i64)?;
        Ok(Segment {
            size,
            file,
            attached: Mutex::default(),
            creator: process.pid,
            last: AtomicI32::new(0),
            attached_at: AtomicI64::new(0),
            detached_at: AtomicI64::new(0),
            changed_at: AtomicI64::new(seconds()),
            locked: AtomicBool::new(false),
        })
    };
    segments().get(key, flags, &credentials, fits, make)
}

/// shmat(2); gives the address.
///
/// # Errors
/// As there.
pub fn attach(process: &Process, id: i32, address: u64, flags: u32) -> Result<u64> {
    let object = segments().find(id)?;
    let segment = &object.body;
    let placement = match address {
        0 if flags & SHM_REMAP != 0 => return Err(Errno::EINVAL),
        0 => Placement::Hint(0),
        _ if !address.is_multiple_of(PAGE) && flags & SHM_RND == 0 => return Err(Errno::EINVAL),
        _ if flags & SHM_REMAP != 0 => Placement::Fixed(address & !(PAGE - 1)),
        _ => Placement::FixedNoReplace(address & !(PAGE - 1)),
    };
    let read_only = flags & SHM_RDONLY != 0;
    object.check(&process.credentials(), if read_only { READ } else { READ | WRITE })?;
    let mode = if read_only { O_RDONLY } else { O_RDWR };
    let origin = &segment.file;
    let file = OpenFile::new(origin.path().clone(), origin.ops().clone(), mode, origin.credentials().clone());
    segment.attached.lock().push(Arc::downgrade(&file));
    let request = MapRequest {
        placement,
        len: segment.size,
        protection: Protection { read: true, write: !read_only, execute: flags & SHM_EXEC != 0 },
        shared: true,
        file: Some((file, 0)),
        populate: false,
        marks: Marks::default(),
        name: None,
    };
    let at = process.mm().map(request).map_err(|error| if error == Errno::EEXIST { Errno::EINVAL } else { error })?;
    segment.last.store(process.pid, Ordering::Relaxed);
    segment.attached_at.store(seconds(), Ordering::Relaxed);
    Ok(at)
}

/// Addresses and lengths.
type Parts = Vec<(u64, u64)>;

/// The parts of the attachment that begins at an address, and whose it is.
fn attachment(mm: &Mm, address: u64) -> Option<(Arc<OpenFile>, Parts)> {
    let inner = mm.lock();
    let (file, _) = inner.find(address).filter(|area| area.start == address)?.file()?;
    let file = file.clone();
    let same = |area: &&crate::mm::Area| area.file().is_some_and(|(other, _)| Arc::ptr_eq(other, &file));
    let parts = inner.iter().filter(same).map(|area| (area.start, area.len())).collect();
    Some((file, parts))
}

/// shmdt(2).
///
/// # Errors
/// `EINVAL` if nothing is attached at the address.
pub fn detach(process: &Process, address: u64) -> Result<()> {
    let mm = process.mm();
    let (file, parts) = attachment(&mm, address).ok_or(Errno::EINVAL)?;
    let is_ours = |object: &Arc<Object<Segment>>| {
        object.body.attached.lock().iter().any(|attached| core::ptr::eq(attached.as_ptr(), Arc::as_ptr(&file)))
    };
    let object = SEGMENTS.all().into_iter().find(is_ours).ok_or(Errno::EINVAL)?;
    for (start, len) in parts {
        mm.unmap(start, len)?;
    }
    object.body.last.store(process.pid, Ordering::Relaxed);
    object.body.detached_at.store(seconds(), Ordering::Relaxed);
    drop(file);
    segments();
    Ok(())
}

/// What IPC_STAT tells.
pub fn stat(object: &Object<Segment>) -> SegmentAbi {
    let segment = &object.body;
    let removed = if object.is_removed() { SHM_DEST } else { 0 };
    let locked = if segment.locked.load(Ordering::Relaxed) { SHM_LOCKED } else { 0 };
    SegmentAbi {
        permissions: PermissionsAbi::of(object, removed | locked),
        size: segment.size,
        attached_at: segment.attached_at.load(Ordering::Relaxed),
        detached_at: segment.detached_at.load(Ordering::Relaxed),
        changed_at: segment.changed_at.load(Ordering::Relaxed),
        creator: segment.creator,
        last: segment.last.load(Ordering::Relaxed),
        attached: segment.attachments() as u64,
        unused: [0; 2],
    }
}

/// SHM_LOCK, SHM_UNLOCK.
pub fn lock(object: &Object<Segment>, locked: bool) {
    object.body.locked.store(locked, Ordering::Relaxed);
}

/// Something about the segment was set.
pub fn touch(object: &Object<Segment>) {
    object.body.changed_at.store(seconds(), Ordering::Relaxed);
}

/// IPC_RMID: gone with the last attachment.
pub fn remove(object: &Object<Segment>) {
    SEGMENTS.mark_removed(object);
    segments();
}

/// Segments, and pages that they take: SHM_INFO.
pub fn totals() -> (u64, u64) {
    let all = segments().all();
    (all.len() as u64, all.iter().map(|object| object.body.size.div_ceil(PAGE)).sum())
}
