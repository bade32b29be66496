//! What the engine counts (`statistics.rs`), where it takes more than a line.

use super::Engine;
use super::flow::Inner;
use crate::statistics::{Count, Family};
use core::net::IpAddr;
use rkt_netdev::{ETHERNET_HEADER_LEN, RxFrame};
use rkt_tcp::{Flags, Segment, State};
use rkt_wire::ethernet::{self, ethertype};
use rkt_wire::ip::protocol;

/// As much of a connection's state as decides what its end counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The handshake goes on.
    Opening,
    /// ESTABLISHED or CLOSE-WAIT: its end would be a reset (RFC 4022, tcpEstabResets).
    Open,
    /// Any other.
    Ending,
    /// CLOSED.
    Over,
}

impl Standing {
    fn of(state: &State) -> Self {
        match state {
            State::SynSent(_) | State::SynReceived(_) => Self::Opening,
            State::Established | State::CloseWait => Self::Open,
            State::Closed => Self::Over,
            _ => Self::Ending,
        }
    }
}

impl Engine {
    /// Counts something of IP, or of a transport over it.
    #[inline]
    pub(super) fn count(&self, ip: IpAddr, what: Count) {
        self.statistics.count(Family::of(ip), what);
    }

    /// Counts something of TCP, over whatever version of IP.
    #[inline]
    pub(super) fn count_tcp(&self, what: Count, many: u64) {
        self.statistics.add(Family::V4, what, many);
    }

    /// A packet came in a frame of so many bytes.
    #[inline]
    pub(super) fn count_received(&self, family: Family, frame: usize) {
        self.statistics.count(family, Count::InReceives);
        self.statistics.add(family, Count::InOctets, frame.saturating_sub(ETHERNET_HEADER_LEN) as u64);
    }

    /// A packet goes in a frame of so many bytes.
    #[inline]
    pub(super) fn count_sent(&self, ip: IpAddr, frame: usize) {
        self.count(ip, Count::OutRequests);
        self.statistics.add(Family::of(ip), Count::OutOctets, frame.saturating_sub(ETHERNET_HEADER_LEN) as u64);
    }

    /// A frame came whose packet could not be read.
    #[cold]
    pub(super) fn count_damaged(&self, frame: &dyn RxFrame) {
        let Ok((link, _)) = ethernet::Header::parse(frame.head()) else { return };
        let family = match link.ethertype {
            ethertype::IPV4 => Family::V4,
            ethertype::IPV6 => Family::V6,
            _ => return,
        };
        self.count_received(family, frame.meta().len);
        self.statistics.count(family, Count::InHdrErrors);
    }

    /// A message of ICMP or ICMPv6 goes.
    pub(super) fn count_message(&self, to: IpAddr, transport: u8, bytes: &[u8]) {
        if let (protocol::ICMP | protocol::ICMPV6, Some(kind)) = (transport, bytes.first()) {
            self.statistics.message(Family::of(to), true, *kind);
        }
    }

    /// The checksum of a segment was wrong, or not.
    #[inline]
    pub(super) fn count_damaged_segment(&self, damaged: bool) {
        if damaged {
            self.count_tcp(Count::TcpInErrs, 1);
            self.count_tcp(Count::TcpInCsumErrors, 1);
        }
    }

    /// A segment goes, or a row of so many.
    pub(super) fn count_segment(&self, segment: &Segment, row: u64) {
        self.count_tcp(Count::TcpOutSegs, row);
        if segment.flags.contains(Flags::RST) {
            self.count_tcp(Count::TcpOutRsts, 1);
        }
    }

    /// Counts what has become of a connection since this was last asked.
    pub(super) fn count_progress(&self, inner: &mut Inner) {
        let Some(tcb) = &inner.tcb else { return };
        let standing = Standing::of(tcb.state());
        if standing != inner.standing {
            match (inner.standing, standing) {
                (Standing::Opening, Standing::Over) => self.count_tcp(Count::TcpAttemptFails, 1),
                (Standing::Open, Standing::Over) => self.count_tcp(Count::TcpEstabResets, 1),
                _ => {}
            }
            inner.standing = standing;
        }
        let repairs = tcb.repairs();
        if repairs != inner.repairs {
            self.count_tcp(Count::TcpRetransSegs, repairs.resent.wrapping_sub(inner.repairs.resent).into());
            self.count_tcp(Count::TcpTimeouts, repairs.expiries.wrapping_sub(inner.repairs.expiries).into());
            inner.repairs = repairs;
        }
    }
}
