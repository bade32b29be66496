//! The system as a whole: names, memory, randomness, prctl and its kin.

use super::{Answer, Call};
use crate::node_name::{NAME_MAX, Name};
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{CAP_SYS_ADMIN, GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::USER_END;
use rkt_user::{UserPtr, UserSlice};

/// Release that programs see: the Linux whose behaviour the calls have.
pub const RELEASE: &str = "6.12.0-rkt";
const VERSION: &str = "#1 SMP rkt-io";
/// Bytes of each field of `struct new_utsname`.
const FIELD: usize = 65;

/// uname(2).
pub fn uname(_: &mut Call<'_>, to: u64) -> Result<u64> {
    let (host, domain) = (Name::Host.get(), Name::Domain.get());
    let fields: [&[u8]; 6] = [b"Linux", &host, RELEASE.as_bytes(), VERSION.as_bytes(), b"x86_64", &domain];
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
    let uptime = rkt_platform::now().div_ceil(1_000_000_000);
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

/// personality(2): kept and inherited; execution domains beside Linux' own change nothing.
pub fn personality(call: &mut Call<'_>, persona: u32) -> Result<u64> {
    let kept = &call.task.process.flags.personality;
    let before = kept.load(Ordering::Relaxed);
    if persona != u32::MAX {
        kept.store(persona, Ordering::Relaxed);
    }
    Ok(before.into())
}

/// sethostname(2).
pub fn sethostname(call: &mut Call<'_>, name: u64, len: i32) -> Result<u64> {
    set_name(call, Name::Host, name, len)
}

/// setdomainname(2).
pub fn setdomainname(call: &mut Call<'_>, name: u64, len: i32) -> Result<u64> {
    set_name(call, Name::Domain, name, len)
}

fn set_name(call: &Call<'_>, which: Name, name: u64, len: i32) -> Result<u64> {
    if !call.task.process.credentials().capable(CAP_SYS_ADMIN) {
        return Err(Errno::EPERM);
    }
    let len = usize::try_from(len).ok().filter(|&len| len <= NAME_MAX).ok_or(Errno::EINVAL)?;
    which.set(&UserSlice::new(name, len)?.to_vec()?)?;
    Ok(0)
}

/// syslog(2): there is no kernel log to read in here.
pub fn syslog(_: &mut Call<'_>, _kind: u32, _buf: u64, _len: i32) -> Result<u64> {
    Err(Errno::EPERM)
}

/// restart_syscall(2): restarts go through the registers, never through this call.
pub fn restart_syscall(_: &mut Call<'_>) -> Answer {
    Err(Errno::EINTR)
}
