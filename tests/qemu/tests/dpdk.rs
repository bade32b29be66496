//! DPDK's vhost-user back end under our front end and our driver: testpmd sends every frame back.

use rkt_backend_net::vhost_user_card;
use rkt_backend_vhost_user::VhostUser;
use rkt_tests_hostile::Card;
use rkt_tests_qemu::{Driver, Traffic};
use rkt_tests_virtio::{Rig, wait};
use rkt_virtio::features::RING_PACKED;
use rkt_virtio_device::Relay;
use rkt_virtio_transport::DeviceRegs;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SLOT: usize = 0;
const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x57];
const PEER: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x58];
const FRAMES: u64 = 100_000;
/// Frames under way: testpmd drops those for which the receive queue has no room.
const UNDER_WAY: u64 = 100;
/// How long DPDK may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// testpmd with one port, which sends what it gets back by the port that it came from. Ends with this.
struct Testpmd(Child);

impl Testpmd {
    fn start(socket: &Path) -> Self {
        // Left by one that was killed.
        let _ = fs::remove_file(socket);
        let port = format!("net_vhost0,iface={},queues=1", socket.display());
        let mut command = Command::new("dpdk-testpmd");
        command.args(["--no-pci", "--no-telemetry", "--no-huge", "--no-shconf", "-m", "128", "--lcores", "0@0,1@0"]);
        command.args(["--vdev", &port, "--", "--total-num-mbufs=8192", "--forward-mode=io", "--no-mlockall"]);
        // It runs until its input ends.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("dpdk-testpmd: install dpdk-dev (`cargo xtask test` does on Debian)"))
    }

    fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Testpmd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        match attempt() {
            Some(result) => return result,
            None => assert!(since.elapsed() < START, "testpmd does not start"),
        }
        wait();
    }
}

fn connect(rig: &Rig, socket: &Path, without: u64) -> (Relay, Card) {
    let connect = || VhostUser::connect(socket, vhost_user_card(MAC, 1500), rig.memfd(), rig.window.len()).ok();
    let relay = Relay::spawn(Box::new(until(connect)), SLOT, &rig.window).expect("a relay");
    (relay, rig.card(SLOT, 1, without))
}

fn is_packed(rig: &Rig) -> bool {
    let regs = DeviceRegs::open(&rig.window, SLOT, |_| ()).expect("the slot");
    regs.driver_features().expect("features") & RING_PACKED != 0
}

/// Frames from `first` on go out and come back, all of them and in order.
fn loop_back(card: &mut Card, traffic: &Traffic, first: u64, count: u64) {
    let mut driver = Driver::new(card);
    let (mut sent, mut received) = (first, first);
    while received < first + count {
        while sent < (first + count).min(received + UNDER_WAY) && driver.send(traffic, sent) {
            sent += 1;
        }
        while let Some(number) = driver.take(traffic) {
            assert_eq!(number, received);
            received += 1;
        }
        driver.turn();
    }
}

fn exchange(without: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("vhost");
    let _testpmd = Testpmd::start(&socket);
    let rig = Rig::new();
    let (_relay, mut card) = connect(&rig, &socket, without);
    assert_eq!(is_packed(&rig), without & RING_PACKED == 0);
    loop_back(&mut card, &Traffic::new(PEER, MAC, 1), 0, FRAMES);
}

#[test]
fn a_hundred_thousand_frames_there_and_back_through_split_queues() {
    exchange(RING_PACKED);
}

#[test]
fn a_hundred_thousand_frames_there_and_back_through_packed_queues() {
    exchange(0);
}

#[test]
fn a_back_end_that_restarts_under_load_costs_a_reset() {
    for without in [RING_PACKED, 0] {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("vhost");
        let mut testpmd = Testpmd::start(&socket);
        let rig = Rig::new();
        let (_relay, mut card) = connect(&rig, &socket, without);
        let traffic = Traffic::new(PEER, MAC, 1);
        for round in 0..3 {
            let first = round * 1_000_000;
            loop_back(&mut card, &traffic, first, 1000);
            // Frames are under way when it dies, and it dies within one.
            let mut driver = Driver::new(&mut card);
            for number in first + 1000..first + 1000 + UNDER_WAY {
                assert!(driver.send(&traffic, number));
            }
            driver.turn();
            testpmd.kill();
            until(|| card.receive(&mut [0; 2048]).is_err().then_some(()));
            assert!(card.fault().is_some());
            testpmd = Testpmd::start(&socket);
            until(|| card.reset(&mut wait).ok());
        }
        loop_back(&mut card, &traffic, 9_000_000, 1000);
    }
}
