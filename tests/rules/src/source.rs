//! Files of the repository.

use crate::workspace::root;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders at the top that hold source, each with a README.
pub const LAYERS: [&str; 8] = ["protocol", "boundary", "trusted", "host", "tests", "fuzz", "xtask", "docs"];

/// A text file.
pub struct File {
    /// Path in the repository.
    pub path: PathBuf,
    /// Contents.
    pub text: String,
}

impl File {
    /// Reads the file at `path` in the repository.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let text = fs::read_to_string(root().join(&path)).with_context(|| format!("reading {}", path.display()))?;
        Ok(Self { path, text })
    }

    /// Number of lines.
    pub fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Whether this is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "rs")
    }

    /// Whether all of it is there for tests alone: a `tests` folder or a module of tests.
    pub fn is_test(&self) -> bool {
        let stem = self.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let folder = self.path.iter().skip(1).any(|part| part == "tests" || part == "examples" || part == "benches");
        folder || stem == "tests" || stem.ends_with("_tests")
    }

    /// Whether it lies in `folder`.
    pub fn is_in(&self, folder: impl AsRef<Path>) -> bool {
        self.path.starts_with(folder)
    }
}

/// All text files that Git knows or would add.
///
/// # Errors
/// If Git fails.
pub fn files() -> Result<Vec<File>> {
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(args).current_dir(root()).output().context("starting git")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).context("a file name that is not UTF-8")?;
    let mut paths: Vec<_> = names.split_terminator('\0').collect();
    paths.sort_unstable();
    paths.dedup();
    // A file that is gone from the disk and not yet from the index has no rules to keep, nor has
    // one that is no text.
    Ok(paths.into_iter().filter_map(|path| File::read(path).ok()).collect())
}
