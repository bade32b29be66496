//! smoltcp as the other end: one interface without a link layer, one socket, one application.

pub mod wire;

use crate::common::pattern;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use std::cell::Cell;
use std::collections::VecDeque;

thread_local!(static CLOCK: Cell<u32> = const { Cell::new(0) });

/// The device: what comes in, what goes out.
struct Queues {
    input: VecDeque<Vec<u8>>,
    output: VecDeque<Vec<u8>>,
    mtu: usize,
}

struct In(Vec<u8>);

impl RxToken for In {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

struct Out<'a>(&'a mut VecDeque<Vec<u8>>);

impl TxToken for Out<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.push_back(packet);
        result
    }
}

impl Device for Queues {
    type RxToken<'a> = In;
    type TxToken<'a> = Out<'a>;

    fn receive(&mut self, _: Instant) -> Option<(In, Out<'_>)> {
        self.input.pop_front().map(|packet| (In(packet), Out(&mut self.output)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Out<'_>> {
        Some(Out(&mut self.output))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        (capabilities.medium, capabilities.max_transmission_unit) = (Medium::Ip, self.mtu);
        capabilities
    }
}

/// How the judge is set up.
pub struct Setup {
    pub mtu: usize,
    pub receive_buffer: usize,
    pub send_buffer: usize,
    pub congestion: CongestionControl,
    pub timestamps: bool,
    pub nagle: bool,
    /// Bytes to send.
    pub total: usize,
}

pub struct Judge {
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    queues: Queues,
    sent: usize,
    total: usize,
    /// What came is the stream as far as it came.
    pub received: usize,
}

fn instant(now: u64) -> Instant {
    Instant::from_micros((now / 1000) as i64)
}

impl Judge {
    pub fn new(now: u64, setup: &Setup) -> Self {
        let mut queues = Queues { input: VecDeque::new(), output: VecDeque::new(), mtu: setup.mtu };
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut queues, instant(now));
        interface.update_ip_addrs(|addresses| {
            let own = IpCidr::new(IpAddress::Ipv4(wire::JUDGE), 24);
            addresses.push(own).expect("room for an address");
        });
        let buffer = |len| SocketBuffer::new(vec![0; len]);
        let mut socket = Socket::new(buffer(setup.receive_buffer), buffer(setup.send_buffer));
        socket.set_congestion_control(setup.congestion);
        socket.set_nagle_enabled(setup.nagle);
        socket.set_ack_delay(Some(Duration::from_millis(10)));
        if setup.timestamps {
            socket.set_tsval_generator(Some(|| CLOCK.get()));
        }
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        Self { interface, sockets, handle, queues, sent: 0, total: setup.total, received: 0 }
    }

    pub fn listen(&mut self) {
        self.socket().listen(wire::PORT).expect("it listens");
    }

    pub fn connect(&mut self) {
        let socket = self.sockets.get_mut::<Socket<'_>>(self.handle);
        let remote = (IpAddress::Ipv4(wire::OURS), wire::PORT);
        socket.connect(self.interface.context(), remote, wire::PORT).expect("it connects");
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    pub fn receive(&mut self, packet: Vec<u8>) {
        self.queues.input.push_back(packet);
    }

    /// Lets it work; returns what it sends.
    pub fn poll(&mut self, now: u64) -> VecDeque<Vec<u8>> {
        CLOCK.set((now / crate::common::MS) as u32);
        self.interface.poll(instant(now), &mut self.queues, &mut self.sockets);
        std::mem::take(&mut self.queues.output)
    }

    /// When it wants to be polled.
    pub fn deadline(&mut self, now: u64) -> u64 {
        let at = self.interface.poll_at(instant(now), &self.sockets);
        at.map_or(u64::MAX, |at| (at.total_micros().max(0) as u64 + 1) * 1000)
    }

    /// The application writes, and closes behind the last byte.
    pub fn write(&mut self, most: usize) {
        let (sent, total) = (self.sent, self.total);
        let piece: Vec<u8> = (sent..total.min(sent + most)).map(pattern).collect();
        let socket = self.socket();
        if !socket.may_send() {
            return;
        }
        let taken = if piece.is_empty() { 0 } else { socket.send_slice(&piece).unwrap_or(0) };
        if sent + taken == total {
            socket.close();
        }
        self.sent += taken;
    }

    /// The application reads, and looks at every byte.
    pub fn read(&mut self, most: usize) {
        let mut bytes = vec![0; most];
        let len = self.socket().recv_slice(&mut bytes).unwrap_or(0);
        let wrong = bytes[..len].iter().zip(self.received..).find(|(byte, at)| **byte != pattern(*at));
        assert_eq!(wrong, None, "a byte changed");
        self.received += len;
    }

    pub fn total(&self) -> usize {
        self.total
    }

    /// Nothing is left to do but to wait.
    pub fn is_over(&mut self) -> bool {
        self.sent == self.total && matches!(self.socket().state(), State::Closed | State::TimeWait)
    }

    pub fn describe(&self) -> String {
        let (sent, total, received) = (self.sent, self.total, self.received);
        format!(
            "smoltcp: {}, {sent} of {total} written, {received} read",
            self.sockets.get::<Socket<'_>>(self.handle).state()
        )
    }
}
