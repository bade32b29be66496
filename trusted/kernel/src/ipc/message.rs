//! Message queues (msgget(2), msgop(2)).

use super::registry::{Object, READ, Registry, WRITE};
use super::{IPC_NOWAIT, PermissionsAbi, seconds};
use crate::process::Process;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Longest message (MSGMAX), and bytes that a queue takes at first (MSGMNB).
pub const MSGMAX: usize = 8192;
/// See above.
pub const MSGMNB: u64 = 16_384;
/// MSG_NOERROR and MSG_EXCEPT of linux/msg.h; MSG_COPY does not exist here.
const MSG_NOERROR: u32 = 0o10000;
const MSG_EXCEPT: u32 = 0o20000;
const MSG_COPY: u32 = 0o40000;

struct Message {
    kind: i64,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Content {
    messages: VecDeque<Message>,
    bytes: u64,
    capacity: u64,
    sent_at: i64,
    received_at: i64,
    changed_at: i64,
    last_sender: i32,
    last_receiver: i32,
}

/// A queue.
pub struct Queue {
    content: Mutex<Content>,
    changed: WaitQueue,
}

/// `struct msqid64_ds`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct QueueAbi {
    /// Who may do what.
    pub permissions: PermissionsAbi,
    /// When the last message came.
    pub sent_at: i64,
    /// When the last one was taken.
    pub received_at: i64,
    /// When it was made or set.
    pub changed_at: i64,
    /// Bytes in it.
    pub bytes: u64,
    /// Messages in it.
    pub count: u64,
    /// Bytes that it takes.
    pub capacity: u64,
    /// Who sent last.
    pub last_sender: i32,
    /// Who received last.
    pub last_receiver: i32,
    unused: [u64; 2],
}

static QUEUES: Registry<Queue> = Registry::new();

/// All queues.
pub fn queues() -> &'static Registry<Queue> {
    &QUEUES
}

/// msgget(2).
///
/// # Errors
/// As there.
pub fn get(process: &Process, key: i32, flags: u32) -> Result<i32> {
    let make = || {
        let content = Content { capacity: MSGMNB, changed_at: seconds(), ..Content::default() };
        Ok(Queue { content: Mutex::new(content), changed: WaitQueue::new() })
    };
    QUEUES.get(key, flags, &process.credentials(), |_| Ok(()), make)
}

/// msgsnd(2).
///
/// # Errors
/// As there.
pub fn send(process: &Process, id: i32, kind: i64, bytes: Vec<u8>, flags: u32) -> Result<()> {
    if kind < 1 || bytes.len() > MSGMAX {
        return Err(Errno::EINVAL);
    }
    let object = QUEUES.find(id)?;
    object.check(&process.credentials(), WRITE)?;
    let mut message = Some(Message { kind, bytes });
    let mut put = || {
        if object.is_removed() {
            return Some(Err(Errno::EIDRM));
        }
        let mut content = object.body.content.lock();
        let len = message.as_ref().map_or(0, |message| message.bytes.len() as u64);
        // Empty messages count, too: no more of them than bytes.
        if content.bytes + len > content.capacity || content.messages.len() as u64 + 1 > content.capacity {
            return None;
        }
        content.messages.extend(message.take());
        content.bytes += len;
        content.sent_at = seconds();
        content.last_sender = process.pid;
        Some(Ok(()))
    };
    match put() {
        Some(result) => result?,
        None if flags & IPC_NOWAIT != 0 => return Err(Errno::EAGAIN),
        None => object.body.changed.wait(None, put).map_err(|_| Errno::EINTR)??,
    }
    object.body.changed.wake_all(0);
    Ok(())
}

/// Which message a receiver wants (msgop(2)).
fn choose(messages: &VecDeque<Message>, kind: i64, flags: u32) -> Option<usize> {
    match kind {
        0 => (!messages.is_empty()).then_some(0),
        1.. if flags & MSG_EXCEPT != 0 => messages.iter().position(|message| message.kind != kind),
        1.. => messages.iter().position(|message| message.kind == kind),
        _ => {
            let most = kind.saturating_neg();
            let lowest = messages.iter().map(|message| message.kind).filter(|&kind| kind <= most).min()?;
            messages.iter().position(|message| message.kind == lowest)
        }
    }
}

/// msgrcv(2); gives type and bytes, cut to `size` with MSG_NOERROR.
///
/// # Errors
/// As there.
pub fn receive(process: &Process, id: i32, size: usize, kind: i64, flags: u32) -> Result<(i64, Vec<u8>)> {
    if flags & MSG_COPY != 0 {
        return Err(Errno::ENOSYS);
    }
    let object = QUEUES.find(id)?;
    object.check(&process.credentials(), READ)?;
    let take = || {
        if object.is_removed() {
            return Some(Err(Errno::EIDRM));
        }
        let mut content = object.body.content.lock();
        let at = choose(&content.messages, kind, flags)?;
        let too_long = content.messages.get(at).is_some_and(|message| message.bytes.len() > size);
        if too_long && flags & MSG_NOERROR == 0 {
            return Some(Err(Errno::E2BIG));
        }
        let Message { kind, mut bytes } = content.messages.remove(at)?;
        content.bytes = content.bytes.saturating_sub(bytes.len() as u64);
        content.received_at = seconds();
        content.last_receiver = process.pid;
        bytes.truncate(size);
        Some(Ok((kind, bytes)))
    };
    let received = match take() {
        Some(result) => result?,
        None if flags & IPC_NOWAIT != 0 => return Err(Errno::ENOMSG),
        None => object.body.changed.wait(None, take).map_err(|_| Errno::EINTR)??,
    };
    object.body.changed.wake_all(0);
    Ok(received)
}

/// IPC_SET of the capacity.
pub fn set_capacity(object: &Object<Queue>, capacity: u64) {
    let mut content = object.body.content.lock();
    content.capacity = capacity;
    content.changed_at = seconds();
    drop(content);
    object.body.changed.wake_all(0);
}

/// IPC_RMID: those who wait are told.
pub fn remove(object: &Object<Queue>) {
    QUEUES.remove(object);
    object.body.changed.wake_all(0);
}

/// Queues, and the messages and bytes in all of them: MSG_INFO.
pub fn totals() -> [u64; 3] {
    let all = QUEUES.all();
    let of = |object: &Object<Queue>| {
        let content = object.body.content.lock();
        (content.messages.len() as u64, content.bytes)
    };
    let (messages, bytes): (Vec<u64>, Vec<u64>) = all.iter().map(|object| of(object)).unzip();
    [all.len() as u64, messages.iter().sum(), bytes.iter().sum()]
}

/// What IPC_STAT tells.
pub fn stat(object: &Object<Queue>) -> QueueAbi {
    let content = object.body.content.lock();
    QueueAbi {
        permissions: PermissionsAbi::of(object, 0),
        sent_at: content.sent_at,
        received_at: content.received_at,
        changed_at: content.changed_at,
        bytes: content.bytes,
        count: content.messages.len() as u64,
        capacity: content.capacity,
        last_sender: content.last_sender,
        last_receiver: content.last_receiver,
        unused: [0; 2],
    }
}
