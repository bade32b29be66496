//! Making a disk image from a tree.

use super::file::{FileDisk, Still};
use super::luks::{self, LuksDisk};
use super::populate::{self, Population, named};
use super::{Mounted, size, verity};
use crate::tree::{Kind, Tree};
use anyhow::{Context, Result, ensure};
use rkt_ext4::{Disk, FormatOptions, MountError, Options};
use rkt_image_format::{Digest, sha256};
use rkt_verity_format::Pin;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Smallest file system that a tree is put into, bytes.
const SMALLEST: u64 = 8 << 20;
/// Directories that a root needs for what is mounted there.
const MOUNT_POINTS: [(&str, u32); 3] = [("/dev", 0o755), ("/proc", 0o555), ("/tmp", 0o1777)];

/// What protects a disk image.
#[derive(Clone, Copy, Debug)]
pub enum DiskFormat<'a> {
    /// Nothing.
    Ext4,
    /// A LUKS2 container that this passphrase opens. Its keys are random: no two are alike.
    Luks2(&'a [u8]),
    /// A dm-verity tree behind the file system.
    Verity,
}

/// How a disk image is made.
#[derive(Clone, Copy, Debug)]
pub struct DiskOptions<'a> {
    /// What protects it.
    pub format: DiskFormat<'a>,
    /// Bytes of the file system; otherwise as much as the tree needs, and some room.
    pub size: Option<u64>,
    /// Latest modification time, seconds since 1970; later ones become this one.
    pub clamp_mtime: Option<u32>,
}

/// What was made.
#[derive(Clone, Copy, Debug)]
pub struct CreatedDisk {
    /// Bytes of the image.
    pub bytes: u64,
    /// Files and directories in it.
    pub files: usize,
    /// What pins it, if it has a tree.
    pub pin: Option<Pin>,
}

/// Writes a tree as a disk image into an empty file. `progress` is told how many bytes of contents are done.
///
/// # Errors
/// If contents cannot be read, the image is too small, or the file cannot be written.
pub fn create_disk(
    mut tree: Tree,
    file: &File,
    options: &DiskOptions<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<CreatedDisk> {
    populate::check(&tree)?;
    for (path, mode) in MOUNT_POINTS {
        if tree.get(Path::new(path)).is_none() {
            tree.insert(Path::new(path), crate::Node::directory(mode))?;
        }
    }
    let size = options.size.unwrap_or_else(|| size::of_tree(&tree)) / 4096 * 4096;
    ensure!(size >= SMALLEST, "a disk image needs at least {SMALLEST} bytes: make it larger with --size");
    let own = || file.try_clone().context("no more descriptors");
    let disk: Arc<dyn Disk> = match options.format {
        DiskFormat::Luks2(passphrase) => {
            file.set_len(size + luks::overhead())?;
            Arc::new(LuksDisk::create(own()?, passphrase)?)
        }
        DiskFormat::Ext4 | DiskFormat::Verity => {
            file.set_len(size)?;
            Arc::new(FileDisk::new(own()?, size))
        }
    };
    let identity = identity(&tree, options.clamp_mtime);
    fill(&tree, disk, identity, options.clamp_mtime, progress)?;
    let pin = match options.format {
        DiskFormat::Verity => Some(verity::append(file, size, first(&identity), &identity[16..])?),
        _ => None,
    };
    file.sync_data()?;
    Ok(CreatedDisk { bytes: file.metadata()?.len(), files: tree.nodes().len(), pin })
}

/// Makes the file system and puts the tree into it.
fn fill(
    tree: &Tree,
    disk: Arc<dyn Disk>,
    identity: Digest,
    clamp_mtime: Option<u32>,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    // The input's time, so that the same input makes the same image.
    let latest = tree.nodes().map(|(_, node)| node.mtime).max().unwrap_or(0);
    let time = i64::from(clamp_mtime.map_or(latest, |clamp| clamp.min(latest))) * 1_000_000_000;
    let mut hash_seed = [0; 4];
    for (word, bytes) in hash_seed.iter_mut().zip(identity.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    let mut how = FormatOptions::new(first(&identity), hash_seed, time);
    how.inode_ratio = size::inode_ratio(tree, disk.len());
    how.reserved_percent = 0;
    let refused = |error: MountError| anyhow::anyhow!("cannot make the file system: {error}");
    rkt_ext4::format(&disk, &how).map_err(refused)?;
    let fs = Mounted::mount(disk, Arc::new(Still(time)), Options::default()).map_err(refused)?;
    Population { fs: &fs, clamp_mtime, progress }.put(tree)?;
    fs.unmount().map_err(named)
}

/// 128 bits that differ between images: their names.
fn first(identity: &Digest) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&identity[..16]);
    bytes
}

/// A digest of what is in the tree but for contents of files: a name for the image.
fn identity(tree: &Tree, clamp_mtime: Option<u32>) -> Digest {
    let mut all = Vec::new();
    for (path, node) in tree.nodes() {
        let length = if let Kind::File(content) = &node.kind { content.length() } else { 0 };
        all.extend_from_slice(path);
        let mtime = clamp_mtime.map_or(node.mtime, |clamp| clamp.min(node.mtime));
        for number in [0, node.full_mode(), node.uid, node.gid, mtime] {
            all.extend_from_slice(&number.to_le_bytes());
        }
        all.extend_from_slice(&length.to_le_bytes());
    }
    sha256(&all)
}
