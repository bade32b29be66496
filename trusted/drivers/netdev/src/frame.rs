//! A received frame before anybody has copied it whole.

use crate::RxMeta;

/// Most bytes of a frame that are in trusted memory from the start: more than Ethernet, IPv6 and
/// TCP headers with all their usual options take.
pub const HEAD_LEN: usize = 256;

/// A received frame. Its head has been copied to trusted memory, for headers to be parsed there; the
/// rest is copied straight to where it is wanted, each byte once.
pub trait RxFrame {
    /// What is known of it.
    fn meta(&self) -> &RxMeta;

    /// The first bytes, [`HEAD_LEN`] of them or all that there are; their trusted copy.
    fn head(&self) -> &[u8];

    /// Copies the bytes from `offset` on. Those of the head come from its copy, any number of times.
    /// Bytes behind it can be had once, front to back: what the device could change in between
    /// is not looked at twice. False if there are no such bytes or they were passed already; `into` is
    /// undefined then.
    #[must_use]
    fn copy(&mut self, offset: usize, into: &mut [u8]) -> bool;
}

/// A received frame that lies in trusted memory as a whole.
pub struct TrustedFrame<'a> {
    meta: RxMeta,
    bytes: &'a [u8],
}

impl<'a> TrustedFrame<'a> {
    /// A frame of these bytes; `meta.len` is set to their number.
    pub fn new(meta: RxMeta, bytes: &'a [u8]) -> Self {
        Self { meta: RxMeta { len: bytes.len(), ..meta }, bytes }
    }
}

impl RxFrame for TrustedFrame<'_> {
    fn meta(&self) -> &RxMeta {
        &self.meta
    }

    fn head(&self) -> &[u8] {
        self.bytes.get(..HEAD_LEN).unwrap_or(self.bytes)
    }

    fn copy(&mut self, offset: usize, into: &mut [u8]) -> bool {
        let part = offset.checked_add(into.len()).and_then(|end| self.bytes.get(offset..end));
        part.map(|part| into.copy_from_slice(part)).is_some()
    }
}
