//! Measures rkt-io beside native Linux.
//!
//! Every figure is a ratio: the same program runs in an enclave and natively, in turn, several
//! pairs in one run, and medians are given with their spread. Beside each figure stands what it
//! cost the whole machine in processor time, as an enclave has threads of the host working for
//! it. What is measured is in `syscalls`, `startup`
//! and `redis`.
#![forbid(unsafe_code)]

mod client;
mod conditions;
mod cpu;
mod folder;
mod measure;
mod net;
mod pairs;
mod pinning;
mod place;
mod process;
mod programs;
mod redis;
mod report;
mod server;
mod startup;
mod syscalls;

pub use measure::Summary;
pub use report::{Cost, Figure, Report, Unit};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use folder::Folder;
use place::Places;
use std::path::{Path, PathBuf};

/// `rkt-io bench`.
#[derive(Subcommand)]
pub enum Command {
    /// System calls, threads, memory and start-up.
    Syscalls(syscalls::Options),
    /// Redis over a TAP beside Redis over a veth pair (needs root).
    Redis(redis::Options),
}

/// What all measurements have.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Pairs of runs, one in the enclave and one native.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pairs: u32,
    /// How the enclave waits for its devices.
    #[arg(long, value_enum, default_value_t = Poll::Adaptive)]
    pub poll: Poll,
    /// Write the figures to a file, too.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `--poll`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Poll {
    /// Poll for a while, then sleep.
    Adaptive,
    /// Poll always.
    Busy,
}

impl Poll {
    fn name(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::Busy => "busy",
        }
    }
}

/// With this variable set, the native side is measured against itself: all ratios should be
/// about 1, which shows what the measurement itself does.
const SELF_VARIABLE: &str = "RKT_BENCH_SELF";

/// Measures, prints a table and writes the JSON file. `rkt_io` is the command to run enclaves.
///
/// # Errors
/// If nothing could be measured, or, after the table, if a part could not.
pub fn run(command: &Command, rkt_io: &Path) -> Result<()> {
    let common = match command {
        Command::Syscalls(options) => &options.common,
        Command::Redis(options) => &options.common,
    };
    let folder = Folder::new()?;
    let places = match std::env::var_os(SELF_VARIABLE) {
        Some(_) => Places::native_twice(folder.path()),
        None => Places::new(rkt_io, common.poll, folder.path()),
    };
    let mut report = Report::new(conditions::of_machine(common, &places)?);
    match command {
        Command::Syscalls(options) => {
            syscalls::run(options, &places, &mut report)?;
            startup::run(&options.common, &places, &mut report);
        }
        Command::Redis(options) => redis::run(options, &places, &mut report)?,
    }
    print!("{report}");
    if let Some(path) = &common.json {
        let file = std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        serde_json::to_writer_pretty(file, &report).with_context(|| format!("cannot write {}", path.display()))?;
    }
    ensure!(!report.figures.is_empty() || !report.failures.is_empty(), "nothing was measured");
    if !report.failures.is_empty() {
        bail!("{} of the measurements failed (see above)", report.failures.len());
    }
    Ok(())
}
