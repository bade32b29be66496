//! The system as a whole: names, memory, randomness, prctl and its kin.

use super::{Answer, Call, Outcome};
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM};
use rkt_linux_abi::prctl::{
    PR_CAPBSET_DROP, PR_CAPBSET_READ, PR_GET_CHILD_SUBREAPER, PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_GET_NAME,
    PR_GET_NO_NEW_PRIVS, PR_GET_PDEATHSIG, PR_GET_SECCOMP, PR_GET_THP_DISABLE, PR_GET_TIMERSLACK,
    PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG,
    PR_SET_THP_DISABLE, PR_SET_TIMERSLACK, PR_SET_VMA,
};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::USER_END;
use rkt_user::{UserPtr, UserSlice, read_c_string};

/// Release that programs see: the Linux whose behaviour the calls have.
pub const RELEASE: &str = "6.12.0-rkt";
const VERSION: &str = "#1 SMP rkt-io";
/// Bytes of each field of `struct new_utsname`.
const FIELD: usize = 65;

/// uname(2).
pub fn uname(_: &mut Call<'_>, to: u64) -> Result<u64> {
    let manifest = crate::boot::manifest();
    let fields: [&[u8]; 6] =
        [b"Linux", &manifest.hostname, RELEASE.as_bytes(), VERSION.as_bytes(), b"x86_64", b"(none)"];
    let mut bytes = [0; FIELD * 6];
    for (to, from) in bytes.chunks_exact_mut(FIELD).zip(fields) {
        for (to, from) in to.iter_mut().take(FIELD - 1).zip(from) {
            *to = *from;
        }
    }
    UserSlice::new(to, bytes.len())?.write_all(&bytes)?;
    Ok(0)
}

/// sysinfo(2).
pub fn sysinfo(_: &mut Call<'_>, to: u64) -> Result<u64> {
    let memory = rkt_heap::REGION.stats();
    let page = 4096u64;
    let processes = crate::process::all().len() as u64;
    let uptime = rkt_platform::now() / 1_000_000_000;
    // uptime, loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap, procs + pad,
    // totalhigh, freehigh, mem_unit + pad.
    let words = [
        uptime,
        0,
        0,
        0,
        memory.total as u64 * page,
        memory.free as u64 * page,
        0,
        0,
        0,
        0,
        processes & 0xffff,
        0,
        0,
        1,
    ];
    UserPtr::<u64>::new(to).write_array(&words)?;
    Ok(0)
}

/// getrandom(2).
pub fn getrandom(_: &mut Call<'_>, to: u64, len: usize, flags: u32) -> Result<u64> {
    if flags & !(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) != 0
        || flags & (GRND_RANDOM | GRND_INSECURE) == GRND_RANDOM | GRND_INSECURE
    {
        return Err(Errno::EINVAL);
    }
    let len = len.min(i32::MAX as usize & !4095);
    let mut slice = UserSlice::new(to, len)?;
    let mut chunk = [0; 256];
    let mut done = 0;
    while !slice.is_empty() {
        let n = slice.len().min(chunk.len());
        let piece = chunk.get_mut(..n).ok_or(Errno::EFAULT)?;
        rkt_platform::random(piece);
        let written = slice.write(piece);
        done += written as u64;
        if written < n {
            return if done == 0 { Err(Errno::EFAULT) } else { Ok(done) };
        }
        slice = slice.skip(n);
    }
    Ok(done)
}

