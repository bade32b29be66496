//! Robust futexes: a task that ends leaves none of its locks without a word
//! (Documentation/locking/robust-futex-ABI.rst of the kernel).

use super::{Key, pi, wake};
use crate::task::Task;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, ROBUST_LIST_LIMIT,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct robust_list_head`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Head {
    /// The first entry; the last one points back at the head.
    first: u64,
    /// From an entry to its futex word.
    offset: i64,
    /// The entry that is just being added or removed.
    pending: u64,
}

/// Bytes of the head, as set_robust_list(2) wants them.
pub const HEAD_LEN: usize = size_of::<Head>();

/// An entry's address, and whether its lowest bit says that the futex is a PI lock.
fn entry(pointer: u64) -> (u64, bool) {
    (pointer & !1, pointer & 1 != 0)
}

/// Marks the locks that the running task holds as left by a dead owner, and wakes a waiter of
/// each. Ends at the first address that cannot be read.
pub fn exit_robust(task: &Task) {
    let head = task.robust_list.swap(0, Ordering::Relaxed);
    if head != 0 {
        let _ = walk(task, head);
    }
}

fn walk(task: &Task, address: u64) -> Result<()> {
    let head = UserPtr::<Head>::new(address).read()?;
    let word = |entry: u64| entry.wrapping_add_signed(head.offset);
    let (pending, pending_pi) = entry(head.pending);
    let (mut at, mut pi) = entry(head.first);
    for _ in 0..ROBUST_LIST_LIMIT {
        if at == address {
            break;
        }
        // Read before the word is given away: its new owner may reuse the entry.
        let next = UserPtr::<u64>::new(at).read();
        if at != pending {
            leave(task, word(at), pi, false)?;
        }
        (at, pi) = entry(next?);
    }
    if pending != 0 {
        leave(task, word(pending), pending_pi, true)?;
    }
    Ok(())
}

/// Leaves one lock.
fn leave(task: &Task, address: u64, pi: bool, pending: bool) -> Result<()> {
    let key = Key::shared(task, address)?;
    let word = UserPtr::<u32>::new(address).word()?;
    loop {
        let found = word.load()?;
        if found & FUTEX_TID_MASK != task.tid as u32 {
            // Unlocked already, but perhaps killed before the wake.
            if pending && !pi && found & FUTEX_TID_MASK == 0 {
                let _ = wake(key, 1, FUTEX_BITSET_MATCH_ANY);
            }
            return Ok(());
        }
        if pi {
            match pi::owner_died(key, word, found) {
                Err(Errno::EAGAIN) => continue,
                other => return other,
            }
        }
        if word.compare_exchange(found, found & FUTEX_WAITERS | FUTEX_OWNER_DIED)? == found {
            if found & FUTEX_WAITERS != 0 {
                let _ = wake(key, 1, FUTEX_BITSET_MATCH_ANY);
            }
            return Ok(());
        }
    }
}
