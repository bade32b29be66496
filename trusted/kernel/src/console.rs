//! Standard streams: rings in the window, as a character device.
//!
//! What comes in is hostile input; what goes out is plain text for whoever holds the terminal
//! (DESIGN §3.7).

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use rkt_linux_abi::general::{POLLERR, POLLHUP, POLLIN, POLLOUT};
use rkt_linux_abi::ioctl::{FIONREAD, TCGETS, TCSETS, TCSETSF, TCSETSW, TIOCGPGRP, TIOCGWINSZ, TIOCSPGRP};
use rkt_linux_abi::{Errno, Result};
use rkt_log::Event;
use rkt_manifest::{Stdio, Stream};
use rkt_sched::WaitQueue;
use rkt_sync::{Mutex, OnceCell};
use rkt_user::{IoSink, IoSource, UserSlice};
use rkt_vfs::{FileOps, OpenFile, PollTable};
use rkt_window::layout::{self, header};
use rkt_window::{ByteRing, RingError, Side};

/// Bytes moved at once between a ring and user memory.
const CHUNK: usize = 4096;

/// One direction.
struct Channel {
    ring: Mutex<Option<ByteRing>>,
    queue: Arc<WaitQueue>,
    broken: AtomicBool,
    number: u64,
}

impl Channel {
    fn open(offset: usize, side: Side, on: bool, number: u64) -> Self {
        let region = rkt_platform::window().sub(offset, ByteRing::region_len(layout::STDIO_CAPACITY));
        let ring = region.ok().filter(|_| on).and_then(|region| ByteRing::open(region, side).ok());
        Self { ring: Mutex::new(ring), queue: Arc::new(WaitQueue::new()), broken: AtomicBool::new(false), number }
    }

