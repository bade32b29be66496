//! /proc/net (proc_pid_net(5)): sockets by family and protocol, and how many there are.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use rkt_linux_abi::Result;
use rkt_linux_abi::net::{IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP};
use rkt_net::{Description, Names, UnixAddress, state};
use rkt_vfs::pseudo::PseudoDir;

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const AF_NETLINK: u16 = 16;
const AF_PACKET: u16 = 17;
const STREAM: u8 = 1;
const DATAGRAM: u8 = 2;
const RAW: u8 = 3;
/// What stands where Linux shows an address of the kernel to who may not see it.
const POINTER: &str = "0000000000000000";
/// Bytes of a line about a socket of TCP, and of UDP and its like, over IPv4.
const TCP_WIDTH: usize = 149;
const UDP_WIDTH: usize = 127;

/// The sockets of a kind.
fn sockets(family: u16, kind: u8, protocols: &[u16]) -> Vec<Description> {
    let mut all = all();
    all.retain(|socket| {
        let of_protocol = protocols.is_empty() || protocols.contains(&socket.protocol);
        socket.family == family && (kind == 0 || socket.kind == kind) && of_protocol
    });
    all
}

fn all() -> Vec<Description> {
    crate::devices::net().map(|net| net.sockets()).unwrap_or_default()
}

/// An address in words in the byte order of the processor, and the port.
fn shown(address: SocketAddr, family: u16) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if family == AF_INET => {
            return format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port());
        }
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let octets = ip.octets();
    let (words, _) = octets.as_chunks::<4>();
    let mut text: String = words.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word))).collect();
    let _ = write!(text, ":{:04X}", address.port());
    text
}

