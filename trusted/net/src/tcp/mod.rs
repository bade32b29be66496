//! TCP sockets (tcp(7)): Linux's semantics over a [`Connection`], wherever it leads.

mod info;
mod listener;
mod loopback;
mod options;

pub(crate) use listener::Listener;

use crate::address::{Address, destination};
use crate::bind::Binder;
use crate::census::{Description, Names, state};
use crate::error_queue::ErrorQueue;
use crate::options::{Kind, Options, from_int};
use crate::patience::Patience;
use crate::ports::{Binding, Sharing, random};
use crate::socket::{Control, MSG_FASTOPEN, MSG_ZEROCOPY, Outgoing, Received, Shutdown, Socket};
use crate::stack::{Connection, Guard, Manner, Phase};
use crate::statistics::{Count, Family};
use crate::{NetStack, address};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use options::TcpOptions;
use rkt_linux_abi::{Errno, Result, general::*, net::*};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_tcp::{Config, SendFlags, Setting};
use rkt_user::{IoSink, IoSource};

/// Ports that connect(2) tries at most if it may choose.
const MAX_PORTS: usize = 16;

/// Bytes of receive buffer, and so of the window that is offered.
pub(crate) const MAX_WINDOW: usize = 256 << 10;

/// What the socket is at the moment.
enum Role {
    /// Neither listens nor connects.
    Idle,
    /// With what keeps the port open at the stack.
    Listening(Arc<Listener>, #[allow(dead_code)] Option<Guard>),
    /// connect(2) was called and has not yet reported success.
    Connecting(Arc<dyn Connection>),
    Connected(Arc<dyn Connection>),
}

struct State {
    role: Role,
    binding: Option<Arc<Binding<Listener>>>,
    /// The application chose the port by bind(2).
    bound: bool,
    read_shut: bool,
    write_shut: bool,
    v6_only: bool,
    /// The port that was given out before.
    last_port: u16,
    /// What SO_ERROR tells, of a connection that is no more.
    error: Option<Errno>,
}

/// A TCP socket.
pub(crate) struct TcpSocket {
    net: Arc<NetStack>,
    v6: bool,
    queue: Arc<WaitQueue>,
    options: Mutex<Options>,
    tcp: Mutex<TcpOptions>,
    state: Mutex<State>,
    errors: Mutex<ErrorQueue>,
}

impl TcpSocket {
    /// A fresh socket of AF_INET or AF_INET6.
    pub fn new(net: Arc<NetStack>, v6: bool) -> Arc<Self> {
        Self::with_role(net, v6, Arc::new(WaitQueue::new()), Role::Idle, None)
    }

    fn with_role(
        net: Arc<NetStack>,
        v6: bool,
        queue: Arc<WaitQueue>,
        role: Role,
        binding: Option<Arc<Binding<Listener>>>,
    ) -> Arc<Self> {
        let family = if v6 { address::AF_INET6 } else { address::AF_INET };
        let state = State {
            role,
            binding,
            bound: false,
            last_port: 0,
            read_shut: false,
            write_shut: false,
            v6_only: false,
            error: None,
        };
        Arc::new(Self {
            net,
            v6,
            queue,
            options: Mutex::new(Options::stream(family, IPPROTO_TCP as u32)),
            tcp: Mutex::new(TcpOptions::new(v6)),
            state: Mutex::new(state),
            errors: Mutex::default(),
        })
    }

    fn wildcard(&self) -> IpAddr {
        if self.v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
    }

    fn sharing(&self, state: &State) -> Sharing {
        let options = self.options.lock();
        Sharing { reuse_address: options.reuse_address, reuse_port: options.reuse_port, v6_only: state.v6_only }
    }

    /// Binds to a free port if the socket is not bound.
    fn auto_bind(&self, state: &mut State, ip: IpAddr) -> Result<Arc<Binding<Listener>>> {
        if let Some(binding) = &state.binding {
            return Ok(binding.clone());
        }
        let binding = self.net.tcp_ports.bind((ip, 0).into(), self.sharing(state)).map_err(|error| match error {
            Errno::EADDRINUSE => Errno::EADDRNOTAVAIL,
            other => other,
        })?;
        Ok(state.binding.insert(Arc::new(binding)).clone())
    }

