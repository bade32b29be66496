//! A TCP connection both ends of which are in the enclave: two rings of bytes, no segments.
//!
//! What the application can see is as if there were segments: FIN, RST, the error after writing
//! to who has closed, the receive window that stops the writer.

use super::MAX_WINDOW;
use crate::ring::Ring;
use crate::stack::{Connection, Phase, Status};
use alloc::sync::Arc;
use core::net::SocketAddr;
use rkt_linux_abi::{Errno, Result, general::*};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_tcp::{SendFlags, Setting, TcpInfo};
use rkt_user::{IoSink, IoSource};

struct Side {
    address: SocketAddr,
    incoming: Ring,
    phase: Phase,
    /// The peer's FIN came.
    finished: bool,
    /// Own FIN went.
    finish_sent: bool,
    /// Whether the end still exists.
    held: bool,
    error: Option<Errno>,
    /// Bytes that were ever put into `incoming`.
    arrived: u64,
    urgent: Option<Mark>,
    /// SO_OOBINLINE.
    inline: bool,
}

/// The urgent byte (RFC 6093 §3.1), which stands in the stream and is passed over there.
#[derive(Clone, Copy)]
struct Mark {
    /// Its place in the stream.
    at: u64,
    /// The byte, until it is taken.
    byte: Option<u8>,
}

impl Side {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            incoming: Ring::new(MAX_WINDOW),
            phase: Phase::Connecting,
            finished: false,
            finish_sent: false,
            held: true,
            error: None,
            arrived: 0,
            urgent: None,
            inline: false,
        }
    }

    /// Bytes that were read.
    fn read(&self) -> u64 {
        self.arrived.saturating_sub(self.incoming.len() as u64)
    }

    /// Whether the next byte is the urgent one, which is not read with the others.
    fn at_gap(&self) -> bool {
        !self.inline && self.urgent.is_some_and(|mark| mark.at == self.read())
    }

    /// Passes over the urgent byte.
    fn pass_gap(&mut self) {
        if self.at_gap() && !self.incoming.is_empty() {
            self.incoming.skip(1);
            self.urgent = None;
        }
    }

    /// Bytes that can be read in one go: not across the urgent byte.
    fn readable(&self) -> usize {
        let (gap, len) = (usize::from(self.at_gap()), self.incoming.len());
        match self.urgent {
            Some(mark) if mark.at > self.read() => len.min((mark.at - self.read()) as usize),
            _ => len.saturating_sub(gap),
        }
    }

    /// A segment with RST comes in (RFC 9293 §3.10.7). The error is Linux's `tcp_reset`.
    fn reset(&mut self) {
        if self.phase == Phase::Closed {
            return;
        }
        self.error = Some(match (self.phase, self.finished) {
            (Phase::Connecting, _) => Errno::ECONNREFUSED,
            (_, true) => Errno::EPIPE,
            _ => Errno::ECONNRESET,
        });
        self.phase = Phase::Closed;
    }

    /// Both directions are done.
    fn close_if_done(&mut self) {
        if self.finished && self.finish_sent {
            self.phase = Phase::Closed;
        }
    }
}

struct Pair {
    sides: Mutex<[Side; 2]>,
    queues: [Arc<WaitQueue>; 2],
}

/// One end.
pub(crate) struct End {
    pair: Arc<Pair>,
    /// Whether it is the end that was accepted.
    accepted: bool,
}

/// Two ends that are not connected yet: the one that connects, whose progress wakes `queue`, and
/// the one to be accepted.
pub(crate) fn pair(client: SocketAddr, server: SocketAddr, queue: Arc<WaitQueue>) -> (Arc<End>, Arc<End>) {
    let pair = Arc::new(Pair {
        sides: Mutex::new([Side::new(client), Side::new(server)]),
        queues: [queue, Arc::new(WaitQueue::new())],
    });
    (Arc::new(End { pair: pair.clone(), accepted: false }), Arc::new(End { pair, accepted: true }))
}

/// The end that connects to where nobody listens.
pub(crate) fn refused(client: SocketAddr, server: SocketAddr, queue: Arc<WaitQueue>) -> Arc<End> {
    pair(client, server, queue).0
}

impl End {
    /// Runs `f` on the own and the other side; wakes the other with the `POLL*` bits that it gives.
    fn with<R>(&self, f: impl FnOnce(&mut Side, &mut Side) -> (R, u32)) -> R {
        let (result, events) = {
            let mut sides = self.pair.sides.lock();
            let [client, server] = &mut *sides;
            if self.accepted { f(server, client) } else { f(client, server) }
        };
        if events != 0 {
            let [client, server] = &self.pair.queues;
            if self.accepted { client.wake_all(events) } else { server.wake_all(events) }
        }
        result
    }

    /// The handshake is over. The other end learns of it by [`End::announce`].
    pub fn establish(&self) {
        self.with(|me, peer| {
            for side in [me, peer] {
                if side.phase == Phase::Connecting {
                    side.phase = Phase::Open;
                }
            }
            ((), 0)
        });
    }

