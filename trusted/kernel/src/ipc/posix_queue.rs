//! POSIX message queues (mq_overview(7)).

use crate::process::Process;
use crate::signal::{self, Info};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use core::sync::atomic::{AtomicU64, Ordering};
use rkt_linux_abi::general::{
    CAP_SYS_RESOURCE, O_ACCMODE, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, POLLIN, POLLOUT, POLLRDNORM,
    POLLWRNORM, S_IFREG, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD,
};
use rkt_linux_abi::{Errno, Result};
use rkt_net::Socket;
use rkt_sched::{WaitError, WaitQueue};
use rkt_sync::Mutex;
use rkt_user::IoSink;
use rkt_vfs::{
    Credentials, FileOps, FileType, Inode, MAY_READ, MAY_WRITE, Metadata, OpenFile, Path, PollTable, SetAttributes,
    Time, seek_in,
};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Settings under /proc/sys/fs/mqueue (mq_overview(7)).
pub struct Setting {
    /// Name of the file.
    pub name: &'static str,
    /// Value.
    pub value: AtomicU64,
    /// What it may be set to.
    pub range: RangeInclusive<u64>,
}

impl Setting {
    const fn new(name: &'static str, value: u64, range: RangeInclusive<u64>) -> Self {
        Self { name, value: AtomicU64::new(value), range }
    }

    fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

/// Most messages of a queue and most bytes of a message for anybody (HARD_MSGMAX, HARD_MSGSIZEMAX
/// of linux/ipc_namespace.h).
const HARD_LIMIT: (u64, u64) = (65_536, 16 << 20);
/// Fewest that the settings can be lowered to.
const LEAST: (u64, u64) = (1, 128);
static QUEUES_MAX: Setting = Setting::new("queues_max", 256, 0..=i32::MAX as u64);
static MSG_MAX: Setting = Setting::new("msg_max", 10, LEAST.0..=HARD_LIMIT.0);
static MSGSIZE_MAX: Setting = Setting::new("msgsize_max", 8192, LEAST.1..=HARD_LIMIT.1);
static MSG_DEFAULT: Setting = Setting::new("msg_default", 10, LEAST.0..=HARD_LIMIT.0);
static MSGSIZE_DEFAULT: Setting = Setting::new("msgsize_default", 8192, LEAST.1..=HARD_LIMIT.1);
/// All of them.
pub static SETTINGS: [&Setting; 5] = [&QUEUES_MAX, &MSG_MAX, &MSGSIZE_MAX, &MSG_DEFAULT, &MSGSIZE_DEFAULT];

/// RLIMIT_MSGQUEUE: bytes that the queues of a user may take.
const RLIMIT_MSGQUEUE: u32 = 12;
/// Bytes that Linux counts for a message beside its text, and for a priority that is in use
/// (getrlimit(2)).
const OVERHEAD: (u64, u64) = (48, 48);
/// Priorities are below (MQ_PRIO_MAX).
pub const PRIORITIES: u32 = 32_768;
/// What stat(2) tells as length: FILENT_SIZE of ipc/mqueue.c.
const SIZE: u64 = 80;

/// `struct mq_attr`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
pub struct Attributes {
    /// `O_NONBLOCK` or nothing.
    pub flags: i64,
    /// Messages that the queue holds at most.
    pub max_messages: i64,
    /// Bytes of a message at most.
    pub message_size: i64,
    /// Messages that wait.
    pub waiting: i64,
    reserved: [i64; 4],
}

/// A message.
pub struct Message {
    /// Higher ones are received first.
    pub priority: u32,
    /// The text.
    pub bytes: Vec<u8>,
}

/// Bytes that a thread which waits for a message is told.
pub const COOKIE_LEN: usize = 32;
/// Last byte of these if a message came, and if there will be none (NOTIFY_WOKENUP and
/// NOTIFY_REMOVED of linux/mqueue.h).
const WOKEN: u8 = 1;
const REMOVED: u8 = 2;

/// How a process is told of a message (sigevent(3type)).
pub enum Manner {
    /// Not at all: it just holds the place.
    Nothing,
    /// By a signal.
    Signal {
        /// Its number.
        number: u32,
        /// `si_value`.
        value: u64,
    },
    /// A thread of the C library reads these bytes from a netlink socket.
    Thread {
        /// The socket.
        socket: Arc<dyn Socket>,
        /// The bytes.
        cookie: [u8; COOKIE_LEN],
    },
}

impl Manner {
    /// `sigev_notify`.
    fn number(&self) -> u32 {
        match self {
            Self::Signal { .. } => SIGEV_SIGNAL,
            Self::Nothing => SIGEV_NONE,
            Self::Thread { .. } => SIGEV_THREAD,
        }
    }
}

/// Who is told of a message in an empty queue (mq_notify(3)).
pub struct Notification {
    /// The process.
    pub process: Weak<Process>,
    /// How.
    pub manner: Manner,
}

impl Notification {
    /// Somebody sent a message.
    fn tell(self, sender: &Process) {
        match self.manner {
            Manner::Nothing | Manner::Signal { number: 0, .. } => {}
            Manner::Signal { number, value } => {
                let info = Info::message(number, sender.pid, sender.ids().user.real, value);
                if let Some(process) = self.process.upgrade() {
                    signal::send_to_process(&process, info);
                }
            }
            Manner::Thread { socket, cookie } => Self::write(&socket, cookie, WOKEN),
        }
    }

