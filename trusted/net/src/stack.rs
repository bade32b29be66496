//! What the sockets need from a TCP/IP stack, and from anything else that carries a byte stream.

use crate::Interface;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::Any;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitQueue;
use rkt_user::{IoSink, IoSource};

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
    /// Bytes that can be sent at once.
    pub room: usize,
    /// Bytes of send buffer.
    pub capacity: usize,
    /// Bytes sent but not yet acknowledged, or waiting to be sent.
    pub unacknowledged: usize,
    /// Whether an error waits to be told.
    pub failed: bool,
}

/// Options of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamOption {
    /// TCP_NODELAY: small segments go out at once (no Nagle, RFC 9293 §3.7.4).
    NoDelay(bool),
    /// SO_KEEPALIVE (RFC 9293 §3.8.4).
    KeepAlive(Option<KeepAlive>),
}

/// When an idle peer is asked for a sign of life, and when it counts as dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// Seconds of silence before it is asked (TCP_KEEPIDLE).
    pub idle: u32,
    /// Seconds of silence that end the connection (TCP_KEEPIDLE + TCP_KEEPINTVL * TCP_KEEPCNT).
    pub dead: u32,
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
    /// Takes received bytes; with `peek` they stay. 0 if there are none, or no room in the sink.
    ///
    /// # Errors
    /// `EFAULT` if not one byte could be stored.
    fn receive(&self, sink: &mut IoSink<'_>, peek: bool) -> Result<usize>;
    /// Sends as much as there is room for; `more` announces further bytes (MSG_MORE). 0 if there is no room.
    ///
    /// # Errors
    /// `EFAULT` if not one byte could be loaded, `EPIPE` if sending is over.
    fn send(&self, source: &mut IoSource<'_>, more: bool) -> Result<usize>;
    /// Ends sending (FIN, after what is still to be sent).
    fn finish(&self);
    /// Resets the connection (RST).
    fn abort(&self);
    /// The error that ended the connection, told once.
    fn take_error(&self) -> Option<Errno>;
    /// Sets an option.
    fn set(&self, option: StreamOption);
}

/// Takes connections of a listening port.
pub trait Acceptor: Send + Sync {
    /// Whether one more would be accepted (the backlog).
    fn has_room(&self) -> bool;
    /// A connection was established. Called without locks of the stack held.
    fn offer(&self, connection: Arc<dyn Connection>);
}

/// Takes datagrams of an open port.
pub trait DatagramSink: Send + Sync {
    /// A datagram came. Called without locks of the stack held.
    fn deliver(&self, local: SocketAddr, from: SocketAddr, payload: &[u8]);
}

/// Open as long as it is kept.
pub type Guard = Box<dyn Any + Send + Sync>;

/// TCP/IP over a network card.
pub trait Stack: Send + Sync {
    /// The interface.
    fn interface(&self) -> Interface;
    /// The own address that packets to `to` come from.
    ///
    /// # Errors
    /// `ENETUNREACH` if there is no route, `ENETDOWN` if the card is down.
    fn source(&self, to: IpAddr) -> Result<Ipv4Addr>;
    /// Starts a connection; its progress wakes `queue`.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` if the pair of addresses is in use; `ENETDOWN`, `ENETUNREACH`, `ENOBUFS`.
    fn connect(&self, local: SocketAddr, to: SocketAddr, queue: Arc<WaitQueue>) -> Result<Arc<dyn Connection>>;
    /// Listens on a port of one address or all.
    ///
    /// # Errors
    /// `ENOBUFS`.
    fn listen(&self, address: Option<Ipv4Addr>, port: u16, acceptor: Arc<dyn Acceptor>) -> Result<Guard>;
    /// Receives datagrams of a port, on all addresses. Several may open the same port and share the first one's sink.
    ///
    /// # Errors
    /// `ENOBUFS`.
    fn open_port(&self, port: u16, sink: Arc<dyn DatagramSink>) -> Result<Guard>;
    /// Sends a datagram from an open port; it may be lost on the way, even before it leaves.
    ///
    /// # Errors
    /// `EMSGSIZE` if it is too long, `ENETDOWN`, `ENETUNREACH`.
    fn send_datagram(&self, local: SocketAddr, to: SocketAddr, payload: &[u8]) -> Result<()>;
    /// Does what there is to do; true if there was anything. Does nothing if another vCPU is at it.
    fn poll(&self) -> bool;
    /// Whether `poll` would find anything.
    fn has_work(&self) -> bool;
    /// When `poll` wants to run for its own timers: monotonic nanoseconds, `u64::MAX` = never.
    fn deadline(&self) -> u64;
}
