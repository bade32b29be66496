//! Looking into disk images.

use super::file::{FileDisk, Still};
use super::luks::LuksDisk;
use super::populate::named;
use super::{CONFIG, Mounted, verity};
use crate::resolve::{Step, resolve};
use anyhow::{Context, Result, ensure};
use rkt_cpio::{S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG};
use rkt_ext4::{Disk, Options, Stat};
use rkt_ext4_format::superblock::{MAGIC, OFFSET, Superblock};
use rkt_oci::Config;
use rkt_verity_format::Pin;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use zerocopy::FromBytes;

/// Bytes copied at a time.
const PIECE: usize = 1 << 20;
/// Longest configuration, bytes.
const CONFIG_MAX: u64 = 1 << 20;

/// What kind of disk an image is.
#[derive(Clone, Copy, Debug)]
pub enum DiskKind {
    /// ext4.
    Ext4,
    /// A LUKS container.
    Luks,
    /// ext4 with a dm-verity tree behind so many bytes, and what pins it as it is now.
    Verity(Pin, u64),
}

impl DiskKind {
    /// What a file is; none if it is no disk image.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(file: &File) -> Result<Option<Self>> {
        let mut start = [0; OFFSET as usize + size_of::<Superblock>()];
        if file.read_exact_at(&mut start, 0).is_err() {
            return Ok(None);
        }
        // "LUKS On-Disk Format Specification", both versions: the magic of the first header.
        if start.starts_with(b"LUKS\xba\xbe") {
            return Ok(Some(Self::Luks));
        }
        let Ok(superblock) = Superblock::read_from_bytes(&start[OFFSET as usize..]) else { return Ok(None) };
        if superblock.magic.get() != MAGIC || superblock.log_block_size.get() > 6 {
            return Ok(None);
        }
        let len = superblock.blocks().checked_mul(1024 << superblock.log_block_size.get());
        let pin = match len {
            Some(len) => verity::find(file, len)?.map(|pin| (pin, len)),
            None => None,
        };
        Ok(Some(pin.map_or(Self::Ext4, |(pin, len)| Self::Verity(pin, len))))
    }
}

/// Something in the file system of a disk image.
#[derive(Clone, Debug)]
pub struct DiskContents {
    ino: u32,
    /// Type and permissions, owner, length.
    pub stat: Stat,
    /// Where a symbolic link leads.
    pub target: Vec<u8>,
}

/// A disk image whose file system can be read.
pub struct DiskImage {
    file: File,
    fs: Mounted,
    /// What kind it is.
    pub kind: DiskKind,
    /// All that is in it, by path without the leading slash.
    pub entries: BTreeMap<Vec<u8>, DiskContents>,
}

impl DiskImage {
    /// Opens an image of this kind, with the passphrase of a container.
    ///
    /// # Errors
    /// If it is damaged, or the key is missing or another's.
    pub fn open(file: &File, kind: DiskKind, key: Option<&[u8]>) -> Result<Self> {
        let own = file.try_clone().context("no more descriptors")?;
        let disk: Arc<dyn Disk> = match kind {
            DiskKind::Luks => {
                let key = key.context("it is a LUKS container: its key is needed (--key-file)")?;
                Arc::new(LuksDisk::open(own, key)?)
            }
            DiskKind::Ext4 => {
                let len = own.metadata()?.len();
                Arc::new(FileDisk::new(own, len))
            }
            DiskKind::Verity(_, len) => Arc::new(FileDisk::new(own, len)),
        };
        let how = Options { read_only: true, ..Options::default() };
        let fs = Mounted::mount(disk, Arc::new(Still(0)), how).map_err(|error| anyhow::anyhow!("{error}"))?;
        let entries = walk(&fs)?;
        Ok(Self { file: file.try_clone().context("no more descriptors")?, fs, kind, entries })
    }

