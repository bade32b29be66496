//! mmap and its kin.

use super::Call;
use crate::mm::{MapRequest, Marks, Mm, Placement, range};
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{
    CAP_IPC_LOCK, MAP_32BIT, MAP_ANONYMOUS, MAP_DENYWRITE, MAP_EXECUTABLE, MAP_FIXED, MAP_FIXED_NOREPLACE,
    MAP_GROWSDOWN, MAP_HUGE_SHIFT, MAP_HUGETLB, MAP_LOCKED, MAP_NONBLOCK, MAP_NORESERVE, MAP_POPULATE, MAP_PRIVATE,
    MAP_SHARED, MAP_SHARED_VALIDATE, MAP_STACK, MAP_TYPE, MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MS_ASYNC,
    MS_INVALIDATE, MS_SYNC, PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_SEM, PROT_WRITE,
};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{Protection, USER_END};
use rkt_user::UserSlice;
use rkt_vfs::OpenFile;

/// RLIMIT_MEMLOCK.
const RLIMIT_MEMLOCK: u32 = 8;

/// /dev/zero (Linux' devices.txt).
const ZERO_DEVICE: u64 = 1 << 8 | 5;

fn protection(prot: u32) -> Result<Protection> {
    if prot & !(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM) != 0 {
        return Err(Errno::EINVAL);
    }
    // Kept as given, though the processor lets what may be written be read, too.
    Ok(Protection { read: prot & PROT_READ != 0, write: prot & PROT_WRITE != 0, execute: prot & PROT_EXEC != 0 })
}

/// What mmap(2) and mprotect(2) may be told; unknown bits of mmap(2) have no meaning.
const PROT_KNOWN: u32 = PROT_READ | PROT_WRITE | PROT_EXEC;
/// The flags that MAP_SHARED_VALIDATE finds good: all that are older than it (linux/mman.h).
const FLAGS_OLD: u32 = MAP_TYPE
    | MAP_FIXED
    | MAP_ANONYMOUS
    | MAP_32BIT
    | MAP_GROWSDOWN
    | MAP_DENYWRITE
    | MAP_EXECUTABLE
    | MAP_LOCKED
    | MAP_NORESERVE
    | MAP_POPULATE
    | MAP_NONBLOCK
    | MAP_STACK
    | MAP_HUGETLB
    | 31 << MAP_HUGE_SHIFT;
/// Sizes of huge pages, as the logarithms in the flags.
const HUGE_SIZES: [u32; 3] = [0, 21, 30];

/// Whose file is mapped; none for anonymous memory. There are no huge pages: none are reserved.
fn mapped_file(call: &Call<'_>, flags: u32, fd: i32) -> Result<Option<Arc<OpenFile>>> {
    let huge = flags & MAP_HUGETLB != 0;
    if flags & MAP_ANONYMOUS == 0 {
        let file = super::fd::usable(call, fd)?;
        return if huge { Err(Errno::EINVAL) } else { Ok(Some(file)) };
    }
    match flags >> MAP_HUGE_SHIFT & 63 {
        size if huge && !HUGE_SIZES.contains(&size) => Err(Errno::EINVAL),
        _ if huge => Err(Errno::ENOMEM),
        _ => Ok(None),
    }
}

/// Checks the type of a mapping against what is mapped; says whether it is shared.
fn is_shared(flags: u32, prot: u32, file: Option<&OpenFile>) -> Result<bool> {
    let shared = match (flags & MAP_TYPE, file) {
        (MAP_SHARED_VALIDATE, Some(_)) if flags & !FLAGS_OLD != 0 => return Err(Errno::EOPNOTSUPP),
        (MAP_SHARED, _) | (MAP_SHARED_VALIDATE, Some(_)) => true,
        (MAP_PRIVATE, _) => false,
        _ => return Err(Errno::EINVAL),
    };
    if let Some(file) = file
        && (!file.readable() || shared && prot & PROT_WRITE != 0 && !file.writable())
    {
        return Err(Errno::EACCES);
    }
    if flags & MAP_GROWSDOWN != 0 && (file.is_some() || shared) { Err(Errno::EINVAL) } else { Ok(shared) }
}

