//! A connection: messages out, with descriptors, and answers in.

use crate::message::{Header, NEED_REPLY, REPLY, Request, VERSION};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, sendmsg};
use std::io::{self, ErrorKind, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use zerocopy::{FromZeros, IntoBytes};

/// A daemon that has not answered by then is no daemon.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer.
const MOST: u32 = 4096;

/// A connection to a daemon.
pub struct Connection(UnixStream);

impl Connection {
    /// Connects.
    pub fn open(path: &Path) -> io::Result<Self> {
        let socket = UnixStream::connect(path)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(socket))
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

    /// Tells something, maybe with a descriptor, before anybody can ask for answers.
    pub fn tell(&mut self, request: Request, payload: &[u8]) -> io::Result<()> {
        self.send(request, 0, payload, None)
    }

    /// Tells something and waits until the daemon has taken it in.
    pub fn order(&mut self, request: Request, payload: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        self.send(request, NEED_REPLY, payload, fd)?;
        match number(request, &self.answer(request)?)? {
            0 => Ok(()),
            error => Err(io::Error::other(format!("{request:?} was refused with {error}"))),
        }
    }

    /// Whether the daemon is gone: it never says anything unasked.
    pub fn is_over(&self) -> bool {
        let mut byte = [0u8; 1];
        match recv(&self.0, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok(_) => true,
            Err(error) => error != rustix::io::Errno::AGAIN && error != rustix::io::Errno::INTR,
        }
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
        let sent = sendmsg(&self.0, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
        if sent < bytes.len() { Err(ErrorKind::WriteZero.into()) } else { Ok(()) }
    }

    fn answer(&mut self, request: Request) -> io::Result<Vec<u8>> {
        let mut header = Header::new_zeroed();
        self.0.read_exact(header.as_mut_bytes())?;
        if header.request != request as u32 || header.flags & REPLY == 0 || header.size > MOST {
            return Err(io::Error::other(format!("no answer to {request:?}: {header:?}")));
        }
        let mut payload = vec![0; header.size as usize];
        self.0.read_exact(&mut payload)?;
        Ok(payload)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn number(request: Request, payload: &[u8]) -> io::Result<u64> {
    let bytes = payload.try_into().map_err(|_| io::Error::other(format!("the answer to {request:?} is no number")))?;
    Ok(u64::from_ne_bytes(bytes))
}
