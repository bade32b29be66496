//! The disk as a whole: bring-up, submission, completion, and going down when the device lies.

use crate::offer;
use crate::slots::{Ended, SLOTS, Slots};
use alloc::collections::VecDeque;
use core::fmt;
use rkt_blockdev::{BlockDevice, BlockError, BlockStats, Completion, Geometry, Rejected, Request, SubmitError, Token};
use rkt_virtio::blk::features;
use rkt_virtio::{device_id, status};
use rkt_virtio_transport::DriverRegs;
use rkt_virtqueue::{
    AddError, DmaArena, Patience, SplitQueue, Used, VirtioError, alive, negotiate, queue_size, reset, start,
};

/// The request queue (§5.2.2).
const QUEUE: u16 = 0;
/// Its entries, if the device can have that many.
const QUEUE_SIZE: u16 = 256;
/// Fewest entries: a power of two in which header, data and status of the longest request fit.
const LEAST_QUEUE_SIZE: u16 = (offer::MAX_SEGMENTS as u16 + 2).next_power_of_two();

/// A virtio disk.
pub struct VirtioBlk {
    regs: DriverRegs,
    vcpu: u16,
    polls: u32,
    /// The disk has a volatile cache, so flushes mean something.
    cached: bool,
    geometry: Geometry,
    queue: SplitQueue,
    slots: Slots,
    done: VecDeque<Completion>,
    next_token: u64,
    stats: BlockStats,
    down: Option<VirtioError>,
}

impl VirtioBlk {
    /// Brings up the disk behind `regs`. The device rings the doorbell of `vcpu`. Each step of the
    /// handshake looks at the device at most `polls` times and calls `wait` in between. The disk
    /// takes about 2 MiB of the arena.
    ///
    /// # Errors
    /// The device is no usable disk, or the arena is too small.
    pub fn new(
        mut regs: DriverRegs,
        arena: &mut DmaArena,
        vcpu: u16,
        polls: u32,
        wait: &mut dyn FnMut(),
    ) -> Result<Self, VirtioError> {
        let mut patience = Patience { polls, wait };
        let (cached, geometry) = agree(&mut regs, &mut patience)?;
        let queue = SplitQueue::new(arena, queue_size(&regs, QUEUE, LEAST_QUEUE_SIZE, QUEUE_SIZE)?, false)?;
        let mut disk = Self {
            regs,
            vcpu,
            polls,
            cached,
            geometry,
            queue,
            slots: Slots::new(arena)?,
            done: VecDeque::new(),
            next_token: 0,
            stats: BlockStats::default(),
            down: None,
        };
        disk.run(&mut patience)?;
        Ok(disk)
    }

    /// Starts a device that has just agreed on features.
    fn run(&mut self, patience: &mut Patience<'_>) -> Result<(), VirtioError> {
        self.queue.reset()?;
        self.regs.set_queue(QUEUE, &self.queue.setup(self.vcpu))?;
        start(&mut self.regs, patience)?;
        Ok(())
    }

    fn bring_up_again(&mut self, patience: &mut Patience<'_>) -> Result<(), VirtioError> {
        (self.cached, self.geometry) = agree(&mut self.regs, patience)?;
        queue_size(&self.regs, QUEUE, self.queue.size(), self.queue.size())?;
        self.run(patience)
    }

    /// Takes the disk down: nothing more is done with the device until a reset.
    fn fail(&mut self, error: VirtioError) {
        if self.down.is_none() {
            self.down = Some(error);
            self.regs.add_status(status::FAILED);
        }
        self.abort_all();
    }

    /// Completes all that is in flight with an error.
    fn abort_all(&mut self) {
        while let Some(slot) = self.slots.drain_one() {
            self.complete(slot.token, slot.request, Err(BlockError::Device));
        }
    }

    fn complete(&mut self, token: Token, request: Request, result: Result<(), BlockError>) {
        self.stats.count(&request, result);
        self.done.push_back(Completion { token, request, result });
    }

