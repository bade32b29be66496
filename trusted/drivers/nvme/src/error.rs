//! What can go wrong, and whose fault it is.

use core::fmt;
use rkt_nvme::Status;
use rkt_virtqueue::VirtioError;
use rkt_window::OutOfBounds;

/// What the controller owes an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// `CC.EN` = 0 (base §3.7.2).
    Disable,
    /// `CC.EN` = 1 (base §3.5.1).
    Enable,
    /// An admin command.
    Admin,
    /// An I/O command, and its abort.
    Io,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disable => "disabling",
            Self::Enable => "enabling",
            Self::Admin => "an admin command",
            Self::Io => "an I/O command",
        })
    }
}

/// What the controller did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceError {
    /// A completion of a command that is not in flight: never sent, completed before, or cut off by a
    /// reset (base §3.3.3.2).
    CommandId {
        /// The queue.
        queue: u16,
        /// The identifier that the controller claims.
        id: u16,
    },
    /// A completion that names a submission queue which does not lead to this completion queue.
    QueueId {
        /// The completion queue.
        queue: u16,
        /// The submission queue that the controller claims.
        claimed: u16,
    },
    /// A completion whose submission queue head is not between the last one and the tail, or leaves
    /// more commands unread than are in flight.
    Head {
        /// The queue.
        queue: u16,
        /// The head that the controller claims.
        claimed: u16,
        /// The tail.
        tail: u16,
    },
    /// A status whose type does not exist (base §3.3.3.2.1).
    Status {
        /// The queue.
        queue: u16,
        /// The status.
        status: Status,
    },
    /// A command without which nothing works was refused.
    Refused {
        /// The opcode of the admin command.
        opcode: u8,
        /// The status.
        status: Status,
    },
    /// No answer in time.
    Silent(Phase),
    /// The registers read as all ones: the device is gone.
    Gone,
    /// The controller reports a fatal state, or is no longer ready though nobody stopped it (`CSTS`).
    Fatal {
        /// `CSTS`.
        status: u32,
    },
    /// A field holds a value that the specification forbids, or that cannot be driven.
    Value {
        /// Name of the field in the specification.
        field: &'static str,
        /// The controller's value.
        value: u64,
    },
    /// It is not the device that it was.
    Changed {
        /// Name in the specification of what changed.
        field: &'static str,
    },
}

impl DeviceError {
    /// Whether a controller that keeps to the specification may get there, so that a reset may help.
    /// All else is a lie.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Self::Silent(_) | Self::Fatal { .. })
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::CommandId { queue, id } => write!(f, "queue {queue}: command {id:#x} is not in flight"),
            Self::QueueId { queue, claimed } => write!(f, "queue {queue}: completion of submission queue {claimed}"),
            Self::Head { queue, claimed, tail } => {
                write!(f, "queue {queue}: submission queue head {claimed} is impossible with tail {tail}")
            }
            Self::Status { queue, status } => write!(f, "queue {queue}: {status} does not exist"),
            Self::Refused { opcode, status } => write!(f, "admin command {opcode:#x} refused: {status}"),
            Self::Silent(phase) => write!(f, "silent during {phase}"),
            Self::Gone => write!(f, "gone"),
            Self::Fatal { status } => write!(f, "stopped by itself (CSTS {status:#x})"),
            Self::Value { field, value } => write!(f, "{field} is {value:#x}"),
            Self::Changed { field } => write!(f, "another {field} than before"),
        }
    }
}

impl core::error::Error for DeviceError {}

/// Why the driver cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NvmeError {
    /// The device is guilty.
    Device(DeviceError),
    /// The window is guilty of being too small: no DMA memory left for this many bytes.
    NoDmaMemory(usize),
    /// The driver is guilty: an access outside its own memory.
    Bounds(OutOfBounds),
}

impl fmt::Display for NvmeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(e) => write!(f, "device: {e}"),
            Self::NoDmaMemory(len) => write!(f, "no DMA memory for {len} bytes"),
            Self::Bounds(e) => write!(f, "driver: {e}"),
        }
    }
}

impl core::error::Error for NvmeError {}

impl From<DeviceError> for NvmeError {
    fn from(e: DeviceError) -> Self {
        Self::Device(e)
    }
}

impl From<OutOfBounds> for NvmeError {
    fn from(e: OutOfBounds) -> Self {
        Self::Bounds(e)
    }
}

/// The pool of data chunks speaks of virtio's errors.
pub(crate) fn from_pool(e: VirtioError) -> NvmeError {
    match e {
        VirtioError::NoDmaMemory(len) => NvmeError::NoDmaMemory(len),
        VirtioError::Bounds(e) => NvmeError::Bounds(e),
        VirtioError::Device(_) => NvmeError::NoDmaMemory(0),
    }
}