/// What RLIMIT_MEMLOCK lets the caller lock, in bytes.
///
/// # Errors
/// `EPERM` if nothing.
fn lock_limit(call: &Call<'_>) -> Result<u64> {
    let process = &call.task.process;
    match process.limit(RLIMIT_MEMLOCK) {
        _ if process.credentials().capable(CAP_IPC_LOCK) => Ok(u64::MAX),
        0 => Err(Errno::EPERM),
        limit => Ok(limit),
    }
}

/// Whether a new mapping is locked, and whether that is allowed.
fn locks(call: &Call<'_>, mm: &Mm, flags: u32, len: u64) -> Result<bool> {
    let asked = flags & MAP_LOCKED != 0;
    if !asked && !mm.lock_to_look().lock_future {
        return Ok(false);
    }
    let limit = if asked { lock_limit(call)? } else { lock_limit(call).unwrap_or(0) };
    if mm.lock_to_look().may_lock(len, limit) { Ok(true) } else { Err(Errno::EAGAIN) }
}

/// mmap(2).
pub fn mmap(call: &mut Call<'_>, addr: u64, len: u64, prot: u32, flags: u32, fd: i32, offset: u64) -> Result<u64> {
    if !offset.is_multiple_of(4096) {
        return Err(Errno::EINVAL);
    }
    let file = mapped_file(call, flags, fd)?;
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    if file.is_some() && offset.checked_add(len).is_none_or(|end| end > i64::MAX as u64) {
        return Err(Errno::EOVERFLOW);
    }
    let shared = is_shared(flags, prot, file.as_deref())?;
    // A mapping of /dev/zero is anonymous memory (zero(4)).
    let file = file.filter(|file| file.metadata().rdev != ZERO_DEVICE).map(|file| (file, offset));
    let placement = match flags {
        _ if flags & MAP_FIXED_NOREPLACE != 0 => Placement::FixedNoReplace(addr),
        _ if flags & MAP_FIXED != 0 => Placement::Fixed(addr),
        _ if flags & MAP_32BIT != 0 => Placement::Low,
        _ => Placement::Hint(addr),
    };
    // As Linux with vm.overcommit_memory = 0: what could never be there is refused.
    let writable = prot & PROT_WRITE != 0 && file.is_none();
    if writable && flags & MAP_NORESERVE == 0 && len > crate::boot::memory() {
        return Err(Errno::ENOMEM);
    }
    let mm = call.task.process.mm();
    let marks =
        Marks { locked: locks(call, &mm, flags, len)?, grows_down: flags & MAP_GROWSDOWN != 0, ..Marks::default() };
    mm.map(MapRequest {
        placement,
        len,
        protection: protection(prot & PROT_KNOWN)?,
        shared,
        file,
        populate: marks.locked || flags & MAP_POPULATE != 0 && flags & MAP_NONBLOCK == 0,
        marks,
        name: None,
    })
}

/// remap_file_pages(2): a part of a shared mapping shows other pages of its file.
pub fn remap_file_pages(call: &mut Call<'_>, addr: u64, size: u64, prot: u32, page: u64, flags: u32) -> Result<u64> {
    let (start, size) = (addr & !4095, size & !4095);
    let end = start.checked_add(size).filter(|&end| end > start).ok_or(Errno::EINVAL)?;
    let offset = page.checked_mul(4096).filter(|offset| offset.checked_add(size).is_some()).ok_or(Errno::EINVAL)?;
    if prot != 0 {
        return Err(Errno::EINVAL);
    }
    let mm = call.task.process.mm();
    let area = mm.lock_to_look().find(start).cloned().filter(|area| area.shared && area.end >= end);
    let area = area.ok_or(Errno::EINVAL)?;
    let file = area.backing.view().ok_or(Errno::EINVAL)?.file.clone();
    mm.map(MapRequest {
        placement: Placement::Fixed(start),
        len: size,
        protection: area.protection,
        shared: true,
        file: Some((file, offset)),
        populate: flags & MAP_NONBLOCK == 0,
        marks: area.marks,
        name: area.name,
    })?;
    Ok(0)
}

