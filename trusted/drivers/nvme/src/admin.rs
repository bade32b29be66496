//! The admin queue pair, what is asked through it, and its page for answers.

use crate::pair::{Doorbells, QueuePair};
use crate::{DeviceError, NvmeError};
use alloc::boxed::Box;
use rkt_nvme::registers::{ACQ, AQA, ASQ, aqa};
use rkt_nvme::{Command, IDENTIFY_LEN, PAGE_LEN, ShadowDoorbells, Status, StatusKind};
use rkt_nvme_transport::Registers;
use rkt_virtqueue::{DmaArena, DmaBuffer};
use rkt_window::{OutOfBounds, Region};

/// Entries of both admin queues: one page of commands holds twice as many.
const ENTRIES: u16 = 32;
/// Commands in flight at most.
const PENDING: usize = 8;

/// What a command was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A question of the bring-up.
    Question,
    /// To be told of events; takes as long as it takes.
    Event,
    /// To abort an I/O command.
    Abort,
    /// To look after something. Uses the page.
    Chore,
}

/// A completed command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) purpose: Purpose,
    pub(crate) status: Status,
    pub(crate) dword0: u32,
}

#[derive(Clone, Copy)]
struct Pending {
    id: u16,
    purpose: Purpose,
    sent: u64,
}

/// The admin queues.
pub(crate) struct AdminQueue {
    pair: QueuePair,
    page: DmaBuffer,
    /// The page as it was last read: too large for a stack.
    copy: Box<[u8; IDENTIFY_LEN]>,
    shadow: [DmaBuffer; 2],
    pending: [Option<Pending>; PENDING],
    next_id: u16,
}

impl AdminQueue {
    pub(crate) fn new(arena: &mut DmaArena) -> Result<Self, NvmeError> {
        let pair = QueuePair::new(arena, 0, ENTRIES)?;
        let mut page = || arena.alloc(PAGE_LEN, PAGE_LEN).ok_or(NvmeError::NoDmaMemory(PAGE_LEN));
        let shadow = [page()?, page()?];
        let copy = Box::new([0; IDENTIFY_LEN]);
        Ok(Self { pair, page: page()?, copy, shadow, pending: [None; PENDING], next_id: 0 })
    }

    /// Forgets everything and tells a disabled controller where the queues are (base §3.5.1).
    pub(crate) fn reset(&mut self, regs: &dyn Registers, stride: usize) -> Result<(), OutOfBounds> {
        self.pair.reset(Doorbells { stride, shadow: None })?;
        self.pending = [None; PENDING];
        for page in &self.shadow {
            page.region.zero(0, PAGE_LEN)?;
        }
        let (submissions, completions) = self.pair.addresses();
        regs.write32(AQA, aqa(ENTRIES, ENTRIES));
        regs.write64(ASQ, submissions);
        regs.write64(ACQ, completions);
        Ok(())
    }

    /// Where answers of commands with data lie.
    pub(crate) fn page_at(&self) -> u64 {
        self.page.offset
    }

    /// A copy of the page in trusted memory.
    pub(crate) fn read_page(&mut self) -> Result<&[u8; IDENTIFY_LEN], OutOfBounds> {
        self.page.region.read(0, self.copy.as_mut_slice())?;
        Ok(&self.copy)
    }

    /// Addresses of the pages of shadow doorbells.
    pub(crate) fn shadow_at(&self) -> ShadowDoorbells {
        let [doorbells, events] = &self.shadow;
        ShadowDoorbells { doorbells: doorbells.offset, events: events.offset }
    }

    /// Shadow doorbells and event indices.
    pub(crate) fn shadow(&self) -> (Region, Region) {
        let [doorbells, events] = &self.shadow;
        (doorbells.region, events.region)
    }

    /// Whether a command of this purpose is in flight.
    pub(crate) fn awaits(&self, purpose: Purpose) -> bool {
        self.pending.iter().flatten().any(|pending| pending.purpose == purpose)
    }

    /// Sends a command; false if too many are in flight.
    pub(crate) fn send(
        &mut self,
        regs: &dyn Registers,
        command: Command,
        purpose: Purpose,
        now: u64,
    ) -> Result<bool, NvmeError> {
        let Some(place) = self.pending.iter_mut().find(|place| place.is_none()) else { return Ok(false) };
        self.next_id = self.next_id.wrapping_add(1);
        let id = self.next_id;
        if !self.pair.push(&command.with_id(id))? {
            return Ok(false);
        }
        *place = Some(Pending { id, purpose, sent: now });
        self.pair.publish(regs);
        Ok(true)
    }

    /// Whether a completion is there.
    pub(crate) fn has_completion(&self) -> bool {
        self.pair.has_completion()
    }

    /// The next completed command, if there is one.
    pub(crate) fn receive(&mut self, regs: &dyn Registers) -> Result<Option<Reply>, NvmeError> {
        let Some(completion) = self.pair.pop()? else { return Ok(None) };
        self.pair.acknowledge(regs);
        let (id, status) = (completion.id(), completion.status());
        let sent = |place: &&mut Option<Pending>| place.is_some_and(|pending| pending.id == id);
        let pending = self.pending.iter_mut().find(sent).and_then(Option::take);
        let pending = pending.ok_or(DeviceError::CommandId { queue: 0, id })?;
        if status.kind() == StatusKind::Reserved {
            return Err(DeviceError::Status { queue: 0, status }.into());
        }
        Ok(Some(Reply { purpose: pending.purpose, status, dword0: completion.dword0() }))
    }

    /// Whether a command has been in flight for longer than `timeout`.
    pub(crate) fn is_overdue(&self, now: u64, timeout: u64) -> bool {
        let late = |pending: &Pending| pending.purpose != Purpose::Event && now.saturating_sub(pending.sent) > timeout;
        self.pending.iter().flatten().any(late)
    }
}