    /// Handles one chain that the device has used.
    fn handle(&mut self, used: Used) -> Result<(), VirtioError> {
        let Some(Ended { index, mut slot, result }) = self.slots.take(used)? else { return Ok(()) };
        if result.is_ok() && self.cached && slot.wants_flush() {
            return match self.slots.stage_flush(&mut self.queue, index, slot) {
                Err(AddError::Queue(e)) => Err(e),
                // The flush is shorter than the write whose descriptors it takes over.
                Ok(()) | Err(AddError::Full | AddError::Chain) => Ok(()),
            };
        }
        self.slots.finish(index, &mut slot);
        self.complete(slot.token, slot.request, result);
        Ok(())
    }

    /// Handles all chains that the device has used: at most two for each request in flight.
    fn reap(&mut self) -> Result<(), VirtioError> {
        alive(&self.regs)?;
        while let Some(used) = self.queue.pop_used()? {
            self.handle(used)?;
        }
        Ok(())
    }

    fn stage(&mut self, token: Token, request: Request) -> Result<(), Rejected> {
        if request == Request::Flush && !self.cached {
            self.complete(token, request, Ok(()));
            return Ok(());
        }
        self.slots.stage(&mut self.queue, token, request).map_err(|(e, request)| {
            let error = match e {
                AddError::Full => SubmitError::Full,
                AddError::Chain => SubmitError::TooLong,
                AddError::Queue(e) => {
                    self.fail(e);
                    SubmitError::Down
                }
            };
            Rejected { error, request }
        })
    }
}

/// Resets the device, agrees on features with it and reads its configuration. Says whether it has a
/// cache, and what it is.
fn agree(regs: &mut DriverRegs, patience: &mut Patience<'_>) -> Result<(bool, Geometry), VirtioError> {
    reset(regs, patience)?;
    let agreed = negotiate(regs, device_id::BLOCK, 0, |_| offer::WANTED, patience)?;
    Ok((agreed & features::FLUSH != 0, offer::geometry(regs, agreed)?))
}

impl BlockDevice for VirtioBlk {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn submit(&mut self, request: Request) -> Result<Token, Rejected> {
        let checked = if self.down.is_some() { Err(SubmitError::Down) } else { self.geometry.check(&request) };
        if let Err(error) = checked {
            return Err(Rejected { error, request });
        }
        if self.in_flight() >= usize::from(SLOTS) {
            return Err(Rejected { error: SubmitError::Full, request });
        }
        let token = Token(self.next_token);
        self.stage(token, request)?;
        self.next_token = self.next_token.wrapping_add(1);
        Ok(token)
    }

    fn kick(&mut self) {
        if self.down.is_some() {
            return;
        }
        if let Err(e) = self.queue.publish() {
            self.fail(e);
        } else if self.queue.take_kick() {
            self.regs.kick();
            self.stats.kicks = self.stats.kicks.wrapping_add(1);
        }
    }

    fn poll(&mut self) -> Option<Completion> {
        if self.done.is_empty() && self.down.is_none() {
            match self.reap() {
                // Flushes after writes.
                Ok(()) => self.kick(),
                Err(e) => self.fail(e),
            }
        }
        self.done.pop_front()
    }

    fn has_work(&self) -> bool {
        !self.done.is_empty() || self.down.is_none() && (self.queue.has_used() || alive(&self.regs).is_err())
    }

    fn in_flight(&self) -> usize {
        self.slots.len().saturating_add(self.done.len())
    }

    fn stats(&self) -> BlockStats {
        self.stats
    }

    fn fault(&self) -> Option<&dyn fmt::Display> {
        self.down.as_ref().map(|e| e as &dyn fmt::Display)
    }

    fn reset(&mut self, wait: &mut dyn FnMut()) -> Result<(), BlockError> {
        self.abort_all();
        self.down = None;
        let mut patience = Patience { polls: self.polls, wait };
        if let Err(e) = self.bring_up_again(&mut patience) {
            self.fail(e);
            return Err(BlockError::Device);
        }
        self.stats.resets = self.stats.resets.wrapping_add(1);
        Ok(())
    }
}
