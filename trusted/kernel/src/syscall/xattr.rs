//! Extended attributes.

use super::Call;
use super::fd::usable;
use super::path::Place;
use alloc::vec::Vec;
use rkt_linux_abi::general::{AT_FDCWD, XATTR_CREATE, XATTR_NAME_MAX, XATTR_REPLACE, XATTR_SIZE_MAX};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserSlice, read_c_string};
use rkt_vfs::{FsContext, Path, Resolve, ops};

/// What an attribute belongs to, and for whom it is looked at.
type Object = (FsContext, Path);

fn at_path(call: &Call<'_>, path: u64, how: Resolve) -> Result<Object> {
    let place = Place::new(call, AT_FDCWD, path)?;
    let at = place.resolve(how)?;
    Ok((place.context, at))
}

fn at_file(call: &Call<'_>, fd: i32) -> Result<Object> {
    let at = usable(call, fd)?.path().clone();
    Ok((call.task.process.context(), at))
}

fn read_name(address: u64) -> Result<Vec<u8>> {
    let name = read_c_string(address, XATTR_NAME_MAX as usize).map_err(|error| match error {
        Errno::ENAMETOOLONG => Errno::ERANGE,
        error => error,
    })?;
    if name.is_empty() { Err(Errno::ERANGE) } else { Ok(name) }
}

/// Stores what is asked for; a size of 0 asks for the length only.
fn answer(bytes: &[u8], to: u64, size: usize) -> Result<u64> {
    if size > 0 {
        if bytes.len() > size {
            return Err(Errno::ERANGE);
        }
        UserSlice::new(to, bytes.len())?.write_all(bytes)?;
    }
    Ok(bytes.len() as u64)
}

/// The attribute is copied in before `object` looks for what it belongs to.
fn set(object: impl FnOnce() -> Result<Object>, name: u64, value: u64, size: usize, flags: u32) -> Result<u64> {
    if flags & !(XATTR_CREATE | XATTR_REPLACE) != 0 {
        return Err(Errno::EINVAL);
    }
    let name = read_name(name)?;
    if size > XATTR_SIZE_MAX as usize {
        return Err(Errno::E2BIG);
    }
    let value = UserSlice::new(value, size)?.to_vec()?;
    let (context, at) = object()?;
    ops::set_xattr(&context, &at, &name, &value, flags)?;
    Ok(0)
}

fn get(object: impl FnOnce() -> Result<Object>, name: u64, to: u64, size: usize) -> Result<u64> {
    let name = read_name(name)?;
    let (context, at) = object()?;
    let value = ops::get_xattr(&context, &at, &name)?;
    answer(&value, to, size)
}

fn list((context, at): Object, to: u64, size: usize) -> Result<u64> {
    answer(&ops::list_xattr(&context, &at)?, to, size)
}

fn remove(object: impl FnOnce() -> Result<Object>, name: u64) -> Result<u64> {
    let name = read_name(name)?;
    let (context, at) = object()?;
    ops::remove_xattr(&context, &at, &name)?;
    Ok(0)
}

/// setxattr(2).
pub fn setxattr(call: &mut Call<'_>, path: u64, name: u64, value: u64, size: usize, flags: u32) -> Result<u64> {
    set(|| at_path(call, path, Resolve::FOLLOW), name, value, size, flags)
}

/// lsetxattr(2).
pub fn lsetxattr(call: &mut Call<'_>, path: u64, name: u64, value: u64, size: usize, flags: u32) -> Result<u64> {
    set(|| at_path(call, path, Resolve::NO_FOLLOW), name, value, size, flags)
}

/// fsetxattr(2).
pub fn fsetxattr(call: &mut Call<'_>, fd: i32, name: u64, value: u64, size: usize, flags: u32) -> Result<u64> {
    set(|| at_file(call, fd), name, value, size, flags)
}

/// getxattr(2).
pub fn getxattr(call: &mut Call<'_>, path: u64, name: u64, value: u64, size: usize) -> Result<u64> {
    get(|| at_path(call, path, Resolve::FOLLOW), name, value, size)
}

/// lgetxattr(2).
pub fn lgetxattr(call: &mut Call<'_>, path: u64, name: u64, value: u64, size: usize) -> Result<u64> {
    get(|| at_path(call, path, Resolve::NO_FOLLOW), name, value, size)
}

/// fgetxattr(2).
pub fn fgetxattr(call: &mut Call<'_>, fd: i32, name: u64, value: u64, size: usize) -> Result<u64> {
    get(|| at_file(call, fd), name, value, size)
}

/// listxattr(2).
pub fn listxattr(call: &mut Call<'_>, path: u64, names: u64, size: usize) -> Result<u64> {
    list(at_path(call, path, Resolve::FOLLOW)?, names, size)
}

/// llistxattr(2).
pub fn llistxattr(call: &mut Call<'_>, path: u64, names: u64, size: usize) -> Result<u64> {
    list(at_path(call, path, Resolve::NO_FOLLOW)?, names, size)
}

/// flistxattr(2).
pub fn flistxattr(call: &mut Call<'_>, fd: i32, names: u64, size: usize) -> Result<u64> {
    list(at_file(call, fd)?, names, size)
}

/// removexattr(2).
pub fn removexattr(call: &mut Call<'_>, path: u64, name: u64) -> Result<u64> {
    remove(|| at_path(call, path, Resolve::FOLLOW), name)
}

/// lremovexattr(2).
pub fn lremovexattr(call: &mut Call<'_>, path: u64, name: u64) -> Result<u64> {
    remove(|| at_path(call, path, Resolve::NO_FOLLOW), name)
}

/// fremovexattr(2).
pub fn fremovexattr(call: &mut Call<'_>, fd: i32, name: u64) -> Result<u64> {
    remove(|| at_file(call, fd), name)
}
