//! The card as smoltcp wants to see it: checksums and segmentation left to the device where it
//! does them, frames kept where its queue is full.

use super::flow::Pair;
use super::frame;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroUsize;
use rkt_netdev::{
    Capabilities, Checksum, Down, ETHERNET_HEADER_LEN, Gso, GsoKind, NetDevice, NetQueue, Probe, RxMeta, TxError,
    TxMeta,
};
use smoltcp::phy::{self, ChecksumCapabilities, DeviceCapabilities, Medium, PacketMeta};
use smoltcp::time::Instant;

/// Damaged frames passed over in a row: bounds the work of a poll.
const MAX_DROPS: usize = 64;
/// Frames that wait for room in the transmit queue.
const MAX_BACKLOG: usize = 256;

pub(super) struct Shim {
    pub rx: Receiver,
    pub tx: Transmitter,
}

/// The receiving half's state.
pub(super) struct Receiver {
    buffer: Vec<u8>,
    /// Length of the frame in the buffer, if it was not given out yet.
    held: Option<usize>,
}

/// Whom a received frame is for.
#[derive(Clone, Copy)]
pub(super) enum Incoming {
    /// A TCP segment: own address, the peer's, and whether it opens a connection.
    Segment(Pair, bool),
    /// A UDP datagram to this port.
    Datagram(u16),
    /// ARP: a hardware address may be known now.
    Arp,
    /// Anything else: ICMP, fragments.
    Other,
}

/// The device and the transmitting half's state.
pub(super) struct Transmitter {
    device: Box<dyn NetDevice>,
    queues: Vec<Box<dyn NetQueue>>,
    probes: Vec<Arc<dyn Probe>>,
    caps: Capabilities,
    buffer: Vec<u8>,
    backlog: VecDeque<(TxMeta, Vec<u8>)>,
    /// The device failed since this was last cleared.
    pub failed: bool,
}

impl Shim {
    pub fn new(mut device: Box<dyn NetDevice>) -> Self {
        let caps = device.capabilities();
        let queues = device.take_queues();
        let probes = queues.iter().map(|queue| queue.probe()).collect();
        let largest = caps.max_tx_frame.max(usize::from(caps.mtu) + ETHERNET_HEADER_LEN);
        Self {
            rx: Receiver { buffer: vec![0; caps.max_rx_frame], held: None },
            tx: Transmitter {
                device,
                queues,
                probes,
                caps,
                buffer: vec![0; largest],
                backlog: VecDeque::new(),
                failed: false,
            },
        }
    }

    /// Whether there may be a frame.
    pub fn has_work(&self) -> bool {
        self.tx.probes.iter().any(|probe| probe.has_work())
    }
}

impl Transmitter {
    fn send(&mut self, meta: &TxMeta, len: usize) {
        let Some(frame) = self.buffer.get(..len) else { return };
        match transmit(&mut self.queues, meta, frame) {
            Ok(()) => {}
            Err(TxError::Full) if self.backlog.len() < MAX_BACKLOG => self.backlog.push_back((*meta, frame.to_vec())),
            // The network may lose packets: TCP sends again.
            Err(TxError::Full | TxError::Frame) => {}
            Err(TxError::Down) => self.failed = true,
        }
    }

    /// Sends what waited for room. Whether everything went.
    pub fn flush_backlog(&mut self) -> bool {
        while let Some((meta, frame)) = self.backlog.pop_front() {
            match transmit(&mut self.queues, &meta, &frame) {
                Err(TxError::Full) => {
                    self.backlog.push_front((meta, frame));
                    return false;
                }
                Err(TxError::Down) => {
                    self.failed = true;
                    return false;
                }
                Ok(()) | Err(TxError::Frame) => {}
            }
        }
        true
    }

