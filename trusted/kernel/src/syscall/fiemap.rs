//! Where a file lies on its disk: `FS_IOC_FIEMAP` (the kernel's Documentation/filesystems/fiemap.rst), and
//! its predecessor `FIBMAP`.

use rkt_linux_abi::ioctl::{FIEMAP_EXTENT_LAST, FIEMAP_EXTENT_UNWRITTEN, FIEMAP_FLAG_CACHE, FIEMAP_FLAG_SYNC};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;
use rkt_vfs::{FileExtent, OpenFile};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `struct fiemap`, before its extents.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Request {
    start: u64,
    len: u64,
    flags: u32,
    mapped: u32,
    room: u32,
    reserved: u32,
}

/// `struct fiemap_extent`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Extent {
    logical: u64,
    physical: u64,
    len: u64,
    reserved64: [u64; 2],
    flags: u32,
    reserved: [u32; 3],
}

impl Extent {
    fn new(of: &FileExtent, last: bool) -> Self {
        let unwritten = if of.unwritten { FIEMAP_EXTENT_UNWRITTEN } else { 0 };
        let flags = unwritten | if last { FIEMAP_EXTENT_LAST } else { 0 };
        Self { logical: of.logical, physical: of.physical, len: of.len, reserved64: [0; 2], flags, reserved: [0; 3] }
    }
}

/// Flags that are understood.
const KNOWN: u32 = FIEMAP_FLAG_SYNC | FIEMAP_FLAG_CACHE;
/// Most extents that may be asked for (`FIEMAP_MAX_EXTENTS`).
const MAX_ROOM: u32 = ((u32::MAX as usize - size_of::<Request>()) / size_of::<Extent>()) as u32;

/// `FS_IOC_FIEMAP`.
///
/// # Errors
/// `EOPNOTSUPP` where files lie nowhere, `EBADR` for unknown flags, which are handed back; `EINVAL`, `EFAULT`.
pub fn fiemap(file: &OpenFile, argument: u64) -> Result<()> {
    // Asked of nothing, so that a file system that cannot tell says so first.
    file.inode().extents(0, 0, &mut |_| false)?;
    let head = UserPtr::<Request>::new(argument);
    let mut request = head.read()?;
    if request.room > MAX_ROOM || request.len == 0 {
        return Err(Errno::EINVAL);
    }
    if request.flags & !KNOWN != 0 {
        request.flags &= !KNOWN;
        request.mapped = 0;
        head.write(&request)?;
        return Err(Errno::EBADR);
    }
    request.mapped = collect(file, &request, argument.saturating_add(size_of::<Request>() as u64))?;
    head.write(&request)
}

/// Stores the extents; gives how many there are, or how many fit if there is room for some.
fn collect(file: &OpenFile, request: &Request, to: u64) -> Result<u32> {
    let mut mapped = 0u32;
    let mut outcome = Ok(());
    let mut put = |extent: &FileExtent, last: bool| -> bool {
        let at = to.saturating_add(u64::from(mapped) * size_of::<Extent>() as u64);
        if request.room > 0 {
            outcome = UserPtr::new(at).write(&Extent::new(extent, last));
        }
        mapped = mapped.saturating_add(1);
        outcome.is_ok() && (request.room == 0 || mapped < request.room)
    };
    // One is kept back until it is known whether another follows.
    let mut held: Option<FileExtent> = None;
    let mut full = false;
    file.inode().extents(request.start, request.start.saturating_add(request.len), &mut |extent| {
        full = held.replace(*extent).is_some_and(|before| !put(&before, false));
        !full
    })?;
    if let Some(last) = held.filter(|_| !full) {
        put(&last, true);
    }
    outcome?;
    Ok(mapped)
}

/// `FIBMAP`: from a block of the file to a block of the disk, 0 for a hole. The caller may ask.
///
/// # Errors
/// `EINVAL` where files lie nowhere, `EFAULT`, `ERANGE` for a block whose number does not fit.
pub fn fibmap(file: &OpenFile, argument: u64) -> Result<()> {
    let place = UserPtr::<i32>::new(argument);
    let block = u64::try_from(place.read()?).map_err(|_| Errno::EINVAL)?;
    let size = file.path().mount.fs().statistics().block_size.max(1);
    let mut found = 0;
    let (from, to) = (block.saturating_mul(size), block.saturating_add(1).saturating_mul(size));
    let asked = file.inode().extents(from, to, &mut |extent| {
        found = if extent.unwritten { 0 } else { extent.physical / size };
        false
    });
    asked.map_err(|error| if error == Errno::EOPNOTSUPP { Errno::EINVAL } else { error })?;
    place.write(&i32::try_from(found).map_err(|_| Errno::ERANGE)?)
}
