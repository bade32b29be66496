//! Checked, volatile access to untrusted memory.

use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

/// An access that does not lie within its region, or is not aligned as its type asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBounds {
    /// First byte asked for, relative to the region.
    pub offset: u64,
    /// Bytes asked for.
    pub len: u64,
}

impl fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at offset {:#x} are outside the window region", self.len, self.offset)
    }
}

impl core::error::Error for OutOfBounds {}

/// The whole window as this process maps it.
pub type Window = Region;

/// A part of the window. Copying it copies the right to access, not the bytes.
#[derive(Clone, Copy)]
pub struct Region {
    base: *mut u8,
    len: usize,
}

// SAFETY: the region is plain shared memory that other processes change anyway;
// every access is volatile or atomic, so threads add nothing new.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({} bytes)", self.len)
    }
}

macro_rules! scalar {
    ($load:ident, $store:ident, $t:ty) => {
        /// Loads a little-endian value with one volatile access. `offset` must be aligned.
        ///
        /// # Errors
        /// `OutOfBounds` if the value does not lie within the region or is not aligned.
        pub fn $load(&self, offset: usize) -> Result<$t, OutOfBounds> {
            let at = self.check_aligned(offset, size_of::<$t>())?;
            // SAFETY: `check_aligned` proved that the value lies in the mapping and is aligned.
            Ok(<$t>::from_le(unsafe { ptr::read_volatile(at.cast::<$t>()) }))
        }

        /// Stores a little-endian value with one volatile access. `offset` must be aligned.
        ///
        /// # Errors
        /// `OutOfBounds` if the value does not lie within the region or is not aligned.
        pub fn $store(&self, offset: usize, value: $t) -> Result<(), OutOfBounds> {
            let at = self.check_aligned(offset, size_of::<$t>())?;
            // SAFETY: as in the load.
            unsafe { ptr::write_volatile(at.cast::<$t>(), value.to_le()) };
            Ok(())
        }
    };
}

macro_rules! atomic {
    ($name:ident, $t:ty) => {
        /// The atomic cell at `offset`, which must be aligned. Atomics are the one kind of
        /// reference into untrusted memory that stays sound when the other side writes.
        ///
        /// # Errors
        /// `OutOfBounds` if the cell does not lie within the region or is not aligned.
        pub fn $name(&self, offset: usize) -> Result<&'static $t, OutOfBounds> {
            let at = self.check_aligned(offset, size_of::<$t>())?;
            // SAFETY: in bounds and aligned; the mapping lasts as long as the process
            // (the contract of `Region::from_raw`), and atomics allow foreign writes.
            Ok(unsafe { &*at.cast::<$t>() })
        }
    };
}

impl Region {
    /// Takes `len` bytes of shared memory at `base` as a region.
    ///
    /// # Safety
    /// The memory must be mapped readable and writable until the process ends, and no Rust
    /// reference to it may exist or be made other than through this type.
    pub const unsafe fn from_raw(base: *mut u8, len: usize) -> Self {
        Self { base, len }
    }

    /// Length in bytes.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the region has no bytes.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Address at which this process maps the region: for futex calls, logs and tests.
    pub fn address(&self) -> usize {
        self.base as usize
    }

    fn check(&self, offset: usize, len: usize) -> Result<*mut u8, OutOfBounds> {
        match offset.checked_add(len) {
            // SAFETY: offset <= len of the mapping.
            Some(end) if end <= self.len => Ok(unsafe { self.base.add(offset) }),
            _ => Err(OutOfBounds { offset: offset as u64, len: len as u64 }),
        }
    }

    fn check_aligned(&self, offset: usize, size: usize) -> Result<*mut u8, OutOfBounds> {
        let at = self.check(offset, size)?;
        if (at as usize).is_multiple_of(size) {
            Ok(at)
        } else {
            Err(OutOfBounds { offset: offset as u64, len: size as u64 })
        }
    }

    /// A part of this region.
    ///
    /// # Errors
    /// `OutOfBounds` if the part reaches past the end.
    pub fn sub(&self, offset: usize, len: usize) -> Result<Region, OutOfBounds> {
        let base = self.check(offset, len)?;
        Ok(Region { base, len })
    }

