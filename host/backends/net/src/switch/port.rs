//! A port of the switch: the network device of one enclave.

use super::flow::{Addresses, FLOWS, LOOK, read};
use crate::control;
use crate::device::{common_features, config, consistent, queue_sizes};
use crate::lane::MAX_PACKET;
use crate::sys::mapping::Mapping;
use rkt_virtio::device_id;
use rkt_virtio::net::{HEADER_LEN, Header, features, gso, header_flags};
use rkt_virtio_device::{Chain, Fault, Interest, Model, Queue, QueueError, Slot, gather, scatter, total_len};
use rkt_window::{Doorbell, Region};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};
use zerocopy::{FromBytes, IntoBytes};

/// How long a frame waits for room at another port before that one counts as stalled.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a port is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortOptions {
    pub slot: usize,
    pub pairs: u16,
    pub mtu: u16,
    pub mac: [u8; 6],
}

/// A frame on its way.
pub(super) struct Frame {
    /// Its buffers in the sender's window, the virtio header first.
    chain: Chain,
    header: Header,
    pub addresses: Addresses,
    /// Bytes, virtio header included.
    len: usize,
    since: Instant,
}

/// What became of a frame at another port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It is there, or that port can never take it.
    Done,
    /// There is no room now.
    NoRoom,
}

/// The receive queue of one pair.
#[derive(Default)]
struct Room {
    /// Chains taken from the queue and not used yet, oldest first.
    posted: VecDeque<Chain>,
    /// Bytes in them.
    len: usize,
}

/// The device's half that does not touch the queues; it follows the driver's status.
struct Card {
    options: PortOptions,
    sizes: Vec<u16>,
    agreed: u64,
    used: u16,
    rooms: Vec<Room>,
    /// For each pair, a frame that waits for room elsewhere.
    held: Vec<Option<Frame>>,
    /// The pair by which a flow went out last.
    flows: Vec<u16>,
}

/// A port.
pub(super) struct Port {
    // Before the mapping, so that they go first.
    slot: Slot,
    card: Card,
    _mapping: Mapping,
    /// Closes when the enclave's supervisor is gone.
    life: OwnedFd,
    /// It had no room for longer than a frame waits.
    stalled: bool,
}

impl Port {
    /// A device in a window.
    ///
    /// # Errors
    /// `InvalidData` if the slot does not exist.
    pub(super) fn new(mapping: Mapping, options: PortOptions, life: OwnedFd) -> io::Result<Self> {
        let pairs = usize::from(options.pairs);
        let card = Card {
            options,
            sizes: queue_sizes(pairs),
            agreed: 0,
            used: 1,
            rooms: (0..pairs).map(|_| Room::default()).collect(),
            held: (0..pairs).map(|_| None).collect(),
            flows: vec![0; FLOWS],
        };
        let slot = Slot::open(&mapping.window(), options.slot, &card)?;
        Ok(Self { slot, card, _mapping: mapping, life, stalled: false })
    }

    /// The doorbell that the enclave rings.
    pub(super) fn doorbell(&self) -> Doorbell {
        self.slot.doorbell()
    }

    /// Whether this port has a frame that waits for another.
    pub(super) fn is_waiting(&self) -> bool {
        self.card.held.iter().any(Option::is_some)
    }

    /// Number of pairs that the driver uses; 0 while it does not use the device.
    pub(super) fn pairs(&self) -> u16 {
        if self.slot.serving() { self.card.used } else { 0 }
    }

    /// Follows the driver's status and commands. Whether there was anything.
    pub(super) fn follow(&mut self) -> bool {
        let followed = self.slot.follow(&mut self.card).unwrap_or(true);
        let control = 2 * usize::from(self.card.options.pairs);
        let most = self.card.options.pairs;
        let Some(queue) = self.slot.queues().and_then(|queues| queues.find(control)) else { return followed };
        let used = &mut self.card.used;
        let served = control::serve(queue, |pairs| {
            let possible = (1..=most).contains(&pairs);
            *used = if possible { pairs } else { *used };
            possible
        });
        self.heed(served).unwrap_or(true) || followed
    }

