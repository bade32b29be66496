//! The card as a whole: bring-up, and coming back after a fault.

use crate::control::{self, Control};
use crate::offer::{self, MAX_FRAME_CHUNKS, Offer, RSS_TABLE_LEN};
use crate::pair::{Pair, Terms};
use crate::rx::RxQueue;
use crate::shared::Shared;
use crate::tx::TxQueue;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use rkt_netdev::{Capabilities, Down, NetDevice, NetQueue, RSS_KEY_LEN, Rss, Steering};
use rkt_virtio::net::{RX_QUEUE, TX_QUEUE, features};
use rkt_virtio::{device_id, status};
use rkt_virtio_transport::DriverRegs;
use rkt_virtqueue::{DeviceError, DmaArena, Patience, VirtioError, negotiate, queue_size, reset, start};

/// Entries of each queue, if the device can have that many.
const QUEUE_SIZE: u16 = 256;

/// Fewest entries: a power of two in which the largest frame fits.
const LEAST_QUEUE_SIZE: u16 = MAX_FRAME_CHUNKS.next_power_of_two();

/// How a card is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Pairs of queues to use if the device has that many; at least one is used. Pair i rings the
    /// doorbell of vCPU i. With queues of full size each takes about 2 MiB of the arena.
    pub pairs: u16,
    /// Random bytes for the hash that spreads flows over pairs, unknown outside, lest a peer make all
    /// its flows come in by one.
    pub rss_key: [u8; RSS_KEY_LEN],
    /// Features (`rkt_virtio::features`, `rkt_virtio::net::features`) not to be used though offered: for
    /// measurements without.
    pub without: u64,
    /// Times that the device is looked at in each step of the handshake.
    pub polls: u32,
}

/// A virtio network card.
pub struct VirtioNet {
    regs: DriverRegs,
    shared: Arc<Shared>,
    agreed: u64,
    offer: Offer,
    /// Index and size of each queue.
    sizes: Vec<(u16, u16)>,
    /// Pairs in use.
    count: u16,
    /// Until they are taken.
    pairs: Vec<Pair>,
    control: Option<Control>,
    rss: Option<Rss>,
    polls: u32,
    fault: Option<VirtioError>,
}

impl VirtioNet {
    /// Brings up the card behind `regs`. `wait` is called between looks at the device.
    ///
    /// # Errors
    /// The device is no usable network card, or the arena is too small.
    pub fn new(
        mut regs: DriverRegs,
        arena: &mut DmaArena,
        options: &Options,
        wait: &mut dyn FnMut(),
    ) -> Result<Self, VirtioError> {
        let mut patience = Patience { polls: options.polls, wait };
        reset(&mut regs, &mut patience)?;
        let choose = |offered| offer::choose(offered & !options.without, options.pairs) & !options.without;
        let agreed = negotiate(&mut regs, device_id::NET, features::MAC, choose, &mut patience)?;
        let offer = offer::read(&regs, agreed)?;
        let shared = Arc::new(Shared::new(regs.queue_regs()));
        let count = options.pairs.clamp(1, offer.pairs);
        let mut card = Self {
            regs,
            shared,
            agreed,
            offer,
            sizes: Vec::new(),
            count,
            pairs: Vec::new(),
            control: None,
            rss: None,
            polls: options.polls,
            fault: None,
        };
        card.make_queues(arena, options)?;
        card.start(&mut patience)?;
        Ok(card)
    }

    fn make_queues(&mut self, arena: &mut DmaArena, options: &Options) -> Result<(), VirtioError> {
        let terms = Terms { agreed: self.agreed, can: self.offer.can };
        for number in 0..self.count {
            let first = number.saturating_mul(2);
            let rx = self.size(first.saturating_add(RX_QUEUE), LEAST_QUEUE_SIZE, QUEUE_SIZE)?;
            let tx = self.size(first.saturating_add(TX_QUEUE), LEAST_QUEUE_SIZE, QUEUE_SIZE)?;
            let (rx, tx) = (RxQueue::new(arena, rx, self.agreed)?, TxQueue::new(arena, tx, self.agreed)?);
            let mut pair = Pair::new(number, self.shared.clone(), terms, rx, tx);
            pair.set_up()?;
            self.pairs.push(pair);
        }
        if self.agreed & features::MQ != 0 {
            let index = self.offer.pairs.saturating_mul(2);
            let size = self.size(index, control::QUEUE_SIZE, control::QUEUE_SIZE)?;
            self.control = Some(Control::new(arena, index, size, self.agreed)?);
        }
        if self.offer.hashes {
            let table = (0..RSS_TABLE_LEN).map(|entry: u16| entry.checked_rem(self.count).unwrap_or(0)).collect();
            self.rss = Rss::new(options.rss_key, table);
        }
        Ok(())
    }

    /// The size of a queue, which the device has to have again after a reset.
    fn size(&mut self, queue: u16, least: u16, wanted: u16) -> Result<u16, VirtioError> {
        let size = queue_size(&self.regs, queue, least, wanted)?;
        self.sizes.push((queue, size));
        Ok(size)
    }

    /// Starts a device that has been told of all pairs.
    fn start(&mut self, patience: &mut Patience<'_>) -> Result<(), VirtioError> {
        if let Some(control) = &mut self.control {
            self.regs.set_queue(control.index, &control.set_up()?)?;
        }
        start(&mut self.regs, patience)?;
        match (&mut self.control, &self.rss) {
            (Some(control), Some(rss)) => control.set_rss(&self.regs, rss, self.count, patience)?,
            (Some(control), None) => control.set_pairs(&self.regs, self.count, patience)?,
            (None, _) => {}
        }
        self.shared.go_up(self.regs.own_word());
        Ok(())
    }

    /// Resets the device and has it agree on what was agreed on before.
    fn agree_again(&mut self, patience: &mut Patience<'_>) -> Result<(), VirtioError> {
        reset(&mut self.regs, patience)?;
        negotiate(&mut self.regs, device_id::NET, self.agreed, |_| 0, patience)?;
        if offer::read(&self.regs, self.agreed)? != self.offer {
            return Err(DeviceError::Changed { field: "configuration" }.into());
        }
        for (queue, size) in &self.sizes {
            queue_size(&self.regs, *queue, *size, *size)?;
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
        self.offer.can
    }

    fn take_queues(&mut self) -> Vec<Box<dyn NetQueue>> {
        self.pairs.drain(..).map(|pair| Box::new(pair) as Box<dyn NetQueue>).collect()
    }

    fn steering(&self) -> Steering {
        self.rss.clone().map_or(Steering::FollowsTransmit, Steering::Hash)
    }

    fn link_up(&self) -> bool {
        offer::link_up(&self.regs, self.agreed)
    }

    fn fault(&self) -> Option<&dyn fmt::Display> {
        self.fault.as_ref().map(|e| e as &dyn fmt::Display)
    }

    fn reset(&mut self, queues: &mut [&mut dyn NetQueue], wait: &mut dyn FnMut()) -> Result<(), Down> {
        if queues.len() != usize::from(self.count) {
            return Err(Down);
        }
        let mut patience = Patience { polls: self.polls, wait };
        self.fault = None;
        self.shared.begin_reset();
        self.agree_again(&mut patience).map_err(|e| self.fail(e))?;
        for queue in queues {
            queue.rearm()?;
        }
        self.start(&mut patience).map_err(|e| self.fail(e))
    }
}
