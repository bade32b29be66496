//! Sockets of AF_NETLINK (netlink(7)), with NETLINK_ROUTE alone: enough for getifaddrs(3) and `ip`.

mod message;
mod neighbor;
mod route;

use crate::NetStack;
use crate::address::{AF_NETLINK, Address};
use crate::options::{Kind, Options, from_int};
use crate::patience::Patience;
use crate::socket::{Outgoing, Received, Shutdown, Socket};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU32, Ordering};
use message::{Builder, Header};
use rkt_linux_abi::netlink::*;
use rkt_linux_abi::{Errno, Result, general::*, net::*};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_user::{IoSink, IoSource};

/// Longest request that is looked at.
const REQUEST_MAX: usize = 64 << 10;
/// Types below are of netlink itself (NLMSG_MIN_TYPE): nothing to answer.
const FIRST_TYPE: u16 = 16;

#[derive(Default)]
struct State {
    /// Where answers go; given at the first use.
    port: Option<u32>,
    /// Groups of those who want to hear of changes; there are none.
    groups: u32,
    answers: VecDeque<Vec<u8>>,
    used: usize,
}

/// A netlink socket.
pub(crate) struct NetlinkSocket {
    net: Arc<NetStack>,
    queue: Arc<WaitQueue>,
    options: Mutex<Options>,
    state: Mutex<State>,
}

impl State {
    fn port(&mut self) -> u32 {
        // Linux gives such numbers where the process's own is taken.
        static NEXT: AtomicU32 = AtomicU32::new(0xffff_f000);
        *self.port.get_or_insert_with(|| NEXT.fetch_sub(1, Ordering::Relaxed))
    }
}

impl NetlinkSocket {
    /// A fresh socket.
    pub fn new(net: Arc<NetStack>, kind: Kind) -> Arc<Self> {
        Arc::new(Self {
            net,
            queue: Arc::new(WaitQueue::new()),
            options: Mutex::new(Options::new(AF_NETLINK, kind, NETLINK_ROUTE)),
            state: Mutex::default(),
        })
    }

    /// The answers to the requests of a datagram, each a datagram of its own.
    fn answers(&self, datagram: &[u8], port: u32) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        for request in message::requests(datagram) {
            let flags = u32::from(request.header.flags);
            if flags & NLM_F_REQUEST == 0 || request.header.kind < FIRST_TYPE {
                continue;
            }
            let header = Header { flags: 0, port, ..request.header };
            let mut out = Builder::default();
            let outcome = route::answer(&self.net, &request, header, &mut out);
            // A list says itself that it is complete.
            let confirmed = flags & NLM_F_ACK != 0 && flags & NLM_F_DUMP == 0;
            if outcome.is_err() || confirmed {
                out.outcome(header, &request, outcome.err());
            }
            answers.push(out.finish());
        }
        answers
    }
}

fn of(socket: &dyn Socket) -> Result<&NetlinkSocket> {
    socket.as_any().downcast_ref().ok_or(Errno::EINVAL)
}

/// Whether the kernel can send a socket something.
///
/// # Errors
/// `EINVAL` if it is not of AF_NETLINK.
pub fn check_netlink(socket: &dyn Socket) -> Result<()> {
    of(socket).map(drop)
}

/// Sends a netlink socket a datagram of the kernel (mq_notify(3)).
///
/// # Errors
/// `EINVAL` if it is none; `ENOBUFS` if its buffer is full.
pub fn netlink_deliver(socket: &dyn Socket, datagram: &[u8]) -> Result<()> {
    let socket = of(socket)?;
    let limit = socket.options.lock().receive_buffer;
    {
        let mut state = socket.state.lock();
        if state.used >= limit {
            return Err(Errno::ENOBUFS);
        }
        state.used += datagram.len();
        state.answers.push_back(datagram.to_vec());
    }
    socket.queue.wake_all(POLLIN | POLLRDNORM);
    Ok(())
}

impl Socket for NetlinkSocket {
    fn wait_queue(&self) -> &Arc<WaitQueue> {
        &self.queue
    }

    fn is_stream(&self) -> bool {
        false
    }

    fn poll(&self) -> u32 {
        let readable = !self.state.lock().answers.is_empty();
        POLLOUT | POLLWRNORM | if readable { POLLIN | POLLRDNORM } else { 0 }
    }

