//! Counts of tests, from what the test programs print.

use anyhow::{Context, Result};
use std::fmt;
use std::io::{BufRead, BufReader, pipe};
use std::ops::AddAssign;
use std::process::Command;

/// How many passed and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
}

impl Tally {
    /// A single check that passed.
    pub const ONE: Self = Self { passed: 1, failed: 0 };

    /// Runs a command, shows its output, and adds up the lines in it that count tests. A command
    /// that counts nothing is a single check.
    ///
    /// # Errors
    /// If it cannot be started or watched.
    pub fn of(command: &mut Command) -> Result<Self> {
        let (output, input) = pipe()?;
        command.stdout(input.try_clone()?).stderr(input);
        let mut child = command.spawn().with_context(|| format!("starting {:?}", command.get_program()))?;
        // Our ends of the pipe would keep it open.
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut tally = Self::default();
        for line in BufReader::new(output).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            tally += count(&line);
        }
        let success = child.wait()?.success();
        Ok(match (success, tally) {
            (true, Self { passed: 0, failed: 0 }) => Self::ONE,
            (false, Self { failed: 0, passed }) => Self { passed, failed: 1 },
            _ => tally,
        })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Reads the closing lines of libtest, nextest and the differential suite.
fn count(line: &str) -> Tally {
    let words: Vec<_> = line.split([' ', ',', ';', '.']).filter(|word| !word.is_empty()).collect();
    let closing = line.starts_with("test result:")
        || line.trim_start().starts_with("Summary [")
        || words.get(1).is_some_and(|word| word.starts_with("programs:"));
    if !closing {
        return Tally::default();
    }
    let before = |name: &str| {
        let at = words.iter().position(|word| *word == name);
        at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok()).unwrap_or(0)
    };
    Tally { passed: before("passed"), failed: before("failed") + before("timed") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted_and_others_are_not() {
        let tally = |passed, failed| Tally { passed, failed };
        let libtest = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(count(libtest), tally(12, 3));
        assert_eq!(count("     Summary [   1.2s] 7 tests run: 5 passed (1 slow), 2 failed, 4 skipped"), tally(5, 2));
        assert_eq!(count("73 programs: 140 passed, 6 failed"), tally(140, 6));
        assert_eq!(count("test a ... ok"), tally(0, 0));
        assert_eq!(count("5 passed, 1 failed"), tally(0, 0));
    }

    #[test]
    fn a_command_without_counts_is_one_check() {
        assert_eq!(Tally::of(Command::new("sh").args(["-c", "echo hello"])).unwrap(), Tally::ONE);
        assert_eq!(Tally::of(Command::new("sh").args(["-c", "exit 3"])).unwrap(), Tally { passed: 0, failed: 1 });
    }
}
