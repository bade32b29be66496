//! A flow as a [`Connection`].

use super::flow::{Flow, errno};
use super::round::Round;
use super::table::{Keyed, Pair};
use super::{Engine, Way};
use crate::stack::{Connection, Manner, Phase, Status};
use crate::statistics::Count;
use alloc::sync::Arc;
use core::net::{IpAddr, SocketAddr};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitQueue;
use rkt_tcp::{
    Changes, Config, SendError, SendFlags, Setting, State, Tcb, TcpInfo, UrgentError, initial_sequence,
    timestamp_offset,
};
use rkt_user::{IoSink, IoSource};

/// A connection that somebody holds. Letting go closes it.
pub(super) struct Handle {
    engine: Arc<Engine>,
    flow: Arc<Flow>,
}

impl Handle {
    pub fn new(engine: Arc<Engine>, flow: Arc<Flow>) -> Arc<Self> {
        Arc::new(Self { engine, flow })
    }

    /// Runs `f`, which changes nothing that others see.
    fn look<R>(&self, gone: R, f: impl FnOnce(&mut Tcb) -> R) -> R {
        self.flow.inner.lock().tcb.as_mut().map_or(gone, |tcb| f(tcb))
    }
}

impl Engine {
    /// Starts a connection.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` if there is one between the same addresses.
    pub(super) fn open(
        &self,
        pair: Pair,
        way: Way,
        queue: Arc<WaitQueue>,
        config: &Config,
        manner: &Manner,
    ) -> Result<Arc<dyn Connection>> {
        let me = self.me.upgrade().ok_or(Errno::ENETDOWN)?;
        let hash = pair.hash(self.key);
        let mut round = Round::new();
        let above = self.vacate(&pair, hash, round.now)?;
        let numbers = self.numbers(&pair, round.now);
        // RFC 6191 §3: above what the old connection used.
        let sequence = above.map_or(numbers.sequence, |above| above.wrapping_add(numbers.sequence >> 16));
        let config = self.fitted(config, &way, pair.peer.is_ipv4());
        let mut tcb = Tcb::connect(round.now, sequence, numbers.timestamp_offset, &config);
        self.fit_path(&mut tcb, pair.peer.ip(), round.now);
        let ttl = manner.ttl.unwrap_or(self.ttl_of(&way, pair.peer.ip()));
        let flow = Flow::new((pair, hash), &way, queue, tcb, (ttl, manner.tos), &self.budget);
        if !self.flows.insert(flow.clone()) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        self.count_tcp(Count::TcpActiveOpens, 1);
        self.flush(&flow, &mut round);
        round.tell();
        Ok(Handle::new(me, flow))
    }

    /// Makes room for a new connection where one is in TIME-WAIT; gives the number that the new one's
    /// has to lie above.
    fn vacate(&self, pair: &Pair, hash: u64, now: u64) -> Result<Option<u32>> {
        let Some(old) = self.flows.find(pair, hash) else { return Ok(None) };
        let inner = old.inner.lock();
        let above = inner.time_wait.as_ref().and_then(|waiting| waiting.reusable(now)).ok_or(Errno::EADDRNOTAVAIL)?;
        drop(inner);
        self.flows.remove(&old);
        Ok(Some(above))
    }

    /// Where the numbers of a connection start.
    pub(super) fn numbers(&self, pair: &Pair, now: u64) -> Numbers {
        let (words, len) = pair.words();
        let words = words.get(..len).unwrap_or(&words);
        // The ports are the last word: timestamps have to rise from connection to connection.
        let addresses = words.split_last().map_or(words, |(_, addresses)| addresses);
        Numbers {
            sequence: initial_sequence(self.key, words, now),
            timestamp_offset: timestamp_offset(self.key, addresses),
        }
    }

    /// A configuration with the segment size of the way.
    pub(super) fn fitted(&self, config: &Config, way: &Way, v4: bool) -> Config {
        let headers = if v4 { 40 } else { 60 };
        let mtu = self.links.get(way.link).map_or(1280, |link| link.mtu(v4));
        let largest = mtu.saturating_sub(headers).min(usize::from(u16::MAX)) as u16;
        Config { mss: config.mss.min(largest), ..*config }
    }

    /// Tells a new connection what is known of its path.
    pub(super) fn fit_path(&self, tcb: &mut Tcb, peer: IpAddr, now: u64) {
        if let Some(path) = self.paths.lock().get(peer, now) {
            let headers = if peer.is_ipv4() { 40 } else { 60 };
            tcb.on_mtu(path.mtu.saturating_sub(headers));
        }
    }

    /// Time to live of packets that ask for no other.
    pub(super) fn ttl_of(&self, way: &Way, peer: IpAddr) -> u8 {
        self.links.get(way.link).map_or(super::DEFAULT_TTL, |link| link.ttl(peer.is_ipv4()))
    }
}

/// Where the numbers of a connection start.
pub(super) struct Numbers {
    pub sequence: u32,
    pub timestamp_offset: u32,
}

