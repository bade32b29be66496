//! Pipes and FIFOs (pipe(7), fifo(7)).

mod content;
mod pass;

use crate::attr::{FileType, Metadata, SetAttributes};
use crate::file::{FileOps, OpenFile};
use crate::inode::{Inode, new_anonymous_inode_number};
use crate::lock::FileLocks;
use crate::mount::anonymous_device;
use crate::poll::{PollTable, READABLE, WRITABLE};
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use content::Content;
use rkt_linux_abi::general::{O_ACCMODE, O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, POLLERR, POLLHUP, S_IFIFO};
use rkt_linux_abi::ioctl::FIONREAD;
use rkt_linux_abi::{Errno, PAGE_SIZE, Result};
use rkt_sched::{WaitError, WaitQueue};
use rkt_sync::{Mutex, OnceCell};
use rkt_user::{IoSink, IoSource, UserPtr};

/// Writes up to this length are atomic (pipe(7)).
pub const PIPE_BUF: usize = 4096;
/// Capacity of a new pipe in pages.
const DEFAULT_SLOTS: usize = 16;
/// Largest capacity that anybody may ask for: /proc/sys/fs/pipe-max-size.
pub const MAX_CAPACITY: usize = 1 << 20;

/// Largest capacity that the privileged get: what Linux can allocate the array of slots for.
const HARD_CAPACITY: usize = 256 << 20;

struct State {
    content: Content,
    readers: usize,
    writers: usize,
    /// How many times each end was ever opened.
    reader_opens: u64,
    writer_opens: u64,
}

/// A pipe, or the pipe of a FIFO.
pub struct Pipe {
    state: Mutex<State>,
    /// Readers wait for bytes, and openers for a writer.
    readers: Arc<WaitQueue>,
    /// Writers wait for room, and openers for a reader.
    writers: Arc<WaitQueue>,
}

impl Default for Pipe {
    fn default() -> Self {
        let state =
            State { content: Content::new(DEFAULT_SLOTS), readers: 0, writers: 0, reader_opens: 0, writer_opens: 0 };
        Self { state: Mutex::new(state), readers: Arc::default(), writers: Arc::default() }
    }
}

fn restart(_: WaitError) -> Errno {
    Errno::ERESTARTSYS
}

impl Pipe {
    /// pipe2(2): the read end and the write end. `flags` are `O_NONBLOCK` and `O_DIRECT`.
    pub fn pair(uid: u32, gid: u32, flags: u32) -> (Arc<OpenFile>, Arc<OpenFile>) {
        let pipe = Arc::new(Pipe::default());
        let meta = PipeInode::attributes(uid, gid);
        let name = format!("pipe:[{}]", meta.ino);
        let inode = Arc::new(PipeInode { pipe: pipe.clone(), meta: Mutex::new(meta), locks: OnceCell::new() });
        let path = crate::Path::anonymous(inode, name.as_bytes());
        let read = pipe.attach(O_RDONLY);
        let write = pipe.attach(O_WRONLY);
        (
            OpenFile::new(path.clone(), read, O_RDONLY | flags & O_NONBLOCK, Arc::default()),
            OpenFile::new(path, write, O_WRONLY | flags & (O_NONBLOCK | O_DIRECT), Arc::default()),
        )
    }

    fn attach(self: &Arc<Self>, flags: u32) -> Arc<PipeFile> {
        let reads = matches!(flags & O_ACCMODE, O_RDONLY | O_RDWR);
        let writes = matches!(flags & O_ACCMODE, O_WRONLY | O_RDWR);
        let mut state = self.state.lock();
        let writer_opens = state.writer_opens;
        if reads {
            state.readers += 1;
            state.reader_opens += 1;
        }
        if writes {
            state.writers += 1;
            state.writer_opens += 1;
        }
        drop(state);
        Arc::new(PipeFile { pipe: self.clone(), reads, writes, writer_opens })
    }

