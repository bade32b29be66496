//! Options of a segment (RFC 9293 §3.2).

use crate::NoRoom;
use crate::writer::Writer;

/// Kinds (IANA, "TCP Option Kind Numbers").
pub mod kind {
    /// End of the list.
    pub const END: u8 = 0;
    /// Padding of one byte.
    pub const NOP: u8 = 1;
    /// Maximum segment size (RFC 9293 §3.7.1).
    pub const MSS: u8 = 2;
    /// Window scale (RFC 7323 §2).
    pub const WINDOW_SCALE: u8 = 3;
    /// SACK permitted (RFC 2018 §2).
    pub const SACK_PERMITTED: u8 = 4;
    /// SACK (RFC 2018 §3).
    pub const SACK: u8 = 5;
    /// Timestamps (RFC 7323 §3).
    pub const TIMESTAMPS: u8 = 8;
}

/// Most blocks that fit into the options (RFC 2018 §3).
pub const MAX_SACK_BLOCKS: usize = 4;
/// Largest shift count; a larger one counts as this (RFC 7323 §2.3).
pub const MAX_WINDOW_SHIFT: u8 = 14;

/// A run of bytes that arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SackBlock {
    /// First sequence number of it.
    pub left: u32,
    /// First sequence number behind it.
    pub right: u32,
}

/// Up to [`MAX_SACK_BLOCKS`] blocks, the most recent first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SackBlocks {
    blocks: [SackBlock; MAX_SACK_BLOCKS],
    len: u8,
}

impl SackBlocks {
    /// The blocks.
    pub fn as_slice(&self) -> &[SackBlock] {
        self.blocks.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Adds a block; returns whether there was room.
    pub fn push(&mut self, block: SackBlock) -> bool {
        let Some(slot) = self.blocks.get_mut(usize::from(self.len)) else { return false };
        *slot = block;
        self.len += 1;
        true
    }
}

/// The timestamps option (RFC 7323 §3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamps {
    /// The sender's clock, `TSval`.
    pub value: u32,
    /// The receiver's clock that the sender last saw, `TSecr`.
    pub echo: u32,
}

/// The options that TCP knows here; others are skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Largest segment that the sender takes, in bytes.
    pub mss: Option<u16>,
    /// Shift count of the sender's windows, at most [`MAX_WINDOW_SHIFT`].
    pub window_scale: Option<u8>,
    /// The sender understands SACK.
    pub sack_permitted: bool,
    /// Timestamps.
    pub timestamps: Option<Timestamps>,
    /// What arrived out of order.
    pub sack: SackBlocks,
}

/// NOP, NOP, timestamps: the layout that RFC 7323, appendix A, recommends and everyone sends.
const TIMESTAMPS_ALONE: [u8; 4] = [kind::NOP, kind::NOP, kind::TIMESTAMPS, 10];

impl Options {
    /// Reads options as they stand in a segment. A list that is broken counts as far as it is whole; so
    /// does Linux. An option whose length is not its kind's is skipped.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Self {
        if let Some((head, timestamps)) = bytes.split_first_chunk()
            && *head == TIMESTAMPS_ALONE
            && let Ok(timestamps) = timestamps.try_into()
        {
            return Self { timestamps: Some(Timestamps::read(timestamps)), ..Self::default() };
        }
        Self::parse_list(bytes)
    }

    fn parse_list(mut rest: &[u8]) -> Self {
        let mut options = Self::default();
        while let [kind, behind @ ..] = rest {
            rest = match *kind {
                kind::END => break,
                kind::NOP => behind,
                kind => {
                    // The length counts kind and length, too.
                    let Some((len, behind)) = behind.split_first() else { break };
                    let len = usize::from(*len).checked_sub(2);
                    let Some((body, behind)) = len.and_then(|len| behind.split_at_checked(len)) else { break };
                    options.read(kind, body);
                    behind
                }
            };
        }
        options
    }

    fn read(&mut self, kind: u8, body: &[u8]) {
        match (kind, body) {
            (kind::MSS, &[a, b]) => self.mss = Some(u16::from_be_bytes([a, b])),
            (kind::WINDOW_SCALE, &[shift]) => self.window_scale = Some(shift.min(MAX_WINDOW_SHIFT)),
            (kind::SACK_PERMITTED, []) => self.sack_permitted = true,
            (kind::TIMESTAMPS, body) => {
                if let Ok(body) = body.try_into() {
                    self.timestamps = Some(Timestamps::read(body));
                }
            }
            (kind::SACK, body) if body.len().is_multiple_of(8) => {
                self.sack = SackBlocks::default();
                for pair in body.as_chunks::<8>().0 {
                    let (left, right) = halves(pair);
                    self.sack.push(SackBlock { left, right });
                }
            }
            _ => {}
        }
    }

    /// Bytes that they need, padding included: a multiple of four.
    pub fn len(&self) -> usize {
        let mss = if self.mss.is_some() { 4 } else { 0 };
        let scale = if self.window_scale.is_some() { 4 } else { 0 };
        // Two bytes, which go where the padding of timestamps is.
        let permitted = if self.sack_permitted && self.timestamps.is_none() { 4 } else { 0 };
        let timestamps = if self.timestamps.is_some() { 12 } else { 0 };
        let sack = match self.sack.as_slice().len() {
            0 => 0,
            blocks => 4 + 8 * blocks,
        };
        mss + scale + permitted + timestamps + sack
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn emit(&self, writer: &mut Writer<'_>) -> Result<(), NoRoom> {
        if let Some(mss) = self.mss {
            let [a, b] = mss.to_be_bytes();
            writer.bytes(&[kind::MSS, 4, a, b])?;
        }
        match (self.sack_permitted, self.timestamps) {
            (true, _) => writer.bytes(&[kind::SACK_PERMITTED, 2])?,
            (false, Some(_)) => writer.bytes(&[kind::NOP; 2])?,
            (false, None) => {}
        }
        match self.timestamps {
            Some(Timestamps { value, echo }) => {
                writer.bytes(&[kind::TIMESTAMPS, 10])?;
                writer.bytes(&value.to_be_bytes())?;
                writer.bytes(&echo.to_be_bytes())?;
            }
            None if self.sack_permitted => writer.bytes(&[kind::NOP; 2])?,
            None => {}
        }
        if let Some(shift) = self.window_scale {
            writer.bytes(&[kind::NOP, kind::WINDOW_SCALE, 3, shift])?;
        }
        let blocks = self.sack.as_slice();
        if !blocks.is_empty() {
            writer.bytes(&[kind::NOP, kind::NOP, kind::SACK, 2 + 8 * blocks.len() as u8])?;
            for block in blocks {
                writer.bytes(&block.left.to_be_bytes())?;
                writer.bytes(&block.right.to_be_bytes())?;
            }
        }
        Ok(())
    }
}

impl Timestamps {
    fn read(bytes: &[u8; 8]) -> Self {
        let (value, echo) = halves(bytes);
        Self { value, echo }
    }
}

fn halves(bytes: &[u8; 8]) -> (u32, u32) {
    let pair = u64::from_be_bytes(*bytes);
    ((pair >> 32) as u32, pair as u32)
}
