//! A pair of queues: what one vCPU drives.

use crate::header;
use crate::rx::{Received, RxQueue};
use crate::shared::Shared;
use crate::tx::{Refused, TxQueue};
use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use rkt_netdev::{Capabilities, Counters, Down, NetQueue, NetStats, Probe, RxFrame, TxError, TxMeta};
use rkt_virtqueue::{QueueProbe, VirtioError};

/// What does not change while the card is open.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) agreed: u64,
    pub(crate) can: Capabilities,
}

/// A pair of queues.
pub(crate) struct Pair {
    shared: Arc<Shared>,
    terms: Terms,
    /// Of the receive queue; the transmit queue's is the next (§5.1.2).
    index: u16,
    vcpu: u16,
    rx: RxQueue,
    tx: TxQueue,
    watch: Arc<Watch>,
    fault: Option<VirtioError>,
}

/// What can be seen of a pair from outside.
struct Watch {
    shared: Arc<Shared>,
    rx: QueueProbe,
    tx: QueueProbe,
    /// Somebody waits for room in the transmit queue.
    wanted: AtomicBool,
    counters: Counters,
}

impl Pair {
    /// The pair with this number.
    pub(crate) fn new(number: u16, shared: Arc<Shared>, terms: Terms, rx: RxQueue, tx: TxQueue) -> Self {
        let watch = Watch {
            shared: shared.clone(),
            rx: rx.queue.probe(),
            tx: tx.queue.probe(),
            wanted: AtomicBool::new(false),
            counters: Counters::default(),
        };
        let index = number.saturating_mul(2);
        Self { shared, terms, index, vcpu: number, rx, tx, watch: Arc::new(watch), fault: None }
    }

    /// Takes the card down.
    fn fail(&mut self, error: VirtioError) -> Down {
        self.fault.get_or_insert(error);
        self.shared.go_down();
        Down
    }

    fn check(&mut self) -> Result<(), Down> {
        self.shared.check()?;
        self.shared.alive().map_err(|e| self.fail(e))
    }

    /// Forgets what was sent.
    fn reclaim(&mut self) -> Result<(), Down> {
        if self.tx.queue.has_used() {
            self.tx.reclaim().map_err(|e| self.fail(e))?;
            if self.watch.wanted.swap(false, Ordering::Relaxed) {
                self.tx.queue.ask_nothing().map_err(|e| self.fail(e))?;
            }
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<bool, VirtioError> {
        self.rx.queue.publish()?;
        self.tx.queue.publish()?;
        Ok(self.rx.queue.take_kick() | self.tx.queue.take_kick())
    }

    /// Forgets all frames and describes the queues to a device that has just been reset.
    pub(crate) fn set_up(&mut self) -> Result<(), VirtioError> {
        self.rx.fill()?;
        self.tx.clear()?;
        self.shared.regs.set_queue(self.index, &self.rx.queue.setup(self.vcpu))?;
        self.shared.regs.set_queue(self.index.saturating_add(1), &self.tx.queue.setup(self.vcpu))?;
        Ok(())
    }
}

impl NetQueue for Pair {
    fn receive(&mut self, budget: usize, take: &mut dyn FnMut(&mut dyn RxFrame)) -> Result<usize, Down> {
        self.check()?;
        self.reclaim()?;
        let (mut taken, mut invalid) = (0usize, 0u16);
        // At most one round of the ring: a device that sends only nonsense does not keep us here.
        while taken < budget && invalid < self.rx.queue.size() {
            match self.rx.receive(&self.terms, take).map_err(|e| self.fail(e))? {
                Received::Nothing => break,
                Received::Invalid => {
                    invalid = invalid.saturating_add(1);
                    self.watch.counters.rx_invalid.add(1);
                }
                Received::Frame(len) => {
                    taken = taken.saturating_add(1);
                    self.watch.counters.rx_frames.add(1);
                    self.watch.counters.rx_bytes.add(len as u64);
                }
            }
        }
        self.rx.queue.ask_after(0).map_err(|e| self.fail(e))?;
        Ok(taken)
    }

    fn transmit(&mut self, meta: &TxMeta, parts: &[&[u8]]) -> Result<(), TxError> {
        self.shared.check()?;
        let len = parts.iter().fold(0usize, |len, part| len.saturating_add(part.len()));
        let header = header::emit(meta, len, &self.terms.can).ok_or(TxError::Frame)?;
        match self.tx.transmit(&header, parts, len) {
            Ok(()) => {
                self.watch.counters.tx_frames.add(1);
                self.watch.counters.tx_bytes.add(len as u64);
                Ok(())
            }
            Err(Refused::Caller(e)) => {
                if e == TxError::Full {
                    self.watch.counters.tx_full.add(1);
                    self.watch.wanted.store(true, Ordering::Relaxed);
                    self.tx.ask_for_room().map_err(|e| self.fail(e))?;
                }
                Err(e)
            }
            Err(Refused::Broken(e)) => Err(self.fail(e).into()),
        }
    }

    fn kick(&mut self) -> Result<(), Down> {
        self.check()?;
        if self.publish().map_err(|e| self.fail(e))? {
            self.shared.regs.kick();
            self.watch.counters.kicks.add(1);
        }
        Ok(())
    }

    fn transmitting(&self) -> bool {
        self.tx.in_flight() > 0
    }

    fn probe(&self) -> Arc<dyn Probe> {
        self.watch.clone()
    }

    fn fault(&self) -> Option<&dyn fmt::Display> {
        self.fault.as_ref().map(|e| e as &dyn fmt::Display)
    }

    fn rearm(&mut self) -> Result<(), Down> {
        if !self.shared.is_resetting() {
            return Err(Down);
        }
        self.fault = None;
        self.set_up().map_err(|e| self.fail(e))?;
        self.watch.wanted.store(false, Ordering::Relaxed);
        self.watch.counters.resets.add(1);
        Ok(())
    }
}

impl Probe for Watch {
    fn has_work(&self) -> bool {
        self.shared.check().is_ok()
            && (self.rx.has_used()
                || self.wanted.load(Ordering::Relaxed) && self.tx.has_used()
                || self.shared.alive().is_err())
    }

    fn stats(&self) -> NetStats {
        self.counters.snapshot()
    }
}