    /// How the image wants to be run.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn config(&self) -> Result<Config> {
        match self.read(CONFIG.as_bytes(), CONFIG_MAX)? {
            Some(bytes) => serde_json::from_slice(&bytes).context(CONFIG),
            None => Ok(Config::default()),
        }
    }

    /// The contents of a regular file, links followed, up to `max` bytes. `None` if there is none.
    ///
    /// # Errors
    /// If the image is damaged there, or the file is longer.
    pub fn read(&self, path: &[u8], max: u64) -> Result<Option<Vec<u8>>> {
        let Some((_, entry)) = self.find(path)? else { return Ok(None) };
        if kind(entry) != S_IFREG {
            return Ok(None);
        }
        ensure!(entry.stat.size <= max, "{} is longer than {max} bytes", path.escape_ascii());
        let mut bytes = Vec::new();
        self.copy(entry, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// Reads everything there is.
    ///
    /// # Errors
    /// What is damaged.
    pub fn check(&self) -> Result<()> {
        if let DiskKind::Verity(pin, len) = self.kind {
            ensure!(verity::build(&self.file, len)?.pin == pin, "its hash tree does not fit its contents");
        }
        for (path, entry) in self.entries.iter().filter(|(_, entry)| kind(entry) == S_IFREG) {
            self.copy(entry, &mut std::io::sink()).with_context(|| format!("/{}", path.escape_ascii()))?;
        }
        Ok(())
    }

    /// Copies a file, or a directory with all it holds, to the host; into `to` if that is a directory
    /// already. Links at the end of `path` are followed. All becomes the caller's; modes stay, but for
    /// the right to act as another user; devices and extended attributes stay behind. Nothing is
    /// overwritten. Returns the paths of the devices.
    ///
    /// # Errors
    /// If there is no such file, the image is damaged, or the host refuses.
    pub fn copy_out(&self, path: &[u8], to: &Path) -> Result<Vec<String>> {
        let found = self.find(path)?;
        let (root, _) = found.with_context(|| format!("{}: no such file in the image", path.escape_ascii()))?;
        let name = root.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let to = if to.is_dir() && !name.is_empty() { to.join(OsStr::from_bytes(name)) } else { to.to_owned() };
        let mut devices = Vec::new();
        let mut directories = Vec::new();
        for (path, entry) in &self.entries {
            let Some(below) = below(&root, path) else { continue };
            let place = if below.is_empty() { to.clone() } else { to.join(OsStr::from_bytes(below)) };
            let context = || format!("cannot write {}", place.display());
            let mode = u32::from(entry.stat.mode);
            match kind(entry) {
                S_IFDIR => {
                    DirBuilder::new().mode(0o700).create(&place).with_context(context)?;
                    directories.push((place, mode));
                }
                S_IFREG => {
                    let mut file = File::options().write(true).create_new(true).open(&place).with_context(context)?;
                    self.copy(entry, &mut file).with_context(context)?;
                    file.set_permissions(Permissions::from_mode(mode & 0o777))?;
                }
                S_IFLNK => symlink(OsStr::from_bytes(&entry.target), &place).with_context(context)?,
                S_IFIFO => {
                    mknodat(CWD, &place, FileType::Fifo, Mode::from_raw_mode(mode & 0o777), 0).with_context(context)?;
                }
                _ => devices.push(format!("/{}", path.escape_ascii())),
            }
        }
        // Last, as nothing can be put into a directory that may not be written.
        for (place, mode) in directories.into_iter().rev() {
            std::fs::set_permissions(&place, Permissions::from_mode(mode & 0o1777))?;
        }
        Ok(devices)
    }

    fn copy(&self, entry: &DiskContents, to: &mut dyn Write) -> Result<()> {
        let mut piece = vec![0; PIECE];
        let mut done = 0;
        while done < entry.stat.size {
            let read = self.fs.read_at(entry.ino, done, &mut piece).map_err(named)?;
            ensure!(read > 0, "the file ends too early");
            to.write_all(&piece[..read])?;
            done += read as u64;
        }
        Ok(())
    }

    /// The path free of links, and what is there.
    fn find(&self, path: &[u8]) -> Result<Option<(Vec<u8>, &DiskContents)>> {
        let look = |at: &[u8]| {
            self.entries.get(at).map(|entry| match kind(entry) {
                S_IFDIR => Step::Directory,
                S_IFLNK => Step::Link(&entry.target),
                _ => Step::Other,
            })
        };
        let real = resolve(path, true, look)?;
        Ok(self.entries.get(&real).map(|entry| (real, entry)))
    }
}

fn kind(entry: &DiskContents) -> u32 {
    u32::from(entry.stat.mode) & S_IFMT
}

/// Everything in a file system, directories before what they hold.
fn walk(fs: &Mounted) -> Result<BTreeMap<Vec<u8>, DiskContents>> {
    let mut entries = BTreeMap::new();
    let mut directories = HashSet::new();
    let mut waiting = vec![(Vec::new(), fs.root())];
    while let Some((path, ino)) = waiting.pop() {
        let stat = fs.stat(ino).map_err(named)?;
        let is_directory = u32::from(stat.mode) & S_IFMT == S_IFDIR;
        // In a damaged one, a directory may lead back to one above it.
        ensure!(!is_directory || directories.insert(ino), "/{}: a directory has two names", path.escape_ascii());
        let target = match u32::from(stat.mode) & S_IFMT {
            S_IFLNK => fs.read_link(ino).map_err(named)?,
            S_IFDIR => {
                let mut names = Vec::new();
                fs.read_dir(ino, 0, &mut |entry| {
                    names.push((entry.name.to_vec(), entry.ino));
                    true
                })
                .map_err(named)?;
                let separator: &[u8] = if path.is_empty() { b"" } else { b"/" };
                waiting.extend(names.into_iter().map(|(name, ino)| ([&path[..], separator, &name].concat(), ino)));
                Vec::new()
            }
            _ => Vec::new(),
        };
        entries.insert(path, DiskContents { ino, stat, target });
    }
    Ok(entries)
}

/// The rest of `path` below `root`, empty for the root itself.
fn below<'p>(root: &[u8], path: &'p [u8]) -> Option<&'p [u8]> {
    if root.is_empty() {
        return Some(path);
    }
    match path.strip_prefix(root)? {
        [] => Some(b""),
        rest => rest.strip_prefix(b"/"),
    }
}
