//! Submission and completion queues in the window, controller side.

use rkt_nvme::{COMMAND_LEN, COMPLETION_LEN, Command, Completion, Status};
use rkt_nvme_transport::ControllerRegisters;
use rkt_window::{OutOfBounds, Region, Window};
use std::io;
use std::sync::atomic::{Ordering, fence};
use zerocopy::{FromZeros, IntoBytes};

/// Why a controller shows a fatal status (base §3.1.3.6).
#[derive(Debug)]
pub enum Fault {
    /// A doorbell is out of range of its queue.
    Doorbell {
        /// The queue.
        queue: u16,
        /// What the driver wrote.
        value: u32,
    },
    /// An admin queue does not lie in the window, or has an impossible size.
    AdminQueue,
    /// The controller was enabled with a configuration that it does not know.
    Configuration {
        /// `CC`.
        value: u32,
    },
    /// Memory of a queue is not in the window. Checked when the queue is made, so never later.
    Memory(OutOfBounds),
    /// The host is guilty: it cannot wait or take requests.
    Host(io::Error),
}

impl Fault {
    pub(crate) fn of_host(e: io::Error) -> Self {
        Self::Host(e)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Doorbell { queue, value } => write!(f, "the driver wrote {value} to a doorbell of queue {queue}"),
            Self::AdminQueue => write!(f, "the driver has no usable admin queues"),
            Self::Configuration { value } => write!(f, "the driver enabled the controller with CC {value:#x}"),
            Self::Memory(e) => e.fmt(f),
            Self::Host(e) => write!(f, "the host cannot do input and output: {e}"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<OutOfBounds> for Fault {
    fn from(e: OutOfBounds) -> Self {
        Self::Memory(e)
    }
}

/// Contiguous memory of a queue.
pub(crate) fn memory(window: &Window, at: u64, entries: u16, entry_len: usize) -> Result<Region, OutOfBounds> {
    let start = usize::try_from(at).map_err(|_| OutOfBounds { offset: at, len: entry_len as u64 })?;
    window.sub(start, entry_len * usize::from(entries))
}

/// The value of a doorbell, which is an index of a queue with this many entries.
fn doorbell(queue: u16, value: u32, entries: u16) -> Result<u16, Fault> {
    u16::try_from(value).ok().filter(|index| *index < entries).ok_or(Fault::Doorbell { queue, value })
}

/// A submission queue.
pub(crate) struct SubmissionQueue {
    id: u16,
    region: Region,
    entries: u16,
    head: u16,
    /// The driver's tail when it was last looked at: that is its cache line, not to be asked for too often.
    tail: u16,
    /// Its completion queue.
    pub(crate) completions: u16,
}

impl SubmissionQueue {
    pub(crate) fn new(id: u16, region: Region, entries: u16, completions: u16) -> Self {
        Self { id, region, entries, head: 0, tail: 0, completions }
    }

    pub(crate) fn head(&self) -> u16 {
        self.head
    }

    /// The next command, if there is one.
    ///
    /// # Errors
    /// The doorbell is out of range.
    pub(crate) fn pop(&mut self, regs: &ControllerRegisters) -> Result<Option<Command>, Fault> {
        if self.tail == self.head {
            self.tail = doorbell(self.id, regs.tail(self.id), self.entries)?;
        }
        if self.tail == self.head {
            return Ok(None);
        }
        let mut command = Command::new_zeroed();
        self.region.read(COMMAND_LEN * usize::from(self.head), command.as_mut_bytes())?;
        self.head = (self.head + 1) % self.entries;
        Ok(Some(command))
    }
}

/// A completion queue.
pub(crate) struct CompletionQueue {
    id: u16,
    region: Region,
    entries: u16,
    tail: u16,
    /// The driver's head when it was last looked at.
    head: u16,
    phase: bool,
    /// Interrupt vector, if interrupts are enabled.
    vector: Option<u16>,
    /// Submission queues that lead here.
    pub(crate) users: u16,
    /// Commands that will complete here.
    pub(crate) outstanding: u16,
    /// Something was posted since the last interrupt.
    posted: bool,
}

impl CompletionQueue {
    pub(crate) fn new(id: u16, region: Region, entries: u16, vector: Option<u16>) -> Self {
        Self { id, region, entries, tail: 0, head: 0, phase: true, vector, users: 0, outstanding: 0, posted: false }
    }

    /// Whether another command may be taken: there will be a place for its completion.
    ///
    /// # Errors
    /// The doorbell is out of range.
    pub(crate) fn has_room(&mut self, regs: &ControllerRegisters) -> Result<bool, Fault> {
        if !self.fits() {
            self.head = doorbell(self.id, regs.head(self.id), self.entries)?;
        }
        Ok(self.fits())
    }

    /// Whether a completion more fits, as far as the driver's head is known.
    fn fits(&self) -> bool {
        let unseen = (self.tail + self.entries - self.head) % self.entries;
        unseen + self.outstanding < self.entries - 1
    }

    /// Posts a completion; there is room, as commands are taken only then.
    pub(crate) fn post(&mut self, answer: u32, queue: (u16, u16), id: u16, status: Status) -> Result<(), Fault> {
        let (queue, head) = queue;
        let completion = Completion::new(answer.into(), head, queue, id, status, self.phase);
        let at = COMPLETION_LEN * usize::from(self.tail);
        self.region.write_u64(at, completion.answer)?;
        fence(Ordering::Release);
        self.region.write_u64(at + Completion::CONTROL, completion.control)?;
        self.tail = (self.tail + 1) % self.entries;
        self.phase ^= self.tail == 0;
        self.outstanding = self.outstanding.saturating_sub(1);
        self.posted = true;
        Ok(())
    }

    /// The vector of the interrupt that is due, once.
    pub(crate) fn take_interrupt(&mut self) -> Option<u16> {
        std::mem::take(&mut self.posted).then_some(self.vector).flatten()
    }
}
