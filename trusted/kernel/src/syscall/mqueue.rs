//! POSIX message queues: mq_open(2) and what works on their descriptors.

use super::Call;
use super::abi::{Sigevent, Timespec};
use super::path::install;
use crate::ipc::posix::{self, Attributes, Creation, PRIORITIES, Patience};
use alloc::vec::Vec;
use rkt_linux_abi::general::{
    O_ACCMODE, O_CLOEXEC, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_WRONLY, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserSlice, read_c_string};
use rkt_vfs::OpenFile;

const NAME_MAX: usize = 255;
const SIGNALS: i32 = 64;

/// The name of a queue, which the C library gives without its slash.
fn name(at: u64) -> Result<Vec<u8>> {
    let name = read_c_string(at, NAME_MAX)?;
    match name.as_slice() {
        b"" => Err(Errno::ENOENT),
        b"." | b".." => Err(Errno::EACCES),
        name if name.contains(&b'/') => Err(Errno::EACCES),
        _ => Ok(name),
    }
}

/// mq_open(2).
pub fn mq_open(call: &mut Call<'_>, at: u64, flags: u32, mode: u32, attributes: u64) -> Result<u64> {
    let process = &call.task.process;
    let attributes = UserPtr::<Attributes>::new(attributes).nullable().map(|at| at.read()).transpose()?;
    let name = name(at)?;
    let credentials = process.credentials();
    let create = if flags & O_CREAT != 0 {
        let mode = mode & !process.fs.lock().umask;
        Some(Creation { exclusive: flags & O_EXCL != 0, mode, attributes })
    } else {
        None
    };
    let file = posix::open(&name, flags, &credentials, create)?;
    install(call, file, flags & O_CLOEXEC != 0)
}

/// mq_unlink(2).
pub fn mq_unlink(call: &mut Call<'_>, at: u64) -> Result<u64> {
    posix::unlink(&name(at)?, &call.task.process.credentials()).map(|()| 0)
}

/// How long to wait: `timeout` is the address of a time of the wall clock, or none.
fn patience(file: &OpenFile, timeout: Option<Timespec>) -> Result<Patience> {
    let until = timeout.map(Timespec::to_ns).transpose()?;
    if file.flags() & O_NONBLOCK != 0 {
        return Ok(Patience::None);
    }
    let monotonic = |wall: u64| rkt_platform::now().saturating_add(wall.saturating_sub(rkt_platform::wall()));
    Ok(Patience::Until(until.map(monotonic)))
}

fn time(at: UserPtr<Timespec>) -> Result<Option<Timespec>> {
    let time = at.nullable().map(|at| at.read()).transpose()?;
    // A time that is none is refused before anything else is looked at.
    time.map(Timespec::to_ns).transpose()?;
    Ok(time)
}

/// mq_timedsend(2).
pub fn mq_timedsend(
    call: &mut Call<'_>,
    fd: i32,
    from: u64,
    len: usize,
    priority: u32,
    at: UserPtr<Timespec>,
) -> Result<u64> {
    let timeout = time(at)?;
    if priority >= PRIORITIES {
        return Err(Errno::EINVAL);
    }
    let file = call.task.process.file(fd)?;
    let queue = posix::queue_of(&file)?;
    if file.flags() & O_ACCMODE == O_RDONLY {
        return Err(Errno::EBADF);
    }
    if len > queue.size() {
        return Err(Errno::EMSGSIZE);
    }
    let bytes = UserSlice::new(from, len)?.to_vec()?;
    queue.send(&call.task.process, bytes, priority, patience(&file, timeout)?).map(|()| 0)
}

/// mq_timedreceive(2).
pub fn mq_timedreceive(
    call: &mut Call<'_>,
    fd: i32,
    to: u64,
    len: usize,
    priority: u64,
    at: UserPtr<Timespec>,
) -> Result<u64> {
    let timeout = time(at)?;
    let file = call.task.process.file(fd)?;
    let queue = posix::queue_of(&file)?;
    if file.flags() & O_ACCMODE == O_WRONLY {
        return Err(Errno::EBADF);
    }
    if len < queue.size() {
        return Err(Errno::EMSGSIZE);
    }
    let (of, bytes) = queue.receive(patience(&file, timeout)?)?;
    if let Some(priority) = UserPtr::<u32>::new(priority).nullable() {
        priority.write(&of)?;
    }
    UserSlice::new(to, bytes.len())?.write_all(&bytes)?;
    Ok(bytes.len() as u64)
}

/// mq_notify(2). SIGEV_THREAD, which the C library makes of a netlink socket, does not exist.
pub fn mq_notify(call: &mut Call<'_>, fd: i32, event: u64) -> Result<u64> {
    let process = &call.task.process;
    let event = UserPtr::<Sigevent>::new(event).nullable().map(|at| at.read()).transpose()?;
    let signal = match &event {
        Some(event) if event.notify == SIGEV_SIGNAL && (0..=SIGNALS).contains(&event.signo) => event.signo as u32,
        Some(event) if event.notify == SIGEV_THREAD => return Err(Errno::ENOSYS),
        Some(event) if event.notify != SIGEV_NONE => return Err(Errno::EINVAL),
        _ => 0,
    };
    let file = process.file(fd)?;
    let queue = posix::queue_of(&file)?;
    match event {
        Some(event) => queue.notify(process, signal, event.value)?,
        None => queue.forget(process.pid),
    }
    Ok(0)
}

/// mq_getsetattr(2).
pub fn mq_getsetattr(call: &mut Call<'_>, fd: i32, new: u64, old: u64) -> Result<u64> {
    let new = UserPtr::<Attributes>::new(new).nullable().map(|at| at.read()).transpose()?;
    if new.is_some_and(|new| new.flags & !i64::from(O_NONBLOCK) != 0) {
        return Err(Errno::EINVAL);
    }
    let file = call.task.process.file(fd)?;
    let before = posix::queue_of(&file)?.attributes(file.flags());
    if let Some(new) = new {
        file.set_flags(file.flags() & !O_NONBLOCK | new.flags as u32 & O_NONBLOCK)?;
    }
    if let Some(old) = UserPtr::<Attributes>::new(old).nullable() {
        old.write(&before)?;
    }
    Ok(0)
}
