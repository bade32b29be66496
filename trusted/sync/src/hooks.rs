//! How a lock waits: by two functions with the meaning of futex(2).

use crate::atomic::AtomicU32;

/// What the platform offers for waiting on a word.
#[derive(Clone, Copy, Debug)]
pub struct Hooks {
    /// `FUTEX_WAIT`: returns at once if the word is not `expected`, else after a wake-up. It may
    /// return early at any time.
    pub wait: fn(word: &AtomicU32, expected: u32),
    /// `FUTEX_WAKE`: wakes at most `count` of those that wait on the word.
    pub wake: fn(word: &AtomicU32, count: u32),
}

/// For [`wake`]: everyone (`INT_MAX`, the most that futex(2) takes).
pub(crate) const ALL: u32 = i32::MAX as u32;

#[cfg(not(loom))]
mod installed {
    use core::ptr;
    use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

    use super::Hooks;

    static HOOKS: AtomicPtr<Hooks> = AtomicPtr::new(ptr::null_mut());

    /// Installs the platform's hooks, at boot. Until then a lock that is held is spun on.
    pub fn install(hooks: &'static Hooks) {
        HOOKS.store(ptr::from_ref(hooks).cast_mut(), Ordering::Release);
    }

    fn hooks() -> Option<&'static Hooks> {
        // SAFETY: null, or made from a `&'static Hooks` by `install`, and never written through.
        unsafe { HOOKS.load(Ordering::Acquire).as_ref() }
    }

    #[cold]
    pub(crate) fn wait(word: &AtomicU32, expected: u32) {
        match hooks() {
            Some(hooks) => (hooks.wait)(word, expected),
            None => core::hint::spin_loop(),
        }
    }

    #[cold]
    pub(crate) fn wake(word: &AtomicU32, count: u32) {
        if let Some(hooks) = hooks() {
            (hooks.wake)(word, count);
        }
    }

    #[inline]
    pub(crate) fn pause() {
        core::hint::spin_loop();
    }
}

/// A futex for the model: one bucket for all words, every wake-up reaches everybody in it. What it
/// keeps of the real one is what matters here: the word is compared and the sleep entered as one
/// step with respect to wake-ups.
#[cfg(loom)]
mod installed {
    use loom::sync::atomic::{AtomicU32, Ordering};
    use loom::sync::{Condvar, Mutex};

    use super::Hooks;

    loom::lazy_static! {
        static ref BUCKET: Mutex<()> = Mutex::new(());
        static ref WOKEN: Condvar = Condvar::new();
    }

    /// Does nothing in the model, which has its own futex.
    pub fn install(_: &'static Hooks) {}

    pub(crate) fn wait(word: &AtomicU32, expected: u32) {
        let bucket = BUCKET.lock().unwrap();
        if word.load(Ordering::Relaxed) == expected {
            drop(WOKEN.wait(bucket).unwrap());
        }
    }

    pub(crate) fn wake(_: &AtomicU32, _: u32) {
        let _bucket = BUCKET.lock().unwrap();
        WOKEN.notify_all();
    }

    pub(crate) fn pause() {
        loom::thread::yield_now();
    }
}

pub use installed::install;
pub(crate) use installed::{pause, wait, wake};
