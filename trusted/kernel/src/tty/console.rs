//! Standard streams: rings in the window, as streams of bytes or, with `-t`, as a terminal whose
//! line discipline is ours: the host's terminal passes everything on as it is.
//!
//! What comes in is hostile input; what goes out is plain text for whoever holds the terminal
//! (DESIGN §3.7).

use super::termios::Termios;
use super::{Tty, TtyFile};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use rkt_linux_abi::general::{POLLERR, POLLHUP, POLLIN, POLLOUT, S_IFIFO};
use rkt_linux_abi::ioctl::FIONREAD;
use rkt_linux_abi::{Errno, Result};
use rkt_log::Event;
use rkt_manifest::{Stdio, Stream};
use rkt_sched::WaitQueue;
use rkt_sync::{Mutex, OnceCell};
use rkt_user::{IoSink, IoSource, UserSlice};
use rkt_vfs::lock::FileLocks;
use rkt_vfs::{FileOps, FileType, Inode, Metadata, OpenFile, PollTable, make_device};
use rkt_window::layout::{self, header};
use rkt_window::{ByteRing, RingError, Side};
use zerocopy::{FromBytes, IntoBytes};

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
    if stdio.tty {
        let _ = TERMINAL.set(open_terminal());
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
    if let Some(tty) = TERMINAL.get() {
        return has_terminal_work(console, tty) && {
            pump(tty);
            true
        };
    }
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
        if let Some(tty) = TERMINAL.get() {
            return has_terminal_work(console, tty);
        }
        let waits = |channel: &Channel| !channel.queue.is_empty() && (channel.ready() > Some(0) || channel.ended());
        waits(&console.input) || console.output.iter().any(waits)
    })
}

/// Says that no more output follows. The supervisor empties the rings before it ends.
pub fn drain() {
    if let (Some(console), Some(tty)) = (CONSOLE.get(), TERMINAL.get()) {
        let [output, _] = &console.output;
        tty.drain(|| output.ended());
    }
    if let Some(console) = CONSOLE.get() {
        for channel in &console.output {
            if let Some(ring) = channel.ring.lock().as_ref() {
                ring.shut();
            }
        }
    }
    rkt_platform::ring_console();
}

/// A standard stream as a file: 0 reads, 1 and 2 write.
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
        if self.number == 0 {
            events |= if console.input.ready() > Some(0) { POLLIN } else { 0 };
            events |= if console.input.ended() { POLLIN | POLLHUP } else { 0 };
        }
        if self.number != 0 {
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
        Err(Errno::ENOTTY)
    }
}

/// The terminal of `-t`.
static TERMINAL: OnceCell<Arc<Tty>> = OnceCell::new();

/// The terminal that the standard streams are, if they are one.
pub fn terminal() -> Option<&'static Arc<Tty>> {
    TERMINAL.get()
}

/// The terminal has the modes that the host's had, which is told to pass everything on.
fn open_terminal() -> Arc<Tty> {
    let window = rkt_platform::window();
    let mut bytes = [0; size_of::<Termios>()];
    let given = window.read(header::TERMIOS, &mut bytes).ok().and_then(|()| Termios::read_from_bytes(&bytes).ok());
    // A host that says nothing, or something odd, gets the usual ones.
    let modes = given.filter(|_| bytes.iter().any(|&byte| byte != 0)).unwrap_or(Termios::STANDARD);
    if window.write(header::TERMIOS, modes.raw().as_bytes()).is_ok()
        && let Ok(seq) = window.atomic_u32(header::TERMIOS_SEQ)
    {
        seq.fetch_add(1, Ordering::Release);
        rkt_platform::ring_console();
    }
    let tty = Tty::new(make_device(5, 1), modes, pump);
    tty.set_size(window_size());
    tty
}

fn window_size() -> [u16; 4] {
    let size = rkt_platform::window().read_u32(header::WINSIZE).unwrap_or(0);
    [size as u16, (size >> 16) as u16, 0, 0]
}

/// The host's terminal has another size.
pub fn resize() {
    if let Some(tty) = TERMINAL.get() {
        tty.set_size(window_size());
    }
}

/// Moves bytes between the terminal and the rings, as far as there is room.
fn pump(tty: &Arc<Tty>) {
    let Some(console) = CONSOLE.get() else { return };
    let [output, _] = &console.output;
    let mut chunk = [0; CHUNK];
    // Under a ring's lock from the one to the other, so that nothing overtakes.
    let mut came = false;
    if let Some(ring) = console.input.ring.lock().as_mut() {
        while let Ok(n @ 1..) = ring.take(chunk.get_mut(..tty.room().min(CHUNK)).unwrap_or(&mut [])) {
            tty.arrive(chunk.get(..n).unwrap_or(&[]));
            came = true;
        }
    }
    if came {
        tty.digest();
    }
    if has_hung_up(console, tty) {
        tty.hang_up();
    }
    let mut went = false;
    if let Some(ring) = output.ring.lock().as_mut() {
        while let Ok(room) = ring.available()
            && let n @ 1.. = tty.depart(chunk.get_mut(..room.min(CHUNK)).unwrap_or(&mut []))
            && ring.put(chunk.get(..n).unwrap_or(&[])).is_ok()
        {
            went = true;
        }
    }
    if went {
        rkt_platform::ring_console();
    }
    if came || went {
        tty.wake();
    }
}

/// The host's terminal has gone.
fn has_hung_up(console: &Console, tty: &Tty) -> bool {
    let ended = console.stdio.stdin == Stream::Plain && console.input.ended() && console.input.ready() == Some(0);
    ended && tty.hangups() == 0
}

fn has_terminal_work(console: &Console, tty: &Arc<Tty>) -> bool {
    let [output, _] = &console.output;
    let leaves = tty.leaving() > 0 && output.ready() > Some(0);
    leaves || tty.room() > 0 && console.input.ready() > Some(0) || has_hung_up(console, tty)
}

/// Opens a standard stream.
pub fn open(at: rkt_vfs::Path, number: usize, flags: u32, context: &rkt_vfs::FsContext) -> Arc<OpenFile> {
    if let Some(tty) = TERMINAL.get() {
        return OpenFile::new(at, TtyFile::new(tty), flags, context.credentials.clone());
    }
    let inode = Arc::new(StreamInode { ino: rkt_vfs::new_anonymous_inode_number(), number, locks: OnceCell::new() });
    let name = alloc::format!("pipe:[{}]", inode.ino);
    OpenFile::anonymous(inode, name.as_bytes(), Arc::new(StandardStream { number }), flags)
}

/// What a standard stream that is no terminal looks like: a pipe, which can be opened again through
/// /dev/stderr and its like.
struct StreamInode {
    ino: u64,
    number: usize,
    locks: OnceCell<Box<FileLocks>>,
}

impl Inode for StreamInode {
    fn kind(&self) -> FileType {
        FileType::Fifo
    }

    fn metadata(&self) -> Metadata {
        let user = &crate::boot::manifest().user;
        let known = Metadata::anonymous(rkt_vfs::anonymous_device(), self.ino, S_IFIFO | 0o600);
        Metadata { uid: user.uid, gid: user.gid, ..known }
    }

    fn open(self: Arc<Self>, _flags: u32) -> Result<Arc<dyn FileOps>> {
        Ok(Arc::new(StandardStream { number: self.number }))
    }

    fn locks(&self) -> Option<&FileLocks> {
        Some(self.locks.get_or_init(Box::default))
    }

    fn existing_locks(&self) -> Option<&FileLocks> {
        self.locks.get().map(|locks| &**locks)
    }
}
