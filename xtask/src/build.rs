//! Builds the host half and the enclave image.

use crate::{image, shell};
use anyhow::Result;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// What makes the image a static PIE; `-nostdlib` and the like stand in its build script.
const IMAGE_FLAGS: &str = "-C relocation-model=pie -C target-feature=+crt-static";
/// The command is static, too: no loader runs before it, which is a tenth of a short program's time.
const COMMAND_FLAGS: &str = "-C target-feature=+crt-static";
/// With a target named, the flags reach the program alone and not the build scripts.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The rkt-io command.
pub fn command() -> PathBuf {
    shell::target().join("release/rkt-io")
}

/// The enclave image.
pub fn enclave() -> PathBuf {
    shell::target().join(TARGET).join("enclave/rkt-enclave")
}

/// Lets the command be found where Cargo puts a build for the machine itself.
fn link_command() -> Result<()> {
    let link = command();
    fs::create_dir_all(shell::target().join("release"))?;
    match fs::remove_file(&link) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    symlink(Path::new("..").join(TARGET).join("release/rkt-io"), &link)?;
    Ok(())
}

/// Builds both and checks the image.
///
/// # Errors
/// If a build fails, or the image holds what it must not.
pub fn build() -> Result<()> {
    let host = ["build", "--release", "-p", "rkt-io", "--target", TARGET];
    shell::run(shell::cargo(host).env("RUSTFLAGS", COMMAND_FLAGS))?;
    link_command()?;
    let image = ["build", "-p", "rkt-enclave", "--features", "image", "--profile", "enclave", "--target", TARGET];
    shell::run(shell::cargo(image).env("RUSTFLAGS", IMAGE_FLAGS))?;
    let facts = image::check(&enclave())?;
    println!("{}\n{}: {facts}", command().display(), enclave().display());
    Ok(())
}
