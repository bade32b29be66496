//! Waiting and waking: words in the trusted region or the window, shared between processes.

use crate::host::{self, nr};
use core::sync::atomic::AtomicU32;

const FUTEX_WAIT: usize = 0;
const FUTEX_WAKE: usize = 1;

/// Sleeps while the word has this value, at most `timeout` nanoseconds (`u64::MAX` = for ever).
/// May return early.
pub fn wait(word: &AtomicU32, expected: u32, timeout: u64) {
    let spec = [timeout / 1_000_000_000, timeout % 1_000_000_000];
    let limit = if timeout == u64::MAX { 0 } else { &raw const spec as usize };
    // SAFETY: the word and the timespec outlive the call; the word only is compared.
    let _ = unsafe { host::call(nr::FUTEX, [word.as_ptr() as usize, FUTEX_WAIT, expected as usize, limit, 0, 0]) };
}

/// Wakes up to `count` sleepers.
pub fn wake(word: &AtomicU32, count: u32) {
    // SAFETY: futex wake touches no memory.
    let _ = unsafe { host::call(nr::FUTEX, [word.as_ptr() as usize, FUTEX_WAKE, count as usize, 0, 0, 0]) };
}
