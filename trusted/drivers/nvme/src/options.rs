//! What whoever opens a controller decides.

use crate::{QUIRKS, Quirk};

/// How a controller is driven.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Monotonic time in nanoseconds.
    pub clock: fn() -> u64,
    /// vCPUs: each gets a lane for each namespace, as far as there are queue pairs.
    pub vcpus: u16,
    /// Most lanes.
    pub lanes: u16,
    /// Entries of a lane's queues, one more than requests in flight; 2 to 257 and as the controller allows.
    pub entries: u16,
    /// Pages of a lane's data in flight. A transfer has 64 at most.
    pub chunks: u16,
    /// Whether completions interrupt the lane's vCPU (vector = vCPU). Without, somebody has to poll.
    pub interrupts: bool,
    /// Nanoseconds after which an I/O command is aborted; after twice that the controller is reset.
    pub timeout: u64,
    /// Nanoseconds after which an admin command leads to a reset.
    pub admin_timeout: u64,
    /// Known oddities of controllers.
    pub quirks: &'static [Quirk],
}

impl Options {
    /// One vCPU, 255 requests and 2 MiB in flight, 30 seconds for a command.
    pub const fn new(clock: fn() -> u64) -> Self {
        Self {
            clock,
            vcpus: 1,
            lanes: 64,
            entries: 256,
            chunks: 512,
            interrupts: true,
            timeout: 30_000_000_000,
            admin_timeout: 60_000_000_000,
            quirks: QUIRKS,
        }
    }
}
