//! A queue pair in the window: the thin shell around its [`Cursor`].

use crate::{Cursor, NvmeError};
use core::sync::atomic::{Ordering, fence};
use rkt_nvme::registers::{head_doorbell, tail_doorbell};
use rkt_nvme::{COMMAND_LEN, COMPLETION_LEN, Command, Completion, PAGE_LEN};
use rkt_nvme_transport::Registers;
use rkt_virtqueue::{DmaArena, DmaBuffer};
use rkt_window::{OutOfBounds, Region};
use zerocopy::IntoBytes;

/// How the doorbells of a controller are reached.
#[derive(Clone, Copy)]
pub(crate) struct Doorbells {
    /// Their distance in bytes (`CAP.DSTRD`).
    pub(crate) stride: usize,
    /// Shadow doorbells and event indices (base §5.8), if they are configured.
    pub(crate) shadow: Option<(Region, Region)>,
}

impl Doorbells {
    /// Writes a doorbell that was `old`. With a shadow, the register only if the controller asks for
    /// that. What it asks for decides about nothing else: a lie there is a kick too many, or silence.
    fn write(&self, regs: &dyn Registers, register: usize, queue: u16, old: u16, new: u16) {
        let place = register.saturating_sub(rkt_nvme::registers::DOORBELLS);
        let wanted = match self.shadow {
            None => true,
            Some(shadow) => store_shadow(shadow, place, old, new).unwrap_or(true),
        };
        // The admin queue's register is always written: whether the shadow counts there is left open.
        if wanted || queue == 0 {
            regs.write32(register, new.into());
        }
    }
}

/// Stores a shadow doorbell and says whether the controller wants to hear of it: whether the step from
/// `old` to `new` passes the event index (base §5.8).
fn store_shadow((doorbells, events): (Region, Region), place: usize, old: u16, new: u16) -> Result<bool, OutOfBounds> {
    fence(Ordering::Release);
    doorbells.write_u32(place, new.into())?;
    fence(Ordering::SeqCst);
    let event = events.read_u32(place)? as u16;
    Ok(new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old))
}

/// A submission queue, its completion queue, and where they lie.
pub(crate) struct QueuePair {
    cursor: Cursor,
    commands: DmaBuffer,
    completions: DmaBuffer,
    doorbells: Doorbells,
    /// What the doorbells were last told.
    told_tail: u16,
    told_head: u16,
}

impl QueuePair {
    /// Memory for queue `queue` with `entries` entries, from 2.
    pub(crate) fn new(arena: &mut DmaArena, queue: u16, entries: u16) -> Result<Self, NvmeError> {
        let mut memory = |entry: usize| {
            let len = entry.saturating_mul(entries.into());
            arena.alloc(len, PAGE_LEN).ok_or(NvmeError::NoDmaMemory(len))
        };
        Ok(Self {
            cursor: Cursor::new(queue, entries),
            commands: memory(COMMAND_LEN)?,
            completions: memory(COMPLETION_LEN)?,
            doorbells: Doorbells { stride: 4, shadow: None },
            told_tail: 0,
            told_head: 0,
        })
    }

    /// Makes the pair as it is after its creation. Only while the controller does not know it.
    pub(crate) fn reset(&mut self, doorbells: Doorbells) -> Result<(), OutOfBounds> {
        self.cursor = Cursor::new(self.cursor.queue(), self.cursor.entries());
        self.doorbells = doorbells;
        (self.told_tail, self.told_head) = (0, 0);
        // Entries of an earlier life have a phase tag that could pass for a new one's.
        self.completions.region.zero(0, self.completions.region.len())
    }

    pub(crate) fn entries(&self) -> u16 {
        self.cursor.entries()
    }

    pub(crate) fn queue(&self) -> u16 {
        self.cursor.queue()
    }

    /// Addresses of the submission and of the completion queue.
    pub(crate) fn addresses(&self) -> (u64, u64) {
        (self.commands.offset, self.completions.offset)
    }

    /// Puts a command into the queue; false if it is full.
    pub(crate) fn push(&mut self, command: &Command) -> Result<bool, OutOfBounds> {
        let Some(place) = self.cursor.push() else { return Ok(false) };
        self.commands.region.write(COMMAND_LEN.saturating_mul(place.into()), command.as_bytes())?;
        Ok(true)
    }

    /// Tells the controller of new commands, if any; whether there were some.
    pub(crate) fn publish(&mut self, regs: &dyn Registers) -> bool {
        let (queue, old, new) = (self.cursor.queue(), self.told_tail, self.cursor.tail());
        if old == new {
            return false;
        }
        self.told_tail = new;
        self.doorbells.write(regs, tail_doorbell(queue, self.doorbells.stride), queue, old, new);
        true
    }

    fn next_at(&self) -> usize {
        COMPLETION_LEN.saturating_mul(self.cursor.completions().into())
    }

    fn control(&self) -> Result<u64, OutOfBounds> {
        self.completions.region.read_u64(self.next_at().saturating_add(Completion::CONTROL))
    }

    /// Whether there is a completion.
    pub(crate) fn has_completion(&self) -> bool {
        self.control().is_ok_and(|control| self.cursor.is_new(control))
    }

    /// The next completion, if there is one.
    pub(crate) fn pop(&mut self) -> Result<Option<Completion>, NvmeError> {
        let control = self.control()?;
        if !self.cursor.is_new(control) {
            return Ok(None);
        }
        fence(Ordering::Acquire);
        let completion = Completion { answer: self.completions.region.read_u64(self.next_at())?, control };
        self.cursor.accept(&completion)?;
        Ok(Some(completion))
    }

    /// Gives the entries of popped completions back to the controller.
    pub(crate) fn acknowledge(&mut self, regs: &dyn Registers) {
        let (queue, old, new) = (self.cursor.queue(), self.told_head, self.cursor.completions());
        if old != new {
            self.told_head = new;
            self.doorbells.write(regs, head_doorbell(queue, self.doorbells.stride), queue, old, new);
        }
    }
}
