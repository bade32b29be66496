//! Segments as values: what the engine parsed, and what it shall send.

use arrayvec::ArrayVec;
use bitflags::bitflags;

bitflags! {
    /// Control bits, as they lie in the header (RFC 9293 §3.1). ACK is not among them:
    /// [`Segment::ack`] says it.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Flags: u8 {
        /// No more data from the sender.
        const FIN = 0x01;
        /// Synchronize sequence numbers.
        const SYN = 0x02;
        /// Reset the connection.
        const RST = 0x04;
        /// Push function.
        const PSH = 0x08;
        /// The urgent pointer means something.
        const URG = 0x20;
        /// ECN-echo (RFC 3168).
        const ECE = 0x40;
        /// Congestion window reduced (RFC 3168).
        const CWR = 0x80;
    }
}

/// The timestamps option (RFC 7323 §3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamps {
    /// TSval: the sender's clock.
    pub value: u32,
    /// TSecr: the other's clock, echoed. Meaningful with an ACK.
    pub echo: u32,
}

/// Blocks of a SACK option (RFC 2018 §3): first sequence number, and the one behind the last.
pub type SackBlocks = ArrayVec<(u32, u32), 4>;

/// A segment without addresses, ports, checksum and payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Sequence number of the first byte, or of SYN.
    pub seq: u32,
    /// Acknowledgment number, if the ACK bit is set.
    pub ack: Option<u32>,
    /// Window as it stands in the header, not scaled.
    pub window: u16,
    /// Control bits other than ACK.
    pub flags: Flags,
    /// Urgent pointer: distance from `seq` to the byte behind the urgent one (RFC 6093 §3.1).
    pub urgent: u16,
    /// Maximum segment size option.
    pub mss: Option<u16>,
    /// Window scale option.
    pub window_scale: Option<u8>,
    /// SACK-permitted option.
    pub sack_permitted: bool,
    /// Timestamps option.
    pub timestamps: Option<Timestamps>,
    /// SACK option.
    pub sack: SackBlocks,
    /// ECN in the header of IP (RFC 3168 §5): 0, or [`crate::ECT`] or [`crate::CE`] or the other kind of the former.
    pub ecn: u8,
    /// Bytes of payload. May be many segments' worth, where a device or the engine merged them.
    pub len: u32,
}

impl Segment {
    /// Whether `flag` is set.
    pub fn has(&self, flag: Flags) -> bool {
        self.flags.contains(flag)
    }

    /// Sequence numbers that it takes: its bytes, SYN and FIN (RFC 9293 §3.4).
    pub fn sequence_len(&self) -> u64 {
        u64::from(self.len) + u64::from(self.has(Flags::SYN)) + u64::from(self.has(Flags::FIN))
    }

    /// Bytes that its options take in the header, padded to 32 bits as Linux lays them out.
    pub fn options_len(&self) -> usize {
        let timestamps = if self.timestamps.is_some() { 12 } else { 0 };
        let sack = if self.sack.is_empty() { 0 } else { 4 + 8 * self.sack.len() };
        let permitted = if self.sack_permitted && self.timestamps.is_none() { 4 } else { 0 };
        let mss = if self.mss.is_some() { 4 } else { 0 };
        let scale = if self.window_scale.is_some() { 4 } else { 0 };
        timestamps + sack + permitted + mss + scale
    }
}

/// The payload of a segment that arrived, still where the device put it.
///
/// It may lie in untrusted memory: each byte is asked for at most once, at rising offsets, and nothing
/// that depends on it is believed before [`Payload::verify`].
pub trait Payload {
    /// Copies the bytes from `offset` on into all of `into`. False: they cannot be had, drop the
    /// segment.
    fn copy_to(&mut self, offset: usize, into: &mut [u8]) -> bool;

    /// Whether the segment is whole; called once, after the last copy and before the segment changes
    /// anything. Who computes the checksum while copying also sums up here what nobody asked for.
    fn verify(&mut self) -> bool {
        true
    }
}

impl Payload for &[u8] {
    fn copy_to(&mut self, offset: usize, into: &mut [u8]) -> bool {
        let found = offset.checked_add(into.len()).and_then(|end| self.get(offset..end));
        if let Some(bytes) = found {
            into.copy_from_slice(bytes);
        }
        found.is_some()
    }
}

/// A segment to send: one, or a row of them for the device or the engine to cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The header. `len` is the payload's; FIN and PSH belong to the last segment of a row, and
    /// sequence numbers rise by `segment_size` (what virtio and Linux call TSO).
    pub segment: Segment,
    /// Where the payload begins in the send buffer; see [`crate::Tcb::payload`].
    pub offset: usize,
    /// Payload of each segment of the row but the last. At least `len` if it is a single segment.
    pub segment_size: u16,
}

/// The answer to a segment that belongs to no connection (RFC 9293 §3.10.7.1): a reset, unless it is
/// one itself.
pub fn reply_to_closed(segment: &Segment) -> Option<Segment> {
    if segment.has(Flags::RST) {
        return None;
    }
    let flags = Flags::RST;
    Some(match segment.ack {
        Some(ack) => Segment { seq: ack, flags, ..Segment::default() },
        None => {
            let ack = segment.seq.wrapping_add(segment.sequence_len() as u32);
            Segment { seq: 0, ack: Some(ack), flags, ..Segment::default() }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_get_a_reset_that_fits() {
        let syn = Segment { seq: 99, flags: Flags::SYN, ..Segment::default() };
        let reset = reply_to_closed(&syn).unwrap();
        assert_eq!((reset.seq, reset.ack, reset.flags), (0, Some(100), Flags::RST));

        let data = Segment { seq: 5, ack: Some(77), len: 10, ..Segment::default() };
        let reset = reply_to_closed(&data).unwrap();
        assert_eq!((reset.seq, reset.ack), (77, None));
        assert_eq!(reply_to_closed(&reset), None);
    }

    #[test]
    fn a_payload_ends_where_it_ends() {
        let mut bytes: &[u8] = b"abc";
        let mut two = [0; 2];
        assert!(bytes.copy_to(1, &mut two) && two == *b"bc");
        assert!(!bytes.copy_to(2, &mut two) && !bytes.copy_to(usize::MAX, &mut two));
    }
}
