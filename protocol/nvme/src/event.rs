//! Asynchronous events (base §5.2).

use crate::log_page;

/// Bits of the asynchronous event configuration (base §5.27.1.8).
pub mod event_config {
    /// SMART and health critical warnings: all of them.
    pub const CRITICAL_WARNINGS: u32 = 0x1f;
    /// Namespace attribute notices.
    pub const NAMESPACE_ATTRIBUTES: u32 = 1 << 8;
}

/// Dword 0 of the completion of an asynchronous event request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsyncEvent(pub u32);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Error status: the error log has an entry more.
    Error,
    /// The health of the medium has changed.
    Health,
    /// A namespace has changed, its size say.
    NamespaceChanged,
    /// Something that we did not ask for.
    Other,
}

impl AsyncEvent {
    /// The event that says that a namespace changed.
    pub const NAMESPACE_CHANGED: Self = Self(2 | (log_page::CHANGED_NAMESPACES as u32) << 16);

    /// What happened: type in bits 0 to 2, information in bits 8 to 15.
    pub const fn kind(self) -> EventKind {
        match (self.0 & 7, self.0 >> 8 & 0xff) {
            (0, _) => EventKind::Error,
            (1, _) => EventKind::Health,
            (2, 0) => EventKind::NamespaceChanged,
            _ => EventKind::Other,
        }
    }

    /// The log page whose reading clears the event.
    pub const fn log_page(self) -> u8 {
        (self.0 >> 16) as u8
    }
}
