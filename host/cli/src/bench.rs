//! `rkt-io bench`.

use anyhow::{Context, Result};

/// Measures; enclaves are run by this same program.
///
/// # Errors
/// What could not be measured and why.
pub fn run(command: &rkt_bench::Command) -> Result<()> {
    let rkt_io = std::env::current_exe().context("cannot find this program")?;
    rkt_bench::run(command, &rkt_io)
}
