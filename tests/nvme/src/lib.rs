//! The NVMe driver against controllers: our own over files, QEMU's model, and one that lies.

mod fuzz;
mod model;
mod rig;
mod simulation;
mod workload;

pub use fuzz::{fuzz_identify, fuzz_nvme};
pub use model::{BLOCK_LEN, Claims, MODEL_SLOT, Model, NAMESPACE_LEN, Pair, Taken};

pub use rig::{Rig, WINDOW_LEN, clock, map_file, map_window, wait, wake};
pub use simulation::{MOMENT, Opened, open_model, pass, simulated_clock, small_options};
pub use workload::{Random, perform, read, write};
