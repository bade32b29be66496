//! Reads container images: OCI image layouts (OCI image-spec 1.1), as a folder or an archive of one,
//! and what `docker save` writes.
//!
//! An image is hostile input: every blob is compared with its digest, every size is bounded
//! ([`Limits`]), names are brought into one normal form that cannot leave the root, and nothing is
//! ever unpacked onto the host's file system: contents go into one unnamed file, a [`Spool`].
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use rkt_oci::{Limits, Source, Spool};
//! let source = Source::open("image.tar".as_ref(), None, &Limits::default())?;
//! let mut spool = Spool::new(&Limits::default())?;
//! for layer in 0..source.layers() {
//!     for entry in source.read_layer(layer, &mut spool, &mut |_| {})? {
//!         println!("{}", entry.path.escape_ascii());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod digest;
mod layer;
mod pax;
mod source;
mod spec;
mod spool;
mod store;
mod stream;
mod tape;

pub use digest::Digest;
pub use layer::{Entry, Kind, read_tar};
pub use source::Source;
pub use spec::{Config, Descriptor, Index, Manifest, Platform, parse};
pub use spool::{Part, Spool};

/// What an image may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all layers, unpacked.
    pub unpacked: u64,
    /// Files, directories and links of all layers.
    pub entries: usize,
    /// Bytes of names, targets of links and extended attributes of all layers.
    pub names: usize,
}

impl Default for Limits {
    /// 16 GiB in a million files.
    fn default() -> Self {
        Self { unpacked: 16 << 30, entries: 1 << 20, names: 256 << 20 }
    }
}
