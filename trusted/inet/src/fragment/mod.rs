//! Fragments, outgoing and incoming.

mod datagram;
mod reassembly;

pub use datagram::{Fragment, MAX_FRAGMENTS, Whole};
pub use reassembly::{Expired, Key, MAX_DATAGRAMS, MAX_MEMORY, MAX_PER_SOURCE, Outcome, Reassembler};

use core::ops::Range;

/// A part of a payload, to be sent as one fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which bytes. The start is the fragment's offset, a multiple of 8.
    pub range: Range<usize>,
    /// More follow.
    pub more: bool,
}

/// Cuts a payload of `len` bytes so that each piece takes at most `room` bytes (RFC 791 §3.2, RFC 8200 §4.5). With less
/// room than 8 bytes, or more bytes than offsets can say, there are no pieces.
pub fn pieces(len: usize, room: usize) -> impl Iterator<Item = Piece> {
    let step = room & !7;
    let mut next = (step != 0 && len <= usize::from(u16::MAX)).then_some(0);
    core::iter::from_fn(move || {
        let start = next?;
        let more = len - start > room;
        let stop = if more { start + step } else { len };
        next = more.then_some(stop);
        Some(Piece { range: start..stop, more })
    })
}

#[cfg(test)]
mod tests;
