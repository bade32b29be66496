//! Driver, device and passt, which is a stack that we did not write.

use rkt_backend_net::{NetDevice, Passt, PasstError, PasstOptions, Protocol, Publish};
use rkt_netdev::TxMeta;
use rkt_tests_hostile::Card;
use rkt_tests_virtio::packets::{self, IPV4};
use rkt_tests_virtio::{Rig, WATCHDOG};
use rkt_virtio_device::{Polling, RunningDevice};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x20];
const GUEST: [u8; 4] = [10, 0, 2, 15];
const GATEWAY: [u8; 4] = [10, 0, 2, 2];

/// Says so if there is no passt here.
fn installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join("passt").exists());
    if !found {
        eprintln!("skipped: the program passt is not installed");
    }
    found
}

struct Guest {
    rig: Rig,
    card: Card,
    _device: RunningDevice,
}

impl Guest {
    fn start(options: &PasstOptions) -> Self {
        let passt = Passt::start(options).expect("passt");
        let rig = Rig::new();
        let device = RunningDevice::spawn(Box::new(NetDevice::new([passt], MAC)), 1, &rig.window, Polling::default());
        let card = rig.card(1, 1, 0);
        Self { rig, card, _device: device.expect("a device") }
    }

    fn send(&mut self, frame: &[u8]) {
        self.card.transmit(&TxMeta::default(), &[frame]).expect("transmit");
        self.card.kick().expect("kick");
    }

    /// The next frame that is wanted.
    fn receive(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let mut frame = vec![0; self.card.capabilities().max_rx_frame];
        loop {
            match self.card.receive(&mut frame).expect("receive") {
                Some(meta) if wanted(&frame[..meta.len]) => return frame[..meta.len].to_vec(),
                Some(_) => {}
                None => self.rig.park_until(|| self.card.has_work()),
            }
        }
    }

    fn gateway_mac(&mut self) -> [u8; 6] {
        self.send(&packets::arp_request(MAC, GUEST, GATEWAY));
        let reply = self.receive(|frame| frame[12..14] == packets::ARP.to_be_bytes() && frame[20..22] == [0, 2]);
        reply[22..28].try_into().expect("six bytes")
    }
}

fn protocol(frame: &[u8]) -> Option<u8> {
    (frame[12..14] == IPV4.to_be_bytes()).then(|| frame[23])
}

#[test]
fn datagrams_reach_the_host_and_come_back() {
    if !installed() {
        return;
    }
    let mut guest = Guest::start(&PasstOptions::default());
    let gateway = guest.gateway_mac();
    let host = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    host.set_read_timeout(Some(WATCHDOG)).expect("timeout");
    let port = host.local_addr().expect("address").port();
    // From a small one to one as long as the MTU allows.
    for len in [1, 1400, 40_000, 65_000] {
        let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let mut datagram = packets::udp(9999, port, &data);
        let sum = packets::pseudo_sum(GUEST, GATEWAY, packets::UDP, datagram.len());
        let checksum = !packets::sum(&[&sum.to_be_bytes(), &datagram]);
        datagram[6..8].copy_from_slice(&checksum.to_be_bytes());
        let packet = packets::ipv4(GUEST, GATEWAY, packets::UDP, &datagram);
        guest.send(&packets::ethernet(gateway, MAC, IPV4, &packet));
        let mut received = vec![0; 70_000];
        let (n, from) = host.recv_from(&mut received).expect("a datagram");
        assert!(received[..n] == data, "{len} bytes differ");
        host.send_to(&data, from).expect("send");
        let reply =
            guest.receive(|frame| protocol(frame) == Some(packets::UDP) && frame[36..38] == 9999u16.to_be_bytes());
        assert!(reply[42..] == data, "{len} bytes back differ");
    }
}

#[test]
fn a_published_port_knocks_at_the_guest() {
    if !installed() {
        return;
    }
    let listen: SocketAddr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind").local_addr().expect("address");
    let publish = vec![Publish { listen, guest_port: 80, protocol: Protocol::Tcp }];
    let options = PasstOptions { publish, ..PasstOptions::default() };
    let mut guest = Guest::start(&options);
    guest.gateway_mac();
    let _client = TcpStream::connect(listen).expect("the published port");
    let syn = guest.receive(|frame| protocol(frame) == Some(packets::TCP));
    assert_eq!((&syn[30..34], &syn[36..38], syn[47] & 0x3f), (&GUEST[..], &80u16.to_be_bytes()[..], 2));
    assert!(packets::valid(&syn[14..]), "checksum");

    let error = Passt::start(&options).expect_err("the port is taken");
    assert!(matches!(error, PasstError::Refused(_)), "{error}");
}

#[test]
fn a_missing_program_is_named() {
    let options = PasstOptions { program: "/nonexistent/passt".into(), ..PasstOptions::default() };
    let error = Passt::start(&options).expect_err("no such program");
    assert!(error.to_string().contains("/nonexistent/passt"), "{error}");
}

/// An MTU that nobody else uses, by which to know our passt among processes.
const ORPHAN_MTU: u16 = 12_344;
const ORPHAN: &str = "RKT_TEST_ORPHAN_PASST";

fn orphans() -> usize {
    let has_mtu = |process: &Path| {
        std::fs::read(process.join("cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word == ORPHAN_MTU.to_string().as_bytes()))
    };
    std::fs::read_dir("/proc").expect("/proc").flatten().filter(|entry| has_mtu(&entry.path())).count()
}

#[test]
fn passt_ends_with_us_even_if_we_are_killed() {
    if std::env::var_os(ORPHAN).is_some() {
        let options = PasstOptions { mtu: ORPHAN_MTU, ..PasstOptions::default() };
        let _passt = Passt::start(&options).expect("passt");
        assert_eq!(orphans(), 1);
        std::process::abort();
    }
    if !installed() {
        return;
    }
    let ended = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "passt_ends_with_us_even_if_we_are_killed"])
        .env(ORPHAN, "1")
        .output()
        .expect("this program again");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(libc::SIGABRT), "{ended:?}");
    let since = Instant::now();
    while orphans() > 0 {
        assert!(since.elapsed() < WATCHDOG, "passt outlives the program that started it");
        std::thread::sleep(Duration::from_millis(10));
    }
}
