//! The root of a run: an image of the user's, or an ephemeral one of a container image or of a
//! program of the host.

use crate::account::Account;
use crate::args::Options;
use crate::plan::find_on_path;
use crate::progress::Progress;
use crate::start;
use crate::values::{Memory, Target};
use anyhow::{Context, Result, bail, ensure};
use rkt_image_builder::{
    Config, Digest, Limits, OpenImage, Options as ImageOptions, ProgramImage, Tree, from_container,
};
use rustix::fs::{Access, MemfdFlags, SealFlags};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The first bytes of an rkt-io image.
const MAGIC: &[u8; 8] = b"RKTIMAGE";
/// Longest passwd(5) or group(5) that is looked into, bytes.
const ACCOUNTS_MAX: u64 = 4 << 20;

/// A root image and what runs in it.
pub struct Root {
    /// The image, opened for reading only.
    pub image: File,
    /// Its digest, which the manifest pins.
    pub digest: [u8; 32],
    /// Program and arguments.
    pub argv: Vec<OsString>,
    /// Who they run as.
    pub account: Account,
    /// How the image wants to be run.
    pub config: Config,
    /// Where the program lies, if it is one of the host.
    pub program: Option<PathBuf>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// An image before it is known what runs in it.
struct Made {
    image: File,
    digest: [u8; 32],
    config: Config,
    /// The digest of a container image's manifest.
    manifest: Option<Digest>,
}

impl Root {
    /// Opens or makes the image.
    ///
    /// # Errors
    /// If there is no such image or program, it is not the one that `--digest` names, or it cannot run
    /// on this machine.
    pub fn open(target: &Target, options: &Options) -> Result<Self> {
        let (made, argv, program, warnings) = match target {
            Target::Image(path, args) => {
                let made = open_image(path, options)?;
                let argv = start::argv(options, &made.config, args).with_context(|| path.display().to_string())?;
                (made, argv, None, Vec::new())
            }
            Target::Program(command) => {
                ensure!(options.entrypoint.is_none(), "--entrypoint is for images: give the program behind `--`");
                let (made, program, warnings) = of_program(command, options)?;
                (made, command.clone(), Some(program), warnings)
            }
        };
        check_digest(&made, options)?;
        let account = account(&made, options)?;
        let Made { image, digest, config, .. } = made;
        Ok(Self { image, digest, argv, account, config, program, warnings })
    }
}

fn check_digest(made: &Made, options: &Options) -> Result<()> {
    let own = Digest(made.digest);
    match options.digest {
        Some(wanted) if wanted != own && Some(wanted) != made.manifest => {
            let manifest = made.manifest.map_or_else(String::new, |digest| format!(", of the manifest {digest}"));
            bail!("this is another image than the one that --digest names: its digest is {own}{manifest}")
        }
        _ => Ok(()),
    }
}

/// Who the program runs as: what `-u` says, else what the image says, else root.
fn account(made: &Made, options: &Options) -> Result<Account> {
    let spec = options.user.as_deref().or(made.config.user.as_deref()).unwrap_or_default();
    if spec.is_empty() {
        return Ok(Account::default());
    }
    let image = OpenImage::new(&made.image)?;
    let read = |path: &str| -> Result<String> {
        let bytes = image.read(path.as_bytes(), ACCOUNTS_MAX)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Account::find(spec, &read("/etc/passwd")?, &read("/etc/group")?).with_context(|| format!("user {spec}"))
}

/// An rkt-io image as it is; anything else as a container image.
fn open_image(path: &Path, options: &Options) -> Result<Made> {
    let mut first = [0; MAGIC.len()];
    let image = File::open(path);
    let is_image = image.as_ref().is_ok_and(|image| image.read_exact_at(&mut first, 0).is_ok()) && first == *MAGIC;
    match image {
        Ok(image) if is_image => {
            ensure!(options.copy.is_empty(), "--copy is not for rkt-io images: such an image is fixed by its digest");
            let found = rkt_image_builder::inspect(&image).with_context(|| path.display().to_string())?;
            Ok(Made { image, digest: found.digest, config: found.config, manifest: None })
        }
        Err(error) if !container(path).0.exists() => Err(error).with_context(|| missing(path)),
        _ => of_container(path, options),
    }
}

fn missing(path: &Path) -> String {
    let hint =
        if path.components().count() == 1 { " (to run a program of the host, write `--` before it)" } else { "" };
    format!("cannot open image {}{hint}", path.display())
}

/// Path and name of a container image: the part behind the last `@` is a name, unless there is a
/// file that is called like the whole.
pub fn container(path: &Path) -> (PathBuf, Option<String>) {
    let split = path.to_str().filter(|_| !path.exists()).and_then(|text| text.rsplit_once('@'));
    match split {
        Some((path, name)) => (path.into(), Some(name.into())),
        None => (path.into(), None),
    }
}

/// What a container image may take, given `--size`.
pub fn limits(size: Option<Memory>) -> Limits {
    let limits = Limits::default();
    Limits { unpacked: size.map_or(limits.unpacked, |size| size.0), ..limits }
}

fn of_container(path: &Path, options: &Options) -> Result<Made> {
    let (path, name) = container(path);
    let progress = Progress::new("unpacking", options.quiet);
    let unpacked = from_container(&path, name.as_deref(), &limits(options.size), &mut |bytes| progress.add(bytes));
    let (mut tree, manifest) = unpacked.context("neither an rkt-io image nor a container image that can be run")?;
    for copy in &options.copy {
        tree.copy_in(&copy.host, &copy.guest)?;
    }
    let mounts = options.disk.iter().filter_map(|disk| disk.mount.as_deref());
    for directory in mounts.chain(options.workdir.as_deref()) {
        tree.make_directory(Path::new(directory))?;
    }
    let (image, digest) = seal(&tree)?;
    Ok(Made { image, digest, config: tree.config, manifest })
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

/// An image of just a program and its files; where the program lies in it; what it lacks.
fn of_program(command: &[OsString], options: &Options) -> Result<(Made, PathBuf, Vec<String>)> {
    let Some(asked) = command.first() else { bail!("a command is missing") };
    let mut program = ProgramImage::new(asked).workdir(options.workdir.as_deref().unwrap_or("/"));
    for disk in options.disk.iter().filter_map(|disk| disk.mount.as_deref()) {
        program = program.directory(disk);
    }
    for copy in &options.copy {
        program = program.copy(&copy.host, &copy.guest);
    }
    let plan = program.plan().map_err(|error| CannotRun::new(asked, error))?;
    let (image, digest) = seal(&plan.tree)?;
    Ok((Made { image, digest, config: Config::default(), manifest: None }, plan.program, plan.warnings))
}

/// Writes an image into memory that vanishes with us and that nobody can change any more.
fn seal(tree: &Tree) -> Result<(File, [u8; 32])> {
    let memfd = rustix::fs::memfd_create("rkt-image", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .context("cannot make the image (memfd_create)")?;
    let mut writer = File::from(memfd);
    let built = tree.write(&mut writer, &ImageOptions::default()).context("cannot make the image")?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&writer, seals).context("cannot seal the image")?;
    // Opened anew for reading: kernels before 6.7 refuse shared mappings of a sealed memfd to
    // descriptors that could write.
    let image = File::open(format!("/proc/self/fd/{}", writer.as_raw_fd())).context("cannot reopen the image")?;
    Ok((image, built.digest))
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
        let error = |target, options| format!("{:#}", Root::open(&target, &options).err().unwrap());
        let plain = Options::default();
        let text = error(Target::Image("ls".into(), vec!["x".into()]), plain.clone());
        assert!(text.contains("cannot open image ls") && text.contains("`--`"), "{text}");
        let program = Target::Program(vec!["no-such-program-here".into()]);
        assert!(error(program, plain.clone()).contains("no-such-program-here"));
        let folder = tempfile::tempdir().unwrap();
        assert!(error(Target::Image(folder.path().into(), vec![]), plain.clone()).contains("index.json"));
        let program = || Target::Program(vec!["/bin/true".into()]);
        let other = Options { digest: Some(Digest([1; 32])), ..plain.clone() };
        let text = error(program(), other);
        assert!(text.contains("another image") && text.contains("its digest is sha256:"), "{text}");
        let nobody = Options { user: Some("no-such-user".into()), ..plain };
        assert!(error(program(), nobody).contains("no user \"no-such-user\""));
    }

    #[test]
    fn accounts_are_those_of_the_image() {
        let target = Target::Program(vec!["/bin/true".into()]);
        let nobody = Options { user: Some("nobody".into()), ..Options::default() };
        let root = Root::open(&target, &nobody).unwrap();
        assert_eq!((root.account.user.uid, root.account.home.as_str()), (65534, "/nonexistent"));
        let pinned = Options { digest: Some(Digest(root.digest)), ..Options::default() };
        assert!(Root::open(&target, &pinned).is_ok());
    }
}
