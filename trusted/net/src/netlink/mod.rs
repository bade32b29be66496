//! Sockets of AF_NETLINK (netlink(7)): NETLINK_ROUTE for getifaddrs(3) and `ip`, NETLINK_SOCK_DIAG for `ss`.

mod change;
mod diag;
mod message;
mod monitor;
mod neighbor;
mod route;

use crate::NetStack;
use crate::address::{AF_NETLINK, Address};
use crate::census::{Description, Names, state as census};
use crate::options::{Kind, Options, from_int};
use crate::patience::Patience;
use crate::socket::{Control, Outgoing, Received, Shutdown, Socket};
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU32, Ordering};
use message::{Builder, Header};
pub(crate) use monitor::Monitor;
use rkt_linux_abi::netlink::*;
use rkt_linux_abi::{Errno, Result, general::*, net::*};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_user::{IoSink, IoSource};

/// Longest request that is looked at.
const REQUEST_MAX: usize = 64 << 10;
/// Types below are of netlink itself (NLMSG_MIN_TYPE): nothing to answer.
const FIRST_TYPE: u16 = 16;
/// Highest number of a group.
const MAX_GROUP: u32 = 36;
/// Options that are on or off.
const FLAGS: [u32; 6] = [
    NETLINK_PKTINFO,
    NETLINK_BROADCAST_ERROR,
    NETLINK_NO_ENOBUFS,
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NETLINK_GET_STRICT_CHK,
];

/// A datagram on its way to the program.
struct Message {
    bytes: Vec<u8>,
    /// The group that it is for; 0: it is an answer.
    group: u32,
}

#[derive(Default)]
struct State {
    /// Where answers go; given at the first use.
    port: Option<u32>,
    /// Groups whose messages it hears; that of number 1 is the lowest bit.
    groups: u64,
    answers: VecDeque<Message>,
    used: usize,
    /// Messages were lost for lack of room: told once as ENOBUFS.
    overrun: bool,
    /// Options that are on (NETLINK_*), as bits.
    flags: u32,
}

/// A netlink socket.
pub(crate) struct NetlinkSocket {
    me: Weak<NetlinkSocket>,
    net: Arc<NetStack>,
    kind: Kind,
    protocol: u32,
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

    /// The groups that an address shows.
    fn low_groups(&self) -> u32 {
        self.groups as u32
    }
}

impl NetlinkSocket {
    /// A fresh socket of NETLINK_ROUTE or NETLINK_SOCK_DIAG.
    pub fn new(net: Arc<NetStack>, kind: Kind, protocol: u32) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            net,
            kind,
            protocol,
            queue: Arc::new(WaitQueue::new()),
            options: Mutex::new(Options::new(AF_NETLINK, kind, protocol)),
            state: Mutex::default(),
        })
    }

    /// A message for a group came; lost, which is told, if there is no room.
    fn hear(&self, group: u32, message: &[u8]) {
        let limit = self.options.lock().receive_buffer;
        {
            let mut state = self.state.lock();
            if state.groups >> (group - 1) & 1 == 0 {
                return;
            }
            if state.used >= limit {
                state.overrun |= state.flags & 1 << NETLINK_NO_ENOBUFS == 0;
            } else {
                state.used += message.len();
                state.answers.push_back(Message { bytes: message.to_vec(), group });
            }
        }
        self.queue.wake_all(POLLIN | POLLRDNORM);
    }

    /// Joins and leaves groups, of which a bit each is set.
    fn set_groups(&self, change: impl FnOnce(u64) -> u64) {
        let joined = {
            let mut state = self.state.lock();
            state.groups = change(state.groups);
            state.groups != 0
        };
        if joined && self.protocol == NETLINK_ROUTE {
            self.net.monitor.add(&self.net, self.me.clone());
        }
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
            let outcome = match self.protocol {
                NETLINK_ROUTE => route::answer(&self.net, &request, header, &mut out),
                _ => diag::answer(&self.net, &request, header, &mut out),
            };
            // A list says itself that it is complete. The same bits say something else of a change.
            let lists = flags & NLM_F_DUMP != 0 && (self.protocol != NETLINK_ROUTE || route::asks(&request));
            let confirmed = flags & NLM_F_ACK != 0 && !lists;
            if outcome.is_err() || confirmed {
                out.outcome(header, &request, outcome.err());
            }
            // A change says nothing where nobody asked for its outcome.
            answers.extend(Some(out.finish()).filter(|answer| !answer.is_empty()));
        }
        answers
    }
}

impl Socket for NetlinkSocket {
    fn wait_queue(&self) -> &Arc<WaitQueue> {
        &self.queue
    }

