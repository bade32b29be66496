//! `rkt-io image`.

use crate::args::{Compress, Create, Image};
use crate::disk_image;
use crate::progress::Progress;
use crate::root::{container, limits};
use crate::values::{Format, Inside};
use anyhow::{Context, Result, bail, ensure};
use rkt_image_builder::{
    Built, Compression, Config, Digest, Inspection, OpenImage, Options, ProgramImage, Tree, from_container,
    from_folder, source_date_epoch,
};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// zstd's own default level: most of the gain for little of the time.
const ZSTD_LEVEL: i32 = 3;

/// Runs one of the image commands.
///
/// # Errors
/// What was asked and what is wrong.
pub fn run(command: &Image) -> Result<()> {
    match command {
        Image::Create(create) => self::create(create),
        Image::Inspect { image, key_file } => match disk_image::open(image, key_file.as_deref())? {
            Some(disk) => disk_image::print(&disk),
            None => print(&look(image, rkt_image_builder::inspect)?),
        },
        Image::Check { image, digest, key_file } => match disk_image::open(image, key_file.as_deref())? {
            Some(disk) => disk_image::check(image, &disk, *digest),
            None => check(image, *digest),
        },
        Image::Cp { from, to, key_file } => match disk_image::open(&from.image, key_file.as_deref())? {
            Some(disk) => {
                report_devices(disk.copy_out(from.path.as_bytes(), to).context(from.image.display().to_string())?)
            }
            None => copy_out(from, to),
        },
        Image::Measure { image } => {
            let digest = match disk_image::digest(image)? {
                Some(digest) => digest,
                None => Digest(look(image, rkt_image_builder::inspect)?.digest),
            };
            println!("{digest}");
            Ok(())
        }
        Image::Key { image, key_file, new_key_file } => disk_image::change_key(image, key_file, new_key_file),
    }
}

fn report_devices(devices: Vec<String>) -> Result<()> {
    if !devices.is_empty() {
        eprintln!("rkt-io: devices are not copied: {}", devices.join(", "));
    }
    Ok(())
}

fn create(create: &Create) -> Result<()> {
    let compression = match create.compress {
        Compress::None => Compression::None,
        Compress::Zstd => Compression::Zstd(ZSTD_LEVEL),
    };
    let options = Options { compression, clamp_mtime: source_date_epoch()?, ..Options::default() };
    let tree = tree(create)?;
    if create.format != Format::Image {
        return disk_image::create(tree, create, options.clamp_mtime);
    }
    ensure!(create.key_file.is_none(), "--key-file is for --format luks2");
    let built = write(&tree, create, &options)?;
    let digest = Digest(built.digest);
    println!("{}: {} files, {} bytes, digest {digest}", create.out.display(), built.files, built.bytes);
    Ok(())
}

fn tree(create: &Create) -> Result<Tree> {
    let origin = &create.origin;
    let mut tree = match (&origin.from_program[..], &origin.from_dir) {
        ([first, others @ ..], _) => return program_tree(first, others, create),
        ([], Some(folder)) => from_folder(folder)?,
        ([], None) => {
            let path = origin.from_oci.as_ref().or(origin.from_docker_archive.as_ref());
            let (path, name) = container(path.context("there is nothing to make an image from")?);
            let progress = Progress::new("unpacking", create.quiet);
            let add = &mut |bytes| progress.add(bytes);
            // The size of a disk says nothing of what the container image may take.
            let most = create.size.filter(|_| create.format == Format::Image);
            from_container(&path, name.as_deref(), &limits(most), add)?.0
        }
    };
    create.copies.iter().try_for_each(|copy| tree.copy_in(&copy.host, &copy.guest))?;
    Ok(tree)
}

fn program_tree(first: &Path, others: &[std::path::PathBuf], create: &Create) -> Result<Tree> {
    let image = others.iter().fold(ProgramImage::new(first), |image, other| image.also(other));
    let plan = create.copies.iter().fold(image, |image, copy| image.copy(&copy.host, &copy.guest)).plan()?;
    plan.warnings.iter().for_each(|warning| eprintln!("rkt-io: {warning}"));
    println!("program {}", plan.program.display());
    let mut tree = plan.tree;
    if let Some(program) = plan.program.to_str() {
        tree.config = Config { cmd: Some(vec![program.to_owned()]), ..Config::default() };
    }
    Ok(tree)
}

/// Writes beside the target and renames, so that a failure leaves no half an image.
fn write(tree: &Tree, create: &Create, options: &Options) -> Result<Built> {
    let progress = Progress::new("writing", create.quiet);
    beside(&create.out, |file| tree.write_with(file, options, &mut |done, total| progress.set(done, total)))
}

/// Has a file written under another name, and renames it when it is whole.
pub(crate) fn beside<T>(out: &Path, write: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    let mut name = out.as_os_str().to_owned();
    name.push(".part");
    let part = Path::new(&name);
    let written = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(part)
        .with_context(|| format!("cannot write {}", part.display()))
        .and_then(|mut file| write(&mut file))
        .and_then(|built| {
            std::fs::rename(part, out).with_context(|| format!("cannot write {}", out.display()))?;
            Ok(built)
        });
    if written.is_err() {
        // What could not be made cannot be removed; the error that matters is at hand.
        let _ = std::fs::remove_file(part);
    }
    written
}

fn check(image: &Path, expected: Option<Digest>) -> Result<()> {
    let found = look(image, rkt_image_builder::check)?;
    let digest = Digest(found.digest);
    if let Some(expected) = expected {
        ensure!(digest == expected, "{} is another image: its digest is {digest}", image.display());
    }
    println!("{}: whole, {} files, digest {digest}", image.display(), found.entries.len());
    Ok(())
}

fn copy_out(from: &Inside, to: &Path) -> Result<()> {
    let file = File::open(&from.image).with_context(|| format!("cannot open image {}", from.image.display()))?;
    let copied = OpenImage::new(&file).and_then(|image| image.copy_out(from.path.as_bytes(), to));
    report_devices(copied.with_context(|| from.image.display().to_string())?)
}

fn look(path: &Path, how: impl Fn(&File) -> Result<Inspection>) -> Result<Inspection> {
    let file = File::open(path).with_context(|| format!("cannot open image {}", path.display()))?;
    if file.metadata()?.is_dir() {
        bail!("{} is a folder, not an rkt-io image: `rkt-io image create` makes one of it", path.display());
    }
    how(&file).with_context(|| path.display().to_string())
}

fn print(found: &Inspection) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    writeln!(out, "digest {}", Digest(found.digest))?;
    if found.config != Config::default() {
        writeln!(out, "config {}", serde_json::to_string(&found.config)?)?;
    }
    for entry in &found.entries {
        let arrow = if entry.target.is_empty() { "" } else { " -> " };
        writeln!(
            out,
            "{:06o} {:>5} {:>5} {:>12} /{}{arrow}{}",
            entry.mode,
            entry.uid,
            entry.gid,
            entry.extent.length,
            entry.name.escape_ascii(),
            entry.target.escape_ascii()
        )?;
    }
    Ok(out.flush()?)
}
