//! Checked pointers and slices of user memory.

use crate::prefault::prefault;
use alloc::vec::Vec;
use core::marker::PhantomData;
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{USER_END, UserFault};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A range of user addresses, checked to lie below the kernel. Whether it is mapped shows at
/// each copy.
#[derive(Clone, Copy, Debug)]
pub struct UserSlice {
    addr: u64,
    len: usize,
}

impl UserSlice {
    /// Takes a range that the application named.
    ///
    /// # Errors
    /// `EFAULT` if it reaches into the kernel's addresses.
    pub fn new(addr: u64, len: usize) -> Result<Self> {
        match addr.checked_add(len as u64) {
            Some(end) if end <= USER_END => Ok(Self { addr, len }),
            _ => Err(Errno::EFAULT),
        }
    }

    /// First address.
    pub fn addr(&self) -> u64 {
        self.addr
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the range is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The part behind the first `n` bytes (all of it if there are fewer).
    pub fn skip(&self, n: usize) -> Self {
        let n = n.min(self.len);
        Self { addr: self.addr + n as u64, len: self.len - n }
    }

    /// The first `n` bytes at most.
    pub fn limit(&self, n: usize) -> Self {
        Self { addr: self.addr, len: self.len.min(n) }
    }

    /// Copies in up to the shorter of both lengths; gives the number of bytes copied before
    /// the first fault.
    pub fn read(&self, into: &mut [u8]) -> usize {
        let n = self.len.min(into.len());
        prefault(self.addr, n);
        n - rkt_platform::copy_from_user(into.as_mut_ptr(), self.addr, n)
    }

    /// Copies out up to the shorter of both lengths; gives the number of bytes copied before
    /// the first fault.
    pub fn write(&self, from: &[u8]) -> usize {
        let n = self.len.min(from.len());
        prefault(self.addr, n);
        n - rkt_platform::copy_to_user(self.addr, from.as_ptr(), n)
    }

    /// Copies all of the range in.
    ///
    /// # Errors
    /// `EFAULT` if a part is not readable, `ENOMEM`.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(self.len).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(self.len, 0);
        if self.read(&mut bytes) < self.len { Err(Errno::EFAULT) } else { Ok(bytes) }
    }

    /// Copies all of `from` out.
    ///
    /// # Errors
    /// `EFAULT` if it does not fit or a part is not writable.
    pub fn write_all(&self, from: &[u8]) -> Result<()> {
        if from.len() > self.len || self.write(from) < from.len() { Err(Errno::EFAULT) } else { Ok(()) }
    }

    /// Clears the range; gives the number of bytes cleared before the first fault.
    pub fn clear(&self) -> usize {
        prefault(self.addr, self.len);
        self.len - rkt_platform::clear_user(self.addr, self.len)
    }
}

/// A pointer to a value in user memory. Alignment is not required, as in Linux.
#[derive(Debug)]
pub struct UserPtr<T> {
    addr: u64,
    of: PhantomData<T>,
}

impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for UserPtr<T> {}

impl<T> UserPtr<T> {
    /// The pointer that the application gave.
    pub const fn new(addr: u64) -> Self {
        Self { addr, of: PhantomData }
    }

    /// Its address.
    pub fn addr(&self) -> u64 {
        self.addr
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        self.addr == 0
    }

    /// The pointer, or nothing where it is null: optional arguments.
    pub fn nullable(self) -> Option<Self> {
        (self.addr != 0).then_some(self)
    }

    /// The pointer to the `n`th element of an array.
    ///
    /// # Errors
    /// `EFAULT` if the address overflows.
    pub fn nth(&self, n: usize) -> Result<Self> {
        let offset = n.checked_mul(size_of::<T>()).ok_or(Errno::EFAULT)?;
        Ok(Self::new(self.addr.checked_add(offset as u64).ok_or(Errno::EFAULT)?))
    }
}

