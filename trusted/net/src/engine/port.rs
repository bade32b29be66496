//! A pair of the card's queues, and what waits for room in it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_netdev::{NetQueue, RxFrame, TxError, TxMeta};

/// Frames that wait for room; further ones are lost, as in any full queue.
const MAX_BACKLOG: usize = 256;

/// The queues; whoever holds the port's lock uses them. Locks are taken in the order port, flow, link.
pub(super) struct Port<F> {
    queue: Box<dyn NetQueue>,
    backlog: VecDeque<(TxMeta, Vec<u8>)>,
    /// Flows that have something to send and found no room.
    stalled: Vec<Arc<F>>,
    down: bool,
}

impl<F> Port<F> {
    pub fn new(queue: Box<dyn NetQueue>) -> Self {
        Self { queue, backlog: VecDeque::new(), stalled: Vec::new(), down: false }
    }

    /// Sends a frame, or keeps it until there is room.
    pub fn send(&mut self, meta: &TxMeta, parts: &[&[u8]]) {
        if !self.backlog.is_empty() {
            return self.keep(meta, parts);
        }
        match self.queue.transmit(meta, parts) {
            Ok(()) => {}
            Err(TxError::Full) => self.keep(meta, parts),
            // The network may lose packets; so may a card that is about to be reset.
            Err(TxError::Frame) => {}
            Err(TxError::Down) => self.down = true,
        }
    }

    fn keep(&mut self, meta: &TxMeta, parts: &[&[u8]]) {
        if self.backlog.len() < MAX_BACKLOG {
            self.backlog.push_back((*meta, parts.concat()));
        }
    }

    /// Whether frames wait for room: senders that can wait should.
    pub fn is_full(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Has a flow continue when there is room.
    pub fn stall(&mut self, flow: Arc<F>) {
        self.stalled.push(flow);
    }

    /// Sends what waited. Gives the flows that may go on.
    pub fn drain(&mut self) -> Vec<Arc<F>> {
        while let Some((meta, frame)) = self.backlog.pop_front() {
            match self.queue.transmit(&meta, &[&frame]) {
                Err(TxError::Full) => {
                    self.backlog.push_front((meta, frame));
                    return Vec::new();
                }
                Err(TxError::Down) => self.down = true,
                Ok(()) | Err(TxError::Frame) => {}
            }
        }
        core::mem::take(&mut self.stalled)
    }

    /// Hands over received frames; gives their number.
    pub fn receive(&mut self, budget: usize, take: &mut dyn FnMut(&mut dyn RxFrame)) -> usize {
        self.queue.receive(budget, take).unwrap_or_else(|_| {
            self.down = true;
            0
        })
    }

    /// Tells the device of the batch.
    pub fn kick(&mut self) {
        if self.queue.kick().is_err() {
            self.down = true;
        }
    }

    /// Whether the device failed.
    pub fn is_down(&self) -> bool {
        self.down
    }

    /// The queues, to be reset.
    pub fn queue(&mut self) -> &mut dyn NetQueue {
        &mut *self.queue
    }

    /// The card works again. Gives the flows that were stalled.
    pub fn restart(&mut self) -> Vec<Arc<F>> {
        self.down = false;
        self.backlog.clear();
        core::mem::take(&mut self.stalled)
    }
}
