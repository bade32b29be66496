//! Listening ports: whom a SYN is for, and connections that are being made.

use super::arrival::Text;
use super::connection::Handle;
use super::flow::Flow;
use super::round::Round;
use super::table::Pair;
use super::{Engine, Timer, Way};
use crate::stack::{Acceptor, Guard};
use crate::statistics::Count;
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use hashbrown::HashMap;
use rkt_linux_abi::{Errno, Result};
use rkt_sync::{Mutex, RwLock};
use rkt_tcp::{Answer, Changes, Config, Listen, Origin, Secret, Segment, Tcb};

/// A listener.
pub(super) struct Listening {
    /// None: all addresses, of IPv6 only if `v6_only`; the wildcard of IPv4: all of that.
    address: Option<IpAddr>,
    v6_only: bool,
    port: u16,
    acceptor: Arc<dyn Acceptor>,
    /// Connections being made, by link and version of IP, for those decide the segment size.
    halves: Vec<[Mutex<Listen<Pair>>; 2]>,
    /// When the first of its timers in a wheel comes up.
    armed: AtomicU64,
}

/// All listeners, by port.
pub(super) struct Listeners {
    ports: RwLock<HashMap<u16, Vec<Arc<Listening>>>>,
}

/// Stops listening when dropped.
struct ListenGuard {
    engine: Weak<Engine>,
    listening: Arc<Listening>,
}

impl Drop for ListenGuard {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.upgrade() {
            engine.listeners.remove(&self.listening);
        }
    }
}

impl Listening {
    /// How well it fits a connection to `local`: not at all, as one for all addresses, or as one for this.
    fn fits(&self, local: IpAddr) -> Option<u8> {
        match self.address {
            None if self.v6_only && local.is_ipv4() => None,
            None => Some(0),
            Some(IpAddr::V4(all)) if all.is_unspecified() => local.is_ipv4().then_some(1),
            Some(address) => (address == local).then_some(2),
        }
    }

    fn half(&self, link: usize, v4: bool) -> Option<&Mutex<Listen<Pair>>> {
        self.halves.get(link)?.get(usize::from(!v4))
    }

    fn all_halves(&self) -> impl Iterator<Item = (usize, &Mutex<Listen<Pair>>)> {
        self.halves.iter().enumerate().flat_map(|(link, halves)| halves.iter().map(move |half| (link, half)))
    }
}

impl Listeners {
    pub fn new() -> Self {
        Self { ports: RwLock::new(HashMap::new()) }
    }

    /// The listener for a connection: of several that share the port (SO_REUSEPORT) the hash chooses.
    pub fn find(&self, pair: &Pair, hash: u64) -> Option<Arc<Listening>> {
        let ports = self.ports.read();
        let all = ports.get(&pair.local.port())?;
        let best = all.iter().filter_map(|listening| listening.fits(pair.local.ip())).max()?;
        let fitting = || all.iter().filter(|listening| listening.fits(pair.local.ip()) == Some(best));
        let nth = (hash >> 32).checked_rem(fitting().count() as u64)?;
        fitting().nth(nth as usize).cloned()
    }

    fn remove(&self, listening: &Arc<Listening>) {
        let mut ports = self.ports.write();
        if let Some(all) = ports.get_mut(&listening.port) {
            all.retain(|other| !Arc::ptr_eq(other, listening));
            if all.is_empty() {
                ports.remove(&listening.port);
            }
        }
    }
}

impl Engine {
    /// Listens; connections get `config`.
    ///
    /// # Errors
    /// `ENOBUFS`.
    pub(super) fn start_listening(
        &self,
        address: Option<IpAddr>,
        v6_only: bool,
        port: u16,
        acceptor: Arc<dyn Acceptor>,
        config: &Config,
    ) -> Result<Guard> {
        if self.me.strong_count() == 0 {
            return Err(Errno::ENOBUFS);
        }
        let half = |link: usize, v4: bool| {
            let way = Way { link, next_hop: [0; 4].into(), source: [0; 4].into() };
            let secret = Secret { sequence: self.key, timestamps: self.key, cookies: self.cookie_key };
            Mutex::new(Listen::new(self.fitted(config, &way, v4), acceptor.listen_config(), secret))
        };
        let listening = Arc::new(Listening {
            address,
            v6_only,
            port,
            acceptor: acceptor.clone(),
            halves: (0..self.links.len()).map(|link| [half(link, true), half(link, false)]).collect(),
            armed: AtomicU64::new(u64::MAX),
        });
        self.listeners.ports.write().entry(port).or_default().push(listening.clone());
        Ok(Box::new(ListenGuard { engine: self.me.clone(), listening }))
    }

