//! What the sockets need from a TCP/IP stack, and from anything else that carries a byte stream.

use crate::Interface;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::net::{IpAddr, SocketAddr};
use rkt_inet::multicast::{Filter, Member};
use rkt_inet::neighbor::Neighbor;
use rkt_inet::route::Route;
use rkt_linux_abi::{Errno, Result};
use rkt_netdev::Checksum;
use rkt_sched::WaitQueue;
use rkt_tcp::{Config, ListenConfig, SendFlags, Setting, TcpInfo};
use rkt_user::{IoSink, IoSource};
use rkt_wire::ethernet;
use rkt_wire::ip::Addresses;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The handshake goes on (SYN-SENT).
    Connecting,
    /// Bytes flow in at least one direction, or may.
    Open,
    /// Over for good (CLOSED, TIME-WAIT): by both sides' FIN, a reset or a timeout.
    Closed,
}

/// A connection at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// Where it is in its life.
    pub phase: Phase,
    /// Bytes that can be received.
    pub readable: usize,
    /// The peer has sent everything it will (FIN), and it has all arrived.
    pub finished: bool,
    /// There is room to send, by Linux's rule of a third of the buffer.
    pub writable: bool,
    /// Bytes that are not acknowledged, sent or not.
    pub unacknowledged: usize,
    /// Bytes that are not sent.
    pub unsent: usize,
    /// Whether an error waits to be told.
    pub failed: bool,
    /// Whether urgent data waits to be taken.
    pub urgent: bool,
}

/// One end of a byte stream. Its wait queue is woken when the status changes for the better of a
/// waiter. Dropping it closes: with FIN, or with RST if bytes were left unread (RFC 9293 §3.6.1, RFC 2525 §2.17).
pub trait Connection: Send + Sync {
    /// Its state now.
    fn status(&self) -> Status;
    /// Own address.
    fn local(&self) -> SocketAddr;
    /// The peer's address.
    fn peer(&self) -> SocketAddr;
    /// Who waits for changes.
    fn queue(&self) -> &Arc<WaitQueue>;
    /// Takes received bytes; with `peek` they stay, and the first so many are not given. 0 if there are none, or no
    /// room in the sink.
    ///
    /// # Errors
    /// `EFAULT` if not one byte could be stored.
    fn receive(&self, sink: &mut IoSink<'_>, peek: Option<usize>) -> Result<usize>;
    /// Sends as much as there is room for. 0 if there is no room.
    ///
    /// # Errors
    /// `EFAULT` if not one byte could be loaded, `EPIPE` if sending is over, `ENOBUFS` without memory.
    fn send(&self, source: &mut IoSource<'_>, flags: SendFlags) -> Result<usize>;
    /// Takes the urgent byte (MSG_OOB); with `peek` it stays.
    ///
    /// # Errors
    /// `EINVAL` if there is none, `EAGAIN` if it was announced but has not come.
    fn receive_urgent(&self, peek: bool) -> Result<u8>;
    /// Whether the next byte is the urgent one (SIOCATMARK).
    fn at_mark(&self) -> bool;
    /// Ends sending (FIN, after what is still to be sent).
    fn finish(&self);
    /// Resets the connection (RST).
    fn abort(&self);
    /// The error that ended the connection, told once.
    fn take_error(&self) -> Option<Errno>;
    /// Changes a setting.
    fn set(&self, setting: Setting);
    /// How its packets leave from now on, where there are any.
    fn set_manner(&self, _manner: &Manner) {}
    /// What can be seen of the protocol (TCP_INFO); none if there is no protocol.
    fn info(&self) -> Option<TcpInfo>;
}

/// Takes connections of a listening port.
pub trait Acceptor: Send + Sync {
    /// Connections that wait to be accepted.
    fn waiting(&self) -> usize;
    /// How many may, and how they are made.
    fn listen_config(&self) -> ListenConfig;
    /// A connection was established. Called without locks of the stack held.
    fn offer(&self, connection: Arc<dyn Connection>);
}

/// A datagram that did not arrive, as an ICMP error says (ip(7), IP_RECVERR).
#[derive(Clone, Debug)]
pub struct Undelivered {
    /// Where it came from.
    pub local: SocketAddr,
    /// Where it was going.
    pub to: SocketAddr,
    /// What sockets report.
    pub errno: Errno,
    /// Reported also by sockets that did not ask for errors.
    pub hard: bool,
    /// Type of the ICMP message.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// MTU or pointer, else 0.
    pub info: u32,
    /// Who says so.
    pub reporter: Option<IpAddr>,
    /// The datagram's payload, as far as it was quoted.
    pub payload: Vec<u8>,
}

/// Where packets may be cut that are longer than the path takes (IP_MTU_DISCOVER of ip(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fragmentation {
    /// Here, to what is known of the path, and not on the way (IP_PMTUDISC_WANT).
    #[default]
    Local,
    /// Here and on the way (IP_PMTUDISC_DONT).
    Anywhere,
    /// Nowhere: longer ones are refused (IP_PMTUDISC_DO).
    Never,
    /// Nowhere, and what is known of the path does not count (IP_PMTUDISC_PROBE).
    Probe,
}

/// How packets are to leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Out of this interface, if one is named.
    pub interface: Option<u32>,
    /// Time to live or hop limit, if not the default.
    pub ttl: Option<u8>,
    /// Type of service or traffic class.
    pub tos: u8,
    /// Where they may be cut.
    pub fragmentation: Fragmentation,
    /// No fragment is longer than this (IPV6_MTU).
    pub mtu: Option<u16>,
    /// The payload is that of a row of datagrams of so many bytes (UDP_SEGMENT).
    pub segment: Option<u16>,
}

