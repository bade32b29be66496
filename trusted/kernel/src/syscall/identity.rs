//! Who a process is: ids, groups, sessions, capabilities.

use super::Call;
use crate::process::{self, Process};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{CAP_SETGID, CAP_SETUID};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserSlice};
use rkt_vfs::Credentials;

/// All capabilities that Linux 6 knows (CAP_LAST_CAP = 40).
pub const ALL_CAPABILITIES: u64 = (1 << 41) - 1;
/// Most supplementary groups.
const GROUPS_MAX: usize = 65_536;

/// getpid(2).
#[inline]
pub fn getpid(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.task.process.pid as u64)
}

/// gettid(2).
#[inline]
pub fn gettid(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.task.tid as u64)
}

/// getppid(2).
pub fn getppid(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.task.process.parent_id() as u64)
}

/// getuid(2) and geteuid(2): the kernel keeps one user id a process.
pub fn getuid(call: &mut Call<'_>) -> Result<u64> {
    Ok(u64::from(call.task.process.fs.lock().credentials.uid))
}

/// getgid(2) and getegid(2).
pub fn getgid(call: &mut Call<'_>) -> Result<u64> {
    Ok(u64::from(call.task.process.fs.lock().credentials.gid))
}

/// Replaces the credentials of the process.
fn change(process: &Process, change: impl FnOnce(&mut Credentials)) {
    let mut fs = process.fs.lock();
    let mut credentials = (*fs.credentials).clone();
    change(&mut credentials);
    fs.credentials = Arc::new(credentials);
}

fn may_become(process: &Process, id: u32, user: bool) -> Result<()> {
    if id == u32::MAX {
        return Err(Errno::EINVAL);
    }
    let credentials = process.credentials();
    let own = if user { credentials.uid } else { credentials.gid };
    let capability = if user { CAP_SETUID } else { CAP_SETGID };
    if id == own || credentials.capable(capability) { Ok(()) } else { Err(Errno::EPERM) }
}

fn become_user(process: &Process, uid: u32) -> Result<u64> {
    may_become(process, uid, true)?;
    change(process, |credentials| {
        credentials.uid = uid;
        if uid != 0 {
            credentials.capabilities = 0;
        }
    });
    Ok(0)
}

fn become_group(process: &Process, gid: u32) -> Result<u64> {
    may_become(process, gid, false)?;
    change(process, |credentials| credentials.gid = gid);
    Ok(0)
}

/// The one id that several arguments ask for; `None` if all are -1. Different ids for real,
/// effective and saved would need three: refused.
fn single(ids: &[u32]) -> Result<Option<u32>> {
    let mut wanted = ids.iter().copied().filter(|&id| id != u32::MAX);
    let Some(first) = wanted.next() else { return Ok(None) };
    if wanted.all(|id| id == first) { Ok(Some(first)) } else { Err(Errno::EPERM) }
}

/// setuid(2).
pub fn setuid(call: &mut Call<'_>, uid: u32) -> Result<u64> {
    become_user(&call.task.process, uid)
}

/// setgid(2).
pub fn setgid(call: &mut Call<'_>, gid: u32) -> Result<u64> {
    become_group(&call.task.process, gid)
}

/// setreuid(2).
pub fn setreuid(call: &mut Call<'_>, real: u32, effective: u32) -> Result<u64> {
    single(&[real, effective])?.map_or(Ok(0), |uid| become_user(&call.task.process, uid))
}

/// setregid(2).
pub fn setregid(call: &mut Call<'_>, real: u32, effective: u32) -> Result<u64> {
    single(&[real, effective])?.map_or(Ok(0), |gid| become_group(&call.task.process, gid))
}

/// setresuid(2).
pub fn setresuid(call: &mut Call<'_>, real: u32, effective: u32, saved: u32) -> Result<u64> {
    single(&[real, effective, saved])?.map_or(Ok(0), |uid| become_user(&call.task.process, uid))
}

/// setresgid(2).
pub fn setresgid(call: &mut Call<'_>, real: u32, effective: u32, saved: u32) -> Result<u64> {
    single(&[real, effective, saved])?.map_or(Ok(0), |gid| become_group(&call.task.process, gid))
}

/// setfsuid(2): the id is that of the process; gives it.
pub fn setfsuid(call: &mut Call<'_>, _uid: u32) -> Result<u64> {
    getuid(call)
}

/// setfsgid(2).
pub fn setfsgid(call: &mut Call<'_>, _gid: u32) -> Result<u64> {
    getgid(call)
}

fn write_three(id: u64, to: [u64; 3]) -> Result<u64> {
    for address in to {
        UserPtr::<u32>::new(address).write(&(id as u32))?;
    }
    Ok(0)
}

/// getresuid(2).
pub fn getresuid(call: &mut Call<'_>, real: u64, effective: u64, saved: u64) -> Result<u64> {
    write_three(getuid(call)?, [real, effective, saved])
}

/// getresgid(2).
pub fn getresgid(call: &mut Call<'_>, real: u64, effective: u64, saved: u64) -> Result<u64> {
    write_three(getgid(call)?, [real, effective, saved])
}

/// getgroups(2).
pub fn getgroups(call: &mut Call<'_>, size: i32, list: u64) -> Result<u64> {
    let groups = call.task.process.credentials().groups.clone();
    if size < 0 || size != 0 && (size as usize) < groups.len() {
        return Err(Errno::EINVAL);
    }
    if size != 0 {
        UserPtr::<u32>::new(list).write_array(&groups)?;
    }
    Ok(groups.len() as u64)
}

