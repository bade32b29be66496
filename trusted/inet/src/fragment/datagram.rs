//! One datagram on its way to be whole.

use alloc::vec::Vec;

/// Most fragments of a datagram: enough for 64 KiB at the smallest MTU that paths have.
pub const MAX_FRAGMENTS: usize = 128;
/// Most bytes of a datagram's payload.
const MAX_PAYLOAD: usize = 0xffff;
/// What a fragment costs beside its bytes.
const OVERHEAD: usize = 64;

/// A fragment that arrived.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// Where it lies in the payload, in bytes.
    pub offset: u16,
    /// More follow.
    pub more: bool,
    /// What the payload is, as this fragment's header says; that of the first counts (RFC 8200 §4.5).
    pub protocol: u8,
    /// The two bits of ECN.
    pub ecn: u8,
    /// The packet up to the payload. That of the first is kept.
    pub head: &'a [u8],
    /// The bytes.
    pub data: &'a [u8],
}

impl Fragment<'_> {
    fn end(&self) -> usize {
        usize::from(self.offset) + self.data.len()
    }

    /// Bytes of memory that it takes.
    pub(super) fn cost(&self) -> usize {
        let head = if self.offset == 0 { self.head.len() } else { 0 };
        OVERHEAD + head + self.data.len()
    }
}

/// A datagram made whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The first packet up to the payload; its lengths and fragment fields are those of a fragment.
    pub head: Vec<u8>,
    /// What the payload is.
    pub protocol: u8,
    /// The two bits of ECN (RFC 3168 §5.3).
    pub ecn: u8,
    /// Payload.
    pub payload: Vec<u8>,
}

struct Part {
    offset: usize,
    data: Vec<u8>,
}

/// What a fragment did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It was kept.
    Kept,
    /// It was kept, and was the last that was missing.
    Complete,
    /// It was there.
    Duplicate,
    /// It contradicts the others or itself: the datagram is to be dropped.
    Contradiction,
}

/// Fragments in order, none of which overlaps another.
#[derive(Default)]
pub(super) struct Datagram {
    parts: Vec<Part>,
    /// Length of the payload, once the last fragment is there.
    total: Option<usize>,
    /// Bytes there.
    received: usize,
    head: Vec<u8>,
    protocol: u8,
    /// Which codes of ECN were seen, a bit each.
    ecn_seen: u8,
    /// Bytes of memory.
    pub cost: usize,
}

impl Datagram {
    /// Adds a fragment. Fragments that overlap have no use but to deceive (RFC 5722 §4, RFC 8200 §4.5; Linux
    /// treats IPv4 likewise), but networks do duplicate packets.
    pub fn add(&mut self, fragment: &Fragment<'_>) -> Added {
        let (start, end) = (usize::from(fragment.offset), fragment.end());
        let is_uneven = fragment.more && !fragment.data.len().is_multiple_of(8);
        if fragment.data.is_empty() || is_uneven || end > MAX_PAYLOAD {
            return Added::Contradiction;
        }
        let at = self.parts.partition_point(|part| part.offset < start);
        let (before, behind) = self.parts.split_at_checked(at).unwrap_or_default();
        if behind.first().is_some_and(|part| part.offset == start && part.data.len() == fragment.data.len()) {
            return Added::Duplicate;
        }
        let overlaps = before.last().is_some_and(|part| part.offset + part.data.len() > start)
            || behind.first().is_some_and(|part| part.offset < end);
        let beyond = self.total.is_some_and(|total| if fragment.more { end >= total } else { end != total })
            || !fragment.more && !behind.is_empty();
        if overlaps || beyond || self.parts.len() >= MAX_FRAGMENTS {
            return Added::Contradiction;
        }
        self.parts.insert(at, Part { offset: start, data: fragment.data.to_vec() });
        self.received += fragment.data.len();
        self.cost += fragment.cost();
        self.ecn_seen |= 1 << (fragment.ecn & 3);
        if start == 0 {
            self.head = fragment.head.to_vec();
            self.protocol = fragment.protocol;
        }
        if !fragment.more {
            self.total = Some(end);
        }
        if self.total == Some(self.received) { Added::Complete } else { Added::Kept }
    }

    /// The whole, once it is complete; `None` if congestion marks contradict each other.
    pub fn assemble(self) -> Option<Whole> {
        let ecn = ecn_of(self.ecn_seen)?;
        let mut payload = Vec::with_capacity(self.received);
        for part in &self.parts {
            payload.extend_from_slice(&part.data);
        }
        Some(Whole { head: self.head, protocol: self.protocol, ecn, payload })
    }

    /// The first packet, if that is there, cut to `most` bytes: for an error that quotes it.
    pub fn quote(&self, most: usize) -> Option<Vec<u8>> {
        let first = self.parts.first().filter(|part| part.offset == 0)?;
        let mut quote = self.head.clone();
        quote.extend(first.data.iter().take(most.saturating_sub(self.head.len())));
        Some(quote)
    }
}

/// The code of a whole whose fragments had these (RFC 3168 §5.3): congestion met by one was met by all, but is
/// never reported where somebody could not understand it.
fn ecn_of(seen: u8) -> Option<u8> {
    const NOT_ECT: u8 = 1 << 0;
    const ECT_1: u8 = 1 << 1;
    const ECT_0: u8 = 1 << 2;
    const CE: u8 = 1 << 3;
    match seen {
        NOT_ECT => Some(0),
        ECT_1 => Some(1),
        _ if seen & NOT_ECT != 0 && seen & CE != 0 => None,
        _ if seen & CE != 0 => Some(3),
        _ if seen & NOT_ECT != 0 => Some(0),
        _ if seen & ECT_0 != 0 => Some(2),
        _ => Some(0),
    }
}
