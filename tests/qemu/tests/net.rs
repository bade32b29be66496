//! QEMU's virtio network card under our driver.

use rkt_netdev::{NetDevice, TxMeta};
use rkt_tests_hostile::Card;
use rkt_tests_qemu::{Driver, Machine, Traffic};
use rkt_virtio::features::{EVENT_IDX, RING_PACKED};
use rkt_virtio::net::features::MRG_RXBUF;
use rkt_virtio_device::{Relay, futex_wake};
use rkt_virtio_net::{Options, VirtioNet};
use rkt_virtio_transport::{DeviceRegs, DriverRegs};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const SLOT: usize = 0;
const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x57];
const PEER: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x58];
/// Looks at the device in a step of the handshake, [`wait`] between them.
const POLLS: u32 = 20_000;
/// Each way, in each of the kinds of queues.
const FRAMES: u64 = 100_000;

fn wait() {
    thread::sleep(Duration::from_millis(1));
}

/// QEMU with a card, opened by our driver.
struct Guest {
    // First: it has the device let go of the memory.
    relay: Option<Relay>,
    card: Card,
    machine: Machine,
}

fn start(netdev: &str, device: &str, without: u64) -> Guest {
    let device = format!("virtio-net-pci,netdev=w,addr=4,disable-legacy=on,romfile=,mac=52:54:00:12:34:57{device}");
    let machine = Machine::start(&["-netdev".into(), netdev.into(), "-device".into(), device]).expect("QEMU");
    let window = machine.window();
    let remote = machine.virtio().expect("a virtio device");
    let relay = Relay::spawn(Box::new(remote), SLOT, &window).expect("a relay");
    let regs = DriverRegs::open(&window, SLOT, futex_wake).expect("the slot");
    let options = Options { pairs: 1, rss_key: std::array::from_fn(|at| (at * 37 + 11) as u8), without, polls: POLLS };
    let mut arena = machine.arena().expect("memory");
    let card = VirtioNet::new(regs, &mut arena, &options, &mut wait).expect("the card comes up");
    Guest { relay: Some(relay), card: Card::new(card), machine }
}

impl Guest {
    /// The features that both use.
    fn agreed(&self) -> u64 {
        let regs = DeviceRegs::open(&self.machine.window(), SLOT, futex_wake).expect("the slot");
        regs.driver_features().expect("features")
    }
}

/// The other end of the wire: QEMU's `dgram` back end, a datagram a frame.
struct Wire {
    ours: UnixDatagram,
    folder: TempDir,
}

impl Wire {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ours = UnixDatagram::bind(folder.path().join("ours")).expect("a socket");
        ours.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        Self { ours, folder }
    }

    fn path(&self, name: &str) -> String {
        Path::display(&self.folder.path().join(name)).to_string()
    }

    fn netdev(&self) -> String {
        let (ours, theirs) = (self.path("ours"), self.path("theirs"));
        format!("dgram,id=w,local.type=unix,local.path={theirs},remote.type=unix,remote.path={ours}")
    }
}

/// Frames both ways at the same time; each is compared, none is missing, and they keep their order.
fn exchange(device: &str, without: u64) {
    let wire = Wire::new();
    let mut guest = start(&wire.netdev(), device, without);
    let (there, back) = (Traffic::new(PEER, MAC, 1), Traffic::new(MAC, PEER, 2));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = [0; 2048];
            for number in 0..FRAMES {
                let len = wire.ours.recv(&mut buffer).expect("a frame");
                assert_eq!(there.check(&buffer[..len]), Some(number));
            }
        });
        scope.spawn(|| {
            for number in 0..FRAMES {
                wire.ours.send_to(&back.frame(number), wire.path("theirs")).expect("send");
            }
        });
        let mut driver = Driver::new(&mut guest.card);
        let (mut sent, mut received) = (0, 0);
        while sent < FRAMES || received < FRAMES {
            while sent < FRAMES && driver.send(&there, sent) {
                sent += 1;
            }
            while let Some(number) = driver.take(&back) {
                assert_eq!(number, received);
                received += 1;
            }
            driver.turn();
        }
    });
}

#[test]
fn a_hundred_thousand_frames_each_way_through_split_queues() {
    exchange("", RING_PACKED);
}

#[test]
fn a_hundred_thousand_frames_each_way_through_packed_queues() {
    exchange(",packed=on", 0);
}

#[test]
fn a_hundred_thousand_frames_each_way_without_mergeable_buffers_and_event_indices() {
    exchange("", RING_PACKED | MRG_RXBUF | EVENT_IDX);
}

#[test]
fn it_says_what_it_is_and_agrees_on_what_it_has() {
    let wire = Wire::new();
    for (device, packed) in [("", false), (",packed=on", true), (",packed=on,host_mtu=9000", true)] {
        let guest = start(&wire.netdev(), device, 0);
        let can = guest.card.capabilities();
        assert_eq!(can.mac, MAC);
        assert_eq!(can.mtu, if device.contains("9000") { 9000 } else { 1500 });
        // A socket takes whole frames only.
        assert!(!can.tx_tso4 && !can.tx_checksum);
        assert_eq!(guest.agreed() & RING_PACKED != 0, packed);
        assert!(guest.card.device.link_up());
    }
}

#[test]
fn a_device_that_is_gone_takes_the_card_down() {
    let wire = Wire::new();
    let mut guest = start(&wire.netdev(), "", 0);
    guest.machine.kill();
    let there = Traffic::new(PEER, MAC, 1);
    for number in 0.. {
        // Whichever notices it: the kick, or the next look.
        let sent = guest.card.transmit(&TxMeta::default(), &[&there.frame(number)]);
        if guest.card.kick().is_err() || guest.card.receive(&mut [0; 2048]).is_err() {
            break;
        }
        if sent.is_err() {
            wait();
        }
    }
    assert!(guest.card.fault().is_some());
    assert!(guest.card.reset(&mut wait).is_err());
    guest.relay.take();
}