    /// Starts the handshake with `to`; from another port if the one that was given out has a connection there that
    /// dies out.
    fn start(&self, state: &mut State, to: SocketAddr) -> Result<Arc<dyn Connection>> {
        for _ in 1..MAX_PORTS {
            match self.start_once(state, to) {
                Err(Errno::EADDRNOTAVAIL) if !state.bound => state.binding = None,
                outcome => return outcome,
            }
        }
        self.start_once(state, to)
    }

    /// Where connect(2) is to go.
    fn destination(&self, state: &State, to: &Address) -> Result<SocketAddr> {
        if !self.v6 {
            return Ok(destination(to.own_v4()?.into()));
        }
        let to = Address::canonical(to.own_v6()?.into());
        if to.is_ipv4() && state.v6_only { Err(Errno::ENETUNREACH) } else { Ok(destination(to)) }
    }

    fn start_once(&self, state: &mut State, to: SocketAddr) -> Result<Arc<dyn Connection>> {
        let local = self.net.is_local(to.ip());
        let device = self.options.lock().device;
        let source = self.net.source(to.ip(), device)?;
        let binding = self.auto_bind(state, source)?;
        let from = match binding.address() {
            any if any.ip().is_unspecified() => (source, any.port()).into(),
            bound => bound,
        };
        match (from.is_ipv4(), to.is_ipv4()) {
            (true, false) => return Err(Errno::EAFNOSUPPORT),
            (false, true) => return Err(Errno::ENETUNREACH),
            _ => {}
        }
        let connection: Arc<dyn Connection> = if local {
            let count = |what| self.net.statistics.count(Family::V4, what);
            count(Count::TcpActiveOpens);
            let listeners = self.net.tcp_ports.owners(to);
            let chosen = (random() as usize).checked_rem(listeners.len()).unwrap_or(0);
            match listeners.get(chosen) {
                Some(listener) => {
                    count(Count::TcpPassiveOpens);
                    listener.connect(from, to, self.queue.clone())
                }
                None => {
                    count(Count::TcpAttemptFails);
                    loopback::refused(from, to, self.queue.clone())
                }
            }
        } else {
            let stack = self.net.stack().ok_or(Errno::ENETUNREACH)?;
            let manner = self.tcp.lock().manner(to.ip());
            let manner = Manner { interface: device.or(manner.interface), ..manner };
            stack.connect(from, to, self.queue.clone(), &self.config(), &manner)?
        };
        self.apply_options(&*connection);
        Ok(connection)
    }

    /// What connections start with.
    fn config(&self) -> Config {
        let tcp = self.tcp.lock();
        tcp.config(&self.options.lock())
    }

    /// Options that a connection's configuration does not have.
    fn apply_options(&self, connection: &dyn Connection) {
        connection.set(Setting::UrgentInline(self.options.lock().urgent_inline()));
        if !self.tcp.lock().quick_ack() {
            connection.set(Setting::QuickAck(false));
        }
        connection.set_manner(&self.tcp.lock().manner(connection.peer().ip()));
    }

    /// Back to where it was before connect(2) or listen(2). The old role is for the caller to drop after the lock.
    #[must_use]
    fn go_idle(state: &mut State) -> (Role, Option<Arc<Binding<Listener>>>) {
        state.read_shut = false;
        state.write_shut = false;
        let binding = if state.bound { None } else { state.binding.take() };
        // A port that was given out is free again, and still shown.
        state.last_port = binding.as_ref().map_or(state.last_port, |binding| binding.address().port());
        state.error = None;
        (core::mem::replace(&mut state.role, Role::Idle), binding)
    }

    /// connect(2) with AF_UNSPEC; also shutdown(2) of what is not connected yet.
    fn disconnect(&self) {
        let old = {
            let mut state = self.state.lock();
            let open = matches!(&state.role, Role::Connected(connection) if connection.status().phase == Phase::Open);
            let old = Self::go_idle(&mut state);
            // What is cut off is told once (tcp_disconnect).
            state.error = open.then_some(Errno::ECONNRESET);
            old
        };
        match &old.0 {
            Role::Listening(listener, _) => listener.close(),
            Role::Connecting(connection) | Role::Connected(connection) => connection.abort(),
            Role::Idle => {}
        }
        self.queue.wake_all(POLLHUP | POLLOUT);
    }

