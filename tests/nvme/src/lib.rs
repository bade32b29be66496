//! The NVMe driver against controllers: our own over files, QEMU's model, and one that lies.

mod rig;
mod workload;

pub use rig::{Rig, WINDOW_LEN, clock, map_file, map_window, wait, wake};
pub use workload::{Random, perform, read, write};
