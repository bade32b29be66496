//! What a process may see and change of another: process_vm_readv(2), process_vm_writev(2),
//! process_madvise(2), kcmp(2).

use super::Call;
use super::read_write::iovec;
use crate::mm::Mm;
use crate::pidfd::PidFd;
use crate::process::{self, Process};
use crate::task::Task;
use alloc::sync::Arc;
use alloc::vec;
use core::cmp::Ordering as Order;
use rkt_linux_abi::general::{CAP_SYS_NICE, MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSink, IoSource, UserPtr, UserSlice};

/// Bytes that are carried over at once.
const CHUNK: usize = 64 << 10;
/// UIO_MAXIOV (readv(2)).
const IOV_MAX: usize = 1024;

/// The ranges of the other process; they are checked when they are used.
fn remote_ranges(address: u64, count: usize) -> Result<vec::Vec<(u64, usize)>> {
    if count > IOV_MAX {
        return Err(Errno::EINVAL);
    }
    let words = UserPtr::<u64>::new(address).read_array(2 * count)?;
    let pairs = words.chunks_exact(2).map(|pair| match *pair {
        [base, len] if len <= isize::MAX as u64 => Ok((base, len as usize)),
        _ => Err(Errno::EINVAL),
    });
    pairs.collect()
}

/// The memory of a process that the caller may look into.
fn memory_of(call: &Call<'_>, pid: i32) -> Result<Arc<Mm>> {
    let process = process::find_task(pid).ok_or(Errno::ESRCH)?.process.clone();
    if !process.may_be_inspected_by(&call.task.process) {
        return Err(Errno::EPERM);
    }
    Ok(process.mm())
}

/// Carries chunks over until `carry` copies less than a whole one; gives the number of bytes.
fn each_chunk(
    ranges: &[(u64, usize)],
    mut limit: usize,
    mut carry: impl FnMut(u64, usize) -> Result<usize>,
) -> Result<u64> {
    let mut done = 0;
    for &(base, len) in ranges {
        let mut at = 0;
        while at < len && limit > 0 {
            let n = (len - at).min(CHUNK).min(limit);
            let copied = match carry(base.saturating_add(at as u64), n) {
                Ok(copied) => copied,
                Err(error) if done == 0 => return Err(error),
                Err(_) => 0,
            };
            done += copied as u64;
            if copied < n {
                return if done == 0 { Err(Errno::EFAULT) } else { Ok(done) };
            }
            at += n;
            limit -= n;
        }
    }
    Ok(done)
}

/// process_vm_readv(2).
pub fn process_vm_readv(
    call: &mut Call<'_>,
    pid: i32,
    local: u64,
    locals: usize,
    remote: u64,
    remotes: usize,
    flags: u64,
) -> Result<u64> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let mut into = IoSink::ranges(iovec(local, locals)?);
    if into.is_full() {
        return Ok(0);
    }
    let ranges = remote_ranges(remote, remotes)?;
    if ranges.iter().all(|&(_, len)| len == 0) {
        return Ok(0);
    }
    let mm = memory_of(call, pid)?;
    let mut buffer = vec![0; CHUNK];
    let limit = into.remaining();
    each_chunk(&ranges, limit, |at, n| {
        let from = UserSlice::new(at, n)?;
        let piece = buffer.get_mut(..n).ok_or(Errno::EFAULT)?;
        let read = mm.visit(at, n, || from.read(piece))?;
        into.put(piece.get(..read).unwrap_or(&[]))
    })
}

