//! What both kinds of queues are made of for their users: chains of buffers.

/// A buffer in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset in the window.
    pub offset: u64,
    /// Bytes.
    pub len: u32,
}

/// A chain that the device has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// As given to [`crate::Virtqueue::add`].
    pub token: u32,
    /// Bytes that the device claims to have written: at most what the chain has room for.
    pub len: u32,
}

/// Bytes of all segments; `None` if a chain cannot have so many.
pub(crate) fn total(segments: &[Segment]) -> Option<u32> {
    segments.iter().try_fold(0u32, |sum, segment| sum.checked_add(segment.len))
}
