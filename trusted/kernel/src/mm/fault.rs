//! What a fault of the application means.

use super::area::Backing;
use super::space::Mm;
use rkt_platform::Protection;

/// What is wrong with an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultCause {
    /// Nothing is mapped there: SIGSEGV, SEGV_MAPERR.
    NotMapped,
    /// The area does not allow it: SIGSEGV, SEGV_ACCERR.
    NotAllowed,
    /// The page lies behind the end of the file: SIGBUS, BUS_ADRERR.
    BehindEnd,
    /// Nothing: the access was allowed by the time the question was asked (another thread
    /// changed the mapping, or the host replaced the page).
    Allowed,
}

/// Bits of the processor's page-fault error code (Intel SDM volume 3, §4.7).
const WRITE: u64 = 2;
const EXECUTE: u64 = 16;

/// Looks up why an access at `addr` faulted.
pub fn classify(mm: &Mm, addr: u64, error: u64) -> FaultCause {
    let inner = mm.lock();
    let Some(area) = inner.find(addr) else { return FaultCause::NotMapped };
    let Protection { read, write, execute } = area.protection;
    let allowed = match error {
        error if error & WRITE != 0 => write,
        error if error & EXECUTE != 0 => execute,
        _ => read || write || execute,
    };
    if !allowed {
        return FaultCause::NotAllowed;
    }
    let behind = match &area.backing {
        Backing::File { object, offset, .. } | Backing::Shared { object, offset, .. } => {
            let at = offset + (addr - area.start);
            at >= object.len().next_multiple_of(4096)
        }
        Backing::Copy { file, offset } => {
            let at = offset + (addr - area.start);
            file.ops().map(file).is_ok_and(|object| at >= object.len().next_multiple_of(4096))
        }
        Backing::Anonymous | Backing::Reserved => false,
    };
    if behind { FaultCause::BehindEnd } else { FaultCause::Allowed }
}
