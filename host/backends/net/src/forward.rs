//! Carries published ports to a guest behind a TAP: one thread, one epoll, all connections.

use crate::publish::{Protocol, Publish};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes under way in each direction of a connection.
const BUFFER: usize = 64 << 10;
/// Times a direction's buffer is filled before others have their turn.
const TURNS: usize = 16;
/// Most connections and UDP flows at a time; more are turned away.
const MAX_FLOWS: usize = 4096;
/// A UDP flow is forgotten after so much silence (RFC 4787 asks for two minutes or more).
const UDP_IDLE: Duration = Duration::from_secs(120);
/// How often silence is looked for.
const SWEEP: Duration = Duration::from_secs(10);

const STOP: u64 = u64::MAX;

/// Why ports are not published.
#[derive(Debug)]
pub enum ForwardError {
    /// The host does not let us listen on a port.
    Listen(Publish, io::Error),
    /// The host denies a descriptor or a thread.
    Host(io::Error),
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (publish, error) = match self {
            Self::Listen(publish, error) => (publish, error),
            Self::Host(error) => return write!(f, "cannot publish ports: {error}"),
        };
        write!(f, "cannot publish {publish}: {error}")?;
        match error.kind() {
            io::ErrorKind::AddrInUse => write!(f, "; stop the program that holds it or choose another host port"),
            io::ErrorKind::PermissionDenied => write!(f, "; ports below 1024 are for root: choose another host port"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ForwardError {}

impl From<Errno> for ForwardError {
    fn from(e: Errno) -> Self {
        Self::Host(e.into())
    }
}

/// Forwards until it is dropped.
#[derive(Debug)]
pub struct Forwarder {
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Forwarder {
    /// Listens on every port and starts the thread.
    ///
    /// # Errors
    /// The first port that cannot be listened on.
    pub fn start(ports: &[Publish], guest: IpAddr) -> Result<Self, ForwardError> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC)?;
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&poll, &stop, EventData::new_u64(STOP), EventFlags::IN)?;
        let mut carrier =
            Carrier { poll, entries: HashMap::new(), udp: HashMap::new(), next: 0, unfinished: Vec::new() };
        for publish in ports {
            carrier.listen(publish, guest).map_err(|error| ForwardError::Listen(*publish, error))?;
        }
        let thread = std::thread::Builder::new().name("rkt-publish".into()).spawn(move || carrier.run());
        let thread = thread.map_err(ForwardError::Host)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        // An eventfd that was never written takes this without blocking.
        let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has already said so.
            let _ = thread.join();
        }
    }
}

/// What an epoll event is about; both ends of a connection have the same key.
enum Entry {
    Listener {
        socket: TcpListener,
        guest: SocketAddr,
    },
    Connection(Connection),
    /// A published UDP port; its replies leave through it.
    Port {
        socket: UdpSocket,
        guest: SocketAddr,
    },
    /// One client of a UDP port.
    Flow {
        socket: UdpSocket,
        port: u64,
        client: SocketAddr,
        last: Instant,
    },
}

struct Carrier {
    poll: OwnedFd,
    entries: HashMap<u64, Entry>,
    /// UDP flows by port and client.
    udp: HashMap<(u64, SocketAddr), u64>,
    next: u64,
    /// Connections that used up their turns with work left.
    unfinished: Vec<u64>,
}

impl Carrier {
    fn listen(&mut self, publish: &Publish, guest: IpAddr) -> io::Result<()> {
        let guest = SocketAddr::new(guest, publish.guest_port);
        match publish.protocol {
            Protocol::Tcp => {
                let socket = TcpListener::bind(publish.listen)?;
                socket.set_nonblocking(true)?;
                let key = self.watch(socket.as_fd(), 0, EventFlags::IN)?;
                self.entries.insert(key, Entry::Listener { socket, guest });
            }
            Protocol::Udp => {
                let socket = UdpSocket::bind(publish.listen)?;
                socket.set_nonblocking(true)?;
                let key = self.watch(socket.as_fd(), 0, EventFlags::IN)?;
                self.entries.insert(key, Entry::Port { socket, guest });
            }
        }
        Ok(())
    }

