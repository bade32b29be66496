//! The controller: registers, queues, and what moves between them.

use crate::admin::Events;
use crate::describe;
use crate::media::{Media, Owner, count};
use crate::queues::{CompletionQueue, Fault, SubmissionQueue, memory};
use crate::running::Shared;
use rkt_backend_blk::Disk;
use rkt_nvme::registers::{ACQ, AQA, ASQ, CC, Capabilities, cc, csts};
use rkt_nvme::{COMMAND_LEN, COMPLETION_LEN, ErrorEntry, Status};
use rkt_nvme_transport::{ControllerRegisters, MAX_QUEUE_PAIRS};
use rkt_window::{Doorbell, OutOfBounds, Window};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Commands of a queue before the other queues are looked at.
const BATCH: usize = 64;

/// How an admin command ends.
pub(crate) enum End {
    /// Now, with this dword 0.
    With(u32),
    /// Some other time.
    Later,
}

/// A controller in a slot of the window.
pub(crate) struct Controller {
    pub(crate) window: Window,
    pub(crate) media: Media,
    pub(crate) serial: String,
    /// Log2 of the bytes of a block.
    pub(crate) block_shift: u8,
    pub(crate) shared: Arc<Shared>,
    /// Queues by identifier; the admin queues have 0.
    pub(crate) submissions: Vec<Option<SubmissionQueue>>,
    pub(crate) completions: Vec<Option<CompletionQueue>>,
    pub(crate) events: Events,
    /// The last errors, newest last.
    pub(crate) errors: VecDeque<ErrorEntry>,
    /// One more than the highest queue there ever was since the last reset.
    pub(crate) queues: u16,
    regs: ControllerRegisters,
    /// The driver's `CC` that was acted on last.
    acted: u32,
    ready: bool,
    errors_ever: u64,
}

impl Controller {
    /// Entries of the largest queue.
    pub(crate) const ENTRIES: u16 = 1024;
    /// Units of 500 ms that a change of `CC.EN` may take: disks may be slow to finish.
    const TIMEOUT: u8 = 60;

    /// Describes the controller in the slot's registers.
    pub(crate) fn describe(regs: &ControllerRegisters) -> Result<(), OutOfBounds> {
        regs.describe(Capabilities::new(Self::ENTRIES, Self::TIMEOUT), describe::VERSION)
    }

    /// A controller for the thread that calls this.
    pub(crate) fn new(
        window: Window,
        regs: ControllerRegisters,
        disks: Vec<Disk>,
        serial: String,
        block_shift: u8,
        shared: Arc<Shared>,
    ) -> Self {
        let mut controller = Self {
            window,
            media: Media::open(disks),
            serial,
            block_shift,
            shared,
            submissions: Vec::new(),
            completions: Vec::new(),
            events: Events::default(),
            errors: VecDeque::new(),
            queues: 1,
            regs,
            acted: 0,
            ready: false,
            errors_ever: 0,
        };
        controller.forget();
        controller
    }

    pub(crate) fn doorbell(&self) -> Doorbell {
        self.regs.doorbell()
    }

    /// One look at everything; whether there was anything to do.
    pub(crate) fn step(&mut self) -> bool {
        let config = self.regs.read32(CC);
        let changed = config != self.acted;
        let worked = if changed { self.configure(config) } else { self.work() };
        let worked = worked.unwrap_or_else(|e| {
            self.ready = false;
            self.shared.fail(e);
            self.regs.set_status(csts::RDY | csts::CFS);
            true
        });
        self.interrupt();
        worked || changed
    }

    /// Follows `CC` (base §3.1.3.5).
    fn configure(&mut self, config: u32) -> Result<bool, Fault> {
        let was_enabled = self.acted & cc::EN != 0;
        self.acted = config;
        if config & cc::EN == 0 {
            // The driver gets its memory back: nothing may be written to it any more.
            self.drain()?;
            self.forget();
            self.regs.clear_doorbells()?;
            self.regs.set_status(0);
        } else if !was_enabled {
            self.enable(config)?;
        }
        if config & cc::SHN != 0 {
            self.drain()?;
            self.media.flush_all();
            self.regs.set_status(csts::SHST_COMPLETE | if self.ready { csts::RDY } else { 0 });
        }
        Ok(true)
    }