impl<T: FromBytes + IntoBytes> UserPtr<T> {
    /// Copies the value in.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn read(&self) -> Result<T> {
        let mut value = T::new_zeroed();
        let n = UserSlice::new(self.addr, size_of::<T>())?.read(value.as_mut_bytes());
        if n < size_of::<T>() { Err(Errno::EFAULT) } else { Ok(value) }
    }

    /// Copies `n` values in.
    ///
    /// # Errors
    /// `EFAULT`, `ENOMEM`. The caller bounds `n`.
    pub fn read_array(&self, n: usize) -> Result<Vec<T>> {
        let len = n.checked_mul(size_of::<T>()).ok_or(Errno::EFAULT)?;
        let slice = UserSlice::new(self.addr, len)?;
        let mut values = Vec::new();
        values.try_reserve_exact(n).map_err(|_| Errno::ENOMEM)?;
        values.resize_with(n, T::new_zeroed);
        if slice.read(values.as_mut_slice().as_mut_bytes()) < len { Err(Errno::EFAULT) } else { Ok(values) }
    }
}

impl<T: IntoBytes + Immutable> UserPtr<T> {
    /// Copies the value out.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn write(&self, value: &T) -> Result<()> {
        UserSlice::new(self.addr, size_of::<T>())?.write_all(value.as_bytes())
    }

    /// Copies the value out unless the pointer is null.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn write_nullable(&self, value: &T) -> Result<()> {
        if self.is_null() { Ok(()) } else { self.write(value) }
    }

    /// Copies values out one after the other.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn write_array(&self, values: &[T]) -> Result<()> {
        UserSlice::new(self.addr, size_of_val(values))?.write_all(values.as_bytes())
    }
}

impl UserPtr<u32> {
    /// The futex word here, whose page is shown for that.
    ///
    /// # Errors
    /// `EINVAL` if not aligned, `EFAULT` outside of user memory.
    pub fn word(&self) -> Result<UserWord> {
        if !self.addr.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        UserSlice::new(self.addr, 4)?;
        Ok(UserWord { addr: self.addr }.shown())
    }
}

/// A futex word. Access to it never waits for its page, so that it may be looked at under a lock:
/// a page that is hidden is `EFAULT`.
#[derive(Clone, Copy, Debug)]
pub struct UserWord {
    addr: u64,
}

impl UserWord {
    /// The same with its page shown again; waits for that if need be.
    pub fn shown(self) -> Self {
        prefault(self.addr, 4);
        self
    }

    /// Loads the word atomically.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn load(&self) -> Result<u32> {
        rkt_platform::load_user(self.addr).map_err(|UserFault| Errno::EFAULT)
    }

    /// Compares and exchanges the word; gives the value found.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn compare_exchange(&self, old: u32, new: u32) -> Result<u32> {
        rkt_platform::compare_exchange_user(self.addr, old, new).map_err(|UserFault| Errno::EFAULT)
    }
}

/// Copies in a C string of at most `max` bytes without its NUL.
///
/// # Errors
/// `EFAULT`; `ENAMETOOLONG` if there is no NUL within `max + 1` bytes.
pub fn read_c_string(addr: u64, max: usize) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = addr;
    let mut chunk = [0u8; 256];
    while out.len() <= max {
        // Never reach over a page edge, so that a string at the end of a mapping can be read.
        let step = (256 - (at as usize & 255)).min((max - out.len()).saturating_add(1));
        let into = chunk.get_mut(..step).ok_or(Errno::EFAULT)?;
        let got = UserSlice::new(at, step)?.read(into);
        let got = into.get(..got).ok_or(Errno::EFAULT)?;
        if let Some(end) = got.iter().position(|&byte| byte == 0) {
            out.extend_from_slice(got.get(..end).unwrap_or(&[]));
            return Ok(out);
        }
        if got.len() < step {
            return Err(Errno::EFAULT);
        }
        out.extend_from_slice(got);
        at = at.checked_add(step as u64).ok_or(Errno::EFAULT)?;
    }
    Err(Errno::ENAMETOOLONG)
}
