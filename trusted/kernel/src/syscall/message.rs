//! Messages of sockets: `struct msghdr` and what travels beside the bytes (cmsg(3)).

use super::Call;
use super::abi::Timespec;
use super::path::install;
use super::read_write::{IOV_MAX, MAX_RW_COUNT, iovec};
use super::socket::{ADDRESS_MAX, put_address, read_address, send, socket_of};
use crate::socket::{from_right, to_right};
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN};
use rkt_linux_abi::net::{MSG_CMSG_CLOEXEC, MSG_CTRUNC, MSG_DONTWAIT, SCM_CREDENTIALS, SCM_RIGHTS, SOL_SOCKET};
use rkt_linux_abi::{Errno, Result};
use rkt_net::{Ancillary, Control, Credentials, Outgoing, Socket};
use rkt_user::{IoSink, IoSource, UserPtr, UserSlice};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `struct user_msghdr` of x86-64.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct MsgHdr {
    name: u64,
    name_len: i32,
    pad0: u32,
    iov: u64,
    iov_len: usize,
    control: u64,
    control_len: usize,
    flags: u32,
    pad1: u32,
}

/// Bytes of `struct cmsghdr`.
const CMSG_HEAD: usize = 16;
/// Most bytes of control messages: net.core.optmem_max.
const CONTROL_MAX: usize = 128 << 10;
/// Most open files in one message: SCM_MAX_FD.
const RIGHTS_MAX: usize = 253;
/// MSG_WAITFORONE of linux/socket.h.
const MSG_WAITFORONE: u32 = 0x10000;
/// Bytes of `struct mmsghdr`, and where in it the length lies.
const MMSGHDR_LEN: u64 = 64;
const MMSG_LEN: u64 = 56;

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_ne_bytes).ok_or(Errno::EINVAL)
}

/// The sender may give itself out as somebody else only with the capabilities for it (unix(7)).
fn check_credentials(call: &Call<'_>, of: Credentials) -> Result<Credentials> {
    let process = &call.task.process;
    let own = process.credentials();
    let good = (of.pid == process.pid as u32 || own.capable(CAP_SYS_ADMIN))
        && (of.uid == own.uid || own.capable(CAP_SETUID))
        && (of.gid == own.gid || own.capable(CAP_SETGID));
    if !good {
        return Err(Errno::EPERM);
    }
    let exists = of.pid == process.pid as u32 || crate::process::find(of.pid as i32).is_some();
    if exists { Ok(of) } else { Err(Errno::ESRCH) }
}

/// Reads control messages: those of local sockets, and those of other levels, which the socket looks at.
fn read_control(call: &Call<'_>, header: &MsgHdr) -> Result<(Ancillary, Vec<Control>)> {
    let (mut ancillary, mut controls) = (Ancillary::default(), Vec::new());
    if header.control_len == 0 {
        return Ok((ancillary, controls));
    }
    if header.control_len > CONTROL_MAX {
        return Err(Errno::ENOBUFS);
    }
    let bytes = UserSlice::new(header.control, header.control_len)?.to_vec()?;
    let mut rest = bytes.as_slice();
    while rest.len() >= CMSG_HEAD {
        let len = word(rest, 0)? as usize | (word(rest, 4)? as usize) << 32;
        let data = rest.get(CMSG_HEAD..len).ok_or(Errno::EINVAL)?;
        let (level, kind) = (word(rest, 8)?, word(rest, 12)?);
        if level == SOL_SOCKET {
            match kind {
                SCM_RIGHTS => read_rights(call, data, &mut ancillary)?,
                SCM_CREDENTIALS if data.len() == 12 => {
                    let of = Credentials { pid: word(data, 0)?, uid: word(data, 4)?, gid: word(data, 8)? };
                    ancillary.credentials = Some(check_credentials(call, of)?);
                }
                _ => return Err(Errno::EINVAL),
            }
        } else {
            controls.push(Control { level, kind, data: data.to_vec() });
        }
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or(&[]);
    }
    Ok((ancillary, controls))
}

