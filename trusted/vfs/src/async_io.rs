//! Signals that say that a file is ready (`O_ASYNC`, `F_SETOWN` and `F_SETSIG` of fcntl(2)).

use crate::file::OpenFile;
use crate::inotify::Inotify;
use crate::poll::{PollTable, READABLE, WRITABLE};
use crate::{FileType, Owner};
use alloc::sync::Arc;
use rkt_linux_abi::general::{POLLERR, POLLHUP, POLLMSG, POLLPRI, POLLWRBAND};
use rkt_sched::Notify;
use rkt_sync::{Mutex, OnceCell};

/// What happened to a file, as `si_code` and `si_band` tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// `POLL_IN` and its like.
    pub code: i32,
    /// Events of poll(2).
    pub band: u32,
}

impl Readiness {
    /// `POLL_IN`: there is something to read.
    pub const INPUT: Self = Self { code: 1, band: READABLE };
    /// `POLL_OUT`: there is room to write.
    pub const OUTPUT: Self = Self { code: 2, band: WRITABLE | POLLWRBAND };
    /// `POLL_MSG`: somebody wants the lease to end.
    pub const LEASE: Self = Self { code: 3, band: READABLE | POLLMSG };
}

/// Sends the signal to whom a file belongs.
static SENDER: OnceCell<fn(Owner, i32, Readiness)> = OnceCell::new();

/// Says who sends the signals: he gets the owner, the descriptor, and what happened.
pub fn on_file_signal(sender: fn(Owner, i32, Readiness)) {
    let _ = SENDER.set(sender);
}

/// Tells the owner of a file.
pub(crate) fn tell(owner: Owner, fd: i32, what: Readiness) {
    if let Some(sender) = SENDER.get().filter(|_| owner.id != 0) {
        sender(owner, fd, what);
    }
}

/// Whoever wants to know of a file, woken by its wait queues.
struct Target {
    owner: Mutex<Owner>,
    fd: i32,
    reads: bool,
    writes: bool,
}

impl Notify for Target {
    fn notify(self: Arc<Self>, events: u32) {
        let owner = *self.owner.lock();
        let ends = POLLHUP | POLLERR;
        if self.reads && events & (READABLE | POLLPRI | ends) != 0 {
            tell(owner, self.fd, Readiness::INPUT);
        }
        if self.writes && events & (WRITABLE | ends) != 0 {
            tell(owner, self.fd, Readiness::OUTPUT);
        }
    }
}

/// Whether Linux sends signals for such a file.
pub(crate) fn possible(file: &OpenFile) -> bool {
    let kind = matches!(file.inode().kind(), FileType::Fifo | FileType::Socket | FileType::CharDevice);
    (kind || file.ops_as::<Inotify>().is_some()) && file.ops().pollable()
}

/// The registration of a file that has `O_ASYNC`.
pub(crate) struct AsyncIo {
    target: Arc<Target>,
    /// Held for its registrations.
    _table: PollTable,
}

impl AsyncIo {
    /// None for files that Linux sends no signals for.
    pub fn start(file: &OpenFile, fd: i32) -> Option<Self> {
        if !possible(file) {
            return None;
        }
        let owner = Mutex::new(file.owner());
        let target = Arc::new(Target { owner, fd, reads: file.readable(), writes: file.writable() });
        let mut table = PollTable::new(target.clone());
        file.poll(Some(&mut table));
        Some(Self { target, _table: table })
    }

    pub fn set_owner(&self, owner: Owner) {
        *self.target.owner.lock() = owner;
    }
}
