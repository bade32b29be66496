//! How an enclave's supervisor joins a switch: over a socket at a path, which also tells the switch when
//! the enclave is gone, and the enclave when the switch is.

use super::port::{Port, PortOptions};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// First bytes of a hello.
const MAGIC: [u8; 8] = *b"RKTWIRE1";
/// Magic; slot, pairs and MTU, little-endian; address.
const HELLO_LEN: usize = 8 + 4 + 2 + 2 + 6;
/// The switch's answer.
const WELCOME: u8 = 1;
/// How long either side waits for the other's words.
const PATIENCE: Duration = Duration::from_secs(2);
/// Attempts to join; one fails if the last port leaves at this very moment.
const TRIES: u32 = 5;
/// Between two attempts to join again after the switch was lost.
const RETRY: Duration = Duration::from_millis(200);

/// A device of this enclave on a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireOptions {
    /// Where the switch's socket lies; all enclaves with the same path are connected.
    pub path: PathBuf,
    /// Pairs of queues, at least one.
    pub pairs: u16,
    /// Largest IP packet, in bytes; the same at all ports.
    pub mtu: u16,
}

/// Why there is no wire.
#[derive(Debug)]
pub enum WireError {
    /// The socket cannot be made or reached.
    Path(PathBuf, io::Error),
    /// Who listens there is no switch, or does not take this enclave.
    Refused(PathBuf),
    /// The switch cannot be started.
    Start(io::Error),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path, e) => {
                write!(f, "cannot use {} as a wire: {e}; name a path in a folder that is yours", path.display())
            }
            Self::Refused(path) => {
                write!(
                    f,
                    "no wire at {}: another program listens there, or the wire is full; name another path",
                    path.display()
                )
            }
            Self::Start(e) => write!(f, "cannot start the switch of a wire: {e}"),
        }
    }
}

impl std::error::Error for WireError {}

/// Starts a switch that serves this socket, in another process or thread.
pub type StartSwitch = dyn Fn(UnixListener, &Path) -> io::Result<()> + Send + Sync;

/// Holds the folder of a path: one at a time makes or removes the socket there.
pub(super) fn lock(path: &Path) -> io::Result<OwnedFd> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = rustix::fs::open(folder, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::flock(&folder, FlockOperation::LockExclusive)?;
    Ok(folder)
}

/// What a supervisor says first, along with the window's descriptor.
pub(super) struct Hello {
    pub options: PortOptions,
}

impl Hello {
    fn to_bytes(&self) -> Vec<u8> {
        let PortOptions { slot, pairs, mtu, mac } = self.options;
        [&MAGIC[..], &(slot as u32).to_le_bytes(), &pairs.to_le_bytes(), &mtu.to_le_bytes(), &mac].concat()
    }

    fn from_bytes(bytes: &[u8; HELLO_LEN]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (slot, rest) = rest.split_first_chunk()?;
        let (pairs, rest) = rest.split_first_chunk()?;
        let (mtu, mac) = rest.split_first_chunk()?;
        let (pairs, mtu) = (u16::from_le_bytes(*pairs), u16::from_le_bytes(*mtu));
        let options = PortOptions { slot: u32::from_le_bytes(*slot) as usize, pairs, mtu, mac: mac.try_into().ok()? };
        (1..=16).contains(&pairs).then_some(Self { options })
    }