/// setgroups(2).
pub fn setgroups(call: &mut Call<'_>, size: usize, list: u64) -> Result<u64> {
    if !call.task.process.credentials().capable(CAP_SETGID) {
        return Err(Errno::EPERM);
    }
    if size > GROUPS_MAX {
        return Err(Errno::EINVAL);
    }
    let mut groups: Vec<u32> = UserPtr::<u32>::new(list).read_array(size)?;
    groups.sort_unstable();
    change(&call.task.process, |credentials| credentials.groups = groups);
    Ok(0)
}

fn named(call: &Call<'_>, pid: i32) -> Result<Arc<Process>> {
    match pid {
        0 => Ok(call.task.process.clone()),
        pid if pid < 0 => Err(Errno::EINVAL),
        pid => process::find(pid).ok_or(Errno::ESRCH),
    }
}

/// getpgid(2).
pub fn getpgid(call: &mut Call<'_>, pid: i32) -> Result<u64> {
    let process = named(call, pid).map_err(|_| Errno::ESRCH)?;
    Ok(process.group.load(Ordering::Relaxed) as u64)
}

/// getpgrp(2).
pub fn getpgrp(call: &mut Call<'_>) -> Result<u64> {
    getpgid(call, 0)
}

/// setpgid(2).
pub fn setpgid(call: &mut Call<'_>, pid: i32, group: i32) -> Result<u64> {
    if group < 0 {
        return Err(Errno::EINVAL);
    }
    let me = &call.task.process;
    let process = named(call, pid)?;
    let child = process.parent_id() == me.pid;
    if process.pid != me.pid && !child {
        return Err(Errno::ESRCH);
    }
    if child && process.pid != me.pid && process.executed.load(Ordering::Relaxed) {
        return Err(Errno::EACCES);
    }
    let session = process.session.load(Ordering::Relaxed);
    if session == process.pid || session != me.session.load(Ordering::Relaxed) {
        return Err(Errno::EPERM);
    }
    let group = if group == 0 { process.pid } else { group };
    let exists = |other: &Arc<Process>| {
        other.group.load(Ordering::Relaxed) == group && other.session.load(Ordering::Relaxed) == session
    };
    if group != process.pid && !process::all().iter().any(exists) {
        return Err(Errno::EPERM);
    }
    process.group.store(group, Ordering::Relaxed);
    Ok(0)
}

/// getsid(2).
pub fn getsid(call: &mut Call<'_>, pid: i32) -> Result<u64> {
    let process = named(call, pid).map_err(|_| Errno::ESRCH)?;
    Ok(process.session.load(Ordering::Relaxed) as u64)
}

/// setsid(2).
pub fn setsid(call: &mut Call<'_>) -> Result<u64> {
    let process = &call.task.process;
    let leads = |other: &Arc<Process>| other.group.load(Ordering::Relaxed) == process.pid;
    if process::all().iter().any(leads) {
        return Err(Errno::EPERM);
    }
    process.group.store(process.pid, Ordering::Relaxed);
    process.session.store(process.pid, Ordering::Relaxed);
    Ok(process.pid as u64)
}

const CAPABILITY_VERSION_1: u32 = 0x1998_0330;
const CAPABILITY_VERSION_2: u32 = 0x2007_1026;
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// Words of a capability set of this version; writes the preferred version back if unknown.
fn capability_words(header: u64) -> Result<(usize, i32)> {
    let words = UserPtr::<u32>::new(header);
    let pid = words.nth(1)?.read()? as i32;
    match words.read()? {
        CAPABILITY_VERSION_1 => Ok((1, pid)),
        CAPABILITY_VERSION_2 | CAPABILITY_VERSION_3 => Ok((2, pid)),
        _ => {
            words.write(&CAPABILITY_VERSION_3)?;
            Err(Errno::EINVAL)
        }
    }
}

/// capget(2).
pub fn capget(call: &mut Call<'_>, header: u64, data: u64) -> Result<u64> {
    let (words, pid) = match capability_words(header) {
        Err(Errno::EINVAL) if data == 0 => return Ok(0),
        other => other?,
    };
    let process = named(call, pid)?;
    if data == 0 {
        return Ok(0);
    }
    let set = process.credentials().capabilities & ALL_CAPABILITIES;
    for n in 0..words {
        let part = (set >> (32 * n)) as u32;
        // Effective, permitted, inheritable.
        UserSlice::new(data + 12 * n as u64, 12)?.write_all(zerocopy::IntoBytes::as_bytes(&[part, part, 0u32]))?;
    }
    Ok(0)
}

/// capset(2): capabilities can be given up.
pub fn capset(call: &mut Call<'_>, header: u64, data: u64) -> Result<u64> {
    let (words, pid) = capability_words(header)?;
    if pid != 0 && pid != call.task.process.pid {
        return Err(Errno::EPERM);
    }
    let mut effective = 0u64;
    let mut permitted = 0u64;
    for n in 0..words {
        let part = UserPtr::<u32>::new(data).nth(3 * n)?;
        effective |= u64::from(part.read()?) << (32 * n);
        permitted |= u64::from(part.nth(1)?.read()?) << (32 * n);
    }
    let held = call.task.process.credentials().capabilities;
    if permitted & !held & ALL_CAPABILITIES != 0 || effective & !permitted != 0 {
        return Err(Errno::EPERM);
    }
    change(&call.task.process, |credentials| credentials.capabilities = effective);
    Ok(0)
}
