//! A temporary folder, removed at the end; those of runs that were killed are removed by the next.

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, remove_dir_all};
use std::path::Path;
use std::time::Duration;
use tempfile::{Builder, TempDir};

const PREFIX: &str = "rkt-bench-";
/// Younger ones may belong to a run that has not locked its folder yet.
const STALE: Duration = Duration::from_secs(60);

/// A folder that is locked while it is in use (flock(2): the lock ends with its process).
pub struct Folder {
    dir: TempDir,
    _lock: File,
}

impl Folder {
    /// Makes one in the system's folder for temporary files.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new() -> Result<Self> {
        Self::within(&std::env::temp_dir())
    }

    /// Makes one in `parent`, after clearing that of stale ones.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn within(parent: &Path) -> Result<Self> {
        sweep(parent, STALE);
        let dir = Builder::new().prefix(PREFIX).tempdir_in(parent);
        let dir = dir.with_context(|| format!("cannot make a temporary folder in {}", parent.display()))?;
        let lock = File::open(dir.path())?;
        flock(&lock, FlockOperation::LockExclusive).context("cannot lock a temporary folder")?;
        Ok(Self { dir, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes folders of ours that nobody uses. What cannot be looked into is somebody else's.
fn sweep(parent: &Path, stale: Duration) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let old = |file: &File| {
            let modified = file.metadata().and_then(|data| data.modified()).ok();
            modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age >= stale)
        };
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if ours
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Ok(file) = File::open(entry.path())
            && old(&file)
            && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            // Of another user's, we could only have opened it.
            let _ = remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_uses_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("file"), "x").unwrap();
            path
        };
        let (stale, used, other) = (make("rkt-bench-stale"), make("rkt-bench-used"), make("other"));
        let lock = File::open(&used).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        sweep(parent.path(), STALE);
        assert!(stale.exists());
        sweep(parent.path(), Duration::ZERO);
        assert_eq!([stale.exists(), used.exists(), other.exists()], [false, true, true]);
    }

    #[test]
    fn a_folder_goes_with_its_owner() {
        let folder = Folder::new().unwrap();
        let path = folder.path().to_owned();
        assert!(path.is_dir());
        drop(folder);
        assert!(!path.exists());
    }
}
