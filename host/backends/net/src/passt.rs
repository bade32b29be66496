//! Frames through passt (passt(1)): a network without any right on the host.
//!
//! passt speaks Ethernet over a stream socket, each frame after its length in four bytes,
//! big-endian, and does TCP and UDP with sockets of its own. There is no virtio header on this
//! stream, so checksums and segmentation are not offloaded; a large MTU makes up for it. passt gets
//! its end of a socket pair at birth and ends when ours closes, however this process ends; our
//! end is closed on exec, so nobody else keeps it open.

use crate::publish::{Protocol, Publish};
use crate::source::{FrameSource, Received, Sent};
use rkt_virtio::net::HEADER_LEN;
use rkt_virtio_device::{Parts, cut, gather, scatter, total_len};
use rkt_window::Region;
use rustix::fs::MemfdFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How passt is to be started. What it would take from the host's configuration is given, so
/// that the guest's network is the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasstOptions {
    /// The program.
    pub program: PathBuf,
    /// Address of the guest and prefix length.
    pub guest4: (Ipv4Addr, u8),
    /// Gateway; reaches the host itself, too.
    pub gateway4: Ipv4Addr,
    /// The guest's IPv6 address and gateway; `None`: IPv4 only.
    pub guest6: Option<(Ipv6Addr, Ipv6Addr)>,
    /// Name servers that the guest learns by DHCP.
    pub dns: Vec<IpAddr>,
    /// An address in the guest's network at which the host's own name server answers.
    pub dns_forward: Option<IpAddr>,
    /// MTU of the guest, up to 65,520.
    pub mtu: u16,
    /// Ports of the host that lead to the guest.
    pub publish: Vec<Publish>,
}

impl Default for PasstOptions {
    fn default() -> Self {
        Self {
            program: "passt".into(),
            guest4: (Ipv4Addr::new(10, 0, 2, 15), 24),
            gateway4: Ipv4Addr::new(10, 0, 2, 2),
            guest6: None,
            dns: Vec::new(),
            dns_forward: Some(Ipv4Addr::new(10, 0, 2, 3).into()),
            mtu: 65_520,
            publish: Vec::new(),
        }
    }
}

impl PasstOptions {
    fn arguments(&self) -> Vec<String> {
        let (guest, prefix) = self.guest4;
        let mut arguments: Vec<String> =
            ["--foreground", "--quiet", "--no-dhcp-search"].iter().map(|s| (*s).to_owned()).collect();
        let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
        // The socket is passt's standard input: inherited by it and by no other program.
        add("--fd", "0".into());
        add("--address", guest.to_string());
        add("--netmask", prefix.to_string());
        add("--gateway", self.gateway4.to_string());
        add("--mtu", self.mtu.to_string());
        if let Some((guest, gateway)) = self.guest6 {
            add("--address", guest.to_string());
            add("--gateway", gateway.to_string());
        }
        for server in &self.dns {
            add("--dns", server.to_string());
        }
        if let Some(address) = self.dns_forward {
            add("--dns-forward", address.to_string());
        }
        for publish in &self.publish {
            let option = match publish.protocol {
                Protocol::Tcp => "--tcp-ports",
                Protocol::Udp => "--udp-ports",
            };
            add(option, format!("{}/{}:{}", publish.listen.ip(), publish.listen.port(), publish.guest_port));
        }
        if self.guest6.is_none() {
            arguments.push("--ipv4-only".into());
        }
        if self.dns.is_empty() {
            arguments.push("--no-dhcp-dns".into());
        }
        arguments
    }
}

/// Why there is no network through passt. Each says what to do.
#[derive(Debug)]
pub enum PasstError {
    /// There is no such program.
    Missing(PathBuf),
    /// It ended at once; what it said.
    Refused(String),
    /// It runs and does not answer.
    Silent,
    /// Another failure of the host.
    Host(&'static str, io::Error),
}

impl fmt::Display for PasstError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(program) => write!(
                f,
                "`--net user` needs the program {}: install the package `passt`, or use `--net tap` or `--net none`",
                program.display()
            ),
            Self::Refused(said) => write!(f, "passt did not start: {said}"),
            Self::Silent => write!(f, "passt started and does not answer: see whether `passt --foreground` works"),
            Self::Host(what, e) => write!(f, "cannot {what} for passt: {e}"),
        }
    }
}

impl std::error::Error for PasstError {}

/// How long passt may take to answer: it takes 0.1 s on an idle machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of length before each frame.
const PREFIX: usize = 4;
/// Longest frame that passt sends or takes.
const MAX_FRAME: usize = 65_535 + 14;
/// Room for a few frames, to read many with one call.
const BUFFER: usize = 256 << 10;

/// A running passt and our end of its socket.
#[derive(Debug)]
pub struct Passt {
    child: Child,
    socket: UnixStream,
    mtu: u16,
    /// What was read from the socket and not delivered yet: `buffer[start..end]`.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// The rest of a frame that the socket took in part.
    unsent: Vec<u8>,
}

impl Passt {
    /// Starts passt and waits until it answers.
    ///
    /// # Errors
    /// [`PasstError`].
    pub fn start(options: &PasstOptions) -> Result<Self, PasstError> {
        let pair = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let (ours, theirs) = pair.map_err(|e| PasstError::Host("make a socket", e.into()))?;
        let said = rustix::fs::memfd_create("passt", MemfdFlags::CLOEXEC);
        let mut said = File::from(said.map_err(|e| PasstError::Host("make a file", e.into()))?);
        let stderr = said.try_clone().map_err(|e| PasstError::Host("make a file", e))?;
        let child = Command::new(&options.program)
            .args(options.arguments())
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(|e| match e.kind() {
                io::ErrorKind::NotFound => PasstError::Missing(options.program.clone()),
                _ => PasstError::Host("start the program", e),
            })?;
        let mut passt = Self {
            child,
            socket: UnixStream::from(ours),
            mtu: options.mtu,
            buffer: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
            unsent: Vec::new(),
        };
        match passt.await_answer(options) {
            Ok(true) => Ok(passt),
            Ok(false) => Err(PasstError::Silent),
            Err(_) => Err(PasstError::Refused(last_words(&mut said))),
        }
    }

