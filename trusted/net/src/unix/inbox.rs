//! What was sent to a local socket and not yet received: bytes, or messages with their edges.

use crate::options::Kind;
use crate::ring::Ring;
use crate::socket::{Ancillary, Credentials};
use crate::unix::UnixAddress;
use crate::unix::names::Name;
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use rkt_linux_abi::{Errno, Result, general::*};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_user::{IoSink, IoSource};

/// net.unix.max_dgram_qlen; one more is let in.
const MAX_MESSAGES: usize = 10;
/// What a queued message counts beside its bytes, about Linux's `sk_buff`.
const OVERHEAD: usize = 576;
/// Most marks of a byte stream: each send with control data makes one.
const MAX_MARKS: usize = 1024;

/// A message of a datagram or seqpacket socket.
pub(super) struct Message {
    pub from: Name,
    pub payload: Vec<u8>,
    pub ancillary: Ancillary,
}

/// A stretch of a byte stream that control data belong to. A read does not go over its edges.
struct Mark {
    start: u64,
    end: u64,
    ancillary: Ancillary,
}

enum Content {
    Bytes { ring: Ring, at: u64, marks: VecDeque<Mark> },
    Messages { queue: VecDeque<Message>, used: usize, limit: usize },
}

struct Inner {
    content: Content,
    /// Who may wait for room.
    senders: Vec<Weak<WaitQueue>>,
    /// Nothing will be added: the writer has closed or shut down.
    ended: bool,
    /// Nothing will be read: the reader has closed or shut down.
    abandoned: bool,
    error: Option<Errno>,
}

/// The queue of a socket.
pub(super) struct Inbox {
    reader: Arc<WaitQueue>,
    /// SO_PASSCRED of the reader.
    pub wants_credentials: AtomicBool,
    inner: Mutex<Inner>,
}

/// What a read took.
pub(super) struct Part {
    /// Bytes stored.
    pub stored: usize,
    /// Bytes of the whole message.
    pub whole: usize,
    pub from: UnixAddress,
    pub ancillary: Ancillary,
}

/// An inbox at one moment.
pub(super) struct State {
    /// Bytes, or bytes of the first message.
    pub readable: usize,
    /// Bytes of all messages.
    pub queued: usize,
    pub has_any: bool,
    pub ended: bool,
    pub abandoned: bool,
    pub failed: bool,
    /// Bytes held.
    pub used: usize,
    /// Bytes that may be added, at most `capacity`.
    pub room: usize,
    pub capacity: usize,
    /// Whether it holds as many messages as strangers may send.
    pub crowded: bool,
}

impl State {
    /// Whether there is anything behind the first so many bytes.
    pub fn has_behind(&self, place: usize) -> bool {
        if place == 0 { self.has_any } else { self.queued > place }
    }
}

impl Inbox {
    /// An empty one whose reader waits at `reader`.
    pub fn new(kind: Kind, limit: usize, reader: Arc<WaitQueue>) -> Arc<Self> {
        let content = match kind {
            Kind::Stream => Content::Bytes { ring: Ring::new(limit), at: 0, marks: VecDeque::new() },
            _ => Content::Messages { queue: VecDeque::new(), used: 0, limit },
        };
        let inner = Inner { content, senders: Vec::new(), ended: false, abandoned: false, error: None };
        Arc::new(Self { reader, wants_credentials: AtomicBool::new(false), inner: Mutex::new(inner) })
    }

    pub fn reader(&self) -> &Arc<WaitQueue> {
        &self.reader
    }

    /// Wakes `sender` from now on when there is room again, or it is abandoned.
    pub fn add_sender(&self, sender: &Arc<WaitQueue>) {
        let mut inner = self.inner.lock();
        inner.senders.retain(|known| known.strong_count() > 0);
        let weak = Arc::downgrade(sender);
        if !inner.senders.iter().any(|known| known.ptr_eq(&weak)) {
            inner.senders.push(weak);
        }
    }

    fn senders(inner: &Inner) -> Vec<Arc<WaitQueue>> {
        inner.senders.iter().filter_map(Weak::upgrade).collect()
    }

    /// Sets the limit of bytes that messages may take.
    pub fn set_limit(&self, bytes: usize) {
        if let Content::Messages { limit, .. } = &mut self.inner.lock().content {
            *limit = bytes;
        }
    }

