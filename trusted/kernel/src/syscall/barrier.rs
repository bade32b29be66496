//! membarrier(2): the other threads of the program pass a memory barrier.

use super::Call;
use core::sync::atomic::Ordering;
use rkt_linux_abi::{Errno, Result};

/// Commands (linux/membarrier.h).
const GLOBAL: u32 = 1;
const GLOBAL_EXPEDITED: u32 = 2;
const REGISTER_GLOBAL_EXPEDITED: u32 = 4;
const PRIVATE_EXPEDITED: u32 = 8;
const REGISTER_PRIVATE_EXPEDITED: u32 = 16;
const PRIVATE_EXPEDITED_SYNC_CORE: u32 = 32;
const REGISTER_PRIVATE_EXPEDITED_SYNC_CORE: u32 = 64;
const KNOWN: u32 = 127;

/// membarrier(2). No vCPU interrupts another: the caller waits until each has been in the kernel,
/// which the tick sees to. The way back from there serializes the processor as well.
pub fn membarrier(call: &mut Call<'_>, command: u32, flags: u32, _cpu: i32) -> Result<u64> {
    if flags != 0 || command.count_ones() > 1 || command & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let mm = call.task.process.mm();
    let registered = |for_what| mm.barriers.load(Ordering::Relaxed) & for_what != 0;
    match command {
        0 => return Ok(KNOWN.into()),
        REGISTER_GLOBAL_EXPEDITED | REGISTER_PRIVATE_EXPEDITED | REGISTER_PRIVATE_EXPEDITED_SYNC_CORE => {
            mm.barriers.fetch_or(command, Ordering::Relaxed);
        }
        PRIVATE_EXPEDITED if !registered(REGISTER_PRIVATE_EXPEDITED) => return Err(Errno::EPERM),
        PRIVATE_EXPEDITED_SYNC_CORE if !registered(REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) => return Err(Errno::EPERM),
        GLOBAL | GLOBAL_EXPEDITED | PRIVATE_EXPEDITED | PRIVATE_EXPEDITED_SYNC_CORE => rkt_sched::wait_for_others(),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
