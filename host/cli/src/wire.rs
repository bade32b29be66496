//! `rkt-io switch`: the process between enclaves on a wire.

use anyhow::{Context, Result};
use rkt_backend_net::serve_switch;
use std::io::stdin;
use std::os::fd::AsFd;
use std::path::Path;

/// Serves the switch whose socket is standard input, until the last enclave has left.
///
/// # Errors
/// If standard input is no socket that listens, or the host denies what serving needs.
pub fn serve(path: &Path) -> Result<()> {
    let socket = stdin().as_fd().try_clone_to_owned().context("standard input is closed")?;
    serve_switch(socket.into(), path).with_context(|| format!("the switch at {} failed", path.display()))
}
