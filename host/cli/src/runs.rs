//! `rkt-io ps`, `logs` and `stop`.

use crate::args::Ps;
use anyhow::{Result, bail};
use rkt_runs::{Frame, LogReader, Run, State, Stream};
use std::io::{ErrorKind, Write, stderr, stdout};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often a log is looked at that is followed.
const LOOK: Duration = Duration::from_millis(100);
/// Longest command that is shown, characters.
const COMMAND_MAX: usize = 60;

/// Lists runs, the latest first.
///
/// # Errors
/// If the records cannot be read.
pub fn ps(how: &Ps) -> Result<()> {
    let mut runs = State::of_this_user()?.list()?;
    runs.retain(|run| run.alive || how.all);
    runs.reverse();
    if how.json {
        let documents: Vec<_> = runs.iter().map(document).collect();
        println!("{:#}", serde_json::Value::from(documents));
        return Ok(());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let head = ["NAME", "PID", "STATUS", "AGE", "IMAGE", "COMMAND"].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(runs.iter().map(|run| row(run, now)));
    let widths: Vec<usize> =
        (0..6).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    for row in rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
    Ok(())
}

fn document(run: &Run) -> serde_json::Value {
    let record = &run.record;
    serde_json::json!({
        "name": record.name,
        "pid": record.pid,
        "running": run.alive,
        "status": record.ended.as_ref().map(|ended| ended.status),
        "started": record.started,
        "detached": record.detached,
        "image": record.image,
        "command": record.command,
    })
}

fn row(run: &Run, now: u64) -> [String; 6] {
    let record = &run.record;
    let status = match &record.ended {
        _ if run.alive => "running".to_owned(),
        Some(ended) => format!("exited {}", ended.status),
        None => "killed".to_owned(),
    };
    let command: String = record.command.join(" ").escape_debug().take(COMMAND_MAX).collect();
    let image = record.image.escape_debug().to_string();
    [record.name.clone(), record.pid.to_string(), status, age(now.saturating_sub(record.started)), image, command]
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

/// Shows a log on the streams on which it was written.
///
/// # Errors
/// If there is no such run, or it has no log.
pub fn logs(name: &str, follow: bool) -> Result<()> {
    let run = State::of_this_user()?.find(name)?;
    let mut log = run.log()?;
    loop {
        // Looked at before the log: what was written before the end is seen.
        let goes_on = follow && run.still_alive()?;
        match show(&mut log) {
            Err(error) if is_broken_pipe(&error) => return Ok(()),
            shown => shown?,
        }
        if !goes_on {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
}

fn show(log: &mut LogReader) -> Result<()> {
    while let Some(Frame { stream, bytes, .. }) = log.next_frame()? {
        match stream {
            Stream::Stdout => stdout().write_all(&bytes)?,
            Stream::Stderr => stderr().write_all(&bytes)?,
        }
    }
    Ok(stdout().flush()?)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// Stops runs, one after the other.
///
/// # Errors
/// If one of them does not run; the others are stopped all the same.
pub fn stop(names: &[String], seconds: u32) -> Result<()> {
    let state = State::of_this_user()?;
    let patience = Duration::from_secs(seconds.into());
    let mut failed = Vec::new();
    for name in names {
        match state.find(name).and_then(|run| run.stop(patience)) {
            Ok(_) => println!("{name}"),
            Err(error) => failed.push(format!("{error:#}")),
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        assert_eq!([0, 119, 120, 7199, 7200, 172_800].map(age), ["0s", "119s", "2m", "119m", "2h", "2d"]);
    }
}