/// A datagram that came.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Where it was sent.
    pub local: SocketAddr,
    /// From whom.
    pub from: SocketAddr,
    /// What it says.
    pub payload: Vec<u8>,
    /// The interface that it came in by.
    pub interface: u32,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// Type of service or traffic class.
    pub tos: u8,
    /// It was sent to everyone on a network.
    pub to_all: bool,
    /// It is a row of datagrams of so many bytes, the last of which may be shorter (UDP_SEGMENT).
    pub segment: Option<u16>,
    /// How many bytes, with the header, its checksum covers, if not all (RFC 3828).
    pub coverage: Option<u16>,
}

/// A packet of the Internet that came, put together from its fragments.
#[derive(Clone, Debug)]
pub struct Packet {
    /// From whom.
    pub source: IpAddr,
    /// Where it was sent.
    pub destination: IpAddr,
    /// Its transport (IANA, "Protocol Numbers").
    pub protocol: u8,
    /// All of it; of IPv4 with the header.
    pub bytes: Vec<u8>,
    /// Where in `bytes` the transport starts.
    pub payload_at: usize,
    /// The interface that it came in by.
    pub interface: u32,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// Type of service or traffic class.
    pub tos: u8,
}

/// Takes packets beside the transport that they are for.
pub trait PacketSink: Send + Sync {
    /// Whether packets of this protocol are of interest.
    fn wants(&self, v4: bool, protocol: u8) -> bool;
    /// A packet came. Called without locks of the stack held.
    fn packet(&self, packet: &Packet);
    /// A packet of this protocol did not arrive. Called without locks of the stack held.
    fn undelivered(&self, protocol: u8, what: &Undelivered);
}

/// For whom a frame is, or that it is ours (packet(7), `sll_pkttype`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// For us.
    Host = 0,
    /// For everyone.
    Broadcast = 1,
    /// For a group.
    Group = 2,
    /// For somebody else.
    Other = 3,
    /// It leaves.
    Outgoing = 4,
}

/// A frame on its way in or out, with the header of Ethernet.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The interface.
    pub interface: u32,
    /// Its ARP hardware type.
    pub hardware: u16,
    /// For whom it is.
    pub kind: FrameKind,
    /// All of it.
    pub bytes: &'a [u8],
    /// What is known of the checksum of its transport.
    pub checksum: Checksum,
    /// The packet socket that sent it; 0: none did.
    pub sender: u64,
}