    /// Watches a descriptor under a key, a new one for 0.
    fn watch(&mut self, fd: BorrowedFd<'_>, key: u64, flags: EventFlags) -> io::Result<u64> {
        let key = if key == 0 {
            self.next += 1;
            self.next
        } else {
            key
        };
        epoll::add(&self.poll, fd, EventData::new_u64(key), flags)?;
        Ok(key)
    }

    fn run(&mut self) {
        let mut buffer = vec![0; BUFFER];
        let mut events = Vec::with_capacity(64);
        let mut swept = Instant::now();
        loop {
            events.clear();
            let wait = if self.unfinished.is_empty() { SWEEP } else { Duration::ZERO };
            let timeout = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: 0 };
            match epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            for key in std::mem::take(&mut self.unfinished) {
                self.serve(key, &mut buffer);
            }
            for event in &events {
                match event.data.u64() {
                    STOP => return,
                    key => self.serve(key, &mut buffer),
                }
            }
            if swept.elapsed() >= SWEEP {
                swept = Instant::now();
                self.forget_silent();
            }
        }
    }

    fn serve(&mut self, key: u64, buffer: &mut [u8]) {
        match self.entries.get_mut(&key) {
            Some(Entry::Listener { .. }) => self.accept(key),
            Some(Entry::Port { .. }) => self.pass_to_guest(key, buffer),
            Some(Entry::Flow { .. }) => self.pass_to_client(key, buffer),
            Some(Entry::Connection(connection)) => match connection.carry() {
                Progress::Waits => {}
                Progress::Unfinished => self.unfinished.push(key),
                Progress::Ended => {
                    self.entries.remove(&key);
                }
            },
            // An event that was reported together with the one that ended its entry.
            None => {}
        }
    }

    fn accept(&mut self, key: u64) {
        for _ in 0..TURNS {
            let Some(Entry::Listener { socket, guest }) = self.entries.get(&key) else { return };
            let guest = *guest;
            // Nobody waits, or the client has gone already.
            let Ok((client, _)) = socket.accept() else { return };
            if self.entries.len() < MAX_FLOWS {
                // What fails here closes the client's connection: all that can be said to it.
                let _ = self.connect(client, guest);
            }
        }
    }

    fn connect(&mut self, client: TcpStream, guest: SocketAddr) -> io::Result<()> {
        let family = if guest.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        match rustix::net::connect(&socket, &guest) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(e) => return Err(e.into()),
        }
        let guest = TcpStream::from(socket);
        client.set_nonblocking(true)?;
        client.set_nodelay(true)?;
        guest.set_nodelay(true)?;
        // Edge-triggered: `carry` goes on until both ends would block, or comes back by itself.
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let key = self.watch(client.as_fd(), 0, flags)?;
        self.watch(guest.as_fd(), key, flags)?;
        self.entries.insert(key, Entry::Connection(Connection { client, guest, up: Pipe::new(), down: Pipe::new() }));
        Ok(())
    }

    /// Datagrams from clients of a port go to the guest, each client's from a socket of its own.
    fn pass_to_guest(&mut self, port: u64, buffer: &mut [u8]) {
        for _ in 0..TURNS {
            let Some(Entry::Port { socket, guest }) = self.entries.get(&port) else { return };
            let guest = *guest;
            let Ok((len, client)) = socket.recv_from(buffer) else { return };
            let flow = match self.udp.get(&(port, client)) {
                Some(flow) => *flow,
                None if self.entries.len() >= MAX_FLOWS => continue,
                None => match self.open_flow(port, client, guest) {
                    Ok(flow) => flow,
                    Err(_) => continue,
                },
            };
            if let Some(Entry::Flow { socket, last, .. }) = self.entries.get_mut(&flow) {
                *last = Instant::now();
                // UDP: what cannot be sent is lost.
                let _ = socket.send(buffer.get(..len).unwrap_or_default());
            }
        }
    }

    fn open_flow(&mut self, port: u64, client: SocketAddr, guest: SocketAddr) -> io::Result<u64> {
        let any: SocketAddr = if guest.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any)?;
        socket.connect(guest)?;
        socket.set_nonblocking(true)?;
        let key = self.watch(socket.as_fd(), 0, EventFlags::IN)?;
        self.entries.insert(key, Entry::Flow { socket, port, client, last: Instant::now() });
        self.udp.insert((port, client), key);
        Ok(key)
    }

    fn pass_to_client(&mut self, flow: u64, buffer: &mut [u8]) {
        for _ in 0..TURNS {
            let Some(Entry::Flow { socket, port, client, last }) = self.entries.get_mut(&flow) else { return };
            // An error is a port unreachable or the end of what is there.
            let Ok(len) = socket.recv(buffer) else { return };
            *last = Instant::now();
            let (port, client) = (*port, *client);
            if let Some(Entry::Port { socket, .. }) = self.entries.get(&port) {
                // UDP: what cannot be sent is lost.
                let _ = socket.send_to(buffer.get(..len).unwrap_or_default(), client);
            }
        }
    }

    fn forget_silent(&mut self) {
        let entries = &mut self.entries;
        self.udp.retain(|_, key| {
            let silent = matches!(entries.get(key), Some(Entry::Flow { last, .. }) if last.elapsed() >= UDP_IDLE);
            if silent {
                entries.remove(key);
            }
            !silent
        });
    }
}

