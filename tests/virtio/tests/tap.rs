//! Driver, device and TAP; the kernel's own stack is the judge at the far end.

use rkt_backend_net::{NetDevice, Tap, TapError, TapOptions};
use rkt_netdev::{Checksum, Gso, GsoKind, RxMeta, TxError, TxMeta};
use rkt_tests_hostile::Card;
use rkt_tests_virtio::packets::{self, EXPERIMENT, IPV4};
use rkt_tests_virtio::{POLLS, PacketSocket, Random, Rig, Tun, in_network_namespace, ip, wait};
use rkt_virtio::features::{EVENT_IDX, RING_PACKED};
use rkt_virtio_device::{Polling, RunningDevice};
use std::net::UdpSocket;
use std::time::Duration;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x10];
const GUEST: [u8; 4] = [10, 1, 0, 2];
const HOST: [u8; 4] = [10, 1, 0, 1];
/// Beyond the host, behind a TUN.
const REMOTE: [u8; 4] = [10, 2, 0, 2];

struct Guest {
    rig: Rig,
    card: Card,
    device: RunningDevice,
    interface: String,
}

impl Guest {
    fn start(polling: Polling) -> Self {
        Self::start_with(polling, 1, 0)
    }

    fn start_with(polling: Polling, queues: u16, without: u64) -> Self {
        let options = TapOptions { host4: Some((HOST.into(), 24)), queues, ..TapOptions::default() };
        let taps = Tap::open(&options).expect("a TAP");
        let interface = taps[0].name().to_owned();
        let rig = Rig::new();
        let device =
            RunningDevice::spawn(Box::new(NetDevice::new(taps, MAC)), 0, &rig.window, polling).expect("a device");
        let card = rig.card(0, queues, without);
        Self { rig, card, device, interface }
    }

    fn send(&mut self, meta: &TxMeta, frame: &[u8]) {
        while let Err(e) = self.card.transmit(meta, &[frame]) {
            assert_eq!(e, TxError::Full);
            self.card.kick().expect("kick");
            self.rig.park_until(|| self.card.has_work());
            assert_eq!(self.card.receive(&mut []).expect("reclaim"), None);
        }
        self.card.kick().expect("kick");
    }

    /// The next frame of one EtherType.
    fn receive(&mut self, ethertype: u16) -> (RxMeta, Vec<u8>) {
        let mut frame = vec![0; self.card.capabilities().max_rx_frame];
        loop {
            match self.card.receive(&mut frame).expect("receive") {
                Some(meta) if frame[12..14] == ethertype.to_be_bytes() => {
                    self.card.kick().expect("kick");
                    return (meta, frame[..meta.len].to_vec());
                }
                Some(_) => {}
                None => {
                    self.card.kick().expect("kick");
                    self.rig.park_until(|| self.card.has_work());
                }
            }
        }
    }

    /// The next frame that is wanted, and the queue by which it came. Only the first one's vCPU can sleep
    /// here, so all are polled.
    fn find(&mut self, wanted: impl Fn(&[u8]) -> bool) -> (usize, Vec<u8>) {
        let mut frame = vec![0; self.card.capabilities().max_rx_frame];
        for _ in 0..POLLS {
            for queue in 0..self.card.queues.len() {
                while let Some(meta) = self.card.receive_on(queue, &mut frame).expect("receive") {
                    if wanted(&frame[..meta.len]) {
                        return (queue, frame[..meta.len].to_vec());
                    }
                }
            }
            self.card.kick().expect("kick");
            wait();
        }
        panic!("no such frame");
    }

    /// Hardware address of the host's end, by ARP.
    fn host_mac(&mut self) -> [u8; 6] {
        self.send(&TxMeta::default(), &packets::arp_request(MAC, GUEST, HOST));
        loop {
            let (_, reply) = self.receive(packets::ARP);
            if reply[20..22] == [0, 2] {
                assert_eq!(reply[28..32], HOST);
                assert_eq!(reply[32..42], [&MAC[..], &GUEST].concat());
                return reply[22..28].try_into().expect("six bytes");
            }
        }
    }
}