impl Frame<'_> {
    /// The protocol as Linux names it: the Ethernet type; for frames that have a length in its place ETH_P_802_3
    /// or ETH_P_802_2.
    pub fn protocol(&self) -> u16 {
        /// The least Ethernet type (IEEE 802.3 §3.2.6).
        const LEAST_TYPE: u16 = 0x600;
        const ETH_P_802_3: u16 = 1;
        const ETH_P_802_2: u16 = 4;
        match self.bytes.get(12..) {
            Some([high, low, rest @ ..]) => match u16::from_be_bytes([*high, *low]) {
                kind if kind >= LEAST_TYPE => kind,
                _ if rest.starts_with(&[0xff, 0xff]) => ETH_P_802_3,
                _ => ETH_P_802_2,
            },
            _ => 0,
        }
    }
}

/// Sees frames beside the protocols that they are for.
pub trait FrameSink: Send + Sync {
    /// Whether frames are of interest.
    fn listens(&self) -> bool;
    /// A frame came or leaves. May be called with the lock of a port held.
    fn frame(&self, frame: &Frame<'_>);
}

/// What the network says of itself beside addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// All addresses that were asked for are there.
    pub complete: bool,
    /// Name servers that DHCP and routers named.
    pub resolvers: Vec<IpAddr>,
}

/// Takes datagrams of an open port.
pub trait DatagramSink: Send + Sync {
    /// A datagram came. Called without locks of the stack held.
    fn deliver(&self, datagram: Incoming);
    /// A datagram did not arrive. Called without locks of the stack held.
    fn undelivered(&self, what: &Undelivered);
}

/// What can be changed of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// It is to work, or not.
    Up(bool),
    /// Its largest packet, in bytes.
    Mtu(u32),
}

/// How a route is added (`NLM_F_*` of netlink(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insertion {
    /// There must not be one for the same packets.
    pub exclusive: bool,
    /// It takes that one's place.
    pub replace: bool,
    /// There need not be one.
    pub create: bool,
}

/// What can be changed of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighborChange {
    /// It has this hardware address for ever.
    Permanent(ethernet::Address),
    /// It has this hardware address, until it is found to have moved.
    Learned {
        /// The address.
        mac: ethernet::Address,
        /// It is known to be there now.
        confirmed: bool,
    },
    /// It is forgotten.
    Gone,
}

/// Open as long as it is kept.
pub type Guard = Box<dyn Any + Send + Sync>;

