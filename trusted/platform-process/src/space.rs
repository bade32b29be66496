//! The application's mappings, as the host keeps them for this process.

use crate::host::{self, HostError, mm, nr};
use rkt_platform::{MapError, Protection};

fn bits(prot: Protection) -> usize {
    let bit = |on: bool, bit: usize| if on { bit } else { mm::PROT_NONE };
    bit(prot.read, mm::PROT_READ) | bit(prot.write, mm::PROT_WRITE) | bit(prot.execute, mm::PROT_EXEC)
}

impl From<HostError> for MapError {
    fn from(error: HostError) -> Self {
        if error.0 == 0 { Self::Host } else { Self::NoMemory }
    }
}

/// See [`rkt_platform::map_anon`].
pub fn map_anon(addr: u64, len: u64, prot: Protection) -> Result<(), MapError> {
    let flags = mm::MAP_PRIVATE | mm::MAP_FIXED | mm::MAP_NORESERVE;
    // SAFETY: a user range, which holds nothing of ours.
    unsafe { host::map_fixed(addr as usize, len as usize, bits(prot), flags) }?;
    Ok(())
}

/// See [`rkt_platform::map_folio`]. An alias without a descriptor: mremap with an old size of
/// zero maps the same shared pages a second time (mremap(2)).
pub fn map_folio(addr: u64, folio: usize, len: u64, prot: Protection) -> Result<(), MapError> {
    let flags = mm::MREMAP_MAYMOVE | mm::MREMAP_FIXED;
    // SAFETY: the target is a user range, which holds nothing of ours.
    let at =
        unsafe { host::call(nr::MREMAP, [folio, 0, len as usize, flags, addr as usize, 0]) }.map_err(MapError::from)?;
    if at != addr as usize {
        return Err(MapError::Host);
    }
    if prot == (Protection { read: true, write: true, execute: false }) { Ok(()) } else { protect(addr, len, prot) }
}

/// See [`rkt_platform::protect`].
pub fn protect(addr: u64, len: u64, prot: Protection) -> Result<(), MapError> {
    // SAFETY: a user range.
    unsafe { host::call(nr::MPROTECT, [addr as usize, len as usize, bits(prot), 0, 0, 0]) }?;
    Ok(())
}

/// See [`rkt_platform::unmap`].
pub fn unmap(addr: u64, len: u64) -> Result<(), MapError> {
    // SAFETY: a user range.
    unsafe { host::call(nr::MUNMAP, [addr as usize, len as usize, 0, 0, 0, 0]) }?;
    Ok(())
}

/// See [`rkt_platform::discard`].
pub fn discard(addr: u64, len: u64) -> Result<(), MapError> {
    advise(addr, len, mm::MADV_DONTNEED).map_err(MapError::from)
}

/// See [`rkt_platform::populate`].
pub fn populate(addr: u64, len: u64, write: bool) {
    let advice = if write { mm::MADV_POPULATE_WRITE } else { mm::MADV_POPULATE_READ };
    let _ = advise(addr, len, advice);
}

/// See [`rkt_platform::release`].
pub fn release(addr: usize, len: usize) {
    let _ = advise(addr as u64, len as u64, mm::MADV_REMOVE);
}

fn advise(addr: u64, len: u64, advice: usize) -> Result<(), HostError> {
    // SAFETY: the callers advise only what may lose its contents.
    unsafe { host::call(nr::MADVISE, [addr as usize, len as usize, advice, 0, 0, 0]) }.map(drop)
}

/// See [`rkt_platform::move_pages`]. The host moves only what it keeps as one mapping; what grew
/// after it was moved is several for it. Such a range is halved until each part is of one.
pub fn move_pages(addr: u64, old: u64, new: u64, to: u64) -> Result<(), MapError> {
    const EFAULT: u16 = 14;
    const PAGE: u64 = 4096;
    match move_mapping(addr, old, new, to) {
        Err(HostError(EFAULT)) if old > PAGE => {
            let half = (old / 2).next_multiple_of(PAGE);
            move_pages(addr, half, half, to)?;
            move_pages(addr + half, old - half, new - half, to + half)
        }
        moved => Ok(moved?),
    }
}

fn move_mapping(addr: u64, old: u64, new: u64, to: u64) -> Result<(), HostError> {
    let flags = mm::MREMAP_MAYMOVE | mm::MREMAP_FIXED;
    let args = [addr as usize, old as usize, new as usize, flags, to as usize, 0];
    // SAFETY: user ranges on both sides.
    let at = unsafe { host::call(nr::MREMAP, args) }?;
    if at == to as usize { Ok(()) } else { Err(HostError(0)) }
}
