//! Where `read` puts bytes and where `write` takes them from: user memory (one range or an
//! iovec) or the kernel's own.

use crate::UserSlice;
use crate::prefault::prefault;
use arrayvec::ArrayVec;
use rkt_linux_abi::{Errno, Result};

/// The ranges of a readv or writev that remain to be served. Held in place: `UIO_FASTIOV` (8)
/// ranges without allocation, more in a vector.
pub enum IoVec {
    /// A few ranges.
    Few(ArrayVec<UserSlice, 8>),
    /// Many ranges, last first.
    Many(alloc::vec::Vec<UserSlice>),
}

impl IoVec {
    /// The `count` ranges that `range` gives by number. The caller bounds the count.
    ///
    /// # Errors
    /// That of `range`; `ENOMEM`.
    pub fn from_fn(count: usize, mut range: impl FnMut(usize) -> Result<UserSlice>) -> Result<Self> {
        let mut ranges = if count <= 8 {
            Self::Few(ArrayVec::new())
        } else {
            let mut many = alloc::vec::Vec::new();
            many.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
            Self::Many(many)
        };
        // Last first: they are taken from the end.
        for n in (0..count).rev() {
            ranges.push(range(n)?);
        }
        Ok(ranges)
    }

    fn pop(&mut self) -> Option<UserSlice> {
        match self {
            Self::Few(v) => v.pop(),
            Self::Many(v) => v.pop(),
        }
    }

    fn push(&mut self, slice: UserSlice) {
        match self {
            Self::Few(v) => drop(v.try_push(slice)),
            Self::Many(v) => v.push(slice),
        }
    }

    fn slices(&self) -> &[UserSlice] {
        match self {
            Self::Few(v) => v,
            Self::Many(v) => v,
        }
    }

    fn total(&self) -> usize {
        self.slices().iter().map(UserSlice::len).fold(0, usize::saturating_add)
    }
}

enum Memory<'a, K> {
    Kernel(K, core::marker::PhantomData<&'a ()>),
    User(IoVec),
    Nowhere,
}

/// Receives the bytes of a read.
pub struct IoSink<'a> {
    memory: Memory<'a, &'a mut [u8]>,
    remaining: usize,
    done: usize,
}

/// Supplies the bytes of a write.
pub struct IoSource<'a> {
    memory: Memory<'a, &'a [u8]>,
    remaining: usize,
    done: usize,
}

macro_rules! common {
    ($type:ident) => {
        impl $type<'_> {
            /// Over one range of user memory.
            pub fn user(slice: UserSlice) -> Self {
                prefault(slice.addr(), slice.len());
                Self::mapped(slice)
            }

            /// Over one range of user memory that the kernel has just mapped.
            pub fn mapped(slice: UserSlice) -> Self {
                let mut few = ArrayVec::new();
                few.push(slice);
                Self { memory: Memory::User(IoVec::Few(few)), remaining: slice.len(), done: 0 }
            }

            /// Over ranges of user memory in the order given.
            pub fn user_vec(mut slices: alloc::vec::Vec<UserSlice>) -> Self {
                slices.reverse();
                Self::ranges(IoVec::Many(slices))
            }

            /// Over ranges of user memory in their order.
            pub fn ranges(ranges: IoVec) -> Self {
                ranges.slices().iter().for_each(|slice| prefault(slice.addr(), slice.len()));
                Self { remaining: ranges.total(), memory: Memory::User(ranges), done: 0 }
            }

            /// Bytes that can still be moved.
            pub fn remaining(&self) -> usize {
                self.remaining
            }

            /// Bytes moved so far.
            pub fn done(&self) -> usize {
                self.done
            }

            /// Whether nothing more can be moved.
            pub fn is_full(&self) -> bool {
                self.remaining == 0
            }

            /// Never moves more than `n` further bytes.
            pub fn limit(&mut self, n: usize) {
                self.remaining = self.remaining.min(n);
            }

            fn advance(&mut self, n: usize) {
                self.remaining -= n;
                self.done += n;
            }

            /// Moves up to `len` bytes between user ranges and `copy(range, moved so far)`.
            fn each_range(vec: &mut IoVec, len: usize, mut copy: impl FnMut(UserSlice, usize) -> usize) -> usize {
                let mut moved = 0;
                while moved < len {
                    let Some(slice) = vec.pop() else { break };
                    let want = slice.len().min(len - moved);
                    let n = copy(slice.limit(want), moved);
                    moved += n;
                    if n < slice.len() {
                        vec.push(slice.skip(n));
                    }
                    if n < want {
                        break;
                    }
                }
                moved
            }
        }
    };
}

common!(IoSink);
common!(IoSource);

impl<'a> IoSink<'a> {
    /// Over kernel memory.
    pub fn kernel(into: &'a mut [u8]) -> Self {
        Self { remaining: into.len(), memory: Memory::Kernel(into, core::marker::PhantomData), done: 0 }
    }

    /// From now on bytes are counted and thrown away (tcp(7), MSG_TRUNC).
    pub fn discard(&mut self) {
        self.memory = Memory::Nowhere;
    }