    /// The registration was taken back.
    fn end(self) {
        if let Manner::Thread { socket, cookie } = self.manner {
            Self::write(&socket, cookie, REMOVED);
        }
    }

    fn write(socket: &Arc<dyn Socket>, mut cookie: [u8; COOKIE_LEN], code: u8) {
        let [.., last] = &mut cookie;
        *last = code;
        // A socket whose buffer is full misses it, as on Linux.
        let _ = rkt_net::netlink_deliver(&**socket, &cookie);
    }
}

#[derive(Default)]
struct Content {
    /// By priority, the highest first; those of one priority in order of arrival.
    messages: VecDeque<Message>,
    bytes: usize,
    /// Receivers that wait.
    receivers: usize,
    notification: Option<Notification>,
}

/// A queue.
pub struct Queue {
    max_messages: usize,
    message_size: usize,
    charge: u64,
    meta: Mutex<Metadata>,
    content: Mutex<Content>,
    readers: Arc<WaitQueue>,
    writers: Arc<WaitQueue>,
}

/// All queues by name.
static QUEUES: Mutex<BTreeMap<Vec<u8>, Arc<Queue>>> = Mutex::new(BTreeMap::new());
/// Bytes that queues of each user may take up.
static CHARGED: Mutex<BTreeMap<u32, u64>> = Mutex::new(BTreeMap::new());
static ALIVE: AtomicU64 = AtomicU64::new(0);

fn check_name(name: &[u8]) -> Result<()> {
    match name {
        b"" => Err(Errno::ENOENT),
        b"." | b".." => Err(Errno::EACCES),
        _ if name.contains(&b'/') => Err(Errno::EACCES),
        _ if name.len() > rkt_vfs::NAME_MAX => Err(Errno::ENAMETOOLONG),
        _ => Ok(()),
    }
}

/// mq_open(3).
///
/// # Errors
/// As there.
pub fn open(
    process: &Process,
    name: &[u8],
    flags: u32,
    mode: u32,
    wanted: Option<Attributes>,
) -> Result<Arc<OpenFile>> {
    check_name(name)?;
    let credentials = process.credentials();
    let mut queues = QUEUES.lock();
    let queue = match queues.get(name) {
        Some(_) if flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL => return Err(Errno::EEXIST),
        Some(found) => {
            let wanted = match flags & O_ACCMODE {
                O_RDONLY => MAY_READ,
                O_WRONLY => MAY_WRITE,
                O_RDWR => MAY_READ | MAY_WRITE,
                _ => return Err(Errno::EINVAL),
            };
            credentials.check(&Inode::access(&**found), wanted)?;
            found.clone()
        }
        None if flags & O_CREAT == 0 => return Err(Errno::ENOENT),
        None => {
            let mode = mode & 0o7777 & !process.fs.lock().umask;
            let queue = Queue::make(process, &credentials, mode, wanted)?;
            queues.insert(name.to_vec(), queue.clone());
            queue
        }
    };
    drop(queues);
    let path = Path::anonymous(queue.clone(), &[b"/", name].concat());
    Ok(OpenFile::new(path, Arc::new(Opened(queue)), flags & (O_ACCMODE | O_NONBLOCK), credentials))
}

/// mq_unlink(3).
///
/// # Errors
/// `ENOENT`, `EACCES`, `ENAMETOOLONG`; `EPERM` for somebody else's queue.
pub fn unlink(credentials: &Credentials, name: &[u8]) -> Result<()> {
    check_name(name)?;
    let queues = QUEUES.lock();
    let queue = queues.get(name).ok_or(Errno::ENOENT)?;
    // Their directory is root's and has the sticky bit.
    if credentials.uid != 0 && !credentials.owns(&Inode::access(&**queue)) {
        return Err(Errno::EPERM);
    }
    drop(queues);
    remove(name)
}

/// The queue of a name.
pub(super) fn find(name: &[u8]) -> Option<Arc<Queue>> {
    QUEUES.lock().get(name).cloned()
}

/// All names, with the inode numbers.
pub(super) fn names() -> Vec<(Vec<u8>, u64)> {
    QUEUES.lock().iter().map(|(name, queue)| (name.clone(), queue.meta.lock().ino)).collect()
}

/// Makes a queue of the default size.
///
/// # Errors
/// As mq_open(3).
pub(super) fn create(process: &Process, name: &[u8], mode: u32) -> Result<Arc<Queue>> {
    let mut queues = QUEUES.lock();
    if queues.contains_key(name) {
        return Err(Errno::EEXIST);
    }
    let queue = Queue::make(process, &process.credentials(), mode, None)?;
    queues.insert(name.to_vec(), queue.clone());
    Ok(queue)
}

/// Takes a name away; the queue lives on while somebody has it open.
///
/// # Errors
/// `ENOENT`.
pub(super) fn remove(name: &[u8]) -> Result<()> {
    let gone = QUEUES.lock().remove(name).ok_or(Errno::ENOENT)?;
    gone.meta.lock().nlink = 0;
    Ok(())
}

/// The queue behind a descriptor.
///
/// # Errors
/// `EBADF` if it is none.
pub fn of(file: &OpenFile) -> Result<&Arc<Queue>> {
    file.ops_as::<Opened>().map(|opened| &opened.0).ok_or(Errno::EBADF)
}

/// A process closed a descriptor: it is not told of messages any more.
pub fn closed(process: &Process, file: &OpenFile) {
    if let Ok(queue) = of(file) {
        queue.forget(process);
    }
}

/// Messages that a new queue may hold, and bytes of each.
fn dimensions(privileged: bool, wanted: Option<Attributes>) -> Result<(u64, u64)> {
    let Some(wanted) = wanted else {
        return Ok((MSG_DEFAULT.get().min(MSG_MAX.get()), MSGSIZE_DEFAULT.get().min(MSGSIZE_MAX.get())));
    };
    let positive = |n: i64| u64::try_from(n).ok().filter(|&n| n > 0).ok_or(Errno::EINVAL);
    let asked = (positive(wanted.max_messages)?, positive(wanted.message_size)?);
    let limit = if privileged { HARD_LIMIT } else { (MSG_MAX.get(), MSGSIZE_MAX.get()) };
    if asked.0 > limit.0 || asked.1 > limit.1 { Err(Errno::EINVAL) } else { Ok(asked) }
}

impl Queue {
    fn make(process: &Process, credentials: &Credentials, mode: u32, wanted: Option<Attributes>) -> Result<Arc<Self>> {
        let privileged = credentials.capable(CAP_SYS_RESOURCE);
        if ALIVE.load(Ordering::Relaxed) >= QUEUES_MAX.get() && !privileged {
            return Err(Errno::ENOSPC);
        }
        let (messages, size) = dimensions(privileged, wanted)?;
        let charge = messages * (size + OVERHEAD.0) + messages.min(PRIORITIES.into()) * OVERHEAD.1;
        {
            let mut charged = CHARGED.lock();
            let taken = charged.entry(credentials.uid).or_default();
            if taken.saturating_add(charge) > process.limit(RLIMIT_MSGQUEUE) {
                return Err(Errno::EMFILE);
            }
            *taken += charge;
        }
        ALIVE.fetch_add(1, Ordering::Relaxed);
        let ino = rkt_vfs::new_anonymous_inode_number();
        let meta = Metadata::anonymous(rkt_vfs::anonymous_device(), ino, S_IFREG | mode);
        let Credentials { uid, gid, .. } = *credentials;
        Ok(Arc::new(Self {
            max_messages: messages as usize,
            message_size: size as usize,
            charge,
            meta: Mutex::new(Metadata { uid, gid, size: SIZE, ..meta }),
            content: Mutex::default(),
            readers: Arc::default(),
            writers: Arc::default(),
        }))
    }

