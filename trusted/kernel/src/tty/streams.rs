//! Three standard streams as rings in the window: as files of a program, or with a terminal between.
//!
//! What comes in is hostile input; what goes out is plain text for whoever holds the other end
//! (DESIGN §3.7).

use super::Tty;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use rkt_linux_abi::general::{POLLERR, POLLHUP, POLLIN, POLLOUT, S_IFIFO};
use rkt_linux_abi::ioctl::FIONREAD;
use rkt_linux_abi::{Errno, Result};
use rkt_log::Event;
use rkt_sched::WaitQueue;
use rkt_sync::{Mutex, OnceCell};
use rkt_user::{IoSink, IoSource, UserSlice};
use rkt_vfs::lock::FileLocks;
use rkt_vfs::{FileOps, FileType, FsContext, Inode, Metadata, OpenFile, PollTable};
use rkt_window::{ByteRing, Region, RingError, Side};

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
    fn open(place: Option<Region>, side: Side, number: u64) -> Self {
        let ring = place.and_then(|region| ByteRing::open(region, side).ok());
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

    /// Whether somebody waits for what has happened.
    fn is_awaited(&self) -> bool {
        !self.queue.is_empty() && (self.ready() > Some(0) || self.ended())
    }

    /// Tells the host that no more is put in or taken out.
    fn shut(&self) {
        if let Some(ring) = self.ring.lock().as_ref() {
            ring.shut();
        }
    }
}

/// Where the streams lie in the window; none = closed.
pub struct Places {
    /// Standard input.
    pub input: Option<Region>,
    /// Standard output and error.
    pub output: [Option<Region>; 2],
}

/// Standard input, output and error of a program that the host started.
pub struct Streams {
    input: Channel,
    output: [Channel; 2],
    /// Whether there is any input at all.
    listens: bool,
    /// Wakes the host's thread that serves them.
    ring_host: fn(usize),
    /// What that function is told.
    place: usize,
}

impl Streams {
    /// Opens rings that nobody has used. `first`: the number of standard input in the log.
    pub fn open(places: Places, first: u64, ring_host: fn(usize), place: usize) -> Arc<Streams> {
        let [out, error] = places.output;
        Arc::new(Streams {
            listens: places.input.is_some(),
            input: Channel::open(places.input, Side::Consumer, first),
            output: [
                Channel::open(out, Side::Producer, first.saturating_add(1)),
                Channel::open(error, Side::Producer, first.saturating_add(2)),
            ],
            ring_host,
            place,
        })
    }

    fn tell_host(&self) {
        (self.ring_host)(self.place);
    }

    /// Wakes whoever waits for a stream that moved; whether there was anybody.
    pub fn poll(&self) -> bool {
        let mut any = false;
        let [out, error] = &self.output;
        for (channel, event) in [(&self.input, POLLIN), (out, POLLOUT), (error, POLLOUT)] {
            if channel.is_awaited() {
                channel.queue.wake_all(event);
                any = true;
            }
        }
        any
    }

    /// Whether `poll` would wake somebody.
    pub fn has_work(&self) -> bool {
        self.input.is_awaited() || self.output.iter().any(Channel::is_awaited)
    }

    /// Says that no more output follows. The host empties the rings before it ends.
    pub fn end_output(&self) {
        self.output.iter().for_each(Channel::shut);
        self.tell_host();
    }

    /// Lets go of the rings: the host may use their place anew.
    pub fn close(&self) {
        let [out, error] = &self.output;
        for channel in [&self.input, out, error] {
            channel.shut();
            *channel.ring.lock() = None;
            channel.queue.wake_all(POLLIN | POLLOUT | POLLHUP | POLLERR);
        }
    }

