//! `rkt-io exec`.

use crate::args::Exec;
use crate::start;
use crate::values::Variable;
use anyhow::{Result, bail};
use rkt_runs::{Ask, State};
use std::os::unix::ffi::OsStrExt;

/// Runs a program in an enclave that runs, and returns the status to exit with.
///
/// # Errors
/// If there is no such enclave, or it does not allow it.
pub fn run(exec: Exec) -> Result<u8> {
    let mut words = exec.command.into_iter().peekable();
    let name = words.next().unwrap_or_default();
    words.next_if(|word| word == "--");
    let argv: Vec<_> = words.map(|word| word.as_bytes().to_vec()).collect();
    if argv.is_empty() {
        bail!("the program is missing: rkt-io exec {} -- CMD ARGS…", name.display());
    }
    let mut env: Vec<_> = exec.env.iter().filter_map(Variable::assignment).collect();
    if exec.tty && !exec.env.iter().any(|variable| variable.key == "TERM") {
        env.push([b"TERM=", start::terminal_kind().as_bytes()].concat());
    }
    let run = State::of_this_user()?.find(&name.to_string_lossy())?;
    let workdir = exec.workdir.unwrap_or_default().into_bytes();
    rkt_supervisor::exec(&run, Ask { argv, env, workdir, terminal: None }, exec.interactive || exec.tty, exec.tty)
}
