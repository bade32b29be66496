//! Builds the host half and the enclave image.

use crate::{image, shell};
use anyhow::Result;
use std::path::PathBuf;

/// What makes the image a static PIE; `-nostdlib` and the like stand in its build script.
const IMAGE_FLAGS: &str = "-C relocation-model=pie -C target-feature=+crt-static";
/// With a target named, the flags reach the image alone and not the build scripts.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The rkt-io command.
pub fn command() -> PathBuf {
    shell::target().join("release/rkt-io")
}

/// The enclave image.
pub fn enclave() -> PathBuf {
    shell::target().join(TARGET).join("enclave/rkt-enclave")
}

/// Builds both and checks the image.
///
/// # Errors
/// If a build fails, or the image holds what it must not.
pub fn build() -> Result<()> {
    shell::run(&mut shell::cargo(["build", "--release", "-p", "rkt-io"]))?;
    let image = ["build", "-p", "rkt-enclave", "--features", "image", "--profile", "enclave", "--target", TARGET];
    shell::run(shell::cargo(image).env("RUSTFLAGS", IMAGE_FLAGS))?;
    let facts = image::check(&enclave())?;
    println!("{}\n{}: {facts}", command().display(), enclave().display());
    Ok(())
}
