//! A connection: messages out, with descriptors, and answers in.

use crate::message::{Header, NEED_REPLY, REPLY, Request, VERSION, VERSION_MASK, VringState};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, sendmsg};
use std::io::{self, ErrorKind, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use zerocopy::{FromZeros, IntoBytes};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer.
const MOST: u32 = 4096;

/// A connection to a back end.
pub struct Connection {
    stream: UnixStream,
    /// The back end confirms what has no answer of its own.
    pub confirms: bool,
}

impl Connection {
    /// Connects.
    pub fn open(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, confirms: false })
    }

    /// Asks something that has an answer of its own.
    pub fn ask(&mut self, request: Request, payload: &[u8]) -> io::Result<Vec<u8>> {
        self.send(request, 0, payload, None)?;
        self.answer(request)
    }

    /// Asks for a number.
    pub fn ask_number(&mut self, request: Request) -> io::Result<u64> {
        number(request, &self.ask(request, &[])?)
    }

    /// Tells something, maybe with a descriptor, and waits until the back end has taken it in, if it confirms.
    pub fn tell(&mut self, request: Request, payload: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        if !self.confirms {
            return self.send(request, 0, payload, fd);
        }
        self.send(request, NEED_REPLY, payload, fd)?;
        match number(request, &self.answer(request)?)? {
            0 => Ok(()),
            error => Err(io::Error::other(format!("{request:?} was refused with {error}"))),
        }
    }

    /// Has a queue stopped. When this returns, the back end does not touch it any more.
    pub fn stop_queue(&mut self, queue: u16) -> io::Result<()> {
        self.ask(Request::GetVringBase, VringState { index: queue.into(), number: 0 }.as_bytes()).map(drop)
    }

    /// Whether the back end is still there: it never says anything unasked.
    pub fn is_open(&self) -> bool {
        let looked = recv(&self.stream, &mut [0u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        looked.is_err_and(|error| error == rustix::io::Errno::AGAIN)
    }

    fn send(&mut self, request: Request, flags: u32, payload: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let header = Header { request: request as u32, flags: VERSION | flags, size: payload.len() as u32 };
        let bytes = [header.as_bytes(), payload].concat();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = fd.map(|fd| [fd]);
        if let Some(fds) = &fds {
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        let sent = sendmsg(&self.stream, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
        if sent < bytes.len() { Err(ErrorKind::WriteZero.into()) } else { Ok(()) }
    }

    fn answer(&mut self, request: Request) -> io::Result<Vec<u8>> {
        let mut header = Header::new_zeroed();
        self.stream.read_exact(header.as_mut_bytes())?;
        let is_answer = header.flags & VERSION_MASK == VERSION && header.flags & REPLY != 0;
        if header.request != request as u32 || !is_answer || header.size > MOST {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("no answer to {request:?}: {header:?}")));
        }
        let mut payload = vec![0; header.size as usize];
        self.stream.read_exact(&mut payload)?;
        Ok(payload)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn number(request: Request, payload: &[u8]) -> io::Result<u64> {
    let bytes = payload.try_into().map_err(|_| io::Error::other(format!("the answer to {request:?} is no number")))?;
    Ok(u64::from_ne_bytes(bytes))
}
