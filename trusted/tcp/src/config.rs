//! What the owner of a connection may choose, with Linux's defaults (tcp(7), ip-sysctl).

/// Nanoseconds of a second.
pub(crate) const SECOND: u64 = 1_000_000_000;
/// Nanoseconds of a millisecond.
pub(crate) const MILLISECOND: u64 = 1_000_000;

/// Congestion control, `TCP_CONGESTION`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// NewReno (RFC 5681, 6582): `reno`.
    Reno,
    /// CUBIC (RFC 9438) with HyStart++ (RFC 9406): `cubic`.
    #[default]
    Cubic,
}

/// How a buffer grows, in Linux's units (`tcp_rmem`, `tcp_wmem`): bytes with their overhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferSize {
    /// Size at the start.
    pub initial: u32,
    /// Size up to which it is tuned.
    pub max: u32,
}

/// Keep-alive probes (RFC 1122 §4.2.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// Silence before the first probe, `TCP_KEEPIDLE`, in ns.
    pub idle: u64,
    /// Time between probes, `TCP_KEEPINTVL`, in ns.
    pub interval: u64,
    /// Probes without an answer that end the connection, `TCP_KEEPCNT`.
    pub count: u8,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { idle: 7200 * SECOND, interval: 75 * SECOND, count: 9 }
    }
}

/// A connection's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// What we announce as maximum segment size (RFC 9293 §3.7.1): the interface's MTU less the fixed
    /// IP and TCP headers. `TCP_MAXSEG` lowers it.
    pub mss: u16,
    /// Receive buffer; half of it is window (`tcp_adv_win_scale` 1).
    pub receive_buffer: BufferSize,
    /// Send buffer.
    pub send_buffer: BufferSize,
    /// Congestion control.
    pub congestion: Algorithm,
    /// Offer and accept window scaling (RFC 7323 §2).
    pub window_scaling: bool,
    /// Offer and accept timestamps (RFC 7323 §3).
    pub timestamps: bool,
    /// Offer and accept selective acknowledgments (RFC 2018).
    pub sack: bool,
    /// `TCP_NODELAY`: no Nagle algorithm.
    pub nodelay: bool,
    /// `TCP_CORK`: no partial segments, for at most 200 ms.
    pub cork: bool,
    /// `SO_KEEPALIVE` and its parameters.
    pub keepalive: Option<KeepAlive>,
    /// `TCP_USER_TIMEOUT` in ns (RFC 5482): how long sent data may stay unacknowledged.
    pub user_timeout: Option<u64>,
    /// `TCP_SYNCNT`: retransmissions of a SYN.
    pub syn_retries: u8,
    /// `tcp_retries2`: retransmissions of data, as a time of exponential back-off.
    pub retries: u8,
    /// `TCP_LINGER2` in ns: how long an orphan waits in FIN-WAIT-2.
    pub fin_timeout: u64,
    /// `SO_OOBINLINE`: urgent data stays in the stream.
    pub urgent_inline: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mss: 1460,
            receive_buffer: BufferSize { initial: 131_072, max: 6_291_456 },
            send_buffer: BufferSize { initial: 87_040, max: 4_194_304 },
            congestion: Algorithm::default(),
            window_scaling: true,
            timestamps: true,
            sack: true,
            nodelay: false,
            cork: false,
            keepalive: None,
            user_timeout: None,
            syn_retries: 6,
            retries: 15,
            fin_timeout: 60 * SECOND,
            urgent_inline: false,
        }
    }
}

impl Config {
    /// The shift that lets the header's 16 bits hold the largest window (RFC 7323 §2.3: at most 14).
    pub(crate) fn window_scale(&self) -> u8 {
        let most = self.receive_buffer.max.max(self.receive_buffer.initial);
        let bits = u32::BITS - most.leading_zeros();
        bits.saturating_sub(16).min(14) as u8
    }
}

/// What can be changed while a connection lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `TCP_NODELAY`. Setting it sends what waits.
    NoDelay(bool),
    /// `TCP_CORK`. Clearing it sends what waits.
    Cork(bool),
    /// `SO_KEEPALIVE`.
    KeepAlive(Option<KeepAlive>),
    /// `TCP_USER_TIMEOUT`.
    UserTimeout(Option<u64>),
    /// `TCP_QUICKACK`: acknowledge at once, or as if in a conversation.
    QuickAck(bool),
    /// `TCP_LINGER2`.
    FinTimeout(u64),
    /// `TCP_SYNCNT`.
    SynRetries(u8),
    /// `TCP_CONGESTION`.
    Congestion(Algorithm),
    /// `SO_OOBINLINE`.
    UrgentInline(bool),
    /// `SO_RCVBUF`, already doubled; ends tuning.
    ReceiveBuffer(u32),
    /// `SO_SNDBUF`, already doubled; ends tuning.
    SendBuffer(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_scale_is_linuxs() {
        assert_eq!(Config::default().window_scale(), 7);
        let small = BufferSize { initial: 4096, max: 4096 };
        assert_eq!(Config { receive_buffer: small, ..Config::default() }.window_scale(), 0);
        let huge = BufferSize { initial: 4096, max: u32::MAX };
        assert_eq!(Config { receive_buffer: huge, ..Config::default() }.window_scale(), 14);
    }
}
