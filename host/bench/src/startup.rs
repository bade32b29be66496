//! Start-up: the whole command, from a prebuilt image, beside fork and exec.

use crate::measure::Summary;
use crate::pairs::{Reading, Setting, Side, interleave};
use crate::place::{Places, Ready, no_network, require};
use crate::process::Process;
use crate::report::{Report, Unit};
use crate::syscalls::in_memory;
use crate::{Common, cpu};
use anyhow::{Context, Result};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Starts in a row on one side: their median counts, and they are enough ticks of processor time.
const STARTS: u32 = 8;
const LIMIT: Duration = Duration::from_secs(30);

const PROGRAMS: [(&str, &str, &[&str]); 2] = [("true", "coreutils", &[]), ("python3", "python3", &["-c", "pass"])];

/// Measures all start-ups and adds their figures.
pub fn run(common: &Common, places: &Places, report: &mut Report) {
    for (program, package, args) in PROGRAMS {
        if let Err(e) = one(common, places, report, program, package, args) {
            report.not_measured(&format!("start-up of {program}"), &e);
        }
    }
}

fn one(
    common: &Common,
    places: &Places,
    report: &mut Report,
    program: &str,
    package: &str,
    args: &[&str],
) -> Result<()> {
    let (subject, baseline) = places.prepare(&require(program, package)?)?;
    let name = format!("start-up, {}", [&[program], args].concat().join(" "));
    // The first of each reads files that later ones find in memory.
    start(&subject, args).and_then(|_| start(&baseline, args))?;
    let setting = Setting {
        name: name.clone(),
        chart: "Start-up of a command".into(),
        sides: in_memory(),
        cpus: 1,
        pinning: "none".into(),
        ..Setting::default()
    };
    interleave(common.pairs(), &setting, report, |side, readings| {
        let ready = if side == Side::Subject { &subject } else { &baseline };
        let before = cpu::machine()?;
        let times = (0..STARTS).map(|_| start(ready, args)).collect::<Result<Vec<f64>>>()?;
        let spent = cpu::machine()?.saturating_sub(before).as_secs_f64();
        let value = Summary::of(times).context("no start at all")?.median;
        readings.push(Reading {
            name: name.clone(),
            unit: Unit::Seconds,
            value,
            cost: Some(spent / f64::from(STARTS)),
        });
        Ok(())
    });
    Ok(())
}

/// Seconds from before the fork to the end of the command.
fn start(ready: &Ready, args: &[&str]) -> Result<f64> {
    let mut command = ready.command(1, &no_network());
    command.args(args).stdout(Stdio::null());
    let before = Instant::now();
    Process::spawn(&mut command, None)?.succeed(LIMIT)?;
    Ok(before.elapsed().as_secs_f64())
}
