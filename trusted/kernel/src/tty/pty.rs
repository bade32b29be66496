//! Pseudo-terminals (pty(7)): /dev/ptmx gives a new master; the program's end is in /dev/pts.

use super::devpts::Node;
use super::termios::Termios;
use super::{IN_TRANSIT, Tty, TtyFile};
use crate::task;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{O_NOCTTY, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM, TIOCPKT_DATA};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::Mutex;
use rkt_user::{IoSink, IoSource};
use rkt_vfs::dev::{self, CharDevice};
use rkt_vfs::{FileOps, OpenFile, PollTable, make_device};

/// Major number of the program's ends (UNIX98_PTY_SLAVE_MAJOR).
pub const PTS_MAJOR: u32 = 136;
/// Most pseudo-terminals (kernel.pty.max).
const MOST: u32 = 4096;
/// Bytes moved at once.
const CHUNK: usize = 4096;

/// An entry of /dev/pts.
#[derive(Clone)]
pub struct Entry {
    /// The terminal.
    pub tty: Arc<Tty>,
    /// Its name in /dev/pts.
    pub node: Arc<Node>,
}

static PAIRS: Mutex<BTreeMap<u32, Entry>> = Mutex::new(BTreeMap::new());

/// The pseudo-terminal of this number.
pub fn find(number: u32) -> Option<Entry> {
    PAIRS.lock().get(&number).cloned()
}

/// Numbers in use, in order.
pub fn numbers() -> Vec<u32> {
    PAIRS.lock().keys().copied().collect()
}

/// /dev/ptmx.
pub struct Multiplexer;

impl CharDevice for Multiplexer {
    fn open(&self, _minor: u32, _flags: u32) -> Result<Arc<dyn FileOps>> {
        let owner = task::try_current().map_or(0, |task| task.process.credentials().uid);
        let master: Arc<Master> = Master::make(owner, |_| ())?;
        Ok(master)
    }
}

/// Entries of /dev/pts.
struct Slave;

impl CharDevice for Slave {
    fn open(&self, minor: u32, flags: u32) -> Result<Arc<dyn FileOps>> {
        open_slave(minor, flags).map(|file| file as Arc<dyn FileOps>)
    }
}

/// Opens the program's end.
///
/// # Errors
/// `EIO` if there is none, or it is locked (unlockpt(3)).
pub fn open_slave(number: u32, flags: u32) -> Result<Arc<TtyFile>> {
    let tty = find(number).ok_or(Errno::EIO)?.tty;
    if !tty.state.lock().unlocked {
        return Err(Errno::EIO);
    }
    super::devpts::open(&tty, flags & O_NOCTTY != 0)
}

/// The master's end.
pub struct Master {
    /// The terminal.
    pub tty: Arc<Tty>,
    /// Its number in /dev/pts.
    pub number: u32,
}

impl Drop for Master {
    fn drop(&mut self) {
        let entry = PAIRS.lock().remove(&self.number);
        dev::unregister(PTS_MAJOR, self.number);
        self.tty.hang_up();
        drop(entry);
    }
}

impl Master {
    /// A master of the kernel's, for a program that has its end already. `pump` moves the bytes.
    ///
    /// # Errors
    /// `ENOSPC` if there are too many.
    pub fn new(pump: fn(&Arc<Tty>)) -> Result<Arc<Master>> {
        let master = Self::make(crate::boot::manifest().user.uid, pump)?;
        master.tty.state.lock().unlocked = true;
        Ok(master)
    }

    fn make(owner: u32, pump: fn(&Arc<Tty>)) -> Result<Arc<Master>> {
        let mut pairs = PAIRS.lock();
        let number = (0..MOST).find(|number| !pairs.contains_key(number)).ok_or(Errno::ENOSPC)?;
        let tty = Tty::new(make_device(PTS_MAJOR, number), Termios::STANDARD, pump);
        pairs.insert(number, Entry { tty: tty.clone(), node: Node::of_terminal(number, owner) });
        drop(pairs);
        dev::register(PTS_MAJOR, number, Arc::new(Slave));
        Ok(Arc::new(Master { tty, number }))
    }

    /// What read(2) finds: status of packet mode, or bytes.
    fn take(&self, into: &mut [u8]) -> Option<Result<usize>> {
        let (packets, status) = {
            let mut state = self.tty.state.lock();
            if !state.packets && state.leaving.is_empty()
                || state.packets && state.status == 0 && state.leaving.is_empty()
            {
                return (state.used && state.users == 0).then_some(Err(Errno::EIO));
            }
            (state.packets, core::mem::take(&mut state.status))
        };
        let [first, rest @ ..] = into else { return Some(Ok(0)) };
        if !packets {
            return Some(Ok(self.tty.depart(into)));
        }
        *first = if status == 0 { TIOCPKT_DATA as u8 } else { status as u8 };
        Some(Ok(1 + if status == 0 { self.tty.depart(rest) } else { 0 }))
    }
}

impl FileOps for Master {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        let mut chunk = [0; CHUNK];
        let piece = chunk.get_mut(..into.remaining().min(CHUNK)).unwrap_or(&mut []);
        if piece.is_empty() {
            return Ok(0);
        }
        let n = match self.take(piece) {
            Some(found) => found?,
            None if file.nonblocking() => return Err(Errno::EAGAIN),
            None => self.tty.other_changed.wait(None, || self.take(piece)).map_err(|_| Errno::ERESTARTSYS)??,
        };
        self.tty.wake();
        into.put(chunk.get(..n).unwrap_or(&[]))
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        let mut chunk = [0; CHUNK];
        while from.remaining() > 0 {
            let look = || Some(self.tty.room()).filter(|&room| room > 0);
            let room = match look() {
                Some(room) => Ok(room),
                None if file.nonblocking() => Err(Errno::EAGAIN),
                None => self.tty.other_changed.wait(None, look).map_err(|_| Errno::ERESTARTSYS),
            };
            let moved = room.and_then(|room| {
                let piece = chunk.get_mut(..room.min(CHUNK).min(from.remaining())).unwrap_or(&mut []);
                let n = from.take(piece)?;
                self.tty.arrive(chunk.get(..n).unwrap_or(&[]));
                self.tty.digest();
                self.tty.wake();
                Ok(n)
            });
            match moved {
                Ok(_) => {}
                Err(_) if from.done() > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(from.done())
    }

    fn pollable(&self) -> bool {
        true
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        if let Some(table) = table {
            table.watch(&self.tty.other_changed);
        }
        let state = self.tty.state.lock();
        let mut events = 0;
        if !state.leaving.is_empty() {
            events |= POLLIN | POLLRDNORM;
        }
        if state.packets && state.status != 0 {
            events |= POLLPRI | POLLIN | POLLRDNORM;
        }
        if state.used && state.users == 0 {
            events |= POLLHUP;
        }
        if state.arriving.len() < IN_TRANSIT {
            events |= POLLOUT | POLLWRNORM;
        }
        events
    }

    fn ioctl(&self, _: &OpenFile, command: u32, argument: u64) -> Result<i64> {
        super::ioctl::of_master(self, command, argument)
    }
}
