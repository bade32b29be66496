//! What a network device is connected to.

use rkt_window::Region;
use std::io;
use std::os::fd::BorrowedFd;

/// What became of a packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It went out.
    Done,
    /// The source is full: the same packet again once the descriptor is writable.
    Blocked,
    /// The host refuses this packet: it is lost, as on a wire.
    Refused,
}

/// What came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A packet of so many bytes, virtio header included. What the room did not hold lies at the
    /// start of the overflow.
    Packet(usize),
    /// A packet too long for both: it is lost.
    Cut,
    /// There is none.
    Nothing,
}

/// Where the frames of one pair of queues come from and go to. Each packet starts with a virtio header
/// (§5.1.6), as in the queues.
pub trait FrameSource: Send + 'static {
    /// The descriptor to wait for.
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// Checksum and segmentation features that the source can serve.
    fn offloads(&self) -> u64;

    /// Largest IP packet without segmentation, in bytes.
    fn mtu(&self) -> u16;

    /// The driver agreed on `features`.
    ///
    /// # Errors
    /// If the host refuses them.
    fn start(&mut self, features: u64) -> io::Result<()>;

    /// The driver uses this pair of queues from now on, or no longer.
    ///
    /// # Errors
    /// If the host refuses that.
    fn use_pair(&mut self, used: bool) -> io::Result<()> {
        let _ = used;
        Ok(())
    }

    /// Sends one packet.
    ///
    /// # Errors
    /// The source has ended.
    fn send(&mut self, packet: &[Region]) -> io::Result<Sent>;

    /// Receives one packet into `room` and after it `overflow`; `num_buffers` in its header is left
    /// to the caller.
    ///
    /// # Errors
    /// The source has ended.
    fn receive(&mut self, room: &[Region], overflow: &mut [u8]) -> io::Result<Received>;

    /// Goes on with a packet that was taken in part; true if none is left over.
    ///
    /// # Errors
    /// The source has ended.
    fn flush(&mut self) -> io::Result<bool> {
        Ok(true)
    }
}
