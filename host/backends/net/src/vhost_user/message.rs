//! Messages of the vhost-user protocol (QEMU, docs/interop/vhost-user), front end's side.

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Requests that are made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Request {
    GetFeatures = 1,
    SetFeatures = 2,
    SetOwner = 3,
    SetMemTable = 5,
    SetVringNum = 8,
    SetVringAddr = 9,
    SetVringBase = 10,
    GetVringBase = 11,
    SetVringKick = 12,
    SetVringCall = 13,
    GetProtocolFeatures = 15,
    SetProtocolFeatures = 16,
    SetVringEnable = 18,
}

/// `VHOST_USER_F_PROTOCOL_FEATURES`: among the virtio features.
pub(super) const PROTOCOL_FEATURES: u64 = 1 << 30;
/// `VHOST_USER_PROTOCOL_F_REPLY_ACK`: every request can be answered.
pub(super) const REPLY_ACK: u64 = 1 << 3;

const VERSION: u32 = 1;
const VERSION_MASK: u32 = 3;
const REPLY: u32 = 1 << 2;
const NEED_REPLY: u32 = 1 << 3;
const HEADER_LEN: usize = 12;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to a back end.
pub(super) struct Connection {
    stream: UnixStream,
    /// The back end confirms what has no answer of its own.
    pub(super) confirms: bool,
}

impl Connection {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, confirms: false })
    }

    /// Makes a request that has no answer but, where that was agreed on, a confirmation.
    pub(super) fn tell(&mut self, request: Request, payload: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let flags = if self.confirms { NEED_REPLY } else { 0 };
        self.send(request, flags, payload, fds)?;
        if !self.confirms {
            return Ok(());
        }
        match u64::from_le_bytes(self.answer(request)?) {
            0 => Ok(()),
            _ => Err(io::Error::other(format!("the back end refuses {request:?}"))),
        }
    }

    /// As [`Connection::tell`], with a number.
    pub(super) fn tell_number(&mut self, request: Request, number: u64) -> io::Result<()> {
        self.tell(request, &number.to_le_bytes(), &[])
    }

    /// As [`Connection::tell`], about a queue.
    pub(super) fn tell_queue(&mut self, request: Request, queue: u16, number: u32) -> io::Result<()> {
        self.tell(request, &queue_payload(queue, number), &[])
    }

    /// Makes a request whose answer is a number.
    pub(super) fn ask_number(&mut self, request: Request) -> io::Result<u64> {
        self.send(request, 0, &[], &[])?;
        Ok(u64::from_le_bytes(self.answer(request)?))
    }

    /// Has a queue stopped. When this returns, the back end does not touch it any more.
    pub(super) fn stop_queue(&mut self, queue: u16) -> io::Result<()> {
        self.send(Request::GetVringBase, 0, &queue_payload(queue, 0), &[])?;
        self.answer::<8>(Request::GetVringBase).map(drop)
    }

    fn send(&mut self, request: Request, flags: u32, payload: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let header = [request as u32, VERSION | flags, payload.len() as u32].map(u32::to_le_bytes);
        let bytes = [header.as_flattened(), payload].concat();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        let sent = rustix::net::sendmsg(&self.stream, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
        if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// The answer to a request, of a known length.
    fn answer<const LEN: usize>(&mut self, request: Request) -> io::Result<[u8; LEN]> {
        let mut header = [0; HEADER_LEN];
        self.stream.read_exact(&mut header)?;
        let word = |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let fits = word(0) == Some(request as u32)
            && word(4).is_some_and(|flags| flags & VERSION_MASK == VERSION && flags & REPLY != 0)
            && word(8) == Some(LEN as u32);
        if !fits {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("no answer to {request:?}")));
        }
        let mut payload = [0; LEN];
        self.stream.read_exact(&mut payload)?;
        Ok(payload)
    }

    /// Whether the back end is still there. Unasked it says nothing.
    pub(super) fn is_open(&self) -> bool {
        let looked = rustix::net::recv(&self.stream, &mut [0u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        looked.is_err_and(|error| error == rustix::io::Errno::AGAIN)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn queue_payload(queue: u16, number: u32) -> Vec<u8> {
    [u32::from(queue), number].map(u32::to_le_bytes).concat()
}