    fn connection(&self) -> Option<Arc<dyn Connection>> {
        match &self.state.lock().role {
            Role::Connecting(connection) | Role::Connected(connection) => Some(connection.clone()),
            _ => None,
        }
    }

    /// Waits for the end of the handshake.
    fn finish_connect(&self, connection: &Arc<dyn Connection>, first: bool, nonblocking: bool) -> Result<()> {
        let timeout = self.options.lock().send_timeout;
        let outcome = Patience::new(nonblocking, 0, timeout).until(&self.queue, || match connection.status().phase {
            Phase::Connecting => Err(Errno::EAGAIN),
            Phase::Open => Ok(Ok(())),
            Phase::Closed => Ok(Err(connection.take_error().unwrap_or(Errno::ECONNABORTED))),
        });
        let outcome = match outcome {
            Err(Errno::EAGAIN) if first => return Err(Errno::EINPROGRESS),
            Err(Errno::EAGAIN) => return Err(Errno::EALREADY),
            Err(signal) => return Err(signal),
            Ok(outcome) => outcome,
        };
        let mut state = self.state.lock();
        let current = matches!(&state.role, Role::Connecting(now) if Arc::ptr_eq(now, connection));
        let mut old = None;
        match outcome {
            Ok(()) if current => state.role = Role::Connected(connection.clone()),
            Err(_) if current => old = Some(Self::go_idle(&mut state)),
            _ => {}
        }
        drop(state);
        drop(old);
        outcome
    }

    /// `POLL*` bits of a connection, as Linux's `tcp_poll` has them.
    fn poll_connection(&self, connection: &dyn Connection, read_shut: bool, write_shut: bool) -> u32 {
        let status = connection.status();
        if status.phase == Phase::Connecting {
            return 0;
        }
        let closed = status.phase == Phase::Closed;
        let no_reads = read_shut || status.finished || closed;
        let no_writes = write_shut || closed;
        let mut events = 0;
        if no_reads && no_writes {
            events |= POLLHUP;
        }
        if no_reads {
            events |= POLLIN | POLLRDNORM | POLLRDHUP;
        }
        if status.readable > 0 && status.readable >= self.options.lock().receive_low {
            events |= POLLIN | POLLRDNORM;
        }
        if no_writes || status.writable {
            events |= POLLOUT | POLLWRNORM;
        }
        if status.urgent {
            events |= POLLPRI;
        }
        if status.failed || !self.errors.lock().is_empty() {
            events |= POLLERR;
        }
        events
    }
}

impl TcpSocket {
    /// sendmsg(2) with MSG_FASTOPEN: connects first. There is never a cookie by which the data could go with the SYN
    /// (RFC 7413 §4.1.3), as if each peer were met for the first time.
    fn open_fast(&self, message: &Outgoing<'_>) -> Result<()> {
        match message.to {
            None if !matches!(self.state.lock().role, Role::Idle) => Err(Errno::EISCONN),
            Some(Address::Unspecified { .. }) => Err(Errno::EOPNOTSUPP),
            Some(to) => self.connect(to, message.nonblocking || message.flags & MSG_DONTWAIT != 0),
            None => Err(Errno::EINVAL),
        }
    }

    /// What TCP_INFO is about.
    fn subject(&self) -> info::Subject {
        if let Role::Listening(listener, _) = &self.state.lock().role {
            let (waiting, most) = listener.fill();
            return info::Subject::Listening(waiting, most);
        }
        match self.connection() {
            Some(connection) => {
                let ended = self.state.lock().write_shut;
                info::Subject::Connection(connection.status(), connection.info().map(Box::new), ended)
            }
            None => info::Subject::Idle,
        }
    }

    /// What TCP_INQ tells who received: the bytes that are left.
    fn left(&self, connection: &dyn Connection) -> Vec<Control> {
        /// TCP_CM_INQ of linux/tcp.h.
        const LEFT: u32 = TCP_INQ;
        if !self.tcp.lock().tell_left {
            return Vec::new();
        }
        let status = connection.status();
        // One more than nothing where the end is next.
        let left = if status.readable == 0 && status.finished { 1 } else { status.readable };
        Vec::from([Control { level: SOL_TCP, kind: LEFT, data: from_int(left) }])
    }

