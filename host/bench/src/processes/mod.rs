//! `rkt-io bench processes`: fork, exec, and what lives from them, beside Linux.

mod lives;
mod make;
mod postgres;

use crate::Common;
use crate::pairs::Setting;
use crate::place::Places;
use crate::report::Report;
use crate::syscalls::in_memory;
use clap::{Args, ValueEnum};

/// `rkt-io bench processes`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What all measurements have.
    #[command(flatten)]
    pub common: Common,
    /// What to measure [default: all].
    #[arg(value_enum, value_name = "PART")]
    pub parts: Vec<Part>,
    /// vCPUs of the enclave.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: u32,
    /// Time of each measure of fork, exec and pipes, and a tenth of pgbench's [default: 500, --quick: 100].
    #[arg(long, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub time: Option<u32>,
    /// Memory that is touched before a fork, in MiB (repeatable) [default: 10 and 1024, --quick: 10].
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=16_384))]
    pub touched: Vec<u32>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// fork, exec and a pipe.
    Lives,
    /// A shell that starts a program a thousand times.
    Shell,
    /// make and gcc.
    Make,
    /// PostgreSQL under pgbench.
    Postgres,
}

/// How fast each is to be at least, against native: the reciprocals of the times that are allowed.
const TARGETS: [(&str, f64); 7] = [
    ("fork + exit + wait, 10 MiB touched", 1.0 / 1.5),
    ("fork + exit + wait, 1024 MiB touched", 1.0 / 1.5),
    ("fork + exec + wait", 1.0 / 2.0),
    ("shell loop of 1000 /bin/true", 1.0 / 2.0),
    ("pipe between processes on one CPU, one way", 1.0),
    ("make -j2", 1.0 / 1.2),
    ("pgbench", 0.9),
];

impl Options {
    fn time(&self) -> u32 {
        self.time.unwrap_or(if self.common.quick { 100 } else { 500 })
    }

    fn touched(&self) -> &[u32] {
        let default: &[u32] = if self.common.quick { &[10] } else { &[10, 1024] };
        if self.touched.is_empty() { default } else { &self.touched }
    }

    /// Of the enclave, as an option.
    fn memory(&self) -> String {
        format!("--memory={}m", 1024 + 2 * self.touched().iter().sum::<u32>())
    }

    /// What figures have in common that are in a chart of this title.
    fn setting(&self, chart: &str, cpus: u32, pinning: &str) -> Setting {
        Setting {
            name: chart.into(),
            chart: chart.into(),
            sides: in_memory(),
            cpus,
            pinning: pinning.into(),
            targets: &TARGETS,
            ..Setting::default()
        }
    }
}

/// Runs the parts and adds their figures; what fails is in the report.
pub fn run(options: &Options, places: &Places, report: &mut Report) {
    let all = Part::value_variants();
    for part in if options.parts.is_empty() { all } else { &options.parts } {
        let (name, result) = match part {
            Part::Lives => ("fork and exec", lives::run(options, places, report)),
            Part::Shell => ("a shell", lives::shell(options, places, report)),
            Part::Make => ("make", make::run(options, places, report)),
            Part::Postgres => ("PostgreSQL", postgres::run(options, places, report)),
        };
        if let Err(error) = result {
            report.not_measured(name, &error);
        }
    }
}