    /// Bytes that can be moved now; none once the stream has ended or the host broke the ring.
    fn ready(&self) -> Option<usize> {
        let ring = self.ring.lock();
        let ring = ring.as_ref()?;
        match ring.available() {
            Ok(n) => Some(n),
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    fn fail(&self, error: RingError) {
        if !self.broken.swap(true, Ordering::Relaxed) {
            let (own, peer) = match error {
                RingError::Index { own, peer } => (u64::from(own), u64::from(peer)),
                RingError::Layout => (0, 0),
            };
            crate::log::event(Event::RingError, &[self.number, own, peer]);
        }
    }

    /// Moves up to one chunk into the ring. The room is looked up and used under one lock, so that
    /// what another writer puts in between cannot displace bytes that were already taken.
    fn put_chunk(&self, from: &mut IoSource<'_>) -> Result<usize> {
        let mut ring = self.ring.lock();
        let ring = ring.as_mut().ok_or(Errno::EPIPE)?;
        let room = ring.available().map_err(|_| Errno::EPIPE)?;
        let mut chunk = [0; CHUNK];
        let piece = chunk.get_mut(..room.min(CHUNK)).ok_or(Errno::EIO)?;
        let n = if piece.is_empty() { 0 } else { from.take(piece)? };
        ring.put(piece.get(..n).unwrap_or(&[])).map_err(|_| Errno::EPIPE)
    }

    fn ended(&self) -> bool {
        self.broken.load(Ordering::Relaxed) || self.ring.lock().as_ref().is_none_or(ByteRing::peer_shut)
    }
}

struct Console {
    input: Channel,
    output: [Channel; 2],
    stdio: Stdio,
}

static CONSOLE: OnceCell<Console> = OnceCell::new();

/// Opens the rings that the manifest allows.
pub fn start(stdio: Stdio) {
    let on = |stream| stream == Stream::Plain;
    let mut modes = [0; TERMIOS_LEN];
    if stdio.tty && rkt_platform::window().read(header::TERMIOS, &mut modes).is_ok() && modes != [0; TERMIOS_LEN] {
        *MODES.lock() = modes; // what the host's terminal is set to
    }
    let _ = CONSOLE.set(Console {
        input: Channel::open(layout::STDIN, Side::Consumer, on(stdio.stdin), 0),
        output: [
            Channel::open(layout::STDOUT, Side::Producer, on(stdio.stdout), 1),
            Channel::open(layout::STDERR, Side::Producer, on(stdio.stderr), 2),
        ],
        stdio,
    });
}

/// Whether a standard stream goes anywhere.
pub fn is_open(number: usize) -> bool {
    let Some(console) = CONSOLE.get() else { return false };
    let stream = [console.stdio.stdin, console.stdio.stdout, console.stdio.stderr];
    stream.get(number) == Some(&Stream::Plain)
}

/// Whether the standard streams are a terminal.
pub fn is_terminal() -> bool {
    CONSOLE.get().is_some_and(|console| console.stdio.tty)
}

/// Wakes whoever waits for a stream that moved. Called by the poller.
pub fn poll() -> bool {
    let Some(console) = CONSOLE.get() else { return false };
    let mut any = false;
    if !console.input.queue.is_empty() && (console.input.ready() > Some(0) || console.input.ended()) {
        console.input.queue.wake_all(POLLIN);
        any = true;
    }
    for channel in &console.output {
        if !channel.queue.is_empty() && (channel.ready() > Some(0) || channel.ended()) {
            channel.queue.wake_all(POLLOUT);
            any = true;
        }
    }
    any
}

/// Whether `poll` would wake somebody.
pub fn has_work() -> bool {
    CONSOLE.get().is_some_and(|console| {
        let waits = |channel: &Channel| !channel.queue.is_empty() && (channel.ready() > Some(0) || channel.ended());
        waits(&console.input) || console.output.iter().any(waits)
    })
}

/// Says that no more output follows. The supervisor empties the rings before it ends.
pub fn drain() {
    if let Some(console) = CONSOLE.get() {
        for channel in &console.output {
            if let Some(ring) = channel.ring.lock().as_ref() {
                ring.shut();
            }
        }
    }
    rkt_platform::ring_console();
}

/// A standard stream as a file: 0 reads, 1 and 2 write; a terminal does both.
pub struct StandardStream {
    /// Its number.
    pub number: usize,
}

impl StandardStream {
    fn output(&self) -> usize {
        usize::from(self.number == 2)
    }
}

impl FileOps for StandardStream {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        let input = &CONSOLE.get().ok_or(Errno::EIO)?.input;
        let wait = || match input.ready() {
            Some(0) if !input.ended() => None,
            Some(n) => Some(n),
            None => Some(0),
        };
        let ready = if file.nonblocking() {
            wait().ok_or(Errno::EAGAIN)?
        } else {
            input.queue.wait(None, wait).map_err(|_| Errno::ERESTARTSYS)?
        };
        let mut left = ready.min(into.remaining());
        let mut chunk = [0; CHUNK];
        while left > 0 {
            let piece = chunk.get_mut(..left.min(CHUNK)).ok_or(Errno::EIO)?;
            let n = match input.ring.lock().as_mut().map(|ring| ring.take(piece)) {
                Some(Ok(n)) => n,
                _ => break,
            };
            if n == 0 {
                break;
            }
            into.put(piece.get(..n).unwrap_or(&[]))?;
            left -= n;
        }
        rkt_platform::ring_console();
        Ok(into.done())
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        let channel = CONSOLE.get().and_then(|console| console.output.get(self.output())).ok_or(Errno::EIO)?;
        while from.remaining() > 0 {
            let room = channel.ready().filter(|_| !channel.ended()).ok_or(Errno::EPIPE);
            let room = match room {
                Ok(room) => room,
                Err(_) if from.done() > 0 => break,
                Err(error) => return Err(error),
            };
            if room == 0 {
                rkt_platform::ring_console();
                if file.nonblocking() {
                    break;
                }
                let moved = channel.queue.wait(None, || (channel.ready() != Some(0) || channel.ended()).then_some(()));
                if moved.is_err() {
                    break;
                }
                continue;
            }
            match channel.put_chunk(from) {
                Ok(_) => {}
                Err(_) if from.done() > 0 => break,
                Err(error) => return Err(error),
            }
        }
        rkt_platform::ring_console();
        match from.done() {
            0 if from.remaining() > 0 && file.nonblocking() => Err(Errno::EAGAIN),
            0 if from.remaining() > 0 => Err(Errno::ERESTARTSYS),
            n => Ok(n),
        }
    }

    fn pollable(&self) -> bool {
        true
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        let Some(console) = CONSOLE.get() else { return POLLERR };
        let Some(output) = console.output.get(self.output()) else { return POLLERR };
        if let Some(table) = table {
            table.watch(&console.input.queue);
            table.watch(&output.queue);
        }
        let mut events = 0;
        if self.number == 0 || is_terminal() {
            events |= if console.input.ready() > Some(0) { POLLIN } else { 0 };
            events |= if console.input.ended() { POLLIN | POLLHUP } else { 0 };
        }
        if self.number != 0 || is_terminal() {
            events |= if output.ready() > Some(0) { POLLOUT } else { 0 };
            events |= if output.ended() { POLLERR } else { 0 };
        }
        events
    }

    fn ioctl(&self, _: &OpenFile, command: u32, argument: u64) -> Result<i64> {
        if command == FIONREAD {
            let ready = CONSOLE.get().and_then(|console| console.input.ready()).unwrap_or(0) as i32;
            UserSlice::new(argument, 4)?.write_all(&ready.to_ne_bytes())?;
            return Ok(0);
        }
        if !is_terminal() {
            return Err(Errno::ENOTTY);
        }
        terminal(command, argument)
    }
}

/// Bytes of `struct termios` of the kernel's ABI.
const TERMIOS_LEN: usize = 36;
/// A terminal's modes until the application sets others (tty_std_termios): ICRNL|IXON, OPOST|ONLCR,
/// 38400 baud CS8 CREAD HUPCL, ISIG ICANON ECHO ECHOE ECHOK ECHOCTL ECHOKE IEXTEN, and the control characters.
const STANDARD: [u8; TERMIOS_LEN] = [
    0x00, 0x05, 0, 0, 0x05, 0, 0, 0, 0xbf, 0x04, 0, 0, 0x3b, 0x8a, 0, 0, 0, 3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0,
    18, 15, 23, 22, 0, 0, 0,
];

static MODES: Mutex<[u8; TERMIOS_LEN]> = Mutex::new(STANDARD);
static GROUP: AtomicU32 = AtomicU32::new(crate::boot::FIRST_PID as u32);

/// ioctl_tty(2): the line discipline is the host's; modes are passed on to it.
fn terminal(command: u32, argument: u64) -> Result<i64> {
    let window = rkt_platform::window();
    match command {
        TCGETS => UserSlice::new(argument, TERMIOS_LEN)?.write_all(&*MODES.lock())?,
        TCSETS | TCSETSW | TCSETSF => {
            let mut modes = [0; TERMIOS_LEN];
            if UserSlice::new(argument, TERMIOS_LEN)?.read(&mut modes) < TERMIOS_LEN {
                return Err(Errno::EFAULT);
            }
            *MODES.lock() = modes;
            window.write(header::TERMIOS, &modes).map_err(|_| Errno::EIO)?;
            let seq = window.atomic_u32(header::TERMIOS_SEQ).map_err(|_| Errno::EIO)?;
            seq.fetch_add(1, Ordering::Release);
            rkt_platform::ring_console();
        }
        TIOCGWINSZ => {
            let size = window.read_u32(header::WINSIZE).map_err(|_| Errno::EIO)?;
            let mut bytes = [0; 8];
            bytes[..4].copy_from_slice(&size.to_le_bytes());
            UserSlice::new(argument, 8)?.write_all(&bytes)?;
        }
        TIOCGPGRP => UserSlice::new(argument, 4)?.write_all(&GROUP.load(Ordering::Relaxed).to_ne_bytes())?,
        TIOCSPGRP => {
            let mut bytes = [0; 4];
            if UserSlice::new(argument, 4)?.read(&mut bytes) < 4 {
                return Err(Errno::EFAULT);
            }
            GROUP.store(u32::from_ne_bytes(bytes), Ordering::Relaxed);
        }
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}

/// Opens a standard stream.
pub fn open(at: rkt_vfs::Path, number: usize, flags: u32, context: &rkt_vfs::FsContext) -> Arc<OpenFile> {
    OpenFile::new(at, Arc::new(StandardStream { number }), flags, context.credentials.clone())
}
