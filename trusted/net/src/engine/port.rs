//! A pair of the card's queues, and what waits for room in it.

use crate::interface::ARPHRD_ETHER;
use crate::stack::{Frame, FrameKind, FrameSink};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_netdev::{NetQueue, RxFrame, RxMeta, TxError, TxMeta};

/// Who sees frames beside the protocols, and how they are to know the port's interface.
#[derive(Clone)]
pub(super) struct Tap {
    pub sink: Arc<dyn FrameSink>,
    pub interface: u32,
    pub mac: [u8; 6],
}

/// Frames that wait for room; further ones are lost, as in any full queue.
const MAX_BACKLOG: usize = 256;

/// The queues; whoever holds the port's lock uses them. Locks are taken in the order port, flow, link.
pub(super) struct Port<F> {
    queue: Box<dyn NetQueue>,
    backlog: VecDeque<(TxMeta, Vec<u8>)>,
    /// Flows that have something to send and found no room.
    stalled: Vec<Arc<F>>,
    down: bool,
    tap: Tap,
}

impl Tap {
    fn show_outgoing(&self, meta: &TxMeta, bytes: &[u8], sender: u64) {
        let (interface, kind, checksum) = (self.interface, FrameKind::Outgoing, meta.checksum);
        self.sink.frame(&Frame { interface, hardware: ARPHRD_ETHER, kind, bytes, checksum, sender });
    }

    /// Shows a frame that came.
    pub fn show(&self, meta: &RxMeta, bytes: &[u8]) {
        let kind = match bytes.first_chunk::<6>() {
            Some(to) if *to == self.mac => FrameKind::Host,
            Some([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]) => FrameKind::Broadcast,
            Some([first, ..]) if first & 1 == 1 => FrameKind::Group,
            _ => FrameKind::Other,
        };
        let (interface, checksum) = (self.interface, meta.checksum);
        self.sink.frame(&Frame { interface, hardware: ARPHRD_ETHER, kind, bytes, checksum, sender: 0 });
    }
}

impl<F> Port<F> {
    pub fn new(queue: Box<dyn NetQueue>, tap: Tap) -> Self {
        Self { queue, backlog: VecDeque::new(), stalled: Vec::new(), down: false, tap }
    }

    /// Sends a frame, or keeps it until there is room.
    pub fn send(&mut self, meta: &TxMeta, parts: &[&[u8]]) {
        self.send_as(meta, parts, 0);
    }

    /// [`Port::send`] for a packet socket, which does not see the frame itself.
    pub fn send_as(&mut self, meta: &TxMeta, parts: &[&[u8]], sender: u64) {
        if self.tap.sink.listens() {
            self.tap.show_outgoing(meta, &parts.concat(), sender);
        }
        // Who sends without a pause is not polled for long: what waits goes on as soon as there is room.
        if !self.flush_backlog() {
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
        if self.flush_backlog() { core::mem::take(&mut self.stalled) } else { Vec::new() }
    }

    /// Sends what waited, as far as there is room; true if nothing waits any more.
    fn flush_backlog(&mut self) -> bool {
        while let Some((meta, frame)) = self.backlog.front() {
            match self.queue.transmit(meta, &[frame]) {
                Err(TxError::Full) => return false,
                Err(TxError::Down) => self.down = true,
                Ok(()) | Err(TxError::Frame) => {}
            }
            self.backlog.pop_front();
        }
        true
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
