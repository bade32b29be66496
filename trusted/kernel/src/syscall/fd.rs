//! Descriptors: close, dup, fcntl, ioctl, and what makes files durable.

use super::Call;
use super::lock;
use crate::jobs;
use crate::process::{self, Process};
use alloc::sync::Arc;
use rkt_linux_abi::general::{
    CAP_SYS_RESOURCE, F_ADD_SEALS, F_DUPFD, F_DUPFD_CLOEXEC, F_DUPFD_QUERY, F_GET_SEALS, F_GETFD, F_GETFL, F_GETLEASE,
    F_GETLK, F_GETOWN, F_GETOWN_EX, F_GETPIPE_SZ, F_GETSIG, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_OWNER_PGRP,
    F_OWNER_PID, F_OWNER_TID, F_SETFD, F_SETFL, F_SETLEASE, F_SETLK, F_SETLKW, F_SETOWN, F_SETOWN_EX, F_SETPIPE_SZ,
    F_SETSIG, FALLOC_FL_KEEP_SIZE, FD_CLOEXEC, O_CLOEXEC, SYNC_FILE_RANGE_WAIT_AFTER, SYNC_FILE_RANGE_WAIT_BEFORE,
    SYNC_FILE_RANGE_WRITE,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;
use rkt_vfs::{FileType, OpenFile, Owner, tmpfs};

/// RLIMIT_NOFILE: descriptors have to be below it.
pub const RLIMIT_NOFILE: u32 = 7;

/// CLOSE_RANGE_UNSHARE and CLOSE_RANGE_CLOEXEC of linux/close_range.h.
const CLOSE_RANGE_UNSHARE: u32 = 2;
const CLOSE_RANGE_CLOEXEC: u32 = 4;

/// The open file with this number, if it is more than a place (`O_PATH`).
///
/// # Errors
/// `EBADF`.
pub fn usable(call: &Call<'_>, fd: i32) -> Result<Arc<OpenFile>> {
    let file = call.task.process.file(fd)?;
    if file.is_path_only() { Err(Errno::EBADF) } else { Ok(file) }
}

/// A descriptor of the file was closed: the POSIX locks of the process go with it (fcntl(2)), and
/// its wish to be told of messages (mq_notify(3)). What is no more than a place has no part in that.
pub fn closed(process: &Process, file: &OpenFile) {
    if file.is_path_only() {
        return;
    }
    crate::ipc::posix_queue::closed(process, file);
    file.release_process_locks(process.pid as u64);
}

/// close(2).
pub fn close(call: &mut Call<'_>, fd: i32) -> Result<u64> {
    let process = &call.task.process;
    let file = process.files().remove(fd)?;
    closed(process, &file);
    Ok(0)
}

/// close_range(2).
pub fn close_range(call: &mut Call<'_>, first: u32, last: u32, flags: u32) -> Result<u64> {
    if flags & !(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) != 0 || first > last {
        return Err(Errno::EINVAL);
    }
    let process = &call.task.process;
    if flags & CLOSE_RANGE_UNSHARE != 0 {
        process.unshare_files();
    }
    let (first, last) = (first as usize, last as usize);
    if flags & CLOSE_RANGE_CLOEXEC != 0 {
        process.files().mark_range(first, last);
        return Ok(0);
    }
    for file in process.files().close_range(first, last) {
        closed(process, &file);
    }
    Ok(0)
}

/// dup(2).
pub fn dup(call: &mut Call<'_>, fd: i32) -> Result<u64> {
    super::path::install(call, call.task.process.file(fd)?, false)
}

fn replace(call: &Call<'_>, old: i32, new: i32, close_on_exec: bool) -> Result<u64> {
    let process = &call.task.process;
    let file = process.file(old)?;
    let before = process.files().replace(new, file, close_on_exec, process.limit(RLIMIT_NOFILE))?;
    if let Some(before) = before {
        closed(process, &before);
    }
    Ok(new as u64)
}

/// dup2(2).
pub fn dup2(call: &mut Call<'_>, old: i32, new: i32) -> Result<u64> {
    if old == new {
        return call.task.process.file(old).map(|_| new as u64);
    }
    replace(call, old, new, false)
}

/// dup3(2).
pub fn dup3(call: &mut Call<'_>, old: i32, new: i32, flags: u32) -> Result<u64> {
    if flags & !O_CLOEXEC != 0 || old == new {
        return Err(Errno::EINVAL);
    }
    replace(call, old, new, flags & O_CLOEXEC != 0)
}

/// fcntl(2).
pub fn fcntl(call: &mut Call<'_>, fd: i32, command: u32, argument: u64) -> Result<u64> {
    let process = &call.task.process;
    let file = process.file(fd)?;
    match command {
        F_DUPFD | F_DUPFD_CLOEXEC => {
            let from = usize::try_from(argument as i32).map_err(|_| Errno::EINVAL)?;
            let limit = process.limit(RLIMIT_NOFILE);
            return Ok(process.files().insert(file, command == F_DUPFD_CLOEXEC, from, limit)? as u64);
        }
        F_GETFD => return Ok(if process.files().close_on_exec(fd)? { FD_CLOEXEC.into() } else { 0 }),
        F_SETFD => {
            process.files().set_close_on_exec(fd, argument as u32 & FD_CLOEXEC != 0)?;
            return Ok(0);
        }
        F_GETFL => return Ok(file.flags().into()),
        F_DUPFD_QUERY => return Ok(process.file(argument as i32).is_ok_and(|other| Arc::ptr_eq(&other, &file)).into()),
        _ if file.is_path_only() => return Err(Errno::EBADF),
        _ => {}
    }
    match command {
        F_SETFL => {
            file.set_flags(argument as u32)?;
            file.update_async(fd);
        }
        F_GETLK => lock::get(call, &file, argument, false)?,
        F_OFD_GETLK => lock::get(call, &file, argument, true)?,
        F_SETLK | F_SETLKW => lock::set(call, &file, argument, false, command == F_SETLKW)?,
        F_OFD_SETLK | F_OFD_SETLKW => lock::set(call, &file, argument, true, command == F_OFD_SETLKW)?,
        F_GETLEASE => return Ok(file.lease().into()),
        F_SETLEASE => {
            file.set_lease(fd, argument as u32, &process.credentials())?;
            if file.owner().id == 0 {
                let own = Owner { kind: F_OWNER_PID, id: process.pid, by: named_by(process), ..file.owner() };
                file.set_owner(own);
            }
        }
        F_GETPIPE_SZ => return Ok(file.pipe().ok_or(Errno::EBADF)?.capacity() as u64),
        F_SETPIPE_SZ => {
            let privileged = process.credentials().capable(CAP_SYS_RESOURCE);
            let bytes = argument as u32 as usize;
            return Ok(file.pipe().ok_or(Errno::EBADF)?.set_capacity(bytes, privileged)? as u64);
        }
        F_GET_SEALS => return Ok(tmpfs::seals(&file)?.into()),
        F_ADD_SEALS => tmpfs::add_seals(&file, argument as u32)?,
        _ => return owner(process, &file, command, argument),
    }
    Ok(0)
}

/// Checks that somebody would get the signals; 0 is nobody.
fn check_owner(kind: u32, id: i32) -> Result<()> {
    let there = match kind {
        _ if id == 0 => true,
        F_OWNER_TID => process::find_task(id).is_some(),
        F_OWNER_PID => process::find(id).is_some(),
        _ => !jobs::members(id).is_empty(),
    };
    if there { Ok(()) } else { Err(Errno::ESRCH) }
}

/// The caller, as the one who names an owner.
fn named_by(process: &Process) -> (u32, u32) {
    let user = process.ids().user;
    (user.real, user.effective)
}

/// The commands that are about signals of a file.
fn owner(process: &Process, file: &OpenFile, command: u32, argument: u64) -> Result<u64> {
    let before = Owner { by: named_by(process), ..file.owner() };
    match command {
        F_SETOWN => {
            let id = argument as i32;
            let kind = if id < 0 { F_OWNER_PGRP } else { F_OWNER_PID };
            let id = id.checked_abs().ok_or(Errno::EINVAL)?;
            check_owner(kind, id)?;
            file.set_owner(Owner { kind, id, ..before });
        }
        F_GETOWN if before.kind == F_OWNER_PGRP => return Ok(i64::from(-before.id) as u64),
        F_GETOWN => return Ok(before.id as u64),
        F_SETOWN_EX => {
            let words = UserPtr::<i32>::new(argument);
            let (kind, id) = (words.read()? as u32, words.nth(1)?.read()?);
            if !matches!(kind, F_OWNER_TID | F_OWNER_PID | F_OWNER_PGRP) {
                return Err(Errno::EINVAL);
            }
            check_owner(kind, id)?;
            file.set_owner(Owner { kind, id, ..before });
        }
        F_GETOWN_EX => UserPtr::<i32>::new(argument).write_array(&[before.kind as i32, before.id])?,
        F_SETSIG if argument <= 64 => file.set_owner(Owner { signal: argument as u32, ..file.owner() }),
        F_GETSIG => return Ok(before.signal.into()),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// fsync(2).
pub fn fsync(call: &mut Call<'_>, fd: i32) -> Result<u64> {
    call.task.process.file(fd)?.sync(false)?;
    Ok(0)
}

/// fdatasync(2).
pub fn fdatasync(call: &mut Call<'_>, fd: i32) -> Result<u64> {
    call.task.process.file(fd)?.sync(true)?;
    Ok(0)
}

/// sync(2): never fails.
pub fn sync(call: &mut Call<'_>) -> Result<u64> {
    let root = call.task.process.fs.lock().root.clone();
    for mount in root.mount.all() {
        let _ = mount.fs().sync();
    }
    Ok(0)
}

/// syncfs(2).
pub fn syncfs(call: &mut Call<'_>, fd: i32) -> Result<u64> {
    usable(call, fd)?.path().mount.fs().sync()?;
    Ok(0)
}

/// sync_file_range(2): more is written than asked for.
pub fn sync_file_range(call: &mut Call<'_>, fd: i32, offset: i64, len: i64, flags: u32) -> Result<u64> {
    let known = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    let file = usable(call, fd)?;
    if flags & !known != 0 || offset < 0 || len < 0 || offset.checked_add(len).is_none() {
        return Err(Errno::EINVAL);
    }
    match file.inode().kind() {
        _ if file.is_regular() => file.sync(true).map(|()| 0),
        FileType::Directory | FileType::BlockDevice => Ok(0),
        _ => Err(Errno::ESPIPE),
    }
}

/// fallocate(2).
pub fn fallocate(call: &mut Call<'_>, fd: i32, mode: u32, offset: i64, len: i64) -> Result<u64> {
    let file = usable(call, fd)?;
    if file.writable() && mode & FALLOC_FL_KEEP_SIZE == 0 {
        super::resource::check_size(call, file.metadata().size, offset.saturating_add(len))?;
    }
    file.allocate(mode, offset, len)?;
    Ok(0)
}
