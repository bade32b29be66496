//! Who a process is: ids, groups, sessions, capabilities.

use super::Call;
use crate::identity::{ALL_CAPABILITIES, Change, IdSet, Kind};
use crate::jobs;
use crate::process::{self, Process};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{CAP_SETGID, CAP_SETPCAP};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;

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

/// getuid(2).
pub fn getuid(call: &mut Call<'_>) -> Result<u64> {
    Ok(u64::from(call.task.process.ids().user.real))
}

/// geteuid(2).
pub fn geteuid(call: &mut Call<'_>) -> Result<u64> {
    Ok(u64::from(call.task.process.ids().user.effective))
}

/// getgid(2).
pub fn getgid(call: &mut Call<'_>) -> Result<u64> {
    Ok(u64::from(call.task.process.ids().group.real))
}

/// getegid(2).
pub fn getegid(call: &mut Call<'_>) -> Result<u64> {
    Ok(u64::from(call.task.process.ids().group.effective))
}

fn change(call: &Call<'_>, kind: Kind, change: Change) -> Result<u64> {
    call.task.process.change_ids(kind, change).map(|()| 0)
}

/// setuid(2).
pub fn setuid(call: &mut Call<'_>, uid: u32) -> Result<u64> {
    change(call, Kind::User, Change::One(uid))
}

/// setgid(2).
pub fn setgid(call: &mut Call<'_>, gid: u32) -> Result<u64> {
    change(call, Kind::Group, Change::One(gid))
}

/// setreuid(2).
pub fn setreuid(call: &mut Call<'_>, real: u32, effective: u32) -> Result<u64> {
    change(call, Kind::User, Change::Two(real, effective))
}

/// setregid(2).
pub fn setregid(call: &mut Call<'_>, real: u32, effective: u32) -> Result<u64> {
    change(call, Kind::Group, Change::Two(real, effective))
}

/// setresuid(2).
pub fn setresuid(call: &mut Call<'_>, real: u32, effective: u32, saved: u32) -> Result<u64> {
    change(call, Kind::User, Change::Three([real, effective, saved]))
}

/// setresgid(2).
pub fn setresgid(call: &mut Call<'_>, real: u32, effective: u32, saved: u32) -> Result<u64> {
    change(call, Kind::Group, Change::Three([real, effective, saved]))
}

/// setfsuid(2).
pub fn setfsuid(call: &mut Call<'_>, uid: u32) -> Result<u64> {
    Ok(u64::from(call.task.process.change_file_id(Kind::User, uid)))
}

/// setfsgid(2).
pub fn setfsgid(call: &mut Call<'_>, gid: u32) -> Result<u64> {
    Ok(u64::from(call.task.process.change_file_id(Kind::Group, gid)))
}

fn write_three(ids: IdSet, to: [u64; 3]) -> Result<u64> {
    for (address, id) in to.into_iter().zip([ids.real, ids.effective, ids.saved]) {
        UserPtr::<u32>::new(address).write(&id)?;
    }
    Ok(0)
}

/// getresuid(2).
pub fn getresuid(call: &mut Call<'_>, real: u64, effective: u64, saved: u64) -> Result<u64> {
    let ids = call.task.process.ids().user;
    write_three(ids, [real, effective, saved])
}

/// getresgid(2).
pub fn getresgid(call: &mut Call<'_>, real: u64, effective: u64, saved: u64) -> Result<u64> {
    let ids = call.task.process.ids().group;
    write_three(ids, [real, effective, saved])
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
    if groups.contains(&u32::MAX) {
        return Err(Errno::EINVAL); // no group has this ID
    }
    groups.sort_unstable();
    call.task.process.change_rights(|_, credentials| {
        credentials.groups = groups;
        Ok(())
    })?;
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
    if group != process.pid && !jobs::has_group(session, group) {
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
    if !jobs::members(process.pid).is_empty() {
        return Err(Errno::EPERM);
    }
    process.group.store(process.pid, Ordering::Relaxed);
    process.session.store(process.pid, Ordering::Relaxed);
    drop(process.tty.lock().take());
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
    let ids = process.ids();
    let effective = process.credentials().capabilities & ALL_CAPABILITIES;
    for n in 0..words {
        let sets = [effective, ids.permitted, ids.inheritable].map(|set| (set >> (32 * n)) as u32);
        UserPtr::<u32>::new(data).nth(3 * n)?.write_array(&sets)?;
    }
    Ok(0)
}

/// capset(2).
pub fn capset(call: &mut Call<'_>, header: u64, data: u64) -> Result<u64> {
    let (words, pid) = capability_words(header)?;
    let process = &call.task.process;
    if pid != 0 && pid != process.pid {
        return Err(Errno::EPERM);
    }
    let mut sets = [0u64; 3];
    for (n, word) in UserPtr::<u32>::new(data).read_array(3 * words)?.into_iter().enumerate() {
        if let Some(set) = sets.get_mut(n % 3) {
            *set |= u64::from(word) << (32 * (n / 3)) & ALL_CAPABILITIES;
        }
    }
    let [effective, permitted, inheritable] = sets;
    process.change_rights(|ids, credentials| {
        // The permitted set only shrinks, and bounds both others unless CAP_SETPCAP lets the
        // inheritable one grow to the bounding set.
        let bound = if credentials.capable(CAP_SETPCAP) { ids.bounding } else { ids.permitted };
        let inherits = inheritable & !(ids.inheritable | bound) == 0;
        if permitted & !ids.permitted != 0 || effective & !permitted != 0 || !inherits {
            return Err(Errno::EPERM);
        }
        ids.permitted = permitted;
        ids.inheritable = inheritable;
        ids.ambient &= permitted & inheritable;
        credentials.capabilities = effective;
        Ok(())
    })?;
    Ok(0)
}
