//! The receiving half: the receive sequence space (RFC 9293 §3.3.1), the window, what came early.

use crate::buffer::{FRUGAL, Ring};
use crate::config::{Config, MILLISECOND};
use crate::ranges::Ranges;
use crate::segment::{Payload, SackBlocks};
use crate::seq;
use crate::tuning::Tuning;
use crate::urgent::Mark;
use arrayvec::ArrayVec;

/// After this long TS.Recent means nothing (RFC 7323 §5.5: 24 days).
const TIMESTAMP_LIFETIME: u64 = 24 * 86_400_000 * MILLISECOND;

/// TS.Recent (RFC 7323 §4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recent {
    /// The peer's timestamp to echo.
    pub(crate) value: u32,
    /// When it was noted, in ns.
    pub(crate) at: u64,
}

impl Recent {
    /// PAWS (RFC 7323 §5.3 R1): whether a segment with this timestamp is an old duplicate.
    pub(crate) fn outdates(&self, value: u32, now: u64) -> bool {
        seq::older(value, self.value) && now.saturating_sub(self.at) < TIMESTAMP_LIFETIME
    }
}

/// Where the news of a segment lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) start: u64,
    /// Behind the last byte, and behind FIN if that is in the window.
    pub(crate) end: u64,
}

/// Receive variables, buffer and window.
pub(crate) struct Receiver {
    /// Its head is the byte at `read`; bytes behind its end came early.
    pub(crate) ring: Ring,
    /// RCV.NXT.
    pub(crate) nxt: u64,
    /// The next byte that the application reads.
    pub(crate) read: u64,
    /// RCV.NXT + RCV.WND as the peer knows it. Never moves left (RFC 7323 §2.4).
    pub(crate) edge: u64,
    /// RCV.NXT when we last acknowledged.
    pub(crate) acked: u64,
    /// Rcv.Wind.Shift.
    pub(crate) scale: u8,
    /// Where the peer's FIN stands.
    pub(crate) fin: Option<u64>,
    pub(crate) recent: Recent,
    pub(crate) mark: Option<Mark>,
    pub(crate) tuning: Tuning,
    early: Ranges,
    /// A number of each of the ranges that grew last, the newest first (RFC 2018 §4).
    latest: ArrayVec<u64, 3>,
    /// What came twice, to report it (RFC 2883): as the block that will say so.
    duplicate: Option<(u32, u32)>,
    /// Memory is short.
    pub(crate) frugal: bool,
}

impl Receiver {
    /// Nothing is known of the peer but, if `irs` is given, its initial sequence number.
    pub(crate) fn new(now: u64, config: &Config, irs: Option<u32>) -> Self {
        let first = irs.map_or(0, |irs| seq::first(irs) + 1);
        Self {
            ring: Ring::default(),
            nxt: first,
            read: first,
            edge: first,
            acked: first,
            scale: 0,
            fin: None,
            recent: Recent::default(),
            mark: None,
            tuning: Tuning::new(config.receive_buffer, now, first),
            early: Ranges::default(),
            latest: ArrayVec::new(),
            duplicate: None,
            frugal: false,
        }
    }

    /// RCV.WND.
    pub(crate) fn window(&self) -> u64 {
        self.edge.saturating_sub(self.nxt)
    }

    /// The window that could be announced.
    pub(crate) fn room(&self) -> u64 {
        (self.read + self.tuning.window()).max(self.edge).saturating_sub(self.nxt)
    }

    /// Data waits for a hole to be filled.
    pub(crate) fn has_holes(&self) -> bool {
        !self.early.is_empty()
    }

    /// Bytes that can be read.
    pub(crate) fn readable(&self) -> usize {
        self.ring.len()
    }

