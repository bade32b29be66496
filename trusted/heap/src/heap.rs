//! The heap as the program sees it: a global allocator, and pages.

use core::alloc::{GlobalAlloc, Layout};
use core::fmt;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use rkt_sync::OnceCell;

use crate::magazine::{Magazine, Magazines};
use crate::pages::{Pages, Release, Stats, keep_of};
use crate::region::{BadRegion, Region};
use crate::slab::Slabs;
use crate::{PAGE, class};

/// What the heap asks of the platform.
#[derive(Clone, Copy, Debug)]
pub struct Hooks {
    /// Number of the vCPU that this code runs on, below [`crate::MAX_CPUS`].
    ///
    /// The heap keeps data for each vCPU that it uses without a lock. So no two threads may get the
    /// same number at the same time; between two calls of the heap a task may move to another vCPU,
    /// but not within one; nothing that interrupts a call of the heap may call the heap; and the
    /// hand-over of a number from thread to thread is a release and an acquire.
    pub cpu_index: fn() -> usize,
    /// Gives whole pages back to the host (`MADV_REMOVE`). Returns whether they read as zero now;
    /// if not, their content is as before. Must not call the heap.
    pub release: fn(address: *mut u8, len: usize) -> bool,
}

impl Hooks {
    /// One vCPU, and no way to give memory back: all there is in early boot.
    pub const BOOT: Self = Self { cpu_index: || 0, release: |_, _| false };
}

/// A heap over one region of memory. Before [`Heap::init`], every allocation fails.
#[derive(Debug)]
pub struct Heap {
    state: OnceCell<State>,
}

struct State {
    pages: Pages,
    slabs: Slabs,
    magazines: Magazines,
    hooks: AtomicPtr<Hooks>,
}

impl Heap {
    /// A heap without memory.
    pub const fn new() -> Self {
        Self { state: OnceCell::new() }
    }

    /// Gives the heap its memory.
    ///
    /// # Errors
    /// [`BadRegion`] if the heap cannot work there, or has a region already.
    ///
    /// # Safety
    /// The `len` bytes at `base` are readable, writable and zero, belong to the heap for ever, and
    /// lie at the same address in every process that uses it. `hooks` keeps its contract.
    pub unsafe fn init(&self, base: *mut u8, len: usize, hooks: &'static Hooks) -> Result<(), BadRegion> {
        if self.state.get().is_some() {
            return Err(BadRegion);
        }
        // SAFETY: the caller's promise.
        let region = unsafe { Region::divide(base, len)? };
        let keep = keep_of(region.pages);
        let state = State {
            pages: Pages::new(region.origin, (region.first, region.pages), keep, region.info, region.dirty),
            slabs: Slabs::new(region.slabs),
            // SAFETY: the region was cut for this.
            magazines: unsafe { Magazines::new(region.magazines) },
            hooks: AtomicPtr::new(ptr::from_ref(hooks).cast_mut()),
        };
        self.state.set(state).map_err(|_| BadRegion)
    }

    /// Replaces the hooks, when the platform is ready for better ones. Without effect before
    /// [`Heap::init`].
    ///
    /// # Safety
    /// `hooks` keeps its contract, also together with the earlier hooks: to be called while only
    /// one thread uses the heap.
    pub unsafe fn install(&self, hooks: &'static Hooks) {
        if let Some(state) = self.state.get() {
            state.hooks.store(ptr::from_ref(hooks).cast_mut(), Ordering::Release);
        }
    }

    /// Pages with whatever was in them, at a multiple of `align` bytes (a power of two). `None` if
    /// there is no such free range, `pages` is 0, or a limit is exceeded ([`crate::MAX_LEN`],
    /// [`crate::MAX_ALIGN`]).
    pub fn try_pages(&self, pages: usize, align: usize) -> Option<NonNull<u8>> {
        self.state.get()?.pages.alloc(pages, align)
    }

    /// As [`Heap::try_pages`], but full of zeros. Pages that the heap knows to be zero are not
    /// touched.
    pub fn try_zeroed_pages(&self, pages: usize, align: usize) -> Option<NonNull<u8>> {
        self.state.get()?.pages.alloc_zeroed(pages, align)
    }