fn read_rights(call: &Call<'_>, data: &[u8], into: &mut Ancillary) -> Result<()> {
    let table = call.task.process.files();
    for fd in data.chunks_exact(4) {
        if into.rights.len() >= RIGHTS_MAX {
            return Err(Errno::EINVAL);
        }
        into.rights.push(to_right(table.get(word(fd, 0)? as i32)?));
    }
    Ok(())
}

fn cmsg(level: u32, kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CMSG_HEAD + data.len());
    bytes.extend_from_slice(&(CMSG_HEAD + data.len()).to_ne_bytes());
    bytes.extend_from_slice(&level.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(data);
    bytes
}

/// Where control messages are stored one after the other.
struct ControlBuffer {
    left: UserSlice,
    truncated: bool,
}

impl ControlBuffer {
    /// Stores what there is room for, padded to where the next one starts if there is room; where there is none for the
    /// head, nothing (put_cmsg of Linux).
    fn put(&mut self, mut message: Vec<u8>) -> Result<()> {
        let room = self.left.len();
        if room < message.len() {
            self.truncated = true;
            if room < CMSG_HEAD {
                return Ok(());
            }
            message.truncate(room);
            if let Some(len) = message.first_chunk_mut() {
                *len = room.to_ne_bytes();
            }
        }
        self.left.limit(message.len()).write_all(&message)?;
        self.left = self.left.skip(message.len().next_multiple_of(8));
        Ok(())
    }

    fn put_rights(
        &mut self,
        call: &Call<'_>,
        rights: Vec<Arc<dyn core::any::Any + Send + Sync>>,
        cloexec: bool,
    ) -> Result<()> {
        let fits = self.left.len().saturating_sub(CMSG_HEAD) / 4;
        let wanted = rights.len();
        let mut numbers = Vec::new();
        for file in rights.into_iter().take(fits).filter_map(from_right) {
            match install(call, file, cloexec) {
                Ok(fd) => numbers.extend_from_slice(&(fd as i32).to_ne_bytes()),
                Err(_) => break,
            }
        }
        if numbers.len() < wanted * 4 {
            self.truncated = true;
        }
        if numbers.is_empty() { Ok(()) } else { self.put(cmsg(SOL_SOCKET, SCM_RIGHTS, &numbers)) }
    }
}

/// A flag that stands for the layout of other programs is not for the caller to set.
fn check_flags(flags: u32) -> Result<()> {
    /// MSG_CMSG_COMPAT of linux/socket.h.
    const COMPAT: u32 = 0x8000_0000;
    if flags & COMPAT != 0 { Err(Errno::EINVAL) } else { Ok(()) }
}

fn send_message(call: &Call<'_>, fd: i32, address: u64, flags: u32) -> Result<u64> {
    let (file, socket) = socket_of(call, fd)?;
    check_flags(flags)?;
    let header = UserPtr::<MsgHdr>::new(address).read()?;
    if header.name != 0 && header.name_len < 0 {
        return Err(Errno::EINVAL);
    }
    let to = match header.name {
        0 => None,
        name if header.name_len > 0 => Some(read_address(name, header.name_len.min(ADDRESS_MAX as i32))?),
        _ => None,
    };
    if header.iov_len > IOV_MAX {
        return Err(Errno::EMSGSIZE);
    }
    let mut source = IoSource::ranges(iovec(header.iov, header.iov_len)?);
    source.limit(MAX_RW_COUNT);
    let (ancillary, controls) = read_control(call, &header)?;
    let mut message = Outgoing { to: to.as_ref(), flags, nonblocking: file.nonblocking(), ancillary, controls };
    send(call, &socket, &mut source, &mut message)
}

