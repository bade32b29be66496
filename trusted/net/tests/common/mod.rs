//! Two cards joined by a wire, the rest of a kernel, and shorthands.
#![allow(dead_code)]

pub mod stranger;

use rkt_linux_abi::general::CAP_NET_BIND_SERVICE;
use rkt_linux_abi::{Errno, Result};
use rkt_net::{Address, Card, Hooks, NetStack, Outgoing, Received, Socket, UnixNode};
use rkt_netdev::{
    Capabilities, Checksum, Down, NetDevice, NetQueue, NetStats, Probe, RxFrame, RxMeta, Steering, TrustedFrame,
    TxError, TxMeta,
};
use rkt_platform_mock::{Config, chance, pick};
use rkt_user::{IoSink, IoSource};
use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Runs a test as a kernel thread on one vCPU.
pub fn run(test: impl FnOnce() + Send + 'static) {
    Config { cpus: 1, preemption: 0, spurious: 0, ..Config::new(1) }.run(test);
}

/// Turns the clock on by this many milliseconds.
pub fn advance(ms: u64) {
    rkt_platform_mock::advance(ms * 1_000_000);
}

type Frames = Arc<Mutex<VecDeque<(TxMeta, Vec<u8>)>>>;

/// How the wire and its cards are.
#[derive(Clone, Copy, Default)]
pub struct Wire {
    /// The cards complete checksums and split segments.
    pub offloads: bool,
    /// One in so many frames is lost; 0: none.
    pub loss: u64,
    /// One in so many frames is changed, and the device says that its checksum is right; 0: none.
    pub lies: u64,
    /// Who makes sockets may do all.
    pub privileged: bool,
    /// Bytes of memory that each kernel has; 0: enough.
    pub memory: usize,
}

/// One end of the wire.
#[derive(Clone)]
struct WireCard {
    wire: Wire,
    mac: [u8; 6],
    out: Frames,
    into: Frames,
    /// What is sent to the stranger on the wire.
    aside: Option<Frames>,
    broken: Arc<AtomicBool>,
    /// A frame was refused for want of room.
    full: Arc<AtomicBool>,
    taken: bool,
}

/// Frames that the wire holds.
const ROOM: usize = 64;

impl WireCard {
    fn check(&self) -> std::result::Result<(), Down> {
        if self.broken.load(Ordering::Relaxed) { Err(Down) } else { Ok(()) }
    }

    /// The next frame, as the wire leaves it.
    fn next(&self) -> Option<(RxMeta, Vec<u8>)> {
        let (mut meta, mut frame) = self.into.lock().unwrap().pop_front()?;
        if chance(self.wire.lies) {
            meta.checksum = Checksum::Valid;
            for _ in 0..=pick(3) {
                // Mostly the headers.
                let most = if pick(2) == 0 { frame.len().min(60) } else { frame.len() };
                let at = pick(most as u64) as usize;
                frame[at] = pick(256) as u8;
            }
            if pick(4) == 0 {
                frame.truncate(pick(frame.len() as u64) as usize);
            }
        }
        Some((RxMeta { len: frame.len(), checksum: meta.checksum, gso: meta.gso }, frame))
    }
}

impl NetDevice for WireCard {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            mac: self.mac,
            mtu: 1500,
            tx_checksum: self.wire.offloads,
            tx_tso4: self.wire.offloads,
            tx_tso6: false,
            tx_uso: false,
            max_tx_frame: if self.wire.offloads { 65_549 } else { 1514 },
            max_rx_frame: if self.wire.offloads { 65_549 } else { 1514 },
        }
    }

    fn take_queues(&mut self) -> Vec<Box<dyn NetQueue>> {
        let taken = std::mem::replace(&mut self.taken, true);
        if taken { Vec::new() } else { vec![Box::new(self.clone())] }
    }

    fn steering(&self) -> Steering {
        Steering::FollowsTransmit
    }

    fn link_up(&self) -> bool {
        true
    }

    fn fault(&self) -> Option<&dyn std::fmt::Display> {
        None
    }

    fn reset(&mut self, queues: &mut [&mut dyn NetQueue], wait: &mut dyn FnMut()) -> std::result::Result<(), Down> {
        wait();
        queues.iter_mut().try_for_each(|queue| queue.rearm())
    }
}

