//! What accompanies a frame: the state of its checksum, and how it is cut into segments.

/// State of a frame's transport checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// Complete (transmit), not checked (receive).
    #[default]
    Plain,
    /// Receive only: the device says that it has checked it.
    Valid,
    /// Only the pseudo-header's sum is in place: to be completed from `start` to the end of the
    /// frame and stored at `start + offset`. Both lie within the frame.
    Partial {
        /// Where the sum starts, in bytes from the start of the frame.
        start: u16,
        /// Where it is stored, in bytes from `start`.
        offset: u16,
    },
}

/// Which segmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GsoKind {
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// UDP over IPv4 or IPv6: each segment is a datagram of its own.
    Udp,
}

/// A frame that stands for several segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gso {
    /// Of which kind.
    pub kind: GsoKind,
    /// Payload bytes of each segment but the last; never 0.
    pub segment: u16,
    /// Bytes of headers, Ethernet to transport, that each segment repeats. Received: a hint, at
    /// most the length of the frame.
    pub headers: u16,
}

/// What comes with a received frame. All of it is the host's word, but consistent with the frame's length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RxMeta {
    /// Bytes of the frame.
    pub len: usize,
    /// State of the transport checksum.
    pub checksum: Checksum,
    /// Set if the frame is a merger of segments.
    pub gso: Option<Gso>,
}

/// What the card has to do to a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxMeta {
    /// `Plain` or `Partial`.
    pub checksum: Checksum,
    /// To be segmented; the checksum is `Partial` then.
    pub gso: Option<Gso>,
}