    /// Takes as many of these bytes as there is room for; gives how many.
    ///
    /// # Errors
    /// `EFAULT` if not a single byte could be stored. A partial copy is a success, as in
    /// `read(2)`; the next call reports the fault.
    pub fn put(&mut self, from: &[u8]) -> Result<usize> {
        // SAFETY: the slice is valid for its length.
        unsafe { self.put_raw(from.as_ptr(), from.len()) }
    }

    /// As [`IoSink::put`], from a page of the trusted region that the application may have
    /// mapped, so that no slice of it can exist.
    ///
    /// # Errors
    /// As [`IoSink::put`]; `EINVAL` if the range is not within the folio.
    pub fn put_folio(&mut self, folio: &rkt_heap::Folio, offset: usize, len: usize) -> Result<usize> {
        let from = folio.range(offset, len).map_err(|_| Errno::EINVAL)?;
        // SAFETY: `range` checked that the bytes lie within the folio, which we borrow.
        unsafe { self.put_raw(from, len) }
    }

    /// Takes zeroes: a hole of a file, /dev/zero.
    ///
    /// # Errors
    /// As [`IoSink::put`].
    pub fn put_zeroes(&mut self, len: usize) -> Result<usize> {
        let len = len.min(self.remaining);
        let done = self.done;
        let n = match &mut self.memory {
            Memory::Kernel(into, _) => {
                let at = into.get_mut(done..done + len).ok_or(Errno::EFAULT)?;
                at.fill(0);
                len
            }
            Memory::User(vec) => Self::each_range(vec, len, |slice, _| slice.clear()),
            Memory::Nowhere => len,
        };
        self.advance(n);
        if n == 0 && len > 0 { Err(Errno::EFAULT) } else { Ok(n) }
    }

    /// # Safety
    /// `from` must be readable for `len` bytes.
    unsafe fn put_raw(&mut self, from: *const u8, len: usize) -> Result<usize> {
        let len = len.min(self.remaining);
        let done = self.done;
        let n = match &mut self.memory {
            Memory::Kernel(into, _) => {
                let at = into.get_mut(done..done + len).ok_or(Errno::EFAULT)?;
                // SAFETY: both are valid for `len` bytes; kernel buffers never overlap folios.
                unsafe { core::ptr::copy(from, at.as_mut_ptr(), len) };
                len
            }
            Memory::User(vec) => Self::each_range(vec, len, |slice, moved| {
                // SAFETY: moved + slice.len() <= len.
                let at = unsafe { from.add(moved) };
                slice.len() - rkt_platform::copy_to_user(slice.addr(), at, slice.len())
            }),
            Memory::Nowhere => len,
        };
        self.advance(n);
        if n == 0 && len > 0 { Err(Errno::EFAULT) } else { Ok(n) }
    }
}

impl<'a> IoSource<'a> {
    /// Over kernel memory.
    pub fn kernel(from: &'a [u8]) -> Self {
        Self { remaining: from.len(), memory: Memory::Kernel(from, core::marker::PhantomData), done: 0 }
    }

    /// Fills as much of `into` as there are bytes; gives how many.
    ///
    /// # Errors
    /// `EFAULT` if not a single byte could be loaded. A partial copy is a success, as in
    /// `write(2)`; the next call reports the fault.
    pub fn take(&mut self, into: &mut [u8]) -> Result<usize> {
        // SAFETY: the slice is valid for its length.
        unsafe { self.take_raw(into.as_mut_ptr(), into.len()) }
    }

    /// As [`IoSource::take`], into a page of the trusted region.
    ///
    /// # Errors
    /// As [`IoSource::take`]; `EINVAL` if the range is not within the folio.
    pub fn take_folio(&mut self, folio: &rkt_heap::Folio, offset: usize, len: usize) -> Result<usize> {
        let into = folio.range(offset, len).map_err(|_| Errno::EINVAL)?;
        // SAFETY: `range` checked that the bytes lie within the folio, which we borrow.
        unsafe { self.take_raw(into, len) }
    }

    /// Passes over up to `n` bytes as if they had been taken.
    pub fn skip(&mut self, n: usize) -> usize {
        let n = n.min(self.remaining);
        if let Memory::User(vec) = &mut self.memory {
            Self::each_range(vec, n, |slice, _| slice.len());
        }
        self.advance(n);
        n
    }

    /// # Safety
    /// `into` must be writable for `len` bytes.
    unsafe fn take_raw(&mut self, into: *mut u8, len: usize) -> Result<usize> {
        let len = len.min(self.remaining);
        let done = self.done;
        let n = match &mut self.memory {
            Memory::Kernel(from, _) => {
                let at = from.get(done..done + len).ok_or(Errno::EFAULT)?;
                // SAFETY: both are valid for `len` bytes; kernel buffers never overlap folios.
                unsafe { core::ptr::copy(at.as_ptr(), into, len) };
                len
            }
            Memory::User(vec) => Self::each_range(vec, len, |slice, moved| {
                // SAFETY: moved + slice.len() <= len.
                let at = unsafe { into.add(moved) };
                slice.len() - rkt_platform::copy_from_user(at, slice.addr(), slice.len())
            }),
            // A source of nothing.
            Memory::Nowhere => 0,
        };
        self.advance(n);
        if n == 0 && len > 0 { Err(Errno::EFAULT) } else { Ok(n) }
    }
}
