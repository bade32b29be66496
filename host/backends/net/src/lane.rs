//! One pair of queues and the source of frames behind it.

use crate::source::{FrameSource, Received, Sent};
use rkt_virtio::net::{HEADER_LEN, Header};
use rkt_virtio_device::{Chain, Counters, Fault, Interest, MAX_PARTS, Queue, QueueError, scatter, total_len};
use rkt_window::Region;
use std::collections::VecDeque;
use std::io;
use std::mem::offset_of;
use std::time::{Duration, Instant};

/// The longest packet: header, Ethernet header with a VLAN tag, 64 KiB of GSO payload.
pub const MAX_PACKET: usize = HEADER_LEN + 18 + (64 << 10);

/// Packets of one direction before the other has its turn.
const BATCH: usize = 64;

/// A packet that waits for the driver to make more room.
#[derive(Clone, Copy)]
struct Arrived {
    len: usize,
    /// How much of it lies in the room already, the rest in the overflow.
    placed: usize,
    at: Instant,
}

/// What most packets fit in that are not segments put together by the kernel.
const SHORT: usize = 4096;

/// How long a packet waits for room: no honest driver needs this long.
const ROOM_PATIENCE: Duration = Duration::from_secs(1);

/// One pair of queues.
pub(crate) struct Lane<S> {
    pub(crate) source: S,
    /// Whether the driver uses it.
    used: bool,
    /// Whether a packet may span several chains (`MRG_RXBUF`).
    mergeable: bool,
    /// Receive chains taken from the queue and not used yet, oldest first.
    posted: VecDeque<Chain>,
    /// Bytes of room in them.
    posted_len: usize,
    /// Their parts as far as the next packet needs them; kept for its allocation.
    room: Vec<Region>,
    /// How long a packet is expected: the parts up to there are listed for the next read, since
    /// the kernel looks at each of them even for a short packet.
    expected: usize,
    /// The end of a packet that came when little room was listed; [`MAX_PACKET`] bytes.
    overflow: Box<[u8]>,
    arrived: Option<Arrived>,
    /// A packet that the source had no room for.
    held: Option<Chain>,
    /// The source has taken a packet in part.
    unflushed: bool,
}

impl<S: FrameSource> Lane<S> {
    pub(crate) fn new(source: S) -> Self {
        Self {
            source,
            used: false,
            mergeable: false,
            posted: VecDeque::new(),
            posted_len: 0,
            room: Vec::new(),
            expected: SHORT,
            overflow: vec![0; MAX_PACKET].into(),
            arrived: None,
            held: None,
            unflushed: false,
        }
    }

    /// The driver starts, with or without `MRG_RXBUF`.
    pub(crate) fn start(&mut self, features: u64, mergeable: bool) -> io::Result<()> {
        self.mergeable = mergeable;
        self.source.start(features)
    }

    /// The driver uses this pair from now on, or no longer.
    pub(crate) fn set_used(&mut self, used: bool) -> io::Result<()> {
        if std::mem::replace(&mut self.used, used) == used {
            return Ok(());
        }
        self.source.use_pair(used)
    }

    /// The driver took its memory back.
    pub(crate) fn reset(&mut self) {
        self.posted.clear();
        self.posted_len = 0;
        self.arrived = None;
        self.held = None;
    }

