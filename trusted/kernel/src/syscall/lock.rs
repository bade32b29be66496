//! Locks on files: the lock commands of fcntl, and flock.

use super::Call;
use super::fd::usable;
use rkt_linux_abi::general::{
    F_RDLCK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_MAND, LOCK_NB, LOCK_SH, LOCK_UN, SEEK_CUR, SEEK_END, SEEK_SET,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;
use rkt_vfs::OpenFile;
use rkt_vfs::lock::{FileLock, FileLocks, LockOwner, open_file_id};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `struct flock` of x86-64.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Flock {
    kind: i16,
    whence: i16,
    pad0: u32,
    start: i64,
    len: i64,
    pid: i32,
    pad1: u32,
}

fn locks(file: &OpenFile) -> Result<&FileLocks> {
    file.inode().locks().ok_or(Errno::EINVAL)
}

/// The lock that a `struct flock` asks for; true with it for an unlock.
fn parse(call: &Call<'_>, file: &OpenFile, flock: &Flock, by_file: bool) -> Result<(FileLock, bool)> {
    if by_file && flock.pid != 0 {
        return Err(Errno::EINVAL);
    }
    let base = match flock.whence as u32 {
        SEEK_SET => 0,
        SEEK_CUR => file.position(),
        SEEK_END => file.metadata().size,
        _ => return Err(Errno::EINVAL),
    };
    let owner = if by_file {
        LockOwner::OpenFile(open_file_id(file))
    } else {
        LockOwner::Process(call.task.process.pid as u64)
    };
    FileLock::from_flock(owner, flock.kind as u16 as u32, base, flock.start, flock.len)
}

/// F_GETLK and F_OFD_GETLK (`by_file`).
pub(super) fn get(call: &Call<'_>, file: &OpenFile, address: u64, by_file: bool) -> Result<()> {
    let pointer = UserPtr::<Flock>::new(address);
    let mut flock = pointer.read()?;
    let (lock, unlock) = parse(call, file, &flock, by_file)?;
    if unlock {
        return Err(Errno::EINVAL);
    }
    match locks(file)?.conflict(&lock) {
        None => flock.kind = F_UNLCK as i16,
        Some(held) => {
            flock.kind = if held.exclusive { F_WRLCK } else { F_RDLCK } as i16;
            flock.whence = SEEK_SET as i16;
            flock.start = held.start as i64;
            flock.len = if held.end == u64::MAX { 0 } else { (held.end - held.start) as i64 };
            flock.pid = match held.owner {
                LockOwner::Process(pid) => pid as i32,
                LockOwner::OpenFile(_) => -1,
            };
        }
    }
    pointer.write(&flock)
}

/// F_SETLK, F_SETLKW (`wait`), F_OFD_SETLK and F_OFD_SETLKW (`by_file`).
pub(super) fn set(call: &Call<'_>, file: &OpenFile, address: u64, by_file: bool, wait: bool) -> Result<()> {
    let flock = UserPtr::<Flock>::new(address).read()?;
    let (lock, unlock) = parse(call, file, &flock, by_file)?;
    if unlock {
        locks(file)?.unset(&lock);
        return Ok(());
    }
    let open_for_it = if lock.exclusive { file.writable() } else { file.readable() };
    if !open_for_it {
        return Err(Errno::EBADF);
    }
    locks(file)?.set(&lock, wait)
}

/// flock(2).
pub fn flock(call: &mut Call<'_>, fd: i32, operation: u32) -> Result<u64> {
    if operation & LOCK_MAND != 0 {
        return Ok(0); // share modes of Linux before 5.18, passed over since
    }
    let exclusive = match operation & !LOCK_NB {
        LOCK_SH => Some(false),
        LOCK_EX => Some(true),
        LOCK_UN => None,
        _ => return Err(Errno::EINVAL),
    };
    let file = usable(call, fd)?;
    let owner = LockOwner::OpenFile(open_file_id(&file));
    locks(&file)?.flock(owner, exclusive, operation & LOCK_NB == 0)?;
    Ok(0)
}
