//! Measures rkt-io beside native Linux.
//!
//! Every figure is a ratio: the same program runs in an enclave and natively, in turn, several
//! pairs in one run, and medians are given with their spread. Beside each figure stands what it
//! cost the whole machine in processor time, as an enclave has threads of the host working for
//! it. What is measured is in `syscalls`, `startup`, `redis`, `net`, `disk` and `processes`; how it is shown, in `report`.
#![forbid(unsafe_code)]

mod conditions;
mod cpu;
mod disk;
mod folder;
mod link;
mod measure;
mod namespace;
mod net;
mod pairs;
mod pinning;
mod place;
mod process;
mod processes;
mod programs;
mod redis;
mod report;
mod server;
mod startup;
mod syscalls;
mod tls;

pub use measure::Summary;
pub use report::{Cost, Figure, Report, Sides, Unit};

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
    /// TCP, UDP, nginx and Redis over a TAP and between enclaves, beside Linux over a veth pair (needs root).
    Net(net::Options),
    /// fork, exec, a shell, make and PostgreSQL, beside Linux.
    Processes(processes::Options),
    /// fio, files, SQLite and MariaDB on a disk, beside Linux's ext4 over a loop device (needs root).
    Disk(disk::Options),
    /// The paper's figures, at this machine: all of net and disk (needs root).
    Figures(Common),
}

/// What all measurements have.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Pairs of runs, one in the enclave and one native [default: 5, --quick: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: Option<u32>,
    /// How the enclave waits for its devices.
    #[arg(long, value_enum, default_value_t = Poll::Adaptive)]
    pub poll: Poll,
    /// Write the figures to a file, too.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write figures.json, a chart each as SVG and index.html with all of it into a folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// A first look: everything shorter and once.
    #[arg(long)]
    pub quick: bool,
}

impl Common {
    /// How many pairs of runs.
    pub fn pairs(&self) -> u32 {
        self.pairs.unwrap_or(if self.quick { 1 } else { 5 })
    }
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

/// Measures, prints a table and writes the files that were asked for. `rkt_io` is the command to run enclaves.
///
/// # Errors
/// If nothing could be measured, or, after the table, if a part could not.
pub fn run(command: &Command, rkt_io: &Path) -> Result<()> {
    let common = match command {
        Command::Syscalls(options) => &options.common,
        Command::Redis(options) => &options.common,
        Command::Net(options) => &options.common,
        Command::Disk(options) => &options.common,
        Command::Processes(options) => &options.common,
        Command::Figures(common) => common,
    };
    let folder = Folder::new()?;
    let mut places = match std::env::var_os(SELF_VARIABLE) {
        Some(_) => Places::native_twice(folder.path()),
        None => Places::new(rkt_io, common.poll, folder.path()),
    };
    let mut report = Report::new(conditions::of_machine(common, &places)?);
    match place::require("runsc", "runsc") {
        Ok(runsc) => {
            report.condition("gVisor", format!("{}, beside what needs no device", runsc.display()));
            places.gvisor = Some(runsc);
        }
        Err(missing) => report.not_measured("gVisor", &missing),
    }
    match command {
        Command::Syscalls(options) => {
            syscalls::run(options, &places, &mut report)?;
            startup::run(&options.common, &places, &mut report);
        }
        Command::Redis(options) => redis::run(options, &places, &mut report)?,
        Command::Net(options) => net::run(options, &places, &mut report),
        Command::Disk(options) => disk::run(options, &places, &mut report),
        Command::Processes(options) => processes::run(options, &places, &mut report),
        Command::Figures(common) => {
            net::run(&net::Options::all(common), &places, &mut report);
            disk::run(&disk::Options::all(common), &places, &mut report);
        }
    }
    report.condition("load average at the end", conditions::load_average()?.to_string());
    print!("{report}");
    if let Some(folder) = &common.out {
        println!(
            "
{}",
            report::write_folder(&report, folder)?.display()
        );
    }
    if let Some(path) = &common.json {
        let file = std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        serde_json::to_writer_pretty(file, &report).with_context(|| format!("cannot write {}", path.display()))?;
    }
    ensure!(
        !report.figures.is_empty() || !report.failures.is_empty(),
        "nothing was measured: {}",
        report.skipped.join("; ")
    );
    if !report.failures.is_empty() {
        bail!("{} of the measurements failed (see above)", report.failures.len());
    }
    Ok(())
}