    /// A driver that broke a rule has its device stopped until it resets it.
    fn heed<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        result.inspect_err(|_| self.slot.fail()).ok()
    }

    /// The next frame that the enclave sends by a pair: one that waited, or a new one.
    pub(super) fn next(&mut self, pair: u16) -> Option<Frame> {
        if let Some(frame) = self.card.held.get_mut(usize::from(pair))?.take() {
            return Some(frame);
        }
        let queue = self.slot.queues()?.find(2 * usize::from(pair) + 1)?;
        let frame = take(queue);
        let frame = self.heed(frame)??;
        if let Some(flow) = self.card.flows.get_mut(frame.addresses.flow).filter(|_| frame.addresses.flow != 0) {
            *flow = pair;
        }
        Some(frame)
    }

    /// Keeps a frame until there is room for it elsewhere.
    pub(super) fn hold(&mut self, pair: u16, frame: Frame) {
        if let Some(held) = self.card.held.get_mut(usize::from(pair)) {
            *held = Some(frame);
        }
    }

    /// Gives the buffers of a frame back to the enclave that sent it.
    pub(super) fn sent(&mut self, pair: u16, frame: Frame) {
        let Some(queue) = self.slot.queues().and_then(|queues| queues.find(2 * usize::from(pair) + 1)) else { return };
        let pushed = queue.push(frame.chain, 0).map_err(Fault::from);
        queue.publish();
        self.heed(pushed);
    }

    /// Whether a frame has waited so long for room here that it is lost.
    pub(super) fn gives_up(&mut self, frame: &Frame) -> bool {
        self.stalled |= frame.since.elapsed() > PATIENCE;
        self.stalled
    }

    /// Copies a frame into this port's receive buffers.
    pub(super) fn deliver(&mut self, frame: &Frame) -> Delivery {
        let pair = self.card.flows.get(frame.addresses.flow).copied().unwrap_or(0);
        let pair = usize::from(if pair < self.card.used { pair } else { 0 });
        if !self.card.takes(&frame.header) {
            return Delivery::Done;
        }
        let mergeable = self.card.agreed & features::MRG_RXBUF != 0;
        let Some(room) = self.card.rooms.get_mut(pair) else { return Delivery::Done };
        let Some(queue) = self.slot.queues().and_then(|queues| queues.find(2 * pair)) else { return Delivery::Done };
        let put = room.put(queue, frame, mergeable).map_err(Fault::from);
        let delivery = self.heed(put).unwrap_or(Delivery::Done);
        self.stalled &= delivery == Delivery::NoRoom;
        delivery
    }

    /// Rings the vCPUs that want to know of what was done.
    pub(super) fn notify(&mut self) {
        self.slot.notify();
    }
}

/// Takes the next frame that makes sense out of a transmit queue; others are used up.
fn take(queue: &mut Queue) -> Result<Option<Frame>, Fault> {
    while let Some(chain) = queue.pop()? {
        let mut start = [0; HEADER_LEN + LOOK];
        let read_len = gather(chain.readable(), 0, &mut start);
        let (header, rest) = start.split_at(HEADER_LEN);
        let len = total_len(chain.readable());
        let addresses = rest.get(..read_len.saturating_sub(HEADER_LEN)).and_then(read);
        if let (Ok(header), Some(addresses), true) = (Header::read_from_bytes(header), addresses, len <= MAX_PACKET) {
            return Ok(Some(Frame { chain, header, addresses, len, since: Instant::now() }));
        }
        queue.push(chain, 0)?;
        queue.publish();
    }
    Ok(None)
}