/// Where addresses end in Linux, which a program may count on: TASK_SIZE.
const TASK_SIZE: u64 = 0x7fff_ffff_f000;

/// munmap(2): no mapping lies between [`USER_END`] and [`TASK_SIZE`], but a range may.
pub fn munmap(call: &mut Call<'_>, addr: u64, len: u64) -> Result<u64> {
    if !addr.is_multiple_of(4096) || len == 0 || addr.checked_add(len).is_none_or(|end| end > TASK_SIZE) {
        return Err(Errno::EINVAL);
    }
    let end = (addr + len).min(USER_END);
    if addr < end {
        call.task.process.mm().unmap(addr, end - addr)?;
    }
    Ok(0)
}

/// mprotect(2).
pub fn mprotect(call: &mut Call<'_>, addr: u64, len: u64, prot: u32) -> Result<u64> {
    let grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
    if grows == PROT_GROWSDOWN | PROT_GROWSUP || !addr.is_multiple_of(4096) {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    let mm = call.task.process.mm();
    let (mut start, end) = range(addr, len)?;
    let protection = protection(prot & !grows)?;
    if grows != 0 {
        let inner = mm.lock_to_look();
        let area = inner.overlapping(start, end).next().ok_or(Errno::ENOMEM)?;
        // Nothing grows up on this architecture.
        if grows != PROT_GROWSDOWN || !area.marks.grows_down && area.name != Some("[stack]") {
            return Err(Errno::EINVAL);
        }
        start = area.start;
    }
    mm.protect(start, end - start, protection)?;
    Ok(0)
}

/// pkey_mprotect(2): key -1 is none, and there are no others.
pub fn pkey_mprotect(call: &mut Call<'_>, addr: u64, len: u64, prot: u32, key: i32) -> Result<u64> {
    if key == -1 { mprotect(call, addr, len, prot) } else { Err(Errno::EINVAL) }
}

/// pkey_alloc(2): as on a processor without protection keys.
pub fn pkey_alloc(_: &mut Call<'_>, flags: u64, rights: u64) -> Result<u64> {
    const RIGHTS: u64 = 3; // PKEY_DISABLE_ACCESS, PKEY_DISABLE_WRITE
    if flags != 0 || rights & !RIGHTS != 0 { Err(Errno::EINVAL) } else { Err(Errno::ENOSPC) }
}

/// pkey_free(2).
pub fn pkey_free(_: &mut Call<'_>, _key: i32) -> Result<u64> {
    Err(Errno::EINVAL)
}

/// brk(2): never fails, but may not move.
pub fn brk(call: &mut Call<'_>, addr: u64) -> Result<u64> {
    Ok(call.task.process.mm().set_brk(addr))
}

/// mremap(2).
pub fn mremap(call: &mut Call<'_>, addr: u64, old: u64, new: u64, flags: u32, to: u64) -> Result<u64> {
    let limit = lock_limit(call).unwrap_or(0);
    call.task.process.mm().remap(addr, old, new, flags, to, limit)
}

/// madvise(2).
pub fn madvise(call: &mut Call<'_>, addr: u64, len: u64, advice: u32) -> Result<u64> {
    call.task.process.mm().advise(addr, len, advice)?;
    Ok(0)
}

fn mapped(call: &Call<'_>, addr: u64, len: u64) -> Result<()> {
    if !addr.is_multiple_of(4096) {
        return Err(Errno::EINVAL);
    }
    let len = len.checked_next_multiple_of(4096).ok_or(Errno::ENOMEM)?;
    let end = addr.checked_add(len).ok_or(Errno::ENOMEM)?;
    if len == 0 || call.task.process.mm().lock().is_covered(addr, end) { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// msync(2). Mappings are the page cache itself, so that there is nothing to carry over; what
/// has a device behind it is flushed.
pub fn msync(call: &mut Call<'_>, addr: u64, len: u64, flags: u32) -> Result<u64> {
    let both = MS_ASYNC | MS_SYNC;
    if flags & !(both | MS_INVALIDATE) != 0 || !addr.is_multiple_of(4096) || flags & both == both {
        return Err(Errno::EINVAL);
    }
    let (start, end) = pages(addr, len).map_err(|_| Errno::ENOMEM)?;
    let mm = call.task.process.mm();
    let (shown, covered): (Vec<_>, bool) = {
        let inner = mm.lock_to_look();
        if flags & MS_INVALIDATE != 0 && inner.overlapping(start, end).any(|area| area.marks.locked) {
            return Err(Errno::EBUSY);
        }
        let shared = inner.overlapping(start, end).filter(|area| area.shared && area.file().is_some());
        let views = shared.filter_map(|area| area.backing.view());
        let shown = views.map(|view| (view.file.clone(), view.may_write().then(|| view.object.clone())));
        (shown.collect(), inner.is_covered(start, end))
    };
    for (file, written) in shown {
        // Stores of the application may have changed the file.
        written.inspect(|object| object.written());
        if flags & MS_SYNC != 0 {
            file.sync(true)?;
        }
    }
    if covered { Ok(0) } else { Err(Errno::ENOMEM) }
}

/// mincore(2): everything that is mapped is in memory.
pub fn mincore(call: &mut Call<'_>, addr: u64, len: u64, vec: u64) -> Result<u64> {
    mapped(call, addr, len)?;
    let pages = len.div_ceil(4096) as usize;
    let ones = [1u8; 256];
    let mut done = 0;
    while done < pages {
        let n = (pages - done).min(ones.len());
        UserSlice::new(vec + done as u64, n)?.write_all(ones.get(..n).unwrap_or(&[]))?;
        done += n;
    }
    Ok(0)
}

/// The pages of a range, which need not begin with one. As in Linux, a length that wraps around to
/// nothing is nothing.
fn pages(addr: u64, len: u64) -> Result<(u64, u64)> {
    let start = addr & !4095;
    let len = len.wrapping_add(addr & 4095).wrapping_add(4095) & !4095;
    Ok((start, start.checked_add(len).ok_or(Errno::EINVAL)?))
}

/// mlock(2).
pub fn mlock(call: &mut Call<'_>, addr: u64, len: u64) -> Result<u64> {
    let limit = lock_limit(call)?;
    let (start, end) = pages(addr, len)?;
    call.task.process.mm().set_locked(start, end, true, limit)?;
    Ok(0)
}

/// munlock(2).
pub fn munlock(call: &mut Call<'_>, addr: u64, len: u64) -> Result<u64> {
    let (start, end) = pages(addr, len)?;
    call.task.process.mm().set_locked(start, end, false, u64::MAX)?;
    Ok(0)
}

/// mlock2(2).
pub fn mlock2(call: &mut Call<'_>, addr: u64, len: u64, flags: u32) -> Result<u64> {
    const MLOCK_ONFAULT: u32 = 1;
    if flags & !MLOCK_ONFAULT != 0 { Err(Errno::EINVAL) } else { mlock(call, addr, len) }
}

/// mlockall(2).
pub fn mlockall(call: &mut Call<'_>, flags: u32) -> Result<u64> {
    let known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
    if flags == 0 || flags & !known != 0 || flags == MCL_ONFAULT {
        return Err(Errno::EINVAL);
    }
    let limit = lock_limit(call)?;
    let current = (flags & MCL_CURRENT != 0).then_some(true);
    call.task.process.mm().set_all_locked(current, flags & MCL_FUTURE != 0, limit)?;
    Ok(0)
}

/// munlockall(2).
pub fn munlockall(call: &mut Call<'_>) -> Result<u64> {
    call.task.process.mm().set_all_locked(Some(false), false, u64::MAX)?;
    Ok(0)
}