fn nowhere(family: u16) -> SocketAddr {
    let ip: IpAddr = if family == AF_INET { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    (ip, 0).into()
}

/// What all lines about sockets of the Internet have: up to the inode's number.
fn line(nth: usize, width: usize, socket: &Description) -> String {
    let Names::Internet { local, peer, .. } = &socket.names else { return String::new() };
    let family = socket.family;
    let (local, peer) = (shown(*local, family), shown(peer.unwrap_or(nowhere(family)), family));
    let (state, queues) = (socket.state, (socket.send_queue, socket.receive_queue));
    // A listener shows connections that wait, but not how many may.
    let sending = if state == state::LISTEN { 0 } else { queues.0 };
    let (receiving, uid, inode) = (queues.1, socket.uid, socket.inode);
    format!(
        "{nth:>width$}: {local} {peer} {state:02X} {sending:08X}:{receiving:08X} 00:00000000 00000000 {uid:>5} {:>8} {inode}",
        0
    )
}

fn tcp(family: u16) -> Result<Vec<u8>> {
    let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
    let head_v6 = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr \
                   tm->when retrnsmt   uid  timeout inode";
    let pad = if family == AF_INET { TCP_WIDTH } else { 0 };
    let mut text = format!("{:<pad$}\n", if family == AF_INET { head } else { head_v6 });
    for (nth, socket) in sockets(family, STREAM, &[IPPROTO_TCP as u16]).iter().enumerate() {
        let start = line(nth, 4, socket);
        let rest = match socket.state {
            state::TIME_WAIT => format!("3 {POINTER}"),
            state::LISTEN => format!("1 {POINTER} 100 0 0 10 0"),
            _ => format!("1 {POINTER} 20 4 30 10 -1"),
        };
        let all = format!("{start} {rest}");
        let _ = writeln!(text, "{all:<pad$}");
    }
    Ok(text.into_bytes())
}

/// UDP, raw and ping sockets.
fn datagrams(family: u16, kind: u8, protocols: &[u16]) -> Result<Vec<u8>> {
    let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer \
                drops";
    let head_v6 = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr \
                   tm->when retrnsmt   uid  timeout inode ref pointer drops";
    let pad = if family == AF_INET && kind == DATAGRAM { UDP_WIDTH } else { 0 };
    let mut text = format!("{:<pad$}\n", if family == AF_INET { head } else { head_v6 });
    for (nth, socket) in sockets(family, kind, protocols).iter().enumerate() {
        let width = if kind == RAW { 4 } else { 5 };
        let all = format!("{} 2 {POINTER} 0", line(nth, width, socket));
        let _ = writeln!(text, "{all:<pad$}");
    }
    Ok(text.into_bytes())
}

fn unix() -> Result<Vec<u8>> {
    /// __SO_ACCEPTCON, SS_UNCONNECTED and SS_CONNECTED of linux/net.h.
    const LISTENS: u32 = 0x10000;
    const UNCONNECTED: u8 = 1;
    const CONNECTED: u8 = 3;
    let mut text = Vec::from(*b"Num       RefCount Protocol Flags    Type St Inode Path\n");
    for socket in sockets(AF_UNIX, 0, &[]) {
        let Names::Unix { name, .. } = &socket.names else { continue };
        let flags = if socket.state == state::LISTEN { LISTENS } else { 0 };
        let state = if socket.state == state::ESTABLISHED { CONNECTED } else { UNCONNECTED };
        let (kind, inode) = (socket.kind, socket.inode);
        text.extend(format!("{POINTER}: 00000002 00000000 {flags:08X} {kind:04X} {state:02X} {inode:>5}").bytes());
        match name {
            UnixAddress::Unnamed => {}
            UnixAddress::Path(path) => {
                text.push(b' ');
                text.extend_from_slice(path);
            }
            UnixAddress::Abstract(name) => {
                text.extend_from_slice(b" @");
                text.extend(name.iter().map(|byte| if *byte == 0 { b'@' } else { *byte }));
            }
        }
        text.push(b'\n');
    }
    Ok(text)
}

fn packet() -> Result<Vec<u8>> {
    let mut text = String::from("sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
    for socket in sockets(AF_PACKET, 0, &[]) {
        let Names::Packet(bound) = socket.names else { continue };
        let (kind, protocol, used, uid) = (socket.kind, socket.protocol, socket.receive_queue, socket.uid);
        let (interface, inode) = (bound.interface, socket.inode);
        let _ = writeln!(
            text,
            "{POINTER} {:<6} {kind:<4} {protocol:04x}   {interface:<5} {:<1} {used:<6} {uid:<6} {inode:<6}",
            3, 1
        );
    }
    Ok(text.into_bytes())
}

fn netlink() -> Result<Vec<u8>> {
    let mut text =
        String::from("sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n");
    for socket in sockets(AF_NETLINK, 0, &[]) {
        let Names::Netlink { port, groups } = socket.names else { continue };
        let (protocol, used, inode) = (socket.protocol, socket.receive_queue, socket.inode);
        let _ = writeln!(
            text,
            "{POINTER} {protocol:<3} {port:<10} {groups:08x} {used:<8} {:<8} {:<5} {:<8} {:<8} {inode:<8}",
            0, 0, 2, 0
        );
    }
    Ok(text.into_bytes())
}

/// How many sockets there are.
fn sockstat() -> Result<Vec<u8>> {
    let all = all();
    let count = |family: u16, kind: u8, protocol: u16| {
        let is_it = |socket: &&Description| {
            (socket.family, socket.kind) == (family, kind) && (protocol == 0 || socket.protocol == protocol)
        };
        all.iter().filter(is_it).count()
    };
    let streams: Vec<_> = all.iter().filter(|socket| socket.family == AF_INET && socket.kind == STREAM).collect();
    let waiting = streams.iter().filter(|socket| socket.state == state::TIME_WAIT).count();
    let orphans = streams.iter().filter(|socket| socket.inode == 0).count().saturating_sub(waiting);
    let used = all.iter().filter(|socket| socket.inode != 0).count();
    let held = streams.iter().filter(|socket| socket.inode != 0).count();
    let text = format!(
        "sockets: used {used}\nTCP: inuse {held} orphan {orphans} tw {waiting} alloc {held} mem 0\nUDP: inuse {} mem 0\n\
         UDPLITE: inuse 0\nRAW: inuse {}\nFRAG: inuse 0 memory 0\n",
        count(AF_INET, DATAGRAM, IPPROTO_UDP as u16),
        count(AF_INET, RAW, 0)
    );
    Ok(text.into_bytes())
}

fn sockstat6() -> Result<Vec<u8>> {
    let count = |kind: u8, protocols: &[u16]| sockets(AF_INET6, kind, protocols).len();
    let text = format!(
        "TCP6: inuse {}\nUDP6: inuse {}\nUDPLITE6: inuse 0\nRAW6: inuse {}\nFRAG6: inuse 0 memory 0\n",
        count(STREAM, &[]),
        count(DATAGRAM, &[IPPROTO_UDP as u16]),
        count(RAW, &[])
    );
    Ok(text.into_bytes())
}

/// Fills the root of /proc.
pub(super) fn fill(root: &Arc<PseudoDir>) -> Result<()> {
    const UDP: u16 = IPPROTO_UDP as u16;
    const ICMP: u16 = IPPROTO_ICMP as u16;
    const ICMPV6: u16 = IPPROTO_ICMPV6 as u16;
    root.add_text("net/tcp", || tcp(AF_INET))?;
    root.add_text("net/tcp6", || tcp(AF_INET6))?;
    root.add_text("net/udp", || datagrams(AF_INET, DATAGRAM, &[UDP]))?;
    root.add_text("net/udp6", || datagrams(AF_INET6, DATAGRAM, &[UDP]))?;
    root.add_text("net/icmp", || datagrams(AF_INET, DATAGRAM, &[ICMP]))?;
    root.add_text("net/icmp6", || datagrams(AF_INET6, DATAGRAM, &[ICMPV6]))?;
    root.add_text("net/raw", || datagrams(AF_INET, RAW, &[]))?;
    root.add_text("net/raw6", || datagrams(AF_INET6, RAW, &[]))?;
    root.add_text("net/unix", unix)?;
    root.add_text("net/packet", packet)?;
    root.add_text("net/netlink", netlink)?;
    root.add_text("net/sockstat", sockstat)?;
    root.add_text("net/sockstat6", sockstat6)?;
    Ok(())
}