    fn send(&self, stream: &UnixStream, window: BorrowedFd<'_>) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let windows = [window];
        control.push(SendAncillaryMessage::ScmRights(&windows));
        let bytes = self.to_bytes();
        let sent = rustix::net::sendmsg(stream, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
        if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Receives a hello and the window that comes with it.
    ///
    /// # Errors
    /// `InvalidData` if it is none; those of the socket.
    pub(super) fn receive(stream: &UnixStream) -> io::Result<(Self, OwnedFd)> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; HELLO_LEN];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL;
        let received = rustix::net::recvmsg(stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)?;
        let window = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        match (Self::from_bytes(&bytes), window) {
            (Some(hello), Some(window)) if received.bytes == HELLO_LEN => Ok((hello, window)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl Port {
    /// Tells the supervisor that its device is there.
    pub(super) fn welcome(&self) -> io::Result<()> {
        Ok(rustix::net::send(self.interest().fd, &[WELCOME], SendFlags::NOSIGNAL).map(|_| ())?)
    }
}

/// What it takes to join.
struct Ticket {
    options: WireOptions,
    hello: Hello,
    window: OwnedFd,
    start: Box<StartSwitch>,
}

impl Ticket {
    /// Connects to the switch, after starting one if there is none.
    fn connect(&self) -> Result<UnixStream, WireError> {
        let path = &self.options.path;
        let refused = |e| WireError::Path(path.clone(), e);
        let _lock = lock(path).map_err(refused)?;
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            // Left behind by a switch that was killed.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(refused)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(refused(e)),
        }
        let listener = UnixListener::bind(path).map_err(refused)?;
        (self.start)(listener, path).map_err(WireError::Start)?;
        UnixStream::connect(path).map_err(refused)
    }

    /// Joins: the device is described in its slot then.
    fn join(&self) -> Result<UnixStream, WireError> {
        for _ in 0..TRIES {
            let mut stream = self.connect()?;
            let path = |e| WireError::Path(self.options.path.clone(), e);
            stream.set_read_timeout(Some(PATIENCE)).map_err(path)?;
            let mut answer = [0];
            if self.hello.send(&stream, self.window.as_fd()).is_ok()
                && stream.read_exact(&mut answer).is_ok()
                && answer == [WELCOME]
            {
                stream.set_read_timeout(None).map_err(path)?;
                return Ok(stream);
            }
        }
        Err(WireError::Refused(self.options.path.clone()))
    }
}

/// A device of an enclave that is served by a switch, until this is dropped.
pub struct Wire {
    stop: Arc<AtomicBool>,
    /// Shut down to end the thread that waits for the switch to end.
    stream: Arc<Mutex<UnixStream>>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    /// Joins the switch at a path with the device `slot` of a window; `start` starts the switch if
    /// there is none. If it is lost later, another one is started, and the enclave's driver sees a device
    /// that needs a reset.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn join(
        options: WireOptions,
        window: OwnedFd,
        slot: usize,
        mac: [u8; 6],
        start: Box<StartSwitch>,
    ) -> Result<Self, WireError> {
        let hello = Hello { options: PortOptions { slot, pairs: options.pairs, mtu: options.mtu, mac } };
        let ticket = Ticket { options, hello, window, start };
        let stream = ticket.join()?;
        let (stop, kept) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(stream)));
        let (stopped, current) = (Arc::clone(&stop), Arc::clone(&kept));
        let thread = std::thread::Builder::new()
            .name("rkt-wire".into())
            .spawn(move || stay(&ticket, &stopped, &current))
            .map_err(WireError::Start)?;
        Ok(Self { stop, stream: kept, thread: Some(thread) })
    }
}

fn current(stream: &Mutex<UnixStream>) -> MutexGuard<'_, UnixStream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the switch to end, and joins another.
fn stay(ticket: &Ticket, stopped: &AtomicBool, stream: &Mutex<UnixStream>) {
    while !stopped.load(Ordering::Acquire) {
        let Ok(mut watched) = current(stream).try_clone() else { return };
        // Nothing comes after the welcome but the end.
        let _ = watched.read(&mut [0]);
        if stopped.load(Ordering::Acquire) {
            return;
        }
        match ticket.join() {
            Ok(joined) => {
                let mut current = current(stream);
                *current = joined;
                if stopped.load(Ordering::Acquire) {
                    let _ = current.shutdown(Shutdown::Both);
                }
            }
            Err(_) => std::thread::sleep(RETRY),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Fails if the switch is gone already.
        let _ = current(&self.stream).shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has already said so.
            let _ = thread.join();
        }
    }
}
