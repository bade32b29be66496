//! A TCP connection of smoltcp as a [`Connection`].

use super::engine::{Events, Inner};
use super::wake::Watch;
use super::{Smol, endpoint_address};
use crate::stack::{Connection, Phase, Status, StreamOption};
use alloc::sync::Arc;
use core::net::SocketAddr;
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitQueue;
use rkt_user::{IoSink, IoSource};
use smoltcp::socket::tcp::{RecvError, Socket, State};
use smoltcp::time::Duration;

/// A connection.
pub(super) struct SmolConnection {
    engine: Arc<Smol>,
    watch: Arc<Watch>,
    local: SocketAddr,
    peer: SocketAddr,
}

impl SmolConnection {
    /// Of a socket that is connecting or connected; none if it has no peer any more.
    pub fn new(engine: Arc<Smol>, watch: Arc<Watch>, socket: &Socket<'_>) -> Option<Arc<Self>> {
        let local = endpoint_address(socket.local_endpoint()?);
        let peer = endpoint_address(socket.remote_endpoint()?);
        Some(Arc::new(Self { engine, watch, local, peer }))
    }

    /// Runs `f` with the stack locked, then tells who waits.
    fn with<R>(&self, f: impl FnOnce(&mut Inner, &mut Events) -> R) -> R {
        self.engine.with(f)
    }
}

/// Whether the peer's FIN came.
pub(super) fn is_finished(socket: &mut Socket<'_>) -> bool {
    match socket.state() {
        State::CloseWait | State::LastAck | State::Closing | State::TimeWait => true,
        State::Closed => !socket.can_recv() && socket.recv(|_| (0, ())) == Err(RecvError::Finished),
        _ => false,
    }
}

fn phase(state: State) -> Phase {
    match state {
        State::Listen | State::SynSent | State::SynReceived => Phase::Connecting,
        State::Closed | State::TimeWait => Phase::Closed,
        _ => Phase::Open,
    }
}

impl Connection for SmolConnection {
    fn status(&self) -> Status {
        self.with(|inner, _| {
            let socket = inner.tcp(self.watch.handle);
            let mut seen = self.watch.seen.lock();
            let phase = phase(socket.state());
            let (capacity, used) = (socket.send_capacity(), socket.send_queue());
            let room = if phase == Phase::Connecting { 0 } else { capacity - used };
            seen.starved |= room < capacity / 3;
            Status {
                phase,
                readable: if phase == Phase::Connecting { 0 } else { socket.recv_queue() },
                finished: seen.finished || is_finished(socket),
                room,
                capacity,
                unacknowledged: used,
                failed: seen.error.is_some(),
            }
        })
    }

    fn local(&self) -> SocketAddr {
        self.local
    }

    fn peer(&self) -> SocketAddr {
        self.peer
    }

    fn queue(&self) -> &Arc<WaitQueue> {
        &self.watch.queue
    }

    fn receive(&self, sink: &mut IoSink<'_>, peek: bool) -> Result<usize> {
        self.with(|inner, events| {
            let socket = inner.tcp(self.watch.handle);
            if peek {
                return socket.peek(sink.remaining()).map_or(Ok(0), |bytes| sink.put(bytes));
            }
            let window_before = socket.recv_capacity() - socket.recv_queue();
            let mut total = 0;
            // The ring's contents lie in two pieces at most.
            for _ in 0..2 {
                let taken = socket.recv(|bytes| match sink.put(bytes) {
                    _ if bytes.is_empty() => (0, Ok(0)),
                    Ok(n) => (n, Ok(n)),
                    Err(error) => (0, Err(error)),
                });
                match taken {
                    Ok(Ok(0)) | Err(_) => break,
                    Ok(Ok(n)) => total += n,
                    Ok(Err(error)) if total == 0 => return Err(error),
                    Ok(Err(_)) => break,
                }
                if sink.is_full() {
                    break;
                }
            }
            let (capacity, queued) = (socket.recv_capacity(), socket.recv_queue());
            self.watch.seen.lock().queued = queued;
            // smoltcp announces a window once it has doubled; before, there is nothing to send.
            if total > 0 && window_before < capacity / 2 {
                inner.flush(events);
            }
            Ok(total)
        })
    }

    fn send(&self, source: &mut IoSource<'_>, more: bool) -> Result<usize> {
        self.with(|inner, events| {
            let socket = inner.tcp(self.watch.handle);
            if phase(socket.state()) == Phase::Connecting {
                self.watch.seen.lock().starved = true;
                return Ok(0);
            }
            let mut total = 0;
            while !source.is_full() {
                let sent = socket.send(|room| match source.take(room) {
                    _ if room.is_empty() => (0, Ok(0)),
                    Ok(n) => (n, Ok(n)),
                    Err(error) => (0, Err(error)),
                });
                match sent {
                    Ok(Ok(0)) => break,
                    Ok(Ok(n)) => total += n,
                    Ok(Err(error)) if total == 0 => return Err(error),
                    Ok(Err(_)) => break,
                    Err(_) => return Err(Errno::EPIPE),
                }
            }
            if total > 0 && socket.send_queue() == total {
                // The first bytes under way: the time without progress starts now.
                self.watch.seen.lock().since = inner.now_ns();
            }
            if !source.is_full() {
                self.watch.seen.lock().starved = true;
            }
            if more && source.is_full() {
                inner.flush_later();
            } else if total > 0 {
                inner.flush(events);
            }
            Ok(total)
        })
    }

    fn finish(&self) {
        self.with(|inner, events| {
            inner.tcp(self.watch.handle).close();
            inner.flush(events);
        });
    }

    fn abort(&self) {
        self.with(|inner, events| {
            let socket = inner.tcp(self.watch.handle);
            socket.abort();
            self.watch.seen.lock().state = State::Closed;
            inner.flush(events);
        });
    }

    fn take_error(&self) -> Option<Errno> {
        self.with(|_, _| self.watch.seen.lock().error.take())
    }

    fn set(&self, option: StreamOption) {
        self.with(|inner, events| {
            let socket = inner.tcp(self.watch.handle);
            match option {
                StreamOption::NoDelay(on) => {
                    let changed = socket.nagle_enabled() == on;
                    socket.set_nagle_enabled(!on);
                    if changed && on && socket.send_queue() > 0 {
                        inner.flush(events);
                    }
                }
                StreamOption::KeepAlive(seconds) => {
                    let interval = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                    if socket.keep_alive() != interval {
                        socket.set_keep_alive(interval);
                        inner.flush_later();
                    }
                }
            }
        });
    }
}

impl Drop for SmolConnection {
    fn drop(&mut self) {
        self.with(|inner, events| {
            let socket = inner.tcp(self.watch.handle);
            // Unread bytes: the peer must not believe that they were taken (RFC 2525 §2.17).
            if socket.recv_queue() > 0 || socket.state() == State::SynSent {
                socket.abort();
            } else {
                socket.close();
            }
            inner.orphan(&self.watch);
            inner.flush(events);
        });
    }
}
