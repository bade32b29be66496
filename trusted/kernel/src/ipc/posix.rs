//! POSIX message queues (mq_overview(7)): named, with priorities; their descriptors are open files.

use crate::process::Process;
use crate::signal::{self, Info};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::ToString;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use rkt_linux_abi::general::{CAP_SYS_RESOURCE, O_ACCMODE, O_NONBLOCK, O_RDONLY, O_WRONLY, POLLIN, POLLOUT, S_IFREG};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{WaitError, WaitQueue};
use rkt_sync::Mutex;
use rkt_user::IoSink;

use rkt_vfs::{Access, AnonInode, Credentials, FileOps, MAY_READ, MAY_WRITE, OpenFile, PollTable, READABLE, WRITABLE};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Limits and defaults of proc_sys_fs(5): fs/mqueue.
const QUEUES_MAX: usize = 256;
const DEFAULT_MESSAGES: i64 = 10;
const DEFAULT_SIZE: i64 = 8192;
/// What the privileged may ask for (HARD_MSGMAX, HARD_MSGSIZEMAX).
const HARD_MESSAGES: i64 = 65_536;
const HARD_SIZE: i64 = 16 << 20;
/// Priorities are below this (MQ_PRIO_MAX).
pub const PRIORITIES: u32 = 32_768;
/// `si_code` of a notification (asm-generic/siginfo.h).
const SI_MESGQ: i32 = -3;

/// `struct mq_attr`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Attributes {
    /// `O_NONBLOCK` or nothing.
    pub flags: i64,
    /// Messages that it takes.
    pub most: i64,
    /// Bytes of each.
    pub size: i64,
    /// Messages in it.
    pub count: i64,
    unused: [i64; 4],
}