    /// Bytes of the longest message.
    pub fn message_size(&self) -> usize {
        self.message_size
    }

    /// mq_getattr(3), but for the flags, which are the descriptor's.
    pub fn attributes(&self) -> Attributes {
        Attributes {
            max_messages: self.max_messages as i64,
            message_size: self.message_size as i64,
            waiting: self.content.lock().messages.len() as i64,
            ..Attributes::default()
        }
    }

    fn touch(&self) {
        let now = Time::now();
        let mut meta = self.meta.lock();
        (meta.mtime, meta.ctime) = (now, now);
    }

    /// mq_send(3): waits for room until the deadline, if it may.
    ///
    /// # Errors
    /// `EAGAIN`, `ETIMEDOUT`, `ERESTARTSYS`.
    pub fn send(&self, sender: &Process, message: Message, wait: bool, deadline: Option<u64>) -> Result<()> {
        let mut message = Some(message);
        let mut put = || {
            let mut content = self.content.lock();
            if content.messages.len() >= self.max_messages {
                return None;
            }
            let message = message.take()?;
            content.bytes += message.bytes.len();
            let at = content.messages.partition_point(|other| other.priority >= message.priority);
            content.messages.insert(at, message);
            // Who waits for a message gets it without further notice.
            let told = content.messages.len() == 1 && content.receivers == 0;
            Some(if told { content.notification.take() } else { None })
        };
        let notification = match put() {
            Some(notification) => notification,
            None if !wait => return Err(Errno::EAGAIN),
            None => self.writers.wait(deadline, put).map_err(interrupted)?,
        };
        self.touch();
        self.readers.wake_all(POLLIN | POLLRDNORM);
        if let Some(notification) = notification {
            notification.tell(sender);
        }
        Ok(())
    }

