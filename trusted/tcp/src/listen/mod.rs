//! Passive opens (RFC 9293 §3.10.7.2): half-open connections in a bounded table (RFC 4987 §3.5), and
//! cookies instead of state when it is full (§3.6).

mod request;

pub use request::Accepted;

use crate::config::{Config, SECOND};
use crate::cookie;
use crate::ecn::Ecn;
use crate::input::DEFAULT_MSS;
use crate::isn;
use crate::receiver::Recent;
use crate::segment::{Flags, Segment, reply_to_closed};
use crate::seq;
use crate::siphash::Key;
use crate::timers::NEVER;
use alloc::collections::{BTreeMap, BTreeSet};
use request::{Request, clock, first_window, syn_ack};

/// First wait for the answer to a SYN-ACK (RFC 6298 §2.1); doubles.
const FIRST_WAIT: u64 = SECOND;

/// How a listener listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    /// `listen(2)`'s backlog: connections that wait for `accept(2)` and, as well, half-open ones.
    pub backlog: u32,
    /// Retransmissions of a SYN-ACK (`tcp_synack_retries`).
    pub retries: u8,
    /// Cookies when the table is full (`tcp_syncookies`); without them, SYNs are dropped then.
    pub cookies: bool,
    /// `TCP_DEFER_ACCEPT` in ns: how long a connection without data is held back.
    pub defer: Option<u64>,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self { backlog: 4096, retries: 5, cookies: true, defer: None }
    }
}

/// Keys, from the platform's entropy; the same for all listeners, for as long as the stack lives.
#[derive(Clone, Copy)]
pub struct Secret {
    /// Of [`crate::initial_sequence`].
    pub sequence: Key,
    /// Of [`crate::timestamp_offset`].
    pub timestamps: Key,
    /// Of cookies.
    pub cookies: Key,
}

/// Who sent a segment to a listener.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Addresses and ports, as words.
    pub connection: &'a [u64],
    /// Addresses, as words.
    pub addresses: &'a [u64],
    /// The initial sequence number to use, where a TIME-WAIT said so ([`crate::Verdict::Reuse`]).
    pub sequence: Option<u32>,
}

/// What a listener says to a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Ignore,
    /// Send this.
    Reply(Segment),
    /// The connection is made. Give its [`crate::Tcb`] the same segment, queue it for `accept(2)`, and say
    /// [`Listen::taken`] when it leaves the queue.
    Accept(Accepted),
}

/// A listener. `K` names a connection: addresses and ports.
pub struct Listen<K> {
    config: Config,
    listen: ListenConfig,
    secret: Secret,
    requests: BTreeMap<K, Request>,
    deadlines: BTreeSet<(u64, K)>,
    /// Connections in the queue for `accept(2)`.
    queued: u32,
    /// When the last cookie was sent.
    baked: Option<u64>,
}

impl<K: Copy + Ord> Listen<K> {
    /// A listener whose connections get `config`.
    pub fn new(config: Config, listen: ListenConfig, secret: Secret) -> Self {
        let (requests, deadlines) = (BTreeMap::new(), BTreeSet::new());
        Self { config, listen, secret, requests, deadlines, queued: 0, baked: None }
    }

    /// The configuration that new connections get.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// How it listens; `listen(2)` again changes the backlog.
    pub fn listen_config_mut(&mut self) -> &mut ListenConfig {
        &mut self.listen
    }

    /// Half-open connections.
    pub fn half_open(&self) -> usize {
        self.requests.len()
    }

    /// Connections that were made and not [`Listen::taken`].
    pub fn queued(&self) -> u32 {
        self.queued
    }

    /// A connection left the queue for `accept(2)`.
    pub fn taken(&mut self) {
        self.queued = self.queued.saturating_sub(1);
    }

    /// Connections in the queue for `accept(2)`, by who keeps it.
    pub fn set_queued(&mut self, queued: usize) {
        self.queued = u32::try_from(queued).unwrap_or(u32::MAX);
    }