    fn is_stream(&self) -> bool {
        false
    }

    fn poll(&self) -> u32 {
        let state = self.state.lock();
        let events = POLLOUT | POLLWRNORM | POLLWRBAND | if state.answers.is_empty() { 0 } else { POLLIN | POLLRDNORM };
        events | if state.overrun { POLLERR } else { 0 }
    }

    fn bind(&self, to: &Address) -> Result<()> {
        let &Address::Netlink { port, groups } = to else { return Err(Errno::EINVAL) };
        {
            let mut state = self.state.lock();
            match state.port {
                Some(own) if port != own => return Err(Errno::EINVAL),
                None if port != 0 => state.port = Some(port),
                _ => {
                    state.port();
                }
            }
        }
        // Groups that an address cannot name stay as they are.
        self.set_groups(|all| all & !u64::from(u32::MAX) | u64::from(groups));
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
            Address::Unspecified { .. } | Address::Netlink { port: 0, .. } => {
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
            state.answers.extend(answers.into_iter().map(|bytes| Message { bytes, group: 0 }));
        }
        self.net.monitor.look(&self.net);
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
            if core::mem::take(&mut state.overrun) {
                return Err(Errno::ENOBUFS);
            }
            let first = state.answers.front().ok_or(Errno::EAGAIN)?;
            let (whole, group) = (first.bytes.len(), first.group);
            let stored = if sink.is_full() { 0 } else { sink.put(&first.bytes)? };
            let groups = 1u32.checked_shl(group.wrapping_sub(1)).unwrap_or(0);
            let told = state.flags & 1 << NETLINK_PKTINFO != 0;
            // `struct nl_pktinfo`: the group.
            let data = group.to_ne_bytes().to_vec();
            let controls = told.then_some(Control { level: SOL_NETLINK, kind: NETLINK_PKTINFO, data });
            if flags & MSG_PEEK == 0 {
                state.answers.pop_front();
                state.used = state.used.saturating_sub(whole);
            }
            Ok(Received {
                len: if flags & MSG_TRUNC != 0 { whole } else { stored },
                from: Some(Address::Netlink { port: 0, groups }),
                flags: if stored < whole { MSG_TRUNC } else { 0 },
                controls: controls.into_iter().collect(),
                ..Received::default()
            })
        })
    }

    fn shutdown(&self, _how: Shutdown) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn local_address(&self) -> Address {
        let state = self.state.lock();
        Address::Netlink { port: state.port.unwrap_or(0), groups: state.low_groups() }
    }

    fn peer_address(&self) -> Result<Address> {
        Ok(Address::Netlink { port: 0, groups: 0 })
    }

    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        match (level, name) {
            (SOL_SOCKET, _) => self.net.set_shared(&self.options, name, value),
            (SOL_NETLINK, NETLINK_ADD_MEMBERSHIP | NETLINK_DROP_MEMBERSHIP) => {
                let group = crate::options::int(value)? as u32;
                if group == 0 || group > MAX_GROUP {
                    return Err(Errno::EINVAL);
                }
                let bit = 1u64 << (group - 1);
                let joins = name == NETLINK_ADD_MEMBERSHIP;
                self.set_groups(|all| if joins { all | bit } else { all & !bit });
                Ok(())
            }
            (SOL_NETLINK, _) if FLAGS.contains(&name) => {
                let on = value.len() >= 4 && crate::options::int(value)? != 0;
                let mut state = self.state.lock();
                state.flags = state.flags & !(1 << name) | if on { 1 << name } else { 0 };
                Ok(())
            }
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn option(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        match (level, name) {
            (SOL_SOCKET, SO_ERROR | SO_ACCEPTCONN) => Ok(from_int(0)),
            (SOL_SOCKET, _) => self.net.shared(self, &self.options, name),
            (SOL_NETLINK, _) if FLAGS.contains(&name) => Ok(from_int(self.state.lock().flags >> name & 1)),
            (SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS) => Ok(self.state.lock().groups.to_ne_bytes().to_vec()),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn queued_input(&self) -> Result<usize> {
        Err(Errno::ENOTTY)
    }

    fn queued_output(&self) -> Result<usize> {
        Err(Errno::ENOTTY)
    }

    fn describe(&self) -> Option<Description> {
        let state = self.state.lock();
        Some(Description {
            family: AF_NETLINK,
            kind: self.kind as u8,
            protocol: self.protocol as u16,
            state: census::CLOSE,
            receive_queue: state.used as u32,
            send_queue: 0,
            inode: 0,
            uid: 0,
            names: Names::Netlink { port: state.port.unwrap_or(0), groups: state.low_groups() },
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