impl NetQueue for WireCard {
    fn receive(&mut self, budget: usize, take: &mut dyn FnMut(&mut dyn RxFrame)) -> std::result::Result<usize, Down> {
        self.check()?;
        for taken in 0..budget {
            let Some((meta, frame)) = self.next() else { return Ok(taken) };
            take(&mut TrustedFrame::new(meta, &frame));
        }
        Ok(budget)
    }

    fn transmit(&mut self, meta: &TxMeta, parts: &[&[u8]]) -> std::result::Result<(), TxError> {
        self.check()?;
        let frame = parts.concat();
        assert!(meta.gso.is_some() || frame.len() <= 1514, "a frame longer than the MTU");
        if let Checksum::Partial { start, offset } = meta.checksum {
            assert!(self.wire.offloads && usize::from(start + offset) + 2 <= frame.len());
        }
        if let Some(aside) = self.aside.as_ref().filter(|_| stranger::is_for(&frame)) {
            aside.lock().unwrap().push_back((*meta, frame));
            return Ok(());
        }
        let mut out = self.out.lock().unwrap();
        let full = out.len() >= ROOM;
        self.full.store(full, Ordering::Relaxed);
        if full {
            return Err(TxError::Full);
        }
        if !chance(self.wire.loss) {
            out.push_back((*meta, frame));
        }
        Ok(())
    }

    fn kick(&mut self) -> std::result::Result<(), Down> {
        self.check()
    }

    fn transmitting(&self) -> bool {
        false
    }

    fn probe(&self) -> Arc<dyn Probe> {
        Arc::new(self.clone())
    }

    fn fault(&self) -> Option<&dyn std::fmt::Display> {
        None
    }

    fn rearm(&mut self) -> std::result::Result<(), Down> {
        self.check()
    }
}

impl Probe for WireCard {
    fn has_work(&self) -> bool {
        let room = self.full.load(Ordering::Relaxed) && self.out.lock().unwrap().len() < ROOM;
        self.broken.load(Ordering::Relaxed) || room || !self.into.lock().unwrap().is_empty()
    }

    fn stats(&self) -> NetStats {
        NetStats::default()
    }
}

/// The rest of a kernel: who calls, and a directory of socket files.
pub struct Kernel {
    files: Mutex<HashMap<Vec<u8>, Arc<UnixNode>>>,
    /// Who calls may do all.
    root: AtomicBool,
    memory: AtomicUsize,
}

impl Default for Kernel {
    fn default() -> Self {
        let memory = AtomicUsize::new(MEMORY);
        Self { files: Mutex::default(), root: AtomicBool::new(false), memory }
    }
}

/// Bytes that each kernel has, unless the wire says otherwise.
const MEMORY: usize = 1 << 30;

impl Hooks for Kernel {
    fn credentials(&self) -> rkt_net::Credentials {
        rkt_net::Credentials { pid: 42, uid: 1000, gid: 100 }
    }

    fn capable(&self, capability: u32) -> bool {
        // Everybody may use low ports here.
        capability == CAP_NET_BIND_SERVICE || self.root.load(Ordering::Relaxed)
    }

    fn memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    fn bind_path(&self, path: &[u8], node: Arc<UnixNode>) -> Result<()> {
        let mut files = self.files.lock().unwrap();
        if files.contains_key(path) {
            return Err(Errno::EADDRINUSE);
        }
        files.insert(path.to_vec(), node);
        Ok(())
    }

    fn find_path(&self, path: &[u8]) -> Result<Arc<UnixNode>> {
        self.files.lock().unwrap().get(path).cloned().ok_or(Errno::ENOENT)
    }
}

/// The network without a card.
pub fn loopback() -> Arc<NetStack> {
    NetStack::new(Vec::new(), Arc::new(Kernel::default()), None)
}

/// Two networks joined by a wire: 10.0.0.1 and 10.0.0.2.
pub struct Joined {
    pub a: Arc<NetStack>,
    pub b: Arc<NetStack>,
    /// Breaks the card of `a`.
    pub broken: Arc<AtomicBool>,
    /// A third host, which speaks to `b` in frames of its own making.
    pub stranger: stranger::Stranger,
}

