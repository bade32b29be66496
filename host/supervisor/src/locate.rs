//! Finds the enclave binary.

use anyhow::{Result, bail};
use std::env;
use std::path::{Path, PathBuf};

/// The enclave's file name, and the environment variable that overrides the search.
const NAME: &str = "rkt-enclave";
const VARIABLE: &str = "RKT_ENCLAVE";
/// Where Cargo puts the image: `--target x86_64-unknown-linux-gnu --profile enclave`.
const IN_TARGET: &str = "x86_64-unknown-linux-gnu/enclave";

/// The enclave binary: `RKT_ENCLAVE`, or beside this program, or in the Cargo target folder that
/// this program lies in.
///
/// # Errors
/// If there is none; says where it was looked for.
pub fn enclave_binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os(VARIABLE).map(PathBuf::from) {
        if path.is_file() {
            return Ok(path);
        }
        bail!("{VARIABLE} names {}, which is no file", path.display());
    }
    let own = env::current_exe()?;
    let candidates = candidates(&own);
    if let Some(found) = candidates.iter().find(|path| path.is_file()) {
        return Ok(found.clone());
    }
    let tried: Vec<_> = candidates.iter().map(|path| format!("\n  {}", path.display())).collect();
    bail!(
        "no {NAME} was found. Build it with `cargo xtask build`, or set {VARIABLE} to it. Looked for:{}",
        tried.concat()
    )
}

/// Beside the program; then in every folder above it as a target folder (`target/debug/rkt-io`,
/// `target/debug/deps/test-0123`, `target/x86_64-unknown-linux-gnu/release/rkt-io`).
fn candidates(own: &Path) -> Vec<PathBuf> {
    let beside = own.parent().map(|folder| folder.join(NAME));
    let above = own.ancestors().skip(2).take(3).map(|folder| folder.join(IN_TARGET).join(NAME));
    beside.into_iter().chain(above).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_beside_and_in_the_target_folder() {
        let found = |own: &str, enclave: &str| candidates(Path::new(own)).contains(&PathBuf::from(enclave));
        assert!(found("/usr/bin/rkt-io", "/usr/bin/rkt-enclave"));
        let image = "/src/target/x86_64-unknown-linux-gnu/enclave/rkt-enclave";
        assert!(found("/src/target/release/rkt-io", image));
        assert!(found("/src/target/debug/deps/run-0123456789abcdef", image));
        assert!(found("/src/target/x86_64-unknown-linux-gnu/release/rkt-io", image));
    }
}
