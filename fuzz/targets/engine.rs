//! The engine as a host on the wire: frames of all kinds in any order, some of them nearly right, answers to what it
//! said, calls of its sockets, and time. It neither falls, nor talks without end, nor hoards.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_fuzz::Script;
use rkt_linux_abi::Errno;
use rkt_net::{Address, Card, Credentials, Hooks, NetStack, Outgoing, Socket, UnixNode};
use rkt_netdev::{
    Capabilities, Checksum, Down, NetDevice, NetQueue, NetStats, Probe, RxFrame, RxMeta, Steering, TrustedFrame,
    TxError, TxMeta,
};
use rkt_platform_mock::{Config, advance};
use rkt_user::{IoSink, IoSource};
use rkt_wire::ethernet::{self, ethertype};
use rkt_wire::tcp::{self, Flags};
use rkt_wire::{arp, ipv4, udp};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const THEIRS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const MAC: ethernet::Address = ethernet::Address([2, 0, 0, 0, 0, 2]);
const PEER: ethernet::Address = ethernet::Address([2, 0, 0, 0, 0, 1]);
const PORT: u16 = 80;
/// Frames that one event may cause: a window's worth, and what was kept for a neighbour.
const MOST: usize = 2048;

/// A card, both of whose ends are queues.
#[derive(Clone, Default)]
struct Wire {
    arriving: Arc<Mutex<VecDeque<(Checksum, Vec<u8>)>>>,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl NetDevice for Wire {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            mac: MAC.0,
            mtu: 1500,
            tx_checksum: true,
            tx_tso4: true,
            tx_tso6: true,
            tx_uso: true,
            max_tx_frame: 65_549,
            max_rx_frame: 65_549,
        }
    }

    fn take_queues(&mut self) -> Vec<Box<dyn NetQueue>> {
        vec![Box::new(self.clone())]
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

    fn reset(&mut self, _: &mut [&mut dyn NetQueue], _: &mut dyn FnMut()) -> Result<(), Down> {
        Ok(())
    }
}

impl NetQueue for Wire {
    fn receive(&mut self, budget: usize, take: &mut dyn FnMut(&mut dyn RxFrame)) -> Result<usize, Down> {
        for taken in 0..budget {
            let Some((checksum, frame)) = self.arriving.lock().unwrap().pop_front() else { return Ok(taken) };
            take(&mut TrustedFrame::new(RxMeta { len: frame.len(), checksum, gso: None }, &frame));
        }
        Ok(budget)
    }

    fn transmit(&mut self, _: &TxMeta, parts: &[&[u8]]) -> Result<(), TxError> {
        self.sent.lock().unwrap().push(parts.concat());
        Ok(())
    }

    fn kick(&mut self) -> Result<(), Down> {
        Ok(())
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

    fn rearm(&mut self) -> Result<(), Down> {
        Ok(())
    }
}

impl Probe for Wire {
    fn has_work(&self) -> bool {
        !self.arriving.lock().unwrap().is_empty()
    }

    fn stats(&self) -> NetStats {
        NetStats::default()
    }
}

/// A kernel without files.
struct Kernel;

impl Hooks for Kernel {
    fn credentials(&self) -> Credentials {
        Credentials { pid: 1, uid: 0, gid: 0 }
    }

    fn capable(&self, _: u32) -> bool {
        true
    }

    fn memory(&self) -> usize {
        8 << 20
    }

    fn bind_path(&self, _: &[u8], _: Arc<UnixNode>) -> rkt_linux_abi::Result<()> {
        Err(Errno::EACCES)
    }

