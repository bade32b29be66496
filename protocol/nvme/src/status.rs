//! The status field of completions (base §3.3.3.2.1).

use core::fmt;

/// A status: code in bits 0 to 7, type in bits 8 to 10, then retry delay, "more" and "do not retry".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status(pub u16);

/// What a status means to whoever sent the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusKind {
    /// Done.
    Success,
    /// The command was aborted, by request or with its queue.
    Aborted,
    /// The controller does not take the command as it is.
    Refused,
    /// The controller or the medium failed.
    Failed,
    /// No such type of status exists.
    Reserved,
}

impl Status {
    /// Successful completion.
    pub const SUCCESS: Self = Self(0x00);
    /// Invalid command opcode.
    pub const INVALID_OPCODE: Self = Self(0x01);
    /// Invalid field in command.
    pub const INVALID_FIELD: Self = Self(0x02);
    /// Data transfer error.
    pub const DATA_TRANSFER: Self = Self(0x04);
    /// Internal error.
    pub const INTERNAL: Self = Self(0x06);
    /// Command abort requested.
    pub const ABORT_REQUESTED: Self = Self(0x07);
    /// Command aborted due to deletion of its submission queue.
    pub const QUEUE_DELETED: Self = Self(0x08);
    /// Invalid namespace or format.
    pub const INVALID_NAMESPACE: Self = Self(0x0b);
    /// Invalid PRP offset.
    pub const INVALID_PRP_OFFSET: Self = Self(0x13);
    /// Namespace is write protected.
    pub const WRITE_PROTECTED: Self = Self(0x20);
    /// LBA out of range (nvm §2.2.1).
    pub const LBA_OUT_OF_RANGE: Self = Self(0x80);
    /// Completion queue invalid (base §5.5).
    pub const INVALID_COMPLETION_QUEUE: Self = Self(0x100);
    /// Invalid queue identifier (base §5.4).
    pub const INVALID_QUEUE: Self = Self(0x101);
    /// Invalid queue size (base §5.4).
    pub const INVALID_QUEUE_SIZE: Self = Self(0x102);
    /// Asynchronous event request limit exceeded (base §5.2).
    pub const EVENT_LIMIT: Self = Self(0x105);
    /// Invalid interrupt vector (base §5.4).
    pub const INVALID_VECTOR: Self = Self(0x108);
    /// Invalid log page (base §5.16).
    pub const INVALID_LOG_PAGE: Self = Self(0x109);
    /// Write fault (media and data integrity errors).
    pub const WRITE_FAULT: Self = Self(0x280);
    /// Unrecovered read error (media and data integrity errors).
    pub const UNRECOVERED_READ: Self = Self(0x281);

    /// "Do not retry".
    pub const DO_NOT_RETRY: u16 = 1 << 14;

    const CODE: u16 = 0x7ff;

    /// The same status with "do not retry".
    pub const fn final_word(self) -> Self {
        Self(self.0 | Self::DO_NOT_RETRY)
    }

    /// Type and code alone.
    pub const fn code(self) -> u16 {
        self.0 & Self::CODE
    }

    /// Whether the same command may succeed later.
    pub const fn may_retry(self) -> bool {
        self.0 & Self::DO_NOT_RETRY == 0
    }

    /// What it means. Types: 0 generic, 1 command specific, 2 media, 3 path, 7 vendor specific.
    pub fn kind(self) -> StatusKind {
        let code = Self(self.code());
        let refusals = [
            Self::INVALID_OPCODE,
            Self::INVALID_FIELD,
            Self::INVALID_NAMESPACE,
            Self::INVALID_PRP_OFFSET,
            Self::WRITE_PROTECTED,
            Self::LBA_OUT_OF_RANGE,
        ];
        match code.0 >> 8 {
            _ if code == Self::SUCCESS => StatusKind::Success,
            _ if code == Self::ABORT_REQUESTED || code == Self::QUEUE_DELETED => StatusKind::Aborted,
            0 if refusals.contains(&code) => StatusKind::Refused,
            1 => StatusKind::Refused,
            0 | 2 | 3 | 7 => StatusKind::Failed,
            _ => StatusKind::Reserved,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {:#05x}", self.code())
    }
}
