//! Attributes of files: permissions, owners, times, length.

use super::Call;
use super::abi::{Timespec, Timeval};
use super::fd::usable;
use super::path::Place;
use rkt_linux_abi::general::{AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, UTIME_NOW, UTIME_OMIT};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;
use rkt_vfs::ops::{self, TimeChange};
use rkt_vfs::{Resolve, Time};

/// How the `AT_` flags say to resolve.
///
/// # Errors
/// `EINVAL` for flags that are not `allowed`.
pub(super) fn resolve_flags(flags: u32, allowed: u32) -> Result<Resolve> {
    if flags & !allowed != 0 {
        return Err(Errno::EINVAL);
    }
    let follow = flags & AT_SYMLINK_NOFOLLOW == 0;
    Ok(Resolve { follow, allow_empty: flags & AT_EMPTY_PATH != 0, ..Resolve::FOLLOW })
}

/// faccessat2(2).
pub fn faccessat2(call: &mut Call<'_>, dirfd: i32, path: u64, mode: u32, flags: u32) -> Result<u64> {
    let how = resolve_flags(flags, AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    if mode & !0o7 != 0 {
        return Err(Errno::EINVAL);
    }
    let mut place = Place::maybe_empty(call, dirfd, path, how.allow_empty)?;
    if flags & AT_EACCESS == 0 {
        place.context.credentials = call.task.process.real_credentials();
    }
    let at = place.resolve(how)?;
    if mode != 0 {
        ops::access(&place.context, &at, mode)?;
    }
    Ok(0)
}

/// faccessat(2), which has no flags.
pub fn faccessat(call: &mut Call<'_>, dirfd: i32, path: u64, mode: u32) -> Result<u64> {
    faccessat2(call, dirfd, path, mode, 0)
}

/// access(2).
pub fn access(call: &mut Call<'_>, path: u64, mode: u32) -> Result<u64> {
    faccessat2(call, AT_FDCWD, path, mode, 0)
}

/// fchmodat2(2).
pub fn fchmodat2(call: &mut Call<'_>, dirfd: i32, path: u64, mode: u32, flags: u32) -> Result<u64> {
    let how = resolve_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    let place = Place::maybe_empty(call, dirfd, path, how.allow_empty)?;
    ops::chmod(&place.context, &place.resolve(how)?, mode)?;
    Ok(0)
}

/// fchmodat(2), which has no flags.
pub fn fchmodat(call: &mut Call<'_>, dirfd: i32, path: u64, mode: u32) -> Result<u64> {
    fchmodat2(call, dirfd, path, mode, 0)
}

/// chmod(2).
pub fn chmod(call: &mut Call<'_>, path: u64, mode: u32) -> Result<u64> {
    fchmodat2(call, AT_FDCWD, path, mode, 0)
}

/// fchmod(2).
pub fn fchmod(call: &mut Call<'_>, fd: i32, mode: u32) -> Result<u64> {
    let file = usable(call, fd)?;
    let context = call.task.process.context();
    ops::chmod(&context, file.path(), mode)?;
    Ok(0)
}

/// An id to change to; -1 leaves it alone.
fn id(value: u32) -> Option<u32> {
    (value != u32::MAX).then_some(value)
}

/// fchownat(2).
pub fn fchownat(call: &mut Call<'_>, dirfd: i32, path: u64, uid: u32, gid: u32, flags: u32) -> Result<u64> {
    let how = resolve_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    let place = Place::maybe_empty(call, dirfd, path, how.allow_empty)?;
    ops::chown(&place.context, &place.resolve(how)?, id(uid), id(gid))?;
    Ok(0)
}

/// chown(2).
pub fn chown(call: &mut Call<'_>, path: u64, uid: u32, gid: u32) -> Result<u64> {
    fchownat(call, AT_FDCWD, path, uid, gid, 0)
}

/// lchown(2).
pub fn lchown(call: &mut Call<'_>, path: u64, uid: u32, gid: u32) -> Result<u64> {
    fchownat(call, AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW)
}

/// fchown(2).
pub fn fchown(call: &mut Call<'_>, fd: i32, uid: u32, gid: u32) -> Result<u64> {
    let file = usable(call, fd)?;
    let context = call.task.process.context();
    ops::chown(&context, file.path(), id(uid), id(gid))?;
    Ok(0)
}

/// Access and modification time.
type Times = (TimeChange, TimeChange);

const NOW: Times = (TimeChange::Now, TimeChange::Now);

const OMIT: i64 = UTIME_OMIT as i64;
const CURRENT: i64 = UTIME_NOW as i64;

fn from_timespec(time: Timespec) -> Result<TimeChange> {
    match time.nsec {
        OMIT => Ok(TimeChange::Keep),
        CURRENT => Ok(TimeChange::Now),
        nsec @ 0..1_000_000_000 => Ok(TimeChange::To(Time::new(time.sec, nsec as u32))),
        _ => Err(Errno::EINVAL),
    }
}

fn from_timeval(time: Timeval) -> Result<TimeChange> {
    match time.usec {
        usec @ 0..1_000_000 => Ok(TimeChange::To(Time::new(time.sec, usec as u32 * 1000))),
        _ => Err(Errno::EINVAL),
    }
}

/// An array of two times; none for a null pointer.
fn times<T: zerocopy::FromBytes + zerocopy::IntoBytes>(address: u64) -> Result<Option<[T; 2]>> {
    let Some(first) = UserPtr::<T>::new(address).nullable() else { return Ok(None) };
    Ok(Some([first.read()?, first.nth(1)?.read()?]))
}

/// What an array of two times asks for; none means now.
fn changes<T>(times: Option<[T; 2]>, change: impl Fn(T) -> Result<TimeChange>) -> Result<Times> {
    let Some([atime, mtime]) = times else { return Ok(NOW) };
    Ok((change(atime)?, change(mtime)?))
}

/// Sets the times of a path, or of the descriptor itself if there is no path. That the times are
/// none is said only after the path was found.
fn set_times(call: &Call<'_>, dirfd: i32, path: u64, to: Result<Times>, flags: u32) -> Result<u64> {
    if path == 0 && dirfd != AT_FDCWD {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        let file = usable(call, dirfd)?;
        let context = call.task.process.context();
        let (atime, mtime) = to?;
        ops::set_times(&context, file.path(), atime, mtime)?;
        return Ok(0);
    }
    let how = resolve_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    let place = Place::maybe_empty(call, dirfd, path, how.allow_empty)?;
    let at = place.resolve(how)?;
    let (atime, mtime) = to?;
    ops::set_times(&place.context, &at, atime, mtime)?;
    Ok(0)
}

/// utimensat(2).
pub fn utimensat(call: &mut Call<'_>, dirfd: i32, path: u64, to: u64, flags: u32) -> Result<u64> {
    let to = times::<Timespec>(to)?;
    if to.is_some_and(|[atime, mtime]| atime.nsec == OMIT && mtime.nsec == OMIT) {
        return Ok(0); // not even the path is looked at
    }
    set_times(call, dirfd, path, changes(to, from_timespec), flags)
}

/// futimesat(2).
pub fn futimesat(call: &mut Call<'_>, dirfd: i32, path: u64, to: u64) -> Result<u64> {
    let to = changes(times(to)?, from_timeval)?;
    set_times(call, dirfd, path, Ok(to), 0)
}

/// utimes(2).
pub fn utimes(call: &mut Call<'_>, path: u64, to: u64) -> Result<u64> {
    futimesat(call, AT_FDCWD, path, to)
}

/// utime(2).
pub fn utime(call: &mut Call<'_>, path: u64, to: u64) -> Result<u64> {
    let to = changes(times::<i64>(to)?, |seconds| Ok(TimeChange::To(Time::new(seconds, 0))));
    set_times(call, AT_FDCWD, path, to, 0)
}

/// truncate(2).
pub fn truncate(call: &mut Call<'_>, path: u64, len: i64) -> Result<u64> {
    if len < 0 {
        return Err(Errno::EINVAL);
    }
    let place = Place::new(call, AT_FDCWD, path)?;
    let now =
        place.context.resolve(None, &place.path, Resolve::FOLLOW).map_or(u64::MAX, |at| at.inode().metadata().size);
    super::resource::check_size(call, now, len)?;
    ops::truncate(&place.context, None, &place.path, len)?;
    Ok(0)
}

/// ftruncate(2).
pub fn ftruncate(call: &mut Call<'_>, fd: i32, len: i64) -> Result<u64> {
    if len < 0 {
        return Err(Errno::EINVAL);
    }
    let file = call.task.process.file(fd)?;
    if file.writable() {
        super::resource::check_size(call, file.metadata().size, len)?;
    }
    file.truncate(len)?;
    Ok(0)
}
