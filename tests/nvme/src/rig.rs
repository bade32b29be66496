//! A window, a clock, and one vCPU that parks.

use rkt_nvme_transport::WindowRegisters;
use rkt_virtio_device::{futex_wait, futex_wake};
use rkt_virtqueue::DmaArena;
use rkt_window::layout::{DMA, VCPU_DOORBELLS, header};
use rkt_window::{Doorbell, Window};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous};
use std::fs::File;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

/// Bytes of a window.
pub const WINDOW_LEN: usize = 64 << 20;
/// Nothing that works takes this long; what takes longer has lost a wake-up.
const WATCHDOG: Duration = Duration::from_secs(20);

/// A window and the one vCPU that drives devices through it.
pub struct Rig {
    /// The window.
    pub window: Window,
    doorbell: Doorbell,
}

/// Shared memory of this process alone. It stays mapped until the process ends, as a `Region` asks.
pub fn map_window(len: usize) -> Window {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, placed by the kernel.
    let base = unsafe { mmap_anonymous(std::ptr::null_mut(), len, protection, MapFlags::SHARED) };
    // SAFETY: mapped until the process ends, and known to nobody else.
    unsafe { Window::from_raw(base.expect("map a window").cast(), len) }
}

/// Shared memory that another process maps as well.
pub fn map_file(file: &File, len: usize) -> Window {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, placed by the kernel.
    let base = unsafe { mmap(std::ptr::null_mut(), len, protection, MapFlags::SHARED, file, 0) };
    // SAFETY: mapped until the process ends, and reached through the window alone.
    unsafe { Window::from_raw(base.expect("map a file").cast(), len) }
}

impl Rig {
    /// A fresh window.
    #[expect(clippy::new_without_default, reason = "maps memory")]
    pub fn new() -> Self {
        let window = map_window(WINDOW_LEN);
        window.write_u32(header::VCPUS, 1).expect("header");
        let doorbell = Doorbell::at(&window, VCPU_DOORBELLS).expect("doorbell");
        Self { window, doorbell }
    }

    /// The registers of the controller in a slot.
    pub fn regs(&self, slot: usize) -> WindowRegisters {
        WindowRegisters::open(&self.window, slot, wake).expect("slot").expect("a controller")
    }

    /// The DMA area, as the enclave hands it to drivers.
    pub fn arena(&self) -> DmaArena {
        DmaArena::new(self.window, DMA, WINDOW_LEN - DMA).expect("DMA area")
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

/// Wakes a sleeper on a doorbell.
pub fn wake(word: &'static AtomicU32) {
    futex_wake(word);
}

/// Lets the device's thread run.
pub fn wait() {
    std::thread::sleep(Duration::from_micros(50));
}

/// Nanoseconds since the first call.
pub fn clock() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
