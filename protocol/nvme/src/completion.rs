//! Completion queue entries (base §3.3.3.2).

use crate::Status;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of a completion queue entry.
pub const COMPLETION_LEN: usize = 16;

/// A completion queue entry as two words, the second of which holds the phase tag: whoever polls
/// loads that one first, and each of them once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Completion {
    /// Dwords 0 and 1: what the command answers.
    pub answer: u64,
    /// Dwords 2 and 3.
    pub control: u64,
}

impl Completion {
    /// Offset of [`Completion::control`].
    pub const CONTROL: usize = 8;

    /// The entry that says how command `id` of submission queue `queue` ended, whose head is now `head`.
    pub const fn new(answer: u64, head: u16, queue: u16, id: u16, status: Status, phase: bool) -> Self {
        let control = head as u64 | (queue as u64) << 16 | (id as u64) << 32;
        Self { answer, control: control | (phase as u64) << 48 | (status.0 as u64) << 49 }
    }

    /// The phase tag of a control word.
    pub const fn phase(control: u64) -> bool {
        control & 1 << 48 != 0
    }

    /// Dword 0.
    pub const fn dword0(&self) -> u32 {
        self.answer as u32
    }

    /// Where the controller's head of the submission queue is.
    pub const fn head(&self) -> u16 {
        self.control as u16
    }

    /// The submission queue.
    pub const fn queue(&self) -> u16 {
        (self.control >> 16) as u16
    }

    /// The identifier of the command.
    pub const fn id(&self) -> u16 {
        (self.control >> 32) as u16
    }

    /// How the command ended.
    pub const fn status(&self) -> Status {
        Status((self.control >> 49) as u16)
    }
}

const _: () = assert!(size_of::<Completion>() == COMPLETION_LEN);