    /// The credentials that go with what `from` sends.
    pub fn with_credentials(&self, ancillary: &mut Ancillary, sender_passes: bool, from: Credentials) {
        if ancillary.credentials.is_none() && (sender_passes || self.wants_credentials.load(Ordering::Relaxed)) {
            ancillary.credentials = Some(from);
        }
    }

    /// Adds bytes; control data go with the first of them. Gives how many were added, 0 if there is no room.
    ///
    /// # Errors
    /// `EPIPE` if nobody will read, `EFAULT`, `ETOOMANYREFS` if too many control data wait.
    pub fn write(&self, source: &mut IoSource<'_>, ancillary: &mut Ancillary) -> Result<usize> {
        let n = {
            let mut inner = self.inner.lock();
            if inner.abandoned {
                return Err(Errno::EPIPE);
            }
            let Content::Bytes { ring, at, marks } = &mut inner.content else { return Err(Errno::EINVAL) };
            if !ancillary.is_empty() && marks.len() >= MAX_MARKS {
                return Err(Errno::ETOOMANYREFS);
            }
            let start = *at + ring.len() as u64;
            let n = ring.fill(source)?;
            if n > 0 && !ancillary.is_empty() {
                add_mark(marks, Mark { start, end: start + n as u64, ancillary: core::mem::take(ancillary) });
            }
            n
        };
        if n > 0 {
            self.reader.wake_all(POLLIN | POLLRDNORM);
        }
        Ok(n)
    }

    /// Adds a message, if `message` still holds it. A stranger is one to whom the reader is not connected.
    ///
    /// # Errors
    /// `EPIPE` if nobody will read, `EAGAIN` if there is no room now.
    pub fn push(&self, message: &mut Option<Message>, stranger: bool) -> Result<()> {
        {
            let mut inner = self.inner.lock();
            if inner.abandoned {
                return Err(Errno::EPIPE);
            }
            let Content::Messages { queue, used, limit } = &mut inner.content else { return Err(Errno::EINVAL) };
            if *used >= *limit || (stranger && queue.len() > MAX_MESSAGES) {
                return Err(Errno::EAGAIN);
            }
            if let Some(message) = message.take() {
                *used += message.payload.len() + OVERHEAD;
                queue.push_back(message);
            }
        }
        self.reader.wake_all(POLLIN | POLLRDNORM);
        Ok(())
    }

    /// Takes bytes or a message; with `peek` they stay, and it starts behind so many bytes.
    ///
    /// # Errors
    /// `EAGAIN` if there are none, `EFAULT`.
    pub fn read(&self, sink: &mut IoSink<'_>, peek: Option<usize>) -> Result<Part> {
        let (part, senders) = {
            let mut inner = self.inner.lock();
            let part = match &mut inner.content {
                Content::Bytes { ring, at, marks } => {
                    if !self.wants_credentials.load(Ordering::Relaxed) {
                        // Senders are told apart only for who asks.
                        marks.retain(|mark| !mark.ancillary.rights.is_empty());
                    }
                    read_bytes(ring, at, marks, sink, peek)?
                }
                Content::Messages { queue, used, .. } => read_message(queue, used, sink, peek)?,
            };
            let senders = if peek.is_some() { Vec::new() } else { Self::senders(&inner) };
            (part, senders)
        };
        for sender in senders {
            sender.wake_all(POLLOUT | POLLWRNORM | POLLWRBAND);
        }
        Ok(part)
    }

    /// Nothing will be added any more; `error` is told to the reader.
    pub fn end(&self, error: Option<Errno>) {
        {
            let mut inner = self.inner.lock();
            inner.ended = true;
            inner.error = inner.error.or(error);
        }
        self.reader.wake_all(POLLIN | POLLRDNORM | POLLRDHUP | POLLHUP);
    }

    /// Nothing will be read any more.
    pub fn abandon(&self) {
        let senders = {
            let mut inner = self.inner.lock();
            inner.abandoned = true;
            Self::senders(&inner)
        };
        for sender in senders {
            sender.wake_all(POLLOUT | POLLHUP | POLLERR);
        }
    }

    /// The error that was not told yet.
    pub fn take_error(&self) -> Option<Errno> {
        self.inner.lock().error.take()
    }

