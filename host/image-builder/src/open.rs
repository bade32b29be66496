//! Files out of an image.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rkt_cpio::{S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG};
use rkt_image_format::{ChunkCache, Extent, Image};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::check::{FileSource, Inspection, Listed, of_image, open};
use crate::resolve::{Step, resolve};

/// Bytes copied at a time.
const PIECE: u64 = 1 << 20;

/// An image whose files can be read. Every piece is verified as it is read.
pub struct OpenImage<'f> {
    image: Image<FileSource<'f>>,
    inspection: Inspection,
    by_name: HashMap<Vec<u8>, usize>,
}

impl<'f> OpenImage<'f> {
    /// Opens an image by the digest that it has.
    ///
    /// # Errors
    /// If it is no image, or a damaged one.
    pub fn new(file: &'f File) -> Result<Self> {
        let (image, digest) = open(file)?;
        let inspection = of_image(&image, digest)?;
        let by_name = (0..).zip(&inspection.entries).map(|(at, entry)| (key(entry).to_vec(), at)).collect();
        Ok(Self { image, inspection, by_name })
    }

    /// What is in it.
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// The contents of a regular file, links followed, up to `max` bytes. `None` if there is none.
    ///
    /// # Errors
    /// If the image is damaged there, or the file is longer.
    pub fn read(&self, path: &[u8], max: u64) -> Result<Option<Vec<u8>>> {
        let Some(entry) = self.find(path)?.filter(|entry| entry.mode & S_IFMT == S_IFREG) else {
            return Ok(None);
        };
        let length = entry.extent.length;
        ensure!(length <= max, "{} is longer than {max} bytes", path.escape_ascii());
        let mut bytes = Vec::new();
        self.copy(entry.extent, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// Copies a file, or a directory with all it holds, to the host; into `to` if that is a directory
    /// already. Links at the end of `path` are followed. All becomes the caller's; modes stay, but for
    /// the right to act as another user; devices and extended attributes stay behind. Nothing is
    /// overwritten. Returns the paths of the devices.
    ///
    /// # Errors
    /// If there is no such file, the image is damaged, or the host refuses.
    pub fn copy_out(&self, path: &[u8], to: &Path) -> Result<Vec<String>> {
        let root = self.find(path)?;
        let root = root.with_context(|| format!("{}: no such file in the image", path.escape_ascii()))?;
        let name = key(root).rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let to = if to.is_dir() { to.join(OsStr::from_bytes(name)) } else { to.to_owned() };
        let mut devices = Vec::new();
        let mut directories = Vec::new();
        for entry in &self.inspection.entries {
            let Some(below) = below(key(root), key(entry)) else { continue };
            // Never through a link: all above was made here, and names are checked.
            let place = if below.is_empty() { to.clone() } else { to.join(OsStr::from_bytes(below)) };
            let context = || format!("cannot write {}", place.display());
            match entry.mode & S_IFMT {
                S_IFDIR => {
                    DirBuilder::new().mode(0o700).create(&place).with_context(context)?;
                    directories.push((place, entry.mode));
                }
                S_IFREG => self.copy_file(entry, &place).with_context(context)?,
                S_IFLNK => symlink(OsStr::from_bytes(&entry.target), &place).with_context(context)?,
                S_IFIFO => {
                    let mode = Mode::from_raw_mode(entry.mode & 0o777);
                    mknodat(CWD, &place, FileType::Fifo, mode, 0).with_context(context)?;
                }
                _ => devices.push(format!("/{}", key(entry).escape_ascii())),
            }
        }
        // Last, as nothing can be put into a directory that may not be written.
        for (place, mode) in directories.into_iter().rev() {
            std::fs::set_permissions(&place, Permissions::from_mode(mode & 0o1777))?;
        }
        Ok(devices)
    }

    fn copy_file(&self, entry: &Listed, to: &Path) -> Result<()> {
        let mut file = File::options().write(true).create_new(true).open(to)?;
        self.copy(entry.extent, &mut file)?;
        file.set_permissions(Permissions::from_mode(entry.mode & 0o777))?;
        Ok(())
    }

    fn copy(&self, extent: Extent, to: &mut impl Write) -> Result<()> {
        let mut cache = ChunkCache::default();
        let mut piece = Vec::new();
        let mut done = 0;
        while done < extent.length {
            let length = PIECE.min(extent.length - done);
            piece.resize(length as usize, 0);
            self.image.read_data(&mut cache, extent.offset + done, &mut piece)?;
            to.write_all(&piece)?;
            done += length;
        }
        Ok(())
    }

    fn find(&self, path: &[u8]) -> Result<Option<&Listed>> {
        let entry = |at: &[u8]| self.by_name.get(at).and_then(|at| self.inspection.entries.get(*at));
        let look = |at: &[u8]| {
            entry(at).map(|entry| match entry.mode & S_IFMT {
                S_IFDIR => Step::Directory,
                S_IFLNK => Step::Link(&entry.target),
                _ => Step::Other,
            })
        };
        let real = resolve(path, true, look)?;
        Ok(entry(&real))
    }
}

/// The path of an entry; that of the root is empty.
fn key(entry: &Listed) -> &[u8] {
    if entry.name == b"." { b"" } else { &entry.name }
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
