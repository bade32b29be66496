//! A listening port: connections that are established and wait to be accepted.

use super::loopback::{self, End};
use crate::stack::{Acceptor, Connection};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use rkt_linux_abi::general::{POLLIN, POLLRDNORM};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_tcp::ListenConfig;

/// net.core.somaxconn.
const MAX_BACKLOG: usize = 4096;

struct Inner {
    open: bool,
    backlog: usize,
    /// TCP_DEFER_ACCEPT in nanoseconds; none: off.
    defer: Option<u64>,
    ready: VecDeque<Arc<dyn Connection>>,
    /// Ends inside the enclave that wait for room in `ready`, as SYNs that are sent again and again.
    waiting: VecDeque<Arc<End>>,
}

/// The queue of a listening socket.
pub(crate) struct Listener {
    queue: Arc<WaitQueue>,
    inner: Mutex<Inner>,
}

impl Inner {
    fn has_room(&self) -> bool {
        // Linux lets one more in than the backlog says.
        self.ready.len() <= self.backlog
    }
}

impl Listener {
    /// Listens with this backlog; `queue` is woken when there is something to accept.
    pub fn new(queue: Arc<WaitQueue>, backlog: i32) -> Arc<Self> {
        let (ready, waiting) = (VecDeque::new(), VecDeque::new());
        let listener = Self { queue, inner: Mutex::new(Inner { open: true, backlog: 0, defer: None, ready, waiting }) };
        listener.set_backlog(backlog);
        Arc::new(listener)
    }

    /// listen(2) again.
    pub fn set_backlog(&self, backlog: i32) {
        // Negative values count as huge, as in Linux.
        self.inner.lock().backlog = usize::try_from(backlog).unwrap_or(MAX_BACKLOG).min(MAX_BACKLOG);
    }

    /// TCP_DEFER_ACCEPT: how long a connection is kept back that sends nothing, in nanoseconds.
    pub fn set_defer(&self, defer: Option<u64>) {
        self.inner.lock().defer = defer;
    }

    /// Connections that wait to be accepted, and how many may: what TCP_INFO shows of a listener.
    pub fn fill(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.ready.len(), inner.backlog)
    }

    /// Whether accept(2) would return at once.
    pub fn is_ready(&self) -> bool {
        !self.inner.lock().ready.is_empty()
    }

    /// The connection that has waited longest.
    ///
    /// # Errors
    /// `EAGAIN` if there is none, `EINVAL` if it does not listen any more.
    pub fn accept(&self) -> Result<Arc<dyn Connection>> {
        let (connection, moved) = {
            let mut inner = self.inner.lock();
            if !inner.open {
                return Err(Errno::EINVAL);
            }
            let connection = inner.ready.pop_front().ok_or(Errno::EAGAIN)?;
            let moved = inner.waiting.pop_front();
            if let Some(end) = &moved {
                end.establish();
                inner.ready.push_back(end.clone());
            }
            (connection, moved)
        };
        if let Some(end) = moved {
            end.announce();
        }
        Ok(connection)
    }

    /// Connects from inside the enclave.
    ///
    /// # Errors
    /// `ECONNREFUSED` if it does not listen any more.
    pub fn connect(&self, from: SocketAddr, to: SocketAddr, queue: Arc<WaitQueue>) -> Arc<dyn Connection> {
        let (client, server) = loopback::pair(from, to, queue);
        {
            let mut inner = self.inner.lock();
            if !inner.open {
                return client;
            }
            inner.waiting.retain(|end| end.wanted());
            if !inner.has_room() {
                inner.waiting.push_back(server);
                return client;
            }
            server.establish();
            inner.ready.push_back(server);
        }
        self.queue.wake_all(POLLIN | POLLRDNORM);
        client
    }

    /// Stops listening; connections that were not accepted are reset.
    pub fn close(&self) {
        let (ready, waiting): (Vec<_>, Vec<_>) = {
            let mut inner = self.inner.lock();
            inner.open = false;
            (inner.ready.drain(..).collect(), inner.waiting.drain(..).collect())
        };
        ready.iter().for_each(|connection| connection.abort());
        waiting.iter().for_each(|end| end.abort());
        self.queue.wake_all(0);
    }
}

impl Acceptor for Listener {
    fn waiting(&self) -> usize {
        self.inner.lock().ready.len()
    }

    fn listen_config(&self) -> ListenConfig {
        let inner = self.inner.lock();
        ListenConfig { backlog: inner.backlog as u32, defer: inner.defer, ..ListenConfig::default() }
    }

    fn offer(&self, connection: Arc<dyn Connection>) {
        let refused = {
            let mut inner = self.inner.lock();
            if inner.open {
                inner.ready.push_back(connection);
                None
            } else {
                Some(connection)
            }
        };
        match refused {
            Some(connection) => connection.abort(),
            None => self.queue.wake_all(POLLIN | POLLRDNORM),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}
