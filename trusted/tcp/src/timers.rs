//! Deadlines of a connection. The engine keeps only the earliest, in its wheel.

/// No deadline.
pub(crate) const NEVER: u64 = u64::MAX;

/// Points in time, in ns; [`NEVER`] where nothing is awaited.
pub(crate) struct Timers {
    /// Retransmission (RFC 6298 §5), of data or of a SYN.
    pub(crate) retransmit: u64,
    /// Tail loss probe (RFC 8985 §7.2).
    pub(crate) loss_probe: u64,
    /// What may be out of order is lost from then on (RFC 8985 §6.2 step 5).
    pub(crate) reorder: u64,
    /// Zero-window probe (RFC 9293 §3.8.6.1).
    pub(crate) window_probe: u64,
    /// Delayed acknowledgment.
    pub(crate) delayed_ack: u64,
    /// Keep-alive.
    pub(crate) keepalive: u64,
    /// An orphan's FIN-WAIT-2, or TIME-WAIT.
    pub(crate) close: u64,
    /// The end of `TCP_CORK`'s patience.
    pub(crate) cork: u64,
    /// Look whether buffers are idle and can be given back.
    pub(crate) trim: u64,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Self {
            retransmit: NEVER,
            loss_probe: NEVER,
            reorder: NEVER,
            window_probe: NEVER,
            delayed_ack: NEVER,
            keepalive: NEVER,
            close: NEVER,
            cork: NEVER,
            trim: NEVER,
        }
    }

    /// The earliest.
    pub(crate) fn next(&self) -> u64 {
        let sending = self.retransmit.min(self.loss_probe).min(self.reorder).min(self.window_probe);
        let rest = self.keepalive.min(self.close).min(self.cork).min(self.trim);
        sending.min(rest).min(self.delayed_ack)
    }
}

/// Whether the deadline is reached; if so, it is taken away.
pub(crate) fn expired(deadline: &mut u64, now: u64) -> bool {
    let is = *deadline <= now;
    if is {
        *deadline = NEVER;
    }
    is
}
