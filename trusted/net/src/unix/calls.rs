//! The socket calls on a local socket.

use super::inbox::{Message, Part};
use super::{MAX_BACKLOG, Peer, Role, UnixSocket};
use crate::address::{AF_UNIX, Address, UnixAddress};
use crate::census::{Description, Names, state};
use crate::options::{Kind, from_int};
use crate::patience::Patience;
use crate::socket::{Credentials, Outgoing, Received, Shutdown, Socket};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::Ordering;
use rkt_linux_abi::{Errno, Result, general::*, net::*};
use rkt_sched::WaitQueue;
use rkt_user::{IoSink, IoSource};

/// What Linux takes off the send buffer for the largest message.
const MESSAGE_RESERVE: usize = 32;
/// Who sent where nobody said: the overflow user and group.
const NOBODY: Credentials = Credentials { pid: 0, uid: 65534, gid: 65534 };

impl UnixSocket {
    fn send_bytes(&self, source: &mut IoSource<'_>, message: &mut Outgoing<'_>) -> Result<usize> {
        let peer = match self.peer() {
            Some(_) if message.to.is_some() => return Err(Errno::EISCONN),
            None if message.to.is_some() => return Err(Errno::EOPNOTSUPP),
            peer => peer.ok_or(Errno::ENOTCONN)?,
        };
        self.check_write()?;
        let passes = self.options.lock().pass_credentials;
        peer.inbox.with_credentials(&mut message.ancillary, passes, self.net.hooks.credentials());
        if source.is_full() {
            return Ok(0);
        }
        let timeout = self.options.lock().send_timeout;
        let patience = Patience::new(message.nonblocking, message.flags, timeout);
        let outcome = patience.until(&self.queue, || {
            while !source.is_full() {
                self.check_write()?;
                if peer.inbox.write(source, &mut message.ancillary)? == 0 {
                    return Err(Errno::EAGAIN);
                }
            }
            Ok(())
        });
        match outcome {
            Err(error) if source.done() == 0 => Err(error),
            _ => Ok(source.done()),
        }
    }

    /// To whom a datagram goes.
    fn addressee(&self, to: Option<&Address>) -> Result<Arc<UnixSocket>> {
        match to {
            Some(Address::Unix(name)) => self.net.names.find(&*self.net.hooks, name, self.kind),
            Some(other) => Err(Self::name_of(other).err().unwrap_or(Errno::EINVAL)),
            None => {
                let peer = self.peer().ok_or(Errno::ENOTCONN)?;
                let socket = peer.socket.upgrade();
                if socket.is_none() {
                    self.set_role(Role::Idle);
                }
                socket.ok_or(Errno::ECONNREFUSED)
            }
        }
    }

    /// As a message, checked for its length.
    fn compose(&self, source: &mut IoSource<'_>, message: &mut Outgoing<'_>) -> Result<Message> {
        let len = source.remaining();
        if len > self.options.lock().send_buffer.saturating_sub(MESSAGE_RESERVE) {
            return Err(Errno::EMSGSIZE);
        }
        self.check_write()?;
        let mut payload = Vec::new();
        payload.try_reserve_exact(len).map_err(|_| Errno::ENOBUFS)?;
        payload.resize(len, 0);
        if len > 0 && source.take(&mut payload)? < len {
            return Err(Errno::EFAULT);
        }
        Ok(Message { from: self.name.clone(), payload, ancillary: core::mem::take(&mut message.ancillary) })
    }

    fn send_message(&self, source: &mut IoSource<'_>, message: &mut Outgoing<'_>) -> Result<usize> {
        let len = source.remaining();
        let passes = self.options.lock().pass_credentials;
        let credentials = self.net.hooks.credentials();
        let timeout = self.options.lock().send_timeout;
        let patience = Patience::new(message.nonblocking, message.flags, timeout);
        if self.kind == Kind::SeqPacket {
            if let Some(error) = self.inbox.take_error() {
                return Err(error);
            }
            let peer = self.peer().ok_or(Errno::ENOTCONN)?;
            peer.inbox.with_credentials(&mut message.ancillary, passes, credentials);
            let mut packet = Some(self.compose(source, message)?);
            patience.until(&self.queue, || {
                self.check_write()?;
                peer.inbox.push(&mut packet, false)
            })?;
            return Ok(len);
        }
        if let Some(to) = message.to {
            Self::name_of(to)?;
        }
        self.name_for_credentials()?;
        // Linux copies the message before it looks for whom it is.
        let mut packet = self.compose(source, message)?;
        let to = self.addressee(message.to)?;
        if !to.lets_in(self) {
            return Err(Errno::EPERM);
        }
        to.inbox.with_credentials(&mut packet.ancillary, passes, credentials);
        let mut packet = Some(packet);
        to.inbox.add_sender(&self.queue);
        let (inbox, stranger) = (to.inbox.clone(), !to.is_joined_to(self));
        // Holding the addressee would keep it from closing while this waits.
        let to = Arc::downgrade(&to);
        patience.until(&self.queue, || {
            self.check_write()?;
            if to.strong_count() == 0 {
                return Err(Errno::ECONNREFUSED);
            }
            inbox.push(&mut packet, stranger)
        })?;
        Ok(len)
    }

