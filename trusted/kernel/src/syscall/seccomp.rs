//! seccomp(2).

use super::Call;
use crate::seccomp::{self, Seccomp};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::CAP_SYS_ADMIN;
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserSlice};

/// Operations (linux/seccomp.h).
const SET_MODE_STRICT: u32 = 0;
const SET_MODE_FILTER: u32 = 1;
const GET_ACTION_AVAIL: u32 = 2;
/// Flags of SET_MODE_FILTER. There is no log of calls, and speculation is the host's.
const FLAG_TSYNC: u32 = 1;
const FLAG_LOG: u32 = 2;
const FLAG_SPEC_ALLOW: u32 = 4;
const FLAG_TSYNC_ESRCH: u32 = 16;

/// seccomp(2). Nobody can be notified: what Linux 5.0 brought for that does not exist.
pub fn seccomp(call: &mut Call<'_>, operation: u32, flags: u32, args: u64) -> Result<u64> {
    match operation {
        SET_MODE_STRICT if flags == 0 && args == 0 => call.task.seccomp.be_strict().map(|()| 0),
        SET_MODE_FILTER => set_filter(call, flags, args),
        GET_ACTION_AVAIL if flags == 0 => {
            let action = UserPtr::<u32>::new(args).read()?;
            if seccomp::is_known_action(action) { Ok(0) } else { Err(Errno::EOPNOTSUPP) }
        }
        _ => Err(Errno::EINVAL),
    }
}

/// PR_SET_SECCOMP.
///
/// # Errors
/// As seccomp(2).
pub fn set_mode(call: &mut Call<'_>, mode: u64, filter: u64) -> Result<u64> {
    match u32::try_from(mode) {
        Ok(seccomp::MODE_STRICT) => seccomp(call, SET_MODE_STRICT, 0, 0),
        Ok(seccomp::MODE_FILTER) => seccomp(call, SET_MODE_FILTER, 0, filter),
        _ => Err(Errno::EINVAL),
    }
}

fn set_filter(call: &mut Call<'_>, flags: u32, args: u64) -> Result<u64> {
    if flags & !(FLAG_TSYNC | FLAG_LOG | FLAG_SPEC_ALLOW | FLAG_TSYNC_ESRCH) != 0 {
        return Err(Errno::EINVAL);
    }
    let (count, at) = super::socket::program_place(&UserSlice::new(args, 16)?.to_vec()?)?;
    let process = &call.task.process;
    if !process.flags.no_new_privs.load(Ordering::Relaxed) && !process.credentials().capable(CAP_SYS_ADMIN) {
        return Err(Errno::EACCES);
    }
    let program = seccomp::program(&UserSlice::new(at, count * rkt_bpf::INSTRUCTION_LEN)?.to_vec()?)?;
    let own: &Seccomp = &call.task.seccomp;
    let mut others = if flags & FLAG_TSYNC == 0 { Vec::new() } else { process.tasks() };
    others.retain(|other| other.tid != call.task.tid);
    if let Some(stranger) = others.iter().find(|other| !own.descends_from(&other.seccomp)) {
        return if flags & FLAG_TSYNC_ESRCH != 0 { Err(Errno::ESRCH) } else { Ok(stranger.tid as u64) };
    }
    own.add(program)?;
    others.iter().for_each(|other| other.seccomp.inherit(own));
    Ok(0)
}
