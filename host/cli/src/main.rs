//! The `rkt-io` command: runs an unmodified Linux program in an enclave with its own network and
//! storage. What it understands is in [`args`]; flags and `rkt.toml` become a manifest and a
//! launch in [`plan`].
#![forbid(unsafe_code)]

mod account;
mod args;
mod bench;
mod config;
mod detach;
mod disk_image;
mod doctor;
mod exec;
mod image;
mod plan;
mod progress;
mod root;
mod run;
mod runs;
mod start;
mod stats;
mod top;
mod values;
mod volumes;
mod wire;

use anyhow::Result;
use clap::Parser;
use rkt_supervisor::Reading;
use std::ffi::OsString;
use std::process::ExitCode;

/// The status that says that the command itself failed, as docker has it.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    let started = Reading::now();
    let argv: Vec<OsString> = std::env::args_os().collect();
    let cli = match args::Cli::try_parse_from(&argv) {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version come as errors too, and go to standard output.
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { FAILED } else { 0 });
        }
    };
    match dispatch(cli.command, &argv, started) {
        Ok(status) => ExitCode::from(status),
        Err(e) => {
            eprintln!("rkt-io: {e:#}");
            ExitCode::from(e.downcast_ref::<root::CannotRun>().map_or(FAILED, |e| e.status))
        }
    }
}

fn dispatch(command: args::Command, argv: &[OsString], started: Reading) -> Result<u8> {
    match command {
        args::Command::Run(run) => {
            let request = run.request(argv)?;
            if request.options.detach && !request.supervise {
                detach::launch(argv)
            } else {
                run::run(&request, started)
            }
        }
        args::Command::Measure(measure) => run::measure(&measure.run.request(argv)?, measure.json),
        args::Command::Image(command) => image::run(&command).map(|()| 0),
        args::Command::Ps(ps) => runs::ps(&ps).map(|()| 0),
        args::Command::Logs { name, follow } => runs::logs(&name, follow).map(|()| 0),
        args::Command::Exec(exec) => exec::run(exec),
        args::Command::Top(how) => top::run(&how).map(|()| 0),
        args::Command::Stop { names, time } => runs::stop(&names, time).map(|()| 0),
        args::Command::Bench(command) => bench::run(&command).map(|()| 0),
        args::Command::Doctor => doctor::run(),
        args::Command::Switch { path } => wire::serve(&path).map(|()| 0),
    }
}
