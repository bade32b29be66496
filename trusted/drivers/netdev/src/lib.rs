//! What the network stack asks of a network card, whoever made it.
//!
//! A card is driven by polling: [`NetDevice::receive`] until there is nothing, [`NetDevice::transmit`]
//! what is due, then one [`NetDevice::kick`] for the whole batch.
#![no_std]
#![forbid(unsafe_code)]

use core::fmt;

/// Bytes of an Ethernet header (IEEE 802.3, without FCS and tag).
pub const ETHERNET_HEADER_LEN: usize = 14;

/// What a card can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Ethernet address.
    pub mac: [u8; 6],
    /// Largest payload of an Ethernet frame that is not segmented, in bytes.
    pub mtu: u16,
    /// Completes transport checksums of frames it is given ([`Checksum::Partial`]).
    pub tx_checksum: bool,
    /// Segments TCP over IPv4.
    pub tx_tso4: bool,
    /// Segments TCP over IPv6.
    pub tx_tso6: bool,
    /// Largest frame for [`NetDevice::transmit`], Ethernet header included, in bytes.
    pub max_tx_frame: usize,
    /// Largest frame that [`NetDevice::receive`] may return, in bytes: the length of buffer to give it.
    pub max_rx_frame: usize,
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// The device is guilty: it lied or fell silent, and is not used until a reset succeeds. To the
/// application this is `ENETDOWN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down;

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("network device is down")
    }
}

impl core::error::Error for Down {}

/// Why a frame was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxError {
    /// No room now; there will be when the device has sent something.
    Full,
    /// The caller is guilty: a frame too short or too long, a checksum outside it, or an offload that
    /// the card does not have.
    Frame,
    /// The device is guilty.
    Down,
}

impl fmt::Display for TxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("transmit queue full"),
            Self::Frame => f.write_str("frame that the card cannot send"),
            Self::Down => Down.fmt(f),
        }
    }
}

impl core::error::Error for TxError {}

impl From<Down> for TxError {
    fn from(_: Down) -> Self {
        Self::Down
    }
}

/// Counters since the card was opened; they wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetStats {
    /// Frames received.
    pub rx_frames: u64,
    /// Their bytes.
    pub rx_bytes: u64,
    /// Frames dropped because what the device said about them makes no sense.
    pub rx_invalid: u64,
    /// Frames given to the device.
    pub tx_frames: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// Transmissions refused for want of room.
    pub tx_full: u64,
    /// Kicks that had work to tell of.
    pub kicks: u64,
    /// Successful resets after an error.
    pub resets: u64,
}

/// A network card.
pub trait NetDevice: Send {
    /// What the card can do. Changes only by [`NetDevice::reset`].
    fn capabilities(&self) -> Capabilities;

    /// Copies the next received frame into `into`, which should be as long as
    /// [`Capabilities::max_rx_frame`]: a frame that does not fit is dropped.
    ///
    /// # Errors
    /// The device is down.
    fn receive(&mut self, into: &mut [u8]) -> Result<Option<RxMeta>, Down>;

    /// Queues a frame made of `parts` for transmission. The bytes are copied.
    ///
    /// # Errors
    /// See [`TxError`].
    fn transmit(&mut self, meta: &TxMeta, parts: &[&[u8]]) -> Result<(), TxError>;

    /// Tells the device of frames queued and buffers given back since the last kick, if any.
    ///
    /// # Errors
    /// The device is down.
    fn kick(&mut self) -> Result<(), Down>;

    /// Whether [`NetDevice::receive`] may find something: a frame, sent frames to forget, or a fault.
    /// Cheap: for the poller, and for the second look before it parks.
    fn has_work(&self) -> bool;

    /// Whether the device holds frames that it has not reported as sent.
    fn transmitting(&self) -> bool;

    /// Counters.
    fn stats(&self) -> NetStats;

    /// Why the card is down, for the log.
    fn fault(&self) -> Option<&dyn fmt::Display>;

    /// Brings the card up again. Frames in its queues are lost. `wait` is called between looks
    /// at the device, a bounded number of times.
    ///
    /// # Errors
    /// It stays down.
    fn reset(&mut self, wait: &mut dyn FnMut()) -> Result<(), Down>;
}
