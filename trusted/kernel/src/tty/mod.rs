//! Terminals: a line discipline between a program and whoever sits at the other end, which is the
//! master of a pseudo-terminal (pty(7)) or the console.

pub mod console;
mod devpts;
mod file;
mod ioctl;
mod job;
mod line;
mod output;
mod pty;
mod streams;
mod termios;

pub use devpts::{mount, path};
pub use file::TtyFile;
pub use ioctl::shown;
pub use job::{give_up, session_of};
pub use pty::Master;
pub use streams::{Places, Streams};

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use line::Line;
use rkt_linux_abi::general::{
    EXTPROC, IXON, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM, SIGWINCH, TIOCPKT_DOSTOP,
    TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHWRITE, TIOCPKT_IOCTL, TIOCPKT_NOSTOP, TIOCPKT_START, TIOCPKT_STOP, VSTART, VSTOP,
};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use termios::Termios;

/// Most bytes on their way in either direction (Linux' tty_buffer limit).
const IN_TRANSIT: usize = 64 << 10;
/// Bytes that the other end has as good as read: a flush does not reach them (N_TTY_BUF_SIZE).
const DELIVERED: usize = 4096;
/// Every event that poll(2) may wait for here.
const ANY: u32 = POLLIN | POLLOUT | POLLHUP | POLLPRI | POLLRDNORM | POLLWRNORM;

/// A terminal.
pub struct Tty {
    state: Mutex<State>,
    job: Mutex<job::Job>,
    /// Those who wait at the program's end.
    changed: Arc<WaitQueue>,
    /// Those who wait at the other end.
    other_changed: Arc<WaitQueue>,
    /// Hangups so far: files that were opened before one are dead.
    hangups: AtomicU32,
    /// Device number.
    device: u64,
    /// Moves bytes to and from the other end, where that has no thread of its own.
    pump: fn(&Arc<Tty>),
}

/// What the lock guards.
struct State {
    modes: Termios,
    /// The bits of the modes, and the control characters, that nobody changes (ioctl_tty(2), TIOCSLCKTRMIOS).
    locked: Termios,
    /// Rows, columns, and both in pixels: `struct winsize`.
    size: [u16; 4],
    line: Line,
    /// Typed, and not yet seen by the line discipline.
    arriving: VecDeque<u8>,
    /// Written and processed, for the other end.
    leaving: VecDeque<u8>,
    /// Echoes while output is stopped.
    held: VecDeque<u8>,
    stopped: bool,
    /// Packet mode, and what happened that its next packet tells (ioctl_tty(2), TIOCPKT).
    packets: bool,
    status: u32,
    /// Open files at the program's end, and whether there ever was one.
    users: usize,
    used: bool,
    /// The other end can be opened by its name.
    unlocked: bool,
    exclusive: bool,
}

impl State {
    fn note(&mut self, set: u32, clear: u32) {
        if self.packets {
            self.status = self.status & !clear | set;
        }
    }

    /// Stops output, or lets it go on.
    fn set_flow(&mut self, on: bool) {
        if on && self.stopped {
            let held = core::mem::take(&mut self.held);
            self.leaving.extend(held);
            self.note(TIOCPKT_START, TIOCPKT_STOP);
        } else if !on && !self.stopped {
            self.note(TIOCPKT_STOP, TIOCPKT_START);
        }
        self.stopped = !on;
    }

    /// Runs what has arrived through the line discipline, as long as there is room; gives the signals
    /// for the foreground group.
    fn digest(&mut self) -> VecDeque<u32> {
        let mut signals = VecDeque::new();
        let mut echoes = VecDeque::new();
        while self.line.has_room(&self.modes)
            && let Some(byte) = self.arriving.pop_front()
        {
            let wanted = self.line.receive(byte, self.stopped, &self.modes, &mut echoes);
            if wanted.flush {
                self.held.clear();
                self.leaving.truncate(DELIVERED);
                self.note(TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE, 0);
            }
            if let Some(on) = wanted.flow {
                self.show(&mut echoes);
                self.set_flow(on);
            }
            signals.extend(wanted.signal);
        }
        self.show(&mut echoes);
        signals
    }

    /// Sends echoes on their way, unless nobody takes them.
    fn show(&mut self, echoes: &mut VecDeque<u8>) {
        let to = if self.stopped { &mut self.held } else { &mut self.leaving };
        if to.len() < IN_TRANSIT {
            to.append(echoes);
        }
        echoes.clear();
    }

    fn flush_input(&mut self) {
        self.arriving.clear();
        self.line.flush();
        self.note(TIOCPKT_FLUSHREAD, 0);
    }

