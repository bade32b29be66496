//! /proc/net/snmp, snmp6 and netstat (proc_pid_net(5)): what the protocols have counted, by the names of RFC 4293, RFC 4022 and
//! RFC 4113. What cannot happen in this stack is 0.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::Result;
use rkt_linux_abi::net::IPPROTO_TCP;
use rkt_net::{Count, Family, Statistics, state};
use rkt_vfs::pseudo::PseudoDir;

/// A counter's name and what it counts, if that can happen.
type Field = (&'static str, Option<Count>);

const IP: [Field; 17] = [
    ("InReceives", Some(Count::InReceives)),
    ("InHdrErrors", Some(Count::InHdrErrors)),
    ("InAddrErrors", Some(Count::InAddrErrors)),
    ("ForwDatagrams", None),
    ("InUnknownProtos", Some(Count::InUnknownProtos)),
    ("InDiscards", None),
    ("InDelivers", Some(Count::InDelivers)),
    ("OutRequests", Some(Count::OutRequests)),
    ("OutDiscards", None),
    ("OutNoRoutes", Some(Count::OutNoRoutes)),
    ("ReasmTimeout", Some(Count::ReasmTimeout)),
    ("ReasmReqds", Some(Count::ReasmReqds)),
    ("ReasmOKs", Some(Count::ReasmOks)),
    ("ReasmFails", Some(Count::ReasmFails)),
    ("FragOKs", Some(Count::FragOks)),
    ("FragFails", None),
    ("FragCreates", Some(Count::FragCreates)),
];

const IP6: [Field; 22] = [
    ("InReceives", Some(Count::InReceives)),
    ("InHdrErrors", Some(Count::InHdrErrors)),
    ("InTooBigErrors", None),
    ("InNoRoutes", None),
    ("InAddrErrors", Some(Count::InAddrErrors)),
    ("InUnknownProtos", Some(Count::InUnknownProtos)),
    ("InTruncatedPkts", None),
    ("InDiscards", None),
    ("InDelivers", Some(Count::InDelivers)),
    ("OutForwDatagrams", None),
    ("OutRequests", Some(Count::OutRequests)),
    ("OutDiscards", None),
    ("OutNoRoutes", Some(Count::OutNoRoutes)),
    ("ReasmTimeout", Some(Count::ReasmTimeout)),
    ("ReasmReqds", Some(Count::ReasmReqds)),
    ("ReasmOKs", Some(Count::ReasmOks)),
    ("ReasmFails", Some(Count::ReasmFails)),
    ("FragOKs", Some(Count::FragOks)),
    ("FragFails", None),
    ("FragCreates", Some(Count::FragCreates)),
    ("InOctets", Some(Count::InOctets)),
    ("OutOctets", Some(Count::OutOctets)),
];

const UDP: [Field; 9] = [
    ("InDatagrams", Some(Count::UdpInDatagrams)),
    ("NoPorts", Some(Count::UdpNoPorts)),
    ("InErrors", Some(Count::UdpInErrors)),
    ("OutDatagrams", Some(Count::UdpOutDatagrams)),
    ("RcvbufErrors", Some(Count::UdpRcvbufErrors)),
    ("SndbufErrors", None),
    ("InCsumErrors", Some(Count::UdpInCsumErrors)),
    ("IgnoredMulti", None),
    ("MemErrors", None),
];

/// Messages of ICMP by name and type (RFC 792, RFC 950).
const ICMP: [(&str, u8); 11] = [
    ("DestUnreachs", 3),
    ("TimeExcds", 11),
    ("ParmProbs", 12),
    ("SrcQuenchs", 4),
    ("Redirects", 5),
    ("Echos", 8),
    ("EchoReps", 0),
    ("Timestamps", 13),
    ("TimestampReps", 14),
    ("AddrMasks", 17),
    ("AddrMaskReps", 18),
];

/// Messages of ICMPv6 (RFC 4443, RFC 2710, RFC 4861, RFC 3810).
const ICMP6: [(&str, u8); 15] = [
    ("DestUnreachs", 1),
    ("PktTooBigs", 2),
    ("TimeExcds", 3),
    ("ParmProblems", 4),
    ("Echos", 128),
    ("EchoReplies", 129),
    ("GroupMembQueries", 130),
    ("GroupMembResponses", 131),
    ("GroupMembReductions", 132),
    ("RouterSolicits", 133),
    ("RouterAdvertisements", 134),
    ("NeighborSolicits", 135),
    ("NeighborAdvertisements", 136),
    ("Redirects", 137),
    ("MLDv2Reports", 143),
];

/// The two lines of a protocol: names, then values.
struct Lines {
    names: String,
    values: String,
}

impl Lines {
    fn new(protocol: &str) -> Self {
        Self { names: format!("{protocol}:"), values: format!("{protocol}:") }
    }

    fn add(&mut self, name: &str, value: impl ToString) {
        self.names.push(' ');
        self.names.push_str(name);
        self.values.push(' ');
        self.values.push_str(&value.to_string());
    }

    fn end(self, text: &mut String) {
        *text += &format!("{}\n{}\n", self.names, self.values);
    }
}

fn value(counted: &Statistics, family: Family, what: Option<Count>) -> u64 {
    what.map_or(0, |what| counted.get(family, what))
}

fn all_of(protocol: &str, fields: &[Field], counted: &Statistics, family: Family, text: &mut String) {
    let mut lines = Lines::new(protocol);
    for (name, what) in fields {
        lines.add(name, value(counted, family, *what));
    }
    lines.end(text);
}

fn icmp(counted: &Statistics, text: &mut String) {
    let (came, sent) = (counted.messages(Family::V4, false), counted.messages(Family::V4, true));
    let damaged = counted.get(Family::V4, Count::IcmpInErrors);
    let of = |messages: &[u64; 256], kind: u8| messages.get(usize::from(kind)).copied().unwrap_or(0);
    let sum = |messages: &[u64; 256]| messages.iter().fold(0, |sum: u64, n| sum.wrapping_add(*n));
    let mut lines = Lines::new("Icmp");
    lines.add("InMsgs", sum(&came).wrapping_add(damaged));
    lines.add("InErrors", damaged);
    lines.add("InCsumErrors", 0);
    ICMP.iter().for_each(|(name, kind)| lines.add(&format!("In{name}"), of(&came, *kind)));
    lines.add("OutMsgs", sum(&sent));
    lines.add("OutErrors", 0);
    lines.add("OutRateLimitGlobal", 0);
    lines.add("OutRateLimitHost", counted.get(Family::V4, Count::IcmpOutLimited));
    ICMP.iter().for_each(|(name, kind)| lines.add(&format!("Out{name}"), of(&sent, *kind)));
    lines.end(text);
    // Only types that were seen.
    let mut lines = Lines::new("IcmpMsg");
    for (direction, messages) in [("InType", &came), ("OutType", &sent)] {
        for (kind, many) in messages.iter().enumerate().filter(|(_, many)| **many > 0) {
            lines.add(&format!("{direction}{kind}"), many);
        }
    }
    if lines.names.ends_with(':') {
        return;
    }
    lines.end(text);
}

/// Connections that are established (RFC 4022, tcpCurrEstab).
fn established() -> usize {
    let sockets = crate::devices::net().map(|net| net.sockets()).unwrap_or_default();
    let open = [state::ESTABLISHED, state::CLOSE_WAIT];
    sockets.iter().filter(|socket| socket.protocol == IPPROTO_TCP as u16 && open.contains(&socket.state)).count()
}

fn tcp(counted: &Statistics, text: &mut String) {
    let mut lines = Lines::new("Tcp");
    // RFC 6298, in ms; and as many connections as there is memory for (RFC 4022).
    [("RtoAlgorithm", 1), ("RtoMin", 200), ("RtoMax", 120_000), ("MaxConn", -1)]
        .iter()
        .for_each(|(name, value)| lines.add(name, value));
    let get = |what| counted.get(Family::V4, what);
    lines.add("ActiveOpens", get(Count::TcpActiveOpens));
    lines.add("PassiveOpens", get(Count::TcpPassiveOpens));
    lines.add("AttemptFails", get(Count::TcpAttemptFails));
    lines.add("EstabResets", get(Count::TcpEstabResets));
    lines.add("CurrEstab", established());
    lines.add("InSegs", get(Count::TcpInSegs));
    lines.add("OutSegs", get(Count::TcpOutSegs));
    lines.add("RetransSegs", get(Count::TcpRetransSegs));
    lines.add("InErrs", get(Count::TcpInErrs));
    lines.add("OutRsts", get(Count::TcpOutRsts));
    lines.add("InCsumErrors", get(Count::TcpInCsumErrors));
    lines.end(text);
}

/// IPv4 and TCP.
fn snmp() -> Result<Vec<u8>> {
    let mut text = String::new();
    if let Some(net) = crate::devices::net() {
        let counted = net.statistics();
        let mut lines = Lines::new("Ip");
        // It does not forward (RFC 4293, ipForwarding: 2).
        lines.add("Forwarding", 2);
        lines.add("DefaultTTL", 64);
        IP.iter().for_each(|(name, what)| lines.add(name, value(counted, Family::V4, *what)));
        lines.add("OutTransmits", counted.get(Family::V4, Count::OutRequests));
        lines.end(&mut text);
        icmp(counted, &mut text);
        tcp(counted, &mut text);
        all_of("Udp", &UDP, counted, Family::V4, &mut text);
        all_of("UdpLite", &UDP, counted, Family::LiteV4, &mut text);
    }
    Ok(text.into_bytes())
}

/// What Linux has beyond the RFCs: a field that is not there was not counted.
fn netstat() -> Result<Vec<u8>> {
    const TCP: [Field; 2] = [("TW", Some(Count::TcpTimeWaits)), ("TCPTimeouts", Some(Count::TcpTimeouts))];
    const IP: [Field; 2] = [("InOctets", Some(Count::InOctets)), ("OutOctets", Some(Count::OutOctets))];
    let mut text = String::new();
    if let Some(net) = crate::devices::net() {
        all_of("TcpExt", &TCP, net.statistics(), Family::V4, &mut text);
        all_of("IpExt", &IP, net.statistics(), Family::V4, &mut text);
    }
    Ok(text.into_bytes())
}

/// IPv6, a counter a line.
fn snmp6() -> Result<Vec<u8>> {
    let mut text = String::new();
    let Some(net) = crate::devices::net() else { return Ok(text.into_bytes()) };
    let counted = net.statistics();
    let mut line = |name: &str, value: u64| text += &format!("{name:<32}\t{value}\n");
    for (name, what) in IP6 {
        line(&format!("Ip6{name}"), value(counted, Family::V6, what));
    }
    let (came, sent) = (counted.messages(Family::V6, false), counted.messages(Family::V6, true));
    let of = |messages: &[u64; 256], kind: usize| messages.get(kind).copied().unwrap_or(0);
    let sum = |messages: &[u64; 256]| messages.iter().fold(0, |sum: u64, n| sum.wrapping_add(*n));
    let damaged = counted.get(Family::V6, Count::IcmpInErrors);
    line("Icmp6InMsgs", sum(&came).wrapping_add(damaged));
    line("Icmp6InErrors", damaged);
    line("Icmp6OutMsgs", sum(&sent));
    line("Icmp6OutErrors", 0);
    line("Icmp6InCsumErrors", 0);
    line("Icmp6OutRateLimitHost", counted.get(Family::V6, Count::IcmpOutLimited));
    for (direction, messages) in [("In", &came), ("Out", &sent)] {
        for (name, kind) in ICMP6 {
            line(&format!("Icmp6{direction}{name}"), of(messages, kind.into()));
        }
    }
    for (direction, messages) in [("In", &came), ("Out", &sent)] {
        for kind in (0..messages.len()).filter(|kind| of(messages, *kind) > 0) {
            line(&format!("Icmp6{direction}Type{kind}"), of(messages, kind));
        }
    }
    for (protocol, family) in [("Udp6", Family::V6), ("UdpLite6", Family::LiteV6)] {
        for (name, what) in UDP {
            line(&format!("{protocol}{name}"), value(counted, family, what));
        }
    }
    Ok(text.into_bytes())
}

/// Fills the root of /proc.
pub(super) fn fill(root: &Arc<PseudoDir>) -> Result<()> {
    root.add_text("net/snmp", snmp)?;
    root.add_text("net/snmp6", snmp6)?;
    root.add_text("net/netstat", netstat)?;
    Ok(())
}