/// Random frames each way, every byte compared.
fn frames_both_ways(polling: Polling, without: u64) {
    const FRAMES: usize = 10_000;
    const BURST: usize = 50;
    let mut guest = Guest::start_with(polling, 1, without);
    let socket = PacketSocket::open(&guest.interface, EXPERIMENT);
    let mut random = Random(7);
    let mut burst = |to, from| -> Vec<Vec<u8>> {
        (0..BURST)
            .map(|_| {
                let len = 46 + random.below(1455) as usize;
                packets::ethernet(to, from, EXPERIMENT, &random.bytes(len))
            })
            .collect()
    };
    for _ in 0..FRAMES / BURST {
        let out = burst([0xff; 6], MAC);
        for frame in &out {
            guest.send(&TxMeta::default(), frame);
        }
        for frame in &out {
            assert!(socket.receive() == *frame, "a frame out differs");
        }
        let back = burst(MAC, [2; 6]);
        for frame in &back {
            socket.send(frame);
        }
        for frame in &back {
            assert!(guest.receive(EXPERIMENT).1 == *frame, "a frame in differs");
        }
    }
    let stats = guest.device.stop();
    assert!(stats.in_units >= FRAMES as u64 && stats.out_units >= FRAMES as u64, "{stats:?}");
    assert_eq!((stats.dropped, stats.failed), (0, 0));
    println!("{polling:?}: {stats:?}");
}

#[test]
fn frames_pass_unchanged() {
    in_network_namespace(|| frames_both_ways(Polling::default(), 0));
}

#[test]
fn frames_pass_unchanged_when_every_pause_is_a_sleep() {
    in_network_namespace(|| frames_both_ways(Polling::Adaptive(Duration::ZERO), 0));
}

#[test]
fn frames_pass_unchanged_in_split_rings() {
    for without in [RING_PACKED, RING_PACKED | EVENT_IDX] {
        in_network_namespace(move || frames_both_ways(Polling::Adaptive(Duration::ZERO), without));
    }
}

#[test]
fn a_flow_comes_in_where_it_went_out() {
    in_network_namespace(|| {
        const QUEUES: u16 = 3;
        let mut guest = Guest::start_with(Polling::default(), QUEUES, 0);
        assert_eq!(guest.card.queues.len(), usize::from(QUEUES));
        let socket = UdpSocket::bind(("10.1.0.1", 7777)).expect("bind");
        for reset in [true, false] {
            guest.send(&TxMeta::default(), &packets::arp_request(MAC, GUEST, HOST));
            let (_, reply) = guest.find(|frame| frame[12..14] == packets::ARP.to_be_bytes() && frame[20..22] == [0, 2]);
            let mac: [u8; 6] = reply[22..28].try_into().expect("six bytes");
            for round in 0..60u16 {
                let (queue, port) = (usize::from(round % QUEUES), 9000 + round);
                let datagram = packets::ipv4(GUEST, HOST, packets::UDP, &packets::udp(port, 7777, &[1; 40]));
                let frame = packets::ethernet(mac, MAC, IPV4, &datagram);
                guest.card.queues[queue].transmit(&TxMeta::default(), &[&frame]).expect("transmit");
                guest.card.kick().expect("kick");
                let mut data = [0; 100];
                let (len, from) = socket.recv_from(&mut data).expect("a datagram");
                assert_eq!(data[..len], [1; 40]);
                // The kernel has seen by which queue the flow goes out.
                socket.send_to(&[2; 50], from).expect("send");
                let (came, reply) = guest.find(|frame| frame[36..38] == port.to_be_bytes());
                assert_eq!((came, &reply[42..92]), (queue, &[2; 50][..]));
            }
            if reset {
                guest.card.reset(&mut wait).expect("reset");
            }
        }
    });
}

