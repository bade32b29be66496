//! The standard streams of the first program: as files or, with `-t`, as a terminal whose line
//! discipline is ours: the host's terminal passes everything on as it is.

use super::Tty;
use super::TtyFile;
use super::streams::{Places, Streams};
use super::termios::Termios;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_manifest::{Stdio, Stream};
use rkt_sync::OnceCell;
use rkt_vfs::{FsContext, OpenFile, Path, make_device};
use rkt_window::ByteRing;
use rkt_window::layout::{self, header};
use zerocopy::{FromBytes, IntoBytes};

struct Console {
    streams: Arc<Streams>,
    stdio: Stdio,
}

static CONSOLE: OnceCell<Console> = OnceCell::new();

/// Opens the rings that the manifest allows.
pub fn start(stdio: Stdio) {
    if stdio.tty {
        let _ = TERMINAL.set(open_terminal());
    }
    let place = |stream: Stream, offset: usize| {
        let ring = || rkt_platform::window().sub(offset, ByteRing::region_len(layout::STDIO_CAPACITY)).ok();
        (stream == Stream::Plain).then(ring).flatten()
    };
    let places = Places {
        input: place(stdio.stdin, layout::STDIN),
        output: [place(stdio.stdout, layout::STDOUT), place(stdio.stderr, layout::STDERR)],
    };
    let _ = CONSOLE.set(Console { streams: Streams::open(places, 0, |_| rkt_platform::ring_console(), 0), stdio });
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
    match TERMINAL.get() {
        Some(tty) if console.streams.has_terminal_work(tty) => {
            console.streams.carry(tty);
            true
        }
        Some(_) => false,
        None => console.streams.poll(),
    }
}

/// Whether `poll` would wake somebody.
pub fn has_work() -> bool {
    CONSOLE.get().is_some_and(|console| match TERMINAL.get() {
        Some(tty) => console.streams.has_terminal_work(tty),
        None => console.streams.has_work(),
    })
}

/// Says that no more output follows. The supervisor empties the rings before it ends.
pub fn drain() {
    let Some(console) = CONSOLE.get() else { return };
    if let Some(tty) = TERMINAL.get() {
        console.streams.drain(tty);
    }
    console.streams.end_output();
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

/// Moves bytes between the terminal and the rings.
fn pump(tty: &Arc<Tty>) {
    if let Some(console) = CONSOLE.get() {
        console.streams.carry(tty);
    }
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

/// Opens a standard stream that goes somewhere; none if it does not.
pub fn open(at: Path, number: usize, flags: u32, context: &FsContext) -> Option<Arc<OpenFile>> {
    let console = CONSOLE.get()?;
    Some(match TERMINAL.get() {
        Some(tty) => OpenFile::new(at, TtyFile::new(tty), flags, context.credentials.clone()),
        None => console.streams.file(number, flags, context),
    })
}