    /// Moves bytes between a terminal and the rings, as far as there is room.
    pub fn carry(&self, tty: &Arc<Tty>) {
        let [output, _] = &self.output;
        let mut chunk = [0; CHUNK];
        // Under a ring's lock from the one to the other, so that nothing overtakes.
        let mut came = false;
        if let Some(ring) = self.input.ring.lock().as_mut() {
            while let Ok(n @ 1..) = ring.take(chunk.get_mut(..tty.room().min(CHUNK)).unwrap_or(&mut [])) {
                tty.arrive(chunk.get(..n).unwrap_or(&[]));
                came = true;
            }
        }
        if came {
            tty.digest();
        }
        if self.has_hung_up(tty) {
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
        if came || went {
            self.tell_host();
            tty.wake();
        }
    }

    /// Whether [`Streams::carry`] would move anything.
    pub fn has_terminal_work(&self, tty: &Tty) -> bool {
        let [output, _] = &self.output;
        let leaves = tty.leaving() > 0 && output.ready() > Some(0);
        leaves || tty.room() > 0 && self.input.ready() > Some(0) || self.has_hung_up(tty)
    }

    /// The host's terminal has gone.
    fn has_hung_up(&self, tty: &Tty) -> bool {
        self.listens && self.input.ended() && self.input.ready().unwrap_or(0) == 0 && tty.hangups() == 0
    }

    /// Waits until the terminal's last output is in the ring, or nobody takes it any more.
    pub fn drain(&self, tty: &Arc<Tty>) {
        let [output, _] = &self.output;
        tty.drain(|| output.ended());
    }

    /// Stream `number` as an open file, for a program of this user and group.
    pub fn file(self: &Arc<Self>, number: usize, flags: u32, context: &FsContext) -> Arc<OpenFile> {
        let (uid, gid) = (context.credentials.uid, context.credentials.gid);
        let inode = Arc::new(StreamInode {
            ino: rkt_vfs::new_anonymous_inode_number(),
            owner: (uid, gid),
            streams: self.clone(),
            number,
            locks: OnceCell::new(),
        });
        let name = alloc::format!("pipe:[{}]", inode.ino);
        OpenFile::anonymous(inode, name.as_bytes(), Arc::new(StandardStream { streams: self.clone(), number }), flags)
    }
}

/// A standard stream as a file: 0 reads, 1 and 2 write.
struct StandardStream {
    streams: Arc<Streams>,
    number: usize,
}

impl StandardStream {
    fn output(&self) -> &Channel {
        let [out, error] = &self.streams.output;
        if self.number == 2 { error } else { out }
    }
}

impl FileOps for StandardStream {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        let input = &self.streams.input;
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
        self.streams.tell_host();
        Ok(into.done())
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        let channel = self.output();
        while from.remaining() > 0 {
            let room = channel.ready().filter(|_| !channel.ended()).ok_or(Errno::EPIPE);
            let room = match room {
                Ok(room) => room,
                Err(_) if from.done() > 0 => break,
                Err(error) => return Err(error),
            };
            if room == 0 {
                self.streams.tell_host();
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
        self.streams.tell_host();
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
        let (input, output) = (&self.streams.input, self.output());
        if let Some(table) = table {
            table.watch(&input.queue);
            table.watch(&output.queue);
        }
        let mut events = 0;
        if self.number == 0 {
            events |= if input.ready() > Some(0) { POLLIN } else { 0 };
            events |= if input.ended() { POLLIN | POLLHUP } else { 0 };
        }
        if self.number != 0 {
            events |= if output.ready() > Some(0) { POLLOUT } else { 0 };
            events |= if output.ended() { POLLERR } else { 0 };
        }
        events
    }

    fn ioctl(&self, _: &OpenFile, command: u32, argument: u64) -> Result<i64> {
        if command == FIONREAD {
            let ready = self.streams.input.ready().unwrap_or(0) as i32;
            UserSlice::new(argument, 4)?.write_all(&ready.to_ne_bytes())?;
            return Ok(0);
        }
        Err(Errno::ENOTTY)
    }
}

/// What a standard stream that is no terminal looks like: a pipe, which can be opened again through
/// /dev/stderr and its like.
struct StreamInode {
    ino: u64,
    owner: (u32, u32),
    streams: Arc<Streams>,
    number: usize,
    locks: OnceCell<Box<FileLocks>>,
}

impl Inode for StreamInode {
    fn kind(&self) -> FileType {
        FileType::Fifo
    }

    fn metadata(&self) -> Metadata {
        let known = Metadata::anonymous(rkt_vfs::anonymous_device(), self.ino, S_IFIFO | 0o600);
        Metadata { uid: self.owner.0, gid: self.owner.1, ..known }
    }

    fn open(self: Arc<Self>, _flags: u32) -> Result<Arc<dyn FileOps>> {
        Ok(Arc::new(StandardStream { streams: self.streams.clone(), number: self.number }))
    }

    fn locks(&self) -> Option<&FileLocks> {
        Some(self.locks.get_or_init(Box::default))
    }

    fn existing_locks(&self) -> Option<&FileLocks> {
        self.locks.get().map(|locks| &**locks)
    }
}
