//! Programs of ours: fork, exec and a pipe; and a shell that starts a program again and again.

use super::Options;
use crate::pairs::{Setting, interleave};
use crate::place::{Beside, Places, no_network, require};
use crate::programs::{PROCESSES, TIMED, measure};
use crate::report::Report;
use anyhow::{Context, Result};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);
/// `$0` is the program.
const LOOP: &str = "i=0; while [ $i -lt 1000 ]; do $0; i=$((i+1)); done";

/// fork, exec and a pipe, all on one processor.
pub fn run(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let program = require("true", "coreutils")?;
    let beside = Beside { programs: vec![program.clone()], ..Beside::default() };
    let ready = places.prepare_everywhere(&PROCESSES.compile(&places.folder)?, &beside)?;
    let setting = Setting {
        gvisor: places.gvisor.is_some(),
        ..options.setting("Processes: fork, exec and pipes", 1, "all of either side on CPU 0")
    };
    let sizes: Vec<String> = options.touched().iter().map(u32::to_string).collect();
    let mut notes = Vec::new();
    interleave(options.common.pairs(), &setting, report, |side, readings| {
        let devices = [no_network(), vec![options.memory()]].concat();
        let mut command = ready.on(side)?.command(1, &devices);
        command.arg(options.time().to_string()).arg(&program).args(&sizes);
        measure(&mut command, Some(0), LIMIT, readings, &mut notes)
    });
    report.notes(notes);
    Ok(())
}

/// A loop of a shell.
pub fn shell(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let (shell, program) = (require("sh", "dash")?, require("true", "coreutils")?);
    let beside = Beside { programs: vec![shell.clone(), program.clone()], ..Beside::default() };
    let ready = places.prepare_everywhere(&TIMED.compile(&places.folder)?, &beside)?;
    let setting = Setting {
        gvisor: places.gvisor.is_some(),
        ..options.setting("A shell that starts programs", options.cpus, "none")
    };
    let name = "shell loop of 1000 /bin/true";
    let shell = shell.to_str().context("a path that is not UTF-8")?;
    interleave(options.common.pairs(), &setting, report, |side, readings| {
        let mut command = ready.on(side)?.command(options.cpus, &no_network());
        measure(command.args([name, shell, "-c", LOOP]).arg(&program), None, LIMIT, readings, &mut Vec::new())
    });
    Ok(())
}
