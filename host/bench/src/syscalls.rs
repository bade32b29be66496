//! `rkt-io bench syscalls`: what system calls, threads and memory cost.

use crate::Common;
use crate::pairs::{Setting, interleave};
use crate::place::{Beside, Places, no_network};
use crate::programs::{CALLS, FILES, MEMORY, PINGPONG, Source, THREADS, measure};
use crate::report::{Report, Sides};
use anyhow::Result;
use clap::Args;
use std::time::Duration;

/// `rkt-io bench syscalls`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What all measurements have.
    #[command(flatten)]
    pub common: Common,
    /// Time for each measure in each run.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub time: u32,
}

/// A program and how it is run.
struct Series {
    source: Source,
    cpus: u32,
    argument: Argument,
}

/// The second argument of a program.
enum Argument {
    None,
    /// A folder on a tmpfs.
    Tmpfs,
    Given(&'static str),
}

const SERIES: [Series; 6] = [
    Series { source: CALLS, cpus: 1, argument: Argument::None },
    Series { source: FILES, cpus: 1, argument: Argument::Tmpfs },
    Series { source: PINGPONG, cpus: 1, argument: Argument::Given("together") },
    Series { source: THREADS, cpus: 1, argument: Argument::None },
    Series { source: MEMORY, cpus: 1, argument: Argument::None },
    Series { source: PINGPONG, cpus: 2, argument: Argument::Given("across") },
];

/// Measures in one program, at most.
const MEASURES: u32 = 10;
/// Besides measuring, a run starts, calibrates and ends. A measure's smallest batch, 16
/// operations, may be long in a place that is slow.
const OVERHEAD: Duration = Duration::from_secs(30);

impl Series {
    /// One processor holds all of a run with one vCPU, on either side; with two, the program pins
    /// its own threads, to vCPUs in the enclave.
    fn pinning(&self) -> (Option<usize>, &'static str) {
        match self.cpus {
            1 => (Some(0), "all of either side on CPU 0"),
            _ => (None, "the program's threads on CPUs 0 and 1 (of the enclave: vCPUs, themselves not pinned)"),
        }
    }
}

/// No devices on either side.
pub fn in_memory() -> Sides {
    let side = "no network; files in a tmpfs, not encrypted".to_owned();
    Sides { enclave: side.clone(), native: side }
}

/// Runs all programs and adds their figures.
///
/// # Errors
/// If a program cannot be compiled; what fails later is in the report.
pub fn run(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let budget = options.time.to_string();
    let limit = OVERHEAD + 4 * MEASURES * Duration::from_millis(options.time.into());
    let mut notes = Vec::new();
    for series in SERIES {
        let (cpu, pinning) = series.pinning();
        let program = series.source.compile(&places.folder)?;
        let ready = places.prepare_everywhere(&program, &Beside::default())?;
        let setting = Setting {
            name: series.source.name.into(),
            chart: "System calls, threads and memory".into(),
            sides: in_memory(),
            cpus: series.cpus,
            pinning: pinning.into(),
            gvisor: places.gvisor.is_some(),
            ..Setting::default()
        };
        interleave(options.common.pairs(), &setting, report, |side, readings| {
            let ready = ready.on(side)?;
            let mut command = ready.command(series.cpus, &no_network());
            command.arg(&budget);
            match series.argument {
                Argument::None => {}
                Argument::Tmpfs => drop(command.arg(ready.tmpfs())),
                Argument::Given(text) => drop(command.arg(text)),
            }
            measure(&mut command, cpu, limit, readings, &mut notes)
        });
    }
    report.notes(notes);
    Ok(())
}
