//! What a run showed, and how two runs differ.

use std::fmt;

use similar::TextDiff;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The exit status a shell would show: the program's own, or 128 plus the signal that ended it.
    Exited(i32),
    /// The watchdog ended it.
    TimedOut,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::TimedOut => f.write_str("killed by the watchdog"),
        }
    }
}

/// Everything that is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Outcome {
    /// A unified diff from `self`, the oracle, to `other`, or `None` if they are the same.
    pub fn diff(&self, other: &Self, names: (&str, &str)) -> Option<String> {
        if self == other {
            return None;
        }
        let (mine, theirs) = (self.text(), other.text());
        let diff =
            TextDiff::from_lines(&mine, &theirs).unified_diff().context_radius(2).header(names.0, names.1).to_string();
        // Bytes that are not UTF-8 may differ where their lossy text does not.
        Some(if diff.is_empty() {
            format!("{} and {} differ in bytes that are not text\n", names.0, names.1)
        } else {
            diff
        })
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, bytes) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            text.push_str(&format!("== {name} ({} bytes)\n", bytes.len()));
            text.push_str(&String::from_utf8_lossy(bytes));
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        text.push_str(&format!("== {}\n", self.status));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: i32, stdout: &[u8], stderr: &str) -> Outcome {
        Outcome { status: Status::Exited(status), stdout: stdout.to_vec(), stderr: stderr.as_bytes().to_vec() }
    }

    #[test]
    fn equal_outcomes_have_no_diff() {
        assert_eq!(outcome(0, b"a\n", "").diff(&outcome(0, b"a\n", ""), ("native", "enclave")), None);
    }

    #[test]
    fn each_part_is_compared() {
        let native = outcome(0, b"a\n", "");
        for (other, line) in [
            (outcome(1, b"a\n", ""), "+== exit status 1"),
            (outcome(0, b"b\n", ""), "+b"),
            (outcome(0, b"a\n", "x"), "+x"),
            (outcome(0, b"a", ""), "+== stdout (1 bytes)"),
        ] {
            let diff = native.diff(&other, ("native", "enclave")).expect("they differ");
            assert!(diff.lines().any(|shown| shown == line), "no `{line}` in\n{diff}");
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_compared() {
        assert!(outcome(0, b"\xff", "").diff(&outcome(0, b"\xfe", ""), ("native", "enclave")).is_some());
    }
}