    /// The guest's hardware address: passt sends to the one that it heard last, and until the guest
    /// speaks that is the one that asked for the gateway.
    pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    /// Asks for the gateway's hardware address (RFC 826) until there is an answer.
    fn await_answer(&mut self, options: &PasstOptions) -> io::Result<bool> {
        let mut request = vec![0, 0, 0, 42];
        request.extend([0xff; 6]);
        request.extend(Self::MAC);
        request.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        request.extend(Self::MAC);
        request.extend(options.guest4.0.octets());
        request.extend([0; 6]);
        request.extend(options.gateway4.octets());
        let until = Instant::now() + PATIENCE;
        self.socket.set_read_timeout(Some(PATIENCE))?;
        rustix::net::send(&self.socket, &request, rustix::net::SendFlags::NOSIGNAL)?;
        let mut answered = false;
        while !answered && Instant::now() < until {
            match self.fill() {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
            while let Some(frame) = self.frame()? {
                let frame = self.buffer.get(frame).unwrap_or_default();
                answered |= frame.get(12..14) == Some(&[8, 6]) && frame.get(20..22) == Some(&[0, 2]);
                self.start += PREFIX + frame.len();
            }
        }
        self.socket.set_nonblocking(true)?;
        Ok(answered)
    }

    /// Reads once.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        match self.socket.read(room)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "passt has ended")),
            n => {
                self.end += n;
                Ok(())
            }
        }
    }

    /// Where in the buffer the next whole frame lies.
    fn frame(&self) -> io::Result<Option<std::ops::Range<usize>>> {
        let held = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some((prefix, rest)) = held.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let len = u32::from_be_bytes(*prefix) as usize;
        if len > MAX_FRAME {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("passt sent a frame of {len} bytes")));
        }
        let at = self.start + PREFIX;
        Ok((rest.len() >= len).then_some(at..at + len))
    }
}

/// The end of what passt wrote before it gave up, without what it always says: that there is no
/// system log, and that it goes on as another user than root.
fn last_words(said: &mut File) -> String {
    let mut text = Vec::new();
    if said.rewind().is_err() || said.read_to_end(&mut text).is_err() {
        return "it does not say why".into();
    }
    let text = String::from_utf8_lossy(&text);
    let usual = |line: &str| line.is_empty() || line.contains("to syslog") || line.contains("Don't run as root");
    let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !usual(line)).rev().take(3).collect();
    lines.reverse();
    if lines.is_empty() { "it does not say why".into() } else { lines.join("; ") }
}

impl Drop for Passt {
    fn drop(&mut self) {
        // It would end by itself with the socket; this way it is reaped here. It may be gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl FrameSource for Passt {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn offloads(&self) -> u64 {
        0
    }

    fn mtu(&self) -> u16 {
        self.mtu
    }

    fn start(&mut self, _features: u64) -> io::Result<()> {
        Ok(())
    }

    fn send(&mut self, packet: &[Region]) -> io::Result<Sent> {
        if !self.flush()? {
            return Ok(Sent::Blocked);
        }
        let len = total_len(packet).saturating_sub(HEADER_LEN);
        if !(14..=MAX_FRAME).contains(&len) {
            return Ok(Sent::Refused);
        }
        let prefix = (len as u32).to_be_bytes();
        let frame = Parts::of(&cut(packet, HEADER_LEN, len));
        match frame.and_then(|frame| frame.send_with_prefix(self.socket.as_fd(), &prefix)) {
            Ok(n) if n < PREFIX + len => {
                let mut whole = vec![0; PREFIX + len];
                let (head, body) = whole.split_at_mut(PREFIX);
                head.copy_from_slice(&prefix);
                gather(packet, HEADER_LEN, body);
                self.unsent = whole.split_off(n);
                Ok(Sent::Done)
            }
            Ok(_) => Ok(Sent::Done),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Sent::Blocked),
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(Sent::Refused),
            Err(e) => Err(e),
        }
    }

    fn receive(&mut self, room: &[Region], overflow: &mut [u8]) -> io::Result<Received> {
        let frame = match self.frame()? {
            Some(frame) => frame,
            None => {
                match self.fill() {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
                    filled => filled?,
                }
                let Some(frame) = self.frame()? else { return Ok(Received::Nothing) };
                frame
            }
        };
        let bytes = self.buffer.get(frame).unwrap_or_default();
        let len = HEADER_LEN + bytes.len();
        self.start += PREFIX + bytes.len();
        if scatter(room, 0, &[0; HEADER_LEN]) < HEADER_LEN {
            return Ok(Received::Cut);
        }
        let (_, rest) = bytes.split_at(scatter(room, HEADER_LEN, bytes));
        match overflow.get_mut(..rest.len()) {
            Some(overflow) => overflow.copy_from_slice(rest),
            None => return Ok(Received::Cut),
        }
        Ok(Received::Packet(len))
    }

    fn flush(&mut self) -> io::Result<bool> {
        if self.unsent.is_empty() {
            return Ok(true);
        }
        match rustix::net::send(&self.socket, &self.unsent, rustix::net::SendFlags::NOSIGNAL) {
            Ok(n) => {
                self.unsent.drain(..n);
                Ok(self.unsent.is_empty())
            }
            Err(rustix::io::Errno::AGAIN) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests;