#[test]
fn the_host_answers_arp_icmp_and_udp() {
    in_network_namespace(|| {
        let mut guest = Guest::start(Polling::default());
        let mac = guest.host_mac();
        let frame = |protocol, payload: &[u8]| {
            packets::ethernet(mac, MAC, IPV4, &packets::ipv4(GUEST, HOST, protocol, payload))
        };

        let data = Random(1).bytes(1000);
        guest.send(&TxMeta::default(), &frame(packets::ICMP, &packets::echo_request(5, &data)));
        let (_, reply) = guest.receive(IPV4);
        assert_eq!((reply[23], reply[34], &reply[26..34]), (packets::ICMP, 0, &[HOST, GUEST].concat()[..]));
        assert!(reply[42..] == data, "echoed data differs");

        let socket = UdpSocket::bind(("10.1.0.1", 7777)).expect("bind");
        guest.send(&TxMeta::default(), &frame(packets::UDP, &packets::udp(9999, 7777, b"to the host")));
        let mut datagram = [0; 100];
        let (len, from) = socket.recv_from(&mut datagram).expect("a datagram");
        assert_eq!((&datagram[..len], from), (&b"to the host"[..], "10.1.0.2:9999".parse().expect("address")));
        socket.send_to(b"to the guest", from).expect("send");
        let (_, reply) = guest.receive(IPV4);
        assert_eq!((reply[23], &reply[42..]), (packets::UDP, &b"to the guest"[..]));
    });
}

/// A guest, and a TUN behind the host that stands for the network beyond.
fn routed() -> (Guest, Tun) {
    let guest = Guest::start(Polling::default());
    let tun = Tun::open("beyond");
    ip("addr add 10.2.0.1/24 dev beyond");
    ip("link set beyond up");
    ip(&format!("neigh add 10.1.0.2 lladdr 02:00:00:00:00:10 dev {}", guest.interface));
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("forwarding");
    (guest, tun)
}

const SEGMENT: u16 = 1448;

#[test]
fn a_long_segment_out_is_split_with_valid_checksums() {
    in_network_namespace(|| {
        let (mut guest, mut tun) = routed();
        let host = guest.host_mac();
        let data = Random(2).bytes(60_000);
        let segment = packets::tcp_partial(GUEST, REMOTE, 1, &data);
        let frame = packets::ethernet(host, MAC, IPV4, &packets::ipv4(GUEST, REMOTE, packets::TCP, &segment));
        let gso = Gso { kind: GsoKind::Tcp4, segment: SEGMENT, headers: 54 };
        guest.send(&TxMeta { checksum: Checksum::Partial { start: 34, offset: 16 }, gso: Some(gso) }, &frame);

        let mut received = Vec::new();
        while received.len() < data.len() {
            let packet = tun.receive();
            let packet = &packet[10..];
            assert!(packets::valid(packet), "checksum of the segment at {}", received.len());
            let sequence = u32::from_be_bytes(packet[24..28].try_into().expect("four bytes"));
            assert_eq!(sequence as usize, 1 + received.len(), "order");
            assert!(packet.len() <= 40 + usize::from(SEGMENT), "a segment of {}", packet.len());
            received.extend_from_slice(&packet[40..]);
        }
        assert!(received == data, "data differ");
    });
}

