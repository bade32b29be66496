//! What the network stack asks of a network card, whoever made it.
//!
//! A card is one [`NetDevice`] with one or more pairs of queues, each an object of its own
//! ([`NetQueue`]) that one vCPU drives by polling: [`NetQueue::receive`] until there is nothing,
//! [`NetQueue::transmit`] what is due, then one [`NetQueue::kick`] for the whole batch. Queues share
//! nothing that is written per packet. Before its vCPU sleeps it looks at the queue's [`Probe`],
//! which needs no lock.
//!
//! One queue's fault takes the whole card down: every call on every queue answers [`Down`] until
//! [`NetDevice::reset`], which takes all queues at once, so that nobody uses one meanwhile.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bounce;
mod frame;
mod meta;
mod stats;
mod steering;

pub use bounce::Bounced;
pub use frame::{HEAD_LEN, RxFrame, TrustedFrame};
pub use meta::{Checksum, Gso, GsoKind, RxMeta, TxMeta};
pub use stats::{Counter, Counters, NetStats};
pub use steering::{RSS_KEY_LEN, Rss, Steering};

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// Bytes of an Ethernet header (IEEE 802.3, without FCS and tag).
pub const ETHERNET_HEADER_LEN: usize = 14;

/// What a card can do. The same for its whole life.
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
    /// Segments UDP, over IPv4 and IPv6 (UDP_SEGMENT of udp(7)).
    pub tx_uso: bool,
    /// Largest frame for [`NetQueue::transmit`], Ethernet header included, in bytes.
    pub max_tx_frame: usize,
    /// Largest frame that [`NetQueue::receive`] may hand over, in bytes.
    pub max_rx_frame: usize,
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
    /// No room now; [`Probe::has_work`] tells when there is some.
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

/// A network card without its queues.
pub trait NetDevice: Send {
    /// What the card can do.
    fn capabilities(&self) -> Capabilities;

    /// The pairs of queues, once; from then on the caller's. Pair i wakes vCPU i. None the second time.
    fn take_queues(&mut self) -> Vec<Box<dyn NetQueue>>;

    /// By what the card chooses the queue for a received frame.
    fn steering(&self) -> Steering;

    /// Whether the other end of the wire is there, as far as the device tells; a hint. Cheap.
    fn link_up(&self) -> bool;

    /// Why the card did not come up at the last reset, for the log. What one of its queues found
    /// out is [`NetQueue::fault`].
    fn fault(&self) -> Option<&dyn fmt::Display>;

    /// Brings the card up again. Frames in its queues are lost. `queues` are all that
    /// [`NetDevice::take_queues`] gave out, in that order. `wait` is called between looks at the
    /// device, a bounded number of times.
    ///
    /// # Errors
    /// It stays down: the device did not come up, or came up as another card.
    fn reset(&mut self, queues: &mut [&mut dyn NetQueue], wait: &mut dyn FnMut()) -> Result<(), Down>;
}

/// One pair of queues, driven by one vCPU at a time.
pub trait NetQueue: Send {
    /// Hands up to `budget` received frames to `take`, one after the other, and returns how many. Their
    /// buffers are the device's again after each call of `take`. Fewer than `budget` means that there
    /// are no more now, or only frames that made no sense.
    ///
    /// # Errors
    /// The card is down.
    fn receive(&mut self, budget: usize, take: &mut dyn FnMut(&mut dyn RxFrame)) -> Result<usize, Down>;

    /// Queues a frame made of `parts` for transmission. The bytes are copied.
    ///
    /// # Errors
    /// See [`TxError`].
    fn transmit(&mut self, meta: &TxMeta, parts: &[&[u8]]) -> Result<(), TxError>;

    /// Tells the device of frames queued and buffers given back since the last kick, if any and if it
    /// wants to know. Also after a call of [`NetQueue::receive`], before the vCPU sleeps.
    ///
    /// # Errors
    /// The card is down.
    fn kick(&mut self) -> Result<(), Down>;

    /// Whether the device holds frames that it has not reported as sent.
    fn transmitting(&self) -> bool;

    /// A look at the queue for whoever does not own it.
    fn probe(&self) -> Arc<dyn Probe>;

    /// What this queue found wrong with the device, for the log.
    fn fault(&self) -> Option<&dyn fmt::Display>;

    /// Forgets all frames and sets the queue up anew. Only called by [`NetDevice::reset`], while the
    /// device has let go of all memory.
    ///
    /// # Errors
    /// The card is down for another reason than its own reset.
    fn rearm(&mut self) -> Result<(), Down>;
}

/// A look at a queue that another vCPU may be using at the same time.
pub trait Probe: Send + Sync {
    /// Whether [`NetQueue::receive`] may find something: a frame, room after [`TxError::Full`], or a
    /// fault. Cheap: for the poller, and for the second look before it sleeps.
    fn has_work(&self) -> bool;

    /// Counters; each is exact, together they may be of slightly different moments.
    fn stats(&self) -> NetStats;
}
