//! What can go wrong, and whose fault it is.

use crate::Phase;
use core::fmt;
use rkt_virtio_transport::RegsError;
use rkt_window::OutOfBounds;

/// What the device did wrong. Sections are those of virtio 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceError {
    /// Split queue: the used index went back, or further ahead than there are chains in flight (§2.7.8).
    UsedIndex {
        /// The next entry that the driver expects.
        expected: u16,
        /// The index that the device claims.
        claimed: u16,
        /// Chains in flight.
        in_flight: u16,
    },
    /// A used id that is none of a chain in flight: out of range, used before, or never made
    /// available (§2.7.8, §2.8.8).
    UsedId {
        /// The id that the device claims.
        id: u32,
    },
    /// More bytes written than the chain has room for (§2.7.8, §2.8.4).
    UsedLength {
        /// The head of the chain.
        id: u32,
        /// Bytes that the device claims to have written.
        len: u32,
        /// Bytes that it could write.
        writable: u32,
    },
    /// The device did not answer (§3.1).
    Silent(Phase),
    /// The device's status is not what the driver asked for: it needs a reset, or has forgotten
    /// that it was started (§2.1).
    Status {
        /// The status that the driver asked for.
        asked: u8,
        /// The device's answer; `None` if it does not even know of the last reset.
        answer: Option<u8>,
    },
    /// The slot holds another kind of device (§5).
    Kind {
        /// The virtio device id that the device claims.
        claimed: u32,
    },
    /// A feature that the driver cannot do without is not offered (§2.2).
    FeatureMissing {
        /// All that is offered.
        offered: u64,
        /// What is missing.
        missing: u64,
    },
    /// The device does not accept a subset of what it offers (§2.2.2).
    FeaturesRefused {
        /// What the driver accepted.
        accepted: u64,
    },
    /// A queue is missing or has a size that is not allowed (§2.7).
    QueueSize {
        /// The queue.
        queue: u16,
        /// The largest size that the device claims to support.
        claimed: u16,
    },
    /// The configuration space never came to rest (§2.5).
    ConfigUnstable,
    /// The configuration space holds a value that the specification forbids.
    ConfigValue {
        /// Name of the field in the specification.
        field: &'static str,
        /// The device's value.
        value: u64,
    },
    /// After a reset it is not the device that it was (§2.2, §2.5).
    Changed {
        /// Name in the specification of what changed.
        field: &'static str,
    },
    /// A command in a control queue was refused, though the device has the feature (§5.1.6.5).
    Command {
        /// Class of the command.
        class: u8,
        /// The command.
        command: u8,
        /// The device's answer.
        answer: u8,
    },
    /// A received packet claims more buffers than have been used, or none (§5.1.6.4).
    PacketBuffers {
        /// `num_buffers` of its header.
        claimed: u16,
        /// Buffers that it can have.
        possible: u16,
    },
    /// A received packet is shorter than its own header (§5.1.6.4).
    PacketHeader {
        /// Bytes written.
        len: u32,
    },
    /// A read that the device calls successful did not fill its buffer (§5.2.6, §2.7.8.2).
    ShortRead {
        /// Bytes that the device claims to have written.
        len: u32,
        /// Bytes that were asked for.
        wanted: usize,
    },
    /// A block request ended with a status that does not exist (§5.2.6).
    RequestStatus {
        /// The status byte.
        status: u8,
    },
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UsedIndex { expected, claimed, in_flight } => {
                write!(f, "used index {claimed} is impossible: expected {expected} with {in_flight} chains in flight")
            }
            Self::UsedId { id } => write!(f, "used id {id} is not in flight"),
            Self::UsedLength { id, len, writable } => {
                write!(f, "{len} bytes written into chain {id}, which has room for {writable}")
            }
            Self::Silent(phase) => write!(f, "silent during {phase}"),
            Self::Status { asked, answer: Some(answer) } => write!(f, "status {answer:#x}, asked for {asked:#x}"),
            Self::Status { asked, answer: None } => write!(f, "no status since the last reset, asked for {asked:#x}"),
            Self::Kind { claimed } => write!(f, "unexpected device id {claimed}"),
            Self::FeatureMissing { offered, missing } => write!(f, "offers {offered:#x}, which lacks {missing:#x}"),
            Self::FeaturesRefused { accepted } => write!(f, "refuses features {accepted:#x}, which it offered"),
            Self::QueueSize { queue, claimed } => write!(f, "queue {queue} has the impossible size {claimed}"),
            Self::ConfigUnstable => write!(f, "configuration never comes to rest"),
            Self::ConfigValue { field, value } => write!(f, "configuration field {field} is {value}"),
            Self::Changed { field } => write!(f, "another {field} after a reset"),
            Self::Command { class, command, answer } => {
                write!(f, "control command {class}.{command} answered with {answer}")
            }
            Self::PacketBuffers { claimed, possible } => {
                write!(f, "packet in {claimed} buffers, where 1 to {possible} are possible")
            }
            Self::PacketHeader { len } => write!(f, "packet of {len} bytes, shorter than its header"),
            Self::ShortRead { len, wanted } => write!(f, "{len} bytes of a successful read of {wanted}"),
            Self::RequestStatus { status } => write!(f, "request status {status}"),
        }
    }
}

impl core::error::Error for DeviceError {}

/// Why a driver cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VirtioError {
    /// The device is guilty.
    Device(DeviceError),
    /// The window is guilty of being too small: no DMA memory left for this many bytes.
    NoDmaMemory(usize),
    /// The driver is guilty: an access outside its own memory.
    Bounds(OutOfBounds),
}

impl fmt::Display for VirtioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(e) => write!(f, "device: {e}"),
            Self::NoDmaMemory(len) => write!(f, "no DMA memory for {len} bytes"),
            Self::Bounds(e) => write!(f, "driver: {e}"),
        }
    }
}

impl core::error::Error for VirtioError {}

impl From<DeviceError> for VirtioError {
    fn from(e: DeviceError) -> Self {
        Self::Device(e)
    }
}

impl From<OutOfBounds> for VirtioError {
    fn from(e: OutOfBounds) -> Self {
        Self::Bounds(e)
    }
}

impl From<RegsError> for VirtioError {
    fn from(e: RegsError) -> Self {
        match e {
            RegsError::Bounds(e) => Self::Bounds(e),
            RegsError::ConfigUnstable { .. } => Self::Device(DeviceError::ConfigUnstable),
        }
    }
}

/// Why a chain was not added to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// Too few free descriptors now.
    Full,
    /// The caller is guilty: a chain without buffers, or of more than 2^32 - 1 bytes (§2.7.5).
    Chain,
    /// The queue is poisoned or broken.
    Queue(VirtioError),
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "queue full"),
            Self::Chain => write!(f, "chain empty or too long"),
            Self::Queue(e) => e.fmt(f),
        }
    }
}

impl core::error::Error for AddError {}

impl<E: Into<VirtioError>> From<E> for AddError {
    fn from(e: E) -> Self {
        Self::Queue(e.into())
    }
}
