//! A flow as a [`Connection`].

use super::Smol;
use super::engine::{Events, Inner};
use super::flow::{Flow, Pair};
use super::table::Slot;
use crate::stack::{Connection, Phase, Status, StreamOption};
use alloc::sync::Arc;
use core::net::SocketAddr;
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitQueue;
use rkt_user::{IoSink, IoSource};
use smoltcp::socket::tcp::State;

/// A connection. The slot is its own until it is dropped.
pub(super) struct SmolConnection {
    engine: Arc<Smol>,
    slot: Slot,
    queue: Arc<WaitQueue>,
    pair: Pair,
}

impl SmolConnection {
    /// Over this flow, whose owner is the connection with this queue.
    pub fn new(engine: Arc<Smol>, slot: Slot, queue: Arc<WaitQueue>, pair: Pair) -> Arc<Self> {
        Arc::new(Self { engine, slot, queue, pair })
    }

    /// Runs `f` with the stack locked, then tells who waits.
    fn with<R>(&self, f: impl FnOnce(&mut Inner, &mut Events) -> R) -> R {
        self.engine.with(f)
    }

    /// As `with`, for what needs the flow only.
    fn look<R>(&self, otherwise: R, f: impl FnOnce(&mut Flow) -> R) -> R {
        self.engine.with(|inner, _| match inner.table.get(self.slot) {
            Some(flow) => f(flow),
            None => otherwise,
        })
    }
}

fn phase(state: State) -> Phase {
    match state {
        State::Listen | State::SynSent | State::SynReceived => Phase::Connecting,
        State::Closed | State::TimeWait => Phase::Closed,
        _ => Phase::Open,
    }
}

const GONE: Status = Status {
    phase: Phase::Closed,
    readable: 0,
    finished: true,
    room: 0,
    capacity: 0,
    unacknowledged: 0,
    failed: false,
};

/// Moves received bytes to the sink: the ring's contents lie in two pieces at most.
fn receive(flow: &mut Flow, sink: &mut IoSink<'_>) -> Result<usize> {
    let mut total = 0;
    for _ in 0..2 {
        let taken = flow.socket().recv(|bytes| match sink.put(bytes) {
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
    flow.queued = flow.socket().recv_queue();
    Ok(total)
}

/// Moves bytes from the source to the send buffer, as many as there is room for.
fn send(flow: &mut Flow, source: &mut IoSource<'_>) -> Result<usize> {
    let mut total = 0;
    while !source.is_full() {
        let sent = flow.socket().send(|room| match source.take(room) {
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
    flow.starved |= !source.is_full();
    flow.written += total as u64;
    Ok(total)
}

impl Connection for SmolConnection {
    fn status(&self) -> Status {
        self.look(GONE, |flow| {
            let finished = flow.is_finished();
            let socket = flow.socket();
            let phase = phase(socket.state());
            let (capacity, used) = (socket.send_capacity(), socket.send_queue());
            let readable = if phase == Phase::Connecting { 0 } else { socket.recv_queue() };
            let room = if phase == Phase::Connecting { 0 } else { capacity - used };
            flow.starved |= room < capacity / 3;
            let failed = flow.error.is_some();
            Status { phase, readable, finished, room, capacity, unacknowledged: used, failed }
        })
    }

    fn local(&self) -> SocketAddr {
        self.pair.0
    }

    fn peer(&self) -> SocketAddr {
        self.pair.1
    }

    fn queue(&self) -> &Arc<WaitQueue> {
        &self.queue
    }

    fn receive(&self, sink: &mut IoSink<'_>, peek: bool) -> Result<usize> {
        self.engine.with(|inner, events| {
            let Some(flow) = inner.table.get(self.slot) else { return Ok(0) };
            let socket = flow.socket();
            if peek {
                return match socket.peek(sink.remaining()) {
                    Ok(bytes) if !bytes.is_empty() => sink.put(bytes),
                    _ => Ok(0),
                };
            }
            let (window, capacity) = (socket.recv_capacity() - socket.recv_queue(), socket.recv_capacity());
            let total = receive(flow, sink)?;
            // smoltcp announces a window once it has doubled; before, there is nothing to send.
            if total > 0 && window < capacity / 2 {
                inner.flush(self.slot, events);
            }
            Ok(total)
        })
    }

    fn send(&self, source: &mut IoSource<'_>, more: bool) -> Result<usize> {
        self.engine.with(|inner, events| {
            let now = inner.now();
            let Some(flow) = inner.table.get(self.slot) else { return Err(Errno::EPIPE) };
            if phase(flow.socket().state()) == Phase::Connecting {
                flow.starved = true;
                return Ok(0);
            }
            let total = send(flow, source)?;
            if total > 0 && flow.socket().send_queue() == total {
                // The first bytes under way: the time without progress starts now.
                flow.since = now;
            }
            if more && source.is_full() {
                inner.touch(self.slot);
            } else if total > 0 {
                inner.flush(self.slot, events);
            }
            Ok(total)
        })
    }

    fn finish(&self) {
        self.with(|inner, events| {
            if let Some(flow) = inner.table.get(self.slot) {
                flow.socket().close();
                inner.flush(self.slot, events);
            }
        });
    }

    fn abort(&self) {
        self.with(|inner, events| {
            if let Some(flow) = inner.table.get(self.slot) {
                flow.socket().abort();
                flow.state = State::Closed;
                inner.flush(self.slot, events);
            }
        });
    }

    fn take_error(&self) -> Option<Errno> {
        self.look(None, |flow| flow.error.take())
    }

    fn set(&self, option: StreamOption) {
        self.with(|inner, events| {
            let Some(flow) = inner.table.get(self.slot) else { return };
            match option {
                StreamOption::NoDelay(on) => flow.no_delay = on,
                StreamOption::KeepAlive(times) => {
                    if !flow.keep_alive(times) {
                        return;
                    }
                }
            }
            // What was held back may go, or a timer is new.
            if flow.socket().send_queue() > 0 {
                inner.flush(self.slot, events);
            } else {
                inner.touch(self.slot);
            }
        });
    }
}

impl Drop for SmolConnection {
    fn drop(&mut self) {
        self.with(|inner, events| {
            let Some(flow) = inner.table.get(self.slot) else { return };
            let socket = flow.socket();
            // Unread bytes: the peer must not believe that they were taken (RFC 2525 §2.17).
            if socket.recv_queue() > 0 || socket.state() == State::SynSent {
                socket.abort();
            } else {
                socket.close();
            }
            inner.orphan(self.slot);
            inner.flush(self.slot, events);
        });
    }
}
