//! The drivers against our own devices, end to end: both halves in one process, which meet in a
//! window as they do in life. What is here sets up the window, a vCPU that parks, a network
//! namespace of one's own, and raw access to what passes through it.

mod netns;
pub mod packets;

pub use netns::{Namespace, PacketSocket, Tap, Tun, in_network_namespace, ip};

use rkt_tests_hostile::Card;
use rkt_virtio_device::{futex_wait, futex_wake};
use rkt_virtio_net::{Options, VirtioNet};
use rkt_virtio_transport::DriverRegs;
use rkt_virtqueue::DmaArena;
use rkt_window::layout::{DMA, VCPU_DOORBELLS, header};
use rkt_window::{Doorbell, Window};
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

/// Nothing that works takes this long; what takes longer has lost a wake-up.
pub const WATCHDOG: Duration = Duration::from_secs(8);
/// Looks at a device in a step of the handshake, [`wait`] between them.
pub const POLLS: u32 = 10_000;

const WINDOW_LEN: usize = 32 << 20;

/// A window and the one vCPU that drives devices through it.
pub struct Rig {
    /// The window.
    pub window: Window,
    memfd: OwnedFd,
    doorbell: Doorbell,
}

impl Rig {
    /// A fresh window. It stays mapped until the process ends, as a `Region` asks.
    #[expect(clippy::new_without_default, reason = "maps memory")]
    pub fn new() -> Self {
        use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
        use rustix::mm::{MapFlags, ProtFlags, mmap};
        let memfd = memfd_create("window", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).expect("a memfd");
        ftruncate(&memfd, WINDOW_LEN as u64).expect("its length");
        fcntl_add_seals(&memfd, SealFlags::SHRINK | SealFlags::GROW).expect("seals");
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, placed by the kernel.
        let base = unsafe { mmap(std::ptr::null_mut(), WINDOW_LEN, protection, MapFlags::SHARED, &memfd, 0) };
        // SAFETY: mapped until the process ends, and known to nobody else.
        let window = unsafe { Window::from_raw(base.expect("map a window").cast(), WINDOW_LEN) };
        window.write_u32(header::VCPUS, 1).expect("header");
        let doorbell = Doorbell::at(&window, VCPU_DOORBELLS).expect("doorbell");
        Self { window, memfd, doorbell }
    }

    /// The window's descriptor, to hand over.
    pub fn memfd(&self) -> OwnedFd {
        self.memfd.try_clone().expect("a descriptor")
    }

    /// The driver's registers of a slot.
    pub fn regs(&self, slot: usize) -> DriverRegs {
        DriverRegs::open(&self.window, slot, wake).expect("slot")
    }

    /// The DMA area, as the enclave hands it to drivers.
    pub fn arena(&self) -> DmaArena {
        DmaArena::new(self.window, DMA, WINDOW_LEN - DMA).expect("DMA area")
    }

    /// Opens the card in a slot, with up to so many pairs of queues and without these features.
    pub fn card(&self, slot: usize, pairs: u16, without: u64) -> Card {
        let options = Options { pairs, rss_key: [0x5a; 40], without, polls: POLLS };
        Card::new(VirtioNet::new(self.regs(slot), &mut self.arena(), &options, &mut wait).expect("a card"))
    }

    /// Parks, as a vCPU does, until there is work. Panics if nobody wakes it.
    pub fn park_until(&self, mut has_work: impl FnMut() -> bool) {
        let since = Instant::now();
        while !has_work() {
            let seen = self.doorbell.arm();
            if !has_work() {
                futex_wait(self.doorbell.word(), seen, WATCHDOG);
            }
            self.doorbell.disarm();
            assert!(since.elapsed() < WATCHDOG, "parked for {WATCHDOG:?}: a wake-up was lost");
        }
    }
}

fn wake(word: &'static AtomicU32) {
    futex_wake(word);
}

/// Lets the device's thread run.
pub fn wait() {
    std::thread::sleep(Duration::from_millis(1));
}

/// Random numbers by seed (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit
    }

    /// So many bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.number() as u8).collect()
    }
}