    fn change_tcp(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        self.net.check_privilege(level, name, value)?;
        let in_time = match (level, name, &self.state.lock().role) {
            (SOL_TCP, TCP_FASTOPEN | TCP_FASTOPEN_NO_COOKIE, role) => matches!(role, Role::Idle | Role::Listening(..)),
            (SOL_TCP, TCP_FASTOPEN_CONNECT, role) => matches!(role, Role::Idle),
            _ => true,
        };
        if !in_time {
            return Err(Errno::EINVAL);
        }
        let interfaces = self.net.interfaces_for(level, name);
        let mut tcp = self.tcp.lock();
        let before = tcp.class();
        tcp.set(level, name, value, &interfaces)?;
        if tcp.class() != before {
            self.options.lock().follow_class(tcp.class());
        }
        Ok(())
    }

    /// IP_MTU and IPV6_MTU: of the path to the peer.
    fn mtu(&self) -> Result<Vec<u8>> {
        let peer = self.connection().ok_or(Errno::ENOTCONN)?.peer().ip();
        self.net.mtu_to(peer).map(from_int)
    }

    /// TCP_MAXSEG of a connection.
    fn segment_size(&self) -> Option<u32> {
        let connection = self.connection()?;
        if connection.status().phase != Phase::Open {
            return None;
        }
        Some(connection.info().map_or(loopback_mss(), |info| info.snd_mss))
    }
}

/// The segment size of the loopback: its MTU less the headers and the timestamps.
fn loopback_mss() -> u32 {
    65_483
}

/// recv(2) with MSG_OOB.
fn receive_urgent(connection: &dyn Connection, sink: &mut IoSink<'_>, flags: u32) -> Result<Received> {
    let byte = connection.receive_urgent(flags & MSG_PEEK != 0)?;
    let len = if sink.is_full() { 0 } else { sink.put(&[byte])? };
    Ok(Received { len, flags: MSG_OOB, ..Received::default() })
}

impl Socket for TcpSocket {
    fn wait_queue(&self) -> &Arc<WaitQueue> {
        &self.queue
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn poll(&self) -> u32 {
        let (connection, read_shut, write_shut) = {
            let state = self.state.lock();
            match &state.role {
                Role::Idle => {
                    let ended = if state.read_shut { POLLIN | POLLRDNORM | POLLRDHUP } else { 0 };
                    let failed = if state.error.is_some() { POLLERR } else { 0 };
                    return POLLOUT | POLLWRNORM | POLLHUP | ended | failed;
                }
                Role::Listening(listener, _) => return if listener.is_ready() { POLLIN | POLLRDNORM } else { 0 },
                Role::Connecting(connection) | Role::Connected(connection) => {
                    (connection.clone(), state.read_shut, state.write_shut)
                }
            }
        };
        self.poll_connection(&*connection, read_shut, write_shut)
    }

    fn bind(&self, to: &Address) -> Result<()> {
        let free = self.tcp.lock().binds_freely();
        let device = self.options.lock().device;
        let mut state = self.state.lock();
        let to = self.net.bindable(
            to,
            &Binder {
                v6: self.v6,
                stream: true,
                v6_only: state.v6_only,
                free,
                bound: state.binding.is_some() || !matches!(state.role, Role::Idle),
                device,
            },
        )?;
        let binding = self.net.tcp_ports.bind(to, self.sharing(&state))?;
        state.binding = Some(Arc::new(binding));
        state.bound = true;
        Ok(())
    }

    fn listen(&self, backlog: i32) -> Result<()> {
        let mut state = self.state.lock();
        match &state.role {
            Role::Idle => {}
            Role::Listening(listener, _) => {
                listener.set_backlog(backlog);
                return Ok(());
            }
            _ => return Err(Errno::EINVAL),
        }
        let binding = self.auto_bind(&mut state, self.wildcard())?;
        let listener = Listener::new(self.queue.clone(), backlog);
        binding.own(&listener, true)?;
        listener.set_defer(self.tcp.lock().defer());
        let (ip, port) = (binding.address().ip(), binding.address().port());
        let guard = match self.net.stack().filter(|_| !ip.is_loopback()) {
            Some(stack) => {
                let address = (!ip.is_unspecified()).then_some(ip);
                // A wildcard of IPv4 takes no connections of IPv6.
                let v6_only = ip.is_ipv6() && state.v6_only;
                let address = if address.is_none() && ip.is_ipv4() { Some(ip) } else { address };
                Some(stack.listen(address, v6_only, port, listener.clone(), &self.config())?)
            }
            None => None,
        };
        state.role = Role::Listening(listener, guard);
        Ok(())
    }

    fn accept(&self, nonblocking: bool) -> Result<(Arc<dyn Socket>, Address)> {
        let (listener, binding) = match &*self.state.lock() {
            State { role: Role::Listening(listener, _), binding, .. } => (listener.clone(), binding.clone()),
            _ => return Err(Errno::EINVAL),
        };
        let timeout = self.options.lock().receive_timeout;
        let connection = Patience::new(nonblocking, 0, timeout).until(&self.queue, || listener.accept())?;
        let (peer, queue) = (connection.peer(), connection.queue().clone());
        let role = Role::Connected(connection.clone());
        let socket = Self::with_role(self.net.clone(), self.v6, queue, role, binding);
        socket.options.lock().inherit(&self.options.lock());
        *socket.tcp.lock() = self.tcp.lock().clone();
        socket.apply_options(&*connection);
        Ok((socket, Address::shown(peer, self.v6)))
    }

    fn connect(&self, to: &Address, nonblocking: bool) -> Result<()> {
        if matches!(to, Address::Unspecified { .. }) {
            self.disconnect();
            return Ok(());
        }
        let (connection, first) = {
            let mut state = self.state.lock();
            match &state.role {
                Role::Listening(..) | Role::Connected(_) => return Err(Errno::EISCONN),
                Role::Connecting(connection) => (connection.clone(), false),
                Role::Idle => match self.destination(&state, to).and_then(|to| self.start(&mut state, to)) {
                    Ok(connection) => {
                        state.role = Role::Connecting(connection.clone());
                        (connection, true)
                    }
                    Err(error) => {
                        let old = Self::go_idle(&mut state);
                        drop(state);
                        drop(old);
                        return Err(error);
                    }
                },
            }
        };
        // The answer to a SYN is looked at when the call is over, even where the peer is this
        // machine (Linux handles it from the socket's backlog).
        if first && nonblocking {
            return Err(Errno::EINPROGRESS);
        }
        self.finish_connect(&connection, first, nonblocking)
    }

    fn send(&self, source: &mut IoSource<'_>, message: &mut Outgoing<'_>) -> Result<usize> {
        if message.flags & MSG_FASTOPEN != 0 {
            self.open_fast(message)?;
        }
        let connection = match &*self.state.lock() {
            State { write_shut: true, .. } => return Err(Errno::EPIPE),
            State { role: Role::Connecting(connection) | Role::Connected(connection), .. } => connection.clone(),
            _ => return Err(Errno::EPIPE),
        };
        let mut flags = SendFlags::empty();
        flags.set(SendFlags::MORE, message.flags & MSG_MORE != 0);
        flags.set(SendFlags::URGENT, message.flags & MSG_OOB != 0);
        let timeout = self.options.lock().send_timeout;
        let outcome = Patience::new(message.nonblocking, message.flags, timeout).until(&self.queue, || {
            loop {
                let n = connection.send(source, flags).map_err(|error| match error {
                    Errno::EPIPE => connection.take_error().unwrap_or(Errno::EPIPE),
                    other => other,
                })?;
                if source.is_full() {
                    return Ok(());
                }
                if n == 0 {
                    return Err(Errno::EAGAIN);
                }
            }
        });
        if message.flags & MSG_ZEROCOPY != 0 && source.done() > 0 && self.options.lock().kept(SO_ZEROCOPY) != 0 {
            self.errors.lock().push_copied();
        }
        match outcome {
            Err(error) if source.done() == 0 => Err(error),
            _ => Ok(source.done()),
        }
    }

    fn receive(&self, sink: &mut IoSink<'_>, flags: u32, nonblocking: bool) -> Result<Received> {
        if flags & MSG_ERRQUEUE != 0 {
            // Errors of a connection are told by the calls themselves; what waits is about MSG_ZEROCOPY.
            let stamps = self.options.lock().stamps;
            return self.errors.lock().receive(sink, self.v6, stamps).map(|(received, _)| received);
        }
        let (connection, read_shut) = match &*self.state.lock() {
            State { role: Role::Connecting(connection) | Role::Connected(connection), read_shut, .. } => {
                (connection.clone(), *read_shut)
            }
            State { role: Role::Idle, .. } if flags & MSG_OOB != 0 => return Err(Errno::EINVAL),
            State { role: Role::Idle, read_shut: true, .. } => return Ok(Received::default()),
            _ => return Err(Errno::ENOTCONN),
        };
        if flags & MSG_OOB != 0 {
            return receive_urgent(&*connection, sink, flags);
        }
        if flags & MSG_TRUNC != 0 {
            sink.discard();
        }
        let (timeout, start) = {
            let options = self.options.lock();
            (options.receive_timeout, options.peek_start())
        };
        let peek = (flags & MSG_PEEK != 0).then_some(start);
        let all = flags & MSG_WAITALL != 0 && peek.is_none();
        let outcome = Patience::new(nonblocking, flags, timeout).until(&self.queue, || {
            loop {
                if connection.receive(sink, peek)? > 0 && (!all || sink.is_full()) {
                    return Ok(());
                }
                let status = connection.status();
                let readable = status.readable.saturating_sub(peek.unwrap_or(0));
                if readable > 0 && sink.is_full() {
                    // Who asks for no bytes waits for some.
                    return Ok(());
                }
                if readable > 0 {
                    continue; // came between the two looks
                }
                if sink.done() > 0 && (status.failed || status.finished || status.phase == Phase::Closed) {
                    return Ok(());
                }
                return match connection.take_error() {
                    // A FIN that came before the reset counts (SOCK_DONE of Linux).
                    Some(error) if !status.finished => Err(error),
                    _ if status.finished || read_shut || status.phase == Phase::Closed => Ok(()),
                    _ => Err(Errno::EAGAIN),
                };
            }
        });
        match outcome {
            Err(error) if sink.done() == 0 => Err(error),
            _ => {
                let mut options = self.options.lock();
                options.advance(peek.is_some(), sink.done());
                // Bytes are not stamped when they come: the time is that of now.
                let mut controls = options.stamps.controls(0);
                drop(options);
                controls.extend(self.left(&*connection));
                Ok(Received { len: sink.done(), controls, ..Received::default() })
            }
        }
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        let connection = {
            let mut state = self.state.lock();
            let connection = match &state.role {
                Role::Idle => {
                    // Linux remembers it all the same.
                    state.read_shut |= how.reads();
                    state.write_shut |= how.writes();
                    return Err(Errno::ENOTCONN);
                }
                Role::Listening(..) => None,
                Role::Connecting(connection) | Role::Connected(connection) => match connection.status().phase {
                    Phase::Connecting => None,
                    Phase::Open => Some(connection.clone()),
                    Phase::Closed => return Err(Errno::ENOTCONN),
                },
            };
            if connection.is_some() {
                state.read_shut |= how.reads();
                state.write_shut |= how.writes();
            }
            connection
        };
        match connection {
            Some(connection) => {
                if how.writes() {
                    connection.finish();
                }
                self.queue.wake_all(if how.reads() { POLLIN | POLLRDHUP | POLLHUP } else { POLLHUP });
            }
            None if how.reads() => self.disconnect(),
            None => {}
        }
        Ok(())
    }

    fn local_address(&self) -> Address {
        let state = self.state.lock();
        let addr = match (&state.role, &state.binding) {
            (Role::Connecting(connection) | Role::Connected(connection), _) => connection.local(),
            (_, Some(binding)) => binding.address(),
            (_, None) => (self.wildcard(), state.last_port).into(),
        };
        Address::shown(addr, self.v6)
    }

    fn peer_address(&self) -> Result<Address> {
        match self.connection() {
            Some(connection) if connection.status().phase == Phase::Open => {
                Ok(Address::shown(connection.peer(), self.v6))
            }
            _ => Err(Errno::ENOTCONN),
        }
    }

    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        match level {
            SOL_SOCKET => self.net.set_shared(&self.options, name, value)?,
            SOL_IPV6 if name == IPV6_V6ONLY && self.v6 => {
                let mut state = self.state.lock();
                if state.binding.is_some() {
                    return Err(Errno::EINVAL);
                }
                state.v6_only = crate::options::int(value)? != 0;
            }
            SOL_TCP | SOL_IP => self.change_tcp(level, name, value)?,
            SOL_IPV6 if self.v6 => self.change_tcp(level, name, value)?,
            _ => return Err(Errno::ENOPROTOOPT),
        }
        let setting = {
            let tcp = self.tcp.lock();
            tcp.setting(&self.options.lock(), level, name)
        };
        let Some(connection) = self.connection() else { return Ok(()) };
        if let Some(setting) = setting {
            connection.set(setting);
        }
        if matches!(level, SOL_IP | SOL_IPV6) {
            connection.set_manner(&self.tcp.lock().manner(connection.peer().ip()));
        }
        Ok(())
    }