    /// Copies what is new of a segment's text `start..end` behind the end of the buffer, where it is
    /// nothing yet: [`Receiver::commit`] makes it something. `fin`: FIN follows the text. The outer `None`:
    /// the payload cannot be had. The inner: nothing is new, or there is no place.
    pub(crate) fn copy(
        &mut self,
        start: u64,
        end: u64,
        fin: bool,
        payload: &mut dyn Payload,
    ) -> Option<Option<Placed>> {
        let end_of_stream = self.fin.unwrap_or(u64::MAX);
        let from = start.max(self.nxt);
        let to = end.min(self.edge).min(end_of_stream);
        let last = if fin && to == end && to < self.edge { to + 1 } else { to };
        if from >= last || self.fin.is_some_and(|fin| self.nxt > fin) {
            return Some(None);
        }
        if self.early.containing(from).is_some_and(|range| range.1 >= last) {
            return Some(None);
        }
        let early = from > self.nxt;
        let until = (to - self.read) as usize;
        let affordable = !self.frugal || until <= self.ring.capacity().max(FRUGAL);
        if early && !self.early.has_room(from, last) || !affordable || !self.ring.reserve(until) {
            return Some(None);
        }
        for (gap, gap_end) in self.early.gaps(from, to) {
            let (first, second) = self.ring.slices_mut((gap - self.read) as usize, (gap_end - gap) as usize);
            let offset = (gap - start) as usize;
            if !payload.copy_to(offset, first) {
                return None;
            }
            if !second.is_empty() && !payload.copy_to(offset + first.len(), second) {
                return None;
            }
        }
        Some(Some(Placed { start: from, end: last }))
    }

    /// The text was sound: it becomes part of the stream or waits for what is missing.
    pub(crate) fn commit(&mut self, placed: Placed, fin: bool) {
        if fin && self.fin.is_none() {
            self.fin = Some(placed.end - 1);
        }
        if placed.start > self.nxt {
            if self.early.insert(placed.start, placed.end) {
                self.remember(placed.start);
            }
            return;
        }
        let end = if self.early.is_empty() { placed.end } else { self.early.join(placed.end) };
        let text_end = self.fin.map_or(end, |fin| end.min(fin));
        self.ring.commit((text_end - self.nxt) as usize);
        self.nxt = end;
    }

    /// Drops what came early, though it was reported (RFC 2018 §8 allows it), and gives its memory back.
    pub(crate) fn renege(&mut self) {
        self.early = Ranges::default();
        self.latest.clear();
        self.duplicate = None;
        // Where FIN stands is known only from what is dropped.
        self.fin = self.fin.filter(|&fin| self.nxt > fin);
        self.ring.shrink();
    }

    /// FIN was reached.
    pub(crate) fn is_finished(&self) -> bool {
        self.fin.is_some_and(|fin| self.nxt > fin)
    }

    /// Part of `start..end` is here already: the next acknowledgment says so (RFC 2883 §4).
    pub(crate) fn note_duplicate(&mut self, start: u64, end: u64) {
        let below = (start, end.min(self.nxt));
        let within = self.early.containing(start).map(|range| (start, end.min(range.1)));
        let found = if below.0 < below.1 { Some(below) } else { within.filter(|range| range.0 < range.1) };
        // The second block is the one that the duplicate lies in.
        self.remember(start);
        self.duplicate = found.map(|(start, end)| (start as u32, end as u32));
    }

    fn remember(&mut self, seq: u64) {
        let Some(range) = self.early.containing(seq) else { return };
        self.latest.retain(|&mut old| old < range.0 || old >= range.1);
        self.latest.truncate(2);
        self.latest.insert(0, seq);
    }

    /// How many bytes of options [`Receiver::take_blocks`] will ask for; at most `most` blocks.
    pub(crate) fn blocks_len(&self, most: usize) -> usize {
        let blocks = self.early.iter().take(most).count() + usize::from(self.duplicate.is_some());
        if blocks == 0 { 0 } else { 4 + 8 * blocks.min(most) }
    }

    /// The blocks of the next SACK option: what came twice (RFC 2883 §4), the range that grew last, those
    /// before it, then any (RFC 2018 §4).
    pub(crate) fn take_blocks(&mut self, most: usize) -> SackBlocks {
        let mut blocks = SackBlocks::new();
        blocks.extend(self.duplicate.take());
        if self.early.is_empty() {
            self.latest.clear();
            return blocks;
        }
        let latest = self.latest.iter().filter_map(|&seq| self.early.containing(seq));
        let duplicates = blocks.len();
        for (start, end) in latest.chain(self.early.iter()) {
            let block = (start as u32, end as u32);
            if blocks.len() >= most {
                break;
            }
            if !blocks.iter().skip(duplicates).any(|other| *other == block) {
                blocks.push(block);
            }
        }
        blocks
    }

    /// Whether the window can be opened by enough to tell (RFC 9293 §3.8.6.2.2: silly window avoidance).
    fn widened(&self, segment: u64) -> Option<u64> {
        let most = self.read + self.tuning.window();
        let step = segment.min(self.tuning.window() / 2).max(1);
        (most >= self.edge + step).then_some(most)
    }

