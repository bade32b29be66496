//! Programs that no package owns: installed below a prefix of their own.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::import::{children, import_all};
use crate::tree::Tree;

/// Where a prefix keeps what belongs to its programs.
const DIRECTORIES: &[&str] = &["lib", "libexec", "share"];
/// What is left out of them: tests, and what was installed later and may be of any size.
const LEFT_OUT: &[&str] = &["test", "tests", "idlelib", "site-packages"];

/// For `PREFIX/bin/NAME`, adds the directories `NAME` and `NAME-…` of `PREFIX/lib`,
/// `PREFIX/libexec` and `PREFIX/share`, as `lib/python3.11` or `libexec/git-core`.
pub(crate) fn add_private_files(tree: &mut Tree, program: &Path) -> Result<()> {
    let (Some(name), Some(directory)) = (program.file_name(), program.parent()) else { return Ok(()) };
    let Some(prefix) = directory.parent().filter(|_| directory.ends_with("bin") || directory.ends_with("sbin")) else {
        return Ok(());
    };
    let leave_out = |path: &Path| {
        path.extension().is_some_and(|extension| extension == "a")
            || path.file_name().is_some_and(|name| LEFT_OUT.iter().any(|other| name == *other))
    };
    for place in DIRECTORIES.iter().map(|directory| prefix.join(directory)).filter(|place| place.is_dir()) {
        for path in children(&place)? {
            if belongs(&path, name.as_bytes()) && path.is_dir() {
                import_all(tree, &path, &leave_out)?;
            }
        }
    }
    Ok(())
}

fn belongs(path: &Path, program: &[u8]) -> bool {
    let rest = path.file_name().and_then(|name| name.as_bytes().strip_prefix(program));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"-"))
}

/// The program behind a shim of pyenv and its kin: `ROOT/shims/NAME` starts
/// `ROOT/versions/VERSION/bin/NAME`, VERSION being the first line of `ROOT/version`.
pub(crate) fn behind_shim(path: &Path) -> Option<PathBuf> {
    let shims = path.parent().filter(|directory| directory.ends_with("shims"))?;
    let root = shims.parent()?;
    let version = fs::read_to_string(root.join("version")).ok()?;
    let program = root.join("versions").join(version.lines().next()?.trim()).join("bin").join(path.file_name()?);
    program.is_file().then_some(program)
}
