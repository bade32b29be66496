//! Owned blocks of pages.

use core::fmt;
use core::ptr::{self, NonNull};

use crate::{Heap, PAGE};

/// Pages that free themselves. They lie at a multiple of the largest power of two in their number,
/// so a folio of 2^n pages is aligned to its size (up to [`crate::MAX_ALIGN`]).
struct Block {
    heap: &'static Heap,
    address: NonNull<u8>,
    pages: usize,
}

// SAFETY: the block owns its pages, and the heap may be used from everywhere.
unsafe impl Send for Block {}
// SAFETY: shared, the block gives away nothing but its address and length.
unsafe impl Sync for Block {}

impl Block {
    fn new(heap: &'static Heap, pages: usize) -> Option<Self> {
        heap.try_pages(pages, PAGE).map(|address| Self { heap, address, pages })
    }

    fn zeroed(heap: &'static Heap, pages: usize) -> Option<Self> {
        heap.try_zeroed_pages(pages, PAGE).map(|address| Self { heap, address, pages })
    }

    fn len(&self) -> usize {
        self.pages * PAGE
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the pages came from this heap, and with the block their last user goes.
        unsafe { self.heap.free_pages(self.address, self.pages) };
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:p} + {} pages", self.address, self.pages)
    }
}

/// Pages that only the kernel sees: plain bytes.
#[derive(Debug)]
pub struct PageBox(Block);

impl PageBox {
    /// Pages full of zeros; `None` if there are none, or `pages` is 0.
    pub fn zeroed(heap: &'static Heap, pages: usize) -> Option<Self> {
        Block::zeroed(heap, pages).map(Self)
    }

    /// Address of the first page.
    pub fn addr(&self) -> usize {
        self.0.address.addr().get()
    }

    /// Number of pages.
    pub fn pages(&self) -> usize {
        self.0.pages
    }

    /// The content.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the block owns these initialised bytes; they change only through `&mut self`.
        unsafe { core::slice::from_raw_parts(self.0.address.as_ptr(), self.0.len()) }
    }

    /// The content, to change.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` excludes everybody else.
        unsafe { core::slice::from_raw_parts_mut(self.0.address.as_ptr(), self.0.len()) }
    }
}

/// An offset or length that lies outside of a [`Folio`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("offset or length outside of the folio")
    }
}

impl core::error::Error for OutOfRange {}

/// Pages that may also be mapped into the application, and so may change at any time: no reference
/// to the content exists, it is only copied. Concurrent copies of the same bytes give a mixture of
/// old and new ones, as with any shared memory.
///
/// To be shared as `Arc<Folio>`; whoever maps it elsewhere keeps a clone for as long.
#[derive(Debug)]
pub struct Folio(Block);

impl Folio {
    /// Pages with whatever was in them, to be overwritten before anybody sees them; `None` if there
    /// are none, or `pages` is 0.
    pub fn new(heap: &'static Heap, pages: usize) -> Option<Self> {
        Block::new(heap, pages).map(Self)
    }

    /// Pages full of zeros; `None` if there are none, or `pages` is 0.
    pub fn zeroed(heap: &'static Heap, pages: usize) -> Option<Self> {
        Block::zeroed(heap, pages).map(Self)
    }

    /// Cuts off the first pages; `None` if there are not more than these. Both parts lie where they lay.
    pub fn split_first(&mut self, pages: usize) -> Option<Folio> {
        let rest = self.0.pages.checked_sub(pages).filter(|&rest| rest > 0 && pages > 0)?;
        let (heap, address) = (self.0.heap, self.0.address);
        self.0.address = NonNull::new(address.as_ptr().wrapping_add(pages * PAGE))?;
        self.0.pages = rest;
        Some(Folio(Block { heap, address, pages }))
    }

    /// Address of the first page.
    pub fn addr(&self) -> usize {
        self.0.address.addr().get()
    }

    /// The content, for copies that do more than these (to user memory, through a cipher). Valid for
    /// [`Folio::size`] bytes while the folio lives.
    pub fn as_ptr(&self) -> *mut u8 {
        self.0.address.as_ptr()
    }

    /// Number of pages.
    pub fn pages(&self) -> usize {
        self.0.pages
    }

    /// Number of bytes.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Copies `bytes` to `offset`.
    ///
    /// # Errors
    /// [`OutOfRange`], and nothing is copied.
    pub fn copy_in(&self, offset: usize, bytes: &[u8]) -> Result<(), OutOfRange> {
        let to = self.range(offset, bytes.len())?;
        // SAFETY: the range lies in the folio, to which there is no reference.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        Ok(())
    }

    /// Copies the bytes at `offset` to `bytes`.
    ///
    /// # Errors
    /// [`OutOfRange`], and nothing is copied.
    pub fn copy_out(&self, offset: usize, bytes: &mut [u8]) -> Result<(), OutOfRange> {
        let from = self.range(offset, bytes.len())?;
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    /// Sets `len` bytes at `offset` to zero.
    ///
    /// # Errors
    /// [`OutOfRange`], and nothing is changed.
    pub fn zero(&self, offset: usize, len: usize) -> Result<(), OutOfRange> {
        let to = self.range(offset, len)?;
        // SAFETY: as above.
        unsafe { to.write_bytes(0, len) };
        Ok(())
    }

    /// The address of `len` bytes at `offset`, for copies that do more than these.
    ///
    /// # Errors
    /// [`OutOfRange`].
    pub fn range(&self, offset: usize, len: usize) -> Result<*mut u8, OutOfRange> {
        match offset.checked_add(len) {
            Some(end) if end <= self.size() => Ok(self.as_ptr().wrapping_add(offset)),
            _ => Err(OutOfRange),
        }
    }
}
