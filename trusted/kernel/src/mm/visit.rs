//! Work in another process's memory: the running thread goes there and comes back.

use super::space::Mm;
use super::{end_space, fault};
use alloc::sync::Arc;
use rkt_linux_abi::{Errno, Result};

impl Mm {
    /// Does `work` in this address space, on `len` bytes of user memory at `addr`, which are shown
    /// first. The memory stays as long as that takes, even if its processes end.
    ///
    /// # Errors
    /// `ESRCH` if it is gone already.
    pub fn visit<R>(self: &Arc<Self>, addr: u64, len: usize, work: impl FnOnce() -> R) -> Result<R> {
        let home = rkt_platform::space();
        if home == self.space() {
            return Ok(work());
        }
        if !self.users.try_join() {
            return Err(Errno::ESRCH);
        }
        rkt_sched::move_to(self.space());
        fault::show_for_copy(self, addr, len);
        let result = work();
        let last = self.users.leave();
        if last {
            self.clear(); // its processes ended meanwhile
        }
        rkt_sched::move_to(home);
        if last {
            end_space(self.space());
        }
        Ok(result)
    }
}
