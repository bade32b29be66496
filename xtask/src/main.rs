//! Every developer command: `cargo xtask --help`.

mod build;
mod image;
mod shell;

use anyhow::Result;
use clap::{Parser, Subcommand};
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
        Command::CheckImage { image } => image::check(&image).map(|facts| println!("{facts}")),
    }
}