impl Attributes {
    /// Checks what is asked for at the creation (mq_open(3)): `EINVAL`.
    fn check(&self, privileged: bool) -> Result<()> {
        let (messages, size) = if privileged { (HARD_MESSAGES, HARD_SIZE) } else { (DEFAULT_MESSAGES, DEFAULT_SIZE) };
        let good = (1..=messages).contains(&self.most) && (1..=size).contains(&self.size);
        if good { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

#[derive(Clone, Copy)]
struct Limits {
    most: usize,
    size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { most: DEFAULT_MESSAGES as usize, size: DEFAULT_SIZE as usize }
    }
}

/// Who is to be told when a message comes to the empty queue.
struct Notified {
    process: Weak<Process>,
    pid: i32,
    /// 0: nobody is told, but nobody else can ask either (SIGEV_NONE).
    signal: u32,
    value: u64,
}

#[derive(Default)]
struct Content {
    /// By priority, the oldest first.
    messages: BTreeMap<u32, VecDeque<Vec<u8>>>,
    count: usize,
    bytes: usize,
    notified: Option<Notified>,
    /// Receivers that wait: they come before a notification (mq_notify(3)).
    receivers: usize,
}

/// A queue, as long as it has a name or is open.
pub struct Queue {
    access: Access,
    limits: Limits,
    content: Mutex<Content>,
    readable: Arc<WaitQueue>,
    writable: Arc<WaitQueue>,
}

static NAMES: Mutex<BTreeMap<Vec<u8>, Arc<Queue>>> = Mutex::new(BTreeMap::new());

/// How mq_open(2) is to make a queue that is not there.
pub struct Creation {
    /// `O_EXCL`.
    pub exclusive: bool,
    /// Permissions, without the umask's.
    pub mode: u32,
    /// What was asked for.
    pub attributes: Option<Attributes>,
}

/// mq_open(2): the open file.
///
/// # Errors
/// As there.
pub fn open(name: &[u8], flags: u32, credentials: &Credentials, create: Option<Creation>) -> Result<Arc<OpenFile>> {
    let mut names = NAMES.lock();
    let queue = match (names.get(name), create) {
        (Some(_), Some(Creation { exclusive: true, .. })) => return Err(Errno::EEXIST),
        (Some(queue), _) => {
            credentials.check(&queue.access, wanted(flags)?)?;
            queue.clone()
        }
        (None, None) => return Err(Errno::ENOENT),
        (None, Some(create)) => {
            wanted(flags)?;
            if names.len() >= QUEUES_MAX && !credentials.capable(CAP_SYS_RESOURCE) {
                return Err(Errno::ENOSPC);
            }
            if let Some(attributes) = &create.attributes {
                attributes.check(credentials.capable(CAP_SYS_RESOURCE))?;
            }
            let queue = Arc::new(Queue::new(&create, credentials));
            names.insert(name.to_vec(), queue.clone());
            queue
        }
    };
    let inode = Arc::new(AnonInode::new(S_IFREG | queue.access.mode));
    let shown = [b"/", name].concat();
    Ok(OpenFile::anonymous(inode, &shown, Arc::new(Descriptor(queue)), flags & (O_ACCMODE | O_NONBLOCK)))
}

/// The `MAY_` bits of an access mode.
fn wanted(flags: u32) -> Result<u32> {
    match flags & O_ACCMODE {
        O_RDONLY => Ok(MAY_READ),
        O_WRONLY => Ok(MAY_WRITE),
        O_ACCMODE => Err(Errno::EINVAL),
        _ => Ok(MAY_READ | MAY_WRITE),
    }
}

/// mq_unlink(2): the queue lives on as long as it is open.
///
/// # Errors
/// `ENOENT`; `EPERM` for who is not its owner: the folder of queues is sticky.
pub fn unlink(name: &[u8], credentials: &Credentials) -> Result<()> {
    let mut names = NAMES.lock();
    let queue = names.get(name).ok_or(Errno::ENOENT)?;
    if !credentials.owns(&queue.access) {
        return Err(Errno::EPERM);
    }
    let queue = names.remove(name);
    drop(names);
    drop(queue);
    Ok(())
}

/// A process closed a descriptor: its notification goes (mq_close(3)).
pub fn closed(process: &Process, file: &OpenFile) {
    if let Some(Descriptor(queue)) = file.ops_as::<Descriptor>() {
        queue.forget(process.pid);
    }
}

/// The queue of a descriptor.
///
/// # Errors
/// `EBADF` if it is of something else.
pub fn queue_of(file: &OpenFile) -> Result<&Arc<Queue>> {
    file.ops_as::<Descriptor>().map(|Descriptor(queue)| queue).ok_or(Errno::EBADF)
}

fn errno(error: WaitError) -> Errno {
    match error {
        WaitError::Interrupted => Errno::ERESTARTSYS,
        WaitError::TimedOut => Errno::ETIMEDOUT,
    }
}

impl Queue {
    fn new(create: &Creation, credentials: &Credentials) -> Self {
        let limits = create.attributes.map_or_else(Limits::default, |attributes| Limits {
            most: attributes.most as usize,
            size: attributes.size as usize,
        });
        Self {
            access: Access { mode: create.mode & 0o777, uid: credentials.uid, gid: credentials.gid },
            limits,
            content: Mutex::default(),
            readable: Arc::default(),
            writable: Arc::default(),
        }
    }

    /// Bytes of the longest message.
    pub fn size(&self) -> usize {
        self.limits.size
    }

    /// What mq_getattr(3) tells, with these flags of the descriptor.
    pub fn attributes(&self, flags: u32) -> Attributes {
        Attributes {
            flags: (flags & O_NONBLOCK).into(),
            most: self.limits.most as i64,
            size: self.limits.size as i64,
            count: self.content.lock().count as i64,
            unused: [0; 4],
        }
    }

    /// mq_timedsend(2), by `deadline` of the monotonic clock.
    ///
    /// # Errors
    /// `EAGAIN`, `ETIMEDOUT`, `ERESTARTSYS`.
    pub fn send(&self, sender: &Process, bytes: Vec<u8>, priority: u32, patience: Patience) -> Result<()> {
        let mut message = Some(bytes);
        let mut put = || {
            let mut content = self.content.lock();
            if content.count >= self.limits.most {
                return None;
            }
            let bytes = message.take()?;
            content.bytes += bytes.len();
            content.count += 1;
            content.messages.entry(priority).or_default().push_back(bytes);
            let first = content.count == 1 && content.receivers == 0;
            Some(if first { content.notified.take() } else { None })
        };
        let notified = match (put(), patience) {
            (Some(notified), _) => notified,
            (None, Patience::None) => return Err(Errno::EAGAIN),
            (None, Patience::Until(deadline)) => self.writable.wait(deadline, put).map_err(errno)?,
        };
        self.readable.wake_all(POLLIN);
        if let Some(notified) = notified {
            notified.tell(sender);
        }
        Ok(())
    }

    /// mq_timedreceive(2): the oldest message of the highest priority.
    ///
    /// # Errors
    /// As [`Queue::send`].
    pub fn receive(&self, patience: Patience) -> Result<(u32, Vec<u8>)> {
        let take = || {
            let mut content = self.content.lock();
            let mut highest = content.messages.last_entry()?;
            let priority = *highest.key();
            let bytes = highest.get_mut().pop_front();
            if highest.get().is_empty() {
                highest.remove();
            }
            let bytes = bytes?;
            content.count = content.count.saturating_sub(1);
            content.bytes = content.bytes.saturating_sub(bytes.len());
            Some((priority, bytes))
        };
        let received = match (take(), patience) {
            (Some(received), _) => received,
            (None, Patience::None) => return Err(Errno::EAGAIN),
            (None, Patience::Until(deadline)) => {
                self.content.lock().receivers += 1;
                let received = self.readable.wait(deadline, take);
                let mut content = self.content.lock();
                content.receivers = content.receivers.saturating_sub(1);
                drop(content);
                received.map_err(errno)?
            }
        };
        self.writable.wake_all(POLLOUT);
        Ok(received)
    }

    /// mq_notify(2): asks for a signal with a value, or for none (0) in the place of it.
    ///
    /// # Errors
    /// `EBUSY` if somebody has asked.
    pub fn notify(&self, process: &Arc<Process>, signal: u32, value: u64) -> Result<()> {
        let mut content = self.content.lock();
        if content.notified.is_some() {
            return Err(Errno::EBUSY);
        }
        content.notified = Some(Notified { process: Arc::downgrade(process), pid: process.pid, signal, value });
        Ok(())
    }

    /// Takes back what the process asked for.
    pub fn forget(&self, pid: i32) {
        let mut content = self.content.lock();
        if content.notified.as_ref().is_some_and(|notified| notified.pid == pid) {
            content.notified = None;
        }
    }
}

/// How long a call waits.
#[derive(Clone, Copy)]
pub enum Patience {
    /// Not at all.
    None,
    /// Until the monotonic clock has come so far, or without an end.
    Until(Option<u64>),
}

impl Notified {
    fn tell(&self, sender: &Process) {
        if let (Some(process), true) = (self.process.upgrade(), self.signal != 0) {
            let mut info = Info::kill(self.signal, sender.pid, sender.credentials().uid);
            info.code = SI_MESGQ;
            if let Some(field) = info.fields.get_mut(1) {
                *field = self.value;
            }
            signal::send_to_process(&process, info);
        }
    }
}

/// A queue that is open.
struct Descriptor(Arc<Queue>);

impl FileOps for Descriptor {
    /// mq_overview(7): what a file of the queue's name shows.
    fn read(&self, _: &OpenFile, offset: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        let content = self.0.content.lock();
        let (signal, pid) = content.notified.as_ref().map_or((0, 0), |notified| (notified.signal, notified.pid));
        // SIGEV_NONE is 1.
        let how = u32::from(content.notified.is_some() && signal == 0);
        let bytes = content.bytes.to_string();
        drop(content);
        let text = alloc::format!("QSIZE:{bytes:<10} NOTIFY:{how:<5} SIGNO:{signal:<5} NOTIFY_PID:{pid:<6}\n");
        let rest = usize::try_from(*offset).ok().and_then(|at| text.as_bytes().get(at..)).unwrap_or(&[]);
        let done = into.put(rest)?;
        *offset += done as u64;
        Ok(done)
    }

    fn seekable(&self) -> bool {
        true
    }

    fn pollable(&self) -> bool {
        true
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        if let Some(table) = table {
            table.watch(&self.0.readable);
            table.watch(&self.0.writable);
        }
        let count = self.0.content.lock().count;
        let readable = if count > 0 { READABLE } else { 0 };
        let writable = if count < self.0.limits.most { WRITABLE } else { 0 };
        readable | writable
    }
}
