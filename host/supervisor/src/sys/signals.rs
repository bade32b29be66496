//! Signals taken from a queue instead of by handlers.

use std::time::Duration;

fn set(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: `sigset_t` is plain integers, and `sigemptyset` and `sigaddset` write only it.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        set
    }
}

/// Blocks signals in this thread and those that it starts.
pub(crate) fn block(signals: &[i32]) {
    // SAFETY: the set outlives the call, which only fails on a wrong `how`.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set(signals), std::ptr::null_mut()) };
}

/// Takes one pending signal of `signals`, which must be blocked; `None` when the time is over.
pub(crate) fn wait_for_signal(signals: &[i32], timeout: Duration) -> Option<i32> {
    let timeout = libc::timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
    // SAFETY: set and time outlive the call; no information is asked for.
    let signal = unsafe { libc::sigtimedwait(&set(signals), std::ptr::null_mut(), &raw const timeout) };
    (signal > 0).then_some(signal)
}