    fn check_write(&self) -> Result<()> {
        if self.state.lock().write_shut { Err(Errno::EPIPE) } else { Ok(()) }
    }

    /// What a read means for the caller.
    fn received(&self, part: Part, flags: u32) -> Received {
        let passes = self.options.lock().pass_credentials;
        let mut ancillary = part.ancillary;
        ancillary.credentials = passes.then(|| ancillary.credentials.unwrap_or(NOBODY));
        let message = self.kind != Kind::Stream;
        let named = message && part.from != UnixAddress::Unnamed;
        Received {
            len: if message && flags & MSG_TRUNC != 0 { part.whole } else { part.stored },
            from: named.then_some(Address::Unix(part.from)),
            flags: if part.stored < part.whole { MSG_TRUNC } else { 0 },
            ancillary,
            // Nothing is stamped when it comes: the time is that of now, as Linux's is.
            controls: self.options.lock().stamps.controls(0),
        }
    }

    /// What there is to say where nothing can be read.
    fn nothing_to_read(&self, waits: bool) -> Result<Part> {
        if let Some(error) = self.inbox.take_error() {
            return Err(error);
        }
        let ended = self.state.lock().read_shut || self.inbox.state().ended;
        // Of datagrams only who would wait is told that nothing will come (`__skb_wait_for_more_packets`).
        if ended && (waits || self.kind != Kind::Datagram) {
            let ancillary = Default::default();
            return Ok(Part { stored: 0, whole: 0, from: UnixAddress::Unnamed, ancillary });
        }
        Err(Errno::EAGAIN)
    }

