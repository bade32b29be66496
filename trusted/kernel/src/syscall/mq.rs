//! POSIX message queues.

use super::Call;
use super::abi::{Sigevent, Timespec};
use super::path::{install, read_path};
use super::time::{Clock, deadline_at};
use crate::ipc::posix_queue::{self as queue, Attributes, COOKIE_LEN, Manner, Message, Notification, PRIORITIES};
use crate::signal::SIGNAL_MAX;
use crate::socket::SocketFile;
use alloc::sync::Arc;
use rkt_linux_abi::general::{O_CREAT, O_NONBLOCK, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserSlice};
use rkt_vfs::OpenFile;

/// mq_open(2): the descriptor is always closed by execve.
pub fn mq_open(call: &mut Call<'_>, name: u64, flags: u32, mode: u32, attributes: u64) -> Result<u64> {
    let attributes = UserPtr::<Attributes>::new(attributes).nullable().filter(|_| flags & O_CREAT != 0);
    let attributes = attributes.map(|pointer| pointer.read()).transpose()?;
    let name = read_path(name)?;
    install(call, queue::open(&call.task.process, &name, flags, mode, attributes)?, true)
}

/// mq_unlink(2).
pub fn mq_unlink(call: &mut Call<'_>, name: u64) -> Result<u64> {
    queue::unlink(&call.task.process.credentials(), &read_path(name)?)?;
    Ok(0)
}

/// A time of the wall clock; none if the pointer is null.
fn deadline(timeout: u64) -> Result<Option<u64>> {
    let Some(pointer) = UserPtr::<Timespec>::new(timeout).nullable() else { return Ok(None) };
    let time = pointer.read()?.to_ns()?;
    Ok(Some(deadline_at(Clock::Realtime, time)))
}

/// mq_timedsend(2).
pub fn mq_timedsend(call: &mut Call<'_>, fd: i32, text: u64, len: usize, priority: u32, timeout: u64) -> Result<u64> {
    let deadline = deadline(timeout)?;
    if priority >= PRIORITIES {
        return Err(Errno::EINVAL);
    }
    let process = &call.task.process;
    let file = process.file(fd)?;
    let queue = queue::of(&file)?;
    if !file.writable() {
        return Err(Errno::EBADF);
    }
    if len > queue.message_size() {
        return Err(Errno::EMSGSIZE);
    }
    let bytes = UserSlice::new(text, len)?.to_vec()?;
    queue.send(process, Message { priority, bytes }, !file.nonblocking(), deadline)?;
    Ok(0)
}

/// mq_timedreceive(2).
pub fn mq_timedreceive(call: &mut Call<'_>, fd: i32, to: u64, len: usize, priority: u64, timeout: u64) -> Result<u64> {
    let deadline = deadline(timeout)?;
    let file = call.task.process.file(fd)?;
    let queue = queue::of(&file)?;
    if !file.readable() {
        return Err(Errno::EBADF);
    }
    if len < queue.message_size() {
        return Err(Errno::EMSGSIZE);
    }
    let message = queue.receive(!file.nonblocking(), deadline)?;
    UserPtr::<u32>::new(priority).write_nullable(&message.priority)?;
    UserSlice::new(to, message.bytes.len())?.write_all(&message.bytes)?;
    Ok(message.bytes.len() as u64)
}

/// What a `struct sigevent` asks for. For a thread (`SIGEV_THREAD`) the C library says which
/// bytes it wants to read from which netlink socket, in place of the value and the signal.
fn notification(call: &Call<'_>, event: &Sigevent) -> Result<Notification> {
    let manner = match event.notify {
        SIGEV_NONE => Manner::Nothing,
        SIGEV_SIGNAL => {
            let number = u32::try_from(event.signo).ok().filter(|&n| n <= SIGNAL_MAX).ok_or(Errno::EINVAL)?;
            Manner::Signal { number, value: event.value }
        }
        SIGEV_THREAD => {
            let cookie = UserPtr::<[u8; COOKIE_LEN]>::new(event.value).read()?;
            let file = call.task.process.file(event.signo)?;
            let socket = SocketFile::of(&file)?.clone();
            rkt_net::check_netlink(&*socket)?;
            Manner::Thread { socket, cookie }
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok(Notification { process: Arc::downgrade(&call.task.process), manner })
}

/// mq_notify(2).
pub fn mq_notify(call: &mut Call<'_>, fd: i32, event: UserPtr<Sigevent>) -> Result<u64> {
    let event = event.nullable().map(|pointer| pointer.read()).transpose()?;
    let wanted = event.map(|event| notification(call, &event)).transpose()?;
    let process = &call.task.process;
    let file = process.file(fd)?;
    queue::of(&file)?.notify(process, wanted)?;
    Ok(0)
}

fn attributes(file: &OpenFile) -> Result<Attributes> {
    let flags = i64::from(file.flags() & O_NONBLOCK);
    let mut attributes = queue::of(file)?.attributes();
    attributes.flags = flags;
    Ok(attributes)
}

/// mq_getsetattr(2).
pub fn mq_getsetattr(call: &mut Call<'_>, fd: i32, new: u64, old: u64) -> Result<u64> {
    let new = UserPtr::<Attributes>::new(new).nullable().map(|pointer| pointer.read()).transpose()?;
    if new.is_some_and(|new| new.flags & !i64::from(O_NONBLOCK) != 0) {
        return Err(Errno::EINVAL);
    }
    let file = call.task.process.file(fd)?;
    let before = attributes(&file)?;
    if let Some(new) = new {
        file.set_flags(file.flags() & !O_NONBLOCK | new.flags as u32)?;
    }
    UserPtr::<Attributes>::new(old).write_nullable(&before)?;
    Ok(0)
}