    /// mq_receive(3): waits for a message until the deadline, if it may.
    ///
    /// # Errors
    /// `EAGAIN`, `ETIMEDOUT`, `ERESTARTSYS`.
    pub fn receive(&self, wait: bool, deadline: Option<u64>) -> Result<Message> {
        let take = || {
            let mut content = self.content.lock();
            let message = content.messages.pop_front()?;
            content.bytes -= message.bytes.len();
            Some(message)
        };
        let message = match take() {
            Some(message) => message,
            None if !wait => return Err(Errno::EAGAIN),
            None => {
                self.content.lock().receivers += 1;
                let message = self.readers.wait(deadline, take);
                self.content.lock().receivers -= 1;
                message.map_err(interrupted)?
            }
        };
        self.touch();
        self.writers.wake_all(POLLOUT | POLLWRNORM);
        Ok(message)
    }

    /// mq_notify(3). None takes the caller's registration back.
    ///
    /// # Errors
    /// `EBUSY` if somebody is registered.
    pub fn notify(&self, process: &Process, wanted: Option<Notification>) -> Result<()> {
        let Some(wanted) = wanted else {
            self.forget(process);
            return Ok(());
        };
        let mut content = self.content.lock();
        let taken = content.notification.as_ref().is_some_and(|other| other.process.strong_count() > 0);
        if taken {
            return Err(Errno::EBUSY);
        }
        content.notification = Some(wanted);
        Ok(())
    }

