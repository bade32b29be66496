//! Programs that no package owns: installed below a prefix of their own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::import::import_all;
use crate::tree::Tree;

/// For `PREFIX/bin/NAME`, adds `PREFIX/lib/NAME` and `PREFIX/share/NAME`, as
/// `lib/python3.11` of a Python from pyenv, without static libraries and tests.
pub(crate) fn add_private_files(tree: &mut Tree, real: &Path) -> Result<()> {
    let (Some(name), Some(directory)) = (real.file_name(), real.parent()) else { return Ok(()) };
    let Some(prefix) = directory.parent().filter(|_| directory.ends_with("bin") || directory.ends_with("sbin")) else {
        return Ok(());
    };
    let leave_out = |path: &Path| {
        path.extension().is_some_and(|extension| extension == "a")
            || path.file_name().is_some_and(|name| name == "test" || name == "tests")
    };
    for kind in ["lib", "share"] {
        let path = prefix.join(kind).join(name);
        if path.is_dir() {
            import_all(tree, &path, &leave_out)?;
        }
    }
    Ok(())
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
