//! Names: mkdir, unlink, rename, link and their kin.

use super::Call;
use super::path::{Place, read_path};
use alloc::sync::Arc;
use rkt_linux_abi::general::{AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, CAP_DAC_READ_SEARCH};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserSlice;
use rkt_vfs::{FileType, Resolve, ops};

/// mkdirat(2).
pub fn mkdirat(call: &mut Call<'_>, dirfd: i32, path: u64, mode: u32) -> Result<u64> {
    let place = Place::new(call, dirfd, path)?;
    ops::mkdir(&place.context, place.base.as_ref(), &place.path, mode)?;
    Ok(0)
}

/// mkdir(2).
pub fn mkdir(call: &mut Call<'_>, path: u64, mode: u32) -> Result<u64> {
    mkdirat(call, AT_FDCWD, path, mode)
}

/// mknodat(2).
pub fn mknodat(call: &mut Call<'_>, dirfd: i32, path: u64, mode: u32, dev: u32) -> Result<u64> {
    ops::check_node_type(mode)?;
    let place = Place::new(call, dirfd, path)?;
    ops::mknod(&place.context, place.base.as_ref(), &place.path, mode, dev.into())?;
    Ok(0)
}

/// mknod(2).
pub fn mknod(call: &mut Call<'_>, path: u64, mode: u32, dev: u32) -> Result<u64> {
    mknodat(call, AT_FDCWD, path, mode, dev)
}

/// unlinkat(2).
pub fn unlinkat(call: &mut Call<'_>, dirfd: i32, path: u64, flags: u32) -> Result<u64> {
    if flags & !AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL);
    }
    let place = Place::new(call, dirfd, path)?;
    let remove = if flags & AT_REMOVEDIR != 0 { ops::rmdir } else { ops::unlink };
    remove(&place.context, place.base.as_ref(), &place.path)?;
    Ok(0)
}

/// unlink(2).
pub fn unlink(call: &mut Call<'_>, path: u64) -> Result<u64> {
    unlinkat(call, AT_FDCWD, path, 0)
}

/// rmdir(2).
pub fn rmdir(call: &mut Call<'_>, path: u64) -> Result<u64> {
    unlinkat(call, AT_FDCWD, path, AT_REMOVEDIR)
}

/// renameat2(2).
pub fn renameat2(call: &mut Call<'_>, old_fd: i32, old: u64, new_fd: i32, new: u64, flags: u32) -> Result<u64> {
    rkt_vfs::check_rename_flags(flags)?;
    let from = Place::new(call, old_fd, old)?;
    let to = Place::new(call, new_fd, new);
    if to.is_err() {
        // What is wrong with the old path counts first.
        from.context.resolve_parent(from.base.as_ref(), &from.path, 0)?;
    }
    let to = to?;
    rkt_vfs::rename(&from.context, (from.base.as_ref(), &from.path), (to.base.as_ref(), &to.path), flags)?;
    Ok(0)
}

/// renameat(2).
pub fn renameat(call: &mut Call<'_>, old_fd: i32, old: u64, new_fd: i32, new: u64) -> Result<u64> {
    renameat2(call, old_fd, old, new_fd, new, 0)
}

/// rename(2).
pub fn rename(call: &mut Call<'_>, old: u64, new: u64) -> Result<u64> {
    renameat2(call, AT_FDCWD, old, AT_FDCWD, new, 0)
}

/// linkat(2).
pub fn linkat(call: &mut Call<'_>, old_fd: i32, old: u64, new_fd: i32, new: u64, flags: u32) -> Result<u64> {
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let allow_empty = flags & AT_EMPTY_PATH != 0;
    let from = Place::maybe_empty(call, old_fd, old, allow_empty)?;
    if from.path.is_empty() && old_fd != AT_FDCWD && !from.context.credentials.capable(CAP_DAC_READ_SEARCH) {
        // Who opened it himself may name it, too.
        let opener = call.task.process.file(old_fd)?.credentials().clone();
        if !Arc::ptr_eq(&opener, &from.context.credentials) {
            return Err(Errno::ENOENT);
        }
    }
    let how = Resolve { follow: flags & AT_SYMLINK_FOLLOW != 0, allow_empty, ..Resolve::NO_FOLLOW };
    let old = from.resolve(how)?;
    let to = Place::new(call, new_fd, new)?;
    ops::link(&from.context, &old, to.base.as_ref(), &to.path)?;
    Ok(0)
}

/// link(2).
pub fn link(call: &mut Call<'_>, old: u64, new: u64) -> Result<u64> {
    linkat(call, AT_FDCWD, old, AT_FDCWD, new, 0)
}

/// symlinkat(2).
pub fn symlinkat(call: &mut Call<'_>, target: u64, dirfd: i32, path: u64) -> Result<u64> {
    let target = read_path(target)?;
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    let place = Place::new(call, dirfd, path)?;
    ops::symlink(&place.context, &target, place.base.as_ref(), &place.path)?;
    Ok(0)
}

/// symlink(2).
pub fn symlink(call: &mut Call<'_>, target: u64, path: u64) -> Result<u64> {
    symlinkat(call, target, AT_FDCWD, path)
}

/// readlinkat(2): gives the bytes stored, without a NUL. An empty path is the descriptor itself.
pub fn readlinkat(call: &mut Call<'_>, dirfd: i32, path: u64, buf: u64, size: i32) -> Result<u64> {
    let size = usize::try_from(size).ok().filter(|&size| size > 0).ok_or(Errno::EINVAL)?;
    let place = Place::maybe_empty(call, dirfd, path, dirfd != AT_FDCWD)?;
    let allow_empty = place.base.is_some();
    let at = place.resolve(Resolve { allow_empty, ..Resolve::NO_FOLLOW })?;
    if at.inode().kind() != FileType::Symlink {
        return Err(if place.path.is_empty() { Errno::ENOENT } else { Errno::EINVAL });
    }
    let text = ops::readlink(&place.context, &at)?;
    let text = text.get(..size).unwrap_or(&text);
    UserSlice::new(buf, text.len())?.write_all(text)?;
    Ok(text.len() as u64)
}

/// readlink(2).
pub fn readlink(call: &mut Call<'_>, path: u64, buf: u64, size: i32) -> Result<u64> {
    readlinkat(call, AT_FDCWD, path, buf, size)
}
