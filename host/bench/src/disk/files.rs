//! A program of ours: reads from the page cache, fsync, many files.

use super::{Bench, PROTECTIONS, Task};
use crate::pairs::interleave;
use crate::programs::{DISK, measure};
use crate::report::Report;
use anyhow::Result;
use std::time::Duration;

/// Time of each measure, in parts of the time of a load.
const PART: u32 = 5;
const LIMIT: Duration = Duration::from_secs(600);

/// Runs it and adds its figures.
pub fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let ready = bench.places.prepare(&DISK.compile(&bench.places.folder)?)?;
    let count = bench.options.file_count();
    let budget = bench.options.time() * 1000 / PART;
    let args = [budget.to_string(), bench.backing.point().display().to_string(), count.to_string()];
    let task = Task { ready: (&ready.0, &ready.1), args: &args, link: None };
    let setting = bench.setting(&format!("Files: page cache, fsync, {count} files made, looked at and removed"));
    let mut notes = Vec::new();
    interleave(bench.options.common.pairs(), &setting, report, |side, readings| {
        bench.side(side, &PROTECTIONS, &task, readings, |command| {
            let mut found = Vec::new();
            measure(command, None, LIMIT, &mut found, &mut notes)?;
            Ok(found)
        })
    });
    report.notes(notes);
    Ok(())
}