    /// Whether frames wait for room.
    pub fn is_backed_up(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Tells the device of the batch.
    pub fn kick(&mut self) {
        if self.queues.iter_mut().any(|queue| queue.kick().is_err()) {
            self.failed = true;
        }
    }

    /// Resets the card. Whether it came up.
    pub fn reset(&mut self) -> bool {
        self.failed = false;
        let mut queues: Vec<&mut dyn NetQueue> = self.queues.iter_mut().map(|queue| queue.as_mut() as _).collect();
        self.device.reset(&mut queues, &mut core::hint::spin_loop).is_ok()
    }

    /// Copies the next frame of any queue into `buffer`; one that does not fit is dropped.
    ///
    /// # Errors
    /// The card is down.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<RxMeta>, Down> {
        let mut received = None;
        for queue in &mut self.queues {
            let taken = queue.receive(1, &mut |frame| {
                let meta = *frame.meta();
                received = buffer.get_mut(..meta.len).and_then(|into| frame.copy(0, into).then_some(meta));
            })?;
            if taken > 0 {
                break;
            }
        }
        Ok(received)
    }
}

/// Sends by the first queue.
fn transmit(queues: &mut [Box<dyn NetQueue>], meta: &TxMeta, frame: &[u8]) -> Result<(), TxError> {
    queues.first_mut().ok_or(TxError::Down)?.transmit(meta, &[frame])
}

impl Shim {
    /// The next frame, to be given to smoltcp by its next look, unless [`Shim::drop_frame`] is called.
    pub fn next_frame(&mut self) -> Option<Incoming> {
        for _ in 0..MAX_DROPS {
            let meta = match self.tx.receive(&mut self.rx.buffer) {
                Ok(meta) => meta?,
                Err(_) => {
                    self.tx.failed = true;
                    return None;
                }
            };
            if let Some(incoming) = self.rx.classify(meta.len, meta.checksum) {
                self.rx.held = Some(meta.len);
                return Some(incoming);
            }
        }
        None
    }

    /// Forgets the frame.
    pub fn drop_frame(&mut self) {
        self.rx.held = None;
    }
}

impl Receiver {
    /// Whom a frame is for; none if it is damaged.
    fn classify(&self, len: usize, checksum: Checksum) -> Option<Incoming> {
        let bytes = self.buffer.get(..len)?;
        let Some(transport) = frame::Transport::find(bytes) else {
            return Some(if frame::is_arp(bytes) { Incoming::Arp } else { Incoming::Other });
        };
        // The device's word on a checksum is the host's, who could forge the bytes as well.
        let sound = checksum != Checksum::Plain || transport.verify(bytes);
        sound.then(|| transport.incoming(bytes))
    }
}

impl phy::Device for Shim {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        let len = self.rx.held.take()?;
        let frame = self.rx.buffer.get(..len)?;
        Some((RxToken(frame), TxToken { tx: &mut self.tx, segment: None }))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxToken<'_>> {
        self.tx.flush_backlog().then_some(TxToken { tx: &mut self.tx, segment: None })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let caps = &self.tx.caps;
        let mut out = DeviceCapabilities::default();
        out.medium = Medium::Ethernet;
        out.max_transmission_unit = usize::from(caps.mtu) + ETHERNET_HEADER_LEN;
        let transport = if caps.tx_checksum { phy::Checksum::None } else { phy::Checksum::Tx };
        out.checksum = ChecksumCapabilities::default();
        out.checksum.tcp = transport;
        out.checksum.udp = transport;
        if caps.tx_tso4 && caps.tx_checksum {
            // The length of an IPv4 packet has 16 bits.
            let most = usize::from(u16::MAX) + ETHERNET_HEADER_LEN;
            out.segmentation.tcpv4 = NonZeroUsize::new(caps.max_tx_frame.min(most));
        }
        out
    }
}

/// A received frame.
pub(super) struct RxToken<'a>(&'a [u8]);

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Leave to send a frame.
pub(super) struct TxToken<'a> {
    tx: &'a mut Transmitter,
    segment: Option<u16>,
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let tx = self.tx;
        if tx.buffer.len() < len {
            tx.buffer.resize(len, 0);
        }
        let Some(bytes) = tx.buffer.get_mut(..len) else { return f(&mut []) };
        let result = f(bytes);
        let mut meta = TxMeta::default();
        if tx.caps.tx_checksum
            && let Some(transport) = frame::Transport::find(bytes)
        {
            meta.checksum = transport.leave_to_device(bytes);
            meta.gso =
                self.segment.map(|segment| Gso { kind: GsoKind::Tcp4, segment, headers: transport.headers_len(bytes) });
        }
        tx.send(&meta, len);
        result
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.segment = meta.segmentation_offload_size.map(Into::into);
    }
}
