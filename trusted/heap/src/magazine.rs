//! Magazines: for each vCPU and class a stack of free objects, used without a lock.

use core::fmt;

use crate::MAX_CPUS;
use crate::class::{self, SIZES};
use crate::pages::{Pages, Release};
use crate::slab::Slabs;

/// Slots of a magazine.
const SLOTS: usize = 63;
/// Number of magazines.
pub(crate) const COUNT: usize = MAX_CPUS * class::COUNT;

/// A stack of free objects of one class; valid when all zero.
#[repr(C, align(64))]
pub(crate) struct Magazine {
    len: usize,
    objects: [*mut u8; SLOTS],
}

/// Objects that a magazine of the class holds at most: 16 KiB, but 8 to [`SLOTS`] objects.
const LIMITS: [u8; class::COUNT] = {
    let mut limits = [0; class::COUNT];
    let mut class = 0;
    while class < class::COUNT {
        let fitting = (16 << 10) / SIZES[class] as usize;
        limits[class] = if fitting > SLOTS { SLOTS as u8 } else { fitting as u8 };
        class += 1;
    }
    limits
};

/// All magazines, by vCPU and class.
pub(crate) struct Magazines {
    first: *mut Magazine,
}

// SAFETY: which vCPU may touch which magazine is the contract of `get`.
unsafe impl Send for Magazines {}
// SAFETY: as above.
unsafe impl Sync for Magazines {}

impl Magazines {
    /// # Safety
    /// `first` is the start of [`COUNT`] magazines, all zero, for nobody else and for ever.
    pub(crate) unsafe fn new(first: *mut Magazine) -> Self {
        Self { first }
    }

    /// The magazine of a vCPU for a class.
    ///
    /// # Safety
    /// Until the reference is dropped, nothing else runs as this vCPU: that is the contract of
    /// [`crate::Hooks::cpu_index`].
    #[expect(clippy::mut_from_ref, reason = "the table hands out each magazine to its vCPU alone")]
    #[inline]
    pub(crate) unsafe fn get(&self, cpu: usize, class: usize) -> &mut Magazine {
        let index = cpu.min(MAX_CPUS - 1) * class::COUNT + class;
        // SAFETY: the index is below COUNT, and the caller answers for exclusiveness.
        unsafe { &mut *self.first.add(index) }
    }
}

impl fmt::Debug for Magazines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Magazines").finish_non_exhaustive()
    }
}

impl Magazine {
    /// An object, from the slabs if there is none here. Null without memory.
    #[inline]
    pub(crate) fn alloc(&mut self, class: usize, slabs: &Slabs, pages: &Pages) -> *mut u8 {
        if self.len == 0 {
            self.fill(class, slabs, pages);
        }
        match self.len.checked_sub(1).and_then(|top| Some((top, *self.objects.get(top)?))) {
            Some((top, object)) => {
                self.len = top;
                object
            }
            None => core::ptr::null_mut(),
        }
    }

    /// Takes an object back; the older half goes to the slabs if the magazine is full.
    ///
    /// # Safety
    /// The object is of this class and nobody uses it.
    #[inline]
    pub(crate) unsafe fn free(
        &mut self,
        class: usize,
        object: *mut u8,
        slabs: &Slabs,
        pages: &Pages,
        release: Release,
    ) {
        if self.len >= usize::from(LIMITS[class]) {
            // SAFETY: whatever is in a magazine is free and of its class.
            unsafe { self.drain(class, slabs, pages, release) };
        }
        if let Some(slot) = self.objects.get_mut(self.len) {
            *slot = object;
            self.len += 1;
        }
    }

    #[cold]
    fn fill(&mut self, class: usize, slabs: &Slabs, pages: &Pages) {
        let half = usize::from(LIMITS[class]).div_ceil(2);
        self.len = slabs.fetch(class, &mut self.objects[..half], pages);
    }

    /// # Safety
    /// The objects in the magazine are of this class and nobody uses them.
    #[cold]
    unsafe fn drain(&mut self, class: usize, slabs: &Slabs, pages: &Pages, release: Release) {
        let half = self.len.div_ceil(2);
        // SAFETY: the caller's promise.
        unsafe { slabs.give(class, &self.objects[..half], pages, release) };
        self.objects.copy_within(half..self.len, 0);
        self.len -= half;
    }
}