impl Room {
    /// Puts a frame into chains of a receive queue (§5.1.6.4).
    fn put(&mut self, queue: &mut Queue, frame: &Frame, mergeable: bool) -> Result<Delivery, QueueError> {
        while if mergeable { self.len < frame.len } else { self.posted.is_empty() } {
            let Some(chain) = queue.pop()? else { return Ok(Delivery::NoRoom) };
            self.len += total_len(chain.writable());
            self.posted.push_back(chain);
        }
        let (mut room, mut count) = (0, 0);
        for chain in &self.posted {
            if room >= frame.len || count == 1 && !mergeable {
                break;
            }
            room += total_len(chain.writable());
            count += 1;
        }
        if room < frame.len {
            // The driver's only buffer is too short for it, and so are all others.
            return Ok(Delivery::Done);
        }
        let parts: SmallVec<[Region; 32]> = self.posted.iter().take(count).flat_map(Chain::writable).copied().collect();
        let mut header = frame.header;
        header.flags &= header_flags::NEEDS_CSUM;
        header.num_buffers = (count as u16).into();
        scatter(&parts, 0, header.as_bytes());
        copy(&parts, frame.chain.readable(), HEADER_LEN);
        let mut left = frame.len;
        for chain in self.posted.drain(..count) {
            let room = total_len(chain.writable());
            let written = left.min(room);
            left -= written;
            self.len -= room;
            queue.push(chain, written as u32)?;
        }
        queue.publish();
        Ok(Delivery::Done)
    }
}

/// Copies all of `from` but its first `skip` bytes to `into`, from its byte `skip` on: once, from
/// window to window. `into` is long enough.
fn copy(into: &[Region], from: &[Region], skip: usize) {
    let (mut into, mut from) = (into.iter(), from.iter());
    let mut to = Cursor::at(&mut into, skip);
    let mut source = Cursor::at(&mut from, skip);
    while let (Some(target), Some(origin)) = (&mut to, &mut source) {
        let len = target.left().min(origin.left());
        // Both ranges lie within their regions.
        let _ = target.region.copy_from(target.at, &origin.region, origin.at, len);
        if target.advance(len) {
            to = Cursor::at(&mut into, 0);
        }
        if origin.advance(len) {
            source = Cursor::at(&mut from, 0);
        }
    }
}

/// A place in a list of regions.
struct Cursor {
    region: Region,
    at: usize,
}

impl Cursor {
    /// The place `skip` bytes behind the start of what is left of a list.
    fn at<'a>(regions: &mut impl Iterator<Item = &'a Region>, mut skip: usize) -> Option<Self> {
        for region in regions {
            if skip < region.len() {
                return Some(Self { region: *region, at: skip });
            }
            skip -= region.len();
        }
        None
    }

    fn left(&self) -> usize {
        self.region.len() - self.at
    }

    /// Whether the region ends there.
    fn advance(&mut self, len: usize) -> bool {
        self.at += len;
        self.left() == 0
    }
}

impl Card {
    /// Whether the driver agreed to take such a frame.
    fn takes(&self, header: &Header) -> bool {
        let checksum = header.flags & header_flags::NEEDS_CSUM == 0 || self.agreed & features::GUEST_CSUM != 0;
        let needed = match header.gso_type {
            gso::NONE => return checksum,
            gso::TCPV4 => features::GUEST_TSO4,
            gso::TCPV6 => features::GUEST_TSO6,
            gso::UDP_L4 => features::GUEST_USO4 | features::GUEST_USO6,
            _ => return false,
        };
        checksum && self.agreed & needed == needed
    }
}

impl Model for Card {
    fn kind(&self) -> u32 {
        device_id::NET
    }

    fn features(&self) -> u64 {
        let to_device = features::CSUM | features::HOST_TSO4 | features::HOST_TSO6 | features::HOST_USO;
        let to_driver = features::GUEST_CSUM
            | features::GUEST_TSO4
            | features::GUEST_TSO6
            | features::GUEST_USO4
            | features::GUEST_USO6;
        to_device | to_driver | common_features(self.options.pairs.into())
    }

    fn queue_sizes(&self) -> &[u16] {
        &self.sizes
    }

    fn config(&self) -> Vec<u8> {
        config(self.options.mac, self.options.mtu, self.options.pairs)
    }

    fn accepts(&self, features: u64) -> bool {
        consistent(features)
    }

    fn start(&mut self, features: u64) -> Result<(), Fault> {
        (self.agreed, self.used) = (features, 1);
        Ok(())
    }

    fn reset(&mut self) {
        self.rooms.iter_mut().for_each(|room| *room = Room::default());
        self.held.iter_mut().for_each(|held| *held = None);
    }
}

impl Port {
    /// What to wait for to learn that the port is gone.
    pub(super) fn interest(&self) -> Interest<'_> {
        Interest { fd: self.life.as_fd(), events: libc::POLLIN }
    }
}
