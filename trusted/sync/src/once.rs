//! Values made once, by whoever comes first.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;

use crate::atomic::{AtomicU32, Ordering};
use crate::{const_unless_loom, hooks};

const EMPTY: u32 = 0;
const RUNNING: u32 = 1;
/// Running, and somebody may wait.
const WAITED: u32 = 2;
const READY: u32 = 3;

/// A cell that is written at most once and may then be read by everyone.
pub struct OnceCell<T> {
    state: AtomicU32,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: shared, the cell hands out `&T` (hence Sync), takes a `T` from one vCPU and drops it on
// another (hence Send); the state lets only one write, before anybody reads.
unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}
// SAFETY: the cell owns its value.
unsafe impl<T: Send> Send for OnceCell<T> {}

impl<T> OnceCell<T> {
    const_unless_loom! {
        /// An empty cell.
        pub fn new() -> Self {
            Self { state: AtomicU32::new(EMPTY), value: UnsafeCell::new(MaybeUninit::uninit()) }
        }
    }

    /// The value, if there is one already.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: READY is stored after the value, and nothing writes the value after that.
        (self.state.load(Ordering::Acquire) == READY).then(|| unsafe { self.value() })
    }

    /// The value; made by `make` if there is none. If another vCPU is making it, waits for that
    /// one. `make` must not come back to this cell.
    #[inline]
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if self.get().is_none() {
            self.init(make);
        }
        // SAFETY: `get` or `init` has seen READY.
        unsafe { self.value() }
    }

    /// Sets the value.
    ///
    /// # Errors
    /// Gives `value` back if the cell has one already.
    pub fn set(&self, value: T) -> Result<(), T> {
        match self.claim() {
            Some(claim) => {
                claim.publish(value);
                Ok(())
            }
            None => Err(value),
        }
    }

    #[cold]
    fn init(&self, make: impl FnOnce() -> T) {
        if let Some(claim) = self.claim() {
            claim.publish(make());
        }
    }

    /// The right to write the value, or `None` once there is one.
    fn claim(&self) -> Option<Claim<'_, T>> {
        let mut state = EMPTY;
        loop {
            let next = if state == EMPTY { RUNNING } else { WAITED };
            // Acquire for the case that this finds READY.
            match self.state.compare_exchange(state, next, Ordering::Acquire, Ordering::Acquire) {
                Ok(EMPTY) => return Some(Claim { cell: self }),
                Ok(_) => {
                    hooks::wait(&self.state, WAITED);
                    state = WAITED;
                }
                Err(READY) => return None,
                Err(found) => state = found,
            }
        }
    }

    /// # Safety
    /// The caller has seen READY with acquire ordering.
    #[inline]
    unsafe fn value(&self) -> &T {
        // SAFETY: the caller's promise.
        unsafe { (*self.value.get()).assume_init_ref() }
    }
}

/// The state is RUNNING or WAITED for as long as this lives. Dropped without a value (the maker
/// unwound), it leaves the cell empty for the next one.
struct Claim<'a, T> {
    cell: &'a OnceCell<T>,
}

impl<T> Claim<'_, T> {
    fn publish(self, value: T) {
        // SAFETY: only the one claim writes, and nobody reads before READY.
        unsafe { (*self.cell.value.get()).write(value) };
        self.finish(READY);
        core::mem::forget(self);
    }

    fn finish(&self, state: u32) {
        if self.cell.state.swap(state, Ordering::Release) == WAITED {
            hooks::wake(&self.cell.state, hooks::ALL);
        }
    }
}

impl<T> Drop for Claim<'_, T> {
    fn drop(&mut self) {
        self.finish(EMPTY);
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for OnceCell<T> {
    fn drop(&mut self) {
        if self.get().is_some() {
            // SAFETY: there is a value, and `&mut self` says that nobody looks at it.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceCell").field(&self.get()).finish()
    }
}

/// Something to be done once.
#[derive(Debug, Default)]
pub struct Once {
    done: OnceCell<()>,
}

impl Once {
    const_unless_loom! {
        /// Nothing done yet.
        pub fn new() -> Self {
            Self { done: OnceCell::new() }
        }
    }

    /// Calls `action` if this is the first call; returns when it is done, whoever did it.
    #[inline]
    pub fn call_once(&self, action: impl FnOnce()) {
        self.done.get_or_init(action);
    }

    /// Whether the action is done.
    #[inline]
    pub fn is_completed(&self) -> bool {
        self.done.get().is_some()
    }
}