    /// Opens a FIFO: waits for the other end unless `O_NONBLOCK` or both ends are opened.
    ///
    /// # Errors
    /// `ENXIO` for a non-blocking writer without a reader; `ERESTARTSYS`; `EINVAL` for access
    /// mode 3.
    pub(crate) fn open(self: &Arc<Self>, flags: u32) -> Result<Arc<dyn FileOps>> {
        let nonblocking = flags & O_NONBLOCK != 0;
        if flags & O_ACCMODE == O_WRONLY && nonblocking && self.state.lock().readers == 0 {
            return Err(Errno::ENXIO);
        }
        let before = {
            let state = self.state.lock();
            (state.reader_opens, state.writer_opens)
        };
        let file = match flags & O_ACCMODE {
            O_RDONLY | O_WRONLY | O_RDWR => self.attach(flags),
            _ => return Err(Errno::EINVAL),
        };
        self.readers.wake_all(0);
        self.writers.wake_all(0);
        match flags & O_ACCMODE {
            O_RDONLY if !nonblocking => self
                .readers
                .wait(None, || {
                    let state = self.state.lock();
                    (state.writers > 0 || state.writer_opens != before.1).then_some(())
                })
                .map_err(restart)?,
            O_WRONLY if !nonblocking => self
                .writers
                .wait(None, || {
                    let state = self.state.lock();
                    (state.readers > 0 || state.reader_opens != before.0).then_some(())
                })
                .map_err(restart)?,
            _ => {}
        }
        Ok(file)
    }

    fn detach(&self, file: &PipeFile) {
        let mut state = self.state.lock();
        state.readers -= usize::from(file.reads);
        state.writers -= usize::from(file.writes);
        if state.readers == 0 && state.writers == 0 {
            state.content.clear();
        }
        drop(state);
        if file.writes {
            self.readers.wake_all(POLLHUP | READABLE);
        }
        if file.reads {
            self.writers.wake_all(POLLERR | WRITABLE);
        }
    }

    /// Reads what there is, waiting for something unless `nonblocking`. 0 once nobody can write
    /// any more.
    ///
    /// # Errors
    /// `EAGAIN`, `ERESTARTSYS`, `EFAULT`.
    pub fn read(&self, nonblocking: bool, into: &mut IoSink<'_>) -> Result<usize> {
        if into.is_full() {
            return Ok(0);
        }
        loop {
            let mut state = self.state.lock();
            if !state.content.is_empty() {
                let was_full = state.content.is_full();
                let moved = state.content.pop(into);
                drop(state);
                if was_full {
                    self.writers.wake_all(WRITABLE);
                }
                return moved;
            }
            if state.writers == 0 {
                return Ok(0);
            }
            drop(state);
            if nonblocking {
                return Err(Errno::EAGAIN);
            }
            let ready = || {
                let state = self.state.lock();
                (!state.content.is_empty() || state.writers == 0).then_some(())
            };
            self.readers.wait(None, ready).map_err(restart)?;
        }
    }

