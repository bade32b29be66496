//! Builds root images: from a program and what it needs to run, from a folder, or from a container
//! image; and takes them apart again.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use rkt_image_builder::{Options, ProgramImage};
//! let plan = ProgramImage::new("redis-server").workdir("/data").plan()?;
//! let mut image = std::fs::File::create("redis.rkt")?;
//! let built = plan.tree.write(&mut image, &Options::default())?;
//! println!("{} files, run {}", built.files, plan.program.display());
//! # Ok(())
//! # }
//! ```
//! An image depends on nothing but its input: entries are sorted, and modification times
//! are those of the input or earlier ([`Options::clamp_mtime`]).
#![forbid(unsafe_code)]

mod check;
mod disk;
mod dpkg;
mod folder;
mod import;
mod layers;
mod libraries;
mod open;
mod prefix;
mod program;
mod resolve;
mod skeleton;
mod tree;
mod write;

pub use check::{FileSource, Inspection, Listed, check, inspect};
pub use disk::{CreatedDisk, DiskContents, DiskFormat, DiskImage, DiskKind, DiskOptions, change_key, create_disk};
pub use folder::from_folder;
pub use layers::from_container;
pub use open::OpenImage;
pub use program::{Plan, ProgramImage};
pub use rkt_oci::{Config, Digest, Limits};
pub use tree::{Content, Kind, Node, Tree};
pub use write::{Built, Compression, Options, source_date_epoch};
