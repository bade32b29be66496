//! The states of a connection (RFC 9293 §3.3.2), and what the engine is told about it.

use bitflags::bitflags;

/// A state, with what only that state has. LISTEN and the half-open connections of a listener are
/// [`crate::Listen`]'s.
#[derive(Debug)]
pub enum State {
    /// No connection: it ended, or was never made.
    Closed,
    /// A SYN is on its way or about to be.
    SynSent(Opening),
    /// Both sides opened at the same time (RFC 9293 §3.5, figure 8).
    SynReceived(Opening),
    /// Data flows.
    Established,
    /// We closed; our FIN is not acknowledged.
    FinWait1,
    /// Our FIN is acknowledged, the peer's is awaited.
    FinWait2,
    /// The peer closed, we did not.
    CloseWait,
    /// Both closed at the same time; our FIN is not acknowledged.
    Closing,
    /// The peer closed, then we did; our FIN is not acknowledged.
    LastAck,
    /// Both closed, and old segments die out. The engine takes this out: [`crate::Tcb::take_time_wait`].
    TimeWait,
}

/// A SYN of ours that is not acknowledged.
#[derive(Debug, Default)]
pub struct Opening {
    /// When it was first sent.
    pub(crate) started: Option<u64>,
    /// When it was last sent.
    pub(crate) sent: u64,
    /// How often it was sent again.
    pub(crate) retries: u8,
    /// It is due.
    pub(crate) due: bool,
}

impl State {
    /// The number that Linux gives it (`tcpi_state`, `/proc/net/tcp`).
    pub fn number(&self) -> u8 {
        match self {
            Self::Established => 1,
            Self::SynSent(_) => 2,
            Self::SynReceived(_) => 3,
            Self::FinWait1 => 4,
            Self::FinWait2 => 5,
            Self::TimeWait => 6,
            Self::Closed => 7,
            Self::CloseWait => 8,
            Self::LastAck => 9,
            Self::Closing => 11,
        }
    }

    /// The name in RFC 9293.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::SynSent(_) => "SYN-SENT",
            Self::SynReceived(_) => "SYN-RECEIVED",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST-ACK",
            Self::TimeWait => "TIME-WAIT",
        }
    }

    /// The application may send.
    pub fn may_send(&self) -> bool {
        matches!(self, Self::Established | Self::CloseWait)
    }

    /// The peer may send.
    pub(crate) fn may_receive(&self) -> bool {
        matches!(self, Self::Established | Self::FinWait1 | Self::FinWait2)
    }

    /// Both sides know each other's sequence numbers, and the connection is not over.
    pub(crate) fn is_synchronized(&self) -> bool {
        !matches!(self, Self::Closed | Self::SynSent(_) | Self::SynReceived(_) | Self::TimeWait)
    }
}

bitflags! {
    /// What a call changed, for those who wait.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Changes: u16 {
        /// There is something to read: data, the end, or an error.
        const READABLE = 1;
        /// There is room to write.
        const WRITABLE = 1 << 1;
        /// The connection is established.
        const CONNECTED = 1 << 2;
        /// The peer will send no more.
        const FINISHED = 1 << 3;
        /// Urgent data was announced or came: SIGURG, `POLLPRI`.
        const URGENT = 1 << 4;
        /// There is an error to take.
        const ERROR = 1 << 5;
        /// The connection is over; its place in the table is free.
        const CLOSED = 1 << 6;
        /// The connection is over; a [`TimeWait`] takes its place in the table.
        const TIME_WAIT = 1 << 7;
        /// [`crate::Tcb::transmit`] has something, and should be called soon.
        const OUTPUT = 1 << 8;
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The peer refused it (`ECONNREFUSED`).
    Refused,
    /// The peer reset it (`ECONNRESET`).
    Reset,
    /// The peer reset it after it had closed its direction (`EPIPE`, as Linux says).
    Broken,
    /// The peer did not answer (`ETIMEDOUT`).
    TimedOut,
    /// The network said so in ICMP: the `errno` that the engine gave.
    Network(i32),
}

/// Why nothing was taken to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The buffer is full, or the connection not yet made: wait (`EAGAIN`).
    WouldBlock,
    /// We closed this direction, or the connection is over (`EPIPE`).
    Closed,
    /// There is no memory (`ENOBUFS`).
    NoMemory,
}

bitflags! {
    /// How to send.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct SendFlags: u8 {
        /// `MSG_MORE`: more follows, do not send a partial segment yet.
        const MORE = 1;
        /// `MSG_OOB`: the last byte is urgent.
        const URGENT = 2;
    }
}
