//! Images that are disks: made, looked into, given another key.

use crate::args::Create;
use crate::image::beside;
use crate::progress::Progress;
use crate::values::Format;
use anyhow::{Context, Result, bail, ensure};
use rkt_image_builder::{Config, Digest, DiskFormat, DiskImage, DiskKind, DiskOptions, Tree, create_disk};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Makes a disk of a tree.
///
/// # Errors
/// What was asked and what is wrong.
pub fn create(tree: Tree, create: &Create, clamp_mtime: Option<u32>) -> Result<()> {
    let key = create.key_file.as_deref().map(read_key).transpose()?;
    let format = match (create.format, &key) {
        (Format::Luks2, Some(key)) => DiskFormat::Luks2(key),
        (Format::Luks2, None) => bail!("--format luks2 wants --key-file FILE, the file with the passphrase"),
        (_, Some(_)) => bail!("--key-file is for --format luks2"),
        (Format::Verity, None) => DiskFormat::Verity,
        (Format::Ext4 | Format::Image, None) => DiskFormat::Ext4,
    };
    let options = DiskOptions { format, size: create.size.map(|size| size.0), clamp_mtime };
    let progress = Progress::new("writing", create.quiet);
    let made = beside(&create.out, |file| create_disk(tree, file, &options, &mut |bytes| progress.add(bytes)))?;
    let pinned = made.pin.map_or_else(String::new, |pin| format!(", root hash {}", Digest(pin.root)));
    println!("{}: {} files, {} bytes{pinned}", create.out.display(), made.files, made.bytes);
    Ok(())
}

/// The passphrase in a file, as cryptsetup(8) reads a key file: all of it.
///
/// # Errors
/// If it cannot be read.
pub fn read_key(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read the key file {}", path.display()))
}

/// Opens a file if it is a disk image.
///
/// # Errors
/// If it is damaged, or its key is missing or another's.
pub fn open(path: &Path, key_file: Option<&Path>) -> Result<Option<DiskImage>> {
    let file = File::open(path).with_context(|| format!("cannot open image {}", path.display()))?;
    if file.metadata()?.is_dir() {
        return Ok(None);
    }
    let Some(kind) = DiskKind::of(&file)? else { return Ok(None) };
    let key = key_file.map(read_key).transpose()?;
    DiskImage::open(&file, kind, key.as_deref()).with_context(|| path.display().to_string()).map(Some)
}

/// Lists what is in an image.
///
/// # Errors
/// If it cannot be read, or standard output not be written.
pub fn print(disk: &DiskImage) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let kind = match disk.kind {
        DiskKind::Ext4 => String::from("ext4"),
        DiskKind::Luks => String::from("luks"),
        DiskKind::Verity(pin, _) => format!("verity {}", Digest(pin.root)),
    };
    writeln!(out, "disk {kind}")?;
    let config = disk.config()?;
    if config != Config::default() {
        writeln!(out, "config {}", serde_json::to_string(&config)?)?;
    }
    for (path, entry) in &disk.entries {
        let stat = &entry.stat;
        let arrow = if entry.target.is_empty() { "" } else { " -> " };
        writeln!(
            out,
            "{:06o} {:>5} {:>5} {:>12} /{}{arrow}{}",
            stat.mode,
            stat.uid,
            stat.gid,
            stat.size,
            path.escape_ascii(),
            entry.target.escape_ascii()
        )?;
    }
    Ok(out.flush()?)
}

/// Reads all of an image, and compares its root hash.
///
/// # Errors
/// What is damaged, or that it is another image.
pub fn check(path: &Path, disk: &DiskImage, expected: Option<Digest>) -> Result<()> {
    disk.check().with_context(|| path.display().to_string())?;
    if let Some(expected) = expected {
        let DiskKind::Verity(pin, _) = disk.kind else {
            bail!("{} is no verity image: nothing in it vouches for its contents", path.display())
        };
        ensure!(
            Digest(pin.root) == expected,
            "{} is another image: its root hash is {}",
            path.display(),
            Digest(pin.root)
        );
    }
    println!("{}: whole, {} files", path.display(), disk.entries.len());
    Ok(())
}

/// The root hash of a verity image; none if it is no disk.
///
/// # Errors
/// If it is a disk that nothing pins.
pub fn digest(path: &Path) -> Result<Option<Digest>> {
    let file = File::open(path).with_context(|| format!("cannot open image {}", path.display()))?;
    if file.metadata()?.is_dir() {
        return Ok(None);
    }
    match DiskKind::of(&file)? {
        None => Ok(None),
        Some(DiskKind::Verity(pin, _)) => Ok(Some(Digest(pin.root))),
        Some(_) => bail!("{} has no digest: only verity and rkt-io images are pinned by one", path.display()),
    }
}

/// Gives a LUKS container another passphrase.
///
/// # Errors
/// If there is no container, or the passphrase is another's.
pub fn change_key(path: &Path, key_file: &Path, new_key_file: &Path) -> Result<()> {
    let file = File::options().read(true).write(true).open(path);
    let file = file.with_context(|| format!("cannot open image {}", path.display()))?;
    rkt_image_builder::change_key(&file, &read_key(key_file)?, &read_key(new_key_file)?)
        .with_context(|| path.display().to_string())?;
    println!("{}: another key opens it now", path.display());
    Ok(())
}
