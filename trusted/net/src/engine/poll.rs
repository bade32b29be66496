//! The work of a poll: frames in, what they cause out, timers, and the looking after of links.

use super::flow::Flow;
use super::link::Link;
use super::output::Departure;
use super::port::Port;
use super::round::{Packet, Round};
use super::{Engine, Timer};
use crate::statistics::Count;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::Errno;
use rkt_netdev::NetQueue;
use rkt_tcp::Changes;

/// Frames a poll takes from a queue at most, so that the vCPU can look at other things.
const BUDGET: usize = 128;
/// Between two looks at what is not urgent, and between two attempts to reset a card, in nanoseconds.
const HOUSEKEEPING: u64 = 1_000_000_000;

impl Engine {
    /// Does what there is to do; true if there was anything.
    pub(super) fn poll_links(&self) -> bool {
        let mut worked = false;
        for (nth, link) in self.links.iter().enumerate() {
            let queues = link.ports.len();
            for step in 0..queues {
                // The own queue first; those of other vCPUs in case they are busy.
                let queue = (rkt_platform::cpu() + step) % queues;
                if link.has_work(queue)
                    && let Some(mut port) = link.ports.get(queue).and_then(|port| port.try_lock())
                {
                    let mut round = Round::new();
                    worked |= self.serve(nth, link, &mut port, &mut round);
                    drop(port);
                    round.tell();
                }
            }
        }
        let now = rkt_platform::now();
        worked | self.expire(now) | self.keep_house(now)
    }

    /// Deals with what a queue has.
    fn serve(&self, nth: usize, link: &Link, port: &mut Port<Flow>, round: &mut Round) -> bool {
        let resumed = port.drain();
        let mut worked = !resumed.is_empty();
        resumed.iter().for_each(|flow| round.want_output(flow));
        worked |= port.receive(BUDGET, &mut |frame| self.input(nth, link, frame, round)) > 0;
        self.finish(nth, link, port, round);
        if port.is_down() {
            self.card_failed(link);
        }
        worked
    }

    /// Sends what a round wants sent.
    pub(super) fn finish(&self, nth: usize, link: &Link, port: &mut Port<Flow>, round: &mut Round) {
        for flow in core::mem::take(&mut round.due) {
            if flow.link == nth {
                self.output(link, port, &flow, round);
            } else {
                // Its segments come in over another link than its own go out: that link's poll goes on.
                self.set_timer(round.now, Timer::Flow(flow));
            }
        }
        for segment in core::mem::take(&mut round.segments) {
            self.send_segment(link, port, segment, round);
        }
        for Packet { envelope, protocol, next_hop, bytes } in core::mem::take(&mut round.packets) {
            let mtu = link.mtu(next_hop.is_ipv4());
            let parts: [&[u8]; 2] = [&bytes, &[]];
            let departure = Departure { envelope, protocol, next_hop, checksum_at: None, segment: None, mtu, parts };
            self.depart(link, port, &departure, round);
        }
        for (meta, frame) in core::mem::take(&mut round.frames) {
            port.send(&meta, &[&frame]);
        }
        port.kick();
    }

    /// Runs timers that are due.
    fn expire(&self, now: u64) -> bool {
        let Some(timers) = self.timers.get(rkt_platform::cpu()) else { return false };
        if timers.next.load(Ordering::Relaxed) > now {
            return false;
        }
        let mut expired = Vec::new();
        {
            let mut wheel = timers.wheel.lock();
            wheel.expire(now, &mut |timer| expired.push(timer));
            timers.next.store(wheel.next(), Ordering::Relaxed);
        }
        let mut round = Round::at(now);
        let any = !expired.is_empty();
        for timer in expired {
            match timer {
                Timer::Flow(flow) => self.expire_flow(flow, &mut round),
                Timer::Listener(listening) => self.expire_listener(&listening, &mut round),
            }
        }
        round.tell();
        any
    }

