//! A window, and drivers opened over it with a device that is stepped while they wait.

use crate::{Card, Device};
use core::sync::atomic::AtomicU32;
use rkt_virtio_blk::VirtioBlk;
use rkt_virtio_net::{Options, VirtioNet};
use rkt_virtio_transport::DriverRegs;
use rkt_virtqueue::{DmaArena, VirtioError};
use rkt_window::layout::{DMA, MIN_LEN, STDIN};
use rkt_window::{Region, Window};

/// The slot of all devices here.
pub const SLOT: usize = 2;
/// The drivers' patience.
pub const POLLS: u32 = 8;

/// Room for a card with four pairs of queues.
const WINDOW_LEN: usize = MIN_LEN + (6 << 20);

pub(crate) fn no_wake(_: &'static AtomicU32) {}

/// This thread's window, its registers cleared. There is one a thread, as window memory is
/// never given back; the arena clears what it hands out.
pub fn window() -> Window {
    thread_local! {
        static WINDOW: Region = {
            let memory = vec![0u64; WINDOW_LEN / 8].leak();
            // SAFETY: leaked, so mapped for good, and reached through the region alone.
            unsafe { Region::from_raw(memory.as_mut_ptr().cast(), WINDOW_LEN) }
        };
    }
    WINDOW.with(|window| {
        window.zero(0, STDIN).expect("the fixed part is in the window");
        *window
    })
}

fn parts(window: &Window) -> (DriverRegs, DmaArena) {
    let regs = DriverRegs::open(window, SLOT, no_wake).expect("the slot is in the window");
    let arena = DmaArena::new(*window, DMA, window.len() - DMA).expect("the area is in the window");
    (regs, arena)
}

/// Opens a network card; the device is stepped while the driver waits.
///
/// # Errors
/// As the driver says.
pub fn open_net(window: &Window, device: &mut Device) -> Result<Card, VirtioError> {
    open_pairs(window, 1, &mut || device.step())
}

/// Opens a card with up to so many pairs of queues; whatever `step` does happens while the driver waits.
///
/// # Errors
/// As the driver says.
pub fn open_pairs(window: &Window, pairs: u16, step: &mut dyn FnMut()) -> Result<Card, VirtioError> {
    let (regs, mut arena) = parts(window);
    VirtioNet::new(regs, &mut arena, &options(pairs), step).map(Card::new)
}

/// How cards are opened here.
pub fn options(pairs: u16) -> Options {
    Options { pairs, rss_key: core::array::from_fn(|at| at as u8), without: 0, polls: POLLS }
}

/// Opens a disk; the device is stepped while the driver waits.
///
/// # Errors
/// As the driver says.
pub fn open_disk(window: &Window, device: &mut Device) -> Result<VirtioBlk, VirtioError> {
    let (regs, mut arena) = parts(window);
    VirtioBlk::new(regs, &mut arena, 0, POLLS, &mut || device.step())
}
