//! What can be seen of a connection: the fields of Linux's `struct tcp_info` that we know.

use crate::config::Algorithm;
use crate::recovery::Phase;
use crate::tcb::Tcb;

/// What is counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) segments_in: u32,
    pub(crate) segments_out: u32,
    pub(crate) data_segments_in: u32,
    pub(crate) data_segments_out: u32,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_acked: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_resent: u64,
    pub(crate) resent: u32,
    pub(crate) duplicates_reported: u32,
    pub(crate) early: u32,
    pub(crate) expiries: u32,
    pub(crate) last_ack_in: u64,
}

/// What a connection did to repair losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Segments that were sent again.
    pub resent: u32,
    /// Expiries of the retransmission timer.
    pub expiries: u32,
}

/// Linux's `enum tcp_ca_state`, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecoveryState {
    /// All is well.
    Open = 0,
    /// Something is odd: duplicates or selective acknowledgments.
    Disorder = 1,
    /// The network said that it is congested (RFC 3168).
    Reduction = 2,
    /// Fast recovery.
    Recovery = 3,
    /// After an expiry of the retransmission timer.
    Loss = 4,
}

/// A connection, seen from outside. Times are in ns, sizes in bytes; the engine converts to the units of
/// `struct tcp_info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// `tcpi_state`.
    pub state: u8,
    /// `tcpi_ca_state`.
    pub recovery: RecoveryState,
    /// Congestion control in use.
    pub congestion: Algorithm,
    /// `tcpi_retransmits`, `tcpi_backoff`: expiries in a row.
    pub backoff: u8,
    /// `tcpi_probes`: probes without an answer.
    pub probes: u8,
    /// `TCPI_OPT_TIMESTAMPS`.
    pub timestamps: bool,
    /// `TCPI_OPT_SACK`.
    pub sack: bool,
    /// `TCPI_OPT_ECN`.
    pub ecn: bool,
    /// `TCPI_OPT_ECN_SEEN`.
    pub ecn_seen: bool,
    /// `TCPI_OPT_WSCALE`: `tcpi_snd_wscale`, `tcpi_rcv_wscale`.
    pub window_scales: Option<(u8, u8)>,
    /// `tcpi_rto`.
    pub rto: u64,
    /// `tcpi_ato`.
    pub ato: u64,
    /// `tcpi_snd_mss`.
    pub snd_mss: u32,
    /// `tcpi_rcv_mss`.
    pub rcv_mss: u32,
    /// `tcpi_advmss`.
    pub adv_mss: u32,
    /// `tcpi_pmtu` less the fixed headers.
    pub path_mss: u32,
    /// `tcpi_unacked`, in bytes: SND.NXT - SND.UNA.
    pub unacked: u64,
    /// `tcpi_sacked`, in bytes.
    pub sacked: u64,
    /// `tcpi_lost`, in bytes.
    pub lost: u64,
    /// `tcpi_retrans`, in bytes: sent again and not yet acknowledged.
    pub retrans: u64,
    /// `tcpi_total_retrans`, in segments.
    pub total_retrans: u32,
    /// `tcpi_last_data_sent`: time since.
    pub last_data_sent: u64,
    /// `tcpi_last_data_recv`: time since.
    pub last_data_recv: u64,
    /// `tcpi_last_ack_recv`: time since.
    pub last_ack_recv: u64,
    /// `tcpi_rtt`; zero before the first measurement.
    pub rtt: u64,
    /// `tcpi_rttvar`.
    pub rtt_var: u64,
    /// `tcpi_min_rtt`; `u64::MAX` before the first measurement.
    pub min_rtt: u64,
    /// `tcpi_snd_cwnd`, in bytes.
    pub cwnd: u64,
    /// `tcpi_snd_ssthresh`, in bytes; `u64::MAX` before the first loss.
    pub ssthresh: u64,
    /// `tcpi_rcv_rtt`; zero before the first measurement.
    pub rcv_rtt: u64,
    /// `tcpi_rcv_space`.
    pub rcv_space: u64,
    /// `tcpi_rcv_wnd`.
    pub rcv_wnd: u64,
    /// `tcpi_snd_wnd`.
    pub snd_wnd: u64,
    /// `SO_RCVBUF`.
    pub receive_buffer: u32,
    /// `SO_SNDBUF`.
    pub send_buffer: u32,
    /// `tcpi_notsent_bytes`.
    pub not_sent: u64,
    /// `tcpi_bytes_acked`.
    pub bytes_acked: u64,
    /// `tcpi_bytes_received`.
    pub bytes_received: u64,
    /// `tcpi_bytes_sent`, with what was sent again.
    pub bytes_sent: u64,
    /// `tcpi_bytes_retrans`.
    pub bytes_retrans: u64,
    /// `tcpi_segs_in`.
    pub segs_in: u32,
    /// `tcpi_segs_out`.
    pub segs_out: u32,
    /// `tcpi_data_segs_in`.
    pub data_segs_in: u32,
    /// `tcpi_data_segs_out`.
    pub data_segs_out: u32,
    /// `tcpi_dsack_dups`.
    pub dsack_dups: u32,
    /// `tcpi_reord_seen`: reordering was seen.
    pub reordering_seen: bool,
    /// `tcpi_rcv_ooopack`.
    pub rcv_ooopack: u32,
    /// `tcpi_total_rto`.
    pub total_rto: u32,
}

