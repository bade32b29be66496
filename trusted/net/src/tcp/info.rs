//! `struct tcp_info` (linux/tcp.h): a connection as TCP_INFO shows it.

use super::loopback_mss;
use crate::stack::{Phase, Status};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use rkt_tcp::TcpInfo;

/// Bytes of it in Linux 6.1.
const LEN: usize = 240;
/// TCPI_OPT_*.
const OPT_TIMESTAMPS: u8 = 1;
const OPT_SACK: u8 = 2;
const OPT_WSCALE: u8 = 4;
const OPT_ECN: u8 = 8;
const OPT_ECN_SEEN: u8 = 16;
/// States (include/net/tcp_states.h).
const ESTABLISHED: u8 = 1;
const SYN_SENT: u8 = 2;
const FIN_WAIT2: u8 = 5;
const CLOSE: u8 = 7;
const CLOSE_WAIT: u8 = 8;
const LISTEN: u8 = 10;
/// TCP_INFINITE_SSTHRESH: no loss was seen yet.
const INFINITE_THRESHOLD: u64 = 0x7fff_ffff;
/// Segments that may come out of order before one counts as lost (net.ipv4.tcp_reordering).
const REORDERING: u64 = 3;

/// What a socket is.
pub(in crate::tcp) enum Subject {
    /// It neither listens nor is connected.
    Idle,
    /// It listens: connections that wait, and how many may.
    Listening(usize, usize),
    /// A connection; the second is missing within the enclave, where there is no protocol. Whether it sends no more.
    Connection(Status, Option<Box<TcpInfo>>, bool),
}

/// Writes fields at their places.
struct Writer(Vec<u8>);

impl Writer {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn word(&mut self, at: usize, value: u64) {
        self.put(at, &u32::try_from(value).unwrap_or(u32::MAX).to_ne_bytes());
    }

    fn long(&mut self, at: usize, value: u64) {
        self.put(at, &value.to_ne_bytes());
    }
}

/// The structure.
pub(in crate::tcp) fn tcp_info(subject: &Subject) -> Vec<u8> {
    let mut out = Writer(vec![0; LEN]);
    match subject {
        Subject::Idle => out.put(0, &[CLOSE]),
        Subject::Listening(waiting, most) => {
            // A listener shows its queue (tcp_get_info): tcpi_unacked and tcpi_sacked.
            out.put(0, &[LISTEN]);
            out.word(24, *waiting as u64);
            out.word(28, *most as u64);
        }
        Subject::Connection(status, None, ended) => {
            out.put(0, &[state_of(status, *ended)]);
            put_loopback(&mut out);
        }
        Subject::Connection(_, Some(info), _) => put(&mut out, info),
    }
    out.0
}

fn state_of(status: &Status, ended: bool) -> u8 {
    match (status.phase, status.finished, ended) {
        (Phase::Connecting, ..) => SYN_SENT,
        (Phase::Open, false, false) => ESTABLISHED,
        (Phase::Open, false, true) => FIN_WAIT2,
        (Phase::Open, true, false) => CLOSE_WAIT,
        (Phase::Open, true, true) | (Phase::Closed, ..) => CLOSE,
    }
}

/// What a connection within the enclave shows: that of one over the loopback on which nothing is ever lost.
fn put_loopback(out: &mut Writer) {
    /// RFC 6928, and the least retransmission timeout of Linux in microseconds.
    const INITIAL_WINDOW: u64 = 10;
    const MIN_RTO: u64 = 200_000;
    const SCALE: u8 = 10;
    out.put(5, &[OPT_TIMESTAMPS | OPT_SACK | OPT_WSCALE, SCALE | SCALE << 4]);
    let mss = u64::from(loopback_mss());
    let words = [
        (8, MIN_RTO),
        (16, mss),
        (20, mss),
        (60, u64::from(u16::MAX)),
        (76, INFINITE_THRESHOLD),
        (80, INITIAL_WINDOW),
        (84, mss),
        (88, REORDERING),
        (96, u64::from(u16::MAX)),
        (148, u64::from(u32::MAX)),
    ];
    words.iter().for_each(|&(at, value)| out.word(at, value));
}

fn put(out: &mut Writer, info: &TcpInfo) {
    let mss = u64::from(info.snd_mss.max(1));
    let segments = |bytes: u64| bytes.div_ceil(mss);
    let micros = |ns: u64| ns / 1000;
    let millis = |ns: u64| ns / 1_000_000;
    let scales = info.window_scales.map_or(0, |(send, receive)| send & 15 | receive << 4);
    let option = |on: bool, bit: u8| if on { bit } else { 0 };
    let options = option(info.timestamps, OPT_TIMESTAMPS)
        | option(info.sack, OPT_SACK)
        | option(info.window_scales.is_some(), OPT_WSCALE)
        | option(info.ecn, OPT_ECN)
        | option(info.ecn_seen, OPT_ECN_SEEN);
    out.put(0, &[info.state, info.recovery as u8, info.backoff, info.probes, info.backoff, options, scales]);
    let words = [
        (8, micros(info.rto)),
        (12, micros(info.ato)),
        (16, info.snd_mss.into()),
        (20, info.rcv_mss.into()),
        (24, segments(info.unacked)),
        (28, segments(info.sacked)),
        (32, segments(info.lost)),
        (36, segments(info.retrans)),
        (44, millis(info.last_data_sent)),
        (52, millis(info.last_data_recv)),
        (56, millis(info.last_ack_recv)),
        (60, u64::from(info.path_mss) + 40),
        (64, info.rcv_wnd),
        (68, micros(info.rtt)),
        (72, micros(info.rtt_var)),
        (76, if info.ssthresh == u64::MAX { INFINITE_THRESHOLD } else { info.ssthresh / mss }),
        (80, info.cwnd / mss),
        (84, info.adv_mss.into()),
        (88, REORDERING),
        (92, micros(info.rcv_rtt)),
        (96, info.rcv_space),
        (100, info.total_retrans.into()),
        (136, info.segs_out.into()),
        (140, info.segs_in.into()),
        (144, info.not_sent),
        (148, if info.min_rtt == u64::MAX { u64::from(u32::MAX) } else { micros(info.min_rtt) }),
        (152, info.data_segs_in.into()),
        (156, info.data_segs_out.into()),
        (216, info.dsack_dups.into()),
        (220, info.reordering_seen.into()),
        (224, info.rcv_ooopack.into()),
        (228, info.snd_wnd),
    ];
    words.iter().for_each(|&(at, value)| out.word(at, value));
    // No pacing: as fast as can be.
    out.long(104, u64::MAX);
    out.long(112, u64::MAX);
    out.long(120, info.bytes_acked);
    out.long(128, info.bytes_received);
    out.long(200, info.bytes_sent);
    out.long(208, info.bytes_retrans);
}
