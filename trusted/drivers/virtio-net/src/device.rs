//! The card as a whole: bring-up, the two queues, and going down when the device lies.

use crate::offer;
use crate::rx::{Received, RxQueue};
use crate::tx::{Refused, TxQueue};
use crate::{header, offer::MAX_FRAME_CHUNKS};
use core::fmt;
use rkt_netdev::{Capabilities, Down, NetDevice, NetStats, RxMeta, TxError, TxMeta};
use rkt_virtio::net::{RX_QUEUE, TX_QUEUE, features};
use rkt_virtio::{device_id, status};
use rkt_virtio_transport::DriverRegs;
use rkt_virtqueue::{DmaArena, Patience, VirtioError, alive, negotiate, queue_size, reset, start};

/// Entries of each queue, if the device can have that many.
const QUEUE_SIZE: u16 = 256;

/// Fewest entries: a power of two in which the largest frame fits.
const LEAST_QUEUE_SIZE: u16 = MAX_FRAME_CHUNKS.next_power_of_two();

/// A virtio network card.
pub struct VirtioNet {
    regs: DriverRegs,
    vcpu: u16,
    polls: u32,
    agreed: u64,
    can: Capabilities,
    rx: RxQueue,
    tx: TxQueue,
    stats: NetStats,
    down: Option<VirtioError>,
}

impl VirtioNet {
    /// Brings up the card behind `regs`. The device rings the doorbell of `vcpu`. Each step of
    /// the handshake looks at the device at most `polls` times and calls `wait` in between. With
    /// queues of full size the card takes about 2 MiB of the arena.
    ///
    /// # Errors
    /// The device is no usable network card, or the arena is too small.
    pub fn new(
        mut regs: DriverRegs,
        arena: &mut DmaArena,
        vcpu: u16,
        polls: u32,
        wait: &mut dyn FnMut(),
    ) -> Result<Self, VirtioError> {
        let mut patience = Patience { polls, wait };
        let (agreed, can) = agree(&mut regs, &mut patience)?;
        let rx = RxQueue::new(arena, queue_size(&regs, RX_QUEUE, LEAST_QUEUE_SIZE, QUEUE_SIZE)?)?;
        let tx = TxQueue::new(arena, queue_size(&regs, TX_QUEUE, LEAST_QUEUE_SIZE, QUEUE_SIZE)?)?;
        let stats = NetStats::default();
        let mut card = Self { regs, vcpu, polls, agreed, can, rx, tx, stats, down: None };
        card.run(&mut patience)?;
        Ok(card)
    }

    /// Fills the queues of a device that has just agreed on features, and starts it.
    fn run(&mut self, patience: &mut Patience<'_>) -> Result<(), VirtioError> {
        self.rx.fill()?;
        self.tx.clear()?;
        self.regs.set_queue(RX_QUEUE, &self.rx.queue.setup(self.vcpu))?;
        self.regs.set_queue(TX_QUEUE, &self.tx.queue.setup(self.vcpu))?;
        start(&mut self.regs, patience)?;
        Ok(())
    }

    fn bring_up_again(&mut self, patience: &mut Patience<'_>) -> Result<(), VirtioError> {
        let (agreed, can) = agree(&mut self.regs, patience)?;
        for (queue, size) in [(RX_QUEUE, self.rx.queue.size()), (TX_QUEUE, self.tx.queue.size())] {
            queue_size(&self.regs, queue, size, size)?;
        }
        (self.agreed, self.can) = (agreed, can);
        self.run(patience)
    }

    /// Takes the card down: nothing more is done with the device until a reset.
    fn fail(&mut self, error: VirtioError) -> Down {
        if self.down.is_none() {
            self.down = Some(error);
            self.regs.add_status(status::FAILED);
        }
        Down
    }

    fn check(&mut self) -> Result<(), Down> {
        if self.down.is_some() {
            return Err(Down);
        }
        alive(&self.regs).map_err(|e| self.fail(e.into()))
    }

