//! Devices outlive rings full of garbage: half plausible, as blind garbage fails at the first
//! check. The driver is the trusted half, but a bug in it must not end the supervisor.

use rkt_backend_blk::{BlkDevice, Disk, DiskOptions};
use rkt_backend_net::{FrameSource, MAX_PACKET, NetDevice, Received, Sent};
use rkt_tests_virtio::{Random, Rig};
use rkt_virtio::split;
use rkt_virtio_device::{Counters, Device, Queue, Queues, scatter, total_len};
use rkt_virtio_transport::QueueSetup;
use rkt_window::layout::DMA;
use rkt_window::{Region, Window};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

const SIZE: u16 = 16;
const ROUNDS: u32 = 20_000;
/// Where garbage buffers lie, more or less.
const DATA: u64 = DMA as u64 + (1 << 20);

/// The rings of queue `index`, filled with garbage.
fn garbage_queue(window: &Window, index: usize, random: &mut Random) -> Queue {
    let base = DMA + index * 16_384;
    let (desc, avail, used) = (base, base + 4096, base + 8192);
    for entry in 0..usize::from(SIZE) {
        let at = desc + entry * split::DESC_LEN;
        let addr = match random.below(20) {
            0 => random.number(),
            1..6 => DATA + random.below(1 << 20),
            _ => DATA + 4096 * random.below(256),
        };
        let len = match random.below(20) {
            0 => random.number() as u32,
            1..4 => random.below(20) as u32,
            4..12 => 16,
            _ => 512 * random.below(64) as u32,
        };
        // Flags: mostly NEXT and WRITE in any mix, seldom INDIRECT or unknown.
        let flags = if random.below(20) == 0 { random.number() } else { random.below(4) } as u16;
        let next = if random.below(20) == 0 { random.number() as u16 } else { random.below(16) as u16 };
        window.write_u64(at, addr).expect("write");
        window.write_u32(at + 8, len).expect("write");
        window.write_u16(at + 12, flags).expect("write");
        window.write_u16(at + 14, next).expect("write");
        window.write_u16(avail + split::avail_entry(SIZE, entry as u16), random.below(17) as u16).expect("write");
    }
    window.write_u16(avail + split::RING_IDX, random.below(18) as u16).expect("write");
    let setup = QueueSetup { size: SIZE, vcpu: 0, desc: desc as u64, driver: avail as u64, device: used as u64 };
    Queue::open(window, &setup, SIZE, 0).expect("possible rings")
}

/// Serves garbage again and again; returns how many rounds found no fault.
fn survive(device: &mut dyn Device, queues: usize, seed: u64, mut prepare: impl FnMut(&Window, &mut Random)) -> u32 {
    let rig = Rig::new();
    let counters = Counters::default();
    let mut random = Random(seed);
    let mut clean = 0;
    for _ in 0..ROUNDS {
        prepare(&rig.window, &mut random);
        let mut queues = Queues::of((0..queues).map(|index| garbage_queue(&rig.window, index, &mut random)));
        device.start(u64::MAX).expect("start");
        clean += u32::from(device.serve(&mut queues, &counters).is_ok());
        device.reset();
    }
    println!("{:?}", counters.snapshot());
    clean
}

#[test]
fn disk() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("garbage-{}", std::process::id()));
    File::create(&path).expect("a file").set_len(4 << 20).expect("its length");
    let disk = Disk::open(&DiskOptions { path: path.clone(), read_only: false }).expect("a disk");
    // Where most buffers start, there is a plausible header.
    let clean = survive(&mut BlkDevice::new(disk), 1, 5, |window, random| {
        for at in (0..1 << 20).step_by(4096) {
            window.write_u32(DATA as usize + at, random.below(15) as u32).expect("write");
            window.write_u64(DATA as usize + at + 8, random.below(8300)).expect("write");
        }
    });
    assert!((1..ROUNDS).contains(&clean), "{clean}");
    let len = std::fs::metadata(&path).expect("metadata").len();
    std::fs::remove_file(&path).expect("remove");
    assert_eq!(len, 4 << 20, "the file has another length");
}

/// A source that refuses, blocks and sends as it likes.
struct Moody {
    random: Random,
    never: File,
}

impl FrameSource for Moody {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.never.as_fd()
    }

    fn offloads(&self) -> u64 {
        0
    }

    fn mtu(&self) -> u16 {
        1500
    }

    fn start(&mut self, _features: u64) -> io::Result<()> {
        Ok(())
    }

    fn send(&mut self, _packet: &[Region]) -> io::Result<Sent> {
        Ok([Sent::Done, Sent::Blocked, Sent::Refused][self.random.below(3) as usize])
    }

    fn receive(&mut self, room: &[Region], overflow: &mut [u8]) -> io::Result<Received> {
        let len = match self.random.below(8) {
            0 => return Ok(Received::Nothing),
            1 => return Ok(Received::Cut),
            2 => self.random.below(MAX_PACKET as u64 + 1) as usize,
            _ => 12 + self.random.below(1514) as usize,
        };
        let packet = vec![0xa5; len];
        let placed = scatter(room, 0, &packet);
        assert_eq!(placed, len.min(total_len(room)));
        overflow[..len - placed].copy_from_slice(&packet[placed..]);
        Ok(Received::Packet(len))
    }

    fn flush(&mut self) -> io::Result<bool> {
        Ok(self.random.below(2) == 0)
    }
}

#[test]
fn card() {
    let source = Moody { random: Random(6), never: File::open("/dev/null").expect("/dev/null") };
    let clean = survive(&mut NetDevice::new([source], [2; 6]), 2, 7, |_, _| {});
    assert!((1..ROUNDS).contains(&clean), "{clean}");
}
