//! The calls of sockets.

use super::Call;
use super::fd::usable;
use super::path::install;
use super::read_write::MAX_RW_COUNT;
use crate::signal::{self, Info};
use crate::socket::SocketFile;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{O_CLOEXEC, O_NONBLOCK, SIGPIPE};
use rkt_linux_abi::net::{MSG_NOSIGNAL, SO_ATTACH_FILTER, SOL_IPV6, SOL_SOCKET};
use rkt_linux_abi::{Errno, Result};
use rkt_net::{Address, NetStack, Outgoing, Shutdown, Socket};
use rkt_user::{IoSink, IoSource, UserPtr, UserSlice};
use rkt_vfs::OpenFile;

/// Bytes of the longest address that is taken: `struct sockaddr_storage`.
pub(super) const ADDRESS_MAX: usize = 128;
/// Bits of a socket's type that are flags of its descriptor: SOCK_NONBLOCK and SOCK_CLOEXEC have
/// the values of O_NONBLOCK and O_CLOEXEC.
const DESCRIPTOR_FLAGS: u32 = O_NONBLOCK | O_CLOEXEC;
/// SOCK_TYPE_MASK of linux/net.h.
const TYPE_MASK: u32 = 0xf;
/// SOL_PACKET of linux/socket.h.
const SOL_PACKET: u32 = 263;

fn net() -> Result<&'static Arc<NetStack>> {
    crate::devices::net().ok_or(Errno::EAFNOSUPPORT)
}

/// The socket with this number, and its open file.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`.
pub(super) fn socket_of(call: &Call<'_>, fd: i32) -> Result<(Arc<OpenFile>, Arc<dyn Socket>)> {
    let file = usable(call, fd)?;
    let socket = SocketFile::of(&file)?.clone();
    Ok((file, socket))
}

fn check_type(kind: u32) -> Result<()> {
    if kind & !(TYPE_MASK | DESCRIPTOR_FLAGS) != 0 { Err(Errno::EINVAL) } else { Ok(()) }
}

/// socket(2).
pub fn socket(call: &mut Call<'_>, family: u32, kind: u32, protocol: u32) -> Result<u64> {
    check_type(kind)?;
    let socket = net()?.socket(family, kind, protocol)?;
    install(call, SocketFile::open(socket, kind), kind & O_CLOEXEC != 0)
}

/// socketpair(2).
pub fn socketpair(call: &mut Call<'_>, family: u32, kind: u32, protocol: u32, to: u64) -> Result<u64> {
    check_type(kind)?;
    let (first, second) = net()?.socketpair(family, kind, protocol)?;
    let pair = [SocketFile::open(first, kind), SocketFile::open(second, kind)];
    super::events::install_pair(call, pair, kind & O_CLOEXEC != 0, to)
}

/// Copies an address in.
///
/// # Errors
/// `EINVAL` for a length that no address has, `EFAULT`.
pub(super) fn read_address(address: u64, len: i32) -> Result<Address> {
    let len = usize::try_from(len).ok().filter(|&len| len <= ADDRESS_MAX).ok_or(Errno::EINVAL)?;
    let mut bytes = [0; ADDRESS_MAX];
    let bytes = bytes.get_mut(..len).ok_or(Errno::EINVAL)?;
    if UserSlice::new(address, len)?.read(bytes) < len {
        return Err(Errno::EFAULT);
    }
    Ok(Address::parse(bytes))
}

/// Copies as much of an address out as there is room for; gives its full length.
pub(super) fn put_address(address: &Address, to: u64, room: usize) -> Result<u32> {
    let bytes = address.encode();
    let stored = bytes.get(..room).unwrap_or(&bytes);
    UserSlice::new(to, stored.len())?.write_all(stored)?;
    Ok(bytes.len() as u32)
}

/// Stores an address and its length, which tells the room before.
fn give_address(address: &Address, to: u64, len: u64) -> Result<()> {
    let len = UserPtr::<i32>::new(len);
    let room = usize::try_from(len.read()?).map_err(|_| Errno::EINVAL)?;
    len.write(&(put_address(address, to, room)? as i32))
}