/// Addresses of the two.
pub const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

pub fn joined(wire: Wire) -> Joined {
    let (ab, ba) = (Frames::default(), Frames::default());
    let broken = Arc::new(AtomicBool::new(false));
    let aside = Frames::default();
    let stack = |number: u8, out: &Frames, into: &Frames, broken: Arc<AtomicBool>| {
        let device = Box::new(WireCard {
            wire,
            mac: [2, 0, 0, 0, 0, number],
            out: out.clone(),
            into: into.clone(),
            aside: (number == 2).then(|| aside.clone()),
            broken,
            full: Arc::default(),
            taken: false,
        });
        let addresses = vec![(Ipv4Addr::new(10, 0, 0, number).into(), 24)];
        let gateways = Vec::new();
        let (dhcp, slaac, host_name) = (false, false, Vec::new());
        let card = Card { device, name: "eth0".into(), addresses, gateways, dhcp, slaac, host_name };
        let memory = AtomicUsize::new(if wire.memory == 0 { MEMORY } else { wire.memory });
        let kernel = Kernel { root: AtomicBool::new(wire.privileged), memory, ..Kernel::default() };
        NetStack::new(vec![card], Arc::new(kernel), None)
    };
    let a = stack(1, &ab, &ba, broken.clone());
    let b = stack(2, &ba, &ab, Arc::new(AtomicBool::new(false)));
    let stranger = stranger::Stranger::new(ab, aside);
    Joined { a, b, broken, stranger }
}

impl Joined {
    /// Lets both work until neither has anything to do now.
    pub fn settle(&self) {
        for _ in 0..10_000 {
            let a = self.a.poll();
            if !self.b.poll() && !a && !self.a.has_work() && !self.b.has_work() {
                return;
            }
        }
        panic!("the stacks do not come to rest");
    }

    /// As `settle`, over this much time in steps.
    pub fn settle_for(&self, ms: u64, step: u64) {
        for _ in 0..ms / step {
            advance(step);
            self.settle();
        }
    }
}

pub fn inet(ip: Ipv4Addr, port: u16) -> Address {
    Address::Inet((ip, port).into())
}

pub fn port_of(address: &Address) -> u16 {
    match address {
        Address::Inet(addr) => addr.port(),
        other => panic!("no Internet address: {other:?}"),
    }
}

pub fn tcp(net: &Arc<NetStack>) -> Arc<dyn Socket> {
    net.socket(2, 1, 0).unwrap()
}

pub fn udp(net: &Arc<NetStack>) -> Arc<dyn Socket> {
    net.socket(2, 2, 0).unwrap()
}

/// send(2) without waiting.
pub fn send(socket: &dyn Socket, bytes: &[u8]) -> Result<usize> {
    send_with(socket, bytes, Outgoing::default())
}

pub fn send_to(socket: &dyn Socket, bytes: &[u8], to: &Address) -> Result<usize> {
    send_with(socket, bytes, Outgoing { to: Some(to), ..Outgoing::default() })
}

pub fn send_with(socket: &dyn Socket, bytes: &[u8], mut message: Outgoing<'_>) -> Result<usize> {
    message.nonblocking = true;
    socket.send(&mut IoSource::kernel(bytes), &mut message)
}

/// recv(2) without waiting: the bytes.
pub fn recv(socket: &dyn Socket, room: usize) -> Result<Vec<u8>> {
    recv_with(socket, room, 0).map(|(bytes, _)| bytes)
}

pub fn recv_with(socket: &dyn Socket, room: usize, flags: u32) -> Result<(Vec<u8>, Received)> {
    let mut bytes = vec![0; room];
    let received = socket.receive(&mut IoSink::kernel(&mut bytes), flags, true)?;
    bytes.truncate(received.len);
    Ok((bytes, received))
}

/// SO_ERROR.
pub fn error(socket: &dyn Socket) -> i32 {
    i32::from_le_bytes(socket.option(1, 4).unwrap().try_into().unwrap())
}

/// Sets an `int` option.
pub fn set(socket: &dyn Socket, level: u32, name: u32, value: i32) -> Result<()> {
    socket.set_option(level, name, &value.to_le_bytes())
}
