//! The card as a whole: bring-up, and coming back after a fault.

use crate::offer::{self, MAX_FRAME_CHUNKS};
use crate::pair::{Pair, Terms};
use crate::rx::RxQueue;
use crate::shared::Shared;
use crate::tx::TxQueue;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use rkt_netdev::{Capabilities, Down, NetDevice, NetQueue, Steering};
use rkt_virtio::net::{RX_QUEUE, TX_QUEUE, features};
use rkt_virtio::{device_id, status};
use rkt_virtio_transport::DriverRegs;
use rkt_virtqueue::{DeviceError, DmaArena, Patience, VirtioError, negotiate, queue_size, reset, start};

/// Entries of each queue, if the device can have that many.
const QUEUE_SIZE: u16 = 256;

/// Fewest entries: a power of two in which the largest frame fits.
const LEAST_QUEUE_SIZE: u16 = MAX_FRAME_CHUNKS.next_power_of_two();

/// A virtio network card.
pub struct VirtioNet {
    regs: DriverRegs,
    shared: Arc<Shared>,
    terms: Terms,
    /// Size of each queue.
    sizes: Vec<u16>,
    /// Until they are taken.
    pairs: Vec<Pair>,
    polls: u32,
    fault: Option<VirtioError>,
}

impl VirtioNet {
    /// Brings up the card behind `regs`. Each step of the handshake looks at the device at most
    /// `polls` times and calls `wait` in between. With queues of full size the card takes about
    /// 2 MiB of the arena.
    ///
    /// # Errors
    /// The device is no usable network card, or the arena is too small.
    pub fn new(
        mut regs: DriverRegs,
        arena: &mut DmaArena,
        polls: u32,
        wait: &mut dyn FnMut(),
    ) -> Result<Self, VirtioError> {
        let mut patience = Patience { polls, wait };
        reset(&mut regs, &mut patience)?;
        let agreed = negotiate(&mut regs, device_id::NET, features::MAC, offer::choose, &mut patience)?;
        let terms = Terms { agreed, can: offer::capabilities(&regs, agreed)? };
        let shared = Arc::new(Shared::new(regs.queue_regs()));
        let size = |queue| queue_size(&regs, queue, LEAST_QUEUE_SIZE, QUEUE_SIZE);
        let (rx, tx) = (size(RX_QUEUE)?, size(TX_QUEUE)?);
        let mut pair = Pair::new(0, shared.clone(), terms, RxQueue::new(arena, rx)?, TxQueue::new(arena, tx)?);
        pair.set_up()?;
        start(&mut regs, &mut patience)?;
        shared.go_up(regs.own_word());
        Ok(Self { regs, shared, terms, sizes: Vec::from([rx, tx]), pairs: Vec::from([pair]), polls, fault: None })
    }

    /// Resets the device and has it agree on what was agreed on before.
    fn agree_again(&mut self, patience: &mut Patience<'_>) -> Result<(), VirtioError> {
        reset(&mut self.regs, patience)?;
        negotiate(&mut self.regs, device_id::NET, self.terms.agreed, |_| 0, patience)?;
        if offer::capabilities(&self.regs, self.terms.agreed)? != self.terms.can {
            return Err(DeviceError::Changed { field: "configuration" }.into());
        }
        for (queue, size) in (0u16..).zip(&self.sizes) {
            queue_size(&self.regs, queue, *size, *size)?;
        }
        Ok(())
    }

    fn fail(&mut self, error: VirtioError) -> Down {
        self.shared.go_down();
        self.regs.add_status(status::FAILED);
        self.fault = Some(error);
        Down
    }
}

impl NetDevice for VirtioNet {
    fn capabilities(&self) -> Capabilities {
        self.terms.can
    }

    fn take_queues(&mut self) -> Vec<Box<dyn NetQueue>> {
        self.pairs.drain(..).map(|pair| Box::new(pair) as Box<dyn NetQueue>).collect()
    }

    fn steering(&self) -> Steering {
        Steering::FollowsTransmit
    }

    fn link_up(&self) -> bool {
        offer::link_up(&self.regs, self.terms.agreed)
    }

    fn fault(&self) -> Option<&dyn fmt::Display> {
        self.fault.as_ref().map(|e| e as &dyn fmt::Display)
    }

    fn reset(&mut self, queues: &mut [&mut dyn NetQueue], wait: &mut dyn FnMut()) -> Result<(), Down> {
        if queues.len().saturating_mul(2) != self.sizes.len() {
            return Err(Down);
        }
        let mut patience = Patience { polls: self.polls, wait };
        self.fault = None;
        self.shared.begin_reset();
        self.agree_again(&mut patience).map_err(|e| self.fail(e))?;
        for queue in queues {
            queue.rearm()?;
        }
        start(&mut self.regs, &mut patience).map_err(|e| self.fail(e.into()))?;
        self.shared.go_up(self.regs.own_word());
        Ok(())
    }
}
