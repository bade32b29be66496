//! What can be done with a socket, of whatever family.

use crate::{Address, Description, UnixNode};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitQueue;
use rkt_user::{IoSink, IoSource};

/// Flags of linux/socket.h.
pub(crate) const MSG_ZEROCOPY: u32 = 0x400_0000;
pub(crate) const MSG_FASTOPEN: u32 = 0x2000_0000;

/// Who a process is (`struct ucred`, unix(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Process.
    pub pid: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Credentials {
    /// Nobody: of who is not connected.
    pub const NONE: Self = Self { pid: 0, uid: u32::MAX, gid: u32::MAX };

    /// As `struct ucred`.
    pub fn encode(&self) -> [u8; 12] {
        let mut out = [0; 12];
        for (into, from) in out.chunks_exact_mut(4).zip([self.pid, self.uid, self.gid]) {
            into.copy_from_slice(&from.to_le_bytes());
        }
        out
    }
}

/// What travels beside the bytes (cmsg(3)).
#[derive(Clone, Default)]
pub struct Ancillary {
    /// SCM_RIGHTS: open files, opaque here.
    pub rights: Vec<Arc<dyn Any + Send + Sync>>,
    /// SCM_CREDENTIALS. Checked by the caller when sending.
    pub credentials: Option<Credentials>,
}

impl Ancillary {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rights.is_empty() && self.credentials.is_none()
    }
}

/// A control message of another level than SOL_SOCKET's rights and credentials, or about them (cmsg(3)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Of which protocol: `SOL_*`.
    pub level: u32,
    /// What it says.
    pub kind: u32,
    /// The value.
    pub data: Vec<u8>,
}

/// How something is sent.
#[derive(Default)]
pub struct Outgoing<'a> {
    /// To whom, if not to the peer.
    pub to: Option<&'a Address>,
    /// `MSG_*`.
    pub flags: u32,
    /// O_NONBLOCK of the descriptor.
    pub nonblocking: bool,
    /// Control messages (AF_UNIX).
    pub ancillary: Ancillary,
    /// Control messages of other levels.
    pub controls: Vec<Control>,
}

/// What was received.
#[derive(Default)]
pub struct Received {
    /// What the call returns: bytes stored, or with MSG_TRUNC the datagram's length.
    pub len: usize,
    /// From whom; none for byte streams.
    pub from: Option<Address>,
    /// `MSG_TRUNC`, `MSG_EOR`.
    pub flags: u32,
    /// Control messages (AF_UNIX).
    pub ancillary: Ancillary,
    /// Other control messages.
    pub controls: Vec<Control>,
}

/// Which directions shutdown(2) ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Receiving.
    Read,
    /// Sending.
    Write,
    /// Both.
    Both,
}

impl Shutdown {
    /// From the argument of shutdown(2).
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn from_raw(how: u32) -> Result<Self> {
        [Self::Read, Self::Write, Self::Both].get(how as usize).copied().ok_or(Errno::EINVAL)
    }

    /// Whether receiving ends.
    pub fn reads(self) -> bool {
        self != Self::Write
    }

    /// Whether sending ends.
    pub fn writes(self) -> bool {
        self != Self::Read
    }
}

/// What sockets need to know of the rest of the kernel.
pub trait Hooks: Send + Sync {
    /// Who calls.
    fn credentials(&self) -> Credentials;
    /// Whether who calls has a capability (capabilities(7)).
    fn capable(&self, capability: u32) -> bool;
    /// Bytes of memory that the kernel has in all.
    fn memory(&self) -> usize;
    /// Makes a file of type S_IFSOCK at `path` that leads to `node`.
    ///
    /// # Errors
    /// `EADDRINUSE` if the path exists, others of mknod(2).
    fn bind_path(&self, path: &[u8], node: Arc<UnixNode>) -> Result<()>;
    /// The node of the socket file at `path`.
    ///
    /// # Errors
    /// `ECONNREFUSED` if it is no socket, `EACCES` without write permission, others of path resolution.
    fn find_path(&self, path: &[u8]) -> Result<Arc<UnixNode>>;
}