#[test]
fn a_merged_segment_comes_in_over_many_buffers() {
    in_network_namespace(|| {
        let (mut guest, mut tun) = routed();
        let data = Random(3).bytes(60_000);
        let segment = packets::tcp_partial(REMOTE, GUEST, 1, &data);
        let packet = packets::ipv4(REMOTE, GUEST, packets::TCP, &segment);
        // NEEDS_CSUM, TCPV4, hdr_len 40, gso_size 1448, csum_start 20, csum_offset 16.
        let header = [1, 1, 40, 0, 0xa8, 5, 20, 0, 16, 0];
        // More than the driver has buffers for at once: packets must wait, not get lost.
        for _ in 0..40 {
            tun.send(&[&header[..], &packet].concat());
        }
        for _ in 0..40 {
            let (meta, frame) = guest.receive(IPV4);
            assert_eq!(meta.gso.map(|gso| (gso.kind, gso.segment)), Some((GsoKind::Tcp4, SEGMENT)));
            assert_eq!(meta.checksum, Checksum::Partial { start: 34, offset: 16 });
            assert!(frame[54..] == data, "data differ");
        }
        assert_eq!(guest.device.stop().dropped, 0);
    });
}

#[test]
fn a_taken_tap_and_a_bad_name_are_refused_in_words() {
    in_network_namespace(|| {
        let options = |name: &str| TapOptions { name: Some(name.into()), ..TapOptions::default() };
        let held = Tap::open(&options("mine")).expect("a TAP");
        assert_eq!(held[0].name(), "mine");
        assert!(matches!(Tap::open(&options("mine")), Err(TapError::Busy(name)) if name == "mine"));
        assert!(matches!(Tap::open(&options("lo")), Err(TapError::NotTap(_))));
        for name in ["", "a name", "longer-than-fifteen", "x/y", "rkt%d"] {
            assert!(matches!(Tap::open(&options(name)), Err(TapError::Name(_))), "{name:?}");
        }
        drop(held);
        assert!(Tap::open(&options("mine")).is_ok(), "the name is free again");
    });
}

#[test]
fn a_reset_card_works_again() {
    in_network_namespace(|| {
        let mut guest = Guest::start(Polling::default());
        for _ in 0..20 {
            guest.host_mac();
            guest.card.reset(&mut wait).expect("reset");
        }
        guest.host_mac();
        assert!(guest.device.take_fault().is_none());
    });
}

#[test]
fn a_tap_made_by_root_needs_no_right() {
    in_network_namespace(|| {
        ip("tuntap add dev made mode tap user root vnet_hdr");
        ip("addr add 10.1.0.1/24 dev made");
        ip("link set made up");
        give_up_rights();
        let options = TapOptions { host4: Some((HOST.into(), 24)), ..TapOptions::default() };
        let made = TapOptions { name: Some("made".into()), ..options.clone() };
        Tap::open(&made).expect("the TAP that root made");
        let other = TapOptions { host4: Some(([10, 1, 0, 9].into(), 24)), ..made };
        assert!(matches!(Tap::open(&other), Err(TapError::Denied { name, .. }) if name == "made"));
        let error = Tap::open(&options).expect_err("no right to make one");
        assert!(error.to_string().contains("ip tuntap add"), "{error}");
    });
}

/// Takes the right to configure networks from this thread.
fn give_up_rights() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let mut sets = capabilities(None).expect("capabilities");
    sets.effective.remove(CapabilitySet::NET_ADMIN);
    sets.permitted.remove(CapabilitySet::NET_ADMIN);
    set_capabilities(None, sets).expect("fewer capabilities");
}

#[test]
fn the_host_end_has_its_addresses() {
    in_network_namespace(|| {
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0").expect("switch IPv6 on");
        let host6 = Some(("fd00::1".parse().expect("address"), 64));
        let options = TapOptions { host4: Some((HOST.into(), 30)), host6, mtu: 9000, ..TapOptions::default() };
        let tap = Tap::open(&options).expect("a TAP");
        let output =
            std::process::Command::new("ip").args(["addr", "show", "dev", tap[0].name()]).output().expect("ip");
        let output = String::from_utf8(output.stdout).expect("text");
        for expected in ["mtu 9000", "inet 10.1.0.1/30", "inet6 fd00::1/64", ",UP"] {
            assert!(output.contains(expected), "{expected} is missing in: {output}");
        }
    });
}