    /// Whether the application made so much room that the peer should hear of it: a window twice as
    /// large (Linux's `tcp_cleanup_rbuf`).
    pub(crate) fn wants_update(&self, segment: u64) -> bool {
        let now = self.window();
        2 * now <= self.tuning.window() && self.widened(segment).is_some() && self.room() >= 2 * now
    }

    /// The window field of a segment that goes out now, and what that promises.
    pub(crate) fn announce(&mut self, segment: u64) -> u16 {
        let unit = 1u64 << self.scale;
        let units = match self.widened(segment) {
            Some(edge) => (edge - self.nxt) / unit,
            None => 0,
        };
        // Rounding must not take back what was promised.
        let units = units.max(self.window().div_ceil(unit)).min(u16::MAX.into());
        self.edge = self.edge.max(self.nxt + units * unit);
        self.acked = self.nxt;
        units as u16
    }

    /// The window field of a SYN, never scaled (RFC 7323 §2.2).
    pub(crate) fn announce_first(&mut self) -> u16 {
        let window = self.tuning.window().min(u16::MAX.into());
        self.edge = self.edge.max(self.nxt + window);
        self.acked = self.nxt;
        window as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn receiver() -> Receiver {
        let mut receiver = Receiver::new(0, &Config::default(), Some(999));
        receiver.announce_first();
        receiver
    }

    fn base() -> u64 {
        seq::first(1000)
    }

    fn put(receiver: &mut Receiver, offset: u64, mut bytes: &[u8], fin: bool) -> bool {
        let start = base() + offset;
        match receiver.copy(start, start + bytes.len() as u64, fin, &mut bytes) {
            Some(Some(placed)) => receiver.commit(placed, fin && placed.end > start + bytes.len() as u64),
            Some(None) => return false,
            None => panic!("a slice can be read"),
        }
        true
    }

    fn text(receiver: &Receiver) -> Vec<u8> {
        let (first, second) = receiver.ring.slices(0, receiver.ring.len());
        [first, second].concat()
    }

    #[test]
    fn text_in_any_order_makes_the_stream() {
        let mut receiver = receiver();
        assert!(put(&mut receiver, 3, b"def", false));
        assert!(put(&mut receiver, 8, b"ij", true));
        assert!(!put(&mut receiver, 3, b"XX", false), "what is here is not written again");
        assert!(put(&mut receiver, 2, b"cXXfgh", false));
        assert_eq!(receiver.readable(), 0);
        assert!(put(&mut receiver, 0, b"ab", false));
        assert_eq!(text(&receiver), b"abcdefghij");
        assert!(receiver.is_finished());
        assert_eq!(receiver.nxt, base() + 11);
        assert!(!put(&mut receiver, 10, b"more", false), "nothing follows FIN");
    }

    #[test]
    fn the_newest_range_is_reported_first() {
        let mut receiver = receiver();
        for offset in [10, 20, 30, 40, 50] {
            assert!(put(&mut receiver, offset, b"x", false));
        }
        assert!(put(&mut receiver, 21, b"y", false));
        let blocks = receiver.take_blocks(4);
        let offsets: Vec<u32> = blocks.iter().map(|block| block.0 - 1000).collect();
        assert_eq!(offsets, [20, 50, 40, 10]);
        receiver.note_duplicate(base() + 20, base() + 22);
        assert_eq!(receiver.take_blocks(3)[..2], [(1020, 1022), (1020, 1022)]);
    }

    #[test]
    fn the_window_never_shrinks_and_opens_in_steps() {
        let mut receiver = receiver();
        receiver.scale = 7;
        let edge = receiver.edge;
        assert!(put(&mut receiver, 0, &[0; 1001], false));
        let window = receiver.announce(1460);
        assert!(receiver.nxt + (u64::from(window) << 7) >= edge);
        receiver.ring.consume(1001);
        receiver.read += 1001;
        let edge = receiver.edge;
        receiver.announce(1460);
        assert!(receiver.edge - edge < 128, "less than a segment is not told");
        assert!(!receiver.wants_update(1460));
    }

    #[test]
    fn old_timestamps_are_old_for_24_days() {
        let recent = Recent { value: 100, at: 0 };
        assert!(recent.outdates(99, 1) && !recent.outdates(100, 1));
        assert!(!recent.outdates(99, TIMESTAMP_LIFETIME));
    }
}
