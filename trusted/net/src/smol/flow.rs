//! A TCP socket of smoltcp with what belongs to it. Each is alone in its socket set: smoltcp looks
//! at all sockets of a set for each packet, and so never sees more than the one concerned.

use crate::stack::KeepAlive;
use crate::tcp::MAX_WINDOW;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;
use rkt_linux_abi::{Errno, general::*};
use rkt_sched::WaitQueue;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::Socket as AnySocket;
use smoltcp::socket::tcp::{RecvError, Socket, SocketBuffer, State};
use smoltcp::time::Duration;

/// Bytes of send buffer.
const SEND_BUFFER: usize = 256 << 10;
/// How long a handshake may take (net.ipv4.tcp_syn_retries).
const SYN_TIMEOUT: Duration = Duration::from_secs(127);

/// Own and the peer's address.
pub(super) type Pair = (SocketAddr, SocketAddr);

/// Whose a flow is.
#[derive(Clone)]
pub(super) enum Owner {
    /// Nobody's: kept for its buffers.
    Free,
    /// A listening port's, by its number: in the handshake.
    Handshake(u64),
    /// A [`Connection`](crate::Connection)'s, whose waiters are here.
    Connection(Arc<WaitQueue>),
    /// Nobody's any more: the protocol goes on to its end (FIN-WAIT, LAST-ACK, TIME-WAIT).
    Orphan,
}

/// What made a connection end, if it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A segment came in: RST.
    Segment,
    /// Something went out: a timer ended it.
    Timer,
}

/// A flow.
pub(super) struct Flow {
    pub set: SocketSet<'static>,
    handle: SocketHandle,
    pub owner: Owner,
    /// As long as it is in the table of flows.
    pub pair: Option<Pair>,
    /// What was last seen of the socket.
    pub state: State,
    /// Bytes that could be received, when last looked at.
    pub queued: usize,
    /// Somebody wants to know of room in the send buffer.
    pub starved: bool,
    /// The peer's FIN came.
    pub finished: bool,
    /// How long the peer may be silent once the connection is established (SO_KEEPALIVE).
    silence: Option<Duration>,
    /// TCP_NODELAY.
    pub no_delay: bool,
    /// Bytes ever written, and how many of them were when a segment that may be small last went out.
    pub written: u64,
    small: u64,
    /// Not told yet.
    pub error: Option<Errno>,
    /// When it became an orphan, or when anything last happened: monotonic nanoseconds.
    pub since: u64,
    /// When it is to be looked at: as it stands in the list of timers. `u64::MAX`: not in it.
    pub timer: u64,
    /// Whether it is in the list of those to be looked at in this poll.
    pub due: bool,
}

impl Flow {
    /// A closed one.
    pub fn new() -> Self {
        let mut set = SocketSet::new(Vec::with_capacity(1));
        let (rx, tx) = (vec![0; MAX_WINDOW], vec![0; SEND_BUFFER]);
        let handle = set.add(Socket::new(SocketBuffer::new(rx), SocketBuffer::new(tx)));
        Self {
            set,
            handle,
            owner: Owner::Free,
            pair: None,
            state: State::Closed,
            queued: 0,
            starved: false,
            finished: false,
            silence: None,
            no_delay: false,
            written: 0,
            small: 0,
            error: None,
            since: 0,
            timer: u64::MAX,
            due: false,
        }
    }

