//! Every developer command: `cargo xtask --help`.
#![forbid(unsafe_code)]

mod build;
mod demo;
mod fuzz;
mod image;
mod packages;
mod qemu;
mod shell;
mod tally;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};
use rkt_tests_rules::syscalls;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Developer commands of rkt-io.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the rkt-io command and the enclave image, and check what the image consists of.
    Build,
    /// Run everything that CI runs.
    Test(test::Options),
    /// Run Redis in an enclave, look at it, and measure it beside native Redis.
    Demo,
    /// Feed the fuzz targets.
    Fuzz(fuzz::Options),
    /// Write docs/syscalls.md from the table of system calls.
    Syscalls,
    /// Check an enclave image alone.
    CheckImage {
        /// The image.
        image: PathBuf,
    },
}

fn main() -> ExitCode {
    if let Err(error) = run(Cli::parse().command) {
        eprintln!("xtask: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Build => build::build(),
        Command::Test(options) => test::test(&options),
        Command::Demo => demo::demo(),
        Command::Fuzz(options) => fuzz::fuzz(&options),
        Command::Syscalls => syscalls(),
        Command::CheckImage { image } => image::check(&image).map(|facts| println!("{facts}")),
    }
}

fn syscalls() -> Result<()> {
    let table = fs::read_to_string(shell::root().join(syscalls::TABLE))?;
    Ok(fs::write(shell::root().join(syscalls::PAGE), syscalls::page(&table)?)?)
}
