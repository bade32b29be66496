//! The folder of records.

use crate::record::Record;
use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Ended detached runs whose records and logs are kept.
const ENDED_MAX: usize = 16;
/// The socket on which a supervisor tells counters.
pub(crate) const CONTROL: &str = "control";
/// Longest name, bytes.
const NAME_MAX: usize = 64;

/// The records of one user.
#[derive(Clone, Debug)]
pub struct State {
    folder: PathBuf,
}

/// A run that was found.
#[derive(Clone, Debug)]
pub struct Run {
    /// What is written down.
    pub record: Record,
    /// Whether its supervisor lives.
    pub alive: bool,
    folder: PathBuf,
}

impl State {
    /// The calling user's records.
    ///
    /// # Errors
    /// If the folder cannot be made, or is somebody else's.
    pub fn of_this_user() -> Result<Self> {
        let user = rustix::process::getuid().as_raw();
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty());
        let folder = match runtime {
            Some(runtime) => Path::new(&runtime).join("rkt-io"),
            None if user == 0 => PathBuf::from("/run/rkt-io"),
            None => std::env::temp_dir().join(format!("rkt-io-{user}")),
        };
        Self::at(folder)
    }

    /// The records in a folder, which is made if it is missing, for this user alone.
    ///
    /// # Errors
    /// As [`State::of_this_user`].
    pub fn at(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        let context = || format!("cannot use {} for records of what runs", folder.display());
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error).with_context(context),
            _ => {}
        }
        let metadata = std::fs::symlink_metadata(&folder).with_context(context)?;
        // In a folder that all may write to, somebody else may have been first.
        let own = metadata.is_dir() && metadata.uid() == rustix::process::getuid().as_raw();
        ensure!(own && metadata.mode() & 0o022 == 0, "{}: it is not a folder of yours alone", folder.display());
        Ok(Self { folder })
    }

    /// All runs, oldest first: those that live, and detached ones that ended not long ago.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Run>> {
        let _lock = self.lock()?;
        self.tidy()
    }

    /// The run of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(&self, name: &str) -> Result<Run> {
        let found = self.list()?.into_iter().find(|run| run.record.name == name);
        found.with_context(|| format!("there is no run named {name:?}: `rkt-io ps -a` lists those that there are"))
    }

    /// Holds off everybody else who looks at or changes records, until it is dropped.
    pub(crate) fn lock(&self) -> Result<File> {
        let file = open_lock(&self.folder.join(".lock"))?;
        flock(&file, FlockOperation::LockExclusive).context("cannot lock the records")?;
        Ok(file)
    }

    pub(crate) fn folder_of(&self, name: &str) -> Result<PathBuf> {
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let fine =
            name.len() <= NAME_MAX && name.chars().all(letter) && name.starts_with(|c: char| c.is_alphanumeric());
        ensure!(fine, "the name {name:?} is none: up to {NAME_MAX} letters, digits, `_`, `.` and `-` are expected");
        Ok(self.folder.join(name))
    }

    /// Reads all records and removes those that nobody needs. The lock is held.
    pub(crate) fn tidy(&self) -> Result<Vec<Run>> {
        let context = || format!("cannot read {}", self.folder.display());
        let mut runs = Vec::new();
        for entry in std::fs::read_dir(&self.folder).with_context(context)? {
            let folder = entry.with_context(context)?.path();
            if folder.is_dir() {
                match Run::read(&folder)? {
                    Some(run) if run.alive || run.record.detached => runs.push(run),
                    // Of a foreground run nothing is left to tell.
                    _ => std::fs::remove_dir_all(&folder).with_context(context)?,
                }
            }
        }
        runs.sort_by(|a, b| (a.record.started, &a.record.name).cmp(&(b.record.started, &b.record.name)));
        let ended = runs.iter().filter(|run| !run.alive).count();
        let mut surplus = ended.saturating_sub(ENDED_MAX);
        let mut kept = Vec::new();
        for run in runs {
            if !run.alive && surplus > 0 {
                surplus -= 1;
                std::fs::remove_dir_all(&run.folder).with_context(context)?;
            } else {
                kept.push(run);
            }
        }
        Ok(kept)
    }
}

impl Run {
    /// Where its counters are told.
    pub fn control(&self) -> PathBuf {
        self.folder.join(CONTROL)
    }

    /// Reads a record. `None`: it is damaged, and its supervisor is dead.
    fn read(folder: &Path) -> Result<Option<Self>> {
        let alive = is_locked(&folder.join("lock"))?;
        let text = std::fs::read(folder.join("record.json")).unwrap_or_default();
        match serde_json::from_slice(&text) {
            Ok(record) => Ok(Some(Self { record, alive, folder: folder.into() })),
            Err(_) if !alive => Ok(None),
            Err(error) => bail!("{}: the record is damaged: {error}", folder.display()),
        }
    }

    /// Where its log is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Looks again whether its supervisor lives.
    ///
    /// # Errors
    /// If its lock cannot be looked at.
    pub fn still_alive(&self) -> Result<bool> {
        is_locked(&self.folder.join("lock"))
    }
}

pub(crate) fn open_lock(path: &Path) -> Result<File> {
    let opened = File::options().write(true).create(true).truncate(false).open(path);
    opened.with_context(|| format!("cannot open {}", path.display()))
}

/// Whether somebody else holds a lock. Sharing it for a moment hurts nobody: who claims holds
/// [`State::lock`] and finds the record dead or alive before.
fn is_locked(path: &Path) -> Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        opened => opened.with_context(|| format!("cannot open {}", path.display()))?,
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error).with_context(|| format!("cannot look at the lock {}", path.display())),
    }
}
