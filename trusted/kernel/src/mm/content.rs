//! Content of files that is needed while the areas of an address space are locked.
//!
//! That lock is held for instants, by vCPUs that spin for it; content may have to come from a disk,
//! and whoever waits for it parks. So under the lock only what is at hand is taken. If something is
//! missing, the lock is given back, the content read, and the work begun again.

use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};
use rkt_vfs::{Mappable, MappedFolio};

/// Why something could not be done under the lock.
pub enum Lack {
    /// Content has to be read first.
    Content(Missing),
    /// It cannot be done at all.
    Failed(Errno),
}

impl From<Errno> for Lack {
    fn from(error: Errno) -> Self {
        Lack::Failed(error)
    }
}

/// Content that is not at hand.
pub struct Missing {
    object: Arc<dyn Mappable>,
    from: u64,
    to: u64,
}

/// Folios that stay at hand because they are held, in the order of their offsets.
pub type Held = Vec<MappedFolio>;

impl Missing {
    /// Reads it into the cache; waits for that.
    fn read(&self, held: &mut Held) -> Result<()> {
        let mut at = self.from;
        while at < self.to {
            let mapped = self.object.folio(at)?;
            at = mapped.start.saturating_add(mapped.folio.size() as u64);
            held.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            held.push(mapped);
        }
        Ok(())
    }
}

/// The folio that has the byte at `at`, if it is at hand. If not, content is missing up to `to` at
/// the most, as far as the caller wants it.
pub fn at_hand(object: &Arc<dyn Mappable>, at: u64, to: u64) -> Result<MappedFolio, Lack> {
    let missing = || {
        let to = to.min(object.len().next_multiple_of(super::map::PAGE)).max(at + 1);
        Lack::Content(Missing { object: object.clone(), from: at, to })
    };
    object.folio_at_hand(at)?.ok_or_else(missing)
}

/// All folios of a range, as far as the file goes.
pub fn all_at_hand(object: &Arc<dyn Mappable>, from: u64, to: u64) -> Result<Held, Lack> {
    let mut held = Held::new();
    let (mut at, to) = (from, to.min(object.len()));
    while at < to {
        let mapped = at_hand(object, at, to)?;
        at = mapped.start.saturating_add(mapped.folio.size() as u64);
        held.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        held.push(mapped);
    }
    Ok(held)
}

/// Does `work`, which takes the lock itself. As long as it lacks content, that is read with the lock
/// free, and it begins again: it must not have changed anything that a second time would not.
///
/// # Errors
/// What `work` and reading say.
pub fn with_content<R>(mut work: impl FnMut() -> Result<R, Lack>) -> Result<R> {
    let mut held = Held::new();
    loop {
        match work() {
            Ok(result) => return Ok(result),
            Err(Lack::Failed(error)) => return Err(error),
            Err(Lack::Content(missing)) => missing.read(&mut held)?,
        }
    }
}