    /// Writes everything, waiting for room unless `nonblocking`.
    ///
    /// # Errors
    /// `EPIPE` if nobody can read; `EAGAIN`, `ERESTARTSYS`, `EFAULT` if nothing was written.
    pub fn write(&self, nonblocking: bool, packet: bool, from: &mut IoSource<'_>) -> Result<usize> {
        // What is more than whole pages may join what was written before, and so goes first.
        let mut short = from.remaining() % PAGE_SIZE;
        let mut done = 0;
        while !from.is_full() {
            match self.write_some(core::mem::take(&mut short), packet, from) {
                Ok(0) if nonblocking && done == 0 => return Err(Errno::EAGAIN),
                Ok(0) if nonblocking => break,
                Ok(0) => {
                    let ready = || {
                        let state = self.state.lock();
                        (!state.content.is_full() || state.readers == 0).then_some(())
                    };
                    match self.writers.wait(None, ready) {
                        Ok(()) => {}
                        Err(_) if done > 0 => break,
                        Err(error) => return Err(restart(error)),
                    }
                }
                Ok(moved) => {
                    done += moved;
                    if from.done() > done {
                        // Read but not taken: the page was not whole.
                        break;
                    }
                }
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_some(&self, short: usize, packet: bool, from: &mut IoSource<'_>) -> Result<usize> {
        let mut state = self.state.lock();
        if state.readers == 0 {
            return Err(Errno::EPIPE);
        }
        let joined = state.content.joins(short);
        let moved = state.content.push(joined, packet, from)?;
        drop(state);
        if moved > 0 {
            self.readers.wake_all(READABLE);
        }
        Ok(moved)
    }

    /// `F_GETPIPE_SZ`.
    pub fn capacity(&self) -> usize {
        self.state.lock().content.limit() * PAGE_SIZE
    }

    /// `F_SETPIPE_SZ`: gives the capacity set, a power of two of pages.
    ///
    /// # Errors
    /// `EBUSY` if the content does not fit, `EPERM` over the limit unless `privileged`, `EINVAL`,
    /// `ENOMEM`.
    pub fn set_capacity(&self, bytes: usize, privileged: bool) -> Result<usize> {
        if bytes > 1 << 31 {
            return Err(Errno::EINVAL);
        }
        let capacity = bytes.max(PAGE_SIZE).next_power_of_two();
        let mut state = self.state.lock();
        if capacity > MAX_CAPACITY.max(state.content.limit() * PAGE_SIZE) && !privileged {
            return Err(Errno::EPERM);
        }
        if capacity > HARD_CAPACITY {
            return Err(Errno::ENOMEM);
        }
        state.content.set_limit(capacity / PAGE_SIZE)?;
        drop(state);
        self.writers.wake_all(WRITABLE);
        Ok(capacity)
    }

    /// Bytes that can be read.
    pub fn readable_bytes(&self) -> usize {
        self.state.lock().content.len()
    }

    /// Bytes that can be written without waiting.
    pub fn free_bytes(&self) -> usize {
        self.state.lock().content.free()
    }
}

/// An end of a pipe, or both.
struct PipeFile {
    pipe: Arc<Pipe>,
    reads: bool,
    writes: bool,
    /// `State::writer_opens` at the time of opening: a reader sees a hang-up only of writers
    /// that came after it (poll of FIFOs).
    writer_opens: u64,
}

impl Drop for PipeFile {
    fn drop(&mut self) {
        self.pipe.detach(self);
    }
}

impl FileOps for PipeFile {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        self.pipe.read(file.nonblocking(), into)
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        self.pipe.write(file.nonblocking(), file.flags() & O_DIRECT != 0, from)
    }

    fn pollable(&self) -> bool {
        true
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        if let Some(table) = table {
            if self.reads {
                table.watch(&self.pipe.readers);
            }
            if self.writes {
                table.watch(&self.pipe.writers);
            }
        }
        let state = self.pipe.state.lock();
        let mut events = 0;
        if self.reads {
            if !state.content.is_empty() {
                events |= READABLE;
            }
            if state.writers == 0 && state.writer_opens != self.writer_opens {
                events |= POLLHUP;
            }
        }
        if self.writes {
            if !state.content.is_full() {
                events |= WRITABLE;
            }
            if state.readers == 0 {
                events |= POLLERR;
            }
        }
        events
    }

    fn ioctl(&self, _: &OpenFile, command: u32, argument: u64) -> Result<i64> {
        if command != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let bytes = i32::try_from(self.pipe.readable_bytes()).unwrap_or(i32::MAX);
        UserPtr::<i32>::new(argument).write(&bytes)?;
        Ok(0)
    }

    fn check_flags(&self, _: u32) -> Result<()> {
        Ok(())
    }

    fn pipe(&self) -> Option<&Arc<Pipe>> {
        Some(&self.pipe)
    }
}

/// The inode of a pipe without a name.
struct PipeInode {
    pipe: Arc<Pipe>,
    meta: Mutex<Metadata>,
    locks: OnceCell<Box<FileLocks>>,
}

impl PipeInode {
    fn attributes(uid: u32, gid: u32) -> Metadata {
        let meta = Metadata::anonymous(anonymous_device(), new_anonymous_inode_number(), S_IFIFO | 0o600);
        Metadata { uid, gid, ..meta }
    }
}

impl Inode for PipeInode {
    fn kind(&self) -> FileType {
        FileType::Fifo
    }

    fn metadata(&self) -> Metadata {
        *self.meta.lock()
    }

    fn set_attributes(&self, change: &SetAttributes) -> Result<()> {
        self.meta.lock().change(change);
        Ok(())
    }

    fn pipe(&self) -> Option<&Arc<Pipe>> {
        Some(&self.pipe)
    }

    fn locks(&self) -> Option<&FileLocks> {
        Some(self.locks.get_or_init(Box::default))
    }

    fn existing_locks(&self) -> Option<&FileLocks> {
        self.locks.get().map(|locks| &**locks)
    }
}