impl Tcb {
    /// What was done to repair losses so far.
    pub fn repairs(&self) -> Repairs {
        Repairs { resent: self.counters.resent, expiries: self.counters.expiries }
    }

    /// `TCP_INFO`.
    pub fn info(&self, now: u64) -> TcpInfo {
        let counters = &self.counters;
        let since = |at: u64| now.saturating_sub(at);
        TcpInfo {
            state: self.state.number(),
            recovery: self.recovery_state(),
            congestion: self.congestion.algorithm(),
            backoff: self.rtt.backoff(),
            probes: self.probes,
            timestamps: self.options.timestamps,
            sack: self.options.sack,
            ecn: self.ecn.is_agreed(),
            ecn_seen: self.ecn.is_seen(),
            window_scales: self.options.scaling.then_some((self.send.scale, self.recv.scale)),
            rto: self.rtt.timeout(),
            ato: self.acks.delay(),
            snd_mss: self.segment_limit() as u32,
            rcv_mss: self.acks.segment(),
            adv_mss: self.config.mss.into(),
            path_mss: self.send.path_mss.into(),
            unacked: self.send.nxt - self.send.una,
            sacked: self.board.sacked(),
            lost: self.board.lost(),
            retrans: self.board.flying(),
            total_retrans: counters.resent,
            last_data_sent: since(self.send.last),
            last_data_recv: since(self.acks.last_data()),
            last_ack_recv: since(counters.last_ack_in),
            rtt: self.rtt.smoothed().unwrap_or(0),
            rtt_var: self.rtt.variation(),
            min_rtt: self.rtt.min(),
            cwnd: self.congestion.cwnd(),
            ssthresh: self.congestion.ssthresh(),
            rcv_rtt: self.recv.tuning.rtt(),
            rcv_space: self.recv.tuning.taken(),
            rcv_wnd: self.recv.window(),
            snd_wnd: self.send.wnd,
            receive_buffer: self.recv.tuning.buffer(),
            send_buffer: self.send.limit,
            not_sent: self.unsent() as u64,
            bytes_acked: counters.bytes_acked,
            bytes_received: counters.bytes_received,
            bytes_sent: counters.bytes_sent,
            bytes_retrans: counters.bytes_resent,
            segs_in: counters.segments_in,
            segs_out: counters.segments_out,
            data_segs_in: counters.data_segments_in,
            data_segs_out: counters.data_segments_out,
            dsack_dups: counters.duplicates_reported,
            reordering_seen: self.recovery.rack.reordered(),
            rcv_ooopack: counters.early,
            total_rto: counters.expiries,
        }
    }

    fn recovery_state(&self) -> RecoveryState {
        match self.recovery.phase {
            Phase::Open if self.board.sacked() > 0 || self.recovery.duplicates > 0 => RecoveryState::Disorder,
            Phase::Open => RecoveryState::Open,
            Phase::Recovery { .. } => RecoveryState::Recovery,
            Phase::Reduction { .. } => RecoveryState::Reduction,
            Phase::Loss { .. } => RecoveryState::Loss,
        }
    }
}
