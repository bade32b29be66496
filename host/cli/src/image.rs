//! `rkt-io image`.

use crate::args::{Compress, Create, Image};
use crate::stats::hex;
use anyhow::{Context, Result, bail};
use rkt_image_builder::{Built, Compression, Inspection, Options, ProgramImage, Tree, from_folder, source_date_epoch};
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
        Image::Inspect { image } => print(&look(image, rkt_image_builder::inspect)?),
        Image::Check { image } => {
            let found = look(image, rkt_image_builder::check)?;
            println!("{}: whole, {} files, digest {}", image.display(), found.entries.len(), hex(&found.digest));
            Ok(())
        }
    }
}

fn create(create: &Create) -> Result<()> {
    let compression = match create.compress {
        Compress::None => Compression::None,
        Compress::Zstd => Compression::Zstd(ZSTD_LEVEL),
    };
    let options = Options { compression, clamp_mtime: source_date_epoch()?, ..Options::default() };
    let tree = match (&create.from_program, &create.from_dir) {
        (Some(program), _) => program_tree(program, create)?,
        (None, Some(folder)) => from_folder(folder)?,
        (None, None) => bail!("--from-program or --from-dir is missing"),
    };
    let built = write(&tree, &create.out, &options)?;
    println!("{}: {} files, {} bytes, digest {}", create.out.display(), built.files, built.bytes, hex(&built.digest));
    Ok(())
}

fn program_tree(program: &Path, create: &Create) -> Result<Tree> {
    let image = ProgramImage::new(program);
    let plan = create.copies.iter().fold(image, |image, copy| image.copy(&copy.host, &copy.guest)).plan()?;
    plan.warnings.iter().for_each(|warning| eprintln!("rkt-io: {warning}"));
    println!("program {}", plan.program.display());
    Ok(plan.tree)
}

/// Writes beside the target and renames, so that a failure leaves no half an image.
fn write(tree: &Tree, out: &Path, options: &Options) -> Result<Built> {
    let mut name = out.as_os_str().to_owned();
    name.push(".part");
    let part = Path::new(&name);
    let written = File::create(part)
        .with_context(|| format!("cannot write {}", part.display()))
        .and_then(|mut file| tree.write(&mut file, options))
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

fn look(path: &Path, how: impl Fn(&File) -> Result<Inspection>) -> Result<Inspection> {
    let file = File::open(path).with_context(|| format!("cannot open image {}", path.display()))?;
    how(&file).with_context(|| path.display().to_string())
}

fn print(found: &Inspection) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    writeln!(out, "digest {}", hex(&found.digest))?;
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
