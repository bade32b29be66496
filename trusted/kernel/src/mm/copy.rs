//! Address spaces as the platform numbers them: copies for fork and execve, and their end.

use rkt_linux_abi::{Errno, Result};
use rkt_platform::{MapError, SpaceId};

/// Numbers of address spaces that are tried: as many as the platform holds.
const SPACES: u32 = 4096;

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

/// Ends an address space that nobody runs in any more. The first one stays: its first carrier is
/// the enclave's own first process.
pub fn end_space(space: SpaceId) {
    if space != SpaceId::FIRST {
        rkt_platform::end_space(space);
    }
}
