//! Devices that lie in every way the specification forbids, against the drivers.
//!
//! [`Device`] is a virtio device written from the specification for this crate alone. It is honest
//! unless told otherwise: each test tells one lie by name. [`fuzz_net`] and [`fuzz_blk`] let bytes
//! choose the lies; the fuzz targets and the seeded tests call both.

mod card;
mod device;
mod disk;
mod fuzz_blk;
mod fuzz_net;
mod net;
mod packed;
mod rig;
mod script;

pub use card::{Card, card_down};
pub use device::{Buffer, Chain, Device};
pub use disk::{DISK_LEN, disk_config};
pub use fuzz_blk::fuzz_blk;
pub use fuzz_net::fuzz_net;
pub use net::{MAC, net_config, pairs_config};
pub use rig::{POLLS, SLOT, open_disk, open_net, open_pairs, options, window};
pub use script::{Script, noise};