/// prctl(2).
pub fn prctl(call: &mut Call<'_>, option: u32, arg2: u64, arg3: u64, arg4: u64, arg5: u64) -> Result<u64> {
    let process = &call.task.process;
    let flags = &process.flags;
    let no_more = arg3 == 0 && arg4 == 0 && arg5 == 0;
    match option {
        PR_SET_NAME => {
            let name = read_c_string(arg2, 15).or_else(|error| match error {
                Errno::ENAMETOOLONG => UserSlice::new(arg2, 15)?.to_vec(),
                error => Err(error),
            })?;
            let mut padded = [0; 16];
            for (to, from) in padded.iter_mut().zip(&name) {
                *to = *from;
            }
            *call.task.name.lock() = padded;
        }
        PR_GET_NAME => UserSlice::new(arg2, 16)?.write_all(&*call.task.name.lock())?,
        PR_SET_DUMPABLE if arg2 <= 1 => flags.dumpable.store(arg2 as u32, Ordering::Relaxed),
        PR_GET_DUMPABLE => return Ok(u64::from(flags.dumpable.load(Ordering::Relaxed))),
        PR_SET_PDEATHSIG if arg2 <= 64 => flags.parent_death_signal.store(arg2 as u32, Ordering::Relaxed),
        PR_GET_PDEATHSIG => UserPtr::<u32>::new(arg2).write(&flags.parent_death_signal.load(Ordering::Relaxed))?,
        PR_SET_NO_NEW_PRIVS if arg2 == 1 && no_more => flags.no_new_privs.store(true, Ordering::Relaxed),
        PR_GET_NO_NEW_PRIVS if arg2 == 0 && no_more => {
            return Ok(u64::from(flags.no_new_privs.load(Ordering::Relaxed)));
        }
        PR_SET_CHILD_SUBREAPER => flags.subreaper.store(arg2 != 0, Ordering::Relaxed),
        PR_GET_CHILD_SUBREAPER => {
            UserPtr::<u32>::new(arg2).write(&u32::from(flags.subreaper.load(Ordering::Relaxed)))?;
        }
        PR_SET_THP_DISABLE if no_more => flags.thp_disable.store(arg2 != 0, Ordering::Relaxed),
        PR_GET_THP_DISABLE if arg2 == 0 && no_more => {
            return Ok(u64::from(flags.thp_disable.load(Ordering::Relaxed)));
        }
        // Timers are as exact as the poller; the wish is noted nowhere, as nothing depends on it.
        PR_GET_TIMERSLACK => return Ok(50_000),
        PR_SET_TIMERSLACK => {}
        PR_GET_KEEPCAPS => return Ok(u64::from(process.ids.lock().keep_capabilities)),
        PR_SET_KEEPCAPS if arg2 <= 1 => process.ids.lock().keep_capabilities = arg2 == 1,
        PR_GET_SECCOMP => return Ok(0),
        PR_CAPBSET_READ if arg2 <= 40 => return Ok(1),
        PR_CAPBSET_DROP => return Err(Errno::EPERM),
        PR_SET_VMA => return Err(Errno::EINVAL),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

const ARCH_SET_GS: u32 = 0x1001;
const ARCH_SET_FS: u32 = 0x1002;
const ARCH_GET_FS: u32 = 0x1003;
const ARCH_GET_GS: u32 = 0x1004;

/// arch_prctl(2). GS is the kernel's own; a program that sets it is told that it cannot.
pub fn arch_prctl(_: &mut Call<'_>, code: u32, address: u64) -> Result<u64> {
    match code {
        ARCH_SET_FS if address >= USER_END => Err(Errno::EPERM),
        ARCH_SET_FS => {
            rkt_platform::set_fs_base(address);
            Ok(0)
        }
        ARCH_GET_FS => UserPtr::<u64>::new(address).write(&rkt_platform::fs_base()).map(|()| 0),
        ARCH_GET_GS => UserPtr::<u64>::new(address).write(&0).map(|()| 0),
        ARCH_SET_GS => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// personality(2): only the Linux personality exists.
pub fn personality(_: &mut Call<'_>, persona: u32) -> Result<u64> {
    match persona {
        0 | u32::MAX => Ok(0),
        // Address randomisation off is a wish that is not granted but does no harm to refuse.
        _ => Err(Errno::EINVAL),
    }
}

/// The barriers that one vCPU keeps by running one task at a time: GLOBAL, GLOBAL_EXPEDITED and
/// its registration, PRIVATE_EXPEDITED and its registration (linux/membarrier.h).
const BARRIERS: u32 = 1 | 2 | 4 | 8 | 16;

/// membarrier(2). With several vCPUs there are none, and the query says so.
pub fn membarrier(_: &mut Call<'_>, command: u32, flags: u32, _cpu: i32) -> Result<u64> {
    let known = if rkt_platform::cpus() == 1 { BARRIERS } else { 0 };
    if flags != 0 || command.count_ones() > 1 || command & !known != 0 {
        return Err(Errno::EINVAL);
    }
    core::sync::atomic::fence(Ordering::SeqCst);
    Ok(if command == 0 { u64::from(known) } else { 0 })
}

/// sethostname(2), setdomainname(2): the manifest fixes the name.
pub fn sethostname(_: &mut Call<'_>, _name: u64, _len: usize) -> Result<u64> {
    Err(Errno::EPERM)
}

/// syslog(2): there is no kernel log to read in here.
pub fn syslog(_: &mut Call<'_>, _kind: u32, _buf: u64, _len: i32) -> Result<u64> {
    Err(Errno::EPERM)
}

/// restart_syscall(2): restarts go through the registers, never through this call.
pub fn restart_syscall(_: &mut Call<'_>) -> Answer {
    Err(Errno::EINTR)
}

/// A call that takes effect by doing nothing: the memory is all there, nothing is cached.
pub fn nothing(_: &mut Call<'_>) -> Answer {
    Ok(Outcome::Value(0))
}
