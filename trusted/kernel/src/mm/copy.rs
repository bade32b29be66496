//! Address spaces as the platform numbers them: copies for fork and execve, empty ones that are kept for the
//! next execve, and their end.

use super::space::Mm;
use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{MapError, SpaceId};
use rkt_sync::Mutex;

/// Numbers of address spaces that are tried: as many as the platform holds.
const SPACES: u32 = 4096;
/// Most empty address spaces that are kept.
const SPARE_MAX: usize = 4;
/// Bytes that may be mapped in one that is to be kept: to unmap them makes the parent wait, while the
/// end of a host process does not.
const KEEP_MAX: u64 = 128 << 20;

/// Address spaces without a user, in which nothing is mapped.
static SPARE: Mutex<Spare> = Mutex::new(Spare { spaces: Vec::new(), wanted: 0 });

struct Spare {
    spaces: Vec<SpaceId>,
    /// How many are to be kept: one more whenever none was there.
    wanted: usize,
}

/// Copies the running address space on write; gives the number of the copy.
///
/// # Errors
/// `EAGAIN` if there is no room or memory for it, `ENOSYS` if the platform cannot do it.
pub fn copy_space() -> Result<SpaceId> {
    // The lowest number first: what is left of an ended space is freed when its number is asked for.
    for space in 1..SPACES {
        match rkt_platform::fork(SpaceId(space)) {
            Ok(()) => return Ok(SpaceId(space)),
            Err(MapError::Busy) => {}
            Err(MapError::Unsupported) => return Err(Errno::ENOSYS),
            Err(_) => return Err(Errno::EAGAIN),
        }
    }
    Err(Errno::EAGAIN)
}

/// An empty address space that was kept, if there is one.
pub fn spare_space() -> Option<SpaceId> {
    let mut spare = SPARE.lock();
    if spare.spaces.is_empty() {
        spare.wanted = SPARE_MAX.min(spare.wanted + 1);
    }
    spare.spaces.pop()
}

/// Ends an address space that nobody runs in any more. The first one stays: its first carrier is
/// the enclave's own first process.
pub fn end_space(space: SpaceId) {
    if space != SpaceId::FIRST {
        rkt_platform::end_space(space);
    }
}

/// Unmaps the memory of the running thread's process, which was the last in it. The address space is
/// kept for an execve or ended; the thread needs none any more.
pub fn retire(mm: &Mm) {
    let space = mm.space();
    let keep = space != SpaceId::FIRST && mm.mapped() <= KEEP_MAX && {
        let spare = SPARE.lock();
        spare.spaces.len() < spare.wanted
    };
    // The aliases of shared folios go before the folios can: nobody unmaps another's (DESIGN §7).
    if keep {
        mm.clear();
        rkt_platform::reset_space();
    } else {
        mm.leave();
    }
    rkt_sched::current().set_space(SpaceId::NONE);
    if keep {
        SPARE.lock().spaces.push(space);
    } else {
        end_space(space);
    }
}