/// bind(2).
pub fn bind(call: &mut Call<'_>, fd: i32, address: u64, len: i32) -> Result<u64> {
    let (_, socket) = socket_of(call, fd)?;
    socket.bind(&read_address(address, len)?)?;
    Ok(0)
}

/// listen(2).
pub fn listen(call: &mut Call<'_>, fd: i32, backlog: i32) -> Result<u64> {
    socket_of(call, fd)?.1.listen(backlog)?;
    Ok(0)
}

/// accept4(2).
pub fn accept4(call: &mut Call<'_>, fd: i32, address: u64, len: u64, flags: u32) -> Result<u64> {
    let file = usable(call, fd)?;
    if flags & !DESCRIPTOR_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    // Linux takes a number for the descriptor before it looks at the socket.
    super::path::check_room(call)?;
    let socket = SocketFile::of(&file)?.clone();
    let (accepted, peer) = socket.accept(file.nonblocking())?;
    if address != 0 {
        give_address(&peer, address, len)?;
    }
    install(call, SocketFile::open(accepted, flags), flags & O_CLOEXEC != 0)
}

/// accept(2).
pub fn accept(call: &mut Call<'_>, fd: i32, address: u64, len: u64) -> Result<u64> {
    accept4(call, fd, address, len, 0)
}

/// connect(2).
pub fn connect(call: &mut Call<'_>, fd: i32, address: u64, len: i32) -> Result<u64> {
    let (file, socket) = socket_of(call, fd)?;
    socket.connect(&read_address(address, len)?, file.nonblocking())?;
    Ok(0)
}

/// getsockname(2).
pub fn getsockname(call: &mut Call<'_>, fd: i32, address: u64, len: u64) -> Result<u64> {
    let (_, socket) = socket_of(call, fd)?;
    give_address(&socket.local_address(), address, len)?;
    Ok(0)
}

/// getpeername(2).
pub fn getpeername(call: &mut Call<'_>, fd: i32, address: u64, len: u64) -> Result<u64> {
    let (_, socket) = socket_of(call, fd)?;
    give_address(&socket.peer_address()?, address, len)?;
    Ok(0)
}

/// Sends; a stream's peer that has gone is a signal, too, unless `MSG_NOSIGNAL` says that it is not.
pub(super) fn send(
    call: &Call<'_>,
    socket: &Arc<dyn Socket>,
    source: &mut IoSource<'_>,
    message: &mut Outgoing<'_>,
) -> Result<u64> {
    let result = socket.send(source, message);
    if result == Err(Errno::EPIPE) && message.flags & MSG_NOSIGNAL == 0 && socket.is_stream() {
        signal::send_to_task(call.task, Info::kernel(SIGPIPE));
    }
    result.map(|n| n as u64)
}

/// sendto(2).
pub fn sendto(call: &mut Call<'_>, fd: i32, buf: u64, count: usize, flags: u32, address: u64, len: i32) -> Result<u64> {
    let (file, socket) = socket_of(call, fd)?;
    let to = if address == 0 { None } else { Some(read_address(address, len)?) };
    let mut source = IoSource::user(UserSlice::new(buf, count.min(MAX_RW_COUNT))?);
    let nonblocking = file.nonblocking();
    let mut message = Outgoing { to: to.as_ref(), flags, nonblocking, ..Outgoing::default() };
    send(call, &socket, &mut source, &mut message)
}

/// recvfrom(2).
pub fn recvfrom(
    call: &mut Call<'_>,
    fd: i32,
    buf: u64,
    count: usize,
    flags: u32,
    address: u64,
    len: u64,
) -> Result<u64> {
    let (file, socket) = socket_of(call, fd)?;
    let mut sink = IoSink::user(UserSlice::new(buf, count.min(MAX_RW_COUNT))?);
    let received = socket.receive(&mut sink, flags, file.nonblocking())?;
    if address != 0 {
        match &received.from {
            Some(from) => give_address(from, address, len)?,
            None => UserPtr::<i32>::new(len).write(&0)?,
        }
    }
    Ok(received.len as u64)
}