    fn flush_output(&mut self) {
        self.leaving.truncate(DELIVERED);
        self.held.clear();
        self.note(TIOCPKT_FLUSHWRITE, 0);
    }

    fn set_modes(&mut self, modes: Termios) {
        let settled = modes.settled().with_locked(&self.modes, &self.locked);
        let before = core::mem::replace(&mut self.modes, settled);
        self.line.change_modes(&before, &self.modes);
        // The master of remote logins sees changes of flow control and of EXTPROC.
        let flows =
            |modes: &Termios| modes.input_has(IXON) && (modes.number(VSTOP), modes.number(VSTART)) == (0o23, 0o21);
        if (before.local ^ self.modes.local) & EXTPROC != 0 || before.local_has(EXTPROC) {
            self.note(TIOCPKT_IOCTL, 0);
        }
        match (flows(&before), flows(&self.modes)) {
            (true, false) => self.note(TIOCPKT_NOSTOP, TIOCPKT_DOSTOP),
            (false, true) => self.note(TIOCPKT_DOSTOP, TIOCPKT_NOSTOP),
            _ => {}
        }
        if !self.modes.input_has(IXON) && before.input_has(IXON) {
            self.set_flow(true);
        }
    }
}

impl Tty {
    fn new(device: u64, modes: Termios, pump: fn(&Arc<Tty>)) -> Arc<Tty> {
        Arc::new(Tty {
            state: Mutex::new(State {
                modes,
                locked: Termios::NONE,
                size: [0; 4],
                line: Line::default(),
                arriving: VecDeque::new(),
                leaving: VecDeque::new(),
                held: VecDeque::new(),
                stopped: false,
                packets: false,
                status: 0,
                users: 0,
                used: false,
                unlocked: false,
                exclusive: false,
            }),
            job: Mutex::default(),
            changed: Arc::new(WaitQueue::new()),
            other_changed: Arc::new(WaitQueue::new()),
            hangups: AtomicU32::new(0),
            device,
            pump,
        })
    }

    /// Device number, as stat(2) shows it.
    pub fn device(&self) -> u64 {
        self.device
    }

    /// Something changed at either end.
    fn notify(self: &Arc<Self>) {
        (self.pump)(self);
        self.wake();
    }

    fn wake(&self) {
        self.changed.wake_all(ANY);
        self.other_changed.wake_all(ANY);
    }

    /// Bytes of the other end that can arrive now.
    fn room(&self) -> usize {
        IN_TRANSIT.saturating_sub(self.state.lock().arriving.len())
    }

    fn modes(&self) -> Termios {
        self.state.lock().modes
    }

    /// Bytes that read(2) would find: FIONREAD.
    fn readable(&self) -> usize {
        let state = self.state.lock();
        state.line.readable(&state.modes)
    }

    /// Bytes on their way to the other end.
    fn leaving(&self) -> usize {
        self.state.lock().leaving.len()
    }

    /// Hangups so far.
    fn hangups(&self) -> u32 {
        self.hangups.load(Ordering::SeqCst)
    }

    /// Takes what the other end sends; [`Tty::digest`] and a notification have to follow.
    fn arrive(&self, bytes: &[u8]) {
        self.state.lock().arriving.extend(bytes);
    }

    /// Waits until everything has left, or the other end has `gone`.
    fn drain(self: &Arc<Self>, gone: impl Fn() -> bool) {
        self.changed.wait_uninterruptible(|| {
            (self.pump)(self);
            (self.leaving() == 0 || gone()).then_some(())
        });
    }

    /// Lets the line discipline go on, and sends the signals that come of it.
    fn digest(&self) {
        let signals = self.state.lock().digest();
        for signal in signals {
            self.signal_foreground(signal);
        }
    }

    /// Takes what goes to the other end.
    fn depart(&self, into: &mut [u8]) -> usize {
        let mut state = self.state.lock();
        let n = into.len().min(state.leaving.len());
        for (to, from) in into.iter_mut().zip(state.leaving.drain(..n)) {
            *to = from;
        }
        n
    }

    /// Sets the size, and tells the foreground group if it is another.
    pub fn set_size(&self, size: [u16; 4]) {
        let before = core::mem::replace(&mut self.state.lock().size, size);
        if before != size {
            self.signal_foreground(SIGWINCH);
        }
    }

    /// The other end has gone.
    fn hang_up(self: &Arc<Self>) {
        self.hangups.fetch_add(1, Ordering::SeqCst);
        self.state.lock().flush_input();
        self.lose_session();
        self.wake();
    }
}