    /// The socket.
    pub fn socket(&mut self) -> &mut Socket<'static> {
        self.set.get_mut(self.handle)
    }

    /// Makes a closed flow as new, for `owner`, with Linux's defaults.
    pub fn renew(&mut self, owner: Owner, now: u64) {
        // Out and in again, as the set remembers that the last peer's hardware address was missing.
        if let AnySocket::Tcp(mut socket) = self.set.remove(self.handle) {
            socket.abort();
            socket.set_timeout(Some(SYN_TIMEOUT));
            socket.set_keep_alive(None);
            self.handle = self.set.add(socket);
        }
        self.owner = owner;
        self.state = State::Closed;
        self.queued = 0;
        self.starved = false;
        self.finished = false;
        self.silence = None;
        self.no_delay = false;
        self.written = 0;
        self.small = 0;
        self.error = None;
        self.since = now;
    }

    /// Before sending: a small segment waits only for the acknowledgement of a small one (Minshall's
    /// variant of Nagle's algorithm, as in Linux), so that the end of a burst goes with it.
    pub fn decide_nagle(&mut self) {
        let acknowledged = self.written.saturating_sub(self.socket().send_queue() as u64);
        let hold = !self.no_delay && self.small > acknowledged;
        self.socket().set_nagle_enabled(hold);
        if !hold {
            self.small = self.written;
        }
    }

    /// Sets or ends the questions for signs of life; false if that changes nothing.
    pub fn keep_alive(&mut self, times: Option<KeepAlive>) -> bool {
        let interval = times.map(|times| Duration::from_secs(times.idle.into()));
        let silence = times.map(|times| Duration::from_secs(times.dead.into()));
        if (self.socket().keep_alive(), self.silence) == (interval, silence) {
            return false;
        }
        self.silence = silence;
        let socket = self.socket();
        socket.set_keep_alive(interval);
        // During the handshake its own timeout holds.
        if !matches!(socket.state(), State::SynSent | State::SynReceived) {
            socket.set_timeout(silence);
        }
        true
    }

    /// Looks at what became of the socket of a connection; gives the `POLL*` bits to wake for.
    pub fn news(&mut self, cause: Cause, now: u64) -> u32 {
        let finished = self.is_finished();
        let socket = self.socket();
        let (state, queued) = (socket.state(), socket.recv_queue());
        let (capacity, used) = (socket.send_capacity(), socket.send_queue());
        let mut bits = 0;
        if state != self.state {
            let connecting = matches!(self.state, State::SynSent | State::SynReceived);
            if connecting && state != State::SynReceived {
                let silence = self.silence;
                self.socket().set_timeout(silence);
            }
            self.finished = finished;
            self.since = now;
            if state == State::Closed && self.error.is_none() {
                self.error = ending(self.state, cause);
            }
            let closed = matches!(state, State::Closed | State::TimeWait);
            bits |= if self.finished || closed { POLLIN | POLLRDNORM | POLLRDHUP } else { 0 };
            bits |= if closed { POLLHUP | POLLOUT | POLLWRNORM } else { 0 };
            bits |= if self.error.is_some() { POLLERR } else { 0 };
            bits |= if connecting { POLLOUT | POLLWRNORM } else { 0 };
            self.state = state;
        }
        if queued > self.queued {
            bits |= POLLIN | POLLRDNORM;
        }
        self.queued = queued;
        if cause == Cause::Segment {
            self.since = now;
        }
        if self.starved && capacity - used >= capacity / 3 {
            self.starved = false;
            bits |= POLLOUT | POLLWRNORM;
        }
        bits
    }

    /// Whether the peer's FIN came.
    pub fn is_finished(&mut self) -> bool {
        let known = self.finished;
        let socket = self.socket();
        match socket.state() {
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait => true,
            State::Closed => known || (!socket.can_recv() && socket.recv(|_| (0, ())) == Err(RecvError::Finished)),
            _ => false,
        }
    }
}

/// The error of a connection that was in state `before` and is closed.
fn ending(before: State, cause: Cause) -> Option<Errno> {
    match (before, cause) {
        // Both sides were done.
        (State::LastAck | State::TimeWait | State::Closing | State::Closed, _) => None,
        (_, Cause::Timer) => Some(Errno::ETIMEDOUT),
        (State::SynSent | State::SynReceived, Cause::Segment) => Some(Errno::ECONNREFUSED),
        (State::CloseWait, Cause::Segment) => Some(Errno::EPIPE),
        _ => Some(Errno::ECONNRESET),
    }
}