enum Progress {
    /// Both ends would block.
    Waits,
    /// There is more to do at once.
    Unfinished,
    /// Both directions are shut, or an end is broken.
    Ended,
}

/// A TCP connection of a client and its counterpart to the guest.
struct Connection {
    client: TcpStream,
    guest: TcpStream,
    up: Pipe,
    down: Pipe,
}

impl Connection {
    fn carry(&mut self) -> Progress {
        let up = self.up.carry(&self.client, &self.guest);
        let down = self.down.carry(&self.guest, &self.client);
        match (up, down) {
            (Err(_), _) | (_, Err(_)) => Progress::Ended,
            _ if self.up.shut && self.down.shut => Progress::Ended,
            (Ok(false), Ok(false)) => Progress::Waits,
            _ => Progress::Unfinished,
        }
    }
}

/// One direction of a connection.
struct Pipe {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// The source has no more.
    ended: bool,
    /// The sink was told so.
    shut: bool,
}

impl Pipe {
    fn new() -> Self {
        Self { buffer: vec![0; BUFFER].into(), start: 0, end: 0, ended: false, shut: false }
    }

    /// Moves bytes until an end would block (false) or the turns are used up (true).
    fn carry(&mut self, mut from: &TcpStream, mut to: &TcpStream) -> io::Result<bool> {
        let blocked = |e: &io::Error| e.kind() == io::ErrorKind::WouldBlock;
        for _ in 0..TURNS {
            if self.shut {
                return Ok(false);
            }
            if self.start == self.end && !self.ended {
                self.start = 0;
                self.end = match from.read(&mut self.buffer) {
                    Err(e) if blocked(&e) => 0,
                    read => {
                        let n = read?;
                        self.ended = n == 0;
                        n
                    }
                };
                if self.end == 0 && !self.ended {
                    return Ok(false);
                }
            }
            if self.start < self.end {
                match to.write(self.buffer.get(self.start..self.end).unwrap_or_default()) {
                    Err(e) if blocked(&e) => return Ok(false),
                    written => self.start += written?,
                }
            } else {
                to.shutdown(Shutdown::Write)?;
                self.shut = true;
            }
        }
        Ok(true)
    }
}