/// TCP/IP over network cards.
pub trait Stack: Send + Sync {
    /// The interfaces.
    fn interfaces(&self) -> Vec<Interface>;
    /// The routes.
    fn routes(&self) -> Vec<Route>;
    /// Neighbours, with the interface behind which each is.
    fn neighbors(&self) -> Vec<(u32, Neighbor)>;
    /// The way to an address: interface, router if there is one, own address.
    ///
    /// # Errors
    /// As [`Stack::source`].
    fn route_to(&self, to: IpAddr, interface: Option<u32>) -> Result<(u32, Option<IpAddr>, IpAddr)>;
    /// Whether an address is one of the interfaces'.
    fn is_local(&self, ip: IpAddr) -> bool;
    /// Whether an address is everyone's, or everyone's on an interface's network.
    fn is_broadcast(&self, ip: IpAddr) -> bool;
    /// The own address that packets to `to` come from, out of a certain interface if one is named.
    ///
    /// # Errors
    /// `ENETUNREACH` if there is no route, `ENETDOWN` if the card is down.
    fn source(&self, to: IpAddr, interface: Option<u32>) -> Result<IpAddr>;
    /// Starts a connection; its progress wakes `queue`.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` if the pair of addresses is in use; `ENETDOWN`, `ENETUNREACH`, `ENOBUFS`.
    fn connect(
        &self,
        local: SocketAddr,
        to: SocketAddr,
        queue: Arc<WaitQueue>,
        config: &Config,
        manner: &Manner,
    ) -> Result<Arc<dyn Connection>>;
    /// Listens on a port of one address, of all of IPv4 (its wildcard), or of all (none; of IPv6 only if
    /// `v6_only`); connections get `config`.
    ///
    /// # Errors
    /// `ENOBUFS`.
    fn listen(
        &self,
        address: Option<IpAddr>,
        v6_only: bool,
        port: u16,
        acceptor: Arc<dyn Acceptor>,
        config: &Config,
    ) -> Result<Guard>;
    /// Receives datagrams of a port, on all addresses. Several may open the same port and share the first one's sink.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` for port 0.
    fn open_port(&self, port: u16, sink: Arc<dyn DatagramSink>) -> Result<Guard>;
    /// Sends a datagram from an open port; it may be lost on the way, even before it leaves.
    ///
    /// # Errors
    /// `EMSGSIZE` if it is too long, `ENETDOWN`, `ENETUNREACH`.
    fn send_datagram(&self, local: SocketAddr, to: SocketAddr, payload: &[u8], manner: &Manner) -> Result<()>;
    /// Sends a packet of any transport, whose checksum is complete.
    ///
    /// # Errors
    /// As [`Stack::send_datagram`].
    fn send_packet(&self, addresses: Addresses, protocol: u8, bytes: &[u8], manner: &Manner) -> Result<()>;
    /// Sends a whole frame that the packet socket `sender` made.
    ///
    /// # Errors
    /// `ENXIO` if there is no such interface, `ENETDOWN`.
    fn send_frame(&self, interface: u32, frame: &[u8], sender: u64) -> Result<()>;
    /// Most bytes of packets to `to`, headers of IP included.
    ///
    /// # Errors
    /// `ENETUNREACH` without a route.
    fn path_mtu(&self, to: IpAddr) -> Result<u16>;
    /// Sets what a socket wants of a group on an interface; a filter that lets nothing in leaves it.
    ///
    /// # Errors
    /// `ENODEV`, `EINVAL` if it is no group, `ENOBUFS` if there are too many.
    fn set_group(&self, interface: u32, member: Member, group: IpAddr, filter: Filter) -> Result<()>;
    /// Changes an interface.
    ///
    /// # Errors
    /// `ENODEV`, `EINVAL`.
    fn set_link(&self, interface: u32, change: LinkChange) -> Result<()>;
    /// Gives an interface an address, whose first bits name its network.
    ///
    /// # Errors
    /// `ENODEV`, `EEXIST`, `EADDRNOTAVAIL`, `ENOBUFS`.
    fn add_address(&self, interface: u32, ip: IpAddr, prefix: u8) -> Result<()>;
    /// Takes it away.
    ///
    /// # Errors
    /// `ENODEV`, `EADDRNOTAVAIL`.
    fn remove_address(&self, interface: u32, ip: IpAddr, prefix: Option<u8>) -> Result<()>;
    /// Adds a route, out of a certain interface if one is named.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `ENETUNREACH`, `ENODEV`, `ENETDOWN`, `EINVAL`, `ENOBUFS`.
    fn add_route(&self, route: Route, how: Insertion, interface: Option<u32>) -> Result<()>;
    /// Removes the first such route.
    ///
    /// # Errors
    /// `ESRCH`.
    fn remove_route(&self, is_it: &dyn Fn(&Route) -> bool) -> Result<()>;
    /// Changes what is known of a neighbour.
    ///
    /// # Errors
    /// `ENODEV`, `ENOENT`.
    fn set_neighbor(&self, interface: u32, ip: IpAddr, change: NeighborChange) -> Result<()>;
    /// All connections: own address, the peer's, and the state (include/net/tcp_states.h).
    fn connections(&self) -> Vec<(SocketAddr, SocketAddr, u8)>;
    /// What the network says of itself now.
    fn configuration(&self) -> Configuration;
    /// Woken when the configuration changes.
    fn changes(&self) -> &Arc<WaitQueue>;
    /// Closes all connections, and waits until their peers have everything; not longer than to `deadline`.
    fn close_all(&self, deadline: u64);
    /// Does what there is to do; true if there was anything. Leaves out what another vCPU is at.
    fn poll(&self) -> bool;
    /// Whether `poll` would find anything.
    fn has_work(&self) -> bool;
    /// When `poll` wants to run for its own timers: monotonic nanoseconds, `u64::MAX` = never.
    fn deadline(&self) -> u64;
}