    /// Where a range lies, for kernels that encrypt or hash while they copy. Such a kernel loads or
    /// stores each byte exactly once, in assembly or volatile, and makes no reference to it.
    ///
    /// # Errors
    /// `OutOfBounds` if the range is not within the region.
    pub fn pointer(&self, offset: usize, len: usize) -> Result<*mut u8, OutOfBounds> {
        self.check(offset, len)
    }

    scalar!(read_u8, write_u8, u8);
    scalar!(read_u16, write_u16, u16);
    scalar!(read_u32, write_u32, u32);
    scalar!(read_u64, write_u64, u64);
    atomic!(atomic_u16, AtomicU16);
    atomic!(atomic_u32, AtomicU32);
    atomic!(atomic_u64, AtomicU64);

    /// Copies bytes out of the window; each is loaded exactly once.
    ///
    /// # Errors
    /// `OutOfBounds` if `offset..offset + into.len()` is not within the region.
    pub fn read(&self, offset: usize, into: &mut [u8]) -> Result<(), OutOfBounds> {
        let from = self.check(offset, into.len())?;
        // SAFETY: both ranges are valid for `into.len()` bytes; the window never overlaps
        // trusted memory.
        unsafe { copy(from, into.as_mut_ptr(), into.len()) };
        Ok(())
    }

    /// Copies bytes into the window; each is stored exactly once.
    ///
    /// # Errors
    /// `OutOfBounds` if `offset..offset + from.len()` is not within the region.
    pub fn write(&self, offset: usize, from: &[u8]) -> Result<(), OutOfBounds> {
        let into = self.check(offset, from.len())?;
        // SAFETY: as in `read`.
        unsafe { copy(from.as_ptr(), into, from.len()) };
        Ok(())
    }

    /// Copies bytes from another region of shared memory, which may be another window; each is loaded and
    /// stored exactly once.
    ///
    /// # Errors
    /// `OutOfBounds` if either range is not within its region.
    pub fn copy_from(&self, offset: usize, from: &Region, from_offset: usize, len: usize) -> Result<(), OutOfBounds> {
        let into = self.check(offset, len)?;
        let from = from.check(from_offset, len)?;
        // SAFETY: both ranges are valid for `len` bytes. Should they overlap, as two windows never do,
        // the bytes are mixed up and nothing else.
        unsafe { copy(from, into, len) };
        Ok(())
    }

    /// Stores zeroes, so that nothing of an earlier user stays behind.
    ///
    /// # Errors
    /// `OutOfBounds` if the range is not within the region.
    pub fn zero(&self, offset: usize, len: usize) -> Result<(), OutOfBounds> {
        let at = self.check(offset, len)?;
        // SAFETY: in bounds. `rep stosb` writes each byte once.
        unsafe {
            core::arch::asm!("rep stosb", inout("rcx") len => _, inout("rdi") at => _, in("al") 0u8,
                options(nostack, preserves_flags));
        }
        Ok(())
    }
}

/// AMD's Zen 3 and 4 execute `rep movsb` at a fifteenth of its speed where the target lies, pages left out, less
/// than this ahead of the source: each load waits for a store that it seems to depend on. Words do not wait.
const TOO_NEAR: usize = 64;
const PAGE: usize = 4096;

/// Copies with instructions that the compiler can neither split, repeat nor elide.
///
/// # Safety
/// Both ranges must be valid for `len` bytes.
unsafe fn copy(mut from: *const u8, mut into: *mut u8, len: usize) {
    let ahead = into.addr().wrapping_sub(from.addr()) % PAGE;
    let words = if len >= TOO_NEAR && (1..TOO_NEAR).contains(&ahead) { len / 8 } else { 0 };
    // SAFETY: the caller's contract; the words are the first of the bytes.
    unsafe {
        if words > 0 {
            core::arch::asm!("rep movsq", inout("rcx") words => _, inout("rsi") from, inout("rdi") into,
                options(nostack, preserves_flags));
        }
        core::arch::asm!("rep movsb", inout("rcx") len - 8 * words => _, inout("rsi") from => _, inout("rdi") into => _,
            options(nostack, preserves_flags));
    }
}