    /// How it stands.
    pub fn state(&self) -> State {
        let inner = self.inner.lock();
        let (readable, queued, has_any, used, capacity, crowded) = match &inner.content {
            Content::Bytes { ring, .. } => (ring.len(), ring.len(), !ring.is_empty(), ring.len(), ring.limit(), false),
            Content::Messages { queue, used, limit } => {
                let first = queue.front().map_or(0, |message| message.payload.len());
                let all = used.saturating_sub(queue.len() * OVERHEAD);
                (first, all, !queue.is_empty(), *used, *limit, queue.len() > MAX_MESSAGES)
            }
        };
        State {
            readable,
            queued,
            has_any,
            ended: inner.ended,
            abandoned: inner.abandoned,
            failed: inner.error.is_some(),
            used,
            room: capacity.saturating_sub(used),
            capacity,
            crowded,
        }
    }
}

/// Adds a stretch; what the same sender wrote right before, and nothing but its name with it, belongs to it.
fn add_mark(marks: &mut VecDeque<Mark>, mark: Mark) {
    let plain = |ancillary: &Ancillary| ancillary.rights.is_empty();
    match marks.back_mut() {
        Some(last)
            if last.end == mark.start
                && plain(&last.ancillary)
                && plain(&mark.ancillary)
                && last.ancillary.credentials == mark.ancillary.credentials =>
        {
            last.end = mark.end;
        }
        _ => marks.push_back(mark),
    }
}

fn read_bytes(
    ring: &mut Ring,
    at: &mut u64,
    marks: &mut VecDeque<Mark>,
    sink: &mut IoSink<'_>,
    peek: Option<usize>,
) -> Result<Part> {
    let skipped = peek.unwrap_or(0);
    if ring.len() <= skipped {
        return Err(Errno::EAGAIN);
    }
    let place = at.saturating_add(skipped as u64);
    // Up to the next sender, and not beyond the next rights.
    let mark = marks.iter_mut().find(|mark| mark.end > place);
    let (start, edge) = match &mark {
        Some(mark) if mark.start > place && mark.ancillary.credentials.is_some() => (u64::MAX, mark.start),
        Some(mark) => (mark.start, mark.end),
        None => (u64::MAX, u64::MAX),
    };
    let most = usize::try_from(edge - place).unwrap_or(usize::MAX);
    let stored = if peek.is_some() { ring.copy(sink, skipped, most)? } else { ring.drain(sink, most)? };
    let inside = place.saturating_add(stored as u64) > start;
    let ancillary = match mark {
        Some(mark) if inside && peek.is_some() => mark.ancillary.clone(),
        // Rights go with the first byte, the sender's name with all of them.
        Some(mark) if inside => {
            let rights = core::mem::take(&mut mark.ancillary.rights);
            Ancillary { rights, ..mark.ancillary.clone() }
        }
        _ => Ancillary::default(),
    };
    if peek.is_none() {
        *at += stored as u64;
        if inside && *at >= edge {
            marks.pop_front();
        }
    }
    Ok(Part { stored, whole: stored, from: UnixAddress::Unnamed, ancillary })
}

/// The message in which a place lies, counted over all that wait, and where in it.
fn message_at(queue: &VecDeque<Message>, mut place: usize) -> Option<(&Message, usize)> {
    for message in queue {
        let len = message.payload.len();
        if place == 0 || place < len {
            return Some((message, place));
        }
        place -= len;
    }
    None
}

fn read_message(
    queue: &mut VecDeque<Message>,
    used: &mut usize,
    sink: &mut IoSink<'_>,
    peek: Option<usize>,
) -> Result<Part> {
    let (message, skipped) = message_at(queue, peek.unwrap_or(0)).ok_or(Errno::EAGAIN)?;
    let payload = message.payload.get(skipped..).unwrap_or(&[]);
    let whole = payload.len();
    let stored = if whole == 0 || sink.is_full() { 0 } else { sink.put(payload)? };
    if peek.is_some() {
        let (from, ancillary) = (message.from.get(), message.ancillary.clone());
        return Ok(Part { stored, whole, from, ancillary });
    }
    *used = used.saturating_sub(whole + OVERHEAD);
    let message = queue.pop_front().ok_or(Errno::EAGAIN)?;
    Ok(Part { stored, whole, from: message.from.get(), ancillary: message.ancillary })
}