/// process_vm_writev(2).
pub fn process_vm_writev(
    call: &mut Call<'_>,
    pid: i32,
    local: u64,
    locals: usize,
    remote: u64,
    remotes: usize,
    flags: u64,
) -> Result<u64> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let mut from = IoSource::ranges(iovec(local, locals)?);
    if from.is_full() {
        return Ok(0);
    }
    let ranges = remote_ranges(remote, remotes)?;
    if ranges.iter().all(|&(_, len)| len == 0) {
        return Ok(0);
    }
    let mm = memory_of(call, pid)?;
    let mut buffer = vec![0; CHUNK];
    let limit = from.remaining();
    each_chunk(&ranges, limit, |at, n| {
        let to = UserSlice::new(at, n)?;
        let taken = from.take(buffer.get_mut(..n).ok_or(Errno::EFAULT)?)?;
        let piece = buffer.get(..taken).unwrap_or(&[]);
        mm.visit(at, n, || to.write(piece))
    })
}

/// process_madvise(2): of another process only what changes no content.
pub fn process_madvise(
    call: &mut Call<'_>,
    fd: i32,
    ranges: u64,
    count: usize,
    advice: u32,
    flags: u32,
) -> Result<u64> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let ranges = remote_ranges(ranges, count)?;
    let file = super::fd::usable(call, fd)?;
    let target = file.ops_as::<PidFd>().ok_or(Errno::EBADF)?.process().ok_or(Errno::ESRCH)?;
    if !target.may_be_inspected_by(&call.task.process) {
        return Err(Errno::EPERM);
    }
    let mm = target.mm();
    if !Arc::ptr_eq(&mm, &call.task.process.mm()) {
        if !matches!(advice, MADV_COLD | MADV_PAGEOUT | MADV_WILLNEED) {
            return Err(Errno::EINVAL);
        }
        if !call.task.process.credentials().capable(CAP_SYS_NICE) {
            return Err(Errno::EPERM);
        }
    }
    let mut done = 0;
    for (base, len) in ranges {
        match mm.advise(base, len as u64, advice) {
            Ok(()) => done += len as u64,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}

const KCMP_FILE: i32 = 0;
const KCMP_VM: i32 = 1;
const KCMP_FILES: i32 = 2;
const KCMP_FS: i32 = 3;
const KCMP_SIGHAND: i32 = 4;
const KCMP_IO: i32 = 5;
const KCMP_SYSVSEM: i32 = 6;

/// The order of two things as kcmp(2) gives it.
fn order<T: ?Sized>(one: &Arc<T>, other: &Arc<T>) -> u64 {
    match Arc::as_ptr(one).cast::<()>().cmp(&Arc::as_ptr(other).cast()) {
        Order::Equal => 0,
        Order::Less => 1,
        Order::Greater => 2,
    }
}

/// kcmp(2).
pub fn kcmp(call: &mut Call<'_>, one: i32, other: i32, kind: i32, fd1: u64, fd2: u64) -> Result<u64> {
    let task = |tid| process::find_task(tid).ok_or(Errno::ESRCH);
    let (one, other): (Arc<Task>, Arc<Task>) = (task(one)?, task(other)?);
    let (p, q): (&Arc<Process>, &Arc<Process>) = (&one.process, &other.process);
    if ![p, q].iter().all(|process| process.may_be_inspected_by(&call.task.process)) {
        return Err(Errno::EPERM);
    }
    match kind {
        KCMP_FILE => {
            let file = |process: &Process, fd: u64| process.file(i32::try_from(fd).map_err(|_| Errno::EBADF)?);
            Ok(order(&file(p, fd1)?, &file(q, fd2)?))
        }
        KCMP_VM => Ok(order(&p.mm(), &q.mm())),
        KCMP_FILES => Ok(order(&p.files(), &q.files())),
        KCMP_FS if p.shares_place_with(q) => Ok(0),
        KCMP_SIGHAND => Ok(order(&p.signals.table(), &q.signals.table())),
        // Processes that have nothing to undo have the same: nothing (semop(2), SEM_UNDO).
        KCMP_SYSVSEM if p.semaphore_undo.lock().is_empty() && q.semaphore_undo.lock().is_empty() => Ok(0),
        KCMP_FS | KCMP_SYSVSEM => Ok(order(p, q)),
        // A context of I/O scheduling belongs to a task.
        KCMP_IO => Ok(order(&one, &other)),
        _ => Err(Errno::EINVAL),
    }
}