    fn find_path(&self, _: &[u8]) -> rkt_linux_abi::Result<Arc<UnixNode>> {
        Err(Errno::ENOENT)
    }
}

/// What the peer has heard last of a connection, so that it can be nearly right.
#[derive(Clone, Copy, Default)]
struct Heard {
    ports: (u16, u16),
    /// Its next number, as the engine acknowledged it, and the engine's.
    next: u32,
    theirs: u32,
}

struct Scene {
    net: Arc<NetStack>,
    wire: Wire,
    sockets: Vec<Arc<dyn Socket>>,
    heard: Heard,
}

fn packet(what: u8, payload: &[u8], script: &mut Script<'_>) -> Vec<u8> {
    let [kind, id] = script.bytes();
    let fragment = kind % 4 == 0;
    let header = ipv4::Header {
        tos: 0,
        id: id.into(),
        dont_fragment: false,
        more_fragments: fragment && kind & 16 != 0,
        offset: if fragment { u16::from(script.byte()) * 8 } else { 0 },
        ttl: 64,
        protocol: what,
        source: if kind & 32 != 0 { THEIRS } else { Ipv4Addr::new(10, 0, 0, kind | 1) },
        destination: OURS,
    };
    let mut frame = vec![0; 34 + payload.len()];
    let link = ethernet::Header { destination: MAC, source: PEER, ethertype: ethertype::IPV4 };
    let at = link.emit(&mut frame).expect("room");
    let start = at + header.emit(&[], payload.len(), &mut frame[at..]).expect("room");
    frame[start..].copy_from_slice(payload);
    frame
}

impl Scene {
    fn new() -> Self {
        let wire = Wire::default();
        let card = Card {
            device: Box::new(wire.clone()),
            name: "eth0".into(),
            addresses: vec![(OURS.into(), 24)],
            gateways: vec![THEIRS.into()],
            dhcp: false,
            slaac: true,
            host_name: Vec::new(),
        };
        let net = NetStack::new(vec![card], Arc::new(Kernel));
        let listening = net.socket(2, 1, 0).expect("a socket");
        listening.bind(&Address::Inet((Ipv4Addr::UNSPECIFIED, PORT).into())).expect("a port");
        listening.listen(8).expect("listen");
        let datagrams = net.socket(2, 2, 0).expect("a socket");
        datagrams.bind(&Address::Inet((Ipv4Addr::UNSPECIFIED, PORT).into())).expect("a port");
        Self { net, wire, sockets: vec![listening, datagrams], heard: Heard::default() }
    }

    /// Lets the engine work until it rests; it must.
    fn settle(&mut self) {
        for _ in 0..1000 {
            if !self.net.poll() && !self.net.has_work() {
                break;
            }
        }
        let sent = std::mem::take(&mut *self.wire.sent.lock().unwrap());
        assert!(sent.len() < MOST, "{} frames", sent.len());
        for frame in sent {
            let segment = ipv4::Packet::parse(frame.get(14..).unwrap_or_default())
                .ok()
                .filter(|packet| packet.header.protocol == 6)
                .and_then(|packet| tcp::Segment::parse(packet.payload).ok());
            let Some(segment) = segment else { continue };
            let len = segment.payload.len() as u32 + u32::from(segment.header.flags.contains(Flags::SYN));
            self.heard = Heard {
                ports: (segment.header.destination_port, segment.header.source_port),
                next: segment.header.acknowledgement,
                theirs: segment.header.sequence.wrapping_add(len),
            };
        }
    }

    fn arrive(&self, frame: Vec<u8>) {
        self.wire.arriving.lock().unwrap().push_back((Checksum::Valid, frame));
    }

    fn segment(&self, script: &mut Script<'_>) -> Vec<u8> {
        let [kind, flags, near, window, options] = script.bytes();
        let far = i32::from(near as i8) * if kind & 1 != 0 { 1 } else { 0 };
        let opens = kind % 8 == 2;
        let ports = if opens || self.heard.ports.1 == 0 { (1000 + u16::from(near), PORT) } else { self.heard.ports };
        let header = tcp::Header {
            source_port: ports.0,
            destination_port: ports.1,
            sequence: self.heard.next.wrapping_add_signed(far),
            acknowledgement: self.heard.theirs.wrapping_sub(u32::from(kind & 2) * 700),
            flags: if opens { Flags::SYN } else { Flags::from_bits_truncate(flags.into()) | Flags::ACK },
            window: u16::from(window) << 8,
            checksum: 0,
            urgent: near.into(),
        };
        let options = tcp::Options {
            mss: (options & 1 != 0).then_some(u16::from(window) * 8),
            window_scale: (options & 2 != 0).then_some(options >> 4),
            sack_permitted: options & 4 != 0,
            timestamps: (options & 8 != 0).then_some(tcp::Timestamps { value: near.into(), echo: flags.into() }),
            ..tcp::Options::default()
        };
        let mut bytes = vec![0; tcp::HEADER_LEN + options.len()];
        header.emit(&options, &mut bytes).expect("room");
        bytes.extend(script.slice());
        packet(6, &bytes, script)
    }