    fn bind(&self, to: &Address) -> Result<()> {
        let &Address::Netlink { port, groups } = to else { return Err(Errno::EINVAL) };
        let mut state = self.state.lock();
        match state.port {
            Some(own) if port != own => return Err(Errno::EINVAL),
            None if port != 0 => state.port = Some(port),
            _ => drop(state.port()),
        }
        state.groups = groups;
        Ok(())
    }

    fn listen(&self, _backlog: i32) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn accept(&self, _nonblocking: bool) -> Result<(Arc<dyn Socket>, Address)> {
        Err(Errno::EOPNOTSUPP)
    }

    fn connect(&self, to: &Address, _nonblocking: bool) -> Result<()> {
        match to {
            Address::Unspecified | Address::Netlink { port: 0, .. } => {
                self.state.lock().port();
                Ok(())
            }
            Address::Netlink { .. } => Err(Errno::EPERM),
            _ => Err(Errno::EINVAL),
        }
    }

    fn send(&self, source: &mut IoSource<'_>, message: &mut Outgoing<'_>) -> Result<usize> {
        if message.flags & MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        match message.to {
            None | Some(Address::Netlink { port: 0, .. }) => {}
            Some(Address::Netlink { .. }) => return Err(Errno::ECONNREFUSED),
            Some(_) => return Err(Errno::EINVAL),
        }
        let len = source.remaining();
        if len > REQUEST_MAX {
            return Err(Errno::EMSGSIZE);
        }
        let mut datagram = Vec::new();
        datagram.try_reserve_exact(len).map_err(|_| Errno::ENOBUFS)?;
        datagram.resize(len, 0);
        if len > 0 && source.take(&mut datagram)? < len {
            return Err(Errno::EFAULT);
        }
        let limit = self.options.lock().receive_buffer;
        let port = {
            let mut state = self.state.lock();
            if state.used >= limit {
                return Err(Errno::ENOBUFS);
            }
            state.port()
        };
        let answers = self.answers(&datagram, port);
        {
            let mut state = self.state.lock();
            state.used += answers.iter().map(Vec::len).sum::<usize>();
            state.answers.extend(answers);
        }
        self.queue.wake_all(POLLIN | POLLRDNORM);
        Ok(len)
    }

    fn receive(&self, sink: &mut IoSink<'_>, flags: u32, nonblocking: bool) -> Result<Received> {
        if flags & MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let timeout = self.options.lock().receive_timeout;
        Patience::new(nonblocking, flags, timeout).until(&self.queue, || {
            let mut state = self.state.lock();
            let first = state.answers.front().ok_or(Errno::EAGAIN)?;
            let whole = first.len();
            let stored = if sink.is_full() { 0 } else { sink.put(first)? };
            if flags & MSG_PEEK == 0 {
                state.answers.pop_front();
                state.used = state.used.saturating_sub(whole);
            }
            Ok(Received {
                len: if flags & MSG_TRUNC != 0 { whole } else { stored },
                from: Some(Address::Netlink { port: 0, groups: 0 }),
                flags: if stored < whole { MSG_TRUNC } else { 0 },
                ..Received::default()
            })
        })
    }

    fn shutdown(&self, _how: Shutdown) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn local_address(&self) -> Address {
        let state = self.state.lock();
        Address::Netlink { port: state.port.unwrap_or(0), groups: state.groups }
    }

    fn peer_address(&self) -> Result<Address> {
        Ok(Address::Netlink { port: 0, groups: 0 })
    }

    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        match (level, name) {
            (SOL_SOCKET, _) => self.options.lock().set(name, value),
            // Who joins a group hears of each change, of which there are none. Answers carry no more
            // than was asked for, which is what the others are about.
            (SOL_NETLINK, NETLINK_ADD_MEMBERSHIP | NETLINK_DROP_MEMBERSHIP | NETLINK_EXT_ACK | NETLINK_NO_ENOBUFS) => {
                crate::options::int(value).map(drop)
            }
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn option(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        match (level, name) {
            (SOL_SOCKET, SO_ERROR | SO_ACCEPTCONN) => Ok(from_int(0)),
            (SOL_SOCKET, _) => self.options.lock().get(name),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn queued_input(&self) -> Result<usize> {
        Err(Errno::ENOTTY)
    }

    fn queued_output(&self) -> Result<usize> {
        Err(Errno::ENOTTY)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