/// A socket. Closes when it is dropped.
///
/// Calls that wait return `ERESTARTSYS` (`EINTR` where a timeout is set) on a signal and `EAGAIN` when
/// they may not wait or their time is over.
pub trait Socket: Send + Sync {
    /// Waiters for its state, for poll(2) and its like.
    fn wait_queue(&self) -> &Arc<WaitQueue>;

    /// Whether it is a byte stream: to write where nobody reads raises SIGPIPE (send(2)).
    fn is_stream(&self) -> bool;

    /// `POLL*` bits that hold now, whoever asks for them (poll(2)).
    fn poll(&self) -> u32;

    /// bind(2).
    ///
    /// # Errors
    /// `EINVAL`, `EADDRINUSE`, `EADDRNOTAVAIL`, `EAFNOSUPPORT`, those of mknod(2).
    fn bind(&self, to: &Address) -> Result<()>;

    /// listen(2).
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `EADDRINUSE`, `EINVAL`.
    fn listen(&self, backlog: i32) -> Result<()>;

    /// accept(2): the new socket and its peer.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `EINVAL` if it does not listen; those of waiting.
    fn accept(&self, nonblocking: bool) -> Result<(Arc<dyn Socket>, Address)>;

    /// connect(2).
    ///
    /// # Errors
    /// As listed there.
    fn connect(&self, to: &Address, nonblocking: bool) -> Result<()>;

    /// send(2) and its like. SIGPIPE on `EPIPE` is the caller's.
    ///
    /// # Errors
    /// As listed there.
    fn send(&self, source: &mut IoSource<'_>, message: &mut Outgoing<'_>) -> Result<usize>;

    /// recv(2) and its like.
    ///
    /// # Errors
    /// As listed there.
    fn receive(&self, sink: &mut IoSink<'_>, flags: u32, nonblocking: bool) -> Result<Received>;

    /// shutdown(2).
    ///
    /// # Errors
    /// `ENOTCONN`.
    fn shutdown(&self, how: Shutdown) -> Result<()>;

    /// getsockname(2).
    fn local_address(&self) -> Address;

    /// getpeername(2).
    ///
    /// # Errors
    /// `ENOTCONN`.
    fn peer_address(&self) -> Result<Address>;

    /// setsockopt(2).
    ///
    /// # Errors
    /// `ENOPROTOOPT`, `EINVAL`, `EDOM`.
    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()>;

    /// getsockopt(2): the value, to be cut to the caller's room.
    ///
    /// # Errors
    /// `ENOPROTOOPT`, `EOPNOTSUPP`.
    fn option(&self, level: u32, name: u32) -> Result<Vec<u8>>;

    /// [`Socket::option`] where what stands in the caller's room says more of what is asked.
    ///
    /// # Errors
    /// As [`Socket::option`].
    fn option_of(&self, level: u32, name: u32, _given: &[u8]) -> Result<Vec<u8>> {
        self.option(level, name)
    }

    /// FIONREAD: bytes that can be read, or of the next datagram.
    ///
    /// # Errors
    /// `EINVAL` if it listens.
    fn queued_input(&self) -> Result<usize>;

    /// SIOCOUTQ: bytes not yet taken by the peer.
    ///
    /// # Errors
    /// `EINVAL` if it listens.
    fn queued_output(&self) -> Result<usize>;

    /// Whether the next byte is the urgent one (SIOCATMARK).
    ///
    /// # Errors
    /// `ENOTTY` for sockets that know no urgent data.
    fn at_mark(&self) -> Result<bool> {
        Err(Errno::ENOTTY)
    }

    /// What others see of it; none for kinds that are not listed.
    fn describe(&self) -> Option<Description> {
        None
    }

    /// For downcasts.
    fn as_any(&self) -> &dyn Any;
}
