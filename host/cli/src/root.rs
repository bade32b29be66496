//! The root of a run: an image of the user's, or an ephemeral one of a host program.

use crate::args::Options;
use crate::plan::find_on_path;
use crate::values::Target;
use anyhow::{Context, Result, bail, ensure};
use rkt_image_builder::{Options as ImageOptions, ProgramImage};
use rustix::fs::{Access, MemfdFlags, SealFlags};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A root image and what runs in it.
pub struct Root {
    /// The image, opened for reading only.
    pub image: File,
    /// Its digest, which the manifest pins.
    pub digest: [u8; 32],
    /// Program and arguments, as they were typed.
    pub argv: Vec<OsString>,
    /// Where the program lies, if that is known.
    pub program: Option<PathBuf>,
    /// What the image lacks.
    pub warnings: Vec<String>,
}

impl Root {
    /// Opens or makes the image.
    ///
    /// # Errors
    /// If there is no such image or program, or it cannot run on this machine.
    pub fn open(target: &Target, options: &Options) -> Result<Self> {
        match target {
            Target::Image(path, command) => {
                ensure!(
                    options.copy.is_empty(),
                    "--copy needs a host program (`-- CMD`): an image is fixed by its digest"
                );
                if command.is_empty() {
                    bail!("image {} names no command of its own: give one after it", path.display());
                }
                let image = File::open(path).with_context(|| missing(path))?;
                let digest = rkt_image_builder::inspect(&image).with_context(|| path.display().to_string())?.digest;
                Ok(Self { image, digest, argv: command.clone(), program: None, warnings: Vec::new() })
            }
            Target::Program(command) => ephemeral(command, options),
        }
    }
}

fn missing(path: &Path) -> String {
    let hint =
        if path.components().count() == 1 { " (to run a program of the host, write `--` before it)" } else { "" };
    format!("cannot open image {}{hint}", path.display())
}

/// A host program that cannot be run, with the status that a shell gives for it.
#[derive(Debug)]
pub struct CannotRun {
    /// 127: there is none; 126: it may not be executed; 125: something else.
    pub status: u8,
    error: anyhow::Error,
}

impl CannotRun {
    fn new(asked: &OsStr, error: anyhow::Error) -> Self {
        let found = if asked.as_bytes().contains(&b'/') { Some(asked.into()) } else { find_on_path(asked) };
        let status = match found.filter(|path: &PathBuf| path.exists()) {
            None => 127,
            Some(path) if path.is_dir() || rustix::fs::access(&path, Access::EXEC_OK).is_err() => 126,
            Some(_) => 125,
        };
        Self { status, error }
    }
}

impl fmt::Display for CannotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl std::error::Error for CannotRun {}

/// Makes an image of just a program and its files, in memory that vanishes with us.
fn ephemeral(command: &[OsString], options: &Options) -> Result<Root> {
    let Some(asked) = command.first() else { bail!("a command is missing") };
    let mut program = ProgramImage::new(asked).workdir(options.workdir.as_deref().unwrap_or("/"));
    for disk in options.disk.iter().filter_map(|disk| disk.mount.as_deref()) {
        program = program.directory(disk);
    }
    for copy in &options.copy {
        program = program.copy(&copy.host, &copy.guest);
    }
    let plan = program.plan().map_err(|error| CannotRun::new(asked, error))?;

    let memfd = rustix::fs::memfd_create("rkt-image", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .context("cannot make the image (memfd_create)")?;
    let mut writer = File::from(memfd);
    let built = plan.tree.write(&mut writer, &ImageOptions::default()).context("cannot make the image")?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&writer, seals).context("cannot seal the image")?;
    // Opened anew for reading: kernels before 6.7 refuse shared mappings of a sealed memfd to
    // descriptors that could write.
    let image = File::open(format!("/proc/self/fd/{}", writer.as_raw_fd())).context("cannot reopen the image")?;

    let (argv, program) = (command.to_vec(), Some(plan.program));
    Ok(Root { image, digest: built.digest, argv, program, warnings: plan.warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_of_a_program_is_the_same_twice() {
        let target = Target::Program(vec!["/bin/true".into()]);
        let one = Root::open(&target, &Options::default()).unwrap();
        let two = Root::open(&target, &Options::default()).unwrap();
        assert_eq!(one.digest, two.digest);
        assert_eq!(rkt_image_builder::check(&one.image).unwrap().digest, one.digest);
    }

    #[test]
    fn errors_name_what_was_asked() {
        let error = |target| format!("{:#}", Root::open(&target, &Options::default()).err().unwrap());
        let text = error(Target::Image("ls".into(), vec!["x".into()]));
        assert!(text.contains("cannot open image ls") && text.contains("`--`"), "{text}");
        assert!(error(Target::Image("a.rkt".into(), vec![])).contains("no command"));
        assert!(error(Target::Program(vec!["no-such-program-here".into()])).contains("no-such-program-here"));
    }
}
