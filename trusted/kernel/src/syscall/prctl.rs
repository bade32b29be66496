//! prctl(2).

use super::Call;
use crate::identity::{ALL_CAPABILITIES, SECURE_KEEP_CAPS, SECURE_NO_AMBIENT_RAISE};
use core::sync::atomic::{AtomicBool, Ordering};
use rkt_linux_abi::general::{CAP_SETPCAP, CAP_SYS_RESOURCE};
use rkt_linux_abi::prctl::{
    PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_IS_SET, PR_CAP_AMBIENT_LOWER, PR_CAP_AMBIENT_RAISE,
    PR_CAPBSET_DROP, PR_CAPBSET_READ, PR_GET_CHILD_SUBREAPER, PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_GET_NAME,
    PR_GET_NO_NEW_PRIVS, PR_GET_PDEATHSIG, PR_GET_SECCOMP, PR_GET_SECUREBITS, PR_GET_SPECULATION_CTRL,
    PR_GET_THP_DISABLE, PR_GET_TID_ADDRESS, PR_GET_TIMERSLACK, PR_GET_TIMING, PR_GET_TSC, PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_MM, PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, PR_SET_SECCOMP,
    PR_SET_SECUREBITS, PR_SET_THP_DISABLE, PR_SET_TIMERSLACK, PR_SET_TIMING, PR_SET_TSC, PR_TASK_PERF_EVENTS_DISABLE,
    PR_TASK_PERF_EVENTS_ENABLE,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserSlice, read_c_string};

/// The only values of their options (linux/prctl.h).
const PR_TIMING_STATISTICAL: u64 = 0;
const PR_TSC_ENABLE: u32 = 1;
/// The kinds of speculation that there are options for.
const SPECULATIONS: u64 = 3;