    fn option(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        match (level, name) {
            (SOL_SOCKET, SO_ERROR) => {
                let own = self.state.lock().error.take();
                let error = own.or_else(|| self.connection().and_then(|connection| connection.take_error()));
                Ok(from_int(error.map_or(0, Errno::raw)))
            }
            (SOL_SOCKET, SO_ACCEPTCONN) => Ok(from_int(matches!(self.state.lock().role, Role::Listening(..)))),
            (SOL_SOCKET, SO_RCVBUF | SO_SNDBUF) => {
                let info = self.connection().and_then(|connection| connection.info());
                match info {
                    Some(info) if name == SO_RCVBUF => Ok(from_int(info.receive_buffer)),
                    Some(info) => Ok(from_int(info.send_buffer)),
                    None => self.options.lock().get(name),
                }
            }
            (SOL_SOCKET, _) => self.net.shared(self, &self.options, name),
            (SOL_IPV6, IPV6_V6ONLY) if self.v6 => Ok(from_int(self.state.lock().v6_only)),
            (SOL_IP, IP_MTU) => self.mtu(),
            (SOL_IPV6, IPV6_MTU) if self.v6 => self.mtu(),
            (SOL_TCP, TCP_INFO) => Ok(info::tcp_info(&self.subject())),
            (SOL_TCP | SOL_IP, _) => self.tcp.lock().get(level, name, self.segment_size()),
            (SOL_IPV6, _) if self.v6 => self.tcp.lock().get(level, name, None),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    fn at_mark(&self) -> Result<bool> {
        Ok(self.connection().is_some_and(|connection| connection.at_mark()))
    }

    fn queued_input(&self) -> Result<usize> {
        match &self.state.lock().role {
            Role::Listening(..) => Err(Errno::EINVAL),
            Role::Idle => Ok(0),
            Role::Connecting(connection) | Role::Connected(connection) => Ok(connection.status().readable),
        }
    }

    fn queued_output(&self) -> Result<usize> {
        match &self.state.lock().role {
            Role::Listening(..) => Err(Errno::EINVAL),
            Role::Idle => Ok(0),
            Role::Connecting(connection) | Role::Connected(connection) => Ok(connection.status().unacknowledged),
        }
    }

    fn describe(&self) -> Option<Description> {
        let Address::Inet(local) = self.local_address() else { return None };
        let subject = self.subject();
        let (receive_queue, send_queue) = match &subject {
            info::Subject::Idle => (0, 0),
            info::Subject::Listening(waiting, most) => (*waiting, *most),
            info::Subject::Connection(status, ..) => (status.readable, status.unacknowledged),
        };
        let info = info::tcp_info(&subject);
        Some(Description {
            family: if self.v6 { address::AF_INET6 } else { address::AF_INET },
            kind: Kind::Stream as u8,
            protocol: IPPROTO_TCP as u16,
            state: info.first().copied().unwrap_or(state::CLOSE),
            receive_queue: receive_queue as u32,
            send_queue: send_queue as u32,
            inode: 0,
            uid: 0,
            names: Names::Internet {
                local,
                peer: self.connection().map(|connection| connection.peer()),
                info,
                congestion: self.tcp.lock().get(SOL_TCP, TCP_CONGESTION, None).unwrap_or_default(),
                v6_only: self.state.lock().v6_only,
            },
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        // SO_LINGER with 0 seconds resets (socket(7)).
        let reset = self.options.lock().resets();
        let state = self.state.get_mut();
        match &state.role {
            Role::Listening(listener, _) => listener.close(),
            Role::Connecting(connection) | Role::Connected(connection) if reset => connection.abort(),
            _ => {}
        }
    }
}