/// shutdown(2).
pub fn shutdown(call: &mut Call<'_>, fd: i32, how: u32) -> Result<u64> {
    let (_, socket) = socket_of(call, fd)?;
    socket.shutdown(Shutdown::from_raw(how)?)?;
    Ok(0)
}

/// Most bytes that an option's value is looked at.
const OPTION_MAX: usize = 4096;

/// setsockopt(2).
pub fn setsockopt(call: &mut Call<'_>, fd: i32, level: u32, name: u32, value: u64, len: i32) -> Result<u64> {
    let (_, socket) = socket_of(call, fd)?;
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?.min(OPTION_MAX);
    let mut bytes = UserSlice::new(value, len)?.to_vec()?;
    if (level, name) == (SOL_SOCKET, SO_ATTACH_FILTER) {
        bytes = filter_program(&bytes)?;
    }
    socket.set_option(level, name, &bytes)?;
    Ok(0)
}

/// The instructions that a `struct sock_fprog` leads to: a count and, behind six bytes, an address.
fn filter_program(program: &[u8]) -> Result<Vec<u8>> {
    let (count, address) = program_place(program)?;
    UserSlice::new(address, count * rkt_bpf::INSTRUCTION_LEN)?.to_vec()
}

/// How many instructions a `struct sock_fprog` has, and where.
///
/// # Errors
/// `EINVAL` if there are none or too many.
pub(super) fn program_place(program: &[u8]) -> Result<(usize, u64)> {
    let [c0, c1, _, _, _, _, _, _, address @ ..] = program else { return Err(Errno::EINVAL) };
    let address = <[u8; 8]>::try_from(address).map_err(|_| Errno::EINVAL)?;
    let count = usize::from(u16::from_ne_bytes([*c0, *c1]));
    if count == 0 || count > rkt_bpf::MAX_LEN {
        return Err(Errno::EINVAL);
    }
    Ok((count, u64::from_ne_bytes(address)))
}

/// SO_GET_FILTER: its lengths count instructions.
fn get_filter(program: &[u8], room: usize, value: u64, len: UserPtr<i32>) -> Result<u64> {
    let count = program.len() / rkt_bpf::INSTRUCTION_LEN;
    if room > 0 {
        if room < count {
            return Err(Errno::EINVAL);
        }
        UserSlice::new(value, program.len())?.write_all(program)?;
    }
    len.write(&(count as i32))?;
    Ok(0)
}

/// Most bytes of what a caller says more by in the room for the value.
const GIVEN_MAX: usize = 64;

/// getsockopt(2).
pub fn getsockopt(call: &mut Call<'_>, fd: i32, level: u32, name: u32, value: u64, len: u64) -> Result<u64> {
    let (_, socket) = socket_of(call, fd)?;
    let len = UserPtr::<i32>::new(len);
    let room = match usize::try_from(len.read()?) {
        Ok(room) => room,
        // Linux takes a negative length for a large one here.
        Err(_) if level == SOL_IPV6 => usize::MAX,
        Err(_) => return Err(Errno::EINVAL),
    };
    // Only here does anybody look at what is there (packet(7), PACKET_HDRLEN).
    let given = match level {
        SOL_PACKET => UserSlice::new(value, room.min(GIVEN_MAX))?.to_vec()?,
        _ => Vec::new(),
    };
    let found = socket.option_of(level, name, &given)?;
    if (level, name) == (SOL_SOCKET, SO_ATTACH_FILTER) {
        return get_filter(&found, room, value, len);
    }
    let stored = rkt_net::fit_option(level, name, found, room)?;
    UserSlice::new(value, stored.len())?.write_all(&stored)?;
    len.write(&(stored.len() as i32))?;
    Ok(0)
}