    /// Binds or connects only to names.
    fn name_of(to: &Address) -> Result<&UnixAddress> {
        match to {
            Address::Unix(name) => Ok(name),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Who passes credentials gets a name before it talks to others (unix(7), SO_PASSCRED).
    fn name_for_credentials(&self) -> Result<()> {
        let passes = self.options.lock().pass_credentials;
        if passes && self.name.is_unnamed() { self.take_name(&UnixAddress::Unnamed) } else { Ok(()) }
    }

    /// The file system may wait: no lock is held. Of two at once, the later one's name stays.
    fn take_name(&self, name: &UnixAddress) -> Result<()> {
        let bound = self.net.names.bind(&*self.net.hooks, name, self.kind, &self.me)?;
        self.name.set(bound);
        Ok(())
    }
}

impl Socket for UnixSocket {
    fn wait_queue(&self) -> &Arc<WaitQueue> {
        &self.queue
    }

    fn is_stream(&self) -> bool {
        self.kind == Kind::Stream
    }

    fn poll(&self) -> u32 {
        const WRITABLE: u32 = POLLOUT | POLLWRNORM | POLLWRBAND;
        let (peer, read_shut, write_shut) = {
            let state = self.state.lock();
            let peer = match &state.role {
                Role::Listening { ready, .. } => return if ready.is_empty() { 0 } else { POLLIN | POLLRDNORM },
                Role::Connected(peer) => Some(peer.clone()),
                Role::Idle => None,
            };
            (peer, state.read_shut, state.write_shut)
        };
        let own = self.inbox.state();
        let theirs = peer.as_ref().map(|peer| peer.inbox.state());
        let connected = self.kind != Kind::Datagram;
        let no_reads = read_shut || own.ended;
        let no_writes = write_shut || (connected && theirs.as_ref().is_some_and(|theirs| theirs.abandoned));
        let mut events = 0;
        events |= if own.failed { POLLERR } else { 0 };
        events |= if no_reads && no_writes || (connected && peer.is_none()) { POLLHUP } else { 0 };
        events |= if no_reads { POLLRDHUP | POLLIN | POLLRDNORM } else { 0 };
        events |= if own.has_any { POLLIN | POLLRDNORM } else { 0 };
        let writable = theirs.is_none_or(|theirs| {
            let stranger = !connected && peer.is_some_and(|peer| !peer.is_joined_to(self));
            // Linux: at most a quarter of the send buffer is in use.
            theirs.abandoned || (theirs.room >= theirs.capacity / 4 && !(stranger && theirs.crowded))
        });
        events | if writable { WRITABLE } else { 0 }
    }

    fn bind(&self, to: &Address) -> Result<()> {
        let name = Self::name_of(to)?;
        match name {
            _ if self.name.is_unnamed() => self.take_name(name),
            // Any name will do, and it has one.
            UnixAddress::Unnamed => Ok(()),
            _ => Err(self.net.names.refusal(&*self.net.hooks, name)),
        }
    }

    fn listen(&self, backlog: i32) -> Result<()> {
        if self.kind == Kind::Datagram {
            return Err(Errno::EOPNOTSUPP);
        }
        let size = usize::try_from(backlog).unwrap_or(MAX_BACKLOG).min(MAX_BACKLOG);
        let mut state = self.state.lock();
        if self.name.is_unnamed() {
            return Err(Errno::EINVAL);
        }
        let fresh = match &mut state.role {
            Role::Connected(_) => return Err(Errno::EINVAL),
            Role::Listening { backlog, .. } => {
                *backlog = size;
                return Ok(());
            }
            Role::Idle => VecDeque::new(),
        };
        state.role = Role::Listening { ready: fresh, backlog: size, credentials: self.net.hooks.credentials() };
        Ok(())
    }

    fn accept(&self, nonblocking: bool) -> Result<(Arc<dyn Socket>, Address)> {
        if self.kind == Kind::Datagram {
            return Err(Errno::EOPNOTSUPP);
        }
        let timeout = self.options.lock().receive_timeout;
        let socket =
            Patience::new(nonblocking, 0, timeout).until(&self.queue, || match &mut self.state.lock().role {
                Role::Listening { ready, .. } => ready.pop_front().ok_or(Errno::EAGAIN),
                _ => Err(Errno::EINVAL),
            })?;
        // Who waits for room in the backlog.
        self.queue.wake_all(POLLOUT);
        let name = socket.peer().map_or(UnixAddress::Unnamed, |peer| peer.name.get());
        Ok((socket, Address::Unix(name)))
    }

    fn connect(&self, to: &Address, nonblocking: bool) -> Result<()> {
        if matches!(to, Address::Unspecified { .. }) && self.kind == Kind::Datagram {
            self.set_role(Role::Idle);
            return Ok(());
        }
        let name = Self::name_of(to)?;
        if self.kind == Kind::Datagram {
            self.name_for_credentials()?;
            let other = self.net.names.find(&*self.net.hooks, name, self.kind)?;
            if !other.lets_in(self) {
                return Err(Errno::EPERM);
            }
            self.join(&other, self.net.hooks.credentials());
            return Ok(());
        }
        self.name_for_credentials()?;
        let listener = self.net.names.find(&*self.net.hooks, name, self.kind)?;
        let timeout = self.options.lock().send_timeout;
        // Holding the listener would keep it from closing while this waits.
        let (queue, listener) = (listener.queue.clone(), Arc::downgrade(&listener));
        Patience::new(nonblocking, 0, timeout)
            .until(&queue, || self.connect_to(&listener.upgrade().ok_or(Errno::ECONNREFUSED)?))
    }

    fn send(&self, source: &mut IoSource<'_>, message: &mut Outgoing<'_>) -> Result<usize> {
        if message.flags & MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        // No bytes are no name.
        message.to = message.to.filter(|to| !matches!(to, Address::Unusable { len: 0 }));
        match self.kind {
            Kind::Stream => self.send_bytes(source, message),
            _ => self.send_message(source, message),
        }
    }

    fn receive(&self, sink: &mut IoSink<'_>, flags: u32, nonblocking: bool) -> Result<Received> {
        let connected = self.peer().is_some();
        match self.kind {
            Kind::Stream if !connected => return Err(Errno::EINVAL),
            Kind::SeqPacket if !connected => return Err(Errno::ENOTCONN),
            _ if flags & MSG_OOB != 0 => return Err(Errno::EOPNOTSUPP),
            _ => {}
        }
        let peek = flags & MSG_PEEK != 0;
        let all = flags & MSG_WAITALL != 0 && self.kind == Kind::Stream && !peek;
        let (timeout, start) = {
            let options = self.options.lock();
            (options.receive_timeout, options.peek_start())
        };
        let place = peek.then_some(start);
        let mut sum: Option<Part> = None;
        let patience = Patience::new(nonblocking, flags, timeout);
        // Goes on while there is progress: who waits must have seen nothing left and no end.
        let outcome = patience.until(&self.queue, || {
            loop {
                let part = match self.inbox.read(sink, place) {
                    // Came between the two looks.
                    Err(Errno::EAGAIN) if self.inbox.state().has_behind(place.unwrap_or(0)) => continue,
                    Err(Errno::EAGAIN) => match self.nothing_to_read(patience.waits()) {
                        Ok(_) if self.inbox.state().has_behind(place.unwrap_or(0)) => continue,
                        other => other?,
                    },
                    other => other?,
                };
                let more = all && !sink.is_full() && part.stored > 0 && part.ancillary.rights.is_empty();
                match &mut sum {
                    Some(sum) => {
                        sum.stored += part.stored;
                        sum.whole += part.whole;
                        sum.ancillary = part.ancillary;
                    }
                    None => sum = Some(part),
                }
                if !more {
                    return Ok(());
                }
            }
        });
        match (outcome, sum) {
            (outcome, Some(part)) if part.stored > 0 || outcome.is_ok() => {
                let len = if peek || self.kind == Kind::Stream { part.stored } else { part.whole };
                self.options.lock().advance(peek, len);
                Ok(self.received(part, flags))
            }
            (Err(error), _) => Err(error),
            (Ok(()), _) => Ok(Received::default()),
        }
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        let peer = {
            let mut state = self.state.lock();
            state.read_shut |= how.reads();
            state.write_shut |= how.writes();
            match &state.role {
                Role::Connected(peer) if self.kind != Kind::Datagram => Some(peer.clone()),
                _ => None,
            }
        };
        if let Some(peer) = peer
            && how.writes()
        {
            peer.inbox.end(None);
        }
        if how.reads() {
            self.inbox.abandon();
        }
        self.queue.wake_all(POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
        Ok(())
    }

    fn local_address(&self) -> Address {
        Address::Unix(self.name.get())
    }

    fn peer_address(&self) -> Result<Address> {
        self.peer().map(|peer| Address::Unix(peer.name.get())).ok_or(Errno::ENOTCONN)
    }

    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        if level != SOL_SOCKET {
            return Err(Errno::EOPNOTSUPP);
        }
        self.net.set_shared(&self.options, name, value)?;
        let options = self.options.lock();
        self.inbox.wants_credentials.store(options.pass_credentials, Ordering::Relaxed);
        self.inbox.set_limit(options.receive_buffer);
        Ok(())
    }

    fn option(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        match (level, name) {
            (SOL_SOCKET, SO_ERROR) => Ok(from_int(self.inbox.take_error().map_or(0, Errno::raw))),
            (SOL_SOCKET, SO_ACCEPTCONN) => Ok(from_int(matches!(self.state.lock().role, Role::Listening { .. }))),
            (SOL_SOCKET, SO_PEERCRED) => {
                let credentials = match &self.state.lock().role {
                    Role::Connected(Peer { credentials, .. }) | Role::Listening { credentials, .. } => *credentials,
                    Role::Idle => Credentials::NONE,
                };
                Ok(credentials.encode().to_vec())
            }
            (SOL_SOCKET, _) => self.net.shared(self, &self.options, name),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    fn queued_input(&self) -> Result<usize> {
        match self.state.lock().role {
            Role::Listening { .. } => Err(Errno::EINVAL),
            // Of sequenced packets all count (unix_inq_len).
            _ if self.kind == Kind::SeqPacket => Ok(self.inbox.state().queued),
            _ => Ok(self.inbox.state().readable),
        }
    }

    fn at_mark(&self) -> Result<bool> {
        // A stream has no urgent data.
        if self.kind == Kind::Stream { Ok(false) } else { Err(Errno::ENOTTY) }
    }

    fn queued_output(&self) -> Result<usize> {
        match &self.state.lock().role {
            Role::Connected(peer) => Ok(peer.inbox.state().used),
            Role::Listening { .. } | Role::Idle => Ok(0),
        }
    }

    fn describe(&self) -> Option<Description> {
        let (state, receive_queue, send_queue) = match &self.state.lock().role {
            Role::Listening { ready, backlog, .. } => (state::LISTEN, ready.len(), *backlog),
            Role::Connected(peer) => (state::ESTABLISHED, self.inbox.state().used, peer.inbox.state().used),
            Role::Idle => (state::CLOSE, self.inbox.state().used, 0),
        };
        let peer = self.peer().and_then(|peer| peer.socket.upgrade());
        Some(Description {
            family: AF_UNIX,
            kind: self.kind as u8,
            protocol: 0,
            state,
            receive_queue: receive_queue as u32,
            send_queue: send_queue as u32,
            inode: 0,
            uid: 0,
            names: Names::Unix {
                name: self.name.get(),
                peer: peer.map_or(0, |peer| peer.inode.load(Ordering::Relaxed)),
            },
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Peer {
    /// Whether the peer's peer is `other`.
    fn is_joined_to(&self, other: &UnixSocket) -> bool {
        self.socket.upgrade().is_some_and(|socket| socket.is_joined_to(other))
    }
}