    /// A segment for the listener, or for one of its half-open connections, arrived. Its checksum is right.
    pub fn on_segment(&mut self, now: u64, key: K, origin: &Origin<'_>, segment: &Segment) -> Answer {
        if self.requests.contains_key(&key) {
            return self.on_request(now, key, segment);
        }
        // RFC 9293 §3.10.7.2: resets first, then acknowledgments, then SYN.
        if segment.has(Flags::RST) {
            return Answer::Ignore;
        }
        if segment.ack.is_some() {
            return self.on_cookie(now, origin, segment);
        }
        if !segment.has(Flags::SYN) || segment.has(Flags::FIN) {
            return Answer::Ignore;
        }
        self.on_syn(now, key, origin, segment)
    }

    fn on_syn(&mut self, now: u64, key: K, origin: &Origin<'_>, segment: &Segment) -> Answer {
        if self.is_full() {
            return Answer::Ignore;
        }
        let mut accepted = self.offer(origin, segment);
        if self.requests.len() >= self.listen.backlog.max(1) as usize {
            return if self.listen.cookies { self.bake(now, origin, segment, accepted) } else { Answer::Ignore };
        }
        accepted.iss =
            origin.sequence.unwrap_or_else(|| isn::initial_sequence(self.secret.sequence, origin.connection, now));
        let deadline = now.saturating_add(FIRST_WAIT);
        let request = Request { accepted, created: now, sent: now, deadline, retries: 0, acknowledged: false };
        let reply = syn_ack(&self.config, &accepted, clock(now));
        self.deadlines.insert((deadline, key));
        self.requests.insert(key, request);
        Answer::Reply(reply)
    }

    /// What a SYN offers and we take (RFC 7323 §2.2, §3.2, RFC 2018 §2).
    fn offer(&self, origin: &Origin<'_>, segment: &Segment) -> Accepted {
        let config = &self.config;
        Accepted {
            iss: 0,
            irs: segment.seq,
            mss: segment.mss.unwrap_or(DEFAULT_MSS),
            window_scale: segment.window_scale.filter(|_| config.window_scaling),
            sack: segment.sack_permitted && config.sack,
            ecn: Ecn::is_asked(segment),
            recent: segment.timestamps.map(|timestamps| timestamps.value).filter(|_| config.timestamps),
            timestamp_offset: isn::timestamp_offset(self.secret.timestamps, origin.addresses),
            window: segment.window.into(),
            rtt: None,
            retransmitted: false,
        }
    }

    /// Answers without remembering (RFC 4987 §3.6). What does not fit into the cookie goes into the low
    /// bits of the timestamp, which comes back.
    fn bake(&mut self, now: u64, origin: &Origin<'_>, segment: &Segment, mut accepted: Accepted) -> Answer {
        self.baked = Some(now);
        accepted.iss = cookie::bake(self.secret.cookies, origin.connection, segment.seq, accepted.mss, now);
        let options = cookie::Options { scale: accepted.window_scale, sack: accepted.sack };
        // There is no place to keep it.
        accepted.ecn = false;
        if accepted.recent.is_none() {
            // Without a place to keep them they cannot be agreed on.
            (accepted.window_scale, accepted.sack) = (None, false);
        }
        Answer::Reply(syn_ack(&self.config, &accepted, options.into_timestamp(clock(now))))
    }

    /// An acknowledgment that nothing is remembered of.
    fn on_cookie(&mut self, now: u64, origin: &Origin<'_>, segment: &Segment) -> Answer {
        let refusal = reply_to_closed(segment).map_or(Answer::Ignore, Answer::Reply);
        let recently = self.baked.is_some_and(|baked| now.saturating_sub(baked) < cookie::LIFETIME);
        let Some(ack) = segment.ack.filter(|_| recently && !segment.has(Flags::SYN)) else { return refusal };
        let (iss, irs) = (ack.wrapping_sub(1), segment.seq.wrapping_sub(1));
        let Some(mss) = cookie::check(self.secret.cookies, origin.connection, irs, iss, now) else { return refusal };
        if self.is_full() {
            return Answer::Ignore;
        }
        let mut accepted = self.offer(origin, segment);
        (accepted.iss, accepted.irs, accepted.mss) = (iss, irs, mss);
        (accepted.window_scale, accepted.sack, accepted.ecn) = (None, false, false);
        if let Some(timestamps) = segment.timestamps.filter(|_| self.config.timestamps) {
            let echo = timestamps.echo.wrapping_sub(accepted.timestamp_offset);
            let options = cookie::Options::from_timestamp(echo);
            accepted.window_scale = options.scale.filter(|_| self.config.window_scaling);
            accepted.sack = options.sack && self.config.sack;
        }
        accepted.window = u64::from(segment.window) << accepted.window_scale.unwrap_or(0).min(14);
        self.queued += 1;
        Answer::Accept(accepted)
    }