    /// Frees pages: all of an allocation, or a part of it.
    ///
    /// # Safety
    /// The pages come from this heap's `try_pages` or `try_zeroed_pages`, and nobody uses them.
    pub unsafe fn free_pages(&self, address: NonNull<u8>, pages: usize) {
        if let Some(state) = self.state.get() {
            // SAFETY: the caller's promise.
            unsafe { state.pages.free(address.as_ptr(), pages, state.release()) };
        }
    }

    /// Gives free memory back to the host that the heap would keep for speed.
    pub fn trim(&self) {
        if let Some(state) = self.state.get() {
            state.pages.trim(state.release());
        }
    }

    /// Where the memory is.
    pub fn stats(&self) -> Stats {
        self.state.get().map(|state| state.pages.stats()).unwrap_or_default()
    }
}

impl State {
    #[inline]
    fn hooks(&self) -> &'static Hooks {
        // SAFETY: made from a `&'static Hooks`, and never written through.
        unsafe { &*self.hooks.load(Ordering::Acquire) }
    }

    fn release(&self) -> Release {
        self.hooks().release
    }

    /// # Safety
    /// To be dropped before this call of the heap returns.
    #[expect(clippy::mut_from_ref, reason = "see Magazines::get")]
    #[inline]
    unsafe fn magazine(&self, class: usize) -> &mut Magazine {
        // SAFETY: the number is this vCPU's until the call returns, by the contract of `cpu_index`.
        unsafe { self.magazines.get((self.hooks().cpu_index)(), class) }
    }
}

// SAFETY: blocks come from slabs and pages that are handed out once until they are freed; classes
// and page counts are functions of the layout alone; the alignment is argued in `class` and `pages`.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(state) = self.state.get() else {
            return ptr::null_mut();
        };
        match class::of(layout) {
            // SAFETY: the magazine is used at once.
            Some(class) => unsafe { state.magazine(class) }.alloc(class, &state.slabs, &state.pages),
            None => or_null(state.pages.alloc(pages_of(layout), layout.align())),
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if class::of(layout).is_none() {
            return or_null(self.try_zeroed_pages(pages_of(layout), layout.align()));
        }
        // SAFETY: the caller's promise.
        let object = unsafe { self.alloc(layout) };
        if !object.is_null() {
            // SAFETY: the object is ours and has that many bytes.
            unsafe { object.write_bytes(0, layout.size()) };
        }
        object
    }

    #[inline]
    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        let Some(state) = self.state.get() else {
            return;
        };
        // SAFETY: the caller's promise, and the same class or page count as at the allocation.
        unsafe {
            match class::of(layout) {
                Some(class) => {
                    state.magazine(class).free(class, object, &state.slabs, &state.pages, state.release());
                }
                None => state.pages.free(object, pages_of(layout), state.release()),
            }
        }
    }

    unsafe fn realloc(&self, object: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size, rounded up, does not overflow.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        match (class::of(layout), class::of(new_layout)) {
            (Some(old), Some(new)) if old == new => return object,
            (None, None) => {
                let (old, new) = (pages_of(layout), pages_of(new_layout));
                if new <= old {
                    if let Some(tail) = NonNull::new(object.wrapping_add(new * PAGE)).filter(|_| new < old) {
                        // SAFETY: the caller owns the pages and gives up the last of them.
                        unsafe { self.free_pages(tail, old - new) };
                    }
                    return object;
                }
            }
            _ => {}
        }
        // SAFETY: both blocks are at least as long as the shorter size and distinct.
        unsafe {
            let new = self.alloc(new_layout);
            if !new.is_null() {
                ptr::copy_nonoverlapping(object, new, layout.size().min(new_size));
                self.dealloc(object, layout);
            }
            new
        }
    }
}

fn pages_of(layout: Layout) -> usize {
    layout.size().div_ceil(PAGE)
}

fn or_null(address: Option<NonNull<u8>>) -> *mut u8 {
    address.map_or(ptr::null_mut(), NonNull::as_ptr)
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pages.stats().fmt(f)
    }
}