    fn frame(&self, script: &mut Script<'_>) -> Vec<u8> {
        let kind = script.byte();
        match kind % 8 {
            0 => script.slice().to_vec(),
            1 => {
                let packet = arp::Packet {
                    operation: if kind & 8 != 0 { arp::Operation::Request } else { arp::Operation::Reply },
                    sender_mac: PEER,
                    sender: Ipv4Addr::new(10, 0, 0, script.byte()),
                    target_mac: MAC,
                    target: OURS,
                };
                let mut frame = vec![0; 60];
                let link = ethernet::Header { destination: MAC, source: PEER, ethertype: ethertype::ARP };
                let at = link.emit(&mut frame).expect("room");
                packet.emit(&mut frame[at..]).expect("room");
                frame
            }
            2 => {
                let text = script.slice();
                let mut bytes = [&[3, 232, 0, 80][..], &((udp::HEADER_LEN + text.len()) as u16).to_be_bytes(), &[0, 0]]
                    .concat();
                bytes.extend(text);
                packet(17, &bytes, script)
            }
            // ICMP, IGMP, or anything.
            3 => {
                let what = if kind & 8 != 0 { 1 } else { script.byte() };
                packet(what, &[script.slice(), script.slice()].concat(), script)
            }
            // IPv6 of any content.
            4 => {
                let link = [&MAC.0[..], &PEER.0, &[0x86, 0xdd, 0x60, 0, 0, 0, 0]].concat();
                [&link[..], script.slice()].concat()
            }
            _ => self.segment(script),
        }
    }

    fn call(&mut self, script: &mut Script<'_>) {
        let [which, nth, len] = script.bytes();
        let nth = usize::from(nth) % self.sockets.len();
        let socket = self.sockets[nth].clone();
        // Errors are the engine's to choose.
        match which % 8 {
            0 | 1 if self.sockets.len() < 32 => self.sockets.extend(socket.accept(true).ok().map(|(socket, _)| socket)),
            2 if self.sockets.len() < 32 => {
                let socket = self.net.socket(2, 1, 0).expect("a socket");
                let _ = socket.connect(&Address::Inet((THEIRS, u16::from(len)).into()), true);
                self.sockets.push(socket);
            }
            3 => {
                let bytes = vec![len; usize::from(len) * 64];
                let to = Address::Inet((THEIRS, 1000).into());
                let mut message = Outgoing { nonblocking: true, ..Outgoing::default() };
                message.to = (nth == 1).then_some(&to);
                let _ = socket.send(&mut IoSource::kernel(&bytes), &mut message);
            }
            4 => {
                let mut bytes = vec![0; usize::from(len) * 64];
                let _ = socket.receive(&mut IoSink::kernel(&mut bytes), 0, true);
            }
            5 if nth > 1 => drop(self.sockets.remove(nth)),
            6 => {
                let _ = socket.shutdown(rkt_net::Shutdown::Write);
            }
            _ => {
                socket.poll();
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let bytes = bytes.to_vec();
    let config = Config { cpus: 1, preemption: 0, spurious: 0, ..Config::new(1) };
    config.run(move || {
        let (mut script, mut scene) = (Script(&bytes), Scene::new());
        while !script.is_over() {
            match script.byte() % 8 {
                0 => advance(script.span()),
                1 | 2 => scene.call(&mut script),
                _ => {
                    let frame = scene.frame(&mut script);
                    scene.arrive(frame);
                }
            }
            scene.settle();
        }
    });
});
