//! The files that are the disks: an ext4 in plain, which native runs mount and enclaves open, too, and the
//! same in a LUKS container. Both are written once from end to end, so that later writes find their place.

use super::container;
use super::mount::{Mounted, Native};
use crate::folder::Folder;
use crate::place::require;
use crate::process;
use anyhow::{Context, Result};
use rustix::fs::statfs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const MIB: usize = 1 << 20;
/// `TMPFS_MAGIC` (statfs(2)).
const TMPFS: i64 = 0x0102_1994;
const MKFS_LIMIT: Duration = Duration::from_secs(300);

/// The files, and where they are mounted.
pub struct Backing {
    parent: PathBuf,
    folder: Folder,
    /// Of either side.
    point: PathBuf,
    native: Native,
    in_memory: bool,
}

impl Backing {
    /// Makes the files in a folder of their own in `parent`.
    ///
    /// # Errors
    /// If there is no room or a tool is missing.
    pub fn new(parent: &Path, mib: u64, inodes: u32) -> Result<Self> {
        let mke2fs = require("mke2fs", "e2fsprogs")?;
        let folder = Folder::within(parent)?;
        let in_memory = statfs(parent).is_ok_and(|found| found.f_type == TMPFS);
        let point = folder.path().join("disk");
        std::fs::create_dir_all(&point).with_context(|| format!("cannot make {}", point.display()))?;
        let mut backing = Self { parent: parent.into(), folder, point, native: Native::Folder, in_memory };
        let plain = backing.plain();
        fill(&plain, mib).with_context(|| format!("cannot write {} MiB to {}", mib, plain.display()))?;
        let path = plain.to_string_lossy();
        let now = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
        // The container's sectors are no smaller than the blocks.
        let args = ["-q", "-F", "-t", "ext4", "-b", "4096", "-N", &inodes.to_string(), "-E", now, &path];
        process::run(Command::new(mke2fs).args(args), MKFS_LIMIT)?;
        container::encrypt(&plain, &backing.container(), &backing.key())?;
        backing.native = Native::find(&plain, &backing.point);
        Ok(backing)
    }

    /// Where the files lie.
    pub fn parent(&self) -> &Path {
        &self.parent
    }

    /// Where the disk is mounted, on either side.
    pub fn point(&self) -> &Path {
        &self.point
    }

    /// The folder's kind, in words.
    pub fn described(&self) -> String {
        let kind = if self.in_memory { "a tmpfs" } else { "the machine's disk" };
        format!("{} ({kind})", self.parent.display())
    }

    /// What native programs find, in words.
    pub fn native(&self) -> &'static str {
        self.native.shown()
    }

    /// Makes it ready for a native program.
    ///
    /// # Errors
    /// If that fails.
    pub fn mount(&self) -> Result<Mounted> {
        self.native.mount(&self.plain(), &self.point)
    }

    /// The value of `--disk` for the enclave.
    pub fn disk(&self, encrypted: bool) -> String {
        let (container, key, plain, point) = (self.container(), self.key(), self.plain(), self.point.display());
        if encrypted {
            format!("file={},format=luks,key-file={},mount={point}", container.display(), key.display())
        } else {
            format!("file={},format=plain,mount={point}", plain.display())
        }
    }

    fn plain(&self) -> PathBuf {
        self.folder.path().join("plain.img")
    }

    fn container(&self) -> PathBuf {
        self.folder.path().join("luks.img")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key")
    }
}

/// A file of zeros that are really there.
fn fill(path: &Path, mib: u64) -> Result<()> {
    let mut file = std::fs::File::create_new(path)?;
    let zeros = vec![0; MIB];
    (0..mib).try_for_each(|_| file.write_all(&zeros))?;
    Ok(file.sync_all()?)
}
