//! How `rkt-io exec` and the supervisor of a run talk: over a socket in the run's folder. First come one
//! byte and the standard streams, as descriptors, and a line with the [`Ask`]; then [`Message`]s go one
//! way, and in the end one [`Reply`] the other. All of them are lines of JSON.

use crate::claim::Claim;
use crate::state::Run;
use anyhow::{Context, Result, ensure};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Most bytes of a line.
const LINE_MAX: u64 = 256 << 10;
/// Name of the socket in the run's folder.
const SOCKET: &str = "exec";

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The program and its arguments.
    pub argv: Vec<Vec<u8>>,
    /// Variables beside those of the first program.
    pub env: Vec<Vec<u8>>,
    /// Where; empty = where the first program started.
    pub workdir: Vec<u8>,
    /// Rows and columns of its terminal, if it is to have one.
    pub terminal: Option<(u16, u16)>,
}

/// What happens on the asking side meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The program gets this signal, if the manifest lets it in.
    Signal(u8),
    /// The terminal has other rows and columns.
    Size(u16, u16),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// With this status, as a shell has it.
    Ended(u8),
    /// The program was not run.
    Refused {
        /// What the command exits with.
        status: u8,
        /// Why, as a clause.
        reason: String,
    },
}

/// Descriptors of the asking side.
pub struct Stdio {
    /// Standard input, if the program gets any.
    pub input: Option<OwnedFd>,
    /// Standard output.
    pub output: OwnedFd,
    /// Standard error.
    pub error: OwnedFd,
}

/// One end of the socket.
pub struct Link {
    stream: BufReader<UnixStream>,
}

impl Claim {
    /// Listens for those who want to run a program in the enclave, too.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub fn listen(&self) -> Result<UnixListener> {
        let path = self.folder().join(SOCKET);
        at(&path, |path| UnixListener::bind(path)).with_context(|| format!("cannot listen at {}", path.display()))
    }
}

impl Run {
    /// Asks its supervisor to run a program.
    ///
    /// # Errors
    /// If the run has ended, or allows nothing of the kind.
    pub fn ask(&self, ask: &Ask, input: Option<BorrowedFd<'_>>, output: [BorrowedFd<'_>; 2]) -> Result<Link> {
        let name = &self.record.name;
        ensure!(self.alive, "{name} does not run any more");
        ensure!(
            self.record.allow_exec,
            "{name} allows no other program beside its own: `rkt-io run --allow-exec` does (the manifest says so and is measured)"
        );
        let path = self.folder().join(SOCKET);
        let stream =
            at(&path, |path| UnixStream::connect(path)).with_context(|| format!("{name} does not answer yet"))?;
        let fds: Vec<_> = output.into_iter().chain(input).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        ensure!(rights.push(SendAncillaryMessage::ScmRights(&fds)), "no room for descriptors");
        sendmsg(&stream, &[IoSlice::new(&[0])], &mut rights, SendFlags::NOSIGNAL).context("cannot pass on streams")?;
        let mut link = Link { stream: BufReader::new(stream) };
        link.send(ask)?;
        Ok(link)
    }
}

/// The address of a socket is short: a long path is reached through its folder's descriptor.
fn at<T>(path: &Path, open: impl Fn(&Path) -> std::io::Result<T>) -> Result<T> {
    const ADDRESS_MAX: usize = 107;
    if path.as_os_str().len() <= ADDRESS_MAX {
        return Ok(open(path)?);
    }
    let folder = std::fs::File::open(path.parent().context("a socket lies in a folder")?)?;
    let short = format!("/proc/self/fd/{}/{SOCKET}", std::os::fd::AsRawFd::as_raw_fd(&folder));
    Ok(open(Path::new(&short))?)
}

impl Link {
    /// The answering side: who asks, and for what.
    ///
    /// # Errors
    /// If the other side does not speak as [`Run::ask`] does.
    pub fn accept(stream: UnixStream) -> Result<(Self, Ask, Stdio)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        recvmsg(&stream, &mut [IoSliceMut::new(&mut byte)], &mut rights, RecvFlags::CMSG_CLOEXEC)?;
        let fds = rights.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        });
        let mut fds = fds.flatten();
        let (output, error) = fds.next().zip(fds.next()).context("the streams are missing")?;
        let stdio = Stdio { output, error, input: fds.next() };
        let mut link = Self { stream: BufReader::new(stream) };
        let ask = link.receive()?.context("the request is missing")?;
        Ok((link, ask, stdio))
    }

    /// A second handle of the same end, to write.
    ///
    /// # Errors
    /// If there are no more descriptors.
    pub fn writer(&self) -> std::io::Result<Self> {
        Ok(Self { stream: BufReader::new(self.stream.get_ref().try_clone()?) })
    }

    /// Sends a line.
    ///
    /// # Errors
    /// If the other side has gone.
    pub fn send(&mut self, what: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        Ok(self.stream.get_mut().write_all(&line)?)
    }

    /// Receives a line; `None` when the other side has gone.
    ///
    /// # Errors
    /// If it is not what is expected here.
    pub fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let mut line = Vec::new();
        (&mut self.stream).take(LINE_MAX).read_until(b'\n', &mut line)?;
        if line.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_slice(&line)?)) }
    }

    /// Nothing more is said or heard, also by other handles.
    pub fn shut(&self) {
        // The other side may have been first.
        let _ = self.stream.get_ref().shutdown(std::net::Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::pipe;
    use std::os::fd::AsFd;

    #[test]
    fn a_request_arrives_with_its_streams() {
        let (mine, theirs) = UnixStream::pair().unwrap();
        let ask = Ask { argv: vec![b"a\xff".to_vec()], env: Vec::new(), workdir: Vec::new(), terminal: Some((2, 3)) };
        let (mut reader, writer) = pipe().unwrap();
        let fds = [writer.as_fd(), writer.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        assert!(rights.push(SendAncillaryMessage::ScmRights(&fds)));
        sendmsg(&mine, &[IoSlice::new(&[0])], &mut rights, SendFlags::empty()).unwrap();
        let mut link = Link { stream: BufReader::new(mine) };
        link.send(&ask).unwrap();
        link.send(&Message::Signal(15)).unwrap();
        let (mut other, arrived, stdio) = Link::accept(theirs).unwrap();
        assert_eq!(arrived, ask);
        assert!(stdio.input.is_none());
        std::fs::File::from(stdio.output).write_all(b"through").unwrap();
        let mut through = [0; 7];
        reader.read_exact(&mut through).unwrap();
        assert_eq!(&through, b"through");
        assert_eq!(other.receive().unwrap(), Some(Message::Signal(15)));
        drop(link);
        assert_eq!(other.receive::<Message>().unwrap(), None);
    }
}