    fn forget(&self, process: &Process) {
        let mut content = self.content.lock();
        let own = |other: &mut Notification| other.process.upgrade().is_some_and(|other| other.pid == process.pid);
        let ended = content.notification.take_if(own);
        drop(content);
        if let Some(notification) = ended {
            notification.end();
        }
    }

    /// What read(2) shows (mq_overview(7)).
    fn shown(&self) -> Vec<u8> {
        let content = self.content.lock();
        let told = content.notification.as_ref();
        let pid = told.and_then(|told| told.process.upgrade()).map_or(0, |process| process.pid);
        let kind = told.map_or(0, |told| told.manner.number());
        let signal = match told {
            Some(Notification { manner: Manner::Signal { number, .. }, .. }) => *number,
            _ => 0,
        };
        let size = content.bytes;
        format!("QSIZE:{size:<10} NOTIFY:{kind:<5} SIGNO:{signal:<5} NOTIFY_PID:{pid:<6}\n").into_bytes()
    }
}

fn interrupted(error: WaitError) -> Errno {
    match error {
        WaitError::TimedOut => Errno::ETIMEDOUT,
        WaitError::Interrupted => Errno::ERESTARTSYS,
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
        if let Some(taken) = CHARGED.lock().get_mut(&self.meta.lock().uid) {
            *taken = taken.saturating_sub(self.charge);
        }
    }
}

impl Inode for Queue {
    fn kind(&self) -> FileType {
        FileType::Regular
    }

    fn metadata(&self) -> Metadata {
        *self.meta.lock()
    }

    fn open(self: Arc<Self>, _: u32) -> Result<Arc<dyn FileOps>> {
        Ok(Arc::new(Opened(self)))
    }

    fn set_attributes(&self, change: &SetAttributes) -> Result<()> {
        // The owner stays: it is he whom the bytes are charged to.
        self.meta.lock().change(&SetAttributes { uid: None, ..*change });
        Ok(())
    }
}

/// A queue that is open.
struct Opened(Arc<Queue>);

impl FileOps for Opened {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &OpenFile, offset: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        let text = self.0.shown();
        let rest = usize::try_from(*offset).ok().and_then(|at| text.get(at..)).unwrap_or(&[]);
        let moved = into.put(rest)?;
        *offset += moved as u64;
        Ok(moved)
    }

    fn seek(&self, _: &OpenFile, position: u64, offset: i64, whence: u32) -> Result<u64> {
        seek_in(SIZE, position, offset, whence)
    }

    fn pollable(&self) -> bool {
        true
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        if let Some(table) = table {
            table.watch(&self.0.readers);
            table.watch(&self.0.writers);
        }
        let waiting = self.0.content.lock().messages.len();
        let readable = if waiting > 0 { POLLIN | POLLRDNORM } else { 0 };
        let writable = if waiting < self.0.max_messages { POLLOUT | POLLWRNORM } else { 0 };
        readable | writable
    }
}
