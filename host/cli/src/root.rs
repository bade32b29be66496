//! The root of a run: an image of the user's, or an ephemeral one of a container image or of a
//! program of the host.

use crate::account::Account;
use crate::args::Options;
use crate::disk_image;
use crate::plan::find_on_path;
use crate::progress::Progress;
use crate::start;
use crate::values::{Disk, Memory, Protection, Target};
use anyhow::{Context, Result, bail, ensure};
use rkt_image_builder::{
    Config, Digest, DiskImage, DiskKind, Limits, OpenImage, Options as ImageOptions, ProgramImage, Tree, from_container,
};
use rkt_manifest::Changes;
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
    /// The disk that the root is, if it is one.
    pub disk: Option<Disk>,
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
    /// The disk, if it is one.
    disk: Option<(Disk, DiskImage)>,
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
        ensure!(made.disk.is_some() || options.key_file.is_none(), "--key-file is for images that are LUKS containers");
        ensure!(made.disk.is_some() || !options.read_only, "--read-only is for images that are disks");
        let account = account(&made, options)?;
        let Made { image, digest, config, disk, .. } = made;
        let disk = disk.map(|(disk, _)| disk);
        Ok(Self { image, digest, argv, account, config, program, disk, warnings })
    }
}

fn check_digest(made: &Made, options: &Options) -> Result<()> {
    let own = match &made.disk {
        Some((_, image)) => match image.kind {
            DiskKind::Verity(pin, _) => Digest(pin.root),
            _ => {
                ensure!(options.digest.is_none(), "nothing pins this disk: only verity images have a digest");
                return Ok(());
            }
        },
        None => Digest(made.digest),
    };
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
    let read = |path: &str| -> Result<String> {
        let bytes = match &made.disk {
            Some((_, disk)) => disk.read(path.as_bytes(), ACCOUNTS_MAX)?,
            None => OpenImage::new(&made.image)?.read(path.as_bytes(), ACCOUNTS_MAX)?,
        };
        Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
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
            Ok(Made { image, digest: found.digest, config: found.config, manifest: None, disk: None })
        }
        Ok(image) if DiskKind::of(&image)?.is_some() => of_disk(path, options),
        Err(error) if !container(path).0.exists() => Err(error).with_context(|| missing(path)),
        _ => of_container(path, options),
    }
}

/// A root that is a disk: the host looks into it for how it wants to be run.
fn of_disk(path: &Path, options: &Options) -> Result<Made> {
    ensure!(options.copy.is_empty(), "--copy is not for disks: what is on them stays as it is");
    let image = disk_image::open(path, options.key_file.as_deref())?;
    let image = image.with_context(|| format!("{} is no disk any more", path.display()))?;
    let protection = match (image.kind, &options.key_file) {
        (DiskKind::Ext4, None) => Protection::Plain,
        (DiskKind::Verity(..), None) => Protection::Verity,
        (DiskKind::Luks, Some(key_file)) => Protection::Luks(key_file.clone()),
        _ => bail!("--key-file is for images that are LUKS containers"),
    };
    let changes = match image.kind {
        _ if options.read_only => Changes::Refused,
        DiskKind::Verity(..) => Changes::Lost,
        _ => Changes::Kept,
    };
    let disk = Disk { file: path.to_owned(), mount: Some("/".into()), changes, protection };
    let config = image.config().with_context(|| path.display().to_string())?;
    // There is nothing to unpack.
    let (nothing, digest) = seal(&Tree::new())?;
    Ok(Made { image: nothing, digest, config, manifest: None, disk: Some((disk, image)) })
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

/// Where disks and volumes are to be mounted.
fn mounts(options: &Options) -> impl Iterator<Item = &str> {
    let disks = options.disk.iter().filter_map(|disk| disk.mount.as_deref());
    disks.chain(options.volume.iter().map(|volume| volume.mount.as_str()))
}

fn of_container(path: &Path, options: &Options) -> Result<Made> {
    let (path, name) = container(path);
    let progress = Progress::new("unpacking", options.quiet);
    let unpacked = from_container(&path, name.as_deref(), &limits(options.size), &mut |bytes| progress.add(bytes));
    let (mut tree, manifest) = unpacked.context("neither an rkt-io image nor a container image that can be run")?;
    for copy in &options.copy {
        tree.copy_in(&copy.host, &copy.guest)?;
    }
    for directory in mounts(options).chain(options.workdir.as_deref()) {
        tree.make_directory(Path::new(directory))?;
    }
    let (image, digest) = seal(&tree)?;
    Ok(Made { image, digest, config: tree.config, manifest, disk: None })
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
    for mount in mounts(options) {
        program = program.directory(mount);
    }
    for copy in &options.copy {
        program = program.copy(&copy.host, &copy.guest);
    }
    let plan = program.plan().map_err(|error| CannotRun::new(asked, error))?;
    let (image, digest) = seal(&plan.tree)?;
    let made = Made { image, digest, config: Config::default(), manifest: None, disk: None };
    Ok((made, plan.program, plan.warnings))
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
