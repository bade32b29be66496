//! mmap and its kin.

use super::Call;
use crate::mm::{MapRequest, Placement};
use rkt_linux_abi::general::{
    MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_HUGETLB, MAP_LOCKED, MAP_NORESERVE, MAP_POPULATE,
    MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_SYNC, MAP_TYPE, MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MS_ASYNC,
    MS_INVALIDATE, MS_SYNC, PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_SEM, PROT_WRITE,
};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::Protection;
use rkt_user::UserSlice;
use rkt_vfs::OpenFile;

/// /dev/zero (Linux' devices.txt).
const ZERO_DEVICE: u64 = 1 << 8 | 5;

fn protection(prot: u32) -> Result<Protection> {
    if prot & !(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM) != 0 {
        return Err(Errno::EINVAL);
    }
    // Kept as given, though the processor lets what may be written be read, too.
    Ok(Protection { read: prot & PROT_READ != 0, write: prot & PROT_WRITE != 0, execute: prot & PROT_EXEC != 0 })
}

/// mmap(2).
pub fn mmap(call: &mut Call<'_>, addr: u64, len: u64, prot: u32, flags: u32, fd: i32, offset: u64) -> Result<u64> {
    let shared = match flags & MAP_TYPE {
        MAP_PRIVATE => false,
        MAP_SHARED => true,
        MAP_SHARED_VALIDATE if flags & MAP_SYNC != 0 => return Err(Errno::EOPNOTSUPP),
        MAP_SHARED_VALIDATE => true,
        _ => return Err(Errno::EINVAL),
    };
    let anonymous = flags & MAP_ANONYMOUS != 0;
    if flags & MAP_HUGETLB != 0 && anonymous {
        return Err(Errno::ENOMEM); // no huge pages are reserved
    }
    if !offset.is_multiple_of(4096) {
        return Err(Errno::EINVAL);
    }
    // MAP_GROWSDOWN stacks are made whole by their users; only the flag's type is checked.
    if flags & MAP_GROWSDOWN != 0 && !anonymous {
        return Err(Errno::EINVAL);
    }
    let file = if anonymous { None } else { Some((call.task.process.file(fd)?, offset)) };
    // A mapping of /dev/zero is anonymous memory (zero(4)).
    let zero = file.as_ref().is_some_and(|(file, _)| file.metadata().rdev == ZERO_DEVICE);
    let denied = |file: &OpenFile| !file.readable() || shared && prot & PROT_WRITE != 0 && !file.writable();
    if zero && file.as_ref().is_some_and(|(file, _)| denied(file)) {
        return Err(Errno::EACCES);
    }
    let file = file.filter(|_| !zero);
    let placement = if flags & MAP_FIXED_NOREPLACE != 0 {
        Placement::FixedNoReplace(addr)
    } else if flags & MAP_FIXED != 0 {
        Placement::Fixed(addr)
    } else {
        Placement::Hint(addr)
    };
    // As Linux with vm.overcommit_memory = 0: what could never be there is refused.
    let writable = prot & PROT_WRITE != 0 && file.is_none();
    if writable && flags & MAP_NORESERVE == 0 && len > crate::boot::manifest().memory {
        return Err(Errno::ENOMEM);
    }
    let mm = call.task.process.mm();
    let limit = call.task.process.limit(9); // RLIMIT_AS
    if limit != u64::MAX && mm.lock().total.saturating_add(len) > limit {
        return Err(Errno::ENOMEM);
    }
    mm.map(MapRequest {
        placement,
        len,
        protection: protection(prot & !(PROT_GROWSDOWN | PROT_GROWSUP))?,
        shared,
        file,
        populate: flags & (MAP_POPULATE | MAP_LOCKED) != 0,
        name: None,
    })
}

/// munmap(2).
pub fn munmap(call: &mut Call<'_>, addr: u64, len: u64) -> Result<u64> {
    call.task.process.mm().unmap(addr, len)?;
    Ok(0)
}

/// mprotect(2).
pub fn mprotect(call: &mut Call<'_>, addr: u64, len: u64, prot: u32) -> Result<u64> {
    call.task.process.mm().protect(addr, len, protection(prot)?)?;
    Ok(0)
}

/// brk(2): never fails, but may not move.
pub fn brk(call: &mut Call<'_>, addr: u64) -> Result<u64> {
    Ok(call.task.process.mm().set_brk(addr))
}

/// mremap(2).
pub fn mremap(call: &mut Call<'_>, addr: u64, old: u64, new: u64, flags: u32, to: u64) -> Result<u64> {
    call.task.process.mm().remap(addr, old, new, flags, to)
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
    if flags & !(MS_ASYNC | MS_INVALIDATE | MS_SYNC) != 0 || flags & MS_ASYNC != 0 && flags & MS_SYNC != 0 {
        return Err(Errno::EINVAL);
    }
    mapped(call, addr, len)?;
    let mm = call.task.process.mm();
    let files: alloc::vec::Vec<_> = {
        let inner = mm.lock();
        let shared = inner.overlapping(addr, addr + len).filter(|area| area.shared);
        shared
            .filter_map(|area| {
                area.backing.view().inspect(|view| view.note_written());
                area.file().map(|(file, _)| file.clone())
            })
            .collect()
    };
    if flags & MS_SYNC != 0 {
        for file in files {
            file.sync(true)?;
        }
    }
    Ok(0)
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

/// mlock(2) and munlock(2): the enclave's memory is never paged by us.
pub fn mlock(call: &mut Call<'_>, addr: u64, len: u64) -> Result<u64> {
    mapped(call, addr & !4095, len.saturating_add(addr & 4095))?;
    Ok(0)
}

/// mlock2(2).
pub fn mlock2(call: &mut Call<'_>, addr: u64, len: u64, flags: u32) -> Result<u64> {
    if flags & !1 != 0 { Err(Errno::EINVAL) } else { mlock(call, addr, len) }
}

/// mlockall(2).
pub fn mlockall(_: &mut Call<'_>, flags: u32) -> Result<u64> {
    let known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
    if flags == 0 || flags & !known != 0 || flags == MCL_ONFAULT { Err(Errno::EINVAL) } else { Ok(0) }
}

/// munlockall(2).
pub fn munlockall(_: &mut Call<'_>) -> Result<u64> {
    Ok(0)
}