    fn enable(&mut self, config: u32) -> Result<(), Fault> {
        if config & !cc::SHN != cc::RUN {
            return Err(Fault::Configuration { value: config });
        }
        let sizes = self.regs.read32(AQA);
        let entries = |zero_based: u32| (zero_based & 0xfff) as u16 + 1;
        let (submissions, completions) = (entries(sizes), entries(sizes >> 16));
        if submissions < 2 || completions < 2 {
            return Err(Fault::AdminQueue);
        }
        let place = |register, entries, len| {
            memory(&self.window, self.regs.read64(register), entries, len).map_err(|_| Fault::AdminQueue)
        };
        let commands = place(ASQ, submissions, COMMAND_LEN)?;
        let answers = place(ACQ, completions, COMPLETION_LEN)?;
        self.submissions[0] = Some(SubmissionQueue::new(0, commands, submissions, 0));
        self.completions[0] = Some(CompletionQueue::new(0, answers, completions, Some(0)));
        self.ready = true;
        self.regs.set_status(csts::RDY);
        Ok(())
    }

    /// As it is after a reset.
    fn forget(&mut self) {
        let count = usize::from(MAX_QUEUE_PAIRS);
        self.submissions = (0..count).map(|_| None).collect();
        self.completions = (0..count).map(|_| None).collect();
        self.events = Events::default();
        self.queues = 1;
        self.ready = false;
    }

    fn work(&mut self) -> Result<bool, Fault> {
        if !self.ready {
            return Ok(false);
        }
        let mut worked = false;
        if self.shared.take_rescan() {
            self.measure_again()?;
            worked = true;
        }
        for queue in 0..self.queues {
            worked |= self.fetch(queue)?;
        }
        Ok(worked | self.finish()?)
    }

    /// Takes a batch of commands from a queue.
    fn fetch(&mut self, queue: u16) -> Result<bool, Fault> {
        let index = usize::from(queue);
        for taken in 0..BATCH {
            let Some(submissions) = &mut self.submissions[index] else { return Ok(taken > 0) };
            let Some(completions) = &mut self.completions[usize::from(submissions.completions)] else {
                return Ok(taken > 0);
            };
            if !self.media.has_room() || !completions.has_room(&self.regs)? {
                return Ok(taken > 0);
            }
            let Some(command) = submissions.pop(&self.regs)? else { return Ok(taken > 0) };
            completions.outstanding += 1;
            if queue == 0 { self.administer(&command)? } else { self.serve(queue, &command)? }
        }
        Ok(true)
    }

    /// Hands requests to the kernel and posts what it has completed.
    fn finish(&mut self) -> Result<bool, Fault> {
        self.media.submit().map_err(Fault::of_host)?;
        let mut worked = false;
        while let Some((owner, status)) = self.media.take() {
            self.post(owner, 0, status)?;
            worked = true;
        }
        Ok(worked)
    }

    /// Waits until the kernel has nothing of ours any more.
    pub(crate) fn drain(&mut self) -> Result<(), Fault> {
        let doorbell = self.regs.doorbell();
        while self.media.in_flight() > 0 {
            if !self.finish()? {
                let seen = doorbell.word().load(std::sync::atomic::Ordering::Acquire);
                self.media.sleep(&doorbell, seen, Duration::from_millis(1)).map_err(Fault::of_host)?;
            }
        }
        Ok(())
    }

    /// Posts a completion.
    pub(crate) fn post(&mut self, owner: Owner, dword0: u32, status: Status) -> Result<(), Fault> {
        let Some(submissions) = &self.submissions[usize::from(owner.queue)] else { return Ok(()) };
        let Some(completions) = &mut self.completions[usize::from(submissions.completions)] else { return Ok(()) };
        completions.post(dword0, (owner.queue, submissions.head()), owner.id, status)?;
        count(&self.shared.counters, status);
        if status != Status::SUCCESS {
            self.record(owner, status);
        }
        Ok(())
    }

    /// Makes an entry in the error log (base §5.16.1.2).
    fn record(&mut self, owner: Owner, status: Status) {
        self.errors_ever += 1;
        if self.errors.len() >= usize::from(describe::ERROR_ENTRIES) {
            self.errors.pop_front();
        }
        let mut entry = ErrorEntry::default();
        entry.count = self.errors_ever.into();
        (entry.queue, entry.id) = (owner.queue.into(), owner.id.into());
        entry.status = (status.0 << 1).into();
        entry.location = u16::MAX.into();
        self.errors.push_back(entry);
    }

    /// Rings the vCPUs whose queues moved, each once.
    fn interrupt(&mut self) {
        let mut rung = 0u64;
        for vector in
            self.completions.iter_mut().take(self.queues.into()).flatten().filter_map(CompletionQueue::take_interrupt)
        {
            let bit = 1u64.checked_shl(vector.into()).unwrap_or(0);
            if rung & bit == 0 {
                rung |= bit;
                self.shared.counters.notified.add(1);
                // The vector was checked when the queue was made.
                let _ = self.regs.interrupt(vector);
            }
        }
    }

    /// Sleeps until there may be work.
    pub(crate) fn sleep(&mut self, seen: u32, timeout: Duration) -> io::Result<()> {
        let doorbell = self.regs.doorbell();
        self.media.sleep(&doorbell, seen, timeout)
    }
}