/// prctl(2).
pub fn prctl(call: &mut Call<'_>, option: u32, arg2: u64, arg3: u64, arg4: u64, arg5: u64) -> Result<u64> {
    let process = &call.task.process;
    let flags = &process.flags;
    let no_more = arg3 == 0 && arg4 == 0 && arg5 == 0;
    let flag = |flag: &AtomicBool| Ok(u64::from(flag.load(Ordering::Relaxed)));
    match option {
        PR_SET_NAME => set_name(call, arg2)?,
        PR_GET_NAME => UserSlice::new(arg2, 16)?.write_all(&*call.task.name.lock())?,
        PR_SET_DUMPABLE if arg2 <= 1 => flags.dumpable.store(arg2 as u32, Ordering::Relaxed),
        PR_GET_DUMPABLE => return Ok(u64::from(flags.dumpable.load(Ordering::Relaxed))),
        PR_SET_PDEATHSIG if arg2 <= 64 => flags.parent_death_signal.store(arg2 as u32, Ordering::Relaxed),
        PR_GET_PDEATHSIG => UserPtr::<u32>::new(arg2).write(&flags.parent_death_signal.load(Ordering::Relaxed))?,
        PR_SET_NO_NEW_PRIVS if arg2 == 1 && no_more => flags.no_new_privs.store(true, Ordering::Relaxed),
        PR_GET_NO_NEW_PRIVS if arg2 == 0 && no_more => return flag(&flags.no_new_privs),
        PR_SET_CHILD_SUBREAPER => flags.subreaper.store(arg2 != 0, Ordering::Relaxed),
        PR_GET_CHILD_SUBREAPER => {
            UserPtr::<u32>::new(arg2).write(&u32::from(flags.subreaper.load(Ordering::Relaxed)))?;
        }
        PR_SET_THP_DISABLE if no_more => flags.thp_disable.store(arg2 != 0, Ordering::Relaxed),
        PR_GET_THP_DISABLE if arg2 == 0 && no_more => return flag(&flags.thp_disable),
        PR_GET_TIMERSLACK => return Ok(call.task.timer_slack.now.load(Ordering::Relaxed)),
        PR_SET_TIMERSLACK => {
            let standard = call.task.timer_slack.standard.load(Ordering::Relaxed);
            let slack = if arg2 as i64 <= 0 { standard } else { arg2 };
            call.task.timer_slack.now.store(slack, Ordering::Relaxed);
        }
        PR_GET_KEEPCAPS => return Ok(u64::from(process.ids().secure(SECURE_KEEP_CAPS))),
        PR_SET_KEEPCAPS if arg2 <= 1 => process.change_rights(|ids, _| {
            let others = ids.secure_bits & !SECURE_KEEP_CAPS;
            if ids.secure(SECURE_KEEP_CAPS << 1) {
                return Err(Errno::EPERM);
            }
            ids.secure_bits = others | if arg2 == 1 { SECURE_KEEP_CAPS } else { 0 };
            Ok(())
        })?,
        PR_CAPBSET_READ => return Ok(u64::from(process.ids().bounding & capability(arg2)? != 0)),
        PR_CAPBSET_DROP if !process.credentials().capable(CAP_SETPCAP) => return Err(Errno::EPERM),
        PR_CAPBSET_DROP => process.change_rights(|ids, _| {
            ids.bounding &= !capability(arg2)?;
            Ok(())
        })?,
        PR_CAP_AMBIENT if arg4 == 0 && arg5 == 0 => return ambient(call, arg2, arg3),
        PR_GET_SECUREBITS => return Ok(process.ids().secure_bits.into()),
        PR_GET_SECCOMP => return Ok(call.task.seccomp.mode().into()),
        PR_SET_SECCOMP => return super::seccomp::set_mode(call, arg2, arg3),
        PR_SET_SECUREBITS => process.change_rights(|ids, credentials| {
            let bits = u32::try_from(arg2).map_err(|_| Errno::EPERM)?;
            ids.set_secure_bits(bits, credentials.capable(CAP_SETPCAP))
        })?,
        PR_GET_TIMING => return Ok(PR_TIMING_STATISTICAL),
        PR_SET_TIMING if arg2 == PR_TIMING_STATISTICAL => {}
        PR_GET_TSC => UserPtr::<u32>::new(arg2).write(&PR_TSC_ENABLE)?,
        PR_SET_TSC if arg2 == u64::from(PR_TSC_ENABLE) => {}
        PR_GET_TID_ADDRESS => {
            UserPtr::<u64>::new(arg2).write(&call.task.clear_child_tid.load(Ordering::Relaxed))?;
        }
        PR_TASK_PERF_EVENTS_DISABLE | PR_TASK_PERF_EVENTS_ENABLE => {} // there are none
        PR_GET_SPECULATION_CTRL if !no_more => return Err(Errno::EINVAL),
        // The host decides; what it does is not known.
        PR_GET_SPECULATION_CTRL if arg2 < SPECULATIONS => return Ok(0),
        PR_GET_SPECULATION_CTRL => return Err(Errno::ENODEV),
        PR_SET_MM if !process.credentials().capable(CAP_SYS_RESOURCE) => return Err(Errno::EPERM),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

fn set_name(call: &Call<'_>, from: u64) -> Result<()> {
    let name = read_c_string(from, 15).or_else(|error| match error {
        Errno::ENAMETOOLONG => UserSlice::new(from, 15)?.to_vec(),
        error => Err(error),
    })?;
    let mut padded = [0; 16];
    for (to, from) in padded.iter_mut().zip(&name) {
        *to = *from;
    }
    *call.task.name.lock() = padded;
    Ok(())
}

/// The set that holds one capability.
fn capability(number: u64) -> Result<u64> {
    let set = u32::try_from(number).ok().and_then(|number| 1u64.checked_shl(number)).unwrap_or(0);
    if set & ALL_CAPABILITIES == 0 { Err(Errno::EINVAL) } else { Ok(set) }
}

/// PR_CAP_AMBIENT: the ambient set lies within those of the permitted and the inheritable ones
/// (capabilities(7)).
fn ambient(call: &Call<'_>, operation: u64, number: u64) -> Result<u64> {
    call.task.process.change_rights(|ids, _| {
        if operation == u64::from(PR_CAP_AMBIENT_CLEAR_ALL) {
            if number != 0 {
                return Err(Errno::EINVAL);
            }
            ids.ambient = 0;
            return Ok(0);
        }
        let set = capability(number)?;
        match u32::try_from(operation) {
            Ok(PR_CAP_AMBIENT_IS_SET) => return Ok(u64::from(ids.ambient & set != 0)),
            Ok(PR_CAP_AMBIENT_RAISE) if ids.secure(SECURE_NO_AMBIENT_RAISE) => return Err(Errno::EPERM),
            Ok(PR_CAP_AMBIENT_RAISE) if ids.permitted & ids.inheritable & set == 0 => return Err(Errno::EPERM),
            Ok(PR_CAP_AMBIENT_RAISE) => ids.ambient |= set,
            Ok(PR_CAP_AMBIENT_LOWER) => ids.ambient &= !set,
            _ => return Err(Errno::EINVAL),
        }
        Ok(0)
    })
}
