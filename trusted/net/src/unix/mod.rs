//! Local sockets (unix(7)): streams, datagrams, sequenced packets. No stack is involved; what one
//! socket sends goes into the [`Inbox`] of the other.

mod calls;
mod inbox;
mod names;

use names::Name;
pub(crate) use names::Names;
pub use names::UnixNode;

use crate::NetStack;
use crate::address::{AF_UNIX, UnixAddress};
use crate::options::{Kind, Options};
use crate::socket::{Credentials, Socket};
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering};
use inbox::Inbox;
use rkt_linux_abi::{Errno, Result, general::*};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;

/// net.core.somaxconn.
const MAX_BACKLOG: usize = 4096;

/// A connection's other end.
#[derive(Clone)]
struct Peer {
    /// Where it receives.
    inbox: Arc<Inbox>,
    /// It itself, for datagram sockets, where a closed peer makes a difference.
    socket: Weak<UnixSocket>,
    name: Name,
    credentials: Credentials,
}

enum Role {
    Idle,
    /// Sockets that are connected and wait to be accepted.
    Listening {
        ready: VecDeque<Arc<UnixSocket>>,
        backlog: usize,
        credentials: Credentials,
    },
    Connected(Peer),
}

struct State {
    role: Role,
    read_shut: bool,
    write_shut: bool,
}

/// A local socket.
pub(crate) struct UnixSocket {
    net: Arc<NetStack>,
    me: Weak<UnixSocket>,
    kind: Kind,
    queue: Arc<WaitQueue>,
    inbox: Arc<Inbox>,
    options: Mutex<Options>,
    name: Name,
    state: Mutex<State>,
    /// Of the file that it is; 0: none yet.
    inode: AtomicU64,
}

/// socket(2).
pub(crate) fn socket(net: Arc<NetStack>, kind: Kind) -> Arc<dyn Socket> {
    UnixSocket::new(net, kind)
}

/// socketpair(2).
pub(crate) fn pair(net: Arc<NetStack>, kind: Kind) -> (Arc<dyn Socket>, Arc<dyn Socket>) {
    let credentials = net.hooks.credentials();
    let (a, b) = (UnixSocket::new(net.clone(), kind), UnixSocket::new(net, kind));
    a.join(&b, credentials);
    b.join(&a, credentials);
    (a, b)
}

impl UnixSocket {
    fn new(net: Arc<NetStack>, kind: Kind) -> Arc<Self> {
        let options = Options::new(AF_UNIX, kind, 0);
        let queue = Arc::new(WaitQueue::new());
        let inbox = Inbox::new(kind, options.send_buffer, queue.clone());
        let state = State { role: Role::Idle, read_shut: false, write_shut: false };
        Arc::new_cyclic(|me| Self {
            net,
            me: me.clone(),
            kind,
            queue,
            inbox,
            options: Mutex::new(options),
            name: Name::default(),
            state: Mutex::new(state),
            inode: AtomicU64::new(0),
        })
    }

    /// Makes `other` the peer; `credentials` are its.
    fn join(&self, other: &Arc<UnixSocket>, credentials: Credentials) {
        let name = other.name.clone();
        let peer = Peer { inbox: other.inbox.clone(), socket: Arc::downgrade(other), name, credentials };
        other.inbox.add_sender(&self.queue);
        self.set_role(Role::Connected(peer));
    }

    /// The old role goes when the lock was let go: it may hold the last of an inbox.
    fn set_role(&self, role: Role) {
        let old = core::mem::replace(&mut self.state.lock().role, role);
        drop(old);
    }

    /// The number of the file that it is.
    pub fn set_inode(&self, inode: u64) {
        self.inode.store(inode, Ordering::Relaxed);
    }

    fn peer(&self) -> Option<Peer> {
        match &self.state.lock().role {
            Role::Connected(peer) => Some(peer.clone()),
            _ => None,
        }
    }

    /// Whether datagrams of `sender` are let in: from anybody, or from the peer only.
    fn lets_in(&self, sender: &UnixSocket) -> bool {
        match &self.state.lock().role {
            Role::Connected(peer) => core::ptr::eq(peer.socket.as_ptr(), sender),
            _ => true,
        }
    }

    /// Whether its peer is `other`.
    fn is_joined_to(&self, other: &UnixSocket) -> bool {
        matches!(&self.state.lock().role, Role::Connected(peer) if core::ptr::eq(peer.socket.as_ptr(), other))
    }

    /// One attempt to connect a stream to a listening socket.
    ///
    /// # Errors
    /// `ECONNREFUSED` if it does not listen, `EAGAIN` if its backlog is full.
    fn connect_to(&self, listener: &Arc<UnixSocket>) -> Result<()> {
        listener.has_room()?;
        // Only then does Linux look at the socket itself.
        match &self.state.lock().role {
            Role::Connected(_) => return Err(Errno::EISCONN),
            Role::Listening { .. } => return Err(Errno::EINVAL),
            Role::Idle => {}
        }
        let credentials = self.net.hooks.credentials();
        let server = UnixSocket::new(self.net.clone(), self.kind);
        let pass = listener.options.lock().pass_credentials;
        server.options.lock().pass_credentials = pass;
        server.inbox.wants_credentials.store(pass, Ordering::Relaxed);
        let me = self.me.upgrade().ok_or(Errno::EINVAL)?;
        server.join(&me, credentials);
        {
            let mut state = listener.state.lock();
            let Role::Listening { ready, credentials, .. } = &mut state.role else {
                return Err(Errno::ECONNREFUSED);
            };
            server.name.set(listener.name.get());
            self.join(&server, *credentials);
            ready.push_back(server);
        }
        listener.queue.wake_all(POLLIN | POLLRDNORM);
        Ok(())
    }

    fn has_room(&self) -> Result<()> {
        match &self.state.lock().role {
            Role::Listening { ready, backlog, .. } if ready.len() <= *backlog => Ok(()),
            Role::Listening { .. } => Err(Errno::EAGAIN),
            _ => Err(Errno::ECONNREFUSED),
        }
    }

    /// The connection ends on both sides, if there is one. `unread`: bytes were left.
    fn part(&self, unread: bool) {
        let Some(peer) = self.peer() else { return };
        self.inbox.abandon();
        if self.kind != Kind::Datagram {
            peer.inbox.end(unread.then_some(Errno::ECONNRESET));
            peer.inbox.reader().wake_all(POLLOUT | POLLHUP);
        }
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        self.part(self.inbox.state().has_any);
        self.inbox.abandon();
        self.queue.wake_all(POLLHUP);
        let state = self.state.get_mut();
        if let Role::Listening { ready, .. } = &mut state.role {
            for embryo in ready.drain(..) {
                // Never accepted: the peer is told so.
                embryo.part(true);
            }
        }
        self.net.names.release(&self.name.get(), self.kind);
    }
}
