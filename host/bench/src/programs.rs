//! The C programs that measure, and how they report.

use crate::pairs::Reading;
use crate::place::require;
use crate::process::{Line, lines, run};
use crate::report::Unit;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const HEADER: (&str, &str) = ("bench.h", include_str!("../programs/bench.h"));
const COMPILER_LIMIT: Duration = Duration::from_secs(60);

/// A program in C.
pub struct Source {
    /// Name of the program.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Calls that do little.
pub const CALLS: Source = Source { name: "calls", text: include_str!("../programs/calls.c") };
/// Reads and a pipe.
pub const FILES: Source = Source { name: "files", text: include_str!("../programs/files.c") };
/// Two threads in turn.
pub const PINGPONG: Source = Source { name: "pingpong", text: include_str!("../programs/pingpong.c") };
/// Threads.
pub const THREADS: Source = Source { name: "threads", text: include_str!("../programs/threads.c") };
/// Memory and faults.
pub const MEMORY: Source = Source { name: "memory", text: include_str!("../programs/memory.c") };

/// TCP within one machine.
pub const LOOPBACK: Source = Source { name: "loopback", text: include_str!("../programs/loopback.c") };
/// Datagrams to somewhere.
pub const UDP: Source = Source { name: "udp", text: include_str!("../programs/udp.c") };
/// fork, exec, and a pipe between processes.
pub const PROCESSES: Source = Source { name: "processes", text: include_str!("../programs/processes.c") };
/// Any command, once.
pub const TIMED: Source = Source { name: "timed", text: include_str!("../programs/timed.c") };
/// Files on a disk.
pub const DISK: Source = Source { name: "disk", text: include_str!("../programs/disk.c") };

impl Source {
    /// Compiles the program, linked dynamically to the C library of this system.
    ///
    /// # Errors
    /// If there is no compiler or it fails.
    pub fn compile(&self, folder: &Path) -> Result<PathBuf> {
        let gcc = require("gcc", "gcc libc6-dev")?;
        let (source, program) = (folder.join(self.name).with_extension("c"), folder.join(self.name));
        for (path, text) in [(&folder.join(HEADER.0), HEADER.1), (&source, self.text)] {
            std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        run(Command::new(gcc).args(["-O2", "-pthread", "-o"]).args([&program, &source]), COMPILER_LIMIT)?;
        Ok(program)
    }
}

/// Runs a program of ours and appends what it measures to `readings`; what it notes goes to
/// `notes`, once.
///
/// # Errors
/// If it fails, takes too long or says something else than agreed.
pub fn measure(
    command: &mut Command,
    cpu: Option<usize>,
    limit: Duration,
    readings: &mut Vec<Reading>,
    notes: &mut Vec<String>,
) -> Result<()> {
    let mut begun = None;
    lines(command, cpu, limit, |line| {
        if let Some(note) = line.text.strip_prefix("note ") {
            if !notes.iter().any(|known| known == note) {
                notes.push(note.into());
            }
        } else if line.text.starts_with("begin ") {
            begun = Some(line);
        } else {
            let begin = begun.take().with_context(|| format!("unexpected: {:?}", line.text))?;
            readings.push(reading(&begin, &line)?);
        }
        Ok(())
    })?;
    ensure!(begun.is_none(), "ended in the middle of a measure");
    Ok(())
}

/// `begin NAME` and `end NAME OPERATIONS NANOSECONDS`.
fn reading(begin: &Line, end: &Line) -> Result<Reading> {
    let parsed = || {
        let name = begin.text.strip_prefix("begin ")?;
        let (operations, nanoseconds) = end.text.strip_prefix("end ")?.strip_prefix(name)?.trim().split_once(' ')?;
        let operations = operations.parse::<u64>().ok().filter(|n| *n > 0)? as f64;
        Some((name, operations, nanoseconds.parse::<f64>().ok()?))
    };
    let (name, operations, nanoseconds) = parsed().with_context(|| format!("unexpected: {:?}", end.text))?;
    Ok(Reading {
        name: name.into(),
        unit: Unit::Seconds,
        value: nanoseconds / operations / 1e9,
        cost: Some(end.cpu.saturating_sub(begin.cpu).as_secs_f64() / operations),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn line(text: &str, milliseconds: u64) -> Line {
        Line { text: text.into(), cpu: Duration::from_millis(milliseconds) }
    }

    #[test]
    fn an_end_follows_its_begin() {
        let found = reading(&line("begin a b", 100), &line("end a b 1000 5000000", 120)).unwrap();
        let expected = Reading { name: "a b".into(), unit: Unit::Seconds, value: 5e-6, cost: Some(2e-5) };
        assert_eq!(found, expected);
        for wrong in ["end b 1 1", "end a b", "end a b 0 5", "end a b 1 x", "begin a b"] {
            assert!(reading(&line("begin a b", 0), &line(wrong, 0)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn programs_compile_and_report() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().to_str().unwrap();
        // The discard port: nobody listens there.
        let cases: [(Source, &[&str]); 9] = [
            (CALLS, &[]),
            (FILES, &[here]),
            (PINGPONG, &["across"]),
            (THREADS, &[]),
            (MEMORY, &[]),
            (LOOPBACK, &[]),
            (UDP, &["127.0.0.1", "9"]),
            (DISK, &[here, "10"]),
            (PROCESSES, &["/bin/true", "1"]),
        ];
        for (source, arguments) in cases {
            let program = source.compile(folder.path()).unwrap();
            let (mut readings, mut notes) = (Vec::new(), Vec::new());
            let mut command = Command::new(program);
            measure(command.arg("0.1").args(arguments), None, LIMIT, &mut readings, &mut notes).unwrap();
            assert!(readings.len() >= 2, "{}: {readings:?}", source.name);
            assert!(readings.iter().all(|r| r.value > 0.0), "{readings:?}");
        }
    }

    #[test]
    fn a_command_is_timed_and_its_failure_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let program = TIMED.compile(folder.path()).unwrap();
        let timed = |script: &str| {
            let mut readings = Vec::new();
            let mut command = Command::new(&program);
            let result =
                measure(command.args(["a name", "/bin/sh", "-c", script]), None, LIMIT, &mut readings, &mut vec![]);
            result.map(|()| readings.into_iter().map(|reading| reading.name).collect::<Vec<_>>())
        };
        assert_eq!(timed("echo not for the reader").unwrap(), ["a name"]);
        assert!(timed("exit 3").unwrap_err().to_string().contains("the command failed"));
    }

    #[test]
    fn nonsense_is_an_error_and_notes_are_kept_once() {
        let say = |script: &str| {
            let (mut readings, mut notes) = (Vec::new(), Vec::new());
            let mut shell = Command::new("sh");
            let result = measure(shell.args(["-c", script]), None, LIMIT, &mut readings, &mut notes);
            (result.is_ok(), readings.len(), notes.len())
        };
        assert_eq!(say("echo note x; echo note x; echo begin a; echo end a 1 1"), (true, 1, 1));
        assert_eq!(say("echo begin a; echo end a 1 1; echo begin b"), (false, 1, 0));
        assert_eq!(say("echo hello"), (false, 0, 0));
        assert_eq!(say("echo end a 1 1"), (false, 0, 0));
    }
}