    /// Wakes who waits for the handshake.
    pub fn announce(&self) {
        self.with(|_, _| ((), POLLOUT | POLLWRNORM));
    }

    /// Whether the other end is still there.
    pub fn wanted(&self) -> bool {
        self.with(|_, peer| (peer.held, 0))
    }
}

/// Bits that become true at the other side by a FIN, and by a RST.
const FIN_EVENTS: u32 = POLLIN | POLLRDNORM | POLLRDHUP;
const RST_EVENTS: u32 = FIN_EVENTS | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;

impl Connection for End {
    fn status(&self) -> Status {
        self.with(|me, peer| {
            let status = Status {
                phase: me.phase,
                readable: me.readable(),
                finished: me.finished,
                // Linux's rule (`sk_stream_is_writeable`).
                writable: me.phase != Phase::Connecting && peer.incoming.room() >= peer.incoming.limit() / 3,
                unacknowledged: 0,
                unsent: 0,
                failed: me.error.is_some(),
                urgent: me.urgent.is_some_and(|mark| mark.byte.is_some() && mark.at >= me.read()),
            };
            (status, 0)
        })
    }

    fn local(&self) -> SocketAddr {
        self.with(|me, _| (me.address, 0))
    }

    fn peer(&self) -> SocketAddr {
        self.with(|_, peer| (peer.address, 0))
    }

    fn queue(&self) -> &Arc<WaitQueue> {
        let [client, server] = &self.pair.queues;
        if self.accepted { server } else { client }
    }

    fn receive(&self, sink: &mut IoSink<'_>, peek: Option<usize>) -> Result<usize> {
        self.with(|me, _| {
            if let Some(skipped) = peek {
                let start = skipped.saturating_add(me.at_gap().into());
                return (me.incoming.copy(sink, start, me.readable().saturating_sub(skipped)), 0);
            }
            let before = me.incoming.room();
            me.pass_gap();
            let taken = me.incoming.drain(sink, me.readable());
            // Wake the writer when there is room for a third, as Linux's `sk_stream_is_writeable`.
            let third = me.incoming.limit() / 3;
            let wake = before < third && me.incoming.room() >= third;
            (taken, if wake { POLLOUT | POLLWRNORM } else { 0 })
        })
    }

    fn send(&self, source: &mut IoSource<'_>, flags: SendFlags) -> Result<usize> {
        self.with(|me, peer| {
            if me.phase == Phase::Connecting {
                return (Ok(0), 0);
            }
            if me.phase == Phase::Closed || me.finish_sent {
                return (Err(Errno::EPIPE), 0);
            }
            if !peer.held {
                // The segment goes out and is answered with RST.
                me.reset();
                return (Ok(source.skip(source.remaining())), 0);
            }
            let sent = peer.incoming.fill(source);
            let count = sent.as_ref().map_or(0, |&count| count as u64);
            peer.arrived += count;
            let mut events = if count > 0 { POLLIN | POLLRDNORM } else { 0 };
            // The last byte is the urgent one (RFC 6093 §3.1).
            if count > 0 && flags.contains(SendFlags::URGENT) && source.is_full() {
                peer.urgent = Some(Mark { at: peer.arrived - 1, byte: peer.incoming.last() });
                events |= POLLPRI;
            }
            (sent, events)
        })
    }

    fn receive_urgent(&self, peek: bool) -> Result<u8> {
        self.with(|me, _| {
            let mark = me.urgent.as_mut().filter(|_| !me.inline);
            let byte = mark.and_then(|mark| if peek { mark.byte } else { mark.byte.take() });
            (byte.ok_or(Errno::EINVAL), 0)
        })
    }

    fn at_mark(&self) -> bool {
        self.with(|me, _| (me.urgent.is_some_and(|mark| mark.at == me.read()), 0))
    }

    fn finish(&self) {
        self.with(|me, peer| {
            if me.phase != Phase::Open || me.finish_sent {
                return ((), 0);
            }
            me.finish_sent = true;
            peer.finished = true;
            me.close_if_done();
            peer.close_if_done();
            ((), FIN_EVENTS)
        });
    }

    fn abort(&self) {
        self.with(|me, peer| {
            me.phase = Phase::Closed;
            let events = if peer.phase == Phase::Closed { 0 } else { RST_EVENTS };
            peer.reset();
            ((), events)
        });
    }

    fn take_error(&self) -> Option<Errno> {
        self.with(|me, _| (me.error.take(), 0))
    }

    // Nothing is delayed, and a peer inside the enclave does not vanish.
    fn set(&self, setting: Setting) {
        if let Setting::UrgentInline(inline) = setting {
            self.with(|me, _| {
                me.inline = inline;
                ((), 0)
            });
        }
    }

    fn info(&self) -> Option<TcpInfo> {
        None
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let unread = self.with(|me, _| {
            me.held = false;
            (!me.incoming.is_empty() || me.phase == Phase::Connecting, 0)
        });
        if unread {
            self.abort()
        } else {
            self.finish()
        }
        self.with(|me, _| (me.incoming.clear(), 0));
    }
}