    fn expire_flow(&self, flow: Arc<Flow>, round: &mut Round) {
        flow.armed.store(u64::MAX, Ordering::Relaxed);
        {
            let mut guard = flow.inner.lock();
            let inner = &mut *guard;
            let due = inner.deadline() <= round.now;
            if due && inner.time_wait.take().is_some() {
                self.count_tcp(Count::TcpTimeWaits, 1);
                self.flows.remove(&flow);
                return;
            }
            let changes = match inner.tcb.as_mut() {
                Some(tcb) if due => tcb.on_timer(round.now),
                _ => Changes::empty(),
            };
            self.settle(&flow, inner, changes, round);
        }
        self.flush(&flow, round);
    }

    /// When the next poll is due for timers.
    pub(super) fn next_deadline(&self) -> u64 {
        let timers =
            self.timers.get(rkt_platform::cpu()).map_or(u64::MAX, |timers| timers.next.load(Ordering::Relaxed));
        let due = |link: &Link| link.neighbors_due.load(Ordering::Relaxed).min(link.chores_due.load(Ordering::Relaxed));
        timers.min(self.links.iter().map(due).min().unwrap_or(u64::MAX)).min(self.housekeeping_due())
    }

    /// When there is something to look after: only while a card is down.
    fn housekeeping_due(&self) -> u64 {
        let down = self.links.iter().any(Link::is_broken);
        if down { self.housekeeping.load(Ordering::Relaxed) } else { u64::MAX }
    }

    /// Looks after links and neighbours.
    fn keep_house(&self, now: u64) -> bool {
        let mut worked = false;
        for (nth, link) in self.links.iter().enumerate() {
            if link.neighbors_due.load(Ordering::Relaxed) <= now {
                worked = true;
                self.expire_neighbors(nth, link, now);
            }
            if link.chores_due.load(Ordering::Relaxed) <= now {
                worked = true;
                self.do_chores(nth, link, now);
            }
        }
        if self.housekeeping_due() <= now {
            self.housekeeping.store(now.saturating_add(HOUSEKEEPING), Ordering::Relaxed);
            for (nth, link) in self.links.iter().enumerate().filter(|(_, link)| link.is_broken()) {
                self.revive(nth, link);
            }
            worked = true;
        }
        worked
    }

    /// A card broke down: sockets get `ENETDOWN` until it is reset.
    fn card_failed(&self, link: &Link) {
        if link.up.swap(false, Ordering::Relaxed) {
            self.housekeeping.store(0, Ordering::Relaxed);
        }
    }

    /// Tries to bring a card up again. Its connections go on if that succeeds at once; else they end.
    fn revive(&self, nth: usize, link: &Link) {
        let mut resumed = Vec::new();
        {
            let mut ports: Vec<_> = link.ports.iter().map(|port| port.lock()).collect();
            let mut queues: Vec<&mut dyn NetQueue> = ports.iter_mut().map(|port| port.queue()).collect();
            if link.device.lock().reset(&mut queues, &mut core::hint::spin_loop).is_err() {
                drop(ports);
                return self.abandon(nth);
            }
            for port in &mut ports {
                resumed.extend(port.restart());
            }
        }
        link.up.store(true, Ordering::Relaxed);
        let mut round = Round::new();
        resumed.iter().for_each(|flow| self.flush(flow, &mut round));
        round.tell();
    }

    /// Ends the connections over a link.
    fn abandon(&self, nth: usize) {
        let mut round = Round::new();
        for flow in self.flows.all().iter().filter(|flow| flow.link == nth) {
            let mut guard = flow.inner.lock();
            let inner = &mut *guard;
            let changes = inner.tcb.as_mut().map_or(Changes::empty(), |tcb| tcb.fail(Errno::ENETDOWN.raw().into()));
            self.settle(flow, inner, changes, &mut round);
        }
        round.tell();
    }
}
