//! What makes two futex words the same.

use crate::mm::Backing;
use crate::task::Task;
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{Protection, SpaceId, USER_END};

/// Number of buckets, a power of two.
pub const BUCKETS: usize = 256;

/// Names a futex word: by address space and address, or for memory that address spaces share by
/// the address of its page in the trusted region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    space: SpaceId,
    address: u64,
}

impl Key {
    /// A word that only the tasks of one address space use (`FUTEX_PRIVATE_FLAG`).
    ///
    /// # Errors
    /// `EINVAL` if not aligned, `EFAULT`.
    pub fn private(space: SpaceId, address: u64) -> Result<Key> {
        if !address.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        if address >= USER_END { Err(Errno::EFAULT) } else { Ok(Key { space, address }) }
    }

    /// A word that may lie in memory shared with other processes.
    ///
    /// # Errors
    /// `EINVAL` if not aligned, `EFAULT`.
    pub fn shared(task: &Task, address: u64) -> Result<Key> {
        let mm = task.process.mm();
        let private = Key::private(mm.space(), address)?;
        let shared = {
            let inner = mm.lock();
            let area = inner.find(address).ok_or(Errno::EFAULT)?;
            let owned = matches!(area.backing, Backing::Anonymous | Backing::Copy { .. });
            let Protection { read, write, .. } = area.protection;
            // Linux pins the page for writing, but for those of files that may only be read.
            if !(write || read && !owned) {
                return Err(Errno::EFAULT);
            }
            match &area.backing {
                Backing::File(view) | Backing::Shared(view) if area.shared => {
                    Some((view.object.clone(), view.offset + (address - area.start)))
                }
                _ => None,
            }
        };
        let Some((object, at)) = shared else { return Ok(private) };
        let mapped = object.folio(at)?;
        let address = mapped.folio.addr() as u64 + at.saturating_sub(mapped.start);
        Ok(Key { space: SpaceId::NONE, address })
    }

    /// Where waiters on the word are kept: multiplicative hashing (Knuth, TAOCP 3, §6.4) of the
    /// word's number.
    pub fn bucket(&self) -> usize {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.address >> 2 ^ u64::from(self.space.0) << 40).wrapping_mul(GOLDEN);
        (mixed >> 56) as usize % BUCKETS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        assert_eq!(Key::private(SpaceId::FIRST, 2), Err(Errno::EINVAL));
        assert_eq!(Key::private(SpaceId::FIRST, USER_END), Err(Errno::EFAULT));
    }

    #[test]
    fn neighbours_spread() {
        let mut used = [false; BUCKETS];
        for n in 0..BUCKETS as u64 {
            used[Key::private(SpaceId::FIRST, 0x7000_0000 + n * 64).unwrap().bucket()] = true;
        }
        assert!(used.iter().filter(|used| **used).count() > BUCKETS / 2);
    }
}