    /// A segment came for a listener.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn knock(
        &self,
        nth: usize,
        listening: &Arc<Listening>,
        pair: Pair,
        hash: u64,
        segment: &Segment,
        text: &mut Text<'_>,
        round: &mut Round,
    ) {
        let Some(half) = listening.half(nth, pair.local.is_ipv4()) else { return };
        let (words, len) = pair.words();
        let connection = words.get(..len).unwrap_or(&words);
        let addresses = connection.split_last().map_or(connection, |(_, addresses)| addresses);
        let origin = Origin { connection, addresses, sequence: round.sequence.take() };
        let (answer, deadline, config) = {
            let mut half = half.lock();
            half.set_queued(listening.acceptor.waiting());
            *half.listen_config_mut() = listening.acceptor.listen_config();
            (half.on_segment(round.now, pair, &origin, segment), half.deadline(), *half.config_mut())
        };
        self.arm_listener(listening, deadline);
        match answer {
            Answer::Ignore => {}
            Answer::Reply(reply) => round.segments.push((pair, reply)),
            Answer::Accept(accepted) => {
                let tcb = Tcb::accepted(round.now, &accepted, &config);
                self.welcome(nth, listening, (pair, hash), tcb, segment, text, round);
            }
        }
    }

    /// A connection is made.
    #[allow(clippy::too_many_arguments)]
    fn welcome(
        &self,
        nth: usize,
        listening: &Arc<Listening>,
        (pair, hash): (Pair, u64),
        mut tcb: Tcb,
        segment: &Segment,
        text: &mut Text<'_>,
        round: &mut Round,
    ) {
        let Some(me) = self.me.upgrade() else { return };
        let interface = self.links.get(nth).map(|link| link.interface.0);
        let Ok(way) = self.way(pair.peer.ip(), interface) else { return };
        let queue = Arc::new(rkt_sched::WaitQueue::new());
        let changes = tcb.on_segment(round.now, segment, text);
        self.fit_path(&mut tcb, pair.peer.ip(), round.now);
        let manner = (self.ttl_of(&way, pair.peer.ip()), 0);
        let flow = Flow::new((pair, hash), &way, queue, tcb, manner, &self.budget);
        if !self.flows.insert(flow.clone()) {
            return;
        }
        self.count_tcp(Count::TcpPassiveOpens, 1);
        if changes.contains(Changes::OUTPUT) {
            round.want_output(&flow);
        }
        self.settle(&flow, &mut flow.inner.lock(), changes, round);
        round.offer(listening.acceptor.clone(), Handle::new(me, flow));
    }

    fn arm_listener(&self, listening: &Arc<Listening>, deadline: u64) {
        if deadline < listening.armed.load(Ordering::Relaxed) {
            listening.armed.store(deadline, Ordering::Relaxed);
            self.set_timer(deadline, Timer::Listener(listening.clone()));
        }
    }

    /// SYN-ACKs may be due again.
    pub(super) fn expire_listener(&self, listening: &Arc<Listening>, round: &mut Round) {
        listening.armed.store(u64::MAX, Ordering::Relaxed);
        let mut first = u64::MAX;
        for (nth, half) in listening.all_halves() {
            let mut due = Vec::new();
            {
                let mut half = half.lock();
                while let Some(answer) = half.on_timer(round.now) {
                    due.push(answer);
                }
                first = first.min(half.deadline());
            }
            if let Some(link) = self.links.get(nth).filter(|_| !due.is_empty())
                && let Some(port) = link.port()
            {
                round.segments.extend(due);
                self.finish(nth, link, &mut port.lock(), round);
            }
        }
        self.arm_listener(listening, first);
    }
}