/// Receives one message into the `struct msghdr` at this address.
fn receive_message(
    call: &Call<'_>,
    socket: &Arc<dyn Socket>,
    nonblocking: bool,
    address: u64,
    flags: u32,
) -> Result<u64> {
    let pointer = UserPtr::<MsgHdr>::new(address);
    check_flags(flags)?;
    let mut header = pointer.read()?;
    if header.name != 0 && header.name_len < 0 {
        return Err(Errno::EINVAL);
    }
    if header.iov_len > IOV_MAX {
        return Err(Errno::EMSGSIZE);
    }
    let mut sink = IoSink::ranges(iovec(header.iov, header.iov_len)?);
    sink.limit(MAX_RW_COUNT);
    let received = socket.receive(&mut sink, flags & !MSG_CMSG_CLOEXEC, nonblocking)?;
    let name_len = match &received.from {
        Some(from) if header.name != 0 => put_address(from, header.name, header.name_len as usize)?,
        _ => 0,
    };
    let room = if header.control == 0 { 0 } else { header.control_len };
    let all = UserSlice::new(header.control, room)?;
    let mut control = ControlBuffer { left: all, truncated: false };
    if let Some(of) = received.ancillary.credentials {
        control.put(cmsg(SOL_SOCKET, SCM_CREDENTIALS, &of.encode()))?;
    }
    for Control { level, kind, data } in &received.controls {
        control.put(cmsg(*level, *kind, data))?;
    }
    if !received.ancillary.rights.is_empty() {
        control.put_rights(call, received.ancillary.rights, flags & MSG_CMSG_CLOEXEC != 0)?;
    }
    if header.name != 0 {
        header.name_len = name_len as i32;
    }
    header.control_len = room - control.left.len();
    let truncated = if control.truncated { MSG_CTRUNC } else { 0 };
    header.flags = received.flags | truncated | flags & MSG_CMSG_CLOEXEC;
    pointer.write(&header)?;
    Ok(received.len as u64)
}

/// sendmsg(2).
pub fn sendmsg(call: &mut Call<'_>, fd: i32, message: u64, flags: u32) -> Result<u64> {
    send_message(call, fd, message, flags)
}

/// recvmsg(2).
pub fn recvmsg(call: &mut Call<'_>, fd: i32, message: u64, flags: u32) -> Result<u64> {
    let (file, socket) = socket_of(call, fd)?;
    receive_message(call, &socket, file.nonblocking(), message, flags)
}

/// Calls `one` for messages of an array until it fails; an error counts only for the first.
fn each(messages: u64, count: u32, mut one: impl FnMut(u64, usize) -> Result<Option<u64>>) -> Result<u64> {
    let count = (count as usize).min(IOV_MAX);
    for n in 0..count {
        let offset = MMSGHDR_LEN * n as u64;
        let at = messages.checked_add(offset).ok_or(Errno::EFAULT)?;
        match one(at, n) {
            Ok(Some(len)) => UserPtr::<u32>::new(at + MMSG_LEN).write(&(len as u32))?,
            Ok(None) => return Ok(n as u64),
            Err(error) if n == 0 => return Err(error),
            Err(_) => return Ok(n as u64),
        }
    }
    Ok(count as u64)
}

/// sendmmsg(2).
pub fn sendmmsg(call: &mut Call<'_>, fd: i32, messages: u64, count: u32, flags: u32) -> Result<u64> {
    socket_of(call, fd)?;
    each(messages, count, |at, _| send_message(call, fd, at, flags).map(Some))
}

/// recvmmsg(2). As in Linux the timeout is looked at between messages only.
pub fn recvmmsg(call: &mut Call<'_>, fd: i32, messages: u64, count: u32, flags: u32, timeout: u64) -> Result<u64> {
    let pointer = UserPtr::<Timespec>::new(timeout).nullable();
    let deadline = match pointer {
        Some(pointer) => Some(rkt_platform::now().saturating_add(pointer.read()?.to_ns()?)),
        None => None,
    };
    let (file, socket) = socket_of(call, fd)?;
    let mut flags = flags;
    let result = each(messages, count, |at, n| {
        if n > 0 && deadline.is_some_and(|deadline| deadline <= rkt_platform::now()) {
            return Ok(None);
        }
        let len = receive_message(call, &socket, file.nonblocking(), at, flags & !MSG_WAITFORONE)?;
        if flags & MSG_WAITFORONE != 0 {
            flags |= MSG_DONTWAIT;
        }
        Ok(Some(len))
    });
    if let (Some(pointer), Some(deadline)) = (pointer, deadline) {
        let left = deadline.saturating_sub(rkt_platform::now());
        pointer.write(&Timespec::from_ns(left))?;
    }
    result
}