fn phase(state: &State) -> Phase {
    match state {
        State::SynSent(_) | State::SynReceived(_) => Phase::Connecting,
        State::Closed | State::TimeWait => Phase::Closed,
        _ => Phase::Open,
    }
}

const GONE: Status = Status {
    phase: Phase::Closed,
    readable: 0,
    finished: true,
    writable: false,
    unacknowledged: 0,
    unsent: 0,
    failed: false,
    urgent: false,
};

impl Connection for Handle {
    fn status(&self) -> Status {
        self.look(GONE, |tcb| {
            let phase = phase(tcb.state());
            let writable = phase == Phase::Open && tcb.is_writable();
            if !writable {
                tcb.watch_room();
            }
            Status {
                phase,
                readable: tcb.readable(),
                finished: tcb.has_end(),
                writable,
                unacknowledged: tcb.unacknowledged(),
                unsent: tcb.unsent(),
                failed: tcb.has_error(),
                urgent: tcb.has_urgent(),
            }
        })
    }

    fn local(&self) -> SocketAddr {
        self.flow.pair().local
    }

    fn peer(&self) -> SocketAddr {
        self.flow.pair().peer
    }

    fn queue(&self) -> &Arc<WaitQueue> {
        &self.flow.queue
    }

    fn receive(&self, sink: &mut IoSink<'_>, peek: Option<usize>) -> Result<usize> {
        let mut failure = None;
        let taken = self.engine.with_tcb(&self.flow, 0, |tcb, now| {
            let mut drain = |bytes: &[u8]| {
                sink.put(bytes).unwrap_or_else(|error| {
                    failure = Some(error);
                    0
                })
            };
            let taken = match peek {
                Some(skipped) => tcb.peek(skipped, &mut drain),
                None => tcb.receive(now, &mut drain),
            };
            let update =
                if taken > 0 && peek.is_none() && tcb.wants_output() { Changes::OUTPUT } else { Changes::empty() };
            (taken, update)
        });
        match failure {
            Some(error) if taken == 0 => Err(error),
            _ => Ok(taken),
        }
    }

    fn send(&self, source: &mut IoSource<'_>, flags: SendFlags) -> Result<usize> {
        let mut failure = None;
        let sent = self.engine.with_tcb(&self.flow, Err(SendError::Closed), |tcb, now| {
            let sent = tcb.send(now, flags, &mut |room| {
                source.take(room).unwrap_or_else(|error| {
                    failure = Some(error);
                    0
                })
            });
            let changes = if matches!(sent, Ok(1..)) { Changes::OUTPUT } else { Changes::empty() };
            (sent, changes)
        });
        match (sent, failure) {
            (Ok(0), Some(error)) => Err(error),
            (Ok(sent), _) => Ok(sent),
            (Err(SendError::WouldBlock), _) => Ok(0),
            (Err(SendError::Closed), _) => Err(Errno::EPIPE),
            (Err(SendError::NoMemory), _) => Err(Errno::ENOBUFS),
        }
    }

    fn receive_urgent(&self, peek: bool) -> Result<u8> {
        self.engine.with_tcb(&self.flow, Err(Errno::EINVAL), |tcb, _| {
            let urgent = tcb.urgent(peek).map_err(|error| match error {
                UrgentError::Awaited => Errno::EAGAIN,
                UrgentError::None => Errno::EINVAL,
            });
            (urgent, Changes::empty())
        })
    }

    fn at_mark(&self) -> bool {
        self.look(false, |tcb| tcb.at_mark())
    }

    fn finish(&self) {
        self.engine.with_tcb(&self.flow, (), |tcb, _| ((), tcb.shutdown_send()));
    }

    fn abort(&self) {
        self.engine.with_tcb(&self.flow, (), |tcb, _| ((), tcb.abort()));
    }

    fn take_error(&self) -> Option<Errno> {
        self.look(None, |tcb| tcb.take_error().map(errno))
    }

    fn set(&self, setting: Setting) {
        self.engine.with_tcb(&self.flow, (), |tcb, now| ((), tcb.set(now, setting)));
    }

    fn set_manner(&self, manner: &Manner) {
        let (link, peer) = (self.flow.link, self.flow.pair().peer.ip());
        let usual = self.engine.links.get(link).map_or(super::DEFAULT_TTL, |link| link.ttl(peer.is_ipv4()));
        let mut inner = self.flow.inner.lock();
        inner.ttl = manner.ttl.unwrap_or(usual);
        inner.tos = manner.tos;
    }

    fn info(&self) -> Option<TcpInfo> {
        let now = rkt_platform::now();
        self.look(None, |tcb| Some(tcb.info(now)))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.engine.with_tcb(&self.flow, (), |tcb, now| ((), tcb.close(now)));
        let mut inner = self.flow.inner.lock();
        let over = inner.tcb.as_ref().is_some_and(|tcb| phase(tcb.state()) == Phase::Closed);
        if over && !inner.tcb.as_ref().is_some_and(|tcb| tcb.wants_output()) {
            // Freed without the lock.
            let gone = inner.tcb.take();
            inner.charge.set(0);
            drop(inner);
            drop(gone);
        }
    }
}
