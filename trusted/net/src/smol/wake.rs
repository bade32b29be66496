//! How smoltcp tells which of its sockets changed: its wakers put them on a list, so that a poll
//! costs nothing for connections without news.

use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use rkt_linux_abi::Errno;
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::State;

/// Sockets with news.
#[derive(Default)]
pub(super) struct News {
    list: Mutex<Vec<Arc<Watch>>>,
    any: AtomicBool,
}

impl News {
    /// Whether there are any. Cheap.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Takes one. Its next news are new ones.
    pub fn take(&self) -> Option<Arc<Watch>> {
        let mut list = self.list.lock();
        let watch = list.pop();
        self.any.store(!list.is_empty(), Ordering::Relaxed);
        if let Some(watch) = &watch {
            watch.listed.store(false, Ordering::Relaxed);
        }
        watch
    }
}

/// Whose a smoltcp socket is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// A listening port, by its number in the list: waits for a SYN or is in the handshake.
    Listener(u64),
    /// A [`Connection`](crate::Connection).
    Connection,
    /// Nobody any more: the protocol goes on to its end (FIN-WAIT, LAST-ACK, TIME-WAIT).
    Orphan,
    /// An open UDP port.
    Port(u16),
    /// Removed: the handle is not valid any more.
    Removed,
}

/// What was last seen of a socket. Guarded by the lock of the stack, inner to it.
pub(super) struct Seen {
    pub owner: Owner,
    pub state: State,
    /// Bytes that could be received.
    pub queued: usize,
    /// Somebody wants to know of room in the send buffer.
    pub starved: bool,
    /// The peer's FIN came.
    pub finished: bool,
    pub error: Option<Errno>,
    /// When it became an orphan, or when the last progress was made: monotonic nanoseconds.
    pub since: u64,
}

/// A smoltcp socket as seen from outside.
pub(super) struct Watch {
    pub handle: SocketHandle,
    pub queue: Arc<WaitQueue>,
    pub seen: Mutex<Seen>,
    news: Arc<News>,
    listed: AtomicBool,
}

impl Watch {
    pub fn new(handle: SocketHandle, queue: Arc<WaitQueue>, owner: Owner, news: &Arc<News>) -> Arc<Self> {
        let seen = Seen {
            owner,
            state: State::Closed,
            queued: 0,
            starved: false,
            finished: false,
            error: None,
            since: rkt_platform::now(),
        };
        Arc::new(Self { handle, queue, seen: Mutex::new(seen), news: news.clone(), listed: AtomicBool::new(false) })
    }

    /// For smoltcp, which uses it once.
    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    /// Puts it on the list.
    pub fn list(self: &Arc<Self>) {
        if !self.listed.swap(true, Ordering::Relaxed) {
            self.news.list.lock().push(self.clone());
            self.news.any.store(true, Ordering::Relaxed);
        }
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.list();
    }
}
