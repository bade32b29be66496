//! A driver over a [`Model`] that is stepped while the driver waits, and a clock that only moves then.

use crate::model::{MODEL_SLOT, Model};
use crate::wake;
use rkt_nvme_driver::{Lane, NvmeDriver, NvmeError, Options};
use rkt_nvme_transport::WindowRegisters;
use rkt_virtqueue::DmaArena;
use rkt_window::Window;
use rkt_window::layout::DMA;
use std::cell::Cell;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// This thread's simulated time, in nanoseconds.
pub fn simulated_clock() -> u64 {
    NOW.get()
}

/// Lets simulated time pass.
pub fn pass(nanoseconds: u64) {
    NOW.set(NOW.get() + nanoseconds);
}

/// A moment between two looks.
pub const MOMENT: u64 = 10_000_000;

/// Small queues, and an I/O timeout of a second.
pub fn small_options() -> Options {
    Options {
        vcpus: 2,
        lanes: 4,
        entries: 32,
        chunks: 64,
        timeout: 1_000_000_000,
        admin_timeout: 3_000_000_000,
        ..Options::new(simulated_clock)
    }
}

/// The driver and its lanes.
pub type Opened = (NvmeDriver<WindowRegisters>, Vec<Lane<WindowRegisters>>);

/// Opens the driver; the model is stepped while it waits.
///
/// # Errors
/// As the driver says.
pub fn open_model(window: &Window, model: &mut Model, options: Options) -> Result<Opened, NvmeError> {
    let regs = WindowRegisters::open(window, MODEL_SLOT, wake).expect("the slot").expect("a controller");
    let mut arena = DmaArena::new(*window, DMA, window.len() - DMA).expect("the area is in the window");
    NvmeDriver::new(regs, &mut arena, options, &mut || {
        model.step();
        pass(MOMENT);
    })
}
