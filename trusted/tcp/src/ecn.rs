//! Explicit congestion notification (RFC 3168), for peers that ask for it, as Linux's default (`net.ipv4.tcp_ecn=2`).
//!
//! Routers mark packets instead of dropping them; the receiver echoes the mark until it hears that the sender has
//! reduced its window. New data alone is sent as marked rather than dropped: neither acknowledgments nor what is sent
//! again (RFC 3168 §6.1.4, §6.1.5).

use crate::segment::{Flags, Segment};

/// The field of IP's header: the packet may be marked, ECT(0) (RFC 3168 §5).
pub const ECT: u8 = 2;
/// It was marked: congestion was experienced.
pub const CE: u8 = 3;

/// What the two ends of a connection owe each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ecn {
    /// Both speak it.
    agreed: bool,
    /// Packets of the peer's came that could be marked.
    seen: bool,
    /// A packet came marked, and the peer has not said that it knows.
    echoes: bool,
    /// The window was reduced, and the peer is to hear of it.
    owes: bool,
}

impl Ecn {
    /// Of a connection whose handshake agreed on it or not.
    pub(crate) fn new(agreed: bool) -> Self {
        Self { agreed, ..Self::default() }
    }

    /// Whether this SYN asks for it (RFC 3168 §6.1.1). One whose packet may be marked was tampered with.
    pub(crate) fn is_asked(syn: &Segment) -> bool {
        syn.has(Flags::ECE) && syn.has(Flags::CWR) && syn.ecn == 0
    }

    pub(crate) fn is_agreed(&self) -> bool {
        self.agreed
    }

    pub(crate) fn is_seen(&self) -> bool {
        self.seen
    }

    /// Text came. Whether the peer is to hear of it at once: of a first mark (§6.1.3), or because its window has become
    /// small.
    pub(crate) fn on_text(&mut self, segment: &Segment) -> bool {
        if !self.agreed {
            return false;
        }
        let reduced = segment.has(Flags::CWR);
        self.echoes &= !reduced;
        self.seen |= segment.ecn != 0;
        let first = segment.ecn == CE && !self.echoes;
        self.echoes |= first;
        first || reduced
    }

    /// Whether an acknowledgment says that a packet of ours was marked.
    pub(crate) fn is_echo(&self, segment: &Segment) -> bool {
        self.agreed && segment.has(Flags::ECE) && !segment.has(Flags::SYN)
    }

    /// The window was reduced, for whatever reason (§6.1.2).
    pub(crate) fn on_reduction(&mut self) {
        self.owes = self.agreed;
    }

    /// The reduction was undone.
    pub(crate) fn on_undo(&mut self) {
        self.owes = false;
    }

    /// Whether the next new data tells of a reduction. Only one segment does.
    pub(crate) fn owes(&self) -> bool {
        self.owes
    }

    /// Marks a segment of new data.
    pub(crate) fn stamp(&mut self, segment: &mut Segment) {
        if self.agreed {
            segment.ecn = ECT;
            segment.flags.set(Flags::CWR, core::mem::take(&mut self.owes));
        }
    }

    /// The echo, which all segments carry (§6.1.3).
    pub(crate) fn flags(&self) -> Flags {
        if self.echoes { Flags::ECE } else { Flags::empty() }
    }
}