    /// A segment for a half-open connection (RFC 9293 §3.10.7.4 in SYN-RECEIVED).
    fn on_request(&mut self, now: u64, key: K, segment: &Segment) -> Answer {
        let full = self.is_full();
        let window = u64::from(first_window(&self.config));
        let Some(request) = self.requests.get_mut(&key) else { return Answer::Ignore };
        let accepted = &mut request.accepted;
        let next = seq::first(accepted.irs) + 1;
        let start = seq::near(next, segment.seq);
        let fits = start <= next + window && start + segment.sequence_len() >= next;
        // PAWS (RFC 7323 §5.3).
        let stamp = segment.timestamps.map(|timestamps| timestamps.value);
        let old = match (accepted.recent, stamp) {
            (Some(value), Some(stamp)) => Recent { value, at: now }.outdates(stamp, now),
            (Some(_), None) => !segment.has(Flags::RST),
            (None, _) => false,
        };
        let repeated = segment.has(Flags::SYN) && segment.ack.is_none() && segment.seq == accepted.irs;
        if repeated && !old {
            // The SYN again: our answer was lost.
            return request.answer_again(now, &self.config);
        }
        if segment.has(Flags::RST) {
            if start == next {
                self.forget(key);
            }
            return Answer::Ignore;
        }
        if old || !fits || segment.has(Flags::SYN) {
            return request.challenge(now, &self.config);
        }
        let Some(ack) = segment.ack else { return Answer::Ignore };
        if ack != accepted.iss.wrapping_add(1) {
            return Answer::Reply(Segment { seq: ack, flags: Flags::RST, ..Segment::default() });
        }
        let bare = segment.sequence_len() == 0;
        if bare && self.listen.defer.is_some_and(|limit| now.saturating_sub(request.created) < limit) {
            request.acknowledged = true;
            return Answer::Ignore;
        }
        if full {
            // As in Linux: the peer believes that it is connected and will send again.
            request.acknowledged = true;
            return Answer::Ignore;
        }
        if let (Some(recent), Some(stamp)) = (&mut accepted.recent, stamp) {
            *recent = stamp;
        }
        let mut done = *accepted;
        done.window = u64::from(segment.window) << done.window_scale.unwrap_or(0).min(14);
        done.rtt = (request.retries == 0).then(|| now.saturating_sub(request.sent));
        done.retransmitted = request.retries > 1;
        self.forget(key);
        self.queued += 1;
        Answer::Accept(done)
    }

    /// ICMP says that the peer of a half-open connection cannot be reached, and quotes our `seq`.
    pub fn on_unreachable(&mut self, key: K, seq: u32) {
        if self.requests.get(&key).is_some_and(|request| request.accepted.iss == seq) {
            self.forget(key);
        }
    }

    /// When [`Listen::on_timer`] is to be called, in ns; `u64::MAX`: not at all.
    pub fn deadline(&self) -> u64 {
        self.deadlines.first().map_or(NEVER, |(deadline, _)| *deadline)
    }

    /// The next SYN-ACK that is due again; call until there is none.
    pub fn on_timer(&mut self, now: u64) -> Option<(K, Segment)> {
        while let Some(&(deadline, key)) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now) {
            self.deadlines.remove(&(deadline, key));
            let Some(request) = self.requests.get_mut(&key) else { continue };
            if request.retries >= self.listen.retries {
                self.requests.remove(&key);
                continue;
            }
            let deferred = self.listen.defer.is_some_and(|limit| now.saturating_sub(request.created) < limit);
            request.retries += 1;
            request.deadline = now.saturating_add(FIRST_WAIT << request.retries.min(6));
            self.deadlines.insert((request.deadline, key));
            if !(deferred && request.acknowledged) {
                request.sent = now;
                return Some((key, syn_ack(&self.config, &request.accepted, clock(now))));
            }
        }
        None
    }

    fn is_full(&self) -> bool {
        // Linux lets one more in than the backlog says.
        self.queued > self.listen.backlog
    }

    fn forget(&mut self, key: K) {
        if let Some(request) = self.requests.remove(&key) {
            self.deadlines.remove(&(request.deadline, key));
        }
    }
}
