//! mlock(2) and its kin. The enclave never pages; what is kept is the account of what is locked.

use super::area::Area;
use super::space::{Inner, Mm};
use rkt_linux_abi::{Errno, Result};

impl Inner {
    fn locked_within(&self, start: u64, end: u64) -> u64 {
        let locked = self.overlapping(start, end).filter(|area| area.marks.locked);
        locked.map(|area| area.end.min(end) - area.start.max(start)).sum()
    }

    /// Whether so many bytes more may be locked.
    pub fn may_lock(&self, len: u64, limit: u64) -> bool {
        self.locked.saturating_add(len) <= limit
    }
}

impl Mm {
    /// Locks or unlocks what lies in `start..end`, up to the first page that is not mapped. At most
    /// `limit` bytes are locked.
    ///
    /// # Errors
    /// `ENOMEM` if a page is not mapped, cannot be brought in, or would be one too many.
    pub fn set_locked(&self, start: u64, end: u64, locked: bool, limit: u64) -> Result<()> {
        let mut inner = self.lock();
        let more = (end - start).saturating_sub(inner.locked_within(start, end));
        if locked && !inner.may_lock(more, limit) {
            return Err(Errno::ENOMEM);
        }
        let mut at = start;
        let mut accessible = true;
        let connected = |area: &&Area| core::mem::replace(&mut at, area.end) >= area.start;
        let last = inner.overlapping(start, end).take_while(connected).last().map_or(start, |area| area.end.min(end));
        for mut area in inner.remove(start, last) {
            area.marks.locked = locked;
            accessible &= area.is_accessible();
            inner.insert(area)?;
        }
        if last < end || locked && !accessible { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// mlockall(2) and munlockall(2): all that is mapped now, and all that will be.
    ///
    /// # Errors
    /// `ENOMEM` if it is more than `limit` bytes.
    pub fn set_all_locked(&self, current: Option<bool>, future: bool, limit: u64) -> Result<()> {
        let mut inner = self.lock();
        if current == Some(true) && inner.total > limit {
            return Err(Errno::ENOMEM);
        }
        inner.lock_future = future;
        if let Some(locked) = current {
            for mut area in inner.remove(0, rkt_platform::USER_END) {
                area.marks.locked = locked;
                inner.insert(area)?;
            }
        }
        Ok(())
    }
}
