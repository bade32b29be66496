//! Resource limits.

use super::Call;
use crate::identity::IdSet;
use crate::process::{self, Process};
use crate::signal::{self, Info};
use alloc::sync::Arc;
use rkt_linux_abi::general::{CAP_SYS_RESOURCE, O_APPEND, SIGXFSZ};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSource, UserPtr};
use rkt_vfs::{FileType, OpenFile};

/// Largest limit of open files (fs.nr_open).
const NR_OPEN: u64 = 1 << 20;
const RLIMIT_FSIZE: u32 = 1;
const RLIMIT_NOFILE: u32 = 7;

fn get(process: &Process, resource: u32) -> Result<(u64, u64)> {
    process.limits.lock().get(resource as usize).copied().ok_or(Errno::EINVAL)
}

fn set(call: &Call<'_>, process: &Process, resource: u32, soft: u64, hard: u64) -> Result<()> {
    if soft > hard {
        return Err(Errno::EINVAL);
    }
    if resource == RLIMIT_NOFILE && hard > NR_OPEN {
        return Err(Errno::EPERM);
    }
    let privileged = call.task.process.credentials().capable(CAP_SYS_RESOURCE);
    let mut limits = process.limits.lock();
    let limit = limits.get_mut(resource as usize).ok_or(Errno::EINVAL)?;
    if hard > limit.1 && !privileged {
        return Err(Errno::EPERM);
    }
    *limit = (soft, hard);
    drop(limits);
    process.mm().set_limits(process.memory_limits());
    Ok(())
}

fn too_large(call: &Call<'_>) -> Errno {
    signal::send_to_task(call.task, Info::kernel(SIGXFSZ));
    Errno::EFBIG
}

/// Cuts a write that would make a file longer than RLIMIT_FSIZE. `at` is where it goes; none for
/// the position.
///
/// # Errors
/// `EFBIG`, with SIGXFSZ, if nothing of it fits.
pub fn fit_write(call: &Call<'_>, file: &OpenFile, at: Option<i64>, from: &mut IoSource<'_>) -> Result<()> {
    if !from.is_full() {
        from.limit(room_for_write(call, file, at)?);
    }
    Ok(())
}

/// Bytes that may be written to a file at a place before it is longer than RLIMIT_FSIZE.
///
/// # Errors
/// `EFBIG`, with SIGXFSZ, if there are none.
pub fn room_for_write(call: &Call<'_>, file: &OpenFile, at: Option<i64>) -> Result<usize> {
    if file.inode().kind() != FileType::Regular || !file.writable() {
        return Ok(usize::MAX);
    }
    let limit = call.task.process.limit(RLIMIT_FSIZE);
    if limit == u64::MAX {
        return Ok(usize::MAX);
    }
    let at = match at {
        _ if file.flags() & O_APPEND != 0 => file.metadata().size,
        Some(at) => u64::try_from(at).map_err(|_| Errno::EINVAL)?,
        None => file.position(),
    };
    let room = limit.checked_sub(at).filter(|&room| room > 0).ok_or_else(|| too_large(call))?;
    Ok(usize::try_from(room).unwrap_or(usize::MAX))
}

/// Whether a file of `now` bytes may become `size` bytes long.
///
/// # Errors
/// `EFBIG`, with SIGXFSZ, if that is longer than RLIMIT_FSIZE.
pub fn check_size(call: &Call<'_>, now: u64, size: i64) -> Result<()> {
    let grows = u64::try_from(size).ok().filter(|&size| size > now);
    match grows {
        Some(size) if size > call.task.process.limit(RLIMIT_FSIZE) => Err(too_large(call)),
        _ => Ok(()),
    }
}

/// Whether the caller may look at and change the limits of a process (getrlimit(2), "prlimit()").
fn may_limit(call: &Call<'_>, process: &Process) -> bool {
    let me = &call.task.process;
    if me.pid == process.pid || me.credentials().capable(CAP_SYS_RESOURCE) {
        return true;
    }
    let (mine, theirs) = (me.ids(), process.ids());
    let all = |set: IdSet, id| [set.real, set.effective, set.saved] == [id; 3];
    all(theirs.user, mine.user.real) && all(theirs.group, mine.group.real)
}

/// prlimit64(2).
pub fn prlimit64(call: &mut Call<'_>, pid: i32, resource: u32, new: u64, old: u64) -> Result<u64> {
    let new = match new {
        0 => None,
        new => Some((UserPtr::<u64>::new(new).read()?, UserPtr::<u64>::new(new).nth(1)?.read()?)),
    };
    let process: Arc<Process> = match pid {
        0 => call.task.process.clone(),
        pid => process::find_task(pid).ok_or(Errno::ESRCH)?.process.clone(),
    };
    if !may_limit(call, &process) {
        return Err(Errno::EPERM);
    }
    let before = get(&process, resource)?;
    if let Some((soft, hard)) = new {
        set(call, &process, resource, soft, hard)?;
    }
    if old != 0 {
        UserPtr::<u64>::new(old).write_array(&[before.0, before.1])?;
    }
    Ok(0)
}

/// getrlimit(2).
pub fn getrlimit(call: &mut Call<'_>, resource: u32, to: u64) -> Result<u64> {
    let (soft, hard) = get(&call.task.process, resource)?;
    UserPtr::<u64>::new(to).write_array(&[soft, hard])?;
    Ok(0)
}

/// setrlimit(2).
pub fn setrlimit(call: &mut Call<'_>, resource: u32, from: u64) -> Result<u64> {
    let words = UserPtr::<u64>::new(from);
    let (soft, hard) = (words.read()?, words.nth(1)?.read()?);
    set(call, &call.task.process.clone(), resource, soft, hard)?;
    Ok(0)
}
