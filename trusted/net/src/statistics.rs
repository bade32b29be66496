//! What the protocols count (RFC 4293, RFC 4113, RFC 4022), as /proc/net/snmp shows it.
//!
//! Each vCPU counts for itself, so that none waits for another's cache line. What does not come often, messages of
//! ICMP, is counted in one place.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU64, Ordering};

/// Whose counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Family {
    /// IPv4, and TCP over either.
    V4,
    /// IPv6.
    V6,
    /// UDP-Lite over IPv4.
    LiteV4,
    /// UDP-Lite over IPv6.
    LiteV6,
}

const FAMILIES: usize = 4;

impl Family {
    /// The version of IP that an address has.
    pub fn of(ip: IpAddr) -> Self {
        if ip.to_canonical().is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// That of a datagram to this address.
    pub(crate) fn of_datagram(to: IpAddr, lite: bool) -> Self {
        match (Self::of(to), lite) {
            (Self::V4, true) => Self::LiteV4,
            (Self::V6, true) => Self::LiteV6,
            (family, _) => family,
        }
    }
}

/// What is counted. The names are those of the RFCs, which Linux shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Count {
    /// Packets that came.
    InReceives,
    /// Bytes in them.
    InOctets,
    /// With a header that is damaged.
    InHdrErrors,
    /// For somebody else.
    InAddrErrors,
    /// Of a transport that nobody speaks.
    InUnknownProtos,
    /// Handed to a transport.
    InDelivers,
    /// Packets that were sent.
    OutRequests,
    /// Bytes in them.
    OutOctets,
    /// Not sent, for there was no route.
    OutNoRoutes,
    /// Datagrams that were given up before all fragments came.
    ReasmTimeout,
    /// Fragments that came.
    ReasmReqds,
    /// Datagrams that were put together.
    ReasmOks,
    /// Datagrams that could not be put together.
    ReasmFails,
    /// Datagrams that were cut.
    FragOks,
    /// Fragments that were made.
    FragCreates,
    /// Messages of ICMP that are damaged.
    IcmpInErrors,
    /// Errors that were not sent, for there were too many.
    IcmpOutLimited,
    /// connect(2).
    TcpActiveOpens,
    /// Connections of listeners.
    TcpPassiveOpens,
    /// Connections that ended before they were established.
    TcpAttemptFails,
    /// Established connections that were reset.
    TcpEstabResets,
    /// Segments that came.
    TcpInSegs,
    /// Segments that were sent, without those that were sent again.
    TcpOutSegs,
    /// Segments that were sent again.
    TcpRetransSegs,
    /// Damaged segments.
    TcpInErrs,
    /// Resets that were sent.
    TcpOutRsts,
    /// Segments with a wrong checksum.
    TcpInCsumErrors,
    /// Retransmission timers that expired.
    TcpTimeouts,
    /// TIME-WAITs that came to their end.
    TcpTimeWaits,
    /// Datagrams that programs took.
    UdpInDatagrams,
    /// Datagrams for a port that nobody has.
    UdpNoPorts,
    /// Datagrams that were dropped for another reason.
    UdpInErrors,
    /// Datagrams that were sent.
    UdpOutDatagrams,
    /// Datagrams for which a socket had no room.
    UdpRcvbufErrors,
    /// Datagrams with a wrong checksum.
    UdpInCsumErrors,
}

const COUNTS: usize = Count::UdpInCsumErrors as usize + 1;

/// The counters of a vCPU, on cache lines of its own.
#[repr(align(128))]
struct Row([[AtomicU64; COUNTS]; FAMILIES]);

impl Row {
    fn get(&self, family: Family, what: Count) -> Option<&AtomicU64> {
        self.0.get(family as usize)?.get(what as usize)
    }
}

/// Messages by type.
type Messages = [AtomicU64; 256];

/// All counters.
pub struct Statistics {
    rows: Vec<Row>,
    /// Messages of ICMP and ICMPv6 that came, and that were sent.
    messages: Box<[[Messages; 2]; 2]>,
}

impl Default for Statistics {
    fn default() -> Self {
        let zeros = || core::array::from_fn(|_| core::array::from_fn(|_| AtomicU64::new(0)));
        let messages = || core::array::from_fn(|_| core::array::from_fn(|_| AtomicU64::new(0)));
        Self {
            rows: (0..rkt_platform::cpus()).map(|_| Row(zeros())).collect(),
            messages: Box::new([messages(), messages()]),
        }
    }
}

impl Statistics {
    /// Adds one.
    #[inline]
    pub(crate) fn count(&self, family: Family, what: Count) {
        self.add(family, what, 1);
    }

    /// Adds so many.
    #[inline]
    pub(crate) fn add(&self, family: Family, what: Count, many: u64) {
        // Only the holder of the slot is here, and it does not park in between.
        if let Some(counter) = self.rows.get(rkt_platform::cpu()).and_then(|row| row.get(family, what)) {
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(many), Ordering::Relaxed);
        }
    }

    /// A message of ICMP, or of ICMPv6, of this type came or was sent.
    pub(crate) fn message(&self, family: Family, sent: bool, kind: u8) {
        if let Some(counter) = self.messages_of(family, sent).and_then(|messages| messages.get(usize::from(kind))) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn messages_of(&self, family: Family, sent: bool) -> Option<&Messages> {
        self.messages.get(family as usize)?.get(usize::from(sent))
    }

    /// The sum over all vCPUs.
    pub fn get(&self, family: Family, what: Count) -> u64 {
        let of = |row: &Row| row.get(family, what).map_or(0, |counter| counter.load(Ordering::Relaxed));
        self.rows.iter().fold(0, |sum, row| sum.wrapping_add(of(row)))
    }

    /// Messages of ICMP, or of ICMPv6, that came or were sent, by type.
    pub fn messages(&self, family: Family, sent: bool) -> [u64; 256] {
        let counted = self.messages_of(family, sent);
        let of =
            |kind| counted.and_then(|messages| messages.get(kind)).map_or(0, |n: &AtomicU64| n.load(Ordering::Relaxed));
        core::array::from_fn(of)
    }
}