    fn publish(&mut self) -> Result<bool, VirtioError> {
        self.rx.queue.publish()?;
        self.tx.queue.publish()?;
        Ok(self.rx.queue.take_kick() | self.tx.queue.take_kick())
    }
}

/// Resets the device, agrees on features with it and reads its configuration.
fn agree(regs: &mut DriverRegs, patience: &mut Patience<'_>) -> Result<(u64, Capabilities), VirtioError> {
    reset(regs, patience)?;
    let agreed = negotiate(regs, device_id::NET, features::MAC, offer::choose, patience)?;
    let can = offer::capabilities(regs, agreed)?;
    Ok((agreed, can))
}

impl NetDevice for VirtioNet {
    fn capabilities(&self) -> Capabilities {
        self.can
    }

    fn receive(&mut self, into: &mut [u8]) -> Result<Option<RxMeta>, Down> {
        self.check()?;
        if self.tx.queue.has_used() {
            self.tx.reclaim().map_err(|e| self.fail(e))?;
        }
        let longest = into.len().min(self.can.max_rx_frame);
        let (into, _) = into.split_at_mut(longest);
        // At most one round of the ring: a device that sends only nonsense does not keep us here.
        for _ in 0..self.rx.queue.size() {
            match self.rx.receive(into, self.agreed).map_err(|e| self.fail(e))? {
                Received::Nothing => return Ok(None),
                Received::Invalid => self.stats.rx_invalid = self.stats.rx_invalid.wrapping_add(1),
                Received::Frame(meta) => {
                    self.stats.rx_frames = self.stats.rx_frames.wrapping_add(1);
                    self.stats.rx_bytes = self.stats.rx_bytes.wrapping_add(meta.len as u64);
                    return Ok(Some(meta));
                }
            }
        }
        Ok(None)
    }

    fn transmit(&mut self, meta: &TxMeta, parts: &[&[u8]]) -> Result<(), TxError> {
        if self.down.is_some() {
            return Err(TxError::Down);
        }
        let len = parts.iter().fold(0usize, |len, part| len.saturating_add(part.len()));
        let header = header::emit(meta, len, &self.can).ok_or(TxError::Frame)?;
        match self.tx.transmit(&header, parts, len) {
            Ok(()) => {
                self.stats.tx_frames = self.stats.tx_frames.wrapping_add(1);
                self.stats.tx_bytes = self.stats.tx_bytes.wrapping_add(len as u64);
                Ok(())
            }
            Err(Refused::Caller(e)) => {
                self.stats.tx_full = self.stats.tx_full.wrapping_add(u64::from(e == TxError::Full));
                Err(e)
            }
            Err(Refused::Broken(e)) => Err(self.fail(e).into()),
        }
    }

    fn kick(&mut self) -> Result<(), Down> {
        self.check()?;
        if self.publish().map_err(|e| self.fail(e))? {
            self.regs.kick();
            self.stats.kicks = self.stats.kicks.wrapping_add(1);
        }
        Ok(())
    }

    fn has_work(&self) -> bool {
        self.down.is_none() && (self.rx.queue.has_used() || self.tx.queue.has_used() || alive(&self.regs).is_err())
    }

    fn transmitting(&self) -> bool {
        self.tx.in_flight() > 0
    }

    fn stats(&self) -> NetStats {
        self.stats
    }

    fn fault(&self) -> Option<&dyn fmt::Display> {
        self.down.as_ref().map(|e| e as &dyn fmt::Display)
    }

    fn reset(&mut self, wait: &mut dyn FnMut()) -> Result<(), Down> {
        let mut patience = Patience { polls: self.polls, wait };
        self.down = None;
        self.bring_up_again(&mut patience).map_err(|e| self.fail(e))?;
        self.stats.resets = self.stats.resets.wrapping_add(1);
        Ok(())
    }
}