    /// What to wait for.
    pub(crate) fn interest(&self) -> Interest<'_> {
        let input = if self.posted.is_empty() || self.arrived.is_some() { 0 } else { libc::POLLIN };
        let output = if self.held.is_some() || self.unflushed { libc::POLLOUT } else { 0 };
        let events = if self.used { input | output } else { 0 };
        Interest { fd: self.source.descriptor(), events }
    }

    /// Moves what can be moved, at most a batch each way.
    pub(crate) fn serve(&mut self, rx: &mut Queue, tx: &mut Queue, counters: &Counters) -> Result<bool, Fault> {
        if !self.used {
            return Ok(false);
        }
        let sent = self.transmit(tx, counters)?;
        Ok(self.receive(rx, counters)? || sent)
    }

    fn transmit(&mut self, tx: &mut Queue, counters: &Counters) -> Result<bool, Fault> {
        let mut worked = false;
        self.unflushed = !self.source.flush().map_err(ended)?;
        for _ in 0..BATCH {
            let Some(chain) = (match self.held.take() {
                Some(chain) => Some(chain),
                None => tx.pop()?,
            }) else {
                break;
            };
            let packet = chain.readable();
            match self.source.send(packet).map_err(ended)? {
                Sent::Done => {
                    counters.out_units.add(1);
                    counters.out_bytes.add(total_len(packet).saturating_sub(HEADER_LEN) as u64);
                }
                Sent::Refused => counters.dropped.add(1),
                Sent::Blocked => {
                    self.held = Some(chain);
                    break;
                }
            }
            tx.push(chain, 0)?;
            tx.publish();
            worked = true;
        }
        Ok(worked)
    }

    fn receive(&mut self, rx: &mut Queue, counters: &Counters) -> Result<bool, Fault> {
        let mut worked = false;
        for _ in 0..BATCH {
            self.post(rx)?;
            let packet = match self.arrived.take() {
                Some(packet) => packet,
                None if self.posted.is_empty() => break,
                None => match self.source.receive(&self.room, &mut self.overflow).map_err(ended)? {
                    Received::Nothing => break,
                    Received::Packet(len) => {
                        Arrived { len, placed: total_len(&self.room).min(len), at: Instant::now() }
                    }
                    Received::Cut => {
                        counters.dropped.add(1);
                        continue;
                    }
                },
            };
            self.expected = if packet.len > SHORT { MAX_PACKET } else { SHORT };
            self.list_room(packet.len);
            if total_len(&self.room) >= packet.len {
                let rest = self.overflow.get(..packet.len - packet.placed).unwrap_or_default();
                scatter(&self.room, packet.placed, rest);
                counters.in_units.add(1);
                counters.in_bytes.add(packet.len.saturating_sub(HEADER_LEN) as u64);
                self.deliver(rx, packet.len)?;
                worked = true;
            } else if self.mergeable && packet.at.elapsed() < ROOM_PATIENCE {
                self.arrived = Some(packet);
                break;
            } else {
                counters.dropped.add(1);
            }
        }
        Ok(worked)
    }

    /// Takes chains until the longest packet has room, and lists their parts.
    fn post(&mut self, rx: &mut Queue) -> Result<(), QueueError> {
        let (wanted, chains) = if self.mergeable { (MAX_PACKET, usize::MAX) } else { (1, 1) };
        while self.posted_len < wanted {
            let Some(chain) = rx.pop()? else { break };
            self.posted_len = self.posted_len.saturating_add(total_len(chain.writable()));
            self.posted.push_back(chain);
        }
        self.room.clear();
        let mut len = 0;
        let listed = if self.mergeable { self.expected } else { MAX_PACKET };
        // One part of the vectored call is for the overflow.
        for part in self.posted.iter().take(chains).flat_map(Chain::writable).take(MAX_PARTS - 1) {
            self.room.push(*part);
            len += part.len();
            if len >= listed {
                break;
            }
        }
        Ok(())
    }

    /// Lists at least `len` bytes of room, as far as there is any.
    fn list_room(&mut self, len: usize) {
        if total_len(&self.room) >= len || !self.mergeable {
            return;
        }
        let listed = self.room.len();
        let mut total = total_len(&self.room);
        for part in self.posted.iter().flat_map(Chain::writable).skip(listed).take(MAX_PARTS - 1 - listed) {
            if total >= len {
                break;
            }
            self.room.push(*part);
            total += part.len();
        }
    }

    /// Hands out the chains that the packet of `len` bytes fills (§5.1.6.4).
    fn deliver(&mut self, rx: &mut Queue, len: usize) -> Result<(), QueueError> {
        let mut left = len;
        let mut buffers = 0;
        for chain in &self.posted {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(total_len(chain.writable()));
            buffers += 1;
        }
        scatter(&self.room, offset_of!(Header, num_buffers), &(buffers as u16).to_le_bytes());
        left = len;
        for chain in self.posted.drain(..buffers) {
            let room = total_len(chain.writable());
            let written = left.min(room);
            left -= written;
            self.posted_len -= room;
            rx.push(chain, written as u32)?;
        }
        rx.publish();
        Ok(())
    }
}

/// The source has ended.
pub(crate) fn ended(e: io::Error) -> Fault {
    Fault::Host("the network back end failed", e)
}
